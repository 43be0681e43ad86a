"""Which networks fit, in what order, and the nearest where none does."""

from __future__ import annotations

from pruning.advice import Limits, rank
from tests.factories.options import made_option, made_time

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
    teacher = ("pruning export sst2 --variant teacher --to sst2-teacher", None)
    assert ranked.next_steps == (("pruning run --ship 0.5", None), teacher)
    (ranked,) = rank(OPTIONS, Limits(ms=5), "pruning")
    assert ranked.next_steps == (("pruning export sst2 --variant slim-10 --to sst2-slim-10", None),)


def test_where_nothing_fits_the_nearest_is_named_and_what_could_be_tried() -> None:
    (ranked,) = rank(OPTIONS, Limits(ms=1.5, points=2), "pruning")
    assert ranked.fitting == ranked.next_steps == ()
    assert ranked.nearest is not None
    assert ranked.nearest.option.variant.name == "slim-5"  # 1.5 times the points, 1.33 times the milliseconds
    # int8 makes no network answer better, so it is offered for the one that only takes too long
    assert ranked.trial == "pruning export sst2 --variant slim-10 --format onnx --int8 --to sst2-slim-10-onnx-int8"
    (ranked,) = rank(OPTIONS, Limits(ms=5, batch=8), "pruning")
    assert (ranked.nearest, ranked.trial) == (None, None)


def test_what_was_scored_in_int8_is_not_offered_as_a_trial() -> None:
    measured = made_option("slim-10", 0.885, 1.2, runtime="onnx-int8")
    (ranked,) = rank([*OPTIONS, measured], Limits(ms=1, points=2), "pruning")
    assert ranked.nearest is not None
    assert (ranked.nearest.option.variant.name, ranked.nearest.option.runtime) == ("slim-10", "onnx-int8")
    assert ranked.trial is not None
    assert "--variant teacher --format onnx --int8" in ranked.trial  # slim-10 is known, slim-5 answers too badly
    (ranked,) = rank([measured, made_option("slim-10")], Limits(ms=1), "pruning")
    assert ranked.trial is None


def test_a_network_is_listed_once_a_machine_and_machines_are_not_ranked_against_each_other() -> None:
    slow, fast = made_time(4.0, "slow"), made_time(1.0, "fast")
    options = [
        made_option("slim-10", times=(slow, fast, made_time(9.0, "fast", batch=8), made_time(0.1, "fast"))),
        made_option("slim-5", times=(made_time(3.0, "slow"),)),
        made_option("teacher", times=()),
    ]

    def listed(limits: Limits) -> list[tuple[str, str | None]]:
        (ranked,) = rank(options, limits, "pruning")
        timed = [(option, option.time(limits.batch, limits.length)) for option in ranked.options]
        return [(option.variant.name, time and time.hardware) for option, time in timed]

    # all score alike: the slow machine's come first, as it is the first of all; on it the faster network
    assert listed(Limits()) == [("slim-5", "slow"), ("slim-10", "slow"), ("slim-10", "fast"), ("teacher", None)]
    assert listed(Limits(ms=2))[0] == ("slim-10", "fast")
    assert listed(Limits(batch=8)) == [("slim-10", "fast"), ("slim-5", None), ("teacher", None)]


def test_tasks_and_rows_do_not_mix() -> None:
    other = made_option("slim-10", 0.2, study="cola", task="CoLA", floor=0.0)
    more = made_option("slim-10", 0.99, study="mine", rows="2" * 64)
    ranked = rank([*OPTIONS, other, more], Limits(), "pruning")
    assert [(one.task, len(one.fitting)) for one in ranked] == [("SST-2", 4), ("CoLA", 1), ("SST-2", 1)]
