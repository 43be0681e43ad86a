"""Charts: tidy frame in, figure out. They import no Streamlit and take their colours from `slimviz.theme`."""
