"""The README's results, from the stored studies alone.

python -m benchmarks.results_table                       prints them as Markdown
python -m benchmarks.results_table --write README.md     puts them between that file's markers
python -m benchmarks.results_table --check README.md     exit code 1 where the file says something else

Runs no network: every number is read from ``study.json``, and a broken study is an error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/results_table.py` works as well
from benchmarks.sections import act, add_actions
from pruning.errors import StoreError
from pruning.measure.ablation import MARGIN, Ablation
from pruning.measure.intervals import retention, retention_above_floor
from pruning.study import BUNDLED, BrokenStudy, DataRecord, Result, Study, list_studies
from pruning.study.notes import notes, start_text
from pruning.variants import TEACHER, Variant, one_shot, post_training, slim
from slimviz.frames.results import Scored
from slimviz.results_in_words import teacher_sentence
from slimviz.theme import (
    UNKNOWN,
    budget_title,
    bytes_text,
    count_text,
    criterion_title,
    listing,
    percent_text,
    points_text,
    score_text,
    spread_text,
    thread_text,
    times_text,
)

SECTION = "results"
EMPTY = "No studies are stored in `assets/studies` yet."
LENGTH = 32  # tokens at which FLOPs are counted and speed-ups quoted
OPTIONAL = ("Over seeds", "No training", "Size")  # columns that are left out where no study has anything for them
SPEEDS = ((1, LENGTH), (32, LENGTH), (32, "real"))  # (texts at once, tokens)


def read_studies(folder: Path) -> list[Study]:
    """All studies of a folder; a broken one is an error."""
    studies = []
    for found in list_studies([folder]):
        if isinstance(found, BrokenStudy):
            raise StoreError(f"{found.folder}: {found.reason}")
        studies.append(found)
    return studies


def results_text(studies: Sequence[Study]) -> str:
    """Markdown: what ships with weights, the other budgets, whether head maps are true, and every study in full."""
    if not studies:
        return EMPTY
    shipped, others = _budgets(studies)
    parts = []
    if shipped:
        heading = f"Slim networks that ship: {_percents(shipped)} of the teacher's parameters"
        parts += [_overview(studies, shipped, heading), _conditions(studies, shipped)]
    if others:
        parts.append(_overview(studies, others, f"{_percents(others)}, numbers alone"))
    parts += [*_remarks(studies), *_truth(studies), "#### Every stored budget", *map(_details, studies)]
    return "\n\n".join(parts)


def _budgets(studies: Sequence[Study]) -> tuple[list[str], list[str]]:
    """Stored budgets, the largest first: those that some study stores weights at, and the others."""
    found = {row.selection: row.total_density for study in studies for row in study.results if row.selection}
    names = sorted(found, key=lambda budget: found[budget], reverse=True)
    shipped = {row.selection for study in studies for row in study.results if row.shipped}
    return [name for name in names if name in shipped], [name for name in names if name not in shipped]


def _percents(budgets: Sequence[str]) -> str:
    return listing([budget_title(budget) for budget in budgets])


def _overview(studies: Sequence[Study], budgets: Sequence[str], heading: str) -> str:
    """A row for each study and budget, on the first validation split; a column for what some study stores."""
    rows, kept = [], {budget: [] for budget in budgets}
    for study in studies:
        split = study.task.validation[0]
        name: Sequence[str] = [_marked(study, studies), study.task.metric_title(), _floor(study), _teacher(study)]
        for budget in budgets:
            cut, solved = (study.result(variant, split) for variant in (slim(budget), post_training(budget)))
            final = cut or solved
            if final is not None:
                kept[budget].append((study, cut))
                rows.append(
                    [*name, budget_title(budget), *_recovered_cells(study, cut), *_cut_cells(study, solved, final)]
                )
                name = [""] * len(name)  # said once a study
    header = [*("Task", "Metric", "Floor", "Teacher", "Kept", "Slim", "Over seeds", "Retention", "Above floor")]
    header += ["No training", "Batch 1", "Batch 32", "Size"]
    used = [number for number, title in enumerate(header) if title not in OPTIONAL or any(row[number] for row in rows)]
    table = _table([header[number] for number in used], [[row[number] for number in used] for row in rows], 2)
    means = [line for budget in budgets for line in _mean_lines(budget, kept[budget])]
    return "\n".join([f"#### {heading}", "", *table, *(["", *means] if means else [])])


def _recovered_cells(study: Study, cut: Result | None) -> list[str]:
    """The recovered network: score, spread over seeds, what is kept."""
    if cut is None:
        return [UNKNOWN, "", UNKNOWN, UNKNOWN]
    spread = study.spread(cut.variant, cut.split)
    kept = percent_text(cut.retention), percent_text(cut.retention_above_floor)
    return [_score(study, cut), spread_text(spread) if spread else "", *kept]


def _cut_cells(study: Study, solved: Result | None, final: Result) -> list[str]:
    """Score without training; speed-ups and size of the network that the study is for."""
    speeds = [_speed(study, final.variant, *cell) for cell in SPEEDS[:2]]
    return [_score(study, solved) if solved else "", *speeds, bytes_text(final.size_bytes) if final.shipped else ""]


def _mean_lines(budget: str, kept: Sequence[tuple[Study, Result | None]]) -> list[str]:
    """Mean over all tasks but WNLI, whose teacher cannot be above its floor; with the mean over seeds, too."""
    found = [(study, cut) for study, cut in kept if cut is not None and study.task.name != "wnli"]
    if len(found) < 2:
        return []
    means = f"retention {_mean([cut.retention for _, cut in found])}, above the floor "
    means += _mean([cut.retention_above_floor for _, cut in found])
    if any(study.spread(cut.variant, cut.split) for study, cut in found):
        over = [_over_seeds(study, cut) for study, cut in found]
        means += f"; with the mean over seeds where several are stored {_mean([one[0] for one in over])} and "
        means += _mean([one[1] for one in over])
    without = " without WNLI" if len(found) < len(kept) else ""
    return [f"- Mean over the {len(found)} tasks{without} at {budget_title(budget)}: {means}."]


def _over_seeds(study: Study, cut: Result) -> tuple[float | None, float | None]:
    """Retention, and retention above the floor, of the mean score over seeds."""
    spread, teacher = study.spread(cut.variant, cut.split), study.result(TEACHER, cut.split)
    if spread is None or teacher is None:
        return cut.retention, cut.retention_above_floor
    main = study.task.main_metric
    score = teacher.metrics[main]
    return retention(spread.mean, score), retention_above_floor(spread.mean, score, study.document.floor[main])


def _remarks(studies: Sequence[Study]) -> list[str]:
    """The footnotes, one a study."""
    said = [" ".join(_notes(study)) for study in _remarked(studies)]
    return ["  \n".join(f"<sup>{number}</sup> {text}" for number, text in enumerate(said, start=1))] if said else []


def _remarked(studies: Sequence[Study]) -> list[Study]:
    return [study for study in studies if _notes(study)]


def _notes(study: Study) -> list[str]:
    """What belongs beside a study's scores, a sentence each."""
    first, main = study.result(TEACHER), study.task.main_metric
    caution = None
    if first is not None:
        teacher = Scored(first.metrics[main], first.correct if main == "accuracy" else None, first.count)
        caution = teacher_sentence(_name(study), teacher, study.document.floor[main])
    return [*notes(study.document, _name(study)), *([caution] if caution else [])]


def _marked(study: Study, studies: Sequence[Study]) -> str:
    """A study's name with the number of its footnote."""
    remarked = _remarked(studies)
    return _name(study) + (f" <sup>{remarked.index(study) + 1}</sup>" if study in remarked else "")


def _truth(studies: Sequence[Study]) -> list[str]:
    """Areas and half the heads off by criterion and task, on validation; nothing where no study stores curves."""
    found = [(study, one) for study in studies if (one := study.ablation("teacher")) is not None]
    if not found:
        return []
    criteria = sorted(
        dict.fromkeys(name for _, one in found for name in one.curves),
        key=lambda name: -sum(one.areas.get(name, 0.0) / (abs(one.whole) or 1.0) for _, one in found),
    )
    rows = [[_cell_text(criterion_title(name)), *(_truth_cell(*each, name) for each in found)] for name in criteria]
    rows += [
        ["Random orders", *(_random_orders(one) for _, one in found)],
        ["Examples", *(_amount(one.rows) for _, one in found)],
    ]
    lines = []
    for study, one in found:
        name = study.head_criterion
        if name not in one.curves:
            continue
        better = [criterion_title(other) for other in one.better_than(name)]
        beaten = {True: "every random order keeps less", False: "a random order keeps as much", None: "no random order"}
        lines.append(
            f"- {_name(study)}: {criterion_title(name)}; better by more than {MARGIN:.0%} of the teacher's score: "
            f"{listing(better) or 'none'}; over all counts of heads {beaten[one.beats_chance(name)]}."
        )
    header = ["Criterion", *(_name(study) for study, _ in found)]
    text = (
        "The teacher's heads are gated off one after another in each criterion's order, and the rest is scored on the "
        "validation split. **Area**: between the curve with the most important heads off first and the one with the "
        "least important first, in units of the metric; 0 is what random orders have on average. **Percent**: what is "
        "left above the floor with the half of the heads off that the criterion calls least important; for random "
        "orders from the worst to the best. Bold: what the map of the Heads page opens with for that task alone, "
        "the best on training rows."
    )
    parts = ["#### Do the head maps tell the truth?", text, "\n".join(_table(header, rows, 1))]
    return [*parts, "\n".join(["What the maps open with:", "", *lines])] if lines else parts


def _truth_cell(study: Study, one: Ablation, name: str) -> str:
    if name not in one.curves:
        return ""
    text = f"{score_text(one.areas[name])}, {percent_text(one.kept_at_half(name), 0)}"
    return f"**{text}**" if name == study.head_criterion else text


def _random_orders(one: Ablation) -> str:
    shares = [share for share in one.kept_at_half_at_random if share is not None]
    return f"{percent_text(min(shares), 0)} to {percent_text(max(shares), 0)}" if shares else UNKNOWN


def _cell_text(text: str) -> str:
    """Words inside a table, where a bar would end the cell."""
    return text.replace("|", "\\|")


def _conditions(studies: Sequence[Study], budgets: Sequence[str]) -> str:
    """What the overview's last columns mean, and what they were measured on."""
    speeds = [row for study in studies for row in study.document.speed if row.variant.budget in budgets]
    machines = dict.fromkeys(
        f"{row.device.upper()}, {thread_text(row.threads)}" if row.device == "cpu" else row.device for row in speeds
    )
    where = f", on {'; '.join(machines)}" if machines else ""
    return (
        "Batch 1 and batch 32: the median time of the teacher, a plain `BertForSequenceClassification`, divided by the "
        f"slim network's; both timed in turns in one run on texts of {LENGTH} tokens{where}. Size: the slim network's "
        "folder."
    )


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return percent_text(sum(known) / len(known)) if len(known) == len(values) else UNKNOWN


def _name(study: Study) -> str:
    return study.task.title if study.name == study.task.name else f"{study.task.title} ({study.name})"


def _floor(study: Study) -> str:
    return score_text(study.document.floor[study.task.main_metric])


def _teacher(study: Study) -> str:
    teacher = study.result(TEACHER, study.task.validation[0])
    return _score(study, teacher) if teacher else UNKNOWN


def _score(study: Study, result: Result) -> str:
    """The main metric, with how many were correct where it is a share of them."""
    metric = study.task.main_metric
    counted = result.correct if metric == "accuracy" else None
    counts = f" ({count_text(counted, result.count)})" if counted is not None else ""
    return score_text(result.metrics[metric]) + counts


def _speed(study: Study, variant: Variant, batch: int, length: int | str) -> str:
    for row in study.document.speed:
        if (row.variant, row.batch, row.length) == (variant, batch, length):
            return times_text(row.speedup)
    return UNKNOWN


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> list[str]:
    """Lines of a Markdown table whose first `words` columns are words, the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def _details(study: Study) -> str:
    """All budgets of one study, a table for each split, and where the numbers come from; folded up."""
    splits = list(dict.fromkeys(row.split for row in study.results))
    tables = [_every_budget(study, split, several=len(splits) > 1) for split in splits]
    opening = f"<details><summary>{_name(study)}: all numbers, and where they come from</summary>"
    return "\n\n".join([opening, *tables, provenance_text(study), "</details>"])


def _every_budget(study: Study, split: str, *, several: bool) -> str:
    task, floor = study.task, study.document.floor
    percents = sorted(study.selections, key=lambda key: study.selections[key].total_density, reverse=True)
    variants = [TEACHER, *map(slim, percents)]
    found = [study.result(variant, split) for variant in variants]
    shots = [None, *(study.result(one_shot(percent), split) for percent in percents)]
    solved = [None, *(study.result(post_training(percent), split) for percent in percents)]
    spreads = [None, *(study.spread(slim(percent), split) for percent in percents)]
    count = next((result.count for result in found if result), None)

    def each(name: str, show: Callable[..., str]) -> list[str]:
        return [show(getattr(result, name)) if result else UNKNOWN for result in found]

    def slim_only(texts: Sequence[str]) -> list[str]:
        return ["", *texts[1:]]

    def metric_of(results: Sequence[Result | None], name: str) -> list[str]:
        return [score_text(result.metrics[name]) if result else UNKNOWN for result in results]

    main, title = task.main_metric, task.metric_title()
    rows = {
        f"{task.metric_title(name)} (floor {score_text(floor.get(name))})": metric_of(found, name)
        for name in task.metrics
    }
    if not task.is_regression:
        rows["correct"] = each("correct", _amount)
    rows |= {
        f"{title} against the teacher, points (95% interval)": slim_only([_difference(result) for result in found]),
        "retention": slim_only(each("retention", percent_text)),
        "retention above floor": slim_only(each("retention_above_floor", percent_text)),
        **({f"{title} over seeds": [spread_text(one) if one else "" for one in spreads]} if any(spreads) else {}),
        f"{title}, only cut": slim_only(metric_of(shots, main)),
        **({f"{title}, cut and solved, no training": slim_only(metric_of(solved, main))} if any(solved) else {}),
        "total density": each("total_density", percent_text),
        "encoder density": each("encoder_density", percent_text),
        **{_speed_label(*cell): slim_only([_speed(study, variant, *cell) for variant in variants]) for cell in SPEEDS},
        f"FLOPs at {LENGTH} tokens": each("flop_ratio", percent_text),
        "size on disk": each("size_bytes", bytes_text),
        "peak memory": each("peak_memory_bytes", bytes_text),
        "weights stored": each("shipped", lambda shipped: "yes" if shipped else "no"),
    }
    heading = f"**{_name(study)}**, {split.replace('_', ' ')} split, {_amount(count)} examples"
    heading += f", seed {study.document.config.seed}" if several else ""
    header = ["", "teacher", *(f"slim {percent}%" for percent in percents)]
    return "\n".join([heading, "", *_table(header, [[label, *texts] for label, texts in rows.items()], 1)])


def _amount(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def _difference(result: Result | None) -> str:
    interval = result.interval if result else None
    if interval is None:
        return UNKNOWN
    span = f" ({points_text(interval.low)} to {points_text(interval.high)})"
    return points_text(interval.difference) + (span if interval.low is not None else "")


def _speed_label(batch: int, length: int | str) -> str:
    return f"speed-up, batch {batch}, " + ("real texts" if length == "real" else f"{length} tokens")


def provenance_text(study: Study) -> str:
    """One paragraph: command, commit, seed, date, hardware, data, time."""
    provenance, backbone = study.document.provenance, study.document.backbone
    try:
        date = datetime.fromisoformat(provenance.date).strftime("%Y-%m-%d")
    except ValueError:
        date = provenance.date
    parts = [
        f"`{provenance.command}`",
        f"commit {provenance.commit}" if provenance.commit else "no commit recorded",
        f"seed {provenance.seed}",
        date,
        f"{provenance.hardware}, {thread_text(provenance.threads)}",
        f"trained in {provenance.precision}",
        f"torch {provenance.libraries.get('torch', 'unknown')}",
        f"backbone {backbone.name} ({backbone.source}, sha256 {backbone.sha256[:12]})",
        _data(provenance.data),
        *([start] if (start := start_text(study.document)) else []),
        *_minutes(provenance.seconds),
        f"smallest reachable total density {percent_text(study.document.smallest_total_density, 2)}",
    ]
    return f"<sub>{'; '.join(parts)}.</sub>"


def _data(data: DataRecord) -> str:
    counts = [
        f"{split.rows:,} {word} rows (sha256 {split.sha256[:12]})"
        for split, word in ((data.train, "training"), (data.validation, "validation"))
    ]
    return f"{listing(counts)} from {data.source}"


def _minutes(seconds: dict[str, float]) -> list[str]:
    spent = [f"{stage} {value / 60:.0f}" for stage, value in seconds.items() if value]
    return [f"minutes spent: {', '.join(spent)}"] if spent else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or check; the exit code."""
    parser = argparse.ArgumentParser(description="The README's results, from the stored studies alone.")
    parser.add_argument("--studies", type=Path, default=BUNDLED, help="folder of studies (default: the bundled ones)")
    add_actions(parser)
    options = parser.parse_args(arguments)
    return act(options, SECTION, lambda: results_text(read_studies(options.studies)), "results_table")


if __name__ == "__main__":
    sys.exit(main())
