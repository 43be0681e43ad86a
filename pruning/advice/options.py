"""A stored network as an option: what was measured of it, and how it is had."""

from __future__ import annotations

from pruning.advice.commands import export_command, remake_command
from pruning.data.task import SHARES
from pruning.measure.intervals import Interval
from pruning.measure.speed import Speed
from pruning.records import Count, Positive, Record, Text
from pruning.study import Result, Study, read
from pruning.variants import TEACHER, Variant

RUNTIME = "torch"  # which all stored milliseconds were measured in
STEPS = ("one-shot", "post-training")  # methods, on the way to a study's own networks


class Option(Record, frozen=True, kw_only=True):
    """A stored network, by what was measured of it.

    Attributes:
        study: as a command takes it, a name or a folder.
        task: its title.
        rows: checksum of those that it was scored on; other rows' scores do not compare.
        variant: which network.
        metric: title of the main one.
        score: by it.
        count: examples.
        correct: how many were right, where that is what the metric counts.
        floor: what knowing nothing scores.
        lost: points against the teacher; below zero where it is better, None where the teacher was not scored.
        interval: of the difference to the teacher; None for the teacher.
        budget: what it was cut to, as ``--budgets`` takes it; None for the teacher and other kinds of budgets.
        size_bytes: on disk, in half precision, with tokenizer; None where it was not measured.
        memory_bytes: at most, to load it and answer a batch; likewise.
        times: milliseconds, by batch and length.
        hardware: that they were measured on.
        runtime: that they were measured in.
        command: that exports the network, or makes the study again with its weights; None where neither can be told.
        is_stored: whether its weights are in the study.
    """

    study: Text
    task: Text
    rows: Text
    variant: Variant
    metric: Text
    score: float
    count: Positive
    correct: Count | None
    floor: float
    lost: float | None
    interval: Interval | None
    budget: float | None
    size_bytes: Count | None
    memory_bytes: Count | None
    times: tuple[Speed, ...]
    hardware: Text
    runtime: Text = RUNTIME
    command: Text | None
    is_stored: bool

    def time(self, batch: int, length: int) -> Speed | None:
        """Milliseconds of so many texts of so many tokens at once; None where that was not timed."""
        return next((one for one in self.times if (one.batch, one.length) == (batch, length)), None)


def called(study: Study) -> str:
    """How a command names a study wherever it is typed: one that ships by its name, others by their folder."""
    return study.name if study.folder.parent == read.BUNDLED else str(study.folder)


def options_of(study: Study, named: str, program: str) -> list[Option]:
    """The teacher and the networks that a study ends with, each on the task's first split.

    Steps on the way (cut and not yet solved or recovered) and further seeds are no options.

    Args:
        study: the study.
        named: how a command names it.
        program: what is typed before a command.
    """
    teacher = study.result(TEACHER)
    variants = dict.fromkeys(row.variant for row in study.results if row.variant.seed is None)
    return [
        _option(study, result, teacher, named, program)
        for variant in variants
        if not _is_step(study, variant) and (result := study.result(variant)) is not None
    ]


def _is_step(study: Study, variant: Variant) -> bool:
    return variant.budget is not None and variant.method in STEPS and variant != study.final(variant.budget)


def _option(study: Study, result: Result, teacher: Result | None, named: str, program: str) -> Option:
    document, task, variant = study.document, study.task, result.variant
    main = task.main_metric
    score, selection = result.metrics[main], study.selections.get(variant.budget or "")
    is_stored = study.weights(variant) is not None
    value = None if selection is None else selection.budget.value
    command = None
    if is_stored:
        command = export_command(program, named, variant)
    elif value is not None and variant == study.final(variant.budget or ""):
        command = remake_command(program, document.provenance.command, value)
    return Option(
        study=named,
        task=task.title,
        rows=document.provenance.data.validation.sha256,
        variant=variant,
        metric=task.metric_title(),
        score=score,
        count=result.count,
        correct=result.correct if main in SHARES else None,
        floor=document.floor[main],
        lost=None if teacher is None else 100 * (teacher.metrics[main] - score),
        interval=result.interval,
        budget=value if selection is not None and selection.budget.kind == "total_density" else None,
        size_bytes=result.size_bytes,
        memory_bytes=result.peak_memory_bytes,
        times=tuple(speed for speed in document.speed if speed.variant == variant),
        hardware=document.provenance.hardware,
        command=command,
        is_stored=is_stored,
    )
