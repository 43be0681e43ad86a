"""Stored values -> tidy frames, one row per thing that a chart or sentence shows (pure: no Streamlit, no files)."""
