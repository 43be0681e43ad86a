"""What is said of options, in a terminal and on a page alike (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pruning.advice.limits import MEGABYTE, Limits
from pruning.advice.option import Option
from pruning.advice.ranking import Ranked
from pruning.runtimes.registry import RUNTIMES

NOT_MEASURED = "not measured"
TRIAL = (
    "In ONNX Runtime and int8, SST-2's slim-10 was faster and smaller (see the README). Of this network no profile is "
    "stored that timed and scored it there, so nothing is promised. The command writes it and says how alike it "
    "answers; the dashboard's Live page times it on your machine."
)


def difference_text(option: Option, limits: Limits) -> str:
    """Points against the teacher with their interval, and whether that keeps within the limit for sure."""
    if option.is_reference:
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


def runtime_title(option: Option) -> str:
    """What computes, for people."""
    return RUNTIMES[option.runtime].title


def machine_text(option: Option, limits: Limits) -> str:
    """What its milliseconds hold for; nothing where it was not timed."""
    timed = option.time(limits.batch, limits.length)
    return "" if timed is None else timed.machine


def have_several_runtimes(options: Sequence[Option]) -> bool:
    """Whether options have to say what computes to be told apart."""
    return len({option.runtime for option in options}) > 1


def machines(options: Sequence[Option], limits: Limits) -> tuple[str, ...]:
    """All that milliseconds hold for."""
    wanted = (limits.batch, limits.length)
    times = (time for option in options for time in option.times if (time.batch, time.length) == wanted)
    return tuple(dict.fromkeys(time.machine for time in times))


def setting_text(option: Option, options: Sequence[Option], limits: Limits) -> str:
    """Runtime and machine behind a network's name, where some of the options differ in them."""
    text = f" in {runtime_title(option)}" if have_several_runtimes(options) else ""
    machine = machine_text(option, limits)
    return f"{text} on {machine}" if machine and len(machines(options, limits)) > 1 else text


def machine_sentence(options: Sequence[Option], limits: Limits) -> str:
    """What milliseconds hold for."""
    found, cell = machines(options, limits), f"batch {limits.batch}, {limits.length} tokens"
    if not found:
        timed = sorted({(one.batch, one.length) for option in options for one in option.times})
        known = f"; timed: {', '.join(f'{batch} x {length}' for batch, length in timed)}" if timed else ""
        return f"Nothing was timed at {cell}{known}."
    runtime = "in the runtime of each row" if have_several_runtimes(options) else f"in {runtime_title(options[0])}"
    said = f"Milliseconds: {cell}, {runtime}, on {' and on '.join(found)}"
    if len(found) == 1:
        return f"{said}. They hold for that machine; yours may be faster or slower."
    return f"{said}, as each row says. Those of two machines do not compare; yours may be faster or slower."


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
