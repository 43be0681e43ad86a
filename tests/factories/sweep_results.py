"""Results of a sweep with made-up numbers, as its own records hold them; `write_result` stores them."""

from __future__ import annotations

from collections.abc import Mapping

from pruning.config import StudyConfig
from pruning.measure.cost import Flops
from pruning.measure.intervals import Interval
from pruning.measure.scoring import Score
from pruning.measure.storage import Stored
from pruning.methods.registry import METHODS
from pruning.selection.budget import Budget
from pruning.study.document import DataRecord, Split
from pruning.sweep.plan import Cell
from pruning.sweep.result import CellResult, Making, Time
from pruning.variants import TEACHER

PARAMETERS, ENCODER, FLOPS, TEACHER_MS = 1_000_000, 500_000, 600_000_000, {1: 6.0, 32: 120.0}


def cell_result(
    task: str,
    method: str,
    budget: float,
    *,
    seed: int = 0,
    score: float = 0.87,
    teacher: float = 0.9,
    metric: str = "accuracy",
    backbone: str = "0" * 64,
    validation: str = "2" * 64,
    milliseconds: Mapping[str, float] | None = None,
    hardware: str = "made-up processor",
    workers: int = 1,
    steps: int = 500,
) -> CellResult:
    """One network of a sweep; by default beside the studies that `synthetic_study` writes.

    Args:
        task: of GLUE.
        method: of the registry; one that leaves zeros stores matrices of the old size.
        budget: as a share of the parameters, which it meets.
        seed: of the method.
        score: the network's.
        teacher: the teacher's.
        metric: of both.
        backbone: checksum.
        validation: checksum of the rows that were scored.
        milliseconds: of a batch of 32 by kernel; by the budget by default, as the teacher's for zeros.
        hardware: that timed it.
        workers: cells that were made at once.
        steps: of its training.
    """
    family = METHODS[method].family
    is_sparse = family == "unstructured"
    cell = Cell(task, method, Budget("total_density", budget), seed, StudyConfig(budgets=(budget,), ship=()))
    kernels = milliseconds or {"dense": TEACHER_MS[32] * (1 if is_sparse else budget)}
    times = [
        Time(kernel=kernel, batch=batch, length=32, median_ms=ms * whole / 120, p95_ms=ms * whole / 100, runs=30)
        for batch, whole in TEACHER_MS.items()
        for kernel, ms in {"teacher": TEACHER_MS[32], **kernels}.items()
    ]
    shared = {"split": "validation", "count": 1000, "correct": None, "tokens_per_text": 25.0, "truncated_share": 0.0}
    interval = Interval(metric, score - teacher, score - teacher - 0.01, score - teacher + 0.01, 2000)
    return CellResult(
        cell=cell,
        family=family,
        backbone_sha256=backbone,
        precision="float32",
        data=DataRecord("made up", Split(1000, "1" * 64), Split(1000, validation)),
        floor={metric: 0.5},
        scores=(
            Score(variant=TEACHER, metrics={metric: teacher}, retention=1.0, retention_above_floor=1.0, **shared),
            Score(
                variant=cell.variant,
                metrics={metric: score},
                interval=interval,
                retention=score / teacher,
                retention_above_floor=(score - 0.5) / (teacher - 0.5),
                **shared,
            ),
        ),
        weights_sha256="4" * 64,
        stored=_stored(budget, is_sparse=is_sparse),
        teacher_stored=_stored(1.0, is_sparse=False),
        flops=Flops(32, round(FLOPS * (1 if is_sparse else budget))),
        teacher_flops=Flops(32, FLOPS),
        size_bytes=None,
        steps=steps,
        made=Making(
            seconds={"recover": 60.0},
            shared_seconds={"teacher": 600.0},
            times=tuple(times),
            date="2025-01-02T03:04:05+00:00",
            commit=None,
            hardware=hardware,
            libraries={"torch": "2.13.0"},
            threads=2,
            workers=workers,
        ),
    )


def _stored(share: float, *, is_sparse: bool) -> Stored:
    """So many parameters: of smaller matrices, or not zero in whole ones and half as much again for their places."""
    kept, index = round(PARAMETERS * share), round(PARAMETERS * share) if is_sparse else 0
    return Stored(
        layout="csr" if is_sparse else "dense",
        parameters=PARAMETERS if is_sparse else kept,
        nonzero=kept,
        encoder_parameters=ENCODER if is_sparse else round(ENCODER * share),
        encoder_nonzero=round(ENCODER * share),
        values=kept,
        index_bytes=index,
        bytes=2 * kept + index,
    )
