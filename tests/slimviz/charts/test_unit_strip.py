from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from pruning.bert.shapes import Site
from pruning.study import Study, load_factors, load_masks
from slimviz.charts.scales import importance_bounds
from slimviz.charts.unit_strip import row_length, unit_strip
from slimviz.frames.survival import unit_frame
from slimviz.theme import DARK, LIGHT


@pytest.fixture(scope="module")
def units(studies: dict[str, Study]) -> pd.DataFrame:
    study = studies["sst2"]
    return unit_frame(load_factors(study), "alpha", load_masks(study, "10"), 4, in_order=True)


def draw(units: pd.DataFrame, *, in_order: bool = True) -> go.Figure:
    return unit_strip(units, importance_bounds(units["relative"]), LIGHT, in_order=in_order)


@pytest.mark.parametrize(
    ("widths", "expected"), [([384, 384, 384, 1536], 384), ([768, 3072], 512), ([8, 16], 8), ([300, 1000], 512)]
)
def test_rows_are_as_long_as_the_narrowest_site(widths: list[int], expected: int) -> None:
    assert row_length(widths) == expected


def test_every_unit_is_drawn_with_its_words(units: pd.DataFrame) -> None:
    figure = draw(units)
    colours = [trace for trace in figure.data if trace.name != "cut"]
    assert [np.asarray(trace.z).shape for trace in colours] == [(1, 384), (1, 384), (1, 384), (4, 384)]
    for trace, (_, group) in zip(colours, units.groupby("site", sort=False), strict=True):
        words = [word for row in trace.text for word in row]
        assert len(words) == len(group)
        for word, kept, unit in zip(words, group["kept"], group["unit"], strict=True):
            assert word.endswith("kept" if kept else "cut")
            assert f"unit {(unit - 1) % 384 + 1}" in word or f"unit {unit}" in word


def test_a_line_runs_under_exactly_the_cut_units(units: pd.DataFrame) -> None:
    figure = draw(units)
    lines = [trace for trace in figure.data if trace.name == "cut"]
    for trace, (_, group) in zip(lines, units.groupby("site", sort=False), strict=True):
        drawn = np.asarray(trace.z)
        assert np.isnan(drawn[0::2]).all()
        np.testing.assert_array_equal(~np.isnan(drawn[1::2].ravel()[: len(group)]), ~group["kept"])
        assert len(trace.y) == len(drawn) + 1


def test_heads_are_named_at_their_own_site_only(units: pd.DataFrame) -> None:
    figure = draw(units)
    traces = {trace.name: trace for trace in figure.data}
    assert traces["Attention context"].text[0][33].startswith("head 2, unit 34<br>importance ")
    assert traces["FFN hidden"].text[1][0].startswith("unit 385<br>")


def test_strips_do_not_overlap_and_fill_the_height(units: pd.DataFrame) -> None:
    layout = draw(units).layout
    domains = sorted(layout[name].domain for name in layout if name.startswith("yaxis") and layout[name].domain)
    assert len(domains) == 4
    for (_, upper), (lower, _) in itertools.pairwise(domains):
        assert upper < lower
    assert domains[0][0] > 0
    assert domains[-1][1] <= 1


def test_a_width_that_does_not_divide_is_padded_without_words(units: pd.DataFrame) -> None:
    context = units[units["site"] == Site.ATTENTION_CONTEXT].head(300)
    hidden = units[units["site"] == Site.FFN_HIDDEN].head(1000)
    figure = draw(pd.concat([context, hidden]))
    trace = next(trace for trace in figure.data if trace.name == "FFN hidden")
    assert np.asarray(trace.z).shape == (2, 512)
    assert trace.text[1][-1] == ""
    assert np.isnan(np.asarray(trace.z)[1, -1])


def test_axis_says_how_units_are_ordered(units: pd.DataFrame) -> None:
    assert "as in the matrices" in draw(units).layout.xaxis4.title.text
    assert "most important first" in draw(units, in_order=False).layout.xaxis4.title.text


def test_dark_theme_has_its_own_colours(units: pd.DataFrame) -> None:
    figure = unit_strip(units, (-2, 1), DARK, in_order=True)
    assert {colour for _, colour in figure.data[0].colorscale} == set(DARK.importance)
    assert {colour for _, colour in figure.data[1].colorscale} == {DARK.mark}
