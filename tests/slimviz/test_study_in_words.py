from __future__ import annotations

import pandas as pd
import pytest

from pruning.study import Study
from slimviz import study_in_words
from slimviz.frames.history import curve_frame
from slimviz.frames.results import summarise


def curve(*values: float, measure: str = "loss") -> pd.DataFrame:
    return curve_frame(
        [{"stage": "slim", "step": 50 * place, measure: value} for place, value in enumerate(values, 1)], "slim"
    )


@pytest.mark.parametrize(
    ("values", "measure", "words"),
    [
        ((7.48, 5.0, 3.71), "loss", "Loss falls from 7.48 at step 50 to 3.71 at step 150."),
        ((1.0, 0.531), "alive", "Share of units alive falls from 100.0% at step 50 to 53.1% at step 100."),
        ((0.5, 0.75), "mcc", "MCC rises from 0.500 at step 50 to 0.750 at step 100."),
        ((0.5, 0.75, 0.5), "loss", "Loss ends where it began, at 0.5, after 150 steps."),
        ((0.0, 0.0), "task", "Loss of the labels: 0 throughout."),
        ((0.9,), "accuracy", "Accuracy: 0.900, reported once, at step 50."),
    ],
)
def test_how_a_curve_went(values: tuple[float, ...], measure: str, words: str) -> None:
    part = curve(*values, measure=measure)
    assert study_in_words.curve_sentence(part) == words
    assert study_in_words.is_curve(part) == ("step" in words and "reported once" not in words)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(-0.02, 0.01, "0 lies inside"), (-0.03, -0.01, "Both ends are below 0"), (0.01, 0.03, "Both ends are above 0")],
)
def test_what_an_interval_tells(studies: dict[str, Study], low: float, high: float, words: str) -> None:
    study = studies["sst2"]
    results = tuple(
        row if row.interval is None else row.replace(interval=row.interval.replace(low=low, high=high))
        for row in study.results
    )
    changed = Study(study.folder, study.document.replace(results=results))
    said = dict(study_in_words.meanings(changed, summarise("sst2", changed, "10")))
    assert words in said["Slim minus teacher"]


def test_scores_come_with_their_counts_and_regressions_without(studies: dict[str, Study]) -> None:
    said = {
        name: dict(study_in_words.meanings(studies[name], summarise(name, studies[name], "10")))
        for name in ("sst2", "stsb", "mnli")
    }
    teacher = studies["sst2"].result("teacher")
    assert teacher is not None
    assert f"({teacher.correct}/872)" in said["sst2"]["Accuracy"]
    assert "on 1,500 examples" in said["stsb"]["Pearson"]
    assert "/1,500" not in said["stsb"]["Pearson"]
    assert "validation matched split" in said["mnli"]["Accuracy"]


def test_limits_say_what_was_not_measured(studies: dict[str, Study]) -> None:
    said = " ".join(study_in_words.limits(studies["sst2"], "SST-2"))
    assert "Scores are on GLUE's validation split: 872 examples" in said
    assert ("head maps tell the truth was not measured" in said) == (not studies["sst2"].document.ablations)
