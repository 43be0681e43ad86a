"""The whole method, in order: one study from raw examples to trained, cut and recovered networks.

    teacher -> cached answers -> slimming -> factors -> (select -> shrink -> recover) per budget

Every stage leaves its result under the run folder; the same call goes on where it was interrupted. A stage's folder is
named after a hash of all that it depends on, so another setting never picks up a stale result. `publish` measures the
networks and writes the study. Of several processes all train, the main one writes (see `processes`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from pruning.bert import backbones, vocabulary
from pruning.bert.model import attach, bert_shape, freeze_word_table, read_factors, read_weights, word_table
from pruning.compress import shrink
from pruning.config import StudyConfig
from pruning.data.batches import Encoded, collate, encode
from pruning.data.examples import Examples, joined
from pruning.data.study_data import StudyData
from pruning.data.tasks import Task
from pruning.errors import ConfigError
from pruning.importance import criteria as importance
from pruning.importance.factors import ImportanceFactors, TablePieces, piece_mass
from pruning.measure.metrics import metrics
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, select
from pruning.selection.settings import SelectionSettings
from pruning.slimbert import network as slimbert
from pruning.study.read import factors_from_arrays
from pruning.study.write import factor_arrays
from pruning.training.teacher_cache import TeacherCache, fill_cache, hidden_bytes
from pruning.training.trainer import Distillation, Stage, processes, run_stage, trains_on_cpu, uses_bfloat16

TEACHER_FIELDS = (
    "backbone",
    "seed",
    "max_length",
    "train_rows",
    "batch_size",
    "teacher",
    "adapter_rank",
    "teacher_epochs",
    "teacher_rate",
    "full_rate",
    "weight_decay",
    "warmup_share",
)
SLIM_FIELDS = (
    "sites",
    "penalty",
    "penalty_weight",
    "slim_epochs",
    "slim_rate",
    "alpha_rate",
    "temperature",
    "logits_weight",
    "task_weight",
)
RECOVER_FIELDS = ("criterion", "selection", "recover_rate", "hidden_weight")
LORA_TARGETS = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class CutNetwork:
    """One budget's networks.

    Attributes:
        budget: total density asked for.
        selection: what survived.
        one_shot: the shrunk network before recovery, eval mode, on the CPU.
        recovered: the same after recovery, weights rounded through half precision as they are stored.
        tokenizer: of the cut vocabulary.
    """

    budget: float
    selection: Selection
    one_shot: Any
    recovered: Any
    tokenizer: Any


@dataclass(frozen=True)
class StudyRun:
    """A study in memory, ready to be measured and stored."""

    config: StudyConfig
    data: StudyData
    backbone: backbones.Backbone
    tokenizer: Any
    teacher: Any
    teacher_folder: Path
    factors: ImportanceFactors
    networks: list[CutNetwork]
    history: list[dict[str, Any]]
    seconds: dict[str, float]
    precision: str
    train_rows: int
    train_sha256: str


def run_study(
    config: StudyConfig, data: StudyData, runs: Path, *, device: str | None = None, quiet: bool = False
) -> StudyRun:
    """Train a teacher, slim it, cut it to each budget and recover it; see the module's first lines.

    Args:
        config: settings; epoch counts of 0 are filled in by the number of training rows.
        data: task and examples.
        runs: folder for checkpoints and stage results; may be deleted afterwards.
        device: "cpu" to stay off accelerators, otherwise one is picked up by itself.
        quiet: no progress bars.
    """
    processes.join(trains_on_cpu(device))
    quiet = quiet or not processes.is_main()
    train = _subsample(data.train, config)
    config = config.resolve(len(train))
    backbone = backbones.find_backbone(config.backbone)
    tokenizer = backbones.load_tokenizer(backbone)
    positions = backbones.positions(backbone)
    if config.max_length > positions:
        raise ConfigError(f"max_length {config.max_length}: backbone {backbone.name!r} has {positions} positions")
    _check_budgets(config, data.task, backbone, tokenizer)
    precision = "bfloat16" if uses_bfloat16(config) else "float32"
    origin = [backbone.sha256, train.sha256, data.task.to_json(), precision]
    if processes.count() > 1:  # which take as many batches at a step
        origin.append(processes.count())
    folder = runs / f"{data.task.name}-{_hash(origin, _part(config, TEACHER_FIELDS))}"
    folder.mkdir(parents=True, exist_ok=True)
    seconds = _Seconds()
    encoded = encode(tokenizer, train, config.max_length)
    validation = encode(tokenizer, next(iter(data.validation.values())), config.max_length)
    history: list[dict[str, Any]] = []

    with seconds.of("teacher", folder / "teacher"):
        teacher, entries = train_teacher(
            config, data.task, backbone, encoded, validation, folder / "teacher", device, quiet
        )
        history += entries
    with seconds.of("cache", folder / "cache"):
        cache = _cache(config, teacher, encoded, folder / "cache", device, quiet)
    slim_folder = folder / f"slim-{_hash(_part(config, SLIM_FIELDS))}"
    with seconds.of("slim", slim_folder / "slim"):
        slimmed, entries = slim(
            config, data.task, teacher, encoded, validation, cache, slim_folder / "slim", device, quiet
        )
        history += entries
    # The table's spectrum is weighted by this share; the default one's factors keep the plain name.
    share = config.selection.general_share
    name = "factors" if share == SelectionSettings().general_share else f"factors-{_hash(share)}"
    path = slim_folder / f"{name}.safetensors"
    with processes.main_first():
        factors = find_factors(config, data.task, teacher, slimmed, tokenizer, encoded, path)
    lessons = train
    if data.transfer is not None:  # recovery follows the teacher on these texts, too
        lessons = joined(train, data.transfer)
        encoded = encode(tokenizer, lessons, config.max_length)
        cache_folder = folder / f"cache-{_hash(lessons.sha256)}"
        with seconds.of("transfer-cache", cache_folder):
            cache = _cache(config, teacher, encoded, cache_folder, device, quiet)
    extra = [] if data.transfer is None else [data.transfer.sha256]
    networks = []
    for budget in config.budgets:
        epochs = config.recover.epochs_at(budget)
        name = f"recover-{percent_name(budget)}"
        stage_folder = slim_folder / f"{name}-{_hash(_part(config, RECOVER_FIELDS), epochs, *extra)}"
        with seconds.of(name, stage_folder):
            network, entries = cut_and_recover(
                config, data.task, budget, slimmed, factors, tokenizer, lessons, encoded,
                data.validation, cache, stage_folder, name, device, quiet,
            )  # fmt: skip
        networks.append(network)
        history += entries
    processes.part()
    return StudyRun(
        config, data, backbone, tokenizer, teacher, folder / "teacher" / "stored", factors, networks, history,
        seconds.values, precision, len(train), train.sha256,
    )  # fmt: skip


def identity(config: StudyConfig, data: StudyData) -> dict[str, Any]:
    """What tells one study from another, known before training: the part of its document that the store compares."""
    train = _subsample(data.train, config)
    return {
        "task": data.task.to_json(),
        "backbone": {"sha256": backbones.find_backbone(config.backbone).sha256},
        "config": config.resolve(len(train)),
        "provenance": {"seed": config.seed, "data": {"train": {"rows": len(train), "sha256": train.sha256}}},
    }


def train_teacher(
    config: StudyConfig,
    task: Task,
    backbone: backbones.Backbone,
    encoded: Encoded,
    validation: Encoded,
    folder: Path,
    device: str | None = None,
    quiet: bool = False,
) -> tuple[Any, list[dict[str, Any]]]:
    """Fine-tune the backbone by adapter or fully; returns the stored, reloaded dense teacher and its history."""
    model = backbones.load_backbone(backbone, task, config.seed)
    is_adapter = config.teacher.tuning == "adapter"
    if is_adapter:
        from peft import LoraConfig, get_peft_model

        settings = LoraConfig(
            r=config.teacher.rank,
            lora_alpha=config.teacher.rank,
            target_modules=list(LORA_TARGETS),
            modules_to_save=["pooler", "classifier"],
            lora_dropout=0.0,
        )
        torch.manual_seed(config.seed)
        model = get_peft_model(model, settings)
    rate = config.teacher.rate if is_adapter else config.teacher.full_rate
    stage = Stage(
        name="teacher",
        folder=folder,
        encoded=encoded,
        epochs=config.teacher.epochs,
        rate=rate,
        is_regression=task.is_regression,
        evaluate=_evaluator(task, validation),
    )
    history = run_stage(model, stage, config, device=device, quiet=quiet)
    stored = folder / "stored"
    with processes.main_first():
        if not stored.is_dir():
            staging = folder / "stored.partial"
            shutil.rmtree(staging, ignore_errors=True)
            _store_teacher(model, staging, is_adapter)
            staging.rename(stored)
    # What is shipped is what everything is compared with: half-precision adapter, merged.
    return backbones.load_trained(backbones.load_backbone(backbone, task, config.seed), stored), history


def _store_teacher(model: Any, folder: Path, is_adapter: bool) -> None:
    from safetensors import torch as tensors

    folder.mkdir(parents=True)
    if is_adapter:
        model.save_pretrained(str(folder))
        (folder / "README.md").unlink(missing_ok=True)  # peft's template says nothing about this teacher
        path = folder / "adapter_model.safetensors"
        half = {name: tensor.half().contiguous() for name, tensor in tensors.load_file(path).items()}
        tensors.save_file(half, path, metadata={"format": "pt"})
        settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        settings["base_model_name_or_path"] = backbones.EMBEDDED  # not a path of this machine; SlimViz passes the base
        settings["target_modules"] = sorted(settings["target_modules"])
        (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2, sort_keys=True), encoding="utf-8")
    else:
        half = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
        tensors.save_file(half, folder / backbones.WEIGHTS, metadata={"format": "pt"})


def slim(
    config: StudyConfig,
    task: Task,
    teacher: Any,
    encoded: Encoded,
    validation: Encoded,
    cache: TeacherCache,
    folder: Path,
    device: str | None = None,
    quiet: bool = False,
) -> tuple[Any, list[dict[str, Any]]]:
    """Attach slim layers to a copy of the teacher and train factors and weights together."""
    import copy

    model = copy.deepcopy(teacher)
    _without_dropout(model)
    freeze_word_table(model)
    attach(model, sites=config.slim.sites, penalty=config.slim.penalty)
    stage = Stage(
        name="slim",
        folder=folder,
        encoded=encoded,
        epochs=config.slim.epochs,
        rate=config.slim.rate,
        is_regression=task.is_regression,
        alpha_rate=config.slim.alpha_rate,
        penalty_weight=config.slim.penalty_weight,
        distillation=Distillation(
            cache,
            config.distillation.temperature,
            config.distillation.logits_weight,
            0.0,
            config.distillation.task_weight,
        ),
        evaluate=_evaluator(task, validation),
    )
    history = run_stage(model, stage, config, device=device, quiet=quiet)
    return model, history


def find_factors(
    config: StudyConfig, task: Task, teacher: Any, slimmed: Any, tokenizer: Any, encoded: Encoded, path: Path
) -> ImportanceFactors:
    """All criteria, piece counts, the table's spectrum and pooler importance; computed once per slimmed network."""
    shape = bert_shape(slimmed)
    if path.is_file():
        return factors_from_arrays(shape, load_file(path))
    counts = vocabulary.piece_counts(encoded.input_ids, shape.vocabulary)
    pieces = importance.table_pieces(
        counts,
        vocabulary.protected_pieces(tokenizer, shape.vocabulary),
        vocabulary.unusable_pieces(tokenizer, shape.vocabulary),
        word_table(slimmed),
        config.selection.general_share,
    )
    gradients = importance.gradient_importance(teacher, encoded, is_regression=task.is_regression, seed=config.seed)
    pooler = importance.pooler_importance(slimmed, encoded, seed=config.seed)
    factors = importance.assemble(shape, importance.alpha_importance(slimmed), gradients, pieces, pooler)
    partial = path.with_suffix(".partial")
    save_file(factor_arrays(factors), partial)
    partial.rename(path)
    return factors


def cut_and_recover(
    config: StudyConfig,
    task: Task,
    budget: float,
    slimmed: Any,
    factors: ImportanceFactors,
    tokenizer: Any,
    train: Examples,
    encoded: Encoded,
    validation: dict[str, Examples],
    cache: TeacherCache,
    folder: Path,
    name: str,
    device: str | None = None,
    quiet: bool = False,
) -> tuple[CutNetwork, list[dict[str, Any]]]:
    """Select under the budget, shrink, and train what is left to follow the teacher."""
    selection = select(factors, Budget("total_density", budget), config.selection, config.criterion)
    cut_tokenizer = vocabulary.cut_tokenizer(tokenizer, selection.pieces, positions=selection.positions)
    one_shot = shrunk_network(task, slimmed, factors, selection, config.selection.general_share)
    student = shrunk_network(task, slimmed, factors, selection, config.selection.general_share)
    own = encode(cut_tokenizer, train, config.max_length)
    aligned = np.array(
        [
            len(ids) == len(reference) and np.array_equal(selection.pieces[ids], reference)
            for ids, reference in zip(own.input_ids, encoded.input_ids, strict=True)
        ]
    )
    columns = np.flatnonzero(selection.masks.hidden) if not selection.masks.hidden.all() else None
    hidden_weight = config.recover.hidden_weight if cache.has_hidden else 0.0
    stage = Stage(
        name=name,
        folder=folder,
        encoded=own,
        epochs=config.recover.epochs_at(budget),
        rate=config.recover.rate,
        is_regression=task.is_regression,
        distillation=Distillation(
            cache,
            config.distillation.temperature,
            config.distillation.logits_weight,
            hidden_weight,
            config.distillation.task_weight,
            columns,
            aligned,
        ),
        evaluate=_evaluator(task, encode(cut_tokenizer, next(iter(validation.values())), config.max_length)),
    )
    history = run_stage(student, stage, config, device=device, quiet=quiet)
    slimbert.round_to_half(student)
    return CutNetwork(budget, selection, one_shot, student, cut_tokenizer), history


def shrunk_network(
    task: Task, slimmed: Any, factors: ImportanceFactors, selection: Selection, general_share: float
) -> Any:
    """Fold the slimmed network's factors, cut everything that was not selected, and build the small network."""
    weights = shrink.shrink(
        read_weights(slimmed),
        factors.shape,
        selection.masks,
        factors=read_factors(slimmed),
        pieces=selection.pieces,
        rank=selection.rank,
        frequencies=piece_mass(factors.pieces.counts, factors.pieces.protected, general_share),
        positions=selection.positions,
        pooler=selection.pooler,
    )
    labels = task.labels or ("score",)
    return slimbert.from_weights(
        weights,
        id2label=dict(enumerate(labels)),
        problem_type="regression" if task.is_regression else "single_label_classification",
        original=factors.shape,
    ).eval()


@torch.no_grad()
def encoded_logits(model: nn.Module, encoded: Encoded) -> np.ndarray:
    """Logits of encoded examples, in their order, ``(examples, labels)`` float32."""
    model.eval()
    device = next(model.parameters()).device
    make_batch = collate(encoded, few_lengths=True)
    order = np.argsort(encoded.lengths, kind="stable")
    logits: list[np.ndarray] = []
    for start in range(0, len(order), EVALUATION_BATCH):
        batch = make_batch(order[start : start + EVALUATION_BATCH].tolist())
        inputs = {name: batch[name].to(device) for name in ("input_ids", "attention_mask", "token_type_ids")}
        logits.append(model(**inputs).logits.float().cpu().numpy())
    result = np.concatenate(logits)
    restored = np.empty_like(result)
    restored[order] = result
    return restored


def _evaluator(task: Task, encoded: Encoded) -> Any:
    def evaluate(model: nn.Module) -> dict[str, float]:
        return metrics(task, encoded_logits(model, encoded), encoded.labels)

    return evaluate


def _cache(
    config: StudyConfig, teacher: Any, encoded: Encoded, folder: Path, device: str | None, quiet: bool
) -> TeacherCache:
    from tqdm import tqdm

    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    keep = (
        hidden_bytes(encoded, teacher.config.num_hidden_layers + 1, teacher.config.hidden_size)
        <= config.recover.cache_bytes
    )
    with (
        processes.main_first(),
        tqdm(total=len(encoded), desc="teacher's answers", unit="text", disable=quiet, mininterval=1.0) as bar,
    ):

        def progress(done: int, total: int) -> None:
            bar.update(done - bar.n)

        cache = fill_cache(
            folder,
            teacher,
            encoded,
            keep_hidden=keep,
            device=where,
            autocast=uses_bfloat16(config),
            progress=progress,
        )
    teacher.cpu()
    return cache


def _check_budgets(config: StudyConfig, task: Task, backbone: backbones.Backbone, tokenizer: Any) -> None:
    """Refuse a budget that no selection reaches before anything is trained: what it costs depends on widths alone."""
    shape = bert_shape(backbones.load_backbone(backbone, task, config.seed))
    pieces = TablePieces(
        counts=np.zeros(shape.vocabulary, dtype=np.int32),
        protected=vocabulary.protected_pieces(tokenizer, shape.vocabulary),
        spectrum=np.zeros(shape.hidden, dtype=np.float32),
    )
    untrained = ImportanceFactors(shape, {config.criterion: {}}, pieces, np.zeros(shape.pooler, dtype=np.float32))
    select(untrained, Budget("total_density", min(config.budgets)), config.selection, config.criterion)


def _subsample(examples: Examples, config: StudyConfig) -> Examples:
    if not config.train_rows or config.train_rows >= len(examples):
        return examples
    chosen = np.random.default_rng(config.seed).permutation(len(examples))[: config.train_rows]
    return examples.take(
        np.sort(chosen), origin=f"{examples.origin}, {config.train_rows} rows drawn with seed {config.seed}"
    )


def _without_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def _part(config: StudyConfig, names: tuple[str, ...]) -> dict[str, Any]:
    values = config.to_json()
    return {name: values[name] for name in names}


def _hash(*values: Any) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class _Seconds:
    """Seconds spent per stage over all interrupted calls, kept in a file beside the stage's own folder."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str, folder: Path) -> Iterator[None]:
        """Add the time spent inside, except for the moment it takes to find a finished stage."""
        path = folder.with_name(f"{folder.name}.seconds")
        try:
            earlier = float(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            earlier = 0.0
        start = perf_counter()
        try:
            yield
        finally:
            spent = perf_counter() - start
            self.values[stage] = earlier + spent if spent > 10 or not earlier else earlier
            if processes.is_main():
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_name(f"{path.name}.partial")
                partial.write_text(repr(self.values[stage]), encoding="utf-8")
                partial.replace(path)
