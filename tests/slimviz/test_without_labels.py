"""Sentences on studies without labels."""

from __future__ import annotations

from dataclasses import replace

from pruning.measure.ablation import Ablation, Curves
from pruning.study import Study
from slimviz import results_in_words, sentences, without_labels
from slimviz.frames.results import Scored, Summary, summarise


def unlabelled(study: Study, key: str, score: float, *, is_regression: bool = False) -> Summary:
    count = None if is_regression else round(300 * score)
    return replace(
        summarise(key, study, "10"),
        title=key,
        is_labelled=False,
        is_regression=is_regression,
        floor=0.0 if is_regression else 0.6,
        teacher=Scored(1.0, None if is_regression else 300, 300),
        slim=Scored(score, count, 300),
    )


def test_headlines_of_studies_without_labels(studies: dict[str, Study]) -> None:
    first, second = (unlabelled(studies["sst2"], name, score) for name, score in (("a", 0.9), ("b", 0.96)))
    scores = unlabelled(studies["stsb"], "c", 0.85, is_regression=True)
    assert results_in_words.overview_headline([first], "10", 3) == (
        "At 10% of its teacher's parameters, the slim network for a gives its teacher's answer to 90.0% of the texts "
        "held out (270/300), and answers 7.0× as fast at batch 32."
    )
    assert results_in_words.overview_headline([replace(scores, speedup_32=None)], "10", 3).endswith(
        "for c gives scores that correlate with its teacher's at 0.850."
    )
    assert "2 slim networks give their teachers' answers to 93.0% of the texts on average, and answer" in (
        results_in_words.overview_headline([first, second], "10", 3)
    )
    assert (
        "3 slim networks give their teachers' answers to 93.0% of the texts on average and correlate with their "
        in (results_in_words.overview_headline([first, second, scores], "10", 3))
    )


def test_the_mean_of_studies_with_labels_is_what_it_was(studies: dict[str, Study]) -> None:
    labelled = summarise("sst2", studies["sst2"], "10")
    others = [unlabelled(studies["cola"], name, 0.5) for name in ("a", "b")]
    alone = results_in_words.overview_headline([labelled], "10", 3)
    one, two = ([labelled, *others[:number]] for number in (1, 2))
    assert results_in_words.overview_headline(one, "10", 3) == f"{alone} a has no labels and is left out."
    assert results_in_words.overview_headline(two, "10", 3) == f"{alone} a and b have no labels and are left out."


def test_budgets(studies: dict[str, Study]) -> None:
    row = unlabelled(studies["sst2"], "a", 0.9)
    assert results_in_words.budget_sentence([replace(row, budget="50", slim=Scored(0.96, 288, 300)), row], "a") == (
        "a's slim networks give its teacher's answer to 96.0% at 50% and 90.0% at 10%; weights are stored at 50% and "
        "10%."
    )
    scores = unlabelled(studies["stsb"], "c", 0.85, is_regression=True)
    assert results_in_words.budget_sentence([scores], "c").startswith(
        "c's scores correlate with its teacher's at 0.850 at 10%;"
    )


def test_a_caution_where_one_same_answer_does_as_well(studies: dict[str, Study]) -> None:
    """Two standard errors of a floor of 0.6 on 300 texts are 0.057."""
    assert without_labels.caution(unlabelled(studies["sst2"], "a", 0.66)) is None
    assert str(without_labels.caution(unlabelled(studies["sst2"], "a", 0.65))).endswith("would (180 of 300 texts).")
    constant = replace(unlabelled(studies["sst2"], "a", 1.0), floor=1.0)
    assert str(without_labels.caution(constant)).startswith("a's teacher gives one and the same answer to 300 of 300")
    assert without_labels.caution(unlabelled(studies["stsb"], "c", 0.0, is_regression=True)) is None


def test_whether_a_map_is_true() -> None:
    ablation = Ablation(
        network="teacher",
        split="validation",
        rows=200,
        sha256="0" * 64,
        seed=0,
        precision="float32",
        metric="agreement",
        floor=0.5,
        gated=(0, 2, 4),
        curves={"alpha": Curves(least_first=(1.0, 0.95, 0.5), most_first=(1.0, 0.5, 0.5))},
        random=((1.0, 0.6, 0.5), (1.0, 0.7, 0.5)),
    )
    assert sentences.truth_sentence(ablation, "alpha") == (
        "Is it true? Without the half of the heads that come last here, the teacher gives the same answer as with all "
        "to 95% of 200 validation texts; in random orders 60% to 70%."
    )
