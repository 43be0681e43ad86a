"""Which networks fit, in what order, and the nearest where none does."""

from __future__ import annotations

from pruning.advice import Limits, rank
from tests.factories.options import made_option

OPTIONS = [
    made_option("teacher", 0.9, 14.0, size_bytes=46_000_000),
    made_option("slim-50", 0.91, 8.0, size_bytes=23_000_000, is_stored=False, command="pruning run --ship 0.5"),
    made_option("slim-10", 0.89, 3.0),
    made_option("slim-5", 0.87, 2.0, size_bytes=2_500_000),
]


def fitting(limits: Limits, options=OPTIONS) -> list[str]:
    (ranked,) = rank(options, limits, "pruning")
    assert len(ranked.fitting) + len(ranked.others) == len(options)
    return [option.variant.name for option in ranked.fitting]


def test_the_best_score_comes_first_and_of_equals_the_fastest() -> None:
    assert fitting(Limits()) == ["slim-50", "teacher", "slim-10", "slim-5"]
    assert fitting(Limits(ms=5)) == ["slim-10", "slim-5"]
    alike = [*OPTIONS, made_option("slim-25", 0.9001, 5.0)]  # printed as the teacher's 0.900
    assert fitting(Limits(), alike) == ["slim-50", "slim-25", "teacher", "slim-10", "slim-5"]
    not_timed = [made_option("slim-25", 0.9, None), *OPTIONS]
    assert fitting(Limits(), not_timed) == ["slim-50", "teacher", "slim-25", "slim-10", "slim-5"]


def test_every_other_has_its_reasons() -> None:
    (ranked,) = rank(OPTIONS, Limits(ms=5, mb=10, points=2), "pruning")
    assert [option.variant.name for option in ranked.fitting] == ["slim-10"]
    reasons = {one.option.variant.name: [reason.kind for reason in one.reasons] for one in ranked.others}
    assert reasons == {"teacher": ["ms", "mb"], "slim-50": ["ms", "mb"], "slim-5": ["points"]}
    assert ranked.nearest is None
    assert ranked.trial is None


def test_next_is_the_best_and_where_its_weights_are_missing_the_best_stored_one_too() -> None:
    (ranked,) = rank(OPTIONS, Limits(), "pruning")
    assert ranked.next_commands == ("pruning run --ship 0.5", "pruning export sst2 --variant teacher --to sst2-teacher")
    (ranked,) = rank(OPTIONS, Limits(ms=5), "pruning")
    assert ranked.next_commands == ("pruning export sst2 --variant slim-10 --to sst2-slim-10",)


def test_where_nothing_fits_the_nearest_is_named_and_what_could_be_tried() -> None:
    (ranked,) = rank(OPTIONS, Limits(ms=1.5, points=2), "pruning")
    assert ranked.fitting == ranked.next_commands == ()
    assert ranked.nearest is not None
    assert ranked.nearest.option.variant.name == "slim-5"  # 1.5 times the points, 1.33 times the milliseconds
    # int8 makes no network answer better, so it is offered for the one that only takes too long
    assert ranked.trial == "pruning export sst2 --variant slim-10 --format onnx --int8 --to sst2-slim-10-onnx-int8"
    (ranked,) = rank(OPTIONS, Limits(ms=5, batch=8), "pruning")
    assert (ranked.nearest, ranked.trial) == (None, None)


def test_tasks_and_rows_do_not_mix() -> None:
    other = made_option("slim-10", 0.2, study="cola", task="CoLA", floor=0.0)
    more = made_option("slim-10", 0.99, study="mine", rows="2" * 64)
    ranked = rank([*OPTIONS, other, more], Limits(), "pruning")
    assert [(one.task, len(one.fitting)) for one in ranked] == [("SST-2", 4), ("CoLA", 1), ("SST-2", 1)]
