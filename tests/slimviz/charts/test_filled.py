"""Charts that are written once: the same drawing whatever was drawn before, and nothing of one in the next."""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd
import pytest

from slimviz.charts.filled import Filled
from slimviz.charts.head_map import dna_map
from slimviz.charts.layer_bars import layer_bars
from slimviz.charts.scales import importance_legend
from slimviz.charts.similarity_map import similarity_map
from slimviz.theme import DARK, LIGHT


def dna(*shares: float) -> pd.DataFrame:
    places = range(1, len(shares) + 1)
    return pd.DataFrame({"layer": 1, "head": places, "share": shares, "mark": "2", "kept_by": "2 of 3", "titles": "A"})


def pairs(value: float) -> pd.DataFrame:
    rows = [(a, b, 1.0 if a == b else value, "AB".index(a)) for a in "AB" for b in "AB"]
    return pd.DataFrame(rows, columns=["first_title", "second_title", "value", "order_first"])


def layers(*shares: float) -> pd.DataFrame:
    words = dict.fromkeys(("counts", "parameters", "flops", "heads", "cutoffs"), "some")
    places = range(1, len(shares) + 1)
    return pd.DataFrame({"layer": places, "kept": 1, "total": 4, "share": shares, **words})


MAPS: list[tuple[Callable[..., Filled], tuple, tuple]] = [
    (dna_map, (dna(0.2, 0.9), None, LIGHT), (dna(0.4, None), (1, 2), LIGHT)),
    (similarity_map, (pairs(0.5), LIGHT), (pairs(0.25), LIGHT)),
    (layer_bars, (layers(0.1, 0.2), 1, LIGHT), (layers(0.3, 0.9), 2, LIGHT)),
    (importance_legend, ((-1.0, 2.0), LIGHT), ((-1.0, 2.0), LIGHT)),
]
each = pytest.mark.parametrize(("draw", "first", "second"), MAPS, ids=[draw.__name__ for draw, _, _ in MAPS])


@each
def test_a_chart_is_written_once_for_all_rows(draw: Callable[..., Filled], first: tuple, second: tuple) -> None:
    one, other = draw(*first), draw(*second)
    assert one.written is other.written
    dark = [DARK if part is LIGHT else part for part in first]
    assert draw(*dark).written != one.written


@each
def test_no_rows_of_one_are_in_another(draw: Callable[..., Filled], first: tuple, second: tuple) -> None:
    before = json.dumps(draw(*first).to_dict(), sort_keys=True)
    theirs = json.dumps(draw(*second).to_dict(), sort_keys=True)
    draw(*second).with_frames()["datasets"].clear()
    draw(*second).in_altair().properties(width=1)
    assert json.dumps(draw(*first).to_dict(), sort_keys=True) == before
    assert (theirs == before) == (draw is importance_legend)


@each
def test_every_name_of_data_has_rows(draw: Callable[..., Filled], first: tuple, second: tuple) -> None:
    filled = draw(*second)
    named = {part["data"]["name"] for part in [filled.written, *filled.written["layer"]] if "data" in part}
    assert named == set(filled.rows) == set(filled.to_dict()["datasets"])


def test_what_is_missing_is_null() -> None:
    (rows,) = dna_map(dna(0.5, None), None, LIGHT).to_dict()["datasets"].values()
    assert [row["share"] for row in rows] == [0.5, None]
    assert [row["chosen"] for row in rows] == [False, False]
