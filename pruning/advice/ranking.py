"""Networks of one task that fit, the best first, why the others do not, and the nearest where none does (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from pruning.advice.commands import export_command
from pruning.advice.limits import Limits, Shortfall, shortfalls
from pruning.advice.option import Option
from pruning.records import Record, Text
from pruning.selection.latency import ONNX_INT8


class Refused(Record, frozen=True):
    """A network that does not fit, and all reasons, the first of which is the one to tell."""

    option: Option
    reasons: tuple[Shortfall, ...]


class Ranked(Record, frozen=True, kw_only=True):
    """Networks of one task, scored on the same rows.

    Attributes:
        task: its title.
        fitting: those within the limits: the best score first, of equals (as printed) the fastest, machine by machine.
        others: those that are not.
        nearest: where none fits, the one whose largest excess is the smallest; None where nothing is known of any.
        trial: command that may bring one within the limits that only takes too much: int8, in which nothing scored it;
            or None.
    """

    task: Text
    fitting: tuple[Option, ...]
    others: tuple[Refused, ...]
    nearest: Refused | None
    trial: Text | None

    @property
    def options(self) -> tuple[Option, ...]:
        """All of them, in their order."""
        return (*self.fitting, *(one.option for one in self.others))

    @property
    def next_steps(self) -> tuple[tuple[str, str | None], ...]:
        """What to run, and do then: for the best network and, where its weights are not stored, the best whose are."""
        stored = next((option for option in self.fitting if option.is_stored), None)
        chosen = [*self.fitting[:1], *([stored] if stored is not None else [])]
        return tuple(dict.fromkeys((option.command, option.then) for option in chosen if option.command))


def rank(options: Iterable[Option], limits: Limits, program: str) -> list[Ranked]:
    """Advice for each task, in the order of its first option.

    A network that several machines timed stands there once a machine.

    Args:
        options: of any studies; those of one task and scored on the same rows compare.
        limits: what may be spent.
        program: what is typed before a command.
    """
    groups: dict[tuple[str, str], list[Option]] = {}
    for option in options:
        group = groups.setdefault((option.task, option.rows), [])
        group += option.by_machine(limits.batch, limits.length)
    return [_ranked(task, group, limits, program) for (task, _), group in groups.items()]


def _ranked(task: str, group: list[Option], limits: Limits, program: str) -> Ranked:
    tried = [(option, shortfalls(option, limits)) for option in group]
    machines = list(dict.fromkeys(time.machine for option in group for time in option.times))

    def place(option: Option) -> tuple[float, float, float]:
        """Milliseconds of two machines are never held against each other."""
        timed = option.time(limits.batch, limits.length)
        order = (machines.index(timed.machine), timed.median_ms) if timed else (len(machines), 0.0)
        return -round(option.score, 3), *order

    fitting = sorted((option for option, reasons in tried if not reasons), key=place)
    others = tuple(Refused(option, reasons) for option, reasons in tried if reasons)
    known = [] if fitting else [one for one in others if all(reason.excess is not None for reason in one.reasons)]
    nearest = min(known, key=_excess, default=None)
    in_int8 = {(option.study, option.variant) for option in group if option.runtime == ONNX_INT8}
    costly = [
        one
        for one in known
        if one.option.is_stored
        and all(reason.is_cost for reason in one.reasons)
        and (one.option.study, one.option.variant) not in in_int8
    ]
    cheapest = min(costly, key=_excess, default=None)
    trial = cheapest and export_command(program, cheapest.option.study, cheapest.option.variant, ONNX_INT8)
    return Ranked(task=task, fitting=tuple(fitting), others=others, nearest=nearest, trial=trial)


def _excess(refused: Refused) -> float:
    return max(reason.excess or 0.0 for reason in refused.reasons)
