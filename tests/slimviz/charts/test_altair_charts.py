"""Charts drawn by Vega: what their own JSON says."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pruning.bert.shapes import Site
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, select
from pruning.study import Study, load_factors, load_masks
from slimviz.charts.head_map import CLICK, GONE_MARK, THERE_MARK, difference_map, head_map, surgery_map, turned_map
from slimviz.charts.layer_bars import CLICK as BAR_CLICK
from slimviz.charts.layer_bars import layer_bars
from slimviz.charts.scales import RANK_BOUNDS, importance_bounds
from slimviz.charts.similarity_map import similarity_map
from slimviz.charts.site_bars import site_bars
from slimviz.frames.flips import Turned, turned_frame
from slimviz.frames.heads import HeadStudy, difference_frame, head_frame, similarity_frame
from slimviz.frames.surgery import surgery_frame
from slimviz.frames.survival import layer_frame, site_frame, survival_frame
from slimviz.theme import CUT_MARK, DARK, LIGHT, PALETTES


def rows_of(spec: dict[str, Any], layer: int = 0) -> list[dict[str, Any]]:
    """The records that a layer draws."""
    name = spec["layer"][layer].get("data", spec.get("data"))["name"]
    return spec["datasets"][name]


def colours_in(value: Any) -> set[str]:
    """All hex colours in a specification."""
    if isinstance(value, dict):
        return set().union(*(colours_in(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(colours_in(inner) for inner in value))
    return {value} if isinstance(value, str) and value.startswith("#") and len(value) == 7 else set()


def palette_colours(palette: Any) -> set[str]:
    return colours_in([list(v) if isinstance(v, tuple) else v for v in vars(palette).values()])


@pytest.fixture(scope="module")
def heads(studies: dict[str, Study]) -> pd.DataFrame:
    shown = [HeadStudy(n, n.upper(), load_factors(studies[n]), load_masks(studies[n], "10")) for n in ("sst2", "cola")]
    return head_frame(shown, "alpha")


@pytest.fixture(scope="module")
def selection(studies: dict[str, Study]) -> Selection:
    return select(load_factors(studies["sst2"]), Budget("total_density", 0.1))


def test_surgery_map_tells_what_the_visitor_cut_from_what_slimming_removed(
    heads: pd.DataFrame, studies: dict[str, Study]
) -> None:
    one, there = heads[heads["study"] == "sst2"], [(0, 0), (3, 4), (5, 11)]
    maps = {}
    for cut in ((), ((3, 4),)):
        frame = surgery_frame(studies["sst2"].shape, there, cut, one)
        maps[cut] = surgery_map(frame, RANK_BOUNDS, DARK).to_dict()
        marks = {(row["layer"], row["head"]): row["mark"] for row in rows_of(maps[cut])}
        assert list(marks.values()).count(GONE_MARK) == 69
        assert marks[1, 1] == marks[6, 12] == ""
        assert marks[4, 5] == (CUT_MARK if cut else "")
    # A click changes rows alone: a chart of another form would be drawn anew, and forget what was clicked.
    assert {key: part for key, part in maps[()].items() if key not in ("datasets", "data")} == {
        key: part for key, part in maps[(3, 4),].items() if key not in ("datasets", "data")
    }
    assert colours_in(maps[()]) <= palette_colours(DARK)
    assert maps[()]["params"][0]["name"] == CLICK


def test_turned_map_marks_the_heads_that_change_the_answer(studies: dict[str, Study]) -> None:
    one = Turned(((3, 4), (0, 0)), (True, False), (0.9, 0.2), already=False)
    spec = turned_map(turned_frame(studies["sst2"].shape, one), LIGHT).to_dict()
    marks = {(row["layer"], row["head"]): row["mark"] for row in rows_of(spec)}
    assert (marks[4, 5], marks[1, 1]) == (THERE_MARK, "")
    assert list(marks.values()).count(GONE_MARK) == 70
    assert colours_in(spec) <= palette_colours(LIGHT)


def test_head_map_marks_exactly_what_is_cut(heads: pd.DataFrame) -> None:
    one = heads[heads["study"] == "sst2"]
    spec = head_map(one, importance_bounds(heads["relative"]), None, LIGHT).to_dict()
    rows = rows_of(spec)
    assert len(rows) == 72
    assert all((row["mark"] == CUT_MARK) == (row["fate"] == "cut") for row in rows)
    assert not any(row["chosen"] for row in rows)
    assert spec["layer"][1]["encoding"]["text"]["field"] == "mark"


def test_head_map_answers_clicks_with_layer_and_head(heads: pd.DataFrame) -> None:
    spec = head_map(heads[heads["study"] == "sst2"], (-1, 1), (3, 7), LIGHT).to_dict()
    selections = spec.get("params", []) + [param for layer in spec["layer"] for param in layer.get("params", [])]
    click = next(param for param in selections if param["name"] == CLICK)
    assert click["select"] == {"type": "point", "fields": ["layer", "head"], "toggle": "true", "clear": False}
    chosen = [(row["layer"], row["head"]) for row in rows_of(spec) if row["chosen"]]
    assert chosen == [(3, 7)]


def test_maps_of_one_page_share_their_scale(heads: pd.DataFrame) -> None:
    bounds = importance_bounds(heads["relative"])
    scales = [
        head_map(group, bounds, None, DARK).to_dict()["layer"][0]["encoding"]["color"]["scale"]
        for _, group in heads.groupby("study")
    ]
    assert scales[0] == scales[1]
    assert scales[0]["range"] == list(DARK.importance)


def test_difference_map_is_never_in_the_colours_of_importance(heads: pd.DataFrame) -> None:
    difference = difference_frame(heads, "sst2", "cola")
    spec = difference_map(difference, ("SST-2", "CoLA"), None, LIGHT).to_dict()
    scale = spec["layer"][0]["encoding"]["color"]["scale"]
    assert scale["range"] == list(LIGHT.difference)
    assert scale["domain"][0] == pytest.approx(-scale["domain"][-1])
    assert {row["mark"] for row in rows_of(spec)} <= {"", "A", "B", CUT_MARK}


def test_difference_of_a_study_with_itself_has_a_scale(heads: pd.DataFrame) -> None:
    difference = difference_frame(heads, "sst2", "sst2")
    domain = difference_map(difference, ("a", "a"), None, LIGHT).to_dict()["layer"][0]["encoding"]["color"]["scale"]
    assert domain["domain"][-1] > 0


def test_layer_bars_show_teacher_and_slim(studies: dict[str, Study], selection: Selection) -> None:
    survival = survival_frame(selection.masks)
    dense = studies["sst2"].shape.network()
    layers = layer_frame(survival, [Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN], selection, dense)
    spec = layer_bars(layers, 3, LIGHT).to_dict()
    rows = rows_of(spec)
    assert [row["share"] for row in rows] == pytest.approx(list(layers["share"]))
    assert all(row["teacher"] == 1 for row in rows)
    assert [row["layer"] for row in rows if row["chosen"]] == [3]
    assert [tip["title"] for tip in spec["layer"][0]["encoding"]["tooltip"][1:]] == [
        "units kept", "heads kept", "parameters", "FLOPs at 32 tokens", "cut-off",
    ]  # fmt: skip
    selections = spec.get("params", []) + [param for layer in spec["layer"] for param in layer.get("params", [])]
    assert any(param["name"] == BAR_CLICK for param in selections)


def test_site_bars_have_a_bar_a_site_and_a_dot_a_layer(selection: Selection) -> None:
    survival = survival_frame(selection.masks)
    spec = site_bars(site_frame(survival, selection.cutoff), survival, LIGHT).to_dict()
    assert len(rows_of(spec, 0)) == len(Site)
    assert len(rows_of(spec, 1)) == 4 * 6


def test_similarity_map_writes_every_value(heads: pd.DataFrame) -> None:
    pairs = similarity_frame(heads)
    spec = similarity_map(pairs[pairs["measure"] == "jaccard"], LIGHT).to_dict()
    assert sorted(row["label"] for row in rows_of(spec))[-2:] == ["1.00", "1.00"]
    assert spec["layer"][0]["encoding"]["x"]["sort"] == spec["layer"][0]["encoding"]["y"]["sort"]


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_charts_take_their_colours_from_the_palette(
    heads: pd.DataFrame, selection: Selection, studies: dict[str, Study], palette: Any
) -> None:
    survival = survival_frame(selection.masks)
    layers = layer_frame(survival, [Site.FFN_HIDDEN], selection, studies["sst2"].shape.network())
    pairs = similarity_frame(heads)
    charts = [
        head_map(heads[heads["study"] == "sst2"], (-1, 1), (1, 1), palette),
        difference_map(difference_frame(heads, "sst2", "cola"), ("a", "b"), None, palette),
        layer_bars(layers, 1, palette),
        site_bars(site_frame(survival), survival, palette),
        similarity_map(pairs[pairs["measure"] == "spearman"], palette),
    ]
    for chart in charts:
        spec = chart.to_dict()
        spec.pop("config", None)  # Altair's own default
        assert colours_in(spec) <= palette_colours(palette)
