"""What the networks answered to one text, in words and as bars (pure)."""

from __future__ import annotations

import html
from collections.abc import Sequence

from pruning.data.tasks import Task
from slimviz import theme
from slimviz.frames.provenance import is_own
from slimviz.live.answers import Answer
from slimviz.live.networks import threads_text
from slimviz.live.runtimes import RUNTIMES
from slimviz.widgets import networks

FEWEST_RUNS = 3  # timed passes of one text below which neither milliseconds nor a speed-up are quoted
TOSS_UP = 0.1  # two labels whose probabilities differ by less are as good as even
SURE = 0.999  # no network of these knows more digits


def label_text(task: Task, number: int) -> str:
    """A label word as printed: GLUE's "not_equivalent" is "not equivalent"; those of a user's own task as they are."""
    label = (task.labels or ())[number]
    return label if is_own(task) else label.replace("_", " ")


def sentence(task: Task, answers: Sequence[Answer]) -> str:
    """What the answers say together, as Markdown."""
    said = [said_by(task, answer) for answer in answers]
    if len(answers) == 1:
        return f"{networks.name(answers[0].variant)} says {said[0]}."
    teacher, slim = answers
    if teacher.score is not None and slim.score is not None:
        highest = f" on a scale to {task.label_range[1]:g}" if task.label_range else ""
        agreement = f"Teacher {said[0]}, slim {said[1]}{highest}: {abs(teacher.score - slim.score):.2f} apart."
    elif teacher.label == slim.label:
        agreement = f"They agree, which does not make them right: teacher {said[0]}, slim {said[1]}."
    else:
        agreement = f"They disagree: the teacher says {said[0]}, the slim network {said[1]}."
    return f"{agreement} {speed_sentence(teacher, slim)}"


def said_by(task: Task, answer: Answer) -> str:
    """One network's label with its probability, or its score, as Markdown."""
    if answer.probabilities is None or task.labels is None or answer.label is None:
        return f"**{answer.score:.2f}**"
    toss_up = ", a toss-up" if is_toss_up(answer.probabilities) else ""
    return f"**{theme.plain(label_text(task, answer.label))}** ({probability_text(max(answer.probabilities))}{toss_up})"


def probability_text(share: float) -> str:
    """A probability as printed: no network is as sure as 100%."""
    if share > SURE:
        return f"> {SURE:.1%}"
    return f"< {1 - SURE:.1%}" if share < 1 - SURE else f"{share:.1%}"


def is_toss_up(probabilities: Sequence[float]) -> bool:
    """Whether the two best labels are as good as even."""
    second, best = sorted(probabilities)[-2:]
    return best - second < TOSS_UP


def is_timed(answers: Sequence[Answer]) -> bool:
    """Whether every network was timed often enough for its milliseconds to mean something."""
    return min(answer.runs for answer in answers) >= FEWEST_RUNS


def speed_sentence(teacher: Answer, slim: Answer, who: str = "Slim") -> str:
    """How much faster the slim network was, where that was timed often enough to mean something.

    Args:
        teacher: what the other is compared with.
        slim: the other one.
        who: answered, as the sentence begins.
    """
    if not is_timed((teacher, slim)):
        return "This machine is too busy to compare their speed on one text; the Live page measures it."
    ratio = teacher.latency_ms / slim.latency_ms
    if ratio >= 1.05:
        return f"{who} answered {theme.times_text(ratio)} as fast."
    return "Both took about as long." if ratio > 0.95 else f"{who} took {theme.times_text(1 / ratio)} as long."


def bars(task: Task, answer: Answer, colour: str, track: str) -> str:
    """A bar for each label's probability, or one for the score, as HTML that says the number too."""
    if answer.probabilities is None:
        score = answer.score or 0.0
        if task.label_range is None:  # nobody knows what a full bar would be
            return _bar("score", f"{score:.2f}", None, colour, track)
        low, high = task.label_range
        rows = [(f"score, {low:g} to {high:g}", f"{score:.2f}", (score - low) / (high - low))]
    else:
        rows = [(label_text(task, number), probability_text(p), p) for number, p in enumerate(answer.probabilities)]
    return "".join(_bar(label, number, min(1.0, max(0.0, share)), colour, track) for label, number, share in rows)


def _bar(label: str, number: str, share: float | None, colour: str, track: str) -> str:
    """A label and its number, and a bar where it is a share of something."""
    shape = "height:0.6rem;border-radius:0.3rem"
    bar = (
        ""
        if share is None
        else (
            f'<div aria-hidden="true" style="{shape};background:{track}">'
            f'<div style="{shape};background:{colour};width:{share:.1%}"></div></div>'
        )
    )
    return (
        '<div style="margin-bottom:0.6rem"><div style="display:flex;justify-content:space-between;gap:1rem">'
        f'<span style="overflow-wrap:anywhere">{html.escape(label)}</span>'
        f'<span style="font-variant-numeric:tabular-nums">{html.escape(number)}</span></div>{bar}</div>'
    )


def footnote(answer: Answer, *, is_timed: bool) -> str:
    """Latency, where it means something, and what was read, as Markdown."""
    words = "word piece" if answer.pieces == 1 else "word pieces"
    unknown = f", {answer.unknown} of them unknown" if answer.unknown else ""
    read = f"{answer.pieces} {words} read{unknown}"
    if not is_timed:
        return read
    return (
        f"**{theme.milliseconds_text(answer.latency_ms)}** for this one text (median of {answer.runs} passes on the "
        f"CPU, {RUNTIMES[answer.runtime].title}, {threads_text()}); {read}"
    )


def piece_notes(answers: Sequence[Answer]) -> list[str]:
    """A sentence for each network that could not read the whole text."""
    return [
        f"{networks.name(answer.variant)} reads {answer.pieces} word pieces at most of such a text; "
        f"the last {answer.left_out} were left out."
        for answer in answers
        if answer.left_out
    ]
