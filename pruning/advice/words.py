"""What is said of options, in a terminal and on a page alike (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pruning.advice.limits import MEGABYTE, Limits
from pruning.advice.options import Option
from pruning.advice.ranking import Ranked

NOT_MEASURED = "not measured"
TRIAL = (
    "Stored milliseconds and bytes are torch's. In ONNX Runtime and int8, SST-2's slim-10 was faster and smaller (see "
    "the README); of this network nobody measured it, so nothing is promised. The command writes it and says how alike "
    "it answers; the dashboard's Live page times it on your machine."
)


def difference_text(option: Option, limits: Limits) -> str:
    """Points against the teacher with their interval, and whether that keeps within the limit for sure."""
    if option.variant.is_teacher:
        return "the teacher itself"
    if option.lost is None:
        return NOT_MEASURED
    text, interval = f"{_signed(-option.lost)} points", option.interval
    if interval is None or interval.low is None or interval.high is None:
        return text
    text += f" (95%: {_signed(100 * interval.low)} to {_signed(100 * interval.high)})"
    most = limits.points
    if most is None or round(option.lost, 1) > most or round(100 * interval.low, 1) >= -most:
        return text
    return f"{text}, perhaps beyond {most:g}"


def cost_texts(option: Option, limits: Limits) -> tuple[str, str, str]:
    """Milliseconds, bytes and memory."""
    timed = option.time(limits.batch, limits.length)
    return (
        NOT_MEASURED if timed is None else f"{timed.median_ms:.3g} ms",
        NOT_MEASURED if option.size_bytes is None else f"{option.size_bytes / MEGABYTE:.3g} MB",
        NOT_MEASURED if option.memory_bytes is None else f"{option.memory_bytes / MEGABYTE:.3g} MB",
    )


def score_text(option: Option) -> str:
    """The metric, with its count where it is one of right answers: "0.885 (772/872)"."""
    of = f" ({option.correct:,}/{option.count:,})" if option.correct is not None else ""
    return f"{option.score:.3f}{of}"


def machine_sentence(options: Sequence[Option], limits: Limits) -> str:
    """What milliseconds hold for."""
    machines = dict.fromkeys(
        f"{'' if timed.device == 'cpu' else f'{timed.device} of '}{option.hardware}, "
        f"{timed.threads} thread{'' if timed.threads == 1 else 's'}"
        for option in options
        if (timed := option.time(limits.batch, limits.length)) is not None
    )
    cell = f"batch {limits.batch}, {limits.length} tokens"
    if not machines:
        timed = sorted({(one.batch, one.length) for option in options for one in option.times if one.length != "real"})
        known = f"; timed: {', '.join(f'{batch} x {length}' for batch, length in timed)}" if timed else ""
        return f"Nothing was timed at {cell}{known}."
    runtimes = " and ".join(dict.fromkeys(option.runtime for option in options))
    return (
        f"Milliseconds: {cell}, in {runtimes}, on {' and on '.join(machines)}. They hold for that machine; yours may "
        "be faster or slower."
    )


def nearest_sentence(ranked: Ranked, name: Callable[[Option], str]) -> str:
    """Where nothing fits: what comes nearest, by its name, and what is missing."""
    if ranked.nearest is None:
        if all(one.reasons[0].kind == "floor" for one in ranked.others):
            return "Nothing fits: no network of this task knows more than nothing."
        return "Nothing fits, as far as it was measured."
    missing = "; ".join(reason.text for reason in ranked.nearest.reasons)
    return f"Nothing fits. Nearest: {name(ranked.nearest.option)} ({missing})."


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−") if round(points, 1) else "±0.0"
