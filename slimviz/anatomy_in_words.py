"""Sentences on what the components of teacher and slim network cost, counted and measured (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pruning.study import Study
from pruning.variants import TEACHER, Variant
from slimviz.frames.anatomy import COSTS, TIMED_TITLES
from slimviz.frames.provenance import conditions_text
from slimviz.frames.tidy import frame_of, known, records
from slimviz.theme import UNKNOWN, budget_title, listing, milliseconds_text, percent_text, thread_text, times_text

if TYPE_CHECKING:
    import pandas as pd

NOUNS = {"parameters": "parameters", "flops": "FLOPs"}


def texts(batch: int, length: int) -> str:
    """What a pass reads: "1 text of 32 tokens"."""
    return f"{batch} text{'' if batch == 1 else 's'} of {length} tokens"


def change(teacher: float | None, slim: float | None, text: Callable[[float | None], str]) -> str:
    """Teacher's and slim network's number: "22.7 M → 2.27 M"; one alone where the other is not known."""
    both = [text(value) for value in known((teacher, slim))]
    return " → ".join(both) or UNKNOWN


def totals(frame: pd.DataFrame) -> dict[str, str]:
    """All components together by kind of cost, teacher's and slim network's."""
    said = {}
    for cost, text in COSTS.items():
        rows = [row for row in records(frame) if row["cost"] == cost]
        slim = known(row["slim"] for row in rows)
        said[cost] = change(sum(row["teacher"] for row in rows), sum(slim) if slim else None, text)
    return said


def cost_sentence(frame: pd.DataFrame, cost: str) -> str:
    """Where most of a teacher's cost is, how much of all is left, and of what the most and the least.

    Args:
        frame: of one kind of cost, see `frames.anatomy.anatomy_frame`.
        cost: "parameters" or "flops".
    """
    rows = [row for row in records(frame) if row["teacher"]]
    whole = sum(row["teacher"] for row in rows)
    largest = sorted(rows, key=lambda row: -row["teacher"])[:2]
    most = listing([f"{_inside(row['title'])} {percent_text(row['teacher'] / whole, 0)}" for row in largest])
    start = f"Of the teacher's {NOUNS[cost]}, {most}"
    if rows[0]["slim"] is None:
        return f"{start}."
    left = sum(row["slim"] for row in records(frame))
    big = [row for row in rows if row["teacher"] >= 0.01 * whole]  # of next to nothing, shares say little
    least, best = (choose(big, key=lambda row: row["slim"] / row["teacher"]) for choose in (min, max))
    ends = [f"{percent_text(row['slim'] / row['teacher'], 0)} of {_inside(row['title'])}" for row in (least, best)]
    spread = f": from {ends[0]} to {ends[1]}" if ends[0] != ends[1] else ""
    return f"{start}. The slim network keeps {percent_text(left / whole)} of all{spread}."


def _inside(title: str) -> str:
    """A title inside a sentence; FFN keeps its capitals."""
    return title if title[:2].isupper() else f"{title[:1].lower()}{title[1:]}"


# What was measured


def short_ms(value: float | None) -> str:
    """Milliseconds of a part, which may be a hundredth of one."""
    return f"{value:.2f} ms" if value is not None and value < 1 else milliseconds_text(value)


def _name(row: Mapping[str, Any]) -> str:
    budget = Variant.parse(row["network"]).budget
    return "the teacher" if budget is None else f"the slim network at {budget_title(budget)}"


def measured_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which networks and texts rows are of, as a sentence goes on."""
    study = str(rows[0]["study"]).rpartition("/")[2]
    return f"{study}: {listing([_name(row) for row in rows])}, {texts(rows[0]['batch'], rows[0]['length'])}"


def time_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """How long a whole pass takes here, where most of it goes, and what it was measured on."""
    first, last = rows[0], rows[-1]
    where = (
        f"Here and now ({first['hardware']}, {thread_text(first['threads'])}, {first['rounds']} rounds in turns, "
        f"{texts(first['batch'], first['length'])})"
    )
    said = []
    for row in rows:
        longest = max(TIMED_TITLES.keys() & _parts(row).keys(), key=lambda part: _parts(row)[part])
        share = percent_text(_parts(row)[longest] / _sum(row), 0)
        said.append(
            f"{_name(row)} takes {short_ms(row['whole_ms'])}, most of it {_inside(TIMED_TITLES[longest])} ({share})"
        )
    faster = f"; {times_text(first['whole_ms'] / last['whole_ms'])} as fast" if len(rows) == 2 else ""
    return f"{where}, {listing(said)}{faster}."


def difference_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """By how much the sum of the components differs from the whole pass."""
    said = []
    for row in rows:
        gap = row["whole_ms"] - _sum(row)
        how_much = f"{short_ms(abs(gap))} ({percent_text(abs(gap) / row['whole_ms'], 0)})"
        said.append(
            f"{_name(row)} {short_ms(_sum(row))}, {how_much} {'less' if gap >= 0 else 'more'} than a whole pass"
        )
    busy = " What others took of a busy machine may be either." if any(row["is_busy"] for row in rows) else ""
    return (
        f"Sum of the components: {listing(said)}. Less: what lies between them, such as masks. More: reading the "
        f"clocks, of which the whole pass has none.{busy}"
    )


def _parts(row: Mapping[str, Any]) -> dict[Any, float]:
    return {part: row[f"{part}_ms"] for part in TIMED_TITLES if f"{part}_ms" in row}


def _sum(row: Mapping[str, Any]) -> float:
    return sum(_parts(row).values())


def time_table(frame: pd.DataFrame, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Components down, networks across, with their sums and the whole pass in the last lines."""
    networks = [("teacher" if Variant.parse(row["network"]).is_teacher else "slim", row) for row in rows]
    lines = [
        {"Component": part["title"], **{f"{kind.title()}, ms": f"{part[kind]:.3f}" for kind, _ in networks}}
        for part in records(frame)
    ]
    for title, value in (
        ("Sum of the components", _sum),
        ("Whole pass, no clocks inside", lambda row: row["whole_ms"]),
    ):
        lines.append({"Component": title, **{f"{kind.title()}, ms": f"{value(row):.3f}" for kind, row in networks}})
    return frame_of(lines)


def stored_speed(study: Study, budget: str | None, length: int, batch: int) -> str | None:
    """Whole passes at this batch and length as the study stores them; None where it stores none."""
    wanted = [TEACHER, *([] if budget is None else [study.final(budget)])]
    found = [
        speed
        for variant in wanted
        for speed in study.document.speed
        if (speed.variant, speed.batch, speed.length) == (variant, batch, length)
    ]
    if not found:
        return None
    said = [f"{_name({'network': str(speed.variant)})} {short_ms(speed.median_ms)}" for speed in found]
    where = f"{study.document.provenance.hardware}, {conditions_text(found[0])}"
    return f"Stored with the study, whole passes at batch {batch} ({where}): {listing(said)}."
