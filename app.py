"""The dashboard: `streamlit run app.py`."""

import streamlit as st

from slimviz.theme import FAVICON
from slimviz.widgets.navigation import PAGES, page

st.set_page_config(page_title="SlimViz", page_icon=FAVICON, layout="wide")
st.navigation([page(entry.module) for entry in PAGES], position="top").run()
from slimviz.live.warm_up import start_warm_up  # noqa: E402  # the first page needs nothing of it

start_warm_up()  # only once the first page is drawn: importing torch would hold it up
