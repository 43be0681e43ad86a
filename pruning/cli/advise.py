"""``python -m pruning advise sst2 --ms 5 --mb 10``: which stored network fits, and what to run next."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pruning.advice import Limits, Option, Own, Plan, Ranked, called, is_of, is_scored, options_of, plan, rank, words
from pruning.advice.commands import task_command
from pruning.cli import stored
from pruning.cli.options import Command, add_json, count, number, path
from pruning.cli.printing import say, show, show_json
from pruning.data.tasks import TASKS
from pruning.errors import ConfigError
from pruning.records import to_plain
from pruning.runtimes.stored import StoredProfile, read_profiles


def add_options(command: argparse.ArgumentParser) -> None:
    """Limits, and what there is to learn from."""
    command.add_argument(
        "study",
        nargs="*",
        type=path,
        metavar="STUDY",
        help="a study's folder or name, or a task of GLUE; default: all that `list` finds",
    )
    command.add_argument("--ms", type=number, metavar="N", help="most milliseconds of a batch")
    command.add_argument("--batch", type=count, default=1, metavar="N", help="texts at once, as far as timed (1 or 32)")
    command.add_argument("--length", type=count, default=32, metavar="N", help="tokens of a text, as far as timed")
    command.add_argument("--mb", type=number, metavar="N", help="most megabytes on disk")
    command.add_argument("--memory-mb", type=number, metavar="N", help="most megabytes of memory")
    command.add_argument("--floor-points", type=number, metavar="N", help="most points lost against the teacher")
    command.add_argument(
        "--texts", type=count, metavar="N", help="texts of your own to learn from: what to run on them, and why"
    )
    command.add_argument("--labels", action="store_true", help="with --texts: they have labels")
    command.add_argument(
        "--profile",
        action="append",
        type=path,
        metavar="FILE",
        help="what `profile --output` stored, of networks in every runtime; may be repeated; default: those that ship",
    )
    add_json(command)


def advise(options: argparse.Namespace) -> int:
    """Print what fits, what does not and why, and commands."""
    if options.labels and options.texts is None:
        raise ConfigError("advise: --labels without --texts, expected how many texts there are")
    limits = Limits(
        ms=options.ms,
        batch=options.batch,
        length=options.length,
        mb=options.mb,
        memory_mb=options.memory_mb,
        points=options.floor_points,
    )
    found, tasks = _find(options.study, options.profile or (), options.program)
    ranked = rank(found, limits, options.program)
    made = None
    if options.texts is not None:
        made = plan(Own(texts=options.texts, is_labelled=options.labels), limits, found, options.program)
    missing = {task: task_command(options.program, task) for task in tasks}
    if options.json:
        show_json(
            {
                "limits": to_plain(limits),
                "tasks": [_as_json(one, limits) for one in ranked],
                "without_study": missing,
                "own": None if made is None else to_plain(made),
            }
        )
        return 0
    for one in ranked:
        _show(one, limits)
    for task, command in missing.items():
        show(f"{TASKS[task].title}: no study of it is here; this makes one")
        show(f"  next: {command}")
    if made is not None:
        _show_plan(made)
    if not ranked and not missing and made is None:
        say(f"no studies found; make one: {task_command(options.program, 'sst2')}")
    return 0


def _find(named: Sequence[str], profiles: Sequence[str], program: str) -> tuple[list[Option], list[str]]:
    """Options of the studies that are meant, and tasks of GLUE that there is no study of."""
    from pruning.study.read import BrokenStudy, list_studies

    studies: dict[Path, tuple[str, Any]] = {}
    tasks = []
    for name in named:
        if name in TASKS and stored.study_folder(name) is None:
            tasks.append(name)
        else:
            study = stored.find_study(name)
            studies[study.folder.resolve()] = (name, study)
    for study in () if named else list_studies():
        if isinstance(study, BrokenStudy):
            say(f"broken: {study.folder}: {study.reason.removeprefix(f'{study.folder}: ')}")
        else:
            studies[study.folder.resolve()] = (called(study), study)
    known = _profiles(profiles, [study for _, study in studies.values()])
    return [option for name, study in studies.values() for option in options_of(study, name, program, known)], tasks


def _profiles(named: Sequence[str], studies: Sequence[Any]) -> tuple[StoredProfile, ...]:
    """The profiles that are named, or those that ship; a line for each that is broken, or says less than it might."""
    found, problems = read_profiles([Path(name) for name in named] or None)
    for problem in problems:
        say(f"broken: {problem}")
    for profile in found if named else ():
        own, what = [study for study in studies if is_of(profile, study)], f"{profile.study}'s {profile.variant}"
        if not own:
            say(f"not used: the profile of {what} is of weights that no study here has")
        elif not any(is_scored(profile, study) for study in own):
            say(f"the profile of {what} holds no scores on the study's own rows (--data): only torch's times are used")
    return found


def _as_json(ranked: Ranked, limits: Limits) -> dict[str, Any]:
    return {
        "task": ranked.task,
        "fits": [_option_json(option, limits) for option in ranked.fitting],
        "does_not_fit": [
            _option_json(one.option, limits) | {"reasons": [to_plain(reason) for reason in one.reasons]}
            for one in ranked.others
        ],
        "nearest": None if ranked.nearest is None else ranked.nearest.option.variant.name,
        "next": [command for command, _ in ranked.next_steps],
        "trial": ranked.trial,
    }


def _option_json(option: Option, limits: Limits) -> dict[str, Any]:
    """A network as plain values, with the one time that is asked about in place of all."""
    timed = option.time(limits.batch, limits.length)
    values = to_plain(option) | {"variant": option.variant.name}
    del values["rows"], values["times"]
    return values | {
        "ms": None if timed is None else timed.median_ms,
        "threads": None if timed is None else timed.threads,
        "hardware": None if timed is None else timed.hardware,
    }


def _show(ranked: Ranked, limits: Limits) -> None:
    options = ranked.options
    show(f"{ranked.task}, {options[0].metric} on {options[0].count:,} texts")
    several = len({option.study for option in options}) > 1

    def name(option: Option) -> str:
        own = f"{option.study} {option.variant}" if several else option.variant.name
        return own + words.setting_text(option, options, limits)

    width, digits = max(len(name(option)) for option in options), len(str(len(ranked.fitting)))
    if ranked.fitting:
        show("  fits, the best score first")
    for place, option in enumerate(ranked.fitting, start=1):
        ms, size, memory = words.cost_texts(option, limits)
        has_weights = "" if option.is_stored else ", weights not stored"
        show(
            f"    {place:>{digits}}. {name(option):<{width}}  {words.score_text(option)}, "
            f"{words.difference_text(option, limits)}, {ms}, {size}, memory {memory}{has_weights}"
        )
    if ranked.others:
        show("  does not fit")
    for one in ranked.others:
        show(f"{'':{6 + digits}}{name(one.option):<{width}}  {one.reasons[0].text}")
    if not ranked.fitting:
        show(f"  {words.nearest_sentence(ranked, name)}")
    show(f"  {words.machine_sentence(options, limits)}")
    for command, then in ranked.next_steps:
        show(f"  next: {command}")
        if then is not None:
            show(f"  then: {then}, once it is loaded")
    if ranked.trial is not None:
        show(f"  {words.TRIAL}")
        show(f"  to try: {ranked.trial}")


def _show_plan(made: Plan) -> None:
    show("your own texts")
    for sentence in (*made.reasons, *made.cautions):
        show(f"  {sentence}")
    if made.command is not None:
        show(f"  next: {made.command}")


COMMAND = Command("advise", "say which stored network fits your limits, and what to run next", add_options, advise)
