"""The README's results, from the stored studies alone.

python -m benchmarks.results_table                       prints them as Markdown
python -m benchmarks.results_table --write README.md     puts them between that file's markers
python -m benchmarks.results_table --check README.md     exit code 1 where the file says something else

Runs no network: every number is read from ``study.json``, and a broken study is an error.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/results_table.py` works as well
from pruning.errors import SlimVizError, StoreError
from pruning.study import BUNDLED, BrokenStudy, DataRecord, Result, Study, list_studies
from pruning.variants import TEACHER, Variant, one_shot, slim
from slimviz.theme import (
    UNKNOWN,
    bytes_text,
    count_text,
    listing,
    percent_text,
    points_text,
    score_text,
    times_text,
)

BEGIN, END = "<!-- results -->", "<!-- /results -->"
EMPTY = "No studies are stored in `assets/studies` yet."
LENGTH = 32  # tokens at which FLOPs are counted and speed-ups quoted
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
    """Markdown: an overview of what ships with weights, then every study at every stored budget."""
    if not studies:
        return EMPTY
    parts = [_overview(studies, percent) for percent in _shipped(studies)]
    return "\n\n".join([*parts, "#### Every stored budget", *(_details(study) for study in studies)])


def _shipped(studies: Sequence[Study]) -> list[str]:
    """Budgets that some study stores weights of, the largest first."""
    found = {row.selection: row.total_density for study in studies for row in study.results if row.shipped}
    return sorted((budget for budget in found if budget), key=lambda budget: found[budget], reverse=True)


def _overview(studies: Sequence[Study], percent: str) -> str:
    """One row a study, for its first validation split and own seed."""
    header = [
        *("Task", "Metric", "Teacher", "Slim", "Floor", "Retention", "Above floor", "Total density"),
        *("Encoder density", "Batch 1", "Batch 32", "FLOPs", "Size"),
    ]
    rows, kept, above = [], [], []
    for study in studies:
        task, split = study.task, study.task.validation[0]
        teacher, cut = (study.result(variant, split) for variant in (TEACHER, slim(percent)))
        if teacher is None or cut is None or not cut.shipped:
            continue
        kept.append(cut.retention)
        above.append(cut.retention_above_floor)
        rows.append(
            [
                _name(study),
                task.metric_title(),
                _score(study, teacher),
                _score(study, cut),
                score_text(study.document.floor[task.main_metric]),
                percent_text(cut.retention),
                percent_text(cut.retention_above_floor),
                percent_text(cut.total_density),
                percent_text(cut.encoder_density),
                *(_speed(study, cut.variant, *cell) for cell in SPEEDS[:2]),
                percent_text(cut.flop_ratio),
                bytes_text(cut.size_bytes),
            ]
        )
    lines = [f"#### Slim networks that ship: {percent}% of the teacher's parameters", "", *_table(header, rows, 2), ""]
    if len(rows) > 1:
        lines += [f"Mean over the {len(rows)} tasks: retention {_mean(kept)}, above the floor {_mean(above)}.", ""]
    return "\n".join([*lines, _conditions(studies, slim(percent))])


def _conditions(studies: Sequence[Study], variant: Variant) -> str:
    """What the overview's last columns mean, and what they were measured on."""
    speeds = [row for study in studies for row in study.document.speed if row.variant == variant]
    machines = dict.fromkeys(
        f"{row.device.upper()}, {row.threads} threads" if row.device == "cpu" else row.device for row in speeds
    )
    where = f", on {'; '.join(machines)}" if machines else ""
    return (
        "Batch 1 and batch 32: the median time of the teacher, a plain `BertForSequenceClassification`, divided by the "
        f"slim network's; both timed in turns in one run on texts of {LENGTH} tokens{where}. FLOPs: the slim "
        f"network's in percent of the teacher's, at {LENGTH} tokens. Size: the slim network's folder."
    )


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return percent_text(sum(known) / len(known)) if len(known) == len(values) else UNKNOWN


def _name(study: Study) -> str:
    return study.task.title if study.name == study.task.name else f"{study.task.title} ({study.name})"


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
    """All budgets of one study, a table for each split, and where the numbers come from."""
    splits = list(dict.fromkeys(row.split for row in study.results))
    tables = [_budgets(study, split, several=len(splits) > 1) for split in splits]
    return "\n\n".join([*tables, provenance_text(study)])


def _budgets(study: Study, split: str, *, several: bool) -> str:
    task, floor = study.task, study.document.floor
    percents = sorted(study.selections, key=lambda key: study.selections[key].total_density, reverse=True)
    variants = [TEACHER, *map(slim, percents)]
    found = [study.result(variant, split) for variant in variants]
    shots = [None, *(study.result(one_shot(percent), split) for percent in percents)]
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
        f"{title} before recovery": slim_only(metric_of(shots, main)),
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
    threads = provenance.threads
    parts = [
        f"`{provenance.command}`",
        f"commit {provenance.commit}" if provenance.commit else "no commit recorded",
        f"seed {provenance.seed}",
        date,
        f"{provenance.hardware}, {threads} thread{'' if threads == 1 else 's'}",
        f"trained in {provenance.precision}",
        f"torch {provenance.libraries.get('torch', 'unknown')}",
        f"backbone {backbone.name} ({backbone.source}, sha256 {backbone.sha256[:12]})",
        _data(provenance.data),
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


def between_markers(text: str, where: str) -> str:
    """What a document has between its markers."""
    return _section(text, where)[1].strip("\n")


def replaced(text: str, results: str, where: str) -> str:
    """A document with other results between its markers."""
    section = _section(text, where)
    return f"{text[: section.start()]}{BEGIN}\n{results}\n{END}{text[section.end() :]}"


def _section(text: str, where: str) -> re.Match[str]:
    match = re.search(rf"{re.escape(BEGIN)}(.*?){re.escape(END)}", text, re.DOTALL)
    if match is None:
        raise StoreError(f"{where}: has no section between {BEGIN} and {END}")
    return match


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or check; the exit code."""
    parser = argparse.ArgumentParser(description="The README's results, from the stored studies alone.")
    parser.add_argument("--studies", type=Path, default=BUNDLED, help="folder of studies (default: the bundled ones)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="FILE", help="put them between this file's markers")
    action.add_argument("--check", type=Path, metavar="FILE", help="exit code 1 unless the file says the same")
    options = parser.parse_args(arguments)
    try:
        results = results_text(read_studies(options.studies))
        if options.write:
            text = options.write.read_text(encoding="utf-8")
            options.write.write_text(replaced(text, results, str(options.write)), encoding="utf-8")
        elif options.check:
            same = between_markers(options.check.read_text(encoding="utf-8"), str(options.check)) == results
            print(f"{options.check}: {'up to date' if same else 'differs; write it anew with --write'}")
            return 0 if same else 1
        else:
            print(results)
    except (SlimVizError, OSError) as error:
        print(f"results_table: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
