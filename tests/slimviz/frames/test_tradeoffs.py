"""Networks as points, against the documents and results that they come from."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from msgspec.structs import replace

from pruning.bert.counts import count_parameters
from pruning.published import read_published
from pruning.study import Study, read_study
from pruning.sweep.result import read_results, write_result
from pruning.variants import TEACHER, slim
from slimviz.frames import axes
from slimviz.frames.axes import AXES
from slimviz.frames.measured import Point
from slimviz.frames.tradeoff_rows import difference_rows, network_rows
from slimviz.frames.tradeoffs import comparable, points_of, siblings
from slimviz.theme import LIGHT, method_look
from tests.factories.study_document import add_networks, edit
from tests.factories.sweep_results import cell_result
from tests.factories.synthetic_study import write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three seeds at 10 and 5%, and networks that were solved, not trained."""
    folder = write_study(tmp_path_factory.mktemp("seeds"), "sst2")
    edit(folder, lambda document: add_networks(document, (1, 2), solved=True))
    return read_study(folder)


@pytest.fixture(scope="module")
def points(study: Study) -> dict[str, Point]:
    swept = [
        cell_result("sst2", "slim", 0.1, score=0.88),
        cell_result("sst2", "obert", 0.1, score=0.885, milliseconds={"dense": 120.0, "csr": 90.0}),
        *(cell_result("sst2", "kwon", 0.1, seed=seed, score=0.87 + 0.01 * seed) for seed in (0, 1)),
    ]
    return {point.name: point for point in points_of({"sst2": study}, swept)}


def test_a_point_is_the_mean_of_its_seeds(study: Study, points: dict[str, Point]) -> None:
    point = points["slim-10"]
    stored = [study.result(slim("10", seed)) for seed in (None, 1, 2)]
    assert point.score("metric") == pytest.approx(fmean(row.metrics["accuracy"] for row in stored if row))
    assert point.score("above") == pytest.approx(fmean(row.retention_above_floor or 0 for row in stored if row))
    assert [network.seed for network in point.networks] == [None, 1, 2]
    assert len(points["slim-50"].networks) == 1
    assert points["kwon-10"].score("metric") == pytest.approx(0.875)


def test_costs_are_shares_of_what_the_teacher_stores_and_takes(study: Study, points: dict[str, Point]) -> None:
    result, whole = study.result(slim("10")), count_parameters(study.shape.network()).total
    assert result is not None
    point, teacher = points["slim-10"], points["teacher"]
    assert point.cost("parameters") == result.total_density
    assert point.cost("bytes") == pytest.approx(result.parameters.total / whole)
    assert point.cost("flops") == result.flop_ratio
    assert (teacher.cost("ms-32") or 0) > (point.cost("ms-32") or 0) > (point.cost("ms-1") or 0)
    assert teacher.cost("parameters") == teacher.cost("bytes") == 1
    assert points["one-shot-10"].cost("ms-32") is None
    assert points["one-shot-10"].machine is None
    assert point.machine == "made-up processor, 2 threads, 32 tokens"


def test_zeros_are_counted_by_what_is_not_zero_by_bytes_with_indices_and_by_the_fastest_kernel(
    points: dict[str, Point],
) -> None:
    sparse = points["obert-10"]
    assert sparse.method.family == "unstructured"
    assert sparse.cost("parameters") == pytest.approx(0.1)
    assert sparse.cost("bytes") == pytest.approx(0.15)
    assert sparse.cost("flops") == 1
    assert sparse.cost("ms-32") == pytest.approx(90)


def test_cells_that_a_slower_hour_timed_are_drawn_at_their_share_of_the_teacher(study: Study) -> None:
    cells = [cell_result("sst2", method, 0.1) for method in ("slim", "kwon", "random")]
    slow = tuple(replace(time, median_ms=3 * time.median_ms) for time in cells[1].made.times)
    cells[1] = replace(cells[1], made=replace(cells[1].made, times=slow))
    found = {point.name: point for point in points_of({"sst2": study}, cells)}
    assert found["teacher-swept"].cost("ms-32") == pytest.approx(120)
    assert found["kwon-10"].cost("ms-32") == pytest.approx(12)
    assert found["random-10"].cost("ms-1") == found["kwon-10"].cost("ms-1") == pytest.approx(0.6)


def test_steps_and_minutes_are_those_of_a_sweep(study: Study, points: dict[str, Point]) -> None:
    rows = network_rows(points.values(), study.task)
    spent = {row["Method"]: (row["Steps of training"], row["Minutes of its own"]) for row in rows}
    assert spent["Optimal BERT Surgeon"] == (500, 1.0)
    assert spent["SlimViz"] == spent["Teacher of the sweep"] == (None, None)


def test_methods_of_a_sweep_keep_their_names_but_where_the_study_has_them(points: dict[str, Point]) -> None:
    assert list(points)[:2] == ["teacher", "teacher-swept"]
    assert points["slim-swept-10"].method.title == "SlimViz, in the sweep"
    assert points["kwon-10"].method.title.startswith("Fisher")
    methods = {point.method.key: point.method for point in points.values() if not point.method.is_teacher}
    looks = [method_look(method.family, method.place, LIGHT) for method in methods.values()]
    assert len(set(looks)) == len(looks)


def test_a_sweep_s_teacher_is_there_only_where_it_is_another_one(study: Study) -> None:
    teacher = study.result(TEACHER)
    assert teacher is not None
    same, other = teacher.metrics["accuracy"], teacher.metrics["accuracy"] - 0.01
    for score, expected in ((same, ["teacher"]), (other, ["teacher", "teacher-swept"])):
        made = points_of({"sst2": study}, [cell_result("sst2", "kwon", 0.1, teacher=score)])
        assert [point.name for point in made if point.method.is_teacher] == expected


def test_what_was_scored_on_other_rows_or_made_of_another_backbone_does_not_compare(study: Study) -> None:
    fits = cell_result("sst2", "kwon", 0.1)
    others = [
        cell_result("sst2", "kwon", 0.1, backbone="5" * 64),
        cell_result("sst2", "kwon", 0.1, validation="5" * 64),
    ]
    assert comparable(study, [fits, *others]) == [fits]


def test_studies_of_one_task_stand_beside_each_other(tmp_path: Path, study: Study) -> None:
    second = read_study(write_study(tmp_path, "sst2", name="sst2-again", seed=1, budgets=("10",)))
    other = read_study(write_study(tmp_path, "cola", budgets=("10",)))
    library = {"cola": other, "sst2": study, "sst2-again": second}
    assert list(siblings("sst2", library)) == ["sst2", "sst2-again"]
    made = {point.name: point for point in points_of(siblings("sst2", library), [])}
    assert made["sst2-again/slim-10"].method.title == "SlimViz (sst2-again)"
    assert [name for name in made if "teacher" in name] == ["teacher"]


def test_damaged_results_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    result = cell_result("sst2", "kwon", 0.1)
    write_result(tmp_path, result)
    (tmp_path / "sst2" / "obert-10.json").write_text("{")
    found, problems = read_results(tmp_path, "sst2")
    assert found == (result,)
    assert len(problems) == 1
    assert "obert-10.json: not a sweep's result" in problems[0]
    assert read_results(tmp_path, "cola") == ((), ())


def test_the_frontier_is_what_nothing_as_cheap_beats() -> None:
    places = [("a", 1.0, 0.5), ("b", 2.0, 0.4), ("c", 2.0, 0.7), ("d", 3.0, 0.7), ("e", 9.0, 0.9), ("f", 1.0, 0.3)]
    found = axes.frontier(places)
    assert found == ["a", "c", "e"]
    for name, cost, score in places:  # the definition itself
        beaten = any(
            (other_cost <= cost and other_score > score) or (other_cost < cost and other_score >= score)
            for _, other_cost, other_score in places
        )
        assert (name in found) == (not beaten)
    assert axes.frontier([]) == []


def test_milliseconds_have_a_frontier_a_machine(study: Study) -> None:
    swept = [cell_result("sst2", "kwon", 0.1, hardware="another processor")]
    made = points_of({"sst2": study}, swept)
    axis = AXES["ms-32"]
    found = axes.frontiers(axes.drawable(made, axis, "metric"), axis, "metric")
    assert len(found) == 2
    assert len(axes.frontiers(axes.drawable(made, AXES["bytes"], "metric"), AXES["bytes"], "metric")) == 1


def test_the_best_within_a_budget_fits_and_nothing_that_fits_is_better(points: dict[str, Point]) -> None:
    axis = AXES["ms-32"]
    timed = axes.drawable(points.values(), axis, "metric")
    best = axes.best_within(timed, axis, "metric", 100.0)
    assert best is not None
    cost, score = axes.place(best, axis, "metric")
    assert cost <= 100
    assert score == max(axes.place(p, axis, "metric")[1] for p in timed if axes.place(p, axis, "metric")[0] <= 100)
    assert axes.best_within(timed, axis, "metric", 0.001) is None


def test_seeds_are_rows_of_their_own_where_there_are_several(study: Study, points: dict[str, Point]) -> None:
    frame = axes.seed_frame(list(points.values()), AXES["parameters"], "metric", study.task)
    assert set(frame["name"]) == {"slim-10", "slim-5", "kwon-10"}
    assert len(frame) == 3 + 3 + 2
    timed = axes.seed_frame([points["slim-10"]], AXES["ms-32"], "metric", study.task)
    assert len(timed) == 3  # further seeds are networks of the same widths: they lie at the time of the first


def test_published_figures_are_drawn_by_share_kept_where_they_count_what_the_axis_counts(study: Study) -> None:
    rows = axes.published_of(read_published(), study.task)
    assert {row.dataset for row in rows} == {"sst2"}
    drawn = {name: axes.published_frame(rows, axis, "kept", study.task) for name, axis in AXES.items()}
    assert len(drawn["encoder"]) > len(drawn["parameters"]) > len(drawn["bytes"]) > 0
    assert not any(len(drawn[name]) for name in ("flops", "ms-1", "ms-32"))
    assert not any("SlimBERT" in title for frame in drawn.values() for title in frame.get("title", ()))
    assert set(drawn["bytes"]["counts"]) == {"bytes"}
    for measure in ("metric", "above"):
        assert len(axes.published_frame(rows, AXES["encoder"], measure, study.task)) == 0


def test_a_card_holds_both_and_compares_times_of_one_machine_alone(study: Study, points: dict[str, Point]) -> None:
    rows = {row[""]: row for row in difference_rows(points["slim-50"], points["slim-10"], study.task)}
    difference = (points["slim-10"].score("metric") or 0) - (points["slim-50"].score("metric") or 0)
    assert rows["Accuracy"]["B against A"].startswith(f"−{abs(100 * difference):.1f}")
    assert rows["Parameters"]["B"].endswith("(10.0%)")
    assert rows["Milliseconds, batch 32"]["B against A"] == "–"  # one of them was not timed
    rows = {row[""]: row for row in difference_rows(points["teacher"], points["slim-10"], study.task)}
    assert rows["Milliseconds, batch 32"]["B against A"] == "14.3%"
    (swept,) = points_of({"sst2": study}, [cell_result("sst2", "kwon", 0.1, workers=2)])[-1:]
    rows = {row[""]: row for row in difference_rows(points["slim-10"], swept, study.task)}
    assert rows["Milliseconds, batch 32"]["B against A"] == "another machine"
    assert "networks made at once" in (swept.machine or "")
