"""Sentences on head surgery: what is cut, and what that changed (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from pruning.data.task import METRIC_TITLES
from slimviz.frames.surgery import Effect, Head
from slimviz.theme import head_title, listing, score_text

MOST_NAMED = 4  # heads that a sentence names; of more, it gives the number

TRUTH = (
    "Click a head to cut it (×), and again to restore it. It is taken out of a copy of the network, and nothing is "
    "trained afterwards. Heads that slimming removed (·) cannot be put back into the slim network: its weights hold "
    "nothing of them, and it learnt to do without. Cut them from the teacher instead, and restore them there one by "
    "one. Green heads are the most important ones, as many as survive; pink ones matter less."
)


def cut_sentence(cut: Sequence[Head], heads: int) -> str:
    """Which of a network's heads are cut."""
    if not cut:
        return f"All its {heads} heads are at work."
    if len(cut) > MOST_NAMED:
        return f"{len(cut)} of its {heads} heads are cut."
    return f"Cut: {listing([head_title(*head) for head in cut])} ({len(cut)} of {heads})."


def effect_sentence(effect: Effect) -> str:
    """What a cut changed on labelled examples."""
    title = METRIC_TITLES.get(effect.metric, effect.metric)
    scores = f"{title} {score_text(effect.after)}, with all heads {score_text(effect.before)}"
    if effect.moved is not None:
        return f"{scores} ({effect.examples} examples). Scores moved by {effect.moved:.2f} on average."
    right = f"{effect.correct_after}/{effect.examples} right, with all heads {effect.correct_before}"
    answers = "answer" if effect.changed == 1 else "answers"
    return f"{right}; {scores}. {effect.changed or 'No'} {answers} changed."
