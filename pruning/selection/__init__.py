"""Importance factors and a budget -> masks, vocabulary and rank (NumPy, no torch)."""
