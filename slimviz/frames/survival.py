"""Which units survive: one row per layer, site or unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pruning.bert.counts import attention_parameters, count_flops, ffn_parameters
from pruning.bert.shapes import LAYER_SITES, Masks, NetworkShape, Site
from pruning.importance.factors import ImportanceFactors
from pruning.selection.select import FLOP_LENGTH, Selection
from pruning.selection.settings import SelectionSettings
from slimviz.frames.importance import relative_importance, shade_of
from slimviz.frames.tidy import count_of, frame_of, groups, only, records
from slimviz.theme import SITE_TITLES, amount_text, layer_title, value_text

if TYPE_CHECKING:
    import pandas as pd


def open_sites(masks: Masks, settings: SelectionSettings) -> list[Site]:
    """Layer sites that the selection could cut, or did."""
    return [site for site in LAYER_SITES if site in settings.sites or not masks[site].all()]


def survival_frame(masks: Masks) -> pd.DataFrame:
    """One row per layer and site: how many units are left. The residual width has one row, without a layer."""
    rows = []
    for site, mask in masks.items():
        for layer, units in enumerate(np.atleast_2d(mask)):
            kept, total = int(units.sum()), len(units)
            rows.append(
                {
                    "layer": None if site is Site.HIDDEN else layer + 1,
                    "site": site.value,
                    "title": SITE_TITLES[site],
                    "kept": kept,
                    "total": total,
                    "share": kept / total,
                    "counts": f"{kept:,} of {total:,}",
                }
            )
    return frame_of(rows).astype({"layer": "Int64"})


def survival_table(survival: pd.DataFrame) -> pd.DataFrame:
    """Sites down, layers across, "kept of total" in each cell; the residual width is shared by all layers."""
    rows: dict[str, dict[str, str]] = {}
    for row in records(survival):
        column = "all layers" if row["layer"] is None else layer_title(row["layer"] - 1)
        rows.setdefault(row["title"], {})[column] = row["counts"]
    return frame_of([{"site": title, **cells} for title, cells in rows.items()]).set_index("site").fillna("")


def layer_frame(
    survival: pd.DataFrame, sites: Sequence[Site], selection: Selection, dense: NetworkShape
) -> pd.DataFrame:
    """One row per layer: units left at the sites open to cutting, and what the layer costs against the teacher's."""
    open_rows = records(only(survival, "site", [site.value for site in sites]))
    cutoffs = ", ".join(f"{SITE_TITLES[site]} {value_text(selection.cutoff.get(site))}" for site in sites)
    rows = []
    for index, (slim, teacher) in enumerate(zip(selection.shape.layers, dense.layers, strict=True)):
        kept, total = (sum(row[name] for row in open_rows if row["layer"] == index + 1) for name in ("kept", "total"))
        parameters, flops = _layer_cost(selection.shape, index)
        dense_parameters, dense_flops = _layer_cost(dense, index)
        rows.append(
            {
                "layer": index + 1,
                "kept": kept,
                "total": total,
                "share": kept / total if total else 1.0,
                "counts": f"{kept:,} of {total:,}",
                "parameters": _part(parameters, dense_parameters),
                "flops": _part(flops, dense_flops),
                "heads": f"{slim.heads} of {teacher.heads}",
                "cutoffs": cutoffs,
            }
        )
    return frame_of(rows)


def _part(slim: int, teacher: int) -> str:
    return f"{amount_text(slim)} of {amount_text(teacher)} ({slim / teacher:.1%})"


def _layer_cost(network: NetworkShape, layer: int) -> tuple[int, int]:
    """Stored parameters of one layer, and its FLOPs for a text of 32 tokens."""
    shape = network.layers[layer]
    parameters = attention_parameters(shape, network.hidden, network.head_size) + ffn_parameters(shape, network.hidden)
    alone, none = replace(network, layers=(shape,)), replace(network, layers=())
    return parameters, count_flops(alone, FLOP_LENGTH) - count_flops(none, FLOP_LENGTH)


def site_frame(survival: pd.DataFrame, cutoff: Mapping[Site, float] | None = None) -> pd.DataFrame:
    """One row per site, over all layers: the share removed; `cutoff` is the importance of the least unit kept."""
    rows = []
    for name, part in groups(survival, "site"):
        kept, total = count_of(part, "kept"), count_of(part, "total")
        rows.append(
            {
                "site": name,
                "title": SITE_TITLES[Site(name)],
                "kept": kept,
                "total": total,
                "removed": 1 - kept / total,
                "counts": f"{kept:,} of {total:,}",
                "cutoff": float((cutoff or {}).get(Site(name), np.nan)),
            }
        )
    return frame_of(rows)


def unit_frame(
    factors: ImportanceFactors,
    criterion: str,
    masks: Masks,
    layer: int,
    *,
    in_order: bool,
    scale: str = "value",
    sites: Sequence[Site] = LAYER_SITES,
) -> pd.DataFrame:
    """One row per unit of a layer, with its importance relative to the site's cut-off in that layer.

    Args:
        factors: the study's.
        criterion: whose factors are shown; sites without factors are left out.
        masks: which units survive.
        layer: the layer, from 0.
        in_order: units as they lie in the matrices; otherwise the most important first.
        scale: what `shade` holds, see `frames.importance.SCALES`.
        sites: of the layer; those that may be cut are what there is to see.

    Returns:
        Columns site, title, place (from 0, where the unit is drawn), unit (from 1), head (at `attention_context`),
        importance, relative (decades above the cut-off), shade (what colours show), kept.
    """
    import pandas as pd

    parts = []
    stored = factors.stored(criterion)
    for site in sites:
        if site not in stored:
            continue
        values = np.abs(stored[site][layer]).astype(np.float64)
        if len(values) != len(masks[site][layer]):
            continue  # one value a head: nothing to say about units
        order = np.arange(len(values)) if in_order else np.lexsort((~masks[site][layer], -values))
        kept = masks[site][layer]
        relative = relative_importance(values, kept)
        heads = order // factors.shape.head_size + 1 if site is Site.ATTENTION_CONTEXT else np.zeros(len(order), int)
        parts.append(
            pd.DataFrame(
                {
                    "site": site.value,
                    "title": SITE_TITLES[site],
                    "place": np.arange(len(order)),
                    "unit": order + 1,
                    "head": heads,
                    "importance": values[order],
                    "relative": relative[order],
                    "shade": shade_of(relative, scale)[order],
                    "kept": kept[order],
                }
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["site", "kept"])
