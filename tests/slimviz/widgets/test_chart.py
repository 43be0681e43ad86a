"""A chart is drawn as Streamlit draws it, without asking altair whether it is one."""

from __future__ import annotations

import json
from typing import Any

import pytest
import streamlit as st
from jsonschema import ValidationError
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest


def _page() -> None:

    import altair as alt
    import pandas as pd
    import streamlit as st

    from slimviz.widgets.chart import draw_chart

    frame = pd.DataFrame({"layer": [1, 2], "share": [0.5, None], "word": ["one", None], "chosen": [True, False]})
    stroke = alt.StrokeValue(None, condition={"test": "datum.chosen", "value": "red"})
    bars = alt.Chart(frame).mark_bar().encode(x="layer:O", y="share:Q", stroke=stroke)
    bars = bars.add_params(alt.selection_point(name="click", fields=["layer"]))
    rule = alt.Chart(pd.DataFrame({"share": [0.25]})).mark_rule().encode(y="share:Q")
    chart = alt.LayerChart(layer=[bars, rule]).properties(height=100)
    settings: Any = {"width": "stretch", "on_select": "rerun", "alt": "bars and a rule"}
    st.altair_chart(chart, key="theirs", **settings)
    draw_chart(chart, key="ours", **settings)


def test_a_chart_is_what_streamlit_makes_of_it() -> None:
    page = AppTest.from_function(_page).run()
    assert not page.exception
    theirs, ours = (_drawn(element.proto) for element in page.get("vega_lite_chart"))
    assert theirs["spec"]["params"][0]["name"] == "click"
    assert theirs["spec"]["layer"][0]["data"]["share"] == [0.5, None]
    assert ours == theirs


def _filled_page() -> None:
    import altair as alt
    import pandas as pd
    import streamlit as st

    from slimviz.charts.filled import Filled, written
    from slimviz.widgets.chart import draw_chart

    frame = pd.DataFrame({"layer": [1, 2], "share": [0.5, None], "word": ["one", None], "chosen": [True, False]})
    bars = alt.Chart().mark_bar().encode(x="layer:O", y="share:Q")
    bars = bars.add_params(alt.selection_point(name="click", fields=["layer"]))
    chart = alt.LayerChart(data=alt.NamedData("layers"), layer=[bars]).properties(height=100)
    filled = Filled(written(chart), {"layers": frame})
    settings = {"width": "stretch", "on_select": "rerun", "alt": "bars"}
    st.altair_chart(filled.in_altair(), key="theirs", **settings)
    draw_chart(filled, key="ours", **settings)
    draw_chart(filled, key="again", **settings)  # what was drawn once is still whole


def test_a_filled_chart_is_what_streamlit_makes_of_it() -> None:
    page = AppTest.from_function(_filled_page).run()
    assert not page.exception
    theirs, ours, again = (_drawn(element.proto) for element in page.get("vega_lite_chart"))
    assert theirs["spec"]["data"]["word"] == ["one", None]
    assert theirs["spec"]["params"][0]["name"] == "click"
    assert ours == again == theirs


def test_what_is_no_chart_fails_in_tests() -> None:
    nothing = {"mark": "bar", "encoding": {"x": {"field": "a", "type": "nonsense"}}}
    with pytest.raises(ValidationError):
        st.vega_lite_chart(nothing)


def _drawn(proto: Any) -> dict[str, Any]:
    """What is sent to the browser, with rows in place of the names that either path gives their tables."""
    frames = {entry.name: convert_arrow_bytes_to_pandas_df(entry.data.data) for entry in proto.datasets}
    tables = {name: frame.astype(object).where(frame.notna(), None).to_dict("list") for name, frame in frames.items()}

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            inner = {key: named(part) for key, part in value.items()}
            return tables.get(value["name"], inner) if set(value) == {"name"} else inner
        return [named(part) for part in value] if isinstance(value, list) else value

    modes = list(proto.selection_mode)
    return {"spec": named(json.loads(proto.spec)), "alt": proto.alt, "theme": proto.theme, "modes": modes}
