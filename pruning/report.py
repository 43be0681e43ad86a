"""What a run's networks score, cost and how fast they are: measured, and stored as a study."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from pruning.bert.shapes import NetworkShape
from pruning.importance.factors import ImportanceFactors
from pruning.measure.ablation import Ablation
from pruning.measure.cost import costs, index_buffers, size_on_disk
from pruning.measure.environment import current_commit, environment
from pruning.measure.memory import peak_memory
from pruning.measure.metrics import floor
from pruning.measure.network import Network
from pruning.measure.scoring import Score, score
from pruning.measure.speed import Speed, speed_table
from pruning.selection.latency import LatencyTable
from pruning.selection.select import smallest_total_density
from pruning.slimbert import dense_from_bert, save_slim
from pruning.study.card import model_card
from pruning.study.document import (
    BackboneRecord,
    DataRecord,
    Document,
    Provenance,
    Result,
    SelectionRecord,
    Split,
    StartRecord,
)
from pruning.study.study import Study
from pruning.study.write import Identity, StudyContents, write_study
from pruning.training import processes
from pruning.training.context import Context
from pruning.training.recover import Cut, Recovered
from pruning.training.slim import Slimmed
from pruning.training.teacher import Teacher
from pruning.variants import TEACHER, Variant, one_shot, post_training

SPEED_TEXTS = 256  # real texts per timing, the first of the validation split


@dataclass(frozen=True)
class PrunedNetwork:
    """One budget's networks.

    Attributes:
        method: that chose what stays.
        cut: as it was cut.
        tokenizer: of the cut vocabulary.
        solved: the same with its output matrices solved by least squares; None where that was not asked for.
        recovered: trained again, by seed, None for the study's own; empty where that was not asked for.
    """

    method: str
    cut: Cut
    tokenizer: Any
    solved: Cut | None
    recovered: Mapping[int | None, Recovered]

    @property
    def models(self) -> dict[Variant, Any]:
        """All of them, in the order that they were made in."""
        name = self.cut.budget.name
        found = {one_shot(name): self.cut.model}
        if self.solved is not None:
            found[post_training(name)] = self.solved.model
        trained = {Variant(self.method, name, seed): recovered.model for seed, recovered in self.recovered.items()}
        return found | trained

    @property
    def final(self) -> Variant:
        """The last one made by the study's own seed: what the study is for."""
        return [variant for variant in self.models if variant.seed is None][-1]


@dataclass(frozen=True)
class Run:
    """A study in memory, ready to be measured and stored.

    Attributes:
        context: settings, data, backbone.
        teacher: see `train_teacher`.
        slimmed: see `slim`; None where slimming was not asked for.
        earlier: what training of the method's own before any cut reported.
        factors: what the selections were made from.
        ablations: what heads gated off by each criterion cost.
        latency: what budgets of milliseconds were counted with; None where there are none.
        networks: one a budget, largest first.
        seconds: stage -> seconds spent.
    """

    context: Context
    teacher: Teacher
    slimmed: Slimmed | None
    earlier: tuple[dict[str, Any], ...]
    factors: ImportanceFactors
    ablations: tuple[Ablation, ...]
    latency: LatencyTable | None
    networks: tuple[PrunedNetwork, ...]
    seconds: dict[str, float]

    @property
    def history(self) -> list[dict[str, Any]]:
        """What training reported, stage after stage."""
        return [
            *self.teacher.history,
            *(self.slimmed.history if self.slimmed else ()),
            *self.earlier,
            *(row for network in self.networks for found in network.recovered.values() for row in found.history),
        ]

    def by_variant(self) -> dict[Variant, Network]:
        """All networks on the CPU, ready to answer; the teacher first."""
        length = self.context.config.max_length
        found = {TEACHER: Network(self.teacher.model, self.context.tokenizer, length)}
        for network in self.networks:
            found |= {variant: Network(model, network.tokenizer, length) for variant, model in network.models.items()}
        return found

    @property
    def finals(self) -> list[Variant]:
        """The teacher, and each budget's network that the study is for."""
        return [TEACHER, *(network.final for network in self.networks)]


def identity_of(context: Context) -> Identity:
    """What tells one study from another, known before training."""
    return Identity(context.task, context.backbone.sha256, context.config, context.data.train.sha256)


def store_run(
    run: Run, folder: Path, *, command: str, overwrite: bool = False, say: Callable[[str], None] = lambda line: None
) -> Study:
    """Measure every network of a run and write the study folder.

    Args:
        run: all networks.
        folder: the study's folder; its name becomes the study's.
        command: what the user typed, for provenance.
        overwrite: replace a stored study of the same identity.
        say: called with a line a step.
    """
    networks, data = run.by_variant(), run.context.data
    scores: list[Score] = []
    for split, examples in data.validation.items():
        say(f"scoring {len(networks)} networks on {split} ({len(examples)} examples)")
        scores += score(data.task, networks, examples, split, seed=run.context.config.seed)
    say("timing the teacher and the networks, interleaved")
    timed = {variant: networks[variant] for variant in run.finals}
    texts = next(iter(data.validation.values()))
    speed = speed_table(timed, texts.take(np.arange(min(SPEED_TEXTS, len(texts)))))
    with TemporaryDirectory(prefix="slimviz-") as scratch:
        folders = _save_networks(run, Path(scratch))
        document = _document(run, _results(run, scores, folders), speed, command)
        document = document.replace(name=folder.name)
        weights = {} if run.teacher.folder is None else {TEACHER: run.teacher.folder}
        for variant in _shipped(run):
            (folders[variant] / "README.md").write_text(model_card(document, variant), encoding="utf-8")
            weights[variant] = folders[variant]
        selections = {network.cut.budget.name: network.cut.selection for network in run.networks}
        contents = StudyContents(document, run.factors, selections, run.history, weights)
        return write_study(folder, contents, overwrite=overwrite)


def _shipped(run: Run) -> list[Variant]:
    """Cut networks whose weights are stored."""
    kept = run.context.config.ship
    return [network.final for network in run.networks if network.cut.budget.value in kept]


def _save_networks(run: Run, scratch: Path) -> dict[Variant, Path]:
    """Save the teacher and the networks that the study is for as they are shipped, which is how sizes are compared.

    The teacher's own folder of a study holds an adapter; here it is the merged network in half precision.
    """
    folders = {}
    networks = run.by_variant()
    for variant in run.finals:
        network, folder = networks[variant], scratch / variant.name
        save_slim(dense_from_bert(network.model) if variant.is_teacher else network.model, folder)
        network.tokenizer.save_pretrained(folder)
        folders[variant] = folder
    return folders


def _results(run: Run, scores: Sequence[Score], folders: Mapping[Variant, Path]) -> list[Result]:
    """Scores with sizes, densities and costs."""
    described = {TEACHER: _described(run, TEACHER, run.factors.shape.network(), None, folders)}
    for network in run.networks:
        name, shape = network.cut.budget.name, network.cut.selection.shape
        for variant in network.models:
            described[variant] = _described(run, variant, shape, name, folders)
    return [Result(**_fields(row) | described[row.variant]) for row in scores]


def _described(
    run: Run, variant: Variant, shape: NetworkShape, selection: str | None, folders: Mapping[Variant, Path]
) -> dict[str, Any]:
    """All of a variant's result that no split changes."""
    network = run.by_variant()[variant]
    folder = folders.get(variant)
    count, size = (0, 0) if variant.is_teacher else index_buffers(network.model)
    return {
        **_fields(costs(shape, run.factors.shape.network())),
        "selection": selection,
        "index_buffers": count,
        "index_bytes": size,
        "size_bytes": None if folder is None else size_on_disk(folder),
        "peak_memory_bytes": None if folder is None else peak_memory(network),
        "shipped": variant in _shipped(run) or (variant.is_teacher and run.teacher.folder is not None),
    }


def _fields(record: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(record)


def _document(run: Run, results: Sequence[Result], speed: Sequence[Speed], command: str) -> Document:
    context, config = run.context, run.context.config
    first = next(iter(context.data.validation.values()))
    return Document(
        name="unnamed",
        task=context.task,
        backbone=BackboneRecord(
            context.backbone.name, context.backbone.source, context.backbone.sha256, run.factors.shape
        ),
        config=config,
        provenance=_provenance(run, command),
        floor=floor(context.task, first.labels),
        selections={network.cut.budget.name: _selection(run, network.cut) for network in run.networks},
        smallest_total_density=smallest_total_density(run.factors, config.selection),
        latency=run.latency,
        results=tuple(results),
        speed=tuple(speed),
        ablations=run.ablations,
        files={},
    )


def _selection(run: Run, cut: Cut) -> SelectionRecord:
    """A selection as the study's document says it."""
    spent = costs(cut.selection.shape, run.factors.shape.network())
    return SelectionRecord(
        budget=cut.budget,
        criterion=run.context.config.criterion,
        settings=run.context.config.selection,
        total_density=spent.total_density,
        encoder_density=spent.encoder_density,
        parameters=spent.parameters,
        network=cut.selection.shape,
    )


def _provenance(run: Run, command: str) -> Provenance:
    context, here = run.context, environment()
    data = context.data
    first = next(iter(data.validation.values()))
    transfer = data.transfer
    return Provenance(
        command=command,
        commit=current_commit(),
        seed=context.config.seed,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        hardware=here.hardware,
        threads=here.threads,
        libraries=here.libraries,
        precision=context.precision,
        processes=processes.count(),
        data=DataRecord(
            source=data.source,
            train=Split(len(data.train), data.train.sha256),
            validation=Split(len(first), first.sha256),
            transfer=None if transfer is None else Split(len(transfer), transfer.sha256, transfer.origin),
        ),
        start=None if context.start is None else StartRecord(context.start.name, context.start.sha256),
        seconds={stage: round(value, 1) for stage, value in run.seconds.items()},
    )
