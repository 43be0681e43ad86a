"""Stored values -> tidy frames, one row per thing that a chart or table draws (pure: no Streamlit, no files)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning.bert.counts import attention_parameters, count_flops, ffn_parameters
from pruning.bert.shapes import LAYER_SITES, BertShape, Masks, NetworkShape, Site
from pruning.importance.factors import ImportanceFactors
from pruning.selection.select import Selection
from pruning.study import Study
from slimviz.importance import relative_importance, shade_of
from slimviz.theme import SITE_TITLES, amount_text, layer_title, value_text
from slimviz.tidy import count_of, frame_of, groups, only, records

if TYPE_CHECKING:
    import pandas as pd

FLOP_LENGTH = 32  # tokens: the length at which FLOPs are counted and speed-ups quoted
SPEED_LENGTHS = (FLOP_LENGTH, "real", 64, 128, 16)  # which measured length stands for the speed-up, best first


def study_title(key: str, study: Study) -> str:
    """A study as printed: its task, and its key where that says more."""
    return study.task.title if key == study.task.name else f"{study.task.title} ({key})"


def budgets(study: Study) -> list[str]:
    """Budgets with masks, as stored ("10"), largest first."""
    return sorted(study.data["selections"], key=float, reverse=True)


def default_budget(percents: list[str]) -> str:
    """The budget that a page opens with: 10%, or else the smallest."""
    return "10" if "10" in percents else percents[-1]


def main_result(study: Study, variant: str) -> dict[str, Any] | None:
    """A variant's result on the task's main validation split, with the study's own seed where it has several."""
    found = [result for result in study.data["results"] if result["variant"] == variant]
    split, seed = study.task.validation[0], study.data["provenance"]["seed"]
    found.sort(key=lambda result: (result["split"] != split, result["seed"] != seed))
    return found[0] if found else None


def main_speed(study: Study, variant: str, batch: int) -> dict[str, Any] | None:
    """A variant's measured speed at a batch size, at 32 tokens where that was measured."""
    rows = [row for row in study.data["speed"] if row["variant"] == variant and row["batch"] == batch]
    rows.sort(key=lambda row: SPEED_LENGTHS.index(row["length"]) if row["length"] in SPEED_LENGTHS else 99)
    return rows[0] if rows else None


def overview_row(key: str, study: Study, percent: str) -> dict[str, Any]:
    """All that Overview says about one study at one budget; None where a number was not measured."""
    task = study.task
    metric = task.main_metric
    teacher, slim, one_shot = (
        main_result(study, name) for name in ("teacher", f"slim-{percent}", f"one-shot-{percent}")
    )
    interval = (slim or {}).get("interval") or {}
    row: dict[str, Any] = {
        "study": key,
        "title": study_title(key, study),
        "metric": task.metric_title(),
        "percent": percent,
        "split": (slim or teacher or {}).get("split"),
        "floor": study.data["floor"].get(metric),
        "interval_low": interval.get("low"),
        "interval_high": interval.get("high"),
        "difference": interval.get("difference"),
    }
    for name, result in (("teacher", teacher), ("slim", slim), ("one_shot", one_shot)):
        row[f"{name}_score"] = result["metrics"].get(metric) if result else None
        counted = result["correct"] if result and metric == "accuracy" else None
        row[f"{name}_correct"], row[f"{name}_count"] = counted, result["count"] if result else None
        row[f"{name}_bytes"] = result["size_bytes"] if result else None
    row["others"] = [
        (task.metric_title(other), *(result["metrics"].get(other) if result else None for result in (slim, teacher)))
        for other in task.metrics[1:]
    ]
    for name in ("retention", "retention_above_floor", "total_density", "encoder_density", "flop_ratio"):
        row[name] = slim[name] if slim else None
    if slim is None and percent in study.data["selections"]:
        row |= {name: study.data["selections"][percent][name] for name in ("total_density", "encoder_density")}
    for batch in (1, 32):
        speed = main_speed(study, f"slim-{percent}", batch)
        row[f"speedup_{batch}"] = speed["speedup"] if speed else None
        row["conditions"] = conditions_text(speed) if speed else row.get("conditions")
    row["ships_weights"] = study.weights(f"slim-{percent}") is not None
    return row


def conditions_text(speed: Mapping[str, Any]) -> str:
    """What a speed was measured on: "CPU, 2 threads, 32 tokens"."""
    device = str(speed["device"]).upper()
    threads = f", {speed['threads']} thread{'' if speed['threads'] == 1 else 's'}" if device == "CPU" else ""
    length = "the validation texts" if speed["length"] == "real" else f"{speed['length']} tokens"
    return f"{device}{threads}, {length}"


def hardware_text(hardware: Any) -> str:
    """The hardware a study was made on, in words, however it was stored."""
    return hardware if isinstance(hardware, str) else ", ".join(str(value) for value in hardware.values())


def provenance_text(study: Study) -> str:
    """A study's provenance in one line."""
    provenance = study.data["provenance"]
    data, seconds = provenance["data"], [value for value in provenance["seconds"].values() if value]
    try:
        date = datetime.fromisoformat(provenance["date"]).strftime("%Y-%m-%d")
    except ValueError:
        date = provenance["date"]
    parts = [study.data["backbone"]["name"], date]
    parts.append(f"commit {provenance['commit'][:7]}" if provenance["commit"] else "no commit recorded")
    parts.append(f"seed {provenance['seed']}")
    rows = [f"{data[split]['rows']:,} {word}" for split, word in (("train", "training"), ("validation", "validation"))
            if data.get(split) and "rows" in data[split]]  # fmt: skip
    parts.append(f"{' and '.join(rows)} examples from {data['source']}" if rows else f"data: {data['source']}")
    where = f"{hardware_text(provenance['hardware'])}, {provenance['threads']} threads"
    parts.append(f"{sum(seconds) / 60:.0f} minutes on {where}" if seconds else where)
    return " · ".join(parts)


def command_text(study: Study) -> str:
    """The command that made the study."""
    command = study.data["provenance"]["command"]
    return command if isinstance(command, str) else " ".join(map(str, command))


def open_sites(masks: Masks, settings: Mapping[str, Any]) -> list[Site]:
    """Layer sites that the selection could cut, or did."""
    named = set(settings.get("sites", ()))
    return [site for site in LAYER_SITES if site in named or not masks[site].all()]


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
    factors: ImportanceFactors, criterion: str, masks: Masks, layer: int, *, in_order: bool, scale: str = "value"
) -> pd.DataFrame:
    """One row per unit of a layer, with its importance relative to the site's cut-off in that layer.

    Args:
        factors: the study's.
        criterion: whose factors are shown; sites without factors are left out.
        masks: which units survive.
        layer: the layer, from 0.
        in_order: units as they lie in the matrices; otherwise the most important first.
        scale: what `shade` holds, see `importance.SCALES`.

    Returns:
        Columns site, title, place (from 0, where the unit is drawn), unit (from 1), head (at `attention_context`),
        importance, relative (decades above the cut-off), shade (what colours show), kept.
    """
    import pandas as pd

    parts = []
    for site in LAYER_SITES:
        if site not in factors.by_criterion[criterion]:
            continue
        values = np.abs(factors.by_criterion[criterion][site][layer]).astype(np.float64)
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


def shape_words(shape: BertShape) -> str:
    """A backbone's widths in words."""
    return f"{shape.layers} layers, {shape.heads} heads, {shape.hidden} wide"
