from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import msgspec
import numpy as np
import pandas as pd
import pytest

from pruning.bert.shapes import BertShape, Masks, Site
from pruning.measure.ablation import Ablation, Curves
from pruning.study import Study, load_factors, load_masks
from slimviz import sentences
from slimviz.frames.budgets import budgets
from slimviz.frames.heads import HeadStudy, difference_frame, head_frame, similarity_frame
from slimviz.frames.results import Scored, Summary, summarise
from slimviz.frames.survival import site_frame, survival_frame, unit_frame

SHAPE = BertShape(2, 2, 4, 8, 16, 50, 32, 2, 8, 2)


def rows(studies: dict[str, Study], budget: str) -> list[Summary]:
    return [summarise(key, study, budget) for key, study in studies.items()]


def test_headline_averages_over_studies(studies: dict[str, Study]) -> None:
    frame = rows(studies, "10")
    text = sentences.overview_headline(frame, "10")
    assert text.startswith("At 10% of their teachers' parameters, the 5 slim networks keep ")
    assert f"{fmean(row.retention or 0 for row in frame):.1%}" in text
    assert f"({fmean(row.retention_above_floor or 0 for row in frame):.1%} of what lies above the floor)" in text
    assert text.endswith("and answer 7.0× as fast at batch 32.")


def test_headline_leaves_out_studies_whose_teacher_is_at_its_floor(studies: dict[str, Study]) -> None:
    sound = [row for row in rows(studies, "10") if not sentences.teacher_sentence(row.title, row.teacher, row.floor)]
    wnli = replace(sound[0], title="WNLI", teacher=Scored(0.155, 11, 71), floor=0.563, retention=1.364)
    text, without = (sentences.overview_headline(some, "10") for some in ([*sound, wnli], sound))
    assert text == f"{without} Left out: WNLI, for a teacher not clearly above its floor."
    assert "136.4%" in sentences.overview_headline([wnli], "10")  # alone, its card says what to think of it


def test_headline_leaves_out_speed_that_was_not_measured(studies: dict[str, Study]) -> None:
    assert "fast" not in sentences.overview_headline(rows(studies, "25"), "25")


def test_headline_of_one_study_names_it(studies: dict[str, Study]) -> None:
    text = sentences.overview_headline(rows({"sst2": studies["sst2"]}, "10"), "10")
    assert "the slim network for SST-2 keeps" in text
    assert "of the teacher's Accuracy" in text


def test_headline_without_results_says_so(studies: dict[str, Study]) -> None:
    assert sentences.overview_headline(rows(studies, "3"), "3").startswith("No study has results at 3%")


def test_budgets_name_those_with_weights(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    frame = [summarise("sst2", study, budget) for budget in budgets(study)]
    text = sentences.budget_sentence(frame, "SST-2")
    assert text.endswith("of its teacher's Accuracy; weights are stored at 10%.")
    assert "at 50%, " in text
    assert "no weights" in sentences.budget_sentence([replace(row, ships_weights=False) for row in frame], "SST-2")
    none = [replace(row, retention=None) for row in frame]
    assert sentences.budget_sentence(none, "SST-2") == "SST-2 has no results yet."


def test_budgets_of_other_kinds_are_put_in_words(studies: dict[str, Study]) -> None:
    row = replace(rows(studies, "10")[0], budget="flops-25", ships_weights=True)
    text = sentences.budget_sentence([row], "CoLA")
    assert text == "CoLA keeps 96.0% at 25% of FLOPs of its teacher's MCC; weights are stored at 25% of FLOPs."
    assert sentences.overview_headline([row, row], "flops-25").startswith("At 25% of their teachers' FLOPs, the 2 ")


@pytest.mark.parametrize(("correct", "is_weak"), [(152, True), (158, True), (164, False), (230, False)])
def test_teacher_near_the_floor_is_said(correct: int, is_weak: bool) -> None:
    """Two standard errors of a floor of 0.527 on 277 examples are 0.06: 16.6 examples more than 146."""
    teacher = Scored(correct / 277, correct, 277)
    text = sentences.teacher_sentence("RTE", teacher, 146 / 277)
    assert (text is not None) == is_weak
    if text is not None:
        assert text.startswith(
            f"RTE's teacher is not clearly above the floor itself ({correct / 277:.3f} against 0.527"
        )
    assert sentences.teacher_sentence("RTE", replace(teacher, correct=None), 146 / 277) is None


def layers(share: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"layer": range(1, len(share) + 1), "kept": [int(100 * s) for s in share], "total": 100, "share": share}
    )


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ([0.1, 0.4], "25.0% of the 200 units open to cutting (FFN hidden) are left; layer 1 lost most (90.0%), "
         "layer 2 least (60.0%)."),
        ([0.5, 0.5], "50.0% of the 200 units open to cutting (FFN hidden) are left, as many in every layer."),
        ([0.0, 0.0], "No unit is left (FFN hidden)."),
    ],
)  # fmt: skip
def test_layers(share: list[float], expected: str) -> None:
    assert sentences.layer_sentence(layers(share), ["FFN hidden"]) == expected


def test_layers_that_may_not_be_cut() -> None:
    assert sentences.layer_sentence(layers([]), []).startswith("Every unit of every layer is left")


def test_sites_and_maps() -> None:
    masks = Masks.full(SHAPE)
    whole = survival_frame(masks)
    assert sentences.site_sentence(site_frame(whole)) == "No sub-layer lost a unit."
    assert sentences.map_sentence(whole) == "Nothing was cut."
    cut = survival_frame(masks.with_site(Site.FFN_HIDDEN, np.eye(2, 16, dtype=bool)))
    assert sentences.map_sentence(cut) == "Left: 6% of FFN hidden."
    assert sentences.site_sentence(site_frame(cut)) == (
        "FFN hidden lost 93.8% of its units; residual width, attention input, attention context and FFN input are "
        "whole."
    )


def test_strips_count_units_on_the_wrong_side(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    units = unit_frame(load_factors(study), "alpha", load_masks(study, "10"), 0, in_order=True)
    text = sentences.strip_sentence(units, 0)
    assert text.startswith("Layer 1 keeps 384 of 384 attention input, ")
    against = int((units["kept"] != (units["relative"] >= 0)).sum())
    assert (f" {against} units are coloured against their fate" in text) == (against > 0)
    assert "ranks no units" in sentences.strip_sentence(units.iloc[:0], 0)


def test_heads(studies: dict[str, Study]) -> None:
    shown = [HeadStudy(n, n, load_factors(studies[n]), load_masks(studies[n], "10")) for n in ("sst2", "cola")]
    heads = head_frame(shown, "alpha")
    kept = heads.pivot(index=["layer", "head"], columns="study", values="kept").astype(bool)
    both = int(kept.all(axis=1).sum())
    text = sentences.heads_sentence(heads, "10")
    assert f"of 72 heads; {both} heads survive in every task shown" in text
    alone = sentences.heads_sentence(heads[heads["study"] == "sst2"], "10")
    assert alone == f"At 10% of the parameters, {int(kept['sst2'].sum())} of 72 heads survive."
    difference = difference_frame(heads, "sst2", "cola")
    assert f"keep {both} heads in common" in sentences.difference_sentence(difference, "SST-2", "CoLA")
    pairs = similarity_frame(heads)
    assert "ranking heads 0." in sentences.similarity_sentence(pairs[pairs["measure"] == "spearman"], "ranking heads")


def test_whether_a_map_is_true() -> None:
    ablation = Ablation(
        network="teacher",
        split="validation",
        rows=1200,
        sha256="0" * 64,
        seed=0,
        precision="float32",
        metric="accuracy",
        floor=0.5,
        gated=(0, 2, 4),
        curves={"alpha": Curves(least_first=(0.9, 0.88, 0.5), most_first=(0.9, 0.5, 0.5))},
        random=((0.9, 0.6, 0.5), (0.9, 0.7, 0.5)),
    )
    assert sentences.truth_sentence(ablation, "alpha") == (
        "Is it true? Without the half of the heads that come last here, the teacher keeps 95% of what it has above its "
        "floor (1,200 validation examples); in random orders 25% to 50%."
    )
    alone = msgspec.structs.replace(ablation, random=())
    assert str(sentences.truth_sentence(alone, "alpha")).endswith("(1,200 validation examples).")
    assert sentences.truth_sentence(msgspec.structs.replace(ablation, floor=0.9), "alpha") is None
    below = msgspec.structs.replace(ablation, floor=0.89)
    assert "keeps 0% of what it has above its floor (1,200 validation examples); in random orders 0% to 0%." in str(
        sentences.truth_sentence(below, "alpha")
    )
    assert sentences.truth_sentence(ablation, "magnitude") is None
    assert sentences.truth_sentence(None, "alpha") is None


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ((True, True), "Kept by A and B; highest rank in B (1 of 9)."),
        ((False, False), "Cut by A and B; highest rank in B (1 of 9)."),
        ((True, False), "Kept by A, cut by B; highest rank in B (1 of 9)."),
    ],
)
def test_one_head(kept: tuple[bool, bool], expected: str) -> None:
    heads = [
        {"title": title, "kept": keep, "rank": rank, "heads": 9}
        for title, keep, rank in zip("AB", kept, (4, 1), strict=True)
    ]
    assert sentences.head_sentence(heads) == expected
    assert sentences.head_sentence(heads[:1]) == ("Kept by A." if kept[0] else "Cut by A.")
