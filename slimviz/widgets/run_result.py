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
from slimviz.live.runtimes import RUNTIMES, TORCH
from slimviz.widgets.networks import device_title, name

FEWEST_EXAMPLES = 30  # with fewer, there are counts and no shares
FEWEST_BATCHES = 5  # timed; with fewer, there are no milliseconds
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
        return agreement_sentence(f"{what}{runtime_text(first)}", last)
    where = f"On {what}{runtime_text(first)}: "
    if first["examples"] < FEWEST_EXAMPLES:
        return where + _counts_alone(rows)
    said = [f"{network_name(row).lower()} reaches **{theme.plain(metric_text(row))}**" for row in rows]
    sentence = where + theme.listing(said)
    if "difference" in last:
        sentence += f" ({interval_text(last)})"
    knowing_nothing = "Always the most frequent answer" if first["metric"] in SHARES else "Knowing nothing"
    sentence += f". {knowing_nothing} would score {theme.score_text(first['floor'])}."
    if "agreement" in last:
        sentence += f" Labels aside, slim gives the teacher's answer to {theme.percent_text(last['agreement'])}."
    if "correlation" in last:
        sentence += (
            f" Labels aside, slim's scores correlate with the teacher's at {theme.score_text(last['correlation'])}."
        )
    return sentence


def _counts_alone(rows: Sequence[dict[str, Any]]) -> str:
    """What so few examples allow to be said."""
    if rows[0]["correct"] is None:
        return f"too few for a figure; from {FEWEST_EXAMPLES} examples on there is one."
    said = [f"{network_name(row).lower()} gets **{row['correct']}** right" for row in rows]
    return f"{theme.listing(said)}; too few for a share, which is given from {FEWEST_EXAMPLES} examples on."


def busy_sentence(rows: Sequence[dict[str, Any]]) -> str | None:
    """That other programs took what the networks needed; None where they did not, or where nobody knows."""
    if not any(row.get("is_busy") for row in rows):
        return None
    cores = max(row["others_cores"] for row in rows)
    return (
        f"The machine was busy: other programs kept {cores:.1f} of its cores at work meanwhile. Milliseconds and "
        "speed-ups are those of a busy machine and do not compare with stored ones."
    )


def stored_against_here(study: Study, rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The slim network's speed-up as stored with the study and as measured here, a line; none where either is missing.

    Args:
        study: whose networks ran.
        rows: of the run.
    """
    last = rows[-1]
    if last["runtime"] != TORCH.name:  # what is stored was timed in torch
        return []
    if last.get("speedup") is None or last["timed_batches"] < FEWEST_BATCHES or len(rows) < 2:
        return []
    length = "real" if last["length"] == REAL else last["length"]
    what = (Variant.parse(last["network"]), last["batch"], length)
    for speed in study.document.speed:
        if (speed.variant, speed.batch, speed.length) == what:
            texts = "real texts" if length == "real" else f"{length} tokens"
            stored = _where(study.document.provenance.hardware, speed.device, speed.threads)
            here = _where(last["hardware"], last["device"], last["threads"])
            if last["device"] == speed.device == "cpu" and last["threads"] != speed.threads:
                here += f" instead of {speed.threads}"
            return [
                {
                    "Speed-up": f"batch {speed.batch}, {texts}",
                    "Stored": f"{theme.times_text(speed.speedup)} ({stored})",
                    "Here": f"{speedup_text(last)} ({here}{', busy' if last['is_busy'] else ''})",
                }
            ]
    return []


def _where(hardware: str, device: str, threads: int) -> str:
    """A machine and what of it computed: threads on the CPU, else the device."""
    return f"{theme.plain(hardware)}, {theme.thread_text(threads) if device == 'cpu' else device_title(device)}"


def speedup_text(row: dict[str, Any]) -> str:
    """A speed-up with its interval: "4.0×, 95% interval 3.8× to 4.1×"."""
    ends = [row.get("speedup_low"), row.get("speedup_high")]
    span = f", 95% interval {theme.times_text(ends[0])} to {theme.times_text(ends[1])}" if None not in ends else ""
    return f"{theme.times_text(row['speedup'])}{span}"


def agreement_sentence(what: str, row: dict[str, Any]) -> str:
    """How the slim network's answers to examples without labels compare with the teacher's, as Markdown.

    Args:
        what: the examples, in words.
        row: the slim network's; without a metric where the teacher did not answer.
    """
    who = network_name(row)
    if "metric" in row and row["examples"] < FEWEST_EXAMPLES:
        if row["correct"] is None:
            return f"On {what}, without labels: too few to correlate scores."
        same = f"the teacher's answer to **{row['correct']:,} of {row['examples']:,}**"
        return f"On {what}, without labels: {who.lower()} gives {same}; too few for a share."
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
    batches = f"{first['timed_batches']} batch{'es' if first['timed_batches'] != 1 else ''} timed"
    where = f"{device}, {RUNTIMES[first['runtime']].title}{threads}, batch {first['batch']}, {length}, {batches}"
    if first["timed_batches"] < FEWEST_BATCHES:
        return f"Too few batches for milliseconds ({where}): there are some from {FEWEST_BATCHES} on."
    times = [f"{network_name(row).lower()} takes {theme.milliseconds_text(row['median_ms'])}" for row in rows]
    sentence = f"A batch ({where}): " + theme.listing(times) + " in the median"
    if len(rows) == 2 and last.get("speedup"):
        sentence += f", so slim is **{theme.times_text(last['speedup'])}** as fast"
        sentence += speedup_text(last).removeprefix(theme.times_text(last["speedup"]))
    return sentence + "."


def runtime_text(row: dict[str, Any]) -> str:
    """What a row's networks answered with, behind a comma; nothing for torch, in which scores are stored."""
    runtime = RUNTIMES[row["runtime"]]
    return "" if runtime is TORCH else f", in {runtime.title}"


def rate_text(rate: float | None) -> str:
    """Texts a second, without false precision."""
    return theme.UNKNOWN if rate is None else f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}"


def result_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One line a network, as printed."""
    lines, shown = [], [metric for metric in METRIC_TITLES if any(metric in row for row in rows)]
    has_labels = any(row.get("metric") not in (None, *OF_ANSWERS) for row in rows)
    are_counted = any(row.get("metric") == "agreement" for row in rows)
    is_enough, is_timed = rows[0]["examples"] >= FEWEST_EXAMPLES, rows[0].get("timed_batches", 0) >= FEWEST_BATCHES
    for row in rows:
        line: dict[str, str] = {"Network": network_name(row)}
        for metric in shown if is_enough else ():
            line[METRIC_TITLES[metric]] = theme.metric_text(metric, row.get(metric))
        if are_counted:
            line["Same answers"] = (
                theme.count_text(row["correct"], row["examples"]) if "metric" in row else theme.UNKNOWN
            )
        if has_labels:
            line["Right"] = theme.count_text(row["correct"], row["examples"])
        if has_labels and is_enough:
            line["Against the teacher"] = interval_text(row) if "difference" in row else theme.UNKNOWN
            line["Kept"] = theme.kept_text(row.get("retention"))
            line["Kept above floor"] = theme.kept_text(row.get("retention_above_floor"))
        if is_timed:
            line["Median"] = theme.milliseconds_text(row.get("median_ms"))
            line["95th percentile"] = theme.milliseconds_text(row.get("p95_ms"))
            line["Texts a second"] = rate_text(row.get("texts_per_second"))
            line["Speed-up"] = theme.times_text(row.get("speedup"))
        lines.append(line)
    return pd.DataFrame(lines)
