"""Before anything is trained: settings are resolved, and what cannot work is refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pruning.bert import backbones, vocabulary
from pruning.bert.model import bert_shape
from pruning.bert.shapes import BertShape
from pruning.config import StudyConfig
from pruning.data import Examples, StudyData
from pruning.errors import ConfigError
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.measure.answers import answered
from pruning.measure.network import Network
from pruning.records import to_plain
from pruning.selection.latency import LatencyTable
from pruning.selection.select import select
from pruning.training import processes
from pruning.training.context import Context, resolve_precision, trains_on_cpu
from pruning.training.start import Start
from pruning.training.teacher import given_network


def prepare(
    config: StudyConfig,
    data: StudyData,
    *,
    start: Start | None = None,
    device: str | None = None,
    quiet: bool = False,
) -> Context:
    """Meet the other processes, draw the training rows, find the backbone, and check that all of it fits together.

    Args:
        config: settings; epoch counts of 0 are filled in by the number of training rows.
        data: task and examples.
        start: another task's teacher that this one's starts from, if any.
        device: "cpu" to stay off accelerators, otherwise one is picked up by itself.
        quiet: no progress bars.

    Raises:
        ConfigError: settings contradict the backbone or the data.
        BackboneError: the backbone cannot be read.
    """
    processes.join(trains_on_cpu(device))
    if config.recover.transfer and data.transfer is None:
        raise ConfigError(f"recover.transfer {','.join(config.recover.transfer)}: expected their texts in the data")
    train = training_rows(data.train, config.train_rows, config.seed)
    backbone = backbones.find_backbone(config.backbone, download=True)
    positions = backbones.positions(backbone)
    if config.max_length > positions:
        raise ConfigError(f"max_length {config.max_length}: backbone {backbone.name!r} has {positions} positions")
    context = Context(
        config=config.resolve(len(train)),
        data=StudyData(data.task, train, data.validation, data.source, data.transfer),
        backbone=backbone,
        tokenizer=backbones.load_tokenizer(backbone),
        start=start,
        device=device,
        precision=resolve_precision(config.trainer.precision),
        quiet=quiet or not processes.is_main(),
    )
    return context if data.task.is_labelled else _answered(context)


def _answered(context: Context) -> Context:
    """The same with the teacher's own answers in place of the labels that there are none of, to report on."""
    if not context.has_given_teacher:
        raise ConfigError(f"task {context.task.name}: has no labels, expected a teacher that knows them")
    network = Network(given_network(context), context.tokenizer, context.config.max_length).on(context.torch_device)
    validation = {split: answered(context.task, network, some) for split, some in context.data.validation.items()}
    return replace(context, data=replace(context.data, validation=validation))


def training_rows(examples: Examples, rows: int, seed: int) -> Examples:
    """At most so many of the examples, in their order; 0 for all."""
    if not rows or rows >= len(examples):
        return examples
    chosen = np.random.default_rng(seed).permutation(len(examples))[:rows]
    return examples.take(np.sort(chosen), origin=f"{examples.origin}, {rows} rows drawn with seed {seed}")


def inputs_of(context: Context) -> dict[str, Any]:
    """What every stage of a study depends on, as plain values."""
    trainer = to_plain(context.config.trainer)
    del trainer["precision"], trainer["checkpoint_steps"]  # resolved below; an interrupted run ends the same
    return {
        "task": context.task.to_json(),
        "training data": context.data.train.sha256,
        "validation data": next(iter(context.data.validation.values())).sha256,
        "backbone": context.backbone.sha256,
        "backbone files": _files_sha256(context.backbone.folder, ("config.json", "tokenizer.json", "vocab.txt")),
        "seed": context.config.seed,
        "max_length": context.config.max_length,
        "trainer": trainer,
        "precision": context.precision,
        "processes": processes.count(),  # which take as many batches at a step
    }


def _files_sha256(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    found = {name: folder / name for name in names if (folder / name).is_file()}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def dense_shape(context: Context) -> BertShape:
    """The teacher's widths."""
    seed, with_head = context.config.seed, context.has_given_teacher
    return bert_shape(backbones.load_backbone(context.backbone, context.task, seed, with_head=with_head))


def untrained_factors(context: Context) -> ImportanceFactors:
    """Factors of a teacher that nothing is known of: enough to say what the smallest network costs."""
    config, shape = context.config, dense_shape(context)
    pieces = TablePieces(
        counts=np.zeros(shape.vocabulary, dtype=np.int32),
        protected=vocabulary.protected_pieces(context.tokenizer, shape.vocabulary),
        spectrum=np.zeros(shape.hidden, dtype=np.float32),
    )
    return ImportanceFactors(shape, {config.criterion: {}}, pieces, np.zeros(shape.pooler, dtype=np.float32))


def check_budgets(context: Context, latency: LatencyTable | None) -> None:
    """Refuse a budget that no selection reaches: what it costs depends on widths alone.

    Raises:
        SelectionError: with the smallest that is reachable.
    """
    config = context.config
    select(untrained_factors(context), config.all_budgets[-1], config.selection, config.criterion, latency)
