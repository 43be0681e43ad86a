"""Networks of one task as points, from its studies and from a sweep (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from pruning.bert.counts import count_parameters
from pruning.measure.scoring import Score
from pruning.measure.storage import HALF_BYTES
from pruning.methods.registry import METHODS
from pruning.study import Result, Speed, Study
from pruning.sweep.result import CellResult
from pruning.variants import FLOAT, TEACHER, Variant
from slimviz.frames.measured import BATCHES, TEACHER_KEY, Method, Network, Point, machine_text
from slimviz.frames.provenance import method_title
from slimviz.frames.results import main_speed
from slimviz.theme import METHOD_SHAPES

CUT = "one-shot"  # the one that shows what the others are for, far below them
OWN_METHODS = {
    "slim": "SlimViz",
    "post-training": "Cut and solved, no training",
    CUT: "Cut, nothing else",
}
ROUNDING = 5e-4  # teachers whose scores differ by less, and so look alike when printed, are one


def siblings(key: str, studies: Mapping[str, Study]) -> dict[str, Study]:
    """A study and those that can stand beside it: of the same task and backbone, scored on the same rows."""
    own = studies[key]
    alike = {name: study for name, study in studies.items() if name != key and _yardstick(study) == _yardstick(own)}
    return {key: own, **alike}


def by_method(key: str, studies: Mapping[str, Study]) -> dict[str, str]:
    """Methods by which studies were made that can stand beside one, its own first: each with the first one's key."""
    found: dict[str, str] = {}
    for name, study in siblings(key, studies).items():
        found.setdefault(study.method, name)
    return found


def _yardstick(study: Study) -> tuple[object, ...]:
    document = study.document
    return study.task, document.backbone.sha256, document.provenance.data.validation.sha256


def comparable(study: Study, results: Iterable[CellResult]) -> list[CellResult]:
    """A sweep's results of the same backbone, scored on the same rows."""
    document = study.document
    wanted = document.backbone.sha256, document.provenance.data.validation.sha256
    return [result for result in results if (result.backbone_sha256, result.data.validation.sha256) == wanted]


def points_of(studies: Mapping[str, Study], swept: Sequence[CellResult]) -> list[Point]:
    """All networks of one task, the teacher first, in order of method and size.

    Further teachers are there only where they score otherwise than the first study's.

    Args:
        studies: by key, all comparable with the first, which the page is about; see `siblings`.
        swept: results of a sweep that are comparable with it; see `comparable`.
    """
    found: list[Network] = []
    for number, (key, study) in enumerate(studies.items()):
        found += _of_study(key if number else "", number, study)
    found += _of_sweep(swept, {network.method.key.rpartition("/")[2] for network in found})
    families = list(METHOD_SHAPES)
    groups: dict[tuple[str, str | None], list[Network]] = {}
    for network in found:
        groups.setdefault((network.method.key, network.budget), []).append(network)
    ordered = [Point(tuple(sorted(group, key=lambda one: one.seed or 0))) for group in groups.values()]
    teachers = [point for point in ordered if point.method.is_teacher]
    others = [point for point in ordered if not point.method.is_teacher]
    others.sort(key=lambda point: (families.index(point.method.family), point.method.place))
    kept = [point for place, point in enumerate(teachers) if not place or _differs(point, teachers[0])]
    return [*kept, *others]


def _differs(point: Point, other: Point) -> bool:
    own, theirs = point.score("metric"), other.score("metric")
    return own is None or theirs is None or abs(own - theirs) > ROUNDING


def _of_study(key: str, number: int, study: Study) -> list[Network]:
    """A study's networks on its first split; `key` is "" for the one that the page is about."""
    teacher = study.result(TEACHER)
    whole = count_parameters(study.shape.network()).total
    split = teacher.split if teacher else None
    return [
        _stored(_study_method(result.variant, key, number, study), study, result, whole)
        for result in study.results
        if split in (None, result.split)
    ]


def _study_method(variant: Variant, key: str, number: int, study: Study) -> Method:
    name = variant.method if variant.precision == FLOAT else f"{variant.method}-{variant.precision}"
    of = f" ({key})" if key else ""
    if variant.is_teacher and variant.precision == FLOAT:
        return Method(f"{key}/{name}" if key else name, f"Teacher{of}", "structural", 0, is_teacher=True)
    known = list(OWN_METHODS)
    title = OWN_METHODS.get(name) or method_title(name)
    place = known.index(name) if name in known else len(known)
    return Method(f"{key}/{name}" if key else name, f"{title}{of}", "structural", place + number * (len(known) + 1))


def _stored(method: Method, study: Study, result: Result, whole: int) -> Network:
    parameters, bytes_ = result.parameters.total, HALF_BYTES * result.parameters.total + (result.index_bytes or 0)
    speeds = {batch: main_speed(study, result.variant, batch) for batch in BATCHES}
    timed = next(filter(None, speeds.values()), None)
    return Network(
        method=method,
        budget=result.variant.budget,
        seed=result.variant.seed,
        scores={
            "metric": result.metrics[study.task.main_metric],
            "kept": result.retention,
            "above": result.retention_above_floor,
        },
        costs={
            "parameters": result.total_density,
            "encoder": result.encoder_density,
            "bytes": bytes_ / (HALF_BYTES * whole),
            "flops": result.flop_ratio,
            **{f"ms-{batch}": speed.median_ms if speed else None for batch, speed in speeds.items()},
        },
        amounts={
            "parameters": parameters,
            "encoder": result.parameters.encoder,
            "bytes": bytes_,
            **({"flops": result.flops.total} if result.flops else {}),
        },
        machine=_machine_of(study, timed) if timed else None,
        interval=result.interval,
    )


def _machine_of(study: Study, speed: Speed) -> str:
    device = "" if speed.device == "cpu" else f"{speed.device.upper()} of "
    return machine_text(f"{device}{study.document.provenance.hardware}", speed.threads, speed.length)


def _of_sweep(results: Sequence[CellResult], taken: set[str]) -> list[Network]:
    """A sweep's networks and their teacher; a method that a study has as well gets a name of its own."""
    teachers = _teacher_times(results)
    networks = [_swept(result, _swept_method(result, taken), teachers) for result in results]
    if results:
        method = Method(f"{TEACHER_KEY}-swept", "Teacher of the sweep", "structural", 0, is_teacher=True)
        networks.append(_swept_teacher(results[0], method, teachers))
    return networks


def _teacher_times(results: Sequence[CellResult]) -> dict[tuple[str | None, int], float]:
    """The teacher's milliseconds by machine and batch: the median over the cells, each of which timed it anew."""
    found: dict[tuple[str | None, int], list[float]] = {}
    for result in results:
        for time in result.made.times:
            if time.kernel == TEACHER_KEY:
                found.setdefault((_swept_machine(result), time.batch), []).append(time.median_ms)
    return {key: median(times) for key, times in found.items()}


def _swept_method(result: CellResult, taken: set[str]) -> Method:
    name = result.cell.method
    alike = [method.name for method in METHODS.values() if method.family == result.family]
    place = alike.index(name) if name in alike else len(alike)
    first = len(OWN_METHODS) if result.family == "structural" else 0
    is_taken = name in taken
    title = method_title(name)
    return Method(
        f"{name}-swept" if is_taken else name,
        f"{title}, in the sweep" if is_taken else title,
        result.family,
        first + place,
    )


def _swept(result: CellResult, method: Method, teachers: Mapping[tuple[str | None, int], float]) -> Network:
    """One network; its milliseconds are its share of the teacher's, timed in turns, of what the teacher mostly takes.

    Cells are timed at different hours, in which the machine may be twice as fast, so that only shares compare.
    """
    score, seed, machine = result.score, result.cell.variant.seed, _swept_machine(result)
    shares = {batch: result.share_of_time(batch) for batch in BATCHES}
    times = {batch: share and share * teachers[machine, batch] for batch, share in shares.items()}
    return Network(
        method=method,
        budget=result.cell.budget.name,
        seed=seed,
        scores=_swept_scores(score),
        costs={
            "parameters": result.density,
            "encoder": result.encoder_density,
            "bytes": result.stored_density,
            "flops": result.flop_ratio,
            **{f"ms-{batch}": found for batch, found in times.items()},
        },
        amounts={
            "parameters": result.stored.nonzero,
            "encoder": result.stored.encoder_nonzero,
            "bytes": result.stored.bytes,
            "flops": result.flops.total,
        },
        machine=machine if any(times.values()) else None,
        interval=score.interval,
        steps=result.steps,
        minutes=result.minutes,
    )


def _swept_teacher(result: CellResult, method: Method, teachers: Mapping[tuple[str | None, int], float]) -> Network:
    whole, score, machine = result.teacher_stored, result.teacher, _swept_machine(result)
    times = {batch: teachers.get((machine, batch)) for batch in BATCHES}
    return Network(
        method=method,
        budget=None,
        seed=None,
        scores=_swept_scores(score),
        costs={
            **dict.fromkeys(("parameters", "encoder", "bytes", "flops"), 1.0),
            **{f"ms-{batch}": ms for batch, ms in times.items()},
        },
        amounts={
            "parameters": whole.parameters,
            "encoder": whole.encoder_parameters,
            "bytes": whole.bytes,
            "flops": result.teacher_flops.total,
        },
        machine=machine if any(times.values()) else None,
        interval=None,
    )


def _swept_scores(score: Score) -> dict[str, float | None]:
    return {
        "metric": next(iter(score.metrics.values())),
        "kept": score.retention,
        "above": score.retention_above_floor,
    }


def _swept_machine(result: CellResult) -> str | None:
    """That timed a cell; None where nothing was."""
    made = result.made
    if not made.times:
        return None
    beside = f", {made.workers} networks made at once" if made.workers > 1 else ""
    return machine_text(made.hardware, made.threads, made.times[0].length) + beside
