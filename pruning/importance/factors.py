"""What criteria find, and what the word table's cut is decided on (NumPy only)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pruning.bert.shapes import BertShape, Site
from pruning.errors import SelectionError
from pruning.importance.registry import CRITERIA

Importance = dict[Site, np.ndarray]  # what one criterion found, float32


@dataclass(frozen=True)
class TablePieces:
    """What the word table's cut is decided on.

    Attributes:
        counts: (vocabulary,) int32, occurrences in the training texts; -1 for pieces no text produces ("[unused7]").
        protected: (vocabulary,) bool, pieces that always stay: specials, single characters, their continuations.
        spectrum: (hidden,) float32, singular values of the table with rows weighted by the root of their frequency.
    """

    counts: np.ndarray
    protected: np.ndarray
    spectrum: np.ndarray


@dataclass(frozen=True)
class ImportanceFactors:
    """All that a selection needs, as stored with a study.

    Attributes:
        shape: the teacher's widths.
        by_criterion: criterion name ("alpha", "taylor", ...) -> site -> float32 array shaped `shape.units(site)`;
            those of `HEAD_CRITERIA` hold (layers, heads) at `attention_context` and rank no units.
        pieces: see `TablePieces`.
        pooler: (pooler,) float32, importance of the pooler's units.
    """

    shape: BertShape
    by_criterion: dict[str, Importance]
    pieces: TablePieces
    pooler: np.ndarray

    def of(self, criterion: str) -> Importance:
        """Magnitudes of a criterion that ranks units, for every site; sites without factors count as all ones."""
        found = self.stored(criterion)
        for site, values in found.items():
            if values.shape != self.shape.units(site):
                raise SelectionError(
                    f"{criterion} factors for {site}: shape {values.shape}, expected {self.shape.units(site)}"
                )
        return {site: np.abs(found[site]) if site in found else np.ones(self.shape.units(site)) for site in Site}

    def stored(self, criterion: str) -> Importance:
        """A criterion's values as they are stored, for the sites that have some."""
        if criterion not in self.by_criterion:
            known = ", ".join(sorted(self.by_criterion))
            raise SelectionError(f"criterion {criterion!r:.60}: not stored with this study, expected one of {known}")
        return self.by_criterion[criterion]

    @property
    def head_criteria(self) -> list[str]:
        """Criteria that say something about heads: those of the registry in its order, then others by name."""
        found = [name for name, sites in self.by_criterion.items() if Site.ATTENTION_CONTEXT in sites]
        order = list(CRITERIA)
        return sorted(found, key=lambda name: (order.index(name) if name in CRITERIA else len(order), name))

    def heads(self, criterion: str | None = None) -> np.ndarray:
        """Importance per head, (layers, heads) float32: the mean over its context units where units are ranked.

        Args:
            criterion: one of `head_criteria`; their first by default.

        Raises:
            SelectionError: if nothing is stored of heads under that name, or it has another shape.
        """
        if criterion is None and not self.head_criteria:
            raise SelectionError("heads: no criterion with values for attention_context is stored with this study")
        criterion = self.head_criteria[0] if criterion is None else criterion
        sites = self.stored(criterion)
        if Site.ATTENTION_CONTEXT not in sites:
            raise SelectionError(f"criterion {criterion!r:.60}: has no values for heads")
        values = np.abs(sites[Site.ATTENTION_CONTEXT]).astype(np.float64)
        if values.shape == self.shape.units(Site.ATTENTION_CONTEXT):
            values = values.reshape(self.shape.layers, self.shape.heads, self.shape.head_size).mean(-1)
        if values.shape != (self.shape.layers, self.shape.heads):
            raise SelectionError(f"{criterion} factors for heads: shape {values.shape}, expected (layers, heads)")
        return values.astype(np.float32)


def piece_mass(counts: np.ndarray, protected: np.ndarray, general_share: float) -> np.ndarray:
    """Expected share of each vocabulary entry in texts, ``(vocabulary,)``, summing to 1.

    Mixes how often a piece occurs in the training texts with a guess at general English: BERT's WordPiece
    vocabularies list words by falling frequency, so a piece's place stands for its rank in Zipf's law.

    Args:
        counts: see `TablePieces`.
        protected: see `TablePieces`.
        general_share: weight of the guess, between 0 and 1.
    """
    task = np.clip(counts, 0, None).astype(np.float64)
    task /= max(task.sum(), 1.0)
    general = np.zeros(len(counts))
    words = np.flatnonzero((counts >= 0) & ~protected)
    general[words] = 1.0 / np.arange(10, 10 + len(words))
    general /= max(general.sum(), 1e-12)
    mass = (1 - general_share) * task + general_share * general
    return mass / max(mass.sum(), 1e-12)
