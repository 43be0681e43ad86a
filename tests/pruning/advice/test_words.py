"""What is said of options."""

from __future__ import annotations

from pruning.advice import Limits, rank, words
from tests.factories.options import made_option


def test_a_difference_says_where_its_interval_goes_beyond_the_limit() -> None:
    option = made_option(score=0.89)
    assert words.difference_text(option, Limits()) == "−1.0 points (95%: −2.5 to +0.5)"
    assert words.difference_text(option, Limits(points=2.5)) == "−1.0 points (95%: −2.5 to +0.5)"
    assert words.difference_text(option, Limits(points=2)).endswith("+0.5), perhaps beyond 2")
    assert words.difference_text(option, Limits(points=0.5)).endswith("+0.5)")  # beyond it, and no perhaps
    assert words.difference_text(made_option(score=0.9, interval=None), Limits(points=1)) == "±0.0 points"
    assert words.difference_text(made_option("teacher", 0.9), Limits()) == "the teacher itself"
    assert words.difference_text(made_option(lost=None), Limits()) == "not measured"


def test_costs_and_scores() -> None:
    assert words.cost_texts(made_option(), Limits()) == ("3 ms", "5 MB", "100 MB")
    nothing = made_option(ms=None, size_bytes=None, memory_bytes=None)
    assert set(words.cost_texts(nothing, Limits())) == {"not measured"}
    assert words.score_text(made_option()) == "0.890 (890/1,000)"
    assert words.score_text(made_option(correct=None)) == "0.890"


def test_milliseconds_are_the_machine_s_that_they_were_measured_on() -> None:
    options = [made_option(), made_option("slim-5", hardware="another processor")]
    said = words.machine_sentence(options, Limits())
    assert "batch 1, 32 tokens, in torch, on made-up processor, 2 threads and on another processor, 2 threads." in said
    assert "They hold for that machine" in said
    assert words.machine_sentence(options, Limits(batch=8)) == "Nothing was timed at batch 8, 32 tokens; timed: 1 x 32."
    assert words.machine_sentence([made_option(ms=None)], Limits()) == "Nothing was timed at batch 1, 32 tokens."


def test_where_nothing_fits() -> None:
    def said(*options, **limits: float) -> str:
        (ranked,) = rank(options, Limits(**limits), "pruning")  # type: ignore[arg-type]
        return words.nearest_sentence(ranked, lambda option: option.variant.name)

    assert said(made_option(), ms=2) == "Nothing fits. Nearest: slim-10 (3 ms, at most 2 asked)."
    assert said(made_option(score=0.4)) == "Nothing fits: no network of this task knows more than nothing."
    assert said(made_option(ms=None), ms=2) == "Nothing fits, as far as it was measured."
