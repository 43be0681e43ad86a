from __future__ import annotations

import pytest

from slimviz.charts.history_curve import history_curve
from slimviz.frames.history import curve_frame
from slimviz.theme import PALETTES


@pytest.mark.parametrize("theme", PALETTES)
def test_charts_of_a_stage_share_their_steps(theme: str) -> None:
    history = [{"stage": "slim", "step": step, "alive": 1 - step / 400} for step in (50, 100)]
    curve = curve_frame(history, "slim").assign(text="")
    spec = history_curve(curve, 300, PALETTES[theme]).to_dict()
    line = spec["layer"][0]
    assert line["encoding"]["x"]["scale"]["domain"] == [0, 300]
    assert line["encoding"]["y"]["axis"]["format"] == "%"
    assert line["mark"]["color"] == PALETTES[theme].slim
    (rows,) = spec["datasets"].values()
    assert [(row["step"], row["value"]) for row in rows] == [(50, 0.875), (100, 0.75)]
