"""One cell: its network made, measured and stored."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from pruning.bert.counts import FLOP_LENGTH, count_parameters
from pruning.config import StudyConfig
from pruning.data import get_task, glue_data
from pruning.measure.cost import Flops, flops_by_torch, saved_tensors, size_on_disk
from pruning.measure.environment import current_commit, environment
from pruning.measure.latency import Call, Rounds, latency, using_threads
from pruning.measure.logits import encoded_logits
from pruning.measure.metrics import floor
from pruning.measure.network import Network
from pruning.measure.scoring import Score, score_logits
from pruning.measure.speed import made_up
from pruning.measure.storage import stored
from pruning.methods.made import Made
from pruning.methods.registry import METHODS
from pruning.methods.shared import Shared, learn_shared
from pruning.slimbert import SlimBertForSequenceClassification, parameter_count, save_slim, shape_of
from pruning.stages import Stages
from pruning.study.document import DataRecord, Split
from pruning.sweep.place import Place
from pruning.sweep.plan import Cell
from pruning.sweep.result import CellResult, Making, Time, write_result
from pruning.training.prepare import inputs_of, prepare
from pruning.variants import TEACHER

BATCHES = (1, 32)
ROUNDS = Rounds(runs=30, seconds=10.0)


class Workshop:
    """Makes cells one after another, and keeps what those of one task share.

    Args:
        place: where to work.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._shared: dict[bytes, tuple[Shared, dict[str, float]]] = {}

    def make(self, cell: Cell) -> CellResult:
        """Make a cell, measure it and write its result."""
        with using_threads(self.place.threads):  # results depend on them, to the bit
            shared, shared_seconds = self._shared_of(cell)
            shared.stages.seconds.clear()
            method = METHODS[cell.method]
            made = method.load()(shared, cell.budget, cell.variant.seed)
            seconds = dict(shared.stages.seconds)
            result = measured(cell, shared, made, self.place, (seconds, shared_seconds))
        write_result(Path(self.place.output), result)
        return result

    def _shared_of(self, cell: Cell) -> tuple[Shared, dict[str, float]]:
        """Teacher, importance and answers of a cell's task, and the seconds that they took."""
        config = cell.settings.replace(budgets=StudyConfig().budgets)  # no stage of the shared ones knows a budget
        key = msgspec.json.encode((cell.task, config))
        if key not in self._shared:
            task = get_task(cell.task)
            others = [get_task(name) for name in config.recover.transfer]
            rows, seed = config.recover.transfer_rows, config.seed
            data = glue_data(task, self.place.source, transfer=others, transfer_rows=rows, seed=seed)
            context = prepare(config, data, device=self.place.device, quiet=True)
            shared = learn_shared(context, Stages(Path(self.place.runs) / task.name, inputs_of(context)))
            _ = shared.lessons, shared.reference
            self._shared[key] = shared, dict(shared.stages.seconds)
        return self._shared[key]


def measured(
    cell: Cell, shared: Shared, made: Made, place: Place, seconds: tuple[Mapping[str, float], Mapping[str, float]]
) -> CellResult:
    """A network that was made, in numbers; `seconds` are the method's own and the shared ones."""
    context = shared.context
    network = made.network(shared)  # what answers and is timed; `made.model` is what is counted
    teacher = Network(shared.teacher.model, context.tokenizer, context.config.max_length)
    length = min(FLOP_LENGTH, network.max_length)
    here, first = environment(), next(iter(context.data.validation.values()))
    transfer = context.data.transfer
    return CellResult(
        cell=cell,
        family=METHODS[cell.method].family,
        note=made.note,
        backbone_sha256=context.backbone.sha256,
        precision=context.precision,
        data=DataRecord(
            context.data.source,
            Split(len(context.data.train), context.data.train.sha256),
            Split(len(first), first.sha256),
            None if transfer is None else Split(len(transfer), transfer.sha256, transfer.origin),
        ),
        floor=floor(context.task, first.labels),
        scores=_scores(cell, shared, teacher, network),
        weights_sha256=_sha256(made.model),
        stored=stored(made.model, int8=made.int8),
        teacher_stored=stored(teacher.model),
        flops=Flops(length, flops_by_torch(made.model, 1, length)),
        teacher_flops=Flops(length, flops_by_torch(teacher.model, 1, length)),
        size_bytes=_size(network),
        steps=made.steps,
        made=Making(
            seconds={name: round(value, 1) for name, value in seconds[0].items()},
            shared_seconds={name: round(value, 1) for name, value in seconds[1].items()},
            times=_times(teacher, network, made.kernels, length, place.threads),
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            commit=current_commit(),
            hardware=here.hardware,
            libraries=here.libraries,
            threads=place.threads,
            workers=place.workers,
        ),
    )


def _scores(cell: Cell, shared: Shared, teacher: Network, network: Network) -> tuple[Score, ...]:
    """Teacher and network on each validation split."""
    found: list[Score] = []
    for split, examples in shared.context.data.validation.items():
        own, theirs = network.encode(examples), teacher.encode(examples)
        logits = {TEACHER: shared.reference[split], cell.variant: encoded_logits(network.model, own)}
        lengths = {
            TEACHER: (theirs.tokens_per_text, theirs.truncated_share),
            cell.variant: (own.tokens_per_text, own.truncated_share),
        }
        seed = cell.settings.seed
        found += score_logits(shared.context.task, logits, examples.labels, split, lengths=lengths, seed=seed)
    return tuple(found)


def _sha256(model: Any) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(saved_tensors(model).items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _size(network: Network) -> int | None:
    """Bytes of the network's folder, as a study would ship it; None where it would not be read as the same network."""
    model = network.model
    if not isinstance(model, SlimBertForSequenceClassification):
        return None
    config: Any = model.config  # transformers types it as any model's
    if parameter_count(model) != count_parameters(shape_of(config)):
        return None  # matrices that are products, or layers that are one
    with TemporaryDirectory(prefix="slimviz-") as scratch:
        save_slim(model, scratch)
        network.tokenizer.save_pretrained(scratch)
        return size_on_disk(scratch)


def _times(
    teacher: Network, network: Network, kernels: Mapping[str, Any], length: int, threads: int
) -> tuple[Time, ...]:
    """Milliseconds of teacher and network, and of the network by other kernels, in turns."""
    networks = {"teacher": teacher, "dense": network}
    networks |= {name: Network(model, network.tokenizer, network.max_length) for name, model in kernels.items()}
    rows = []
    for batch in BATCHES:
        calls: dict[str, Call] = {name: _call(one, batch, length) for name, one in networks.items()}
        for name, timed in latency(calls, ROUNDS).items():
            row = Time(
                kernel=name,
                batch=batch,
                length=length,
                median_ms=timed.median_ms,
                p95_ms=timed.p95_ms,
                runs=timed.runs,
            )
            rows.append(row)
    return tuple(rows)


def _call(network: Network, batch: int, length: int) -> Call:
    inputs = made_up(network, batch, length)
    return lambda number: network.model(**inputs)
