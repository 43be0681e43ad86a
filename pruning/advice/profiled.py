"""What stored profiles know of a study's networks: milliseconds, and scores in other runtimes than torch (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pruning.advice.commands import export_command
from pruning.advice.option import Option, Timed
from pruning.data.task import SHARES
from pruning.runtimes.registry import REFERENCE, RUNTIMES
from pruning.runtimes.stored import StoredProfile
from pruning.study import Study
from pruning.variants import TEACHER, Variant


def is_of(profile: StoredProfile, study: Study) -> bool:
    """Whether a profile is of the networks that a study stores, by their task and the checksums of their weights."""
    return profile.task == study.task.name and study.weights_sha256(TEACHER, profile.variant) == profile.weights


def is_scored(profile: StoredProfile, study: Study) -> bool:
    """Whether it says how well a study's networks answer the very rows that the study was scored on."""
    rows = study.document.provenance.data.validation.sha256
    return profile.profile.scores is not None and profile.profile.texts_sha256 == rows


def in_other_runtimes(
    option: Option, profiles: Sequence[StoredProfile], study: Study, program: str
) -> Iterator[Option]:
    """A network in each runtime but the reference in which a profile scored it; of several scores, the first.

    Args:
        option: the network in the reference.
        profiles: of the study, see `is_of`.
        study: that stores it.
        program: what is typed before a command.
    """
    main = study.task.main_metric
    scores = [
        one
        for profile in profiles
        if is_scored(profile, study)
        for one in profile.profile.scores or ()
        if main in one.metrics
    ]
    for name, runtime in RUNTIMES.items():
        score = next((one for one in scores if (one.network, one.runtime) == (option.variant.name, name)), None)
        if runtime is REFERENCE or score is None:
            continue
        command = option.command
        if option.is_stored:
            command = export_command(program, option.study, option.variant, name)
        yield option.replace(
            runtime=name,
            score=score.metrics[main],
            count=score.count,
            correct=score.correct if main in SHARES else None,
            lost=None if score.interval is None else 100 * (0.0 - score.interval.difference),
            interval=score.interval,
            size_bytes=next((size for profile in profiles if (size := _size(profile, option.variant, name))), None),
            memory_bytes=None,
            times=tuple(time for profile in profiles for time in times_in(profile, option.variant, name)),
            command=command,
            then=runtime.then,
        )


def _size(profile: StoredProfile, variant: Variant, runtime: str) -> int | None:
    return next((one.bytes for one in profile.sizes if (one.network, one.runtime) == (variant.name, runtime)), None)


def times_in(profile: StoredProfile, variant: Variant, runtime: str) -> Iterator[Timed]:
    """A network's milliseconds in a runtime, on texts of a known length."""
    for row in profile.profile.rows:
        if (row.network, row.runtime) == (variant.name, runtime) and row.length != "real":
            yield Timed(
                batch=row.batch,
                length=row.length,
                median_ms=row.median_ms,
                device="cpu",
                threads=row.threads,
                hardware=profile.hardware,
            )
