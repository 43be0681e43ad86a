"""Sentences on head surgery: what is cut, what that changed, and which single head would change an answer (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from pruning.data.task import METRIC_TITLES
from slimviz.frames.flips import Turned
from slimviz.frames.surgery import Effect, Head
from slimviz.theme import head_title, listing, score_text

MOST_NAMED = 4  # heads that a sentence names; of more, it gives the number

TRUTH = (
    "Click a head to cut it (×), and again to restore it. It is taken out of a copy of the network, and nothing is "
    "trained afterwards. Heads that slimming removed (·) cannot be put back into the slim network: its weights hold "
    "nothing of them, and it learnt to do without. Cut them from the teacher instead, and restore them there one by "
    "one. Green heads are the most important ones, as many as survive; pink ones matter less."
)

TURNS = {  # which single head is looked for, by the word in the URL
    "restored": "put back into the teacher",
    "teacher": "cut from the teacher",
    "slim": "cut from the slim network",
}
TURN_TRUTH = {
    "restored": "The teacher loses all heads that slimming removed, and gets one of them back: does it say again what "
    "it said? Its own weights stay, and all that slimming cut besides heads: this is what the heads alone do.",
    "teacher": "The teacher loses one head: does it then say what the slim network says?",
    "slim": "The slim network loses one more of its heads: does it then say what the teacher says?",
}


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


def flips_sentence(flips: int, examples: int, right: tuple[int, int] | None) -> str:
    """How many examples both networks answer differently.

    Args:
        flips: those.
        examples: of all these.
        right: how many of the flips the teacher has right, and the slim network; None in a regression.
    """
    if right is None:
        return f"The {flips} of {examples} examples of the probe set on which their scores are furthest apart."
    if not flips:
        return f"They give the same answer to all {examples} examples of the probe set."
    teacher, slim = right
    known = f"the teacher is right on {teacher} of these, the slim network on {slim}"
    return f"They answer {flips} of {examples} examples of the probe set differently: {known}."


def turned_sentence(turn: str, one: Turned, says: str, wanted: str, furthest: str) -> str:
    """Which single head, turned over, brings an answer back.

    Args:
        turn: of `TURNS`.
        one: what single heads do.
        says: the answer before, as a sentence goes on: "says positive".
        wanted: the answer to come to: "say negative".
        furthest: how far the first of the heads comes, in words.
    """
    count = len(one.heads)
    start = {
        "restored": f"Without the {count} heads that slimming removed, the teacher {says}.",
        "teacher": f"The teacher {says}.",
        "slim": f"The slim network {says}.",
    }[turn]
    if not count:
        return f"{start} There is no head to turn over."
    if one.already:
        why = "the rest of the cut, or recovery, is"
        return f"{start} So their loss alone is not why the slim network answers otherwise: {why}."
    how, first = ("Put back" if turn == "restored" else "Cut"), head_title(*one.heads[0])
    if not one.found:
        return f"{start} {how} alone, none of {count} heads makes it {wanted}; {first} comes closest ({furthest})."
    makes = "makes" if len(one.found) == 1 else "make"
    return (
        f"{start} {how} alone, {len(one.found)} of {count} heads {makes} it {wanted}: {first} most surely ({furthest})."
    )
