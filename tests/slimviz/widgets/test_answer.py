"""Answers in words and bars."""

from __future__ import annotations

import pytest

from pruning.data.tasks import get_task
from pruning.variants import TEACHER, Variant, slim
from slimviz.live.answers import Answer
from slimviz.widgets.answer import bars, footnote, is_timed, is_toss_up, probability_text, sentence, speed_sentence


def answer(variant: Variant, latency: float, runs: int = 5, **said: object) -> Answer:
    values = {"probabilities": None, "score": None, "latency_ms": latency, "runs": runs, "pieces": 3, "unknown": 0}
    return Answer(variant=variant, left_out=0, **(values | said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("slim_ms", "runs", "words"),
    [
        (2.0, 5, "Slim answered 5.0× as fast."),
        (10.0, 5, "Both took about as long."),
        (20.0, 5, "Slim took 2.0× as long."),
        (2.0, 1, "too busy to compare"),
    ],
)
def test_speed_in_words(slim_ms: float, runs: int, words: str) -> None:
    teacher, small = answer(TEACHER, 10.0, runs, score=1.0), answer(slim("10"), slim_ms, runs, score=2.0)
    assert words in speed_sentence(teacher, small)


def test_scores_outside_their_range_do_not_break_the_bar() -> None:
    bar = bars(get_task("stsb"), answer(TEACHER, 1.0, score=7.25), "#123456", "#eeeeee")
    assert "7.25" in bar
    assert "width:100.0%" in bar
    bar = bars(get_task("stsb"), answer(TEACHER, 1.0, score=-0.5), "#123456", "#eeeeee")
    assert "width:0.0%" in bar


def test_milliseconds_are_hidden_until_they_mean_something() -> None:
    teacher, small = answer(TEACHER, 1191.0, 1, score=1.0), answer(slim("10"), 14.2, 5, score=2.0)
    assert not is_timed((teacher, small))
    for one in (teacher, small):
        assert footnote(one, is_timed=False) == "3 word pieces read"
    assert " ms" not in sentence(get_task("stsb"), (teacher, small))
    assert footnote(small, is_timed=True).startswith("**14.2 ms** for this one text (median of 5 passes on the CPU, ")


@pytest.mark.parametrize(
    ("share", "text"), [(0.99999, "> 99.9%"), (0.9989, "99.9%"), (0.5, "50.0%"), (0.0011, "0.1%"), (0.00001, "< 0.1%")]
)
def test_no_network_is_certain(share: float, text: str) -> None:
    assert probability_text(share) == text


def test_agreement_is_not_correctness_and_even_odds_are_a_toss_up() -> None:
    task = get_task("sst2")
    sure, even = (answer(TEACHER, 1.0, probabilities=odds) for odds in ((0.00001, 0.99999), (0.48, 0.52)))
    both = sentence(task, (sure, answer(slim("10"), 1.0, probabilities=(0.46, 0.54))))
    said = "teacher **positive** (> 99.9%), slim **positive** (54.0%, a toss-up)."
    assert both.startswith(f"They agree, which does not make them right: {said}")
    assert sentence(task, [even]) == "The teacher says **positive** (52.0%, a toss-up)."
    assert is_toss_up((0.30, 0.36, 0.34))
    assert not is_toss_up((0.2, 0.6, 0.2))
    assert "&gt; 99.9%" in bars(task, sure, "#123456", "#eeeeee")
