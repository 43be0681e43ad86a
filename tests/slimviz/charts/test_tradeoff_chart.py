"""The chart of trade-offs: what its own JSON says."""

from __future__ import annotations

from typing import Any

import pytest

from pruning.published import read_published
from pruning.study import Study, read_study
from slimviz.charts.tradeoff_chart import CLICK, Frames, Sides, tradeoff_chart, tradeoff_legend
from slimviz.frames import axes
from slimviz.frames.axes import AXES
from slimviz.frames.tradeoffs import points_of
from slimviz.theme import DARK, LIGHT
from tests.factories.study_document import add_networks, edit
from tests.factories.sweep_results import cell_result
from tests.factories.synthetic_study import write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = write_study(tmp_path_factory.mktemp("chart"), "sst2", budgets=("50", "10"))
    edit(folder, lambda document: add_networks(document, (1, 2)))
    return read_study(folder)


def frames(study: Study, axis: str, measure: str) -> Frames:
    swept = [cell_result("sst2", method, budget) for method in ("kwon", "obert") for budget in (0.1, 0.05)]
    drawn = axes.drawable(points_of({"sst2": study}, swept), AXES[axis], measure)
    rows = axes.published_of(read_published(), study.task)
    return Frames(
        axes.point_frame(drawn, AXES[axis], measure, study.task),
        axes.seed_frame(drawn, AXES[axis], measure, study.task),
        axes.published_frame(rows, AXES[axis], measure, study.task),
        [[point.name for point in step] for step in axes.frontiers(drawn, AXES[axis], measure).values()],
    )


def spec_of(frames: Frames, *, palette: Any = LIGHT, **sides: Any) -> dict[str, Any]:
    words = {"x": "cost", "y": "score", "is_time": False, "y_format": ".2f"}
    return tradeoff_chart(frames, Sides(**(words | sides)), {"slim-10": "A", "obert-10": "B"}, palette).to_dict()


def layers(spec: dict[str, Any], mark: str, **settings: Any) -> list[dict[str, Any]]:
    marks = [layer for layer in spec["layer"] if layer["mark"]["type"] == mark]
    return [layer for layer in marks if settings.items() <= layer["mark"].items()]


def rows_of(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    return spec["datasets"][layer.get("data", spec["data"])["name"]]


def test_a_click_selects_a_network_by_its_name(study: Study) -> None:
    spec = spec_of(frames(study, "parameters", "metric"))
    params = spec.get("params", []) + [param for layer in spec["layer"] for param in layer.get("params", [])]
    (click,) = [param for param in params if param["name"] == CLICK]
    assert click["select"] == {"type": "point", "fields": ["name"], "toggle": "true", "clear": False}


def test_seeds_are_faint_means_solid_and_published_figures_hollow(study: Study) -> None:
    spec = spec_of(frames(study, "encoder", "kept"))
    (faint,) = layers(spec, "point", opacity=0.4)
    assert {row["name"] for row in rows_of(spec, faint)} == {"slim-10"}
    assert len(rows_of(spec, faint)) == 3
    (solid,) = layers(spec, "point", opacity=1, filled=True)
    names = [row["name"] for row in rows_of(spec, solid)]
    assert len(names) == len(set(names))
    (hollow,) = layers(spec, "point", filled=False, shape="diamond")
    assert all(row["source"] for row in rows_of(spec, hollow))
    assert not layers(spec_of(frames(study, "encoder", "metric")), "point", filled=False, shape="diamond")


def test_families_differ_by_shape_and_dashes_and_every_method_by_colour_or_shape(study: Study) -> None:
    spec = spec_of(frames(study, "parameters", "metric"))
    rows = rows_of(spec, layers(spec, "point", opacity=1, filled=True)[0])
    looks = {row["method"]: (row["colour"], row["shape"]) for row in rows if not row["is_teacher"]}
    assert len(set(looks.values())) == len(looks) >= 4
    assert looks["slim"] == (LIGHT.slim, "circle")
    assert looks["obert"][1].startswith("triangle")
    dashes = next(layer["encoding"]["strokeDash"] for layer in spec["layer"] if "strokeDash" in layer["encoding"])
    assert dashes["field"] == "family"
    assert len({tuple(dash) for dash in dashes["scale"]["range"]}) == 3


def test_steps_are_the_frontier(study: Study) -> None:
    drawn = frames(study, "parameters", "metric")
    spec = spec_of(drawn)
    steps = layers(spec, "line", interpolate="step-after")
    assert [[row["name"] for row in sorted(rows_of(spec, step), key=lambda row: row["x"])] for step in steps] == [
        list(names) for names in drawn.steps
    ]


def test_a_budget_is_a_band_with_a_rule_at_its_end_and_no_rule_far_away(study: Study) -> None:
    timed = frames(study, "ms-32", "metric")
    spec = spec_of(timed, is_time=True, most=20.0)
    (band,) = layers(spec, "rect")
    assert rows_of(spec, band)[0]["end"] == 20
    assert [layer for layer in layers(spec, "rule") if layer["encoding"].get("x", {}).get("field") == "end"]
    far = spec_of(timed, is_time=True, most=9000.0)
    assert not [layer for layer in layers(far, "rule") if "x" in layer["encoding"]]
    assert not layers(spec_of(timed, is_time=True), "rect")


def test_the_teacher_is_a_rule_and_the_floor_only_where_networks_come_near_it(study: Study) -> None:
    drawn = frames(study, "parameters", "metric")
    words = {
        floor: [row["word"] for layer in layers(spec, "rule") for row in rows_of(spec, layer)]
        for floor in (0.0, 0.85)
        for spec in [spec_of(drawn, floor=floor)]
    }
    assert words == {0.0: ["teacher"], 0.85: ["teacher", "floor"]}


def test_letters_mark_the_two_networks_of_the_card(study: Study) -> None:
    spec = spec_of(frames(study, "parameters", "metric"))
    rows = rows_of(spec, layers(spec, "point", opacity=1, filled=True)[0])
    assert {row["name"]: row["letter"] for row in rows if row["letter"]} == {"slim-10": "A", "obert-10": "B"}


def test_a_file_names_the_methods_which_the_page_does_beside_the_chart(study: Study) -> None:
    drawn, words = frames(study, "bytes", "metric"), Sides("cost", "score", is_time=False, y_format=".2f")
    for has_legend in (False, True):
        spec = tradeoff_chart(drawn, words, {}, LIGHT, has_legend=has_legend).to_dict()
        colour = layers(spec, "point", opacity=1, filled=True)[0]["encoding"]["color"]
        assert bool(colour["legend"]) == has_legend
        assert set(colour["scale"]["domain"]) == set(drawn.points["title"])


def test_colours_are_those_of_the_theme(study: Study) -> None:
    drawn = frames(study, "parameters", "metric")
    for ours, theirs in ((LIGHT, DARK), (DARK, LIGHT)):
        text = str(spec_of(drawn, palette=ours))
        assert ours.slim in text
        assert theirs.outline not in text
    legend = tradeoff_legend(drawn.points.assign(title="<b>"), LIGHT, has_published=True)
    assert "<b>" not in legend.replace("<b style", "").split("</b>")[1]
    assert "published, of BERT-base" in legend
