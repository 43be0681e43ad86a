from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest

from pruning.bert.shapes import BertShape, Masks, Site
from pruning.measure.ablation import Ablation, Curves
from pruning.study import Study, load_factors, load_masks
from slimviz import sentences
from slimviz.frames.heads import HeadStudy, difference_frame, head_frame, similarity_frame
from slimviz.frames.survival import site_frame, survival_frame, unit_frame

SHAPE = BertShape(2, 2, 4, 8, 16, 50, 32, 2, 8, 2)


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


def test_sites() -> None:
    masks = Masks.full(SHAPE)
    whole = survival_frame(masks)
    assert sentences.site_sentence(site_frame(whole)) == "No sub-layer lost a unit."
    cut = survival_frame(masks.with_site(Site.FFN_HIDDEN, np.eye(2, 16, dtype=bool)))
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
    assert "come and go whole" not in text  # a head that stays may keep a part of its units
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


def test_areas_are_compared_with_the_best_criterion() -> None:
    high, low = (0.9, 0.9, 0.5), (0.9, 0.5, 0.5)
    curves = {"alpha": Curves(least_first=high, most_first=low), "taylor": Curves(least_first=low, most_first=high)}
    ablation = Ablation(
        network="teacher", split="validation", rows=10, sha256="0" * 64, seed=0, precision="float32",
        metric="accuracy", floor=0.5, gated=(0, 36, 72), curves=curves,
    )  # fmt: skip
    best = sentences.area_sentence(ablation, "alpha")
    assert best == (
        "The two curves of Importance factor |α| are 0.133 apart on average, the most of the 2 criteria stored."
    )
    worse = sentences.area_sentence(ablation, "taylor")
    assert "are −0.133 apart on average; of the 2 criteria stored, Importance factor |α|'s are furthest apart" in worse
    assert worse.endswith("(0.133), and one is ahead by more than 2% of the score with all heads.")


def test_heads_of_one_task_alone_are_named() -> None:
    rows = [
        {"layer": 1, "head": 2, "keepers": 1, "titles": "CoLA"},
        {"layer": 3, "head": 4, "keepers": 1, "titles": "CoLA"},
        {"layer": 3, "head": 5, "keepers": 2, "titles": "CoLA and SST-2"},
    ]
    said = sentences.dna_sentence(pd.DataFrame(rows))
    assert said == "Kept by one task alone (layer-head): CoLA 1-2, 3-4."
    assert sentences.dna_sentence(pd.DataFrame(rows[2:])) == "No task keeps a head that no other keeps."
