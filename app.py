"""The dashboard: `streamlit run app.py`."""

import streamlit as st

from slimviz.theme import FAVICON
from slimviz.widgets.navigation import PAGES, page

if __name__ == "__main__":  # a visit: Streamlit runs this file
    st.set_page_config(page_title="SlimViz", page_icon=FAVICON, layout="wide")
    st.navigation([page(entry.module) for entry in PAGES], position="top").run()
    from slimviz.live.warm_up import start_warm_up  # the first page needs nothing of it

    start_warm_up()  # only once the first page is drawn: importing torch would hold it up
else:  # the server: Streamlit imports this file and looks for an app
    from slimviz import server

    server.keep_uploads_in_memory()
    app = st.App(
        __file__,
        lifespan=server.open_browser,
        middleware=server.middleware(entry.path for entry in PAGES),
        routes=server.routes(entry.path for entry in PAGES),
    )
