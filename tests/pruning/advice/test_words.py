"""What is said of options."""

from __future__ import annotations

from pruning.advice import Limits, rank, words
from tests.factories.options import made_option, made_time


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
    options = [made_option(), made_option("slim-5", times=(made_time(3.0, "another processor", threads=1),))]
    said = words.machine_sentence(options, Limits())
    assert "tokens, in torch, on made-up processor, 2 threads and on another processor, 1 thread, as each row" in said
    assert "Those of two machines do not compare" in said
    said = words.machine_sentence(options[:1], Limits())
    assert "batch 1, 32 tokens, in torch, on made-up processor, 2 threads. They hold for that machine" in said
    runtimes = [made_option(), made_option(runtime="onnx-int8")]
    assert ", in the runtime of each row, on made-up processor" in words.machine_sentence(runtimes, Limits())
    on_gpu = made_option(times=(made_time(3.0, device="cuda:0"),))
    assert "on cuda:0 of made-up processor, 2 threads." in words.machine_sentence([on_gpu], Limits())
    assert words.machine_sentence(options, Limits(batch=8)) == "Nothing was timed at batch 8, 32 tokens; timed: 1 x 32."
    assert words.machine_sentence([made_option(ms=None)], Limits()) == "Nothing was timed at batch 1, 32 tokens."


def test_runtime_and_machine_are_named_where_they_differ() -> None:
    one, int8 = made_option(), made_option(runtime="onnx-int8")
    other = made_option(times=(made_time(1.0, "another processor"),))
    assert words.setting_text(one, [one], Limits()) == ""
    assert words.setting_text(int8, [one, int8], Limits()) == " in ONNX Runtime, int8"
    assert words.setting_text(one, [one, other], Limits()) == " on made-up processor, 2 threads"
    assert words.setting_text(one, [one, other, int8], Limits()) == " in torch on made-up processor, 2 threads"
    assert words.setting_text(made_option(ms=None), [one, other], Limits()) == ""
    assert words.setting_text(one, [one, other], Limits(batch=8)) == ""


def test_only_in_torch_the_teacher_is_what_others_are_held_against() -> None:
    int8 = made_option("teacher", 0.89, runtime="onnx-int8")
    assert words.difference_text(int8, Limits()) == "−1.0 points"


def test_where_nothing_fits() -> None:
    def said(*options, **limits: float) -> str:
        (ranked,) = rank(options, Limits(**limits), "pruning")  # type: ignore[arg-type]
        return words.nearest_sentence(ranked, lambda option: option.variant.name)

    assert said(made_option(), ms=2) == "Nothing fits. Nearest: slim-10 (3 ms, at most 2 asked)."
    assert said(made_option(score=0.4)) == "Nothing fits: no network of this task knows more than nothing."
    assert said(made_option(ms=None), ms=2) == "Nothing fits, as far as it was measured."
