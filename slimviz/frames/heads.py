"""Heads of several studies -> tidy frames: importance and fate per head, differences, similarity of tasks (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pruning.bert.shapes import Masks
from pruning.importance.factors import ImportanceFactors
from pruning.measure.ablation import Ablation
from pruning.study import Study
from slimviz.frames.importance import relative_importance, shade_of


@dataclass(frozen=True)
class HeadStudy:
    """What the head maps need of one study."""

    key: str
    title: str
    factors: ImportanceFactors
    masks: Masks
    truest: str | None = None  # the criterion that orders this task's heads best, where that was measured
    ablation: Ablation | None = None  # what heads gated off cost the teacher on validation, where that was measured


def group_name(study: Study) -> str:
    """Studies share a map only where this agrees: same backbone, same layers and heads."""
    shape = study.shape
    return f"{study.document.backbone.name} ({shape.layers} × {shape.heads} heads of {shape.head_size})"


def backbone_groups(studies: Mapping[str, Study]) -> dict[str, list[str]]:
    """Keys of studies by backbone; backbones of one name but with other weights are told apart."""
    groups: dict[tuple[str, str], list[str]] = {}
    for key, study in studies.items():
        groups.setdefault((group_name(study), study.document.backbone.sha256), []).append(key)
    names = [name for name, _ in groups]
    return {
        name if names.count(name) == 1 else f"{name}, weights {sha256[:6]}": keys
        for (name, sha256), keys in groups.items()
    }


def criteria(studies: list[HeadStudy]) -> list[str]:
    """Criteria that every one of these studies has for its heads."""
    first, *others = (study.factors.head_criteria for study in studies)
    return [name for name in first if all(name in other for other in others)]


def opening_criterion(studies: list[HeadStudy]) -> str:
    """What the maps open with: the criterion that is truest for most of these studies, else the first of all."""
    offered = criteria(studies)
    votes = [study.truest for study in studies if study.truest in offered]
    return max(offered, key=votes.count)


def head_frame(studies: list[HeadStudy], criterion: str, scale: str = "value") -> pd.DataFrame:
    """One row per study and head.

    Args:
        studies: of one backbone.
        criterion: one that all of them have.
        scale: what `shade` holds, see `frames.importance.SCALES`.

    Returns:
        Columns study, title, layer and head (from 1), importance, relative (decades above the cut-off), shade (what
        colours show), rank (1 is the most important), heads (how many there are), units, head_size, kept, fate
        ("kept"/"cut").
    """
    parts = []
    for study in studies:
        shape = study.factors.shape
        values = study.factors.heads(criterion).astype(np.float64)
        units = study.masks.heads(shape)
        layers, heads = np.indices(values.shape)
        relative = relative_importance(values, units > 0).ravel()
        parts.append(
            pd.DataFrame(
                {
                    "study": study.key,
                    "title": study.title,
                    "layer": layers.ravel() + 1,
                    "head": heads.ravel() + 1,
                    "importance": values.ravel(),
                    "relative": relative,
                    "shade": shade_of(relative, scale),
                    "rank": pd.Series(-values.ravel()).rank(method="min").astype(int),
                    "heads": values.size,
                    "units": units.ravel(),
                    "head_size": shape.head_size,
                    "kept": units.ravel() > 0,
                    "fate": np.where(units.ravel() > 0, "kept", "cut"),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def difference_frame(heads: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """One row per head: how much more it matters to the first study than to the second, in units of `shade`."""
    a = heads[heads["study"] == first].set_index(["layer", "head"])
    b = heads[heads["study"] == second].set_index(["layer", "head"])
    frame = pd.DataFrame({"difference": a["shade"] - b["shade"]})
    frame["first"], frame["second"] = a["importance"], b["importance"]
    frame["first_fate"], frame["second_fate"] = a["fate"], b["fate"]
    both = a["kept"] & b["kept"]
    frame["mark"] = np.select([both, a["kept"], b["kept"]], ["", "A", "B"], default="×")
    return frame.reset_index()


def similarity_frame(heads: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of studies, in clustered order.

    Returns:
        Columns measure ("spearman", "jaccard"), first, second (keys), first_title, second_title, value, order_first,
        order_second. Spearman compares the heads' importance, Jaccard the surviving heads.
    """
    keys = list(dict.fromkeys(heads["study"]))
    titles = dict(zip(heads["study"], heads["title"], strict=True))
    importance = np.stack([heads.loc[heads["study"] == key, "importance"] for key in keys])
    kept = np.stack([heads.loc[heads["study"] == key, "kept"] for key in keys]).astype(bool)
    spearman = _spearman(importance)
    both = (kept[:, None] & kept[None]).sum(-1)
    either = (kept[:, None] | kept[None]).sum(-1)
    jaccard = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    order = clustered_order(spearman)
    rows = [
        {
            "measure": measure,
            "first": keys[i],
            "second": keys[j],
            "first_title": titles[keys[i]],
            "second_title": titles[keys[j]],
            "value": float(matrix[i, j]),
            "order_first": order.index(i),
            "order_second": order.index(j),
        }
        for measure, matrix in (("spearman", spearman), ("jaccard", jaccard))
        for i in order
        for j in order
    ]
    return pd.DataFrame(rows)


def _spearman(values: np.ndarray) -> np.ndarray:
    """Rank correlation between rows; 0 where a row is constant and so ranks nothing."""
    ranks = np.stack([pd.Series(row).rank().to_numpy() for row in values])
    ranks -= ranks.mean(-1, keepdims=True)
    lengths = np.sqrt((ranks**2).sum(-1))
    products = ranks @ ranks.T
    scale = np.outer(lengths, lengths)
    result = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
    np.fill_diagonal(result, 1.0)
    return np.clip(result, -1, 1)


def clustered_order(similarity: np.ndarray) -> list[int]:
    """Order of rows in which alike ones are neighbours: average linkage, merged groups joined at their closer ends.

    Written out because SciPy's clustering takes most of a second to import, and there are at most a few dozen rows.
    """
    groups = [[index] for index in range(len(similarity))]
    while len(groups) > 1:
        pairs = [(i, j) for i in range(len(groups)) for j in range(i + 1, len(groups))]
        i, j = max(pairs, key=lambda pair: similarity[np.ix_(groups[pair[0]], groups[pair[1]])].mean())
        left, right = groups[i], groups[j]
        joined = max(
            ([*a, *b] for a in (left, left[::-1]) for b in (right, right[::-1])),
            key=lambda both: similarity[both[len(left) - 1], both[len(left)]],
        )
        groups = [group for place, group in enumerate(groups) if place not in (i, j)] + [joined]
    return groups[0] if groups else []
