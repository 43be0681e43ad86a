"""What a live run found, in words and as a table (pure)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pruning.data.task import METRIC_TITLES, OF_ANSWERS, SHARES
from pruning.study import Study
from pruning.variants import Variant
from slimviz import theme
from slimviz.frames.provenance import is_own
from slimviz.widgets.networks import device_title, name

REAL = "real texts"  # what `LiveRun.rows` calls the length of examples as they are


def stored_sentence(study: Study, variants: Sequence[Variant]) -> str | None:
    """What the study itself says of these networks, for comparison; None where it says nothing."""
    task, said, count = study.task, [], 0
    for variant in variants:
        result = study.result(variant)
        if result is None or (variant.is_teacher and not task.is_labelled):  # it agrees with itself
            continue
        score, count = theme.metric_text(task.main_metric, result.metrics[task.main_metric]), result.count
        said.append(f"{name(variant).lower()} {score} ({theme.count_text(result.correct, result.count)})")
    if not said:
        return None
    split = f"the {count:,} texts it was scored on" if is_own(task) else "its whole validation split"
    metric = theme.plain(metric_name(task.main_metric))
    return f"Stored with the study, {metric} on {split}: {theme.plain(theme.listing(said))}."


def network_name(row: dict[str, Any]) -> str:
    """A row's network as a sentence begins with it."""
    return name(Variant.parse(row["network"]))


def metric_name(metric: str) -> str:
    """A metric's name inside a sentence: "accuracy", "MCC", "agreement with the teacher"."""
    title = METRIC_TITLES.get(metric, metric)
    return title.lower() if metric in SHARES | OF_ANSWERS else title


def metric_text(row: dict[str, Any]) -> str:
    """A row's main metric with its count: "0.922 accuracy (118/128 right)"."""
    count = f" ({row['correct']}/{row['examples']} right)" if row["correct"] is not None else ""
    return f"{theme.score_text(row[row['metric']])} {metric_name(row['metric'])}{count}"


def interval_text(row: dict[str, Any]) -> str:
    """A difference with its interval: "−2.3 points, 95% interval −6.3 to +1.6"."""
    low, high = theme.points_text(row["low"]), theme.points_text(row["high"])
    return f"{theme.points_text(row['difference'])} points, 95% interval {low} to {high}"


def score_sentence(rows: Sequence[dict[str, Any]]) -> str | None:
    """What the networks got right, on what, as Markdown; None where nothing was answered."""
    if rows[0]["data"] is None or not rows[0]["examples"]:
        return None
    first, last = rows[0], rows[-1]
    of = f" of {first['examples_available']:,}" if first["examples"] < first["examples_available"] else ""
    what = f"{first['examples']:,}{of} examples of {theme.plain(first['data'])}"
    if last.get("metric", "agreement") in OF_ANSWERS:
        return agreement_sentence(what, last)
    where = f"On {what}: "
    said = [f"{network_name(row).lower()} reaches **{theme.plain(metric_text(row))}**" for row in rows]
    sentence = where + theme.listing(said)
    if "difference" in last:
        sentence += f" ({interval_text(last)})"
    sentence += f". Always the most frequent answer would score {theme.score_text(first['floor'])}."
    if "agreement" in last:
        sentence += f" Labels aside, slim gives the teacher's answer to {theme.percent_text(last['agreement'])}."
    if "correlation" in last:
        sentence += (
            f" Labels aside, slim's scores correlate with the teacher's at {theme.score_text(last['correlation'])}."
        )
    return sentence


def agreement_sentence(what: str, row: dict[str, Any]) -> str:
    """How the slim network's answers to examples without labels compare with the teacher's, as Markdown.

    Args:
        what: the examples, in words.
        row: the slim network's; without a metric where the teacher did not answer.
    """
    who = network_name(row)
    if "metric" not in row:
        return f"{who} answered {what}; without labels or another network there is nothing to hold its answers against."
    text = functools.partial(theme.metric_text, row["metric"])
    span = f", 95% interval {text(1 + row['low'])} to {text(1 + row['high'])}" if row.get("low") is not None else ""
    if row["metric"] == "correlation":
        score = f"**{text(row['correlation'])}**{span}"
        return f"On {what}, without labels: the scores of {who.lower()} correlate with the teacher's at {score}."
    share = f"**{text(row['agreement'])} ({row['correct']:,}/{row['examples']:,})**{span}"
    same = f"One same answer to all would agree in {text(row['floor'])}."
    return f"On {what}, without labels: {who.lower()} gives the teacher's answer to {share}. {same}"


def speed_sentence(rows: Sequence[dict[str, Any]]) -> str | None:
    """How fast the networks were, on what, as Markdown; None where nothing was timed."""
    if "median_ms" not in rows[0]:
        return None
    first, last = rows[0], rows[-1]
    length = "the real texts" if first["length"] == REAL else f"texts of {first['length']} tokens"
    device = device_title(first["device"])
    threads = f", {theme.thread_text(first['threads'])}" if device == "CPU" else ""
    where = f"{device}{threads}, batch {first['batch']}, {length}, {first['timed_batches']} batches timed"
    times = [f"{network_name(row).lower()} takes {theme.milliseconds_text(row['median_ms'])}" for row in rows]
    sentence = f"A batch ({where}): " + theme.listing(times) + " in the median"
    if len(rows) == 2 and last.get("speedup"):
        sentence += f", so slim is **{theme.times_text(last['speedup'])}** as fast"
    return sentence + "."


def rate_text(rate: float | None) -> str:
    """Texts a second, without false precision."""
    return theme.UNKNOWN if rate is None else f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}"


def result_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One line a network, as printed."""
    lines, shown = [], [metric for metric in METRIC_TITLES if any(metric in row for row in rows)]
    has_labels = any(row.get("metric") not in (None, *OF_ANSWERS) for row in rows)
    are_counted = any(row.get("metric") == "agreement" for row in rows)
    for row in rows:
        line: dict[str, str] = {"Network": network_name(row)}
        for metric in shown:
            line[METRIC_TITLES[metric]] = theme.metric_text(metric, row.get(metric))
        if are_counted:
            line["Same answers"] = (
                theme.count_text(row["correct"], row["examples"]) if "metric" in row else theme.UNKNOWN
            )
        if has_labels:
            line["Right"] = theme.count_text(row["correct"], row["examples"])
            line["Against the teacher"] = interval_text(row) if "difference" in row else theme.UNKNOWN
            line["Retention"] = theme.percent_text(row.get("retention"))
            line["Retention above floor"] = theme.percent_text(row.get("retention_above_floor"))
        line["Median"] = theme.milliseconds_text(row.get("median_ms"))
        line["95th percentile"] = theme.milliseconds_text(row.get("p95_ms"))
        line["Texts a second"] = rate_text(row.get("texts_per_second"))
        line["Speed-up"] = theme.times_text(row.get("speedup"))
        lines.append(line)
    return pd.DataFrame(lines)
