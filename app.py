"""The dashboard: `streamlit run app.py`."""

import streamlit as st

from slimviz.theme import FAVICON
from slimviz.widgets.navigation import PAGES, page

st.set_page_config(page_title="SlimViz", page_icon=FAVICON, layout="wide")
st.navigation([page(entry.module) for entry in PAGES], position="top").run()
