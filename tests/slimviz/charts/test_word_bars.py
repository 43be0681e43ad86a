from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slimviz.charts.export import standing_alone, to_svg
from slimviz.charts.word_bars import LEAST_BOUND, ROOM, word_bars, word_bounds
from slimviz.frames.attributions import Reading, attribution_frame
from slimviz.theme import PALETTES, Palette

ODD = "<b>' + \"\\ {{x}}"


def spec(palette: Palette) -> dict[str, Any]:
    reading = Reading((("a",), ("b",), ("c",)), np.array([1.0, -2.0, np.nan]), np.array([0.5, -3.0, np.nan]), 0.0, 1.0)
    frame = attribution_frame([(0, "good"), (0, "good"), (1, ODD)], {"slim": reading}, ["Sentence 1", "Sentence 2"])
    return word_bars(frame, 3.0, "score", palette).to_dict()


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_a_bar_a_word_says_its_number_and_its_direction(palette: Palette) -> None:
    chart = spec(palette)
    _, bars, points, text = chart["layer"]
    rows = chart["datasets"][chart["data"]["name"]]
    assert [row["label"] for row in rows] == ["", "+1.00", "−2.00", "", "–"]
    assert (bars["encoding"]["x"]["field"], points["encoding"]["x"]["field"]) == ("integrated", "left_out")
    assert bars["encoding"]["x"]["scale"]["domain"] == [-3 * ROOM, 3 * ROOM]
    colour = bars["encoding"]["color"]
    assert colour["condition"] == {"test": "datum.integrated >= 0", "value": palette.supports}
    assert colour["value"] == palette.opposes
    assert text["encoding"]["text"]["field"] == "label"
    assert bars["encoding"]["description"]["field"] == "told"
    assert ODD not in str(bars["encoding"]["y"]["axis"])  # typed words are data, never part of an expression


def test_words_keep_their_order_and_markup_stays_text() -> None:
    reading = Reading((("a",),) * 3, np.array([1.0, -2.0, 3.0]), np.zeros(3), 0.0, 1.0)
    frame = attribution_frame([(0, "zebra"), (0, "apple"), (0, "<b>x")], {"slim": reading}, ["Sentence"])
    svg = to_svg(standing_alone(word_bars(frame, 3.0, "score", PALETTES["light"]), "Words", PALETTES["light"]))
    places = [svg.index(f">{word}</text>") for word in ("zebra", "apple", "&lt;b&gt;x")]
    assert places == sorted(places)
    assert "<b>" not in svg


def test_charts_of_one_page_share_a_scale() -> None:
    assert word_bounds([0.5, None, -2.0, float("nan")]) == 2
    assert word_bounds([None, 0.0]) == LEAST_BOUND
