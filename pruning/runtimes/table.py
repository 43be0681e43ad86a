"""A profile as Markdown: a table for each count of threads and length of texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pruning.measure.blocks import Speedup
from pruning.runtimes.profile import counted
from pruning.runtimes.registry import RUNTIMES
from pruning.runtimes.rows import Alike, Best, Profile, Row


def table_text(found: Profile) -> str:
    """All tables, each below a line that says what it is of."""
    parts = []
    for threads, length in dict.fromkeys((row.threads, row.length) for row in found.rows):
        rows = [row for row in found.rows if (row.threads, row.length) == (threads, length)]
        best = [one for one in found.best if (one.threads, one.length) == (threads, length)]
        title = f"Texts of {length} tokens" if length != "real" else f"Real texts ({found.texts})"
        lines = _table(rows, best, found.alike if length == "real" else ())
        parts.append("\n".join([f"{title}, {counted(threads)}:", "", *lines]))
    return "\n\n".join(parts)


def _table(rows: Sequence[Row], best: Sequence[Best], alike: Sequence[Alike]) -> Iterator[str]:
    batches = list(dict.fromkeys(row.batch for row in rows))
    answers = {(one.network, one.runtime): one for one in alike}
    yield _line(["", *(f"batch {batch}" for batch in batches), *(["answers as in torch"] if alike else [])])
    yield _line(["---", *["---:"] * (len(batches) + bool(alike))])
    for network, runtime in dict.fromkeys((row.network, row.runtime) for row in rows):
        own = {row.batch: row for row in rows if (row.network, row.runtime) == (network, runtime)}
        said = [_same(answers[network, runtime])] if alike else []
        yield _line([f"{network}, {RUNTIMES[runtime].title}", *(_cell(own[batch]) for batch in batches), *said])
    if best:
        cells = {one.batch: _times(one.speedup) for one in best}
        yield _line(["best small against best dense", *(cells[batch] for batch in batches), *([""] if alike else [])])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: Row) -> str:
    return f"{_milliseconds(row.median_ms)}, {_times(row.speedup)}"


def _times(speedup: Speedup) -> str:
    times, low, high = (
        f"{value:.{0 if value >= 9.95 else 1}f}" for value in (speedup.times, speedup.low, speedup.high)
    )
    return f"{times}× ({low} to {high})"


def _milliseconds(value: float) -> str:
    """Three digits, as far as there are so few."""
    return f"{value:,.{max(0, 3 - len(str(int(value))))}f} ms"


def _same(one: Alike) -> str:
    found = one.fidelity
    return f"{found.agreement:.1%}" if found.agreement is not None else f"r = {found.correlation:.4f}"
