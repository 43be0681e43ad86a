"""Options of a study: its networks in torch as they were measured, and in what runtimes profiles scored them."""

from __future__ import annotations

from collections.abc import Sequence

from pruning.advice.commands import export_command, remake_command
from pruning.advice.option import Option, Timed
from pruning.advice.profiled import in_other_runtimes, is_of, times_in
from pruning.data.task import SHARES
from pruning.runtimes.registry import REFERENCE
from pruning.runtimes.stored import StoredProfile
from pruning.study import Result, Study, read
from pruning.variants import STEPS, TEACHER, Variant


def called(study: Study) -> str:
    """How a command names a study wherever it is typed: one that ships by its name, others by their folder."""
    return study.name if study.folder.parent == read.BUNDLED else str(study.folder)


def options_of(study: Study, named: str, program: str, profiles: Sequence[StoredProfile] = ()) -> list[Option]:
    """The teacher and the networks that a study ends with, each on the task's first split and in every known runtime.

    Steps on the way (cut and not yet solved or recovered) and further seeds are no options, nor is a runtime that was
    timed and not scored on the study's own rows: how well it answers is not known. Of what a study and a profile both
    timed in torch, the profile's milliseconds count; scores in torch are always the study's.

    Args:
        study: the study.
        named: how a command names it.
        program: what is typed before a command.
        profiles: those of other networks are left out.
    """
    teacher = study.result(TEACHER)
    own = [profile for profile in profiles if is_of(profile, study)]
    options = []
    for variant in dict.fromkeys(row.variant for row in study.results if row.variant.seed is None):
        result = study.result(variant)
        if result is None or _is_step(study, variant):
            continue
        option = _option(study, result, teacher, named, program)
        profiled = tuple(time for profile in own for time in times_in(profile, variant, REFERENCE.name))
        cells = {(time.batch, time.length) for time in profiled}
        stored = tuple(time for time in option.times if (time.batch, time.length) not in cells)
        options += [option.replace(times=profiled + stored), *in_other_runtimes(option, own, study, program)]
    return options


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
        times=tuple(
            Timed(
                batch=speed.batch,
                length=speed.length,
                median_ms=speed.median_ms,
                device=speed.device,
                threads=speed.threads,
                hardware=document.provenance.hardware,
            )
            for speed in document.speed
            if speed.variant == variant and speed.length != "real"
        ),
        command=command,
        is_stored=is_stored,
    )
