"""A stored study: its typed document, its arrays compared with their checksums, its networks (torch only for these)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning.bert.shapes import BertShape, Masks, Site
from pruning.config import DEFAULT_METHOD
from pruning.data.tasks import Task
from pruning.errors import StoreError
from pruning.importance.factors import ImportanceFactors
from pruning.measure.ablation import Ablated, Ablation, truest
from pruning.measure.intervals import Spread
from pruning.study.arrays import Cut, HistoryRow, decode_cuts, decode_factors, decode_history
from pruning.study.document import Document, Result, SelectionRecord
from pruning.study.files import FACTORS_FILE, HISTORY_FILE, MASKS_FILE, read_bytes
from pruning.variants import Variant, post_training

if TYPE_CHECKING:
    from pruning.measure.network import Network


@dataclass(frozen=True)
class Study:
    """A stored study.

    Attributes:
        folder: where it lies.
        document: its checked `study.json`.
    """

    folder: Path
    document: Document

    @property
    def name(self) -> str:
        """The study's name, also its folder's."""
        return self.document.name

    @property
    def task(self) -> Task:
        """The task."""
        return self.document.task

    @property
    def method(self) -> str:
        """What chose the units that stay: "slim", SlimViz's own way, or a rival of it; see `methods.registry`."""
        return self.document.config.method

    @property
    def is_by_rival(self) -> bool:
        """Whether another method than SlimViz's own chose what stays."""
        return self.method != DEFAULT_METHOD

    @property
    def shape(self) -> BertShape:
        """The dense backbone's widths."""
        return self.document.backbone.shape

    @property
    def results(self) -> tuple[Result, ...]:
        """One record a variant and split."""
        return self.document.results

    @property
    def selections(self) -> dict[str, SelectionRecord]:
        """What was selected, by the budget's name."""
        return self.document.selections

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of all variants with results, in stored order: "teacher", "slim-10", ..."""
        return tuple(dict.fromkeys(str(result.variant) for result in self.results))

    def variant(self, name: str | Variant) -> Variant:
        """The variant of that name; StoreError where the study has no results of it."""
        for result in self.results:
            if str(result.variant) == str(name):
                return result.variant
        raise StoreError(f"study {self.name}: no variant {str(name)!r:.60}, expected one of {', '.join(self.variants)}")

    def final(self, budget: str) -> Variant:
        """The network that the study's own method ends with at a budget ("10"): recovered, or solved alone."""
        recovered, solved = Variant(self.method, budget), post_training(budget)
        return solved if self.result(recovered) is None and self.result(solved) is not None else recovered

    def result(self, variant: str | Variant, split: str | None = None) -> Result | None:
        """A variant's row on a split (default: the task's first one where it is there), or None."""
        rows = [row for row in self.results if str(row.variant) == str(variant) and split in (None, row.split)]
        rows.sort(key=lambda row: row.split != self.task.validation[0])
        return rows[0] if rows else None

    def spread(self, variant: Variant, split: str | None = None) -> Spread | None:
        """The main metric over the seeds that are stored of a variant, its own among them; None where there is one.

        Args:
            variant: without a seed.
            split: as of `result`.
        """
        own = self.result(variant, split)
        if own is None:
            return None
        rows = [row for row in self.results if row.split == own.split and row.variant.replace(seed=None) == variant]
        return Spread.of([row.metrics[self.task.main_metric] for row in rows])

    def weights(self, variant: str | Variant) -> Path | None:
        """Folder of a variant's weights (the teacher's: its adapter), or None where they are not all here."""
        listed = self.weight_files(variant)
        if not any(path.endswith(".safetensors") for path in listed):
            return None
        return self.folder / str(variant) if all((self.folder / path).is_file() for path in listed) else None

    def weight_files(self, variant: str | Variant) -> list[str]:
        """Paths of a variant's files as listed in `study.json`."""
        return [path for path in self.document.files if path.startswith(f"{variant}/")]

    def weights_sha256(self, *variants: str | Variant) -> dict[str, str]:
        """Checksums of variants' weights, by path, and of the backbone's, which a teacher's may be an adapter for."""
        listed = [path for variant in variants for path in self.weight_files(variant) if path.endswith(".safetensors")]
        return {"backbone": self.document.backbone.sha256} | {path: self.document.files[path].sha256 for path in listed}

    def importance(self, criterion: str) -> dict[Site, np.ndarray]:
        """A criterion's stored values, ``(layers, units)`` or ``(units,)`` float32 a site."""
        return load_factors(self).stored(criterion)

    def heads(self, criterion: str | None = None) -> np.ndarray:
        """Importance per head, (layers, heads) float32; by default of the criterion that the Heads page opens with."""
        return load_factors(self).heads(criterion or self.head_criterion)

    @property
    def head_criterion(self) -> str | None:
        """The criterion that head maps open with: the truest on training rows; None where that was not measured."""
        return truest(self.document.ablations)

    def ablation(self, network: Ablated = "teacher", split: str | None = None) -> Ablation | None:
        """What heads gated off by each criterion cost a network, or None where it was not measured.

        Args:
            network: "teacher" or "slimmed".
            split: "train", or one of the task's validation splits; the first of them by default.
        """
        wanted = (network, split or self.task.validation[0])
        return next((one for one in self.document.ablations if (one.network, one.split) == wanted), None)

    def network(self, variant: str | Variant) -> Any:
        """A variant's network: a torch module in eval mode on the CPU, loaded anew at each call."""
        return self._load(variant).model

    def tokenizer(self, variant: str | Variant) -> Any:
        """A variant's tokenizer."""
        return self._load(variant).tokenizer

    def logits(self, variant: str | Variant, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """What a variant answers, (texts, labels) float32.

        Args:
            variant: which network.
            texts: first texts.
            pairs: second texts, for tasks about two.
        """
        from pruning.data.examples import unlabelled
        from pruning.measure.logits import predict_logits

        network = self._load(variant)
        examples = unlabelled(list(texts), None if pairs is None else list(pairs), "texts")
        return predict_logits(network, examples)

    def _load(self, variant: str | Variant) -> Network:
        from pruning.study.networks import load_network

        return load_network(self, variant)


def _checked(study: Study, path: str) -> bytes:
    content = read_bytes(study.folder, path)
    if hashlib.sha256(content).hexdigest() != study.document.files[path].sha256:
        raise StoreError(f"{study.folder}: {path} is not the file that was stored (its checksum differs)")
    return content


def load_factors(study: Study) -> ImportanceFactors:
    """The importance factors that the study's selections were made from; StoreError where they are damaged."""
    content = _checked(study, FACTORS_FILE)
    try:
        return decode_factors(content, study.shape)
    except StoreError as error:
        raise StoreError(f"{study.folder}: {error}") from None


def load_cut(study: Study, budget: str) -> Cut:
    """Masks, vocabulary and pooler units of a stored budget ("10"); StoreError where they are missing or damaged."""
    if budget not in study.selections:
        known = ", ".join(study.selections) or "none"
        raise StoreError(f"{study.folder}: no masks at {budget}%, expected one of {known}")
    content = _checked(study, MASKS_FILE)
    try:
        return decode_cuts(content, study.shape, study.selections)[budget]
    except StoreError as error:
        raise StoreError(f"{study.folder}: {error}") from None


def load_masks(study: Study, budget: str) -> Masks:
    """The masks of a stored budget ("10")."""
    return load_cut(study, budget).masks


def load_history(study: Study) -> list[HistoryRow]:
    """What training reported, one object per line of ``history.jsonl``."""
    content = _checked(study, HISTORY_FILE)
    try:
        return decode_history(content)
    except StoreError as error:
        raise StoreError(f"{study.folder}: {error}") from None
