"""The dashboard: `streamlit run app.py`."""

import streamlit as st

from slimviz.pages import PAGES, page
from slimviz.theme import FAVICON

st.set_page_config(page_title="SlimViz", page_icon=FAVICON, layout="wide")
st.navigation([page(entry.module) for entry in PAGES], position="top").run()
