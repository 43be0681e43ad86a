"""The whole method in one call: a fine-tuned BERT classifier and texts in, a small network out."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from pruning import given
from pruning.bert.classifier import Classifier, find_classifier
from pruning.config import PRESETS, StudyConfig, with_settings
from pruning.data import Examples, Task, unlabelled
from pruning.data.columns import Columns, checked_texts, to_examples
from pruning.data.tables import Table
from pruning.errors import ConfigError, DataError, quoted
from pruning.export import write_export
from pruning.measure.cost import Costs, costs
from pruning.measure.scoring import Score, score
from pruning.pipeline import make_networks
from pruning.report import Run
from pruning.training import processes
from pruning.training.prepare import prepare
from pruning.variants import TEACHER

HELD_OUT = "held_out"


@dataclass(frozen=True)
class Report:
    """What was pruned, what is left, and how closely that follows the teacher on texts that nothing learned from.

    Attributes:
        task: what the network answers; its first metric is `metric`.
        rows: texts that were learned from.
        teacher: the teacher's scores on the texts held out.
        slim: the pruned network's; its `fidelity` says how closely it follows the teacher.
        costs: parameters, densities and FLOPs of the pruned network.
        seconds: stage -> seconds.
    """

    task: Task
    rows: int
    teacher: Score
    slim: Score
    costs: Costs
    seconds: Mapping[str, float]

    @property
    def agreement(self) -> float | None:
        """Share of held-out texts with the teacher's answer; None of a regression."""
        return self.slim.fidelity.agreement if self.slim.fidelity else None

    @property
    def divergence(self) -> float | None:
        """Mean KL divergence from the teacher's answers in nats; of a regression, the mean squared difference."""
        return self.slim.fidelity.divergence if self.slim.fidelity else None

    @property
    def correlation(self) -> float | None:
        """Pearson's correlation with the teacher's scores; None but of a regression."""
        return self.slim.fidelity.correlation if self.slim.fidelity else None

    @property
    def metrics(self) -> Mapping[str, float] | None:
        """The task's metrics by name; None where the texts had no labels."""
        return dict(self.slim.metrics) if self.task.is_labelled else None

    def __str__(self) -> str:
        """A few lines for people."""
        found = (
            f"{self.agreement:.1%} of answers" if self.agreement is not None else f"correlation {self.correlation:.4f}"
        )
        lines = [
            f"{self.costs.parameters.total:,} parameters, {self.costs.total_density:.1%} of the teacher's; "
            f"{self.costs.flop_ratio:.1%} of its operations",
            f"as the teacher on {self.slim.count} texts held out: {found}, divergence {self.divergence:.4f}",
        ]
        for name, value in (self.metrics or {}).items():
            lines.append(f"{self.task.metric_title(name)} {value:.4f}, the teacher's {self.teacher.metrics[name]:.4f}")
        spent = sum(self.seconds.values())
        return "\n".join([*lines, f"learned from {self.rows:,} texts in {spent / 60:.1f} minutes"])


@dataclass(frozen=True)
class Slim:
    """A pruned classifier.

    Attributes:
        network: a torch module in eval mode, on the CPU.
        tokenizer: its own, the vocabulary cut.
        report: what it costs and how closely it follows its teacher.
    """

    network: Any
    tokenizer: Any
    report: Report

    def save(self, folder: Path | str) -> Path:
        """Write a folder that transformers loads without SlimViz; see `pruning.export`.

        Raises:
            ConfigError: if the folder holds something.
        """
        return write_export(self.network, self.tokenizer, folder, is_pair=self.report.task.is_pair)


def prune(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    budget: float = 0.1,
    labels: Sequence[Any] | None = None,
    pairs: Sequence[str] | None = None,
    recover: bool = True,
    *,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    device: str | None = None,
    runs: Path | str | None = None,
    quiet: bool = False,
) -> Slim:
    """See `pruning.prune`, which is this, imported lazily."""
    if not isinstance(model, (str, Path)) and tokenizer is None:
        raise ConfigError("prune: no tokenizer, expected the model's own")
    preset = "full" if recover else "one-shot"
    given_settings = {"seed": seed, "budgets": (budget,), "ship": (), "ablation_rows": 0, **(settings or {})}
    config = with_settings(StudyConfig(), PRESETS[preset] | given_settings)
    with TemporaryDirectory(prefix="slimviz-") as scratch, _random_state_kept():
        classifier = _classifier(model, tokenizer, Path(scratch) / "model")
        task, train = _examples(classifier, texts, pairs, labels)
        data = given.given_data(task, train, None, "texts given", seed)
        context = prepare(given.given_config(config, classifier), data, device=device, quiet=quiet)
        run = make_networks(context, Path(runs) if runs is not None else Path(scratch) / "runs", _say)
        processes.part()
        return _slim(run)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _classifier(model: Any, tokenizer: Any, folder: Path) -> Classifier:
    """The model by its name, or as it lies in memory, saved."""
    if isinstance(model, (str, Path)):
        return find_classifier(str(model), download=True)
    for what, value in {"model": model, "tokenizer": tokenizer}.items():
        if not hasattr(value, "save_pretrained"):
            raise ConfigError(f"prune: {what} is a {type(value).__name__}, expected one of transformers")
        value.save_pretrained(folder)
    return find_classifier(str(folder))


def _examples(
    classifier: Classifier, texts: Sequence[str], pairs: Sequence[str] | None, labels: Sequence[Any] | None
) -> tuple[Task, Examples]:
    """Lists as checked examples, held against each other and the classifier's labels."""
    columns = {"text": texts, "pair": pairs, "label": labels}
    lists = {name: _plain(name, values) for name, values in columns.items() if values is not None}
    for name, values in lists.items():
        if len(values) != len(lists["text"]):
            raise DataError(f"prune: {len(values)} {name}s for {len(lists['text'])} texts, expected as many")
    table = Table("prune", lists)
    names = ("text",) if pairs is None else ("text", "pair")
    task = given.given_task(classifier, "own", names, None if labels is None else "label")
    if labels is None:
        first, *second = (checked_texts(table, name, empty_allowed=False) for name in names)
        return task, unlabelled(first, second[0] if second else None, "texts given")
    wanted = Columns(names, "label", task.labels, numbered=given.numbered(task))
    return task, to_examples(table, wanted, "texts given", empty_allowed=False)


def _plain(name: str, values: Any) -> list[Any]:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise DataError(f"prune: {name}s are {quoted(values)}, expected a list of them")
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def _slim(run: Run) -> Slim:
    """The run's one network with its report."""
    [pruned] = run.networks
    networks = run.by_variant()
    data, dense = run.context.data, run.factors.shape.network()
    held_out = next(iter(data.validation.values()))
    asked = {variant: networks[variant] for variant in (TEACHER, pruned.final)}
    teacher, slim = score(data.task, asked, held_out, HELD_OUT, seed=run.context.config.seed)
    report = Report(
        task=data.task,
        rows=len(data.train),
        teacher=teacher,
        slim=slim,
        costs=costs(pruned.cut.selection.shape, dense),
        seconds=dict(run.seconds),
    )
    return Slim(networks[pruned.final].model, pruned.tokenizer, report)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Random numbers of the caller go on as if nothing had happened."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
