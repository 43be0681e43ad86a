"""Measure a run's networks and store them as a study; measure stored networks again on any labelled examples."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pruning.bert.backbones import load_teacher
from pruning.bert.shapes import ParameterCount, count_flops, count_parameters
from pruning.config import percent_name
from pruning.data.examples import Examples
from pruning.data.tasks import Task
from pruning.errors import MeasureError
from pruning.measure import networks as measure
from pruning.measure.metrics import correct, floor, metrics, paired_bootstrap, retention, retention_above_floor
from pruning.pipeline import CutNetwork, StudyRun
from pruning.selection.select import FLOP_LENGTH, Selection, smallest_total_density
from pruning.slimbert import network as slimbert
from pruning.study import Study, write_study
from pruning.study.card import model_card
from pruning.study.document import network_to_json
from pruning.training import processes

SPEED_TEXTS = 256  # real texts per timing, the first of the validation split


def publish(
    run: StudyRun,
    folder: Path,
    *,
    command: str,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
    speed_runs: int = 30,
) -> Study:
    """Measure every network of a run and write the study folder.

    Args:
        run: from `pipeline.run_study`.
        folder: the study's folder; its name becomes the study's.
        command: what the user typed, for provenance.
        overwrite: replace a stored study of the same identity.
        say: called with a line per step.
        speed_runs: timed repetitions per cell of the speed table.
    """
    task, data = run.data.task, run.data
    networks = {"teacher": (run.teacher, run.tokenizer)}
    for network in run.networks:
        percent = percent_name(network.budget)
        networks[f"one-shot-{percent}"] = (network.one_shot, network.tokenizer)
        networks[f"slim-{percent}"] = (network.recovered, network.tokenizer)
    results: list[dict[str, Any]] = []
    for split, examples in data.validation.items():
        say(f"scoring {len(networks)} networks on {split} ({len(examples)} examples)")
        results += score(task, networks, examples, split, run.config.seed, run.config.max_length)
    with TemporaryDirectory(prefix="slimviz-") as scratch:
        slim_folders = {}
        for network in run.networks:
            percent = percent_name(network.budget)
            slim_folder = Path(scratch) / f"slim-{percent}"
            slimbert.save_slim(network.recovered, slim_folder)
            network.tokenizer.save_pretrained(slim_folder)
            if network.budget in run.config.ship:
                slim_folders[percent] = slim_folder
            _describe(run, network, slim_folder, results)
        _describe_teacher(run, results)
        say("timing the teacher and the recovered networks, interleaved")
        timed = {name: pair for name, pair in networks.items() if not name.startswith("one-shot")}
        texts = next(iter(data.validation.values()))
        speed = measure.speed_table(timed, texts.take(np.arange(min(SPEED_TEXTS, len(texts)))), runs=speed_runs)
        document = _document(run, results, speed, command)
        for percent, slim_folder in slim_folders.items():
            card = model_card(document | {"name": folder.name}, percent)
            (slim_folder / "README.md").write_text(card, encoding="utf-8")
        return write_study(
            folder,
            document,
            factors=run.factors,
            masks={percent_name(network.budget): network.selection for network in run.networks},
            history=run.history,
            adapter_folder=run.teacher_folder,
            slim_folders=slim_folders,
            overwrite=overwrite,
        )


def score(
    task: Task,
    networks: Mapping[str, tuple[Any, Any]],
    examples: Examples,
    split: str,
    seed: int,
    max_length: int,
    *,
    device: str = "cpu",
    progress: Callable[[str, int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Metrics of networks on labelled examples, with counts and a paired bootstrap interval against the teacher.

    Args:
        task: what the labels mean.
        networks: name -> (network, its tokenizer); "teacher" is what the others are compared with, where it is there.
        examples: labelled examples.
        split: their name, as stored.
        seed: of the study and of the resampling.
        max_length: longest text in tokens.
        device: where to compute.
        progress: called with (variant, examples done, all).
    """
    floors = floor(task, examples.labels)
    rows: list[dict[str, Any]] = []
    logits: dict[str, np.ndarray] = {}
    for name, (network, tokenizer) in networks.items():

        def tell(done: int, total: int, name: str = name) -> None:
            if progress is not None:
                progress(name, done, total)

        logits[name] = measure.predict_logits(
            network, tokenizer, examples, max_length=max_length, device=device, progress=tell
        )
        values = metrics(task, logits[name], examples.labels)
        tokens, truncated = measure.tokens_per_text(tokenizer, examples, max_length)
        row: dict[str, Any] = {
            "variant": name,
            "split": split,
            "seed": seed,
            "count": len(examples),
            "correct": correct(task, logits[name], examples.labels),
            "metrics": values,
            "tokens_per_text": tokens,
            "truncated_share": truncated,
        }
        if "teacher" in logits:
            main = task.main_metric
            teacher_value = metrics(task, logits["teacher"], examples.labels)[main]
            row["retention"] = retention(values[main], teacher_value)
            row["retention_above_floor"] = retention_above_floor(values[main], teacher_value, floors[main])
            if name != "teacher":
                interval = paired_bootstrap(task, logits[name], logits["teacher"], examples.labels, seed=seed)
                row["interval"] = interval.to_json()
        rows.append(row)
    return rows


def stored_networks(study: Study, variants: Sequence[str] | None = None) -> dict[str, tuple[Any, Any]]:
    """Load a stored study's networks: the teacher and every slim network that ships, or those named.

    Raises:
        MeasureError: if a variant is not stored with its weights.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    shipped = ["teacher", *(name for name in study.variants if name.startswith("slim-") and study.weights(name))]
    for variant in variants or []:
        if variant not in shipped:
            raise MeasureError(
                f"study {study.name}: no weights of {variant!r} are stored, expected one of {', '.join(shipped)}"
            )
    networks: dict[str, tuple[Any, Any]] = {}
    for variant in [name for name in shipped if variants is None or name in variants]:
        if variant == "teacher":
            networks[variant] = load_teacher(study.folder, study.data)
            continue
        folder = study.folder / variant
        network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        networks[variant] = (network, AutoTokenizer.from_pretrained(folder))
    return networks


def answer(
    task: Task, networks: Mapping[str, tuple[Any, Any]], examples: Examples, max_length: int, device: str = "cpu"
) -> list[dict[str, Any]]:
    """What each network says to each example: label and probability, or the raw score of a regression."""
    rows: list[dict[str, Any]] = []
    for index, text in enumerate(examples.texts):
        row: dict[str, Any] = {"text": text, "variants": {}}
        if examples.pairs is not None:
            row["pair"] = examples.pairs[index]
        rows.append(row)
    for name, (network, tokenizer) in networks.items():
        logits = measure.predict_logits(network, tokenizer, examples, max_length=max_length, device=device)
        for row, values in zip(rows, logits.astype(np.float64), strict=True):
            if task.labels is None:
                row["variants"][name] = {"score": float(values[0])}
                continue
            odds = np.exp(values - values.max())
            shares = dict(zip(task.labels, (odds / odds.sum()).tolist(), strict=True))
            best = max(shares, key=lambda label: shares[label])
            row["variants"][name] = {"label": best, "probability": shares[best], "probabilities": shares}
    return rows


def _describe(run: StudyRun, network: CutNetwork, folder: Path, results: list[dict[str, Any]]) -> None:
    """Add sizes, densities and costs to a budget's rows."""
    percent = percent_name(network.budget)
    dense = run.factors.shape.network()
    buffers = measure.index_buffers(network.recovered)
    peak = measure.peak_memory(network.recovered, network.tokenizer, run.config.max_length)
    for row in results:
        if row["variant"] not in (f"one-shot-{percent}", f"slim-{percent}"):
            continue
        is_recovered = row["variant"].startswith("slim")
        row |= _costs(network.selection.parameters, network.selection.shape, dense)
        row |= {
            "index_buffers": buffers[0],
            "index_bytes": buffers[1],
            "size_bytes": measure.size_on_disk(folder) if is_recovered else None,
            "peak_memory_bytes": peak if is_recovered else None,
            "shipped": is_recovered and network.budget in run.config.ship,
        }


def _describe_teacher(run: StudyRun, results: list[dict[str, Any]]) -> None:
    dense = run.factors.shape.network()
    peak = measure.peak_memory(run.teacher, run.tokenizer, run.config.max_length)
    with TemporaryDirectory(prefix="slimviz-") as scratch:
        # The teacher ships as an adapter; its size beside the slim networks' is that of the merged network in half
        # precision, stored the same way.
        slimbert.save_slim(slimbert.dense_from_bert(run.teacher), Path(scratch))
        run.tokenizer.save_pretrained(scratch)
        size = measure.size_on_disk(Path(scratch))
    for row in results:
        if row["variant"] == "teacher":
            row |= _costs(count_parameters(dense), dense, dense)
            row |= {"index_buffers": 0, "index_bytes": 0, "size_bytes": size, "peak_memory_bytes": peak}
            row["shipped"] = True


def _costs(parameters: ParameterCount, shape: Any, dense: Any) -> dict[str, Any]:
    whole = count_parameters(dense)
    flops = count_flops(shape, FLOP_LENGTH)
    return {
        "parameters": asdict(parameters) | {"total": parameters.total},
        "total_density": parameters.total / whole.total,
        "encoder_density": parameters.encoder / whole.encoder,
        "flops": {"length": FLOP_LENGTH, "total": flops},
        "flop_ratio": flops / count_flops(dense, FLOP_LENGTH),
    }


def selection_json(selection: Selection, budget: float, run: StudyRun) -> dict[str, Any]:
    """A selection as stored in the study's document."""
    return {
        "budget": {"kind": "total_density", "value": budget},
        "criterion": run.config.criterion,
        "settings": to_plain(run.config.selection),
        "total_density": selection.total_density,
        "encoder_density": selection.encoder_density,
        "parameters": asdict(selection.parameters) | {"total": selection.parameters.total},
        "rank": selection.rank,
        "pieces": len(selection.pieces),
        "positions": selection.positions,
        "hidden": selection.shape.hidden,
        "pooler": selection.shape.pooler,
        "network": network_to_json(selection.shape),
    }


def _document(run: StudyRun, results: list[dict[str, Any]], speed: list[dict], command: str) -> dict[str, Any]:
    task, data = run.data.task, run.data
    environment = measure.environment()
    first = next(iter(data.validation.values()))
    return {
        "task": task.to_json(),
        "backbone": {
            "name": run.backbone.name,
            "source": run.backbone.source,
            "sha256": run.backbone.sha256,
            "shape": asdict(run.factors.shape),
        },
        "config": to_plain(run.config),
        "provenance": {
            "command": command,
            "commit": current_commit(),
            "seed": run.config.seed,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "hardware": environment["hardware"],
            "threads": environment["threads"],
            "libraries": environment["libraries"],
            "precision": run.precision,
            "processes": processes.count(),
            "data": {
                "source": data.source,
                "train": {"rows": run.train_rows, "sha256": run.train_sha256},
                "transfer": None
                if data.transfer is None
                else {"rows": len(data.transfer), "sha256": data.transfer.sha256, "origin": data.transfer.origin},
                "validation": {"rows": len(first), "sha256": first.sha256},
            },
            "seconds": {stage: round(value, 1) for stage, value in run.seconds.items()},
        },
        "floor": floor(task, first.labels),
        "selections": {
            percent_name(network.budget): selection_json(network.selection, network.budget, run)
            for network in run.networks
        },
        "smallest_total_density": smallest_total_density(run.factors, run.config.selection),
        "results": results,
        "speed": speed,
    }


def current_commit() -> str | None:
    """The commit that this code stands at ("+" where files were changed since), or None outside a checkout."""
    root = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)  # noqa: S607
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "pruning")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
