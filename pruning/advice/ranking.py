"""Networks of one task that fit, the best first, why the others do not, and the nearest where none does (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from pruning.advice.commands import export_command
from pruning.advice.limits import Limits, Shortfall, shortfalls
from pruning.advice.options import Option
from pruning.records import Record, Text


class Refused(Record, frozen=True):
    """A network that does not fit, and all reasons, the first of which is the one to tell."""

    option: Option
    reasons: tuple[Shortfall, ...]


class Ranked(Record, frozen=True, kw_only=True):
    """Networks of one task, scored on the same rows.

    Attributes:
        task: its title.
        fitting: those within the limits: the best score first, of equals (as printed) the fastest.
        others: those that are not.
        nearest: where none fits, the one whose largest excess is the smallest; None where nothing is known of any.
        trial: command that may bring one within the limits that only takes too much, which nobody measured; or None.
    """

    task: Text
    fitting: tuple[Option, ...]
    others: tuple[Refused, ...]
    nearest: Refused | None
    trial: Text | None

    @property
    def next_commands(self) -> tuple[str, ...]:
        """What to run: for the best network and, where its weights are not stored, for the best one whose are."""
        stored = next((option for option in self.fitting if option.is_stored), None)
        chosen = [*self.fitting[:1], *([stored] if stored is not None else [])]
        return tuple(dict.fromkeys(option.command for option in chosen if option.command))


def rank(options: Iterable[Option], limits: Limits, program: str) -> list[Ranked]:
    """Advice for each task, in the order of its first option.

    Args:
        options: of any studies; those of one task and scored on the same rows compare.
        limits: what may be spent.
        program: what is typed before a command.
    """
    groups: dict[tuple[str, str], list[Option]] = {}
    for option in options:
        groups.setdefault((option.task, option.rows), []).append(option)
    return [_ranked(task, group, limits, program) for (task, _), group in groups.items()]


def _ranked(task: str, group: list[Option], limits: Limits, program: str) -> Ranked:
    tried = [(option, shortfalls(option, limits)) for option in group]
    fitting = sorted((option for option, reasons in tried if not reasons), key=lambda option: _place(option, limits))
    others = tuple(Refused(option, reasons) for option, reasons in tried if reasons)
    known = [] if fitting else [one for one in others if all(reason.excess is not None for reason in one.reasons)]
    nearest = min(known, key=_excess, default=None)
    costly = [one for one in known if one.option.is_stored and all(reason.is_cost for reason in one.reasons)]
    cheapest = min(costly, key=_excess, default=None)
    trial = cheapest and export_command(program, cheapest.option.study, cheapest.option.variant, is_int8=True)
    return Ranked(task=task, fitting=tuple(fitting), others=others, nearest=nearest, trial=trial)


def _place(option: Option, limits: Limits) -> tuple[float, float]:
    timed = option.time(limits.batch, limits.length)
    return -round(option.score, 3), timed.median_ms if timed else float("inf")


def _excess(refused: Refused) -> float:
    return max(reason.excess or 0.0 for reason in refused.reasons)
