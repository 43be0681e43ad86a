"""Overview's two pictures, which are HTML: what they say, and where marks lie."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pruning.bert.shapes import Site
from pruning.measure.intervals import Interval
from pruning.study import Study, load_masks
from slimviz.charts.block_picture import block_picture
from slimviz.charts.network_picture import network_picture, picture_words
from slimviz.charts.task_rows import SHAPES, STYLE, axis_of, row_words, task_rows, verdict_words
from slimviz.frames.drawing import network_drawing
from slimviz.frames.results import Scored, Summary, summarise
from slimviz.frames.verdicts import Verdict
from slimviz.theme import DARK, LIGHT, PALETTES

HOSTILE = "<script>alert(1)</script>\" onload='x'"


@pytest.fixture
def rows(studies: dict[str, Study]) -> list[Summary]:
    return [summarise(key, study, "10") for key, study in studies.items()]


def between(row: Summary, low: float, high: float, **changed: object) -> Summary:
    interval = Interval("accuracy", (low + high) / 200, low / 100, high / 100, 2000)
    return replace(row, interval=interval, **changed)  # type: ignore[arg-type]


def test_a_button_a_task_says_all_that_it_shows(rows: list[Summary]) -> None:
    body = task_rows(rows, rows[1].key, 3, LIGHT)
    buttons = re.findall(r'<button type="button" class="row (\w+)" data-study="(\w+)" aria-pressed="(\w+)"', body)
    assert [key for _, key, _ in buttons] == [row.key for row in rows]
    assert [pressed for _, _, pressed in buttons] == ["false", "true", *["false"] * (len(rows) - 2)]
    for row in rows:
        assert row_words(row, 3).replace("'", "&#x27;") in body


def test_verdicts_have_a_word_and_a_shape_each(rows: list[Summary]) -> None:
    row = rows[0]
    kinds = {
        Verdict.FINE: between(row, -2, 1),
        Verdict.LOST: between(row, -5, -1),
        Verdict.UNSURE: between(row, -5, 1),
        Verdict.WEAK: replace(row, teacher=Scored(0.56, 155, 277), floor=0.527),
        Verdict.UNLABELLED: replace(row, is_labelled=False),
        Verdict.MISSING: replace(row, slim=Scored()),
    }
    said = {verdict_words(one, 3) for one in kinds.values()}
    assert len(said) == len(kinds) == len(set(SHAPES.values()))
    for kind, one in kinds.items():
        assert f'class="row {kind}"' in task_rows([one], one.key, 3, LIGHT)
    assert verdict_words(kinds[Verdict.FINE], 2.5) == "no loss beyond 2.5"


def test_marks_lie_where_the_axis_says(rows: list[Summary]) -> None:
    row = between(rows[0], -6, 4, seeds=(-0.08, 0.01), floor=0.0, teacher=Scored(0.3, None, 100))
    axis = axis_of([row], 3)
    assert axis.low < -8
    assert axis.high > 4
    assert 0 in axis.ticks
    body = task_rows([row], row.key, 3, LIGHT)
    place = {name: float(at) for name, at in re.findall(r'class="(zero|dot|band|span)" style="left:([0-9.]+)%', body)}
    assert place["band"] < place["dot"] < place["zero"]
    assert place["span"] == pytest.approx(axis.place(-6), abs=0.01)
    assert body.count('class="seed"') == 2
    assert 'class="beyond" title="floor: 0.000, 30 points below the teacher"' in body
    near = task_rows([replace(row, floor=0.25)], row.key, 3, LIGHT)
    assert re.search(r'class="floor" title="[^"]*" style="left:', near)


def test_one_wild_row_does_not_squash_the_others(rows: list[Summary]) -> None:
    axis = axis_of([between(rows[0], -90, 80), rows[1]], 3)
    assert axis.high - axis.low < 60
    assert axis.place(-90) == 0
    assert axis.place(80) == 100
    assert 3 <= len(axis.ticks) <= 8
    assert axis_of([], 3).low < -3


def test_nothing_of_a_study_becomes_markup(rows: list[Summary]) -> None:
    row = replace(rows[0], title=HOSTILE, key=HOSTILE, metric=HOSTILE)
    body = task_rows([row], row.key, 3, LIGHT)
    assert "<script" not in body
    assert "onload='" not in body


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
def test_colours_are_the_theme_s(studies: dict[str, Study], rows: list[Summary], palette: object) -> None:
    other = DARK if palette is LIGHT else LIGHT
    study = studies["sst2"]
    drawing = network_drawing(study.shape, study.selections["10"].network, load_masks(study, "10"))
    for body in (task_rows(rows, "sst2", 3, palette), network_picture(drawing, "SST-2", palette)):  # type: ignore[arg-type]
        assert palette.slim in body  # type: ignore[attr-defined]
        assert set(re.findall(r"#[0-9a-f]{6}", body)) <= set(re.findall(r"#[0-9a-f]{6}", repr(palette)))
        assert other.slim not in body
    assert not re.findall(r"#[0-9a-f]{3,6}", STYLE)


def test_a_block_says_what_is_cut_and_what_is_whole(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    slim, dense = study.selections["10"].network, study.shape.network()
    body = block_picture(slim, dense, [Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN], LIGHT)
    heads, units = (sum(getattr(layer, name) for layer in slim.layers) for name in ("heads", "ffn"))
    for words in (f"{heads} of 72 left", f"{units:,} of 9,216 left", f"{slim.pooler} of 384 left", "6 layers, each"):
        assert words in body
    assert body.count(">whole</span>") == 2
    assert body.count(f"2px solid {LIGHT.slim}") == 4  # two sites, word table, pooler
    whole = block_picture(dense, dense, [], DARK)
    assert whole.count(">whole</span>") == 5
    assert "30,522 of 30,522 pieces" in whole


def test_a_picture_says_what_is_left(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    masks = load_masks(study, "10")
    drawing = network_drawing(study.shape, study.selections["10"].network, masks)
    body = network_picture(drawing, HOSTILE, LIGHT)
    assert "<script" not in body
    assert body.count("position:absolute;bottom:0;left:.5px") == 72
    words = picture_words(drawing, "SST-2")
    heads = int((masks.heads(study.shape)[0] > 0).sum())
    assert words.startswith(f"What is left of SST-2's teacher. layer 1: {heads} of 12 heads, ")
    assert "word table: " in words
