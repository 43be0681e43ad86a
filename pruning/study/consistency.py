"""What fields of `study.json` must agree on with each other (no torch, no files); each disagreement is one line.

`reference_problems` finds what would trip whoever reads the study: names that lead nowhere, rows that are missing.
`arithmetic_problems` computes parameter counts, densities and retentions again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from pruning.bert.shapes import BertShape, NetworkShape
from pruning.errors import ConfigError
from pruning.measure.ablation import counts
from pruning.measure.intervals import retention, retention_above_floor
from pruning.selection.budgets import BUDGET_KINDS
from pruning.study.document import Document, Parameters, Result, SelectionRecord
from pruning.study.files import CORE_FILES, path_problem
from pruning.variants import STEPS, TEACHER, Variant

TOLERANCE = 1e-3  # stored ratios and metrics may be rounded to three decimals


def name_problems(document: Document, folder: str) -> list[str]:
    """Whether the study is called as its folder."""
    if document.name == folder:
        return []
    return [f"study.json: name is '{document.name}', expected that of its folder, '{folder}'"]


def reference_problems(document: Document) -> list[str]:
    """What in the document contradicts the rest of it, so that a reader would find something missing."""
    return [
        *_header_problems(document),
        *_selection_problems(document),
        *_latency_problems(document),
        *_result_problems(document),
        *_ablation_problems(document),
    ]


def _header_problems(document: Document) -> Iterator[str]:
    task, shape, name = document.task, document.backbone.shape, document.backbone.name
    if task.num_labels != shape.labels:
        yield f"study.json: the task has {task.num_labels} label(s), the backbone's shape {shape.labels}"
    if task.main_metric not in document.floor:
        yield f"study.json: floor: metric '{task.main_metric}' is missing"
    try:
        if Variant(document.config.method, "10").method in STEPS:
            yield f"study.json: config.method is '{document.config.method}', which names a step of every method"
    except ConfigError as error:
        yield f"study.json: config.method: {error}"
    if document.config.seed != document.provenance.seed:
        yield f"study.json: provenance.seed is {document.provenance.seed}, config.seed {document.config.seed}"
    if "\\" in name or len(parts := PurePosixPath(name).parts) > 2 or not parts or {"/", ".."} & set(parts):
        yield f"study.json: backbone.name {name!r:.60}, expected a name or an id of the hub, no path"
    yield from (problem for problem in map(path_problem, document.files) if problem)
    yield from (f"study.json: files: '{name}' is missing" for name in CORE_FILES if name not in document.files)


def _selection_problems(document: Document) -> Iterator[str]:
    for key, selection in document.selections.items():
        where = f"study.json: selections.{key}"
        if key != selection.budget.name:
            yield f"{where}: its budget is called {selection.budget.name}"
        if not _fits(selection.network, document.backbone.shape):
            yield f"{where}: its network does not fit into the backbone's shape"


def _fits(network: NetworkShape, dense: BertShape) -> bool:
    """Whether cutting the dense network could leave one of these widths."""
    context = dense.heads * dense.head_size
    same = (network.token_types, network.head_size, network.labels, len(network.layers))
    if same != (dense.token_types, dense.head_size, dense.labels, dense.layers):
        return False
    limits = [
        (network.vocabulary, dense.vocabulary),
        (network.rank or 0, max(dense.hidden, dense.vocabulary)),
        (network.positions, dense.positions),
        (network.hidden, dense.hidden),
        (network.pooler, dense.pooler),
    ]
    for layer in network.layers:
        limits += [(layer.heads, dense.heads), (layer.heads * layer.value_width, context), (layer.ffn, dense.ffn)]
        limits += [(layer.attention_reads, dense.hidden), (layer.ffn_reads, dense.hidden)]
    return all(width <= limit for width, limit in limits)


def _latency_problems(document: Document) -> Iterator[str]:
    for key, selection in document.selections.items():
        if BUDGET_KINDS[selection.budget.kind].needs_latency and document.latency is None:
            yield f"study.json: selections.{key}: counted in milliseconds, but there is no latency table"


def _result_problems(document: Document) -> Iterator[str]:
    task, results = document.task, document.results
    variants = {row.variant for row in results}
    teachers = {row.split for row in results if row.variant == TEACHER}
    twice = [place for place, count in Counter((str(row.variant), row.split) for row in results).items() if count > 1]
    yield from (f"study.json: results: a second result for {name} on {split}" for name, split in twice)
    if not results:
        yield "study.json: results: none, expected at least the teacher's"
    for row in results:
        where = f"study.json: results {row.variant} on {row.split}"
        if row.split not in teachers:
            yield f"{where}: no teacher's result on the same split to compare with"
        yield from (f"{where}: metric '{name}' is missing" for name in task.metrics if name not in row.metrics)
        if (row.correct is None) != task.is_regression or (row.correct or 0) > row.count:
            yield f"{where}: correct {row.correct} of {row.count}, expected {_correct_of(document)}"
        if row.variant.is_teacher:
            if row.selection is not None:
                yield f"{where}: selection '{row.selection}', expected none for the teacher"
        elif row.selection not in document.selections or row.selection != row.variant.budget:
            yield f"{where}: no selection '{row.variant.budget}'"
    for row in document.speed:
        if row.variant not in variants:
            yield f"study.json: speed: {row.variant} has no results"


def _ablation_problems(document: Document) -> Iterator[str]:
    task, shape = document.task, document.backbone.shape
    expected = counts(shape.layers * shape.heads)
    places = Counter((one.network, one.split) for one in document.ablations)
    yield from (f"study.json: ablations: {' on '.join(place)} twice" for place, count in places.items() if count > 1)
    for one in document.ablations:
        where = f"study.json: ablations {one.network} on {one.split}"
        if one.metric != task.main_metric:
            yield f"{where}: of {one.metric}, expected {task.main_metric}"
        if one.split not in ("train", *task.validation):
            yield f"{where}: no such split, expected one of {', '.join(('train', *task.validation))}"
        if one.gated != expected:
            yield f"{where}: heads gated off {list(one.gated)}, expected {list(expected)}"
        if not one.curves:
            yield f"{where}: no criterion's curves"
        lines = [(name, line) for name, both in one.curves.items() for line in (both.least_first, both.most_first)]
        lines += [("random", line) for line in one.random]
        if len({(line[0], line[-1]) for _, line in lines if line}) > 1:
            yield f"{where}: curves differ with all heads or with none, where no order counts"
        for name, line in lines:
            if len(line) != len(expected):
                yield f"{where}: {name}: {len(line)} points, expected {len(expected)}"


def _correct_of(document: Document) -> str:
    return "null for a regression" if document.task.is_regression else "at most as many"


def arithmetic_problems(document: Document) -> list[str]:
    """Stored numbers that do not follow from each other, in a document without `reference_problems`."""
    dense = Parameters.of(document.backbone.shape.network())
    counts = {key: Parameters.of(selection.network) for key, selection in document.selections.items()}
    problems = []
    for key, selection in document.selections.items():
        problems += _density_problems(selection, f"selections.{key}", counts[key], dense)
    for row in document.results:
        where = f"results {row.variant} on {row.split}"
        problems += _density_problems(row, where, counts[row.selection] if row.selection else dense, dense)
        problems += [f"{where}: {problem}" for problem in _score_problems(document, row)]
    return problems


def _score_problems(document: Document, row: Result) -> Iterator[str]:
    """Accuracy against its count, retention against the teacher; above floor on the split that it was counted on."""
    main = document.task.main_metric
    accuracy = row.metrics.get("accuracy")
    if row.correct is not None and accuracy is not None and _differs(accuracy, row.correct / row.count):
        yield f"accuracy {accuracy}, but {row.correct} of {row.count} correct"
    teacher = next(other for other in document.results if other.variant == TEACHER and other.split == row.split)
    pair = row.metrics[main], teacher.metrics[main]
    expected = {"retention": (row.retention, retention(*pair))}
    if row.split == document.task.validation[0]:
        above = retention_above_floor(*pair, document.floor[main])
        expected["retention_above_floor"] = (row.retention_above_floor, above)
    for name, (stored, value) in expected.items():
        if _differs(stored, value):
            shown = "null" if value is None else f"{value:.4f}"
            yield f"{name} {stored}, expected {shown} from the stored metrics"


def _differs(stored: float | None, expected: float | None) -> bool:
    if stored is None or expected is None:
        return stored is not expected
    return not math.isclose(stored, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _density_problems(row: SelectionRecord | Result, where: str, expected: Parameters, dense: Parameters) -> list[str]:
    """Counts against the network's shape, densities against the counts."""
    problems = []
    for name in ("embeddings", "encoder", "pooler", "head", "total"):
        found, wanted = getattr(row.parameters, name), getattr(expected, name)
        if found != wanted:
            problems.append(f"{where}: parameters.{name} {found}, but its network has {wanted}")
    for name, part, whole in (
        ("total_density", row.parameters.total, dense.total),
        ("encoder_density", row.parameters.encoder, dense.encoder),
    ):
        density = part / whole
        if abs(getattr(row, name) - density) > TOLERANCE * max(density, 0.01):
            problems.append(f"{where}: {name} {getattr(row, name)}, expected {density:.6f} from the stored parameters")
    return problems
