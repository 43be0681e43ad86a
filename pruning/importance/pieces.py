"""What the word table's cut is decided on, from counts of pieces and the table itself (NumPy only)."""

from __future__ import annotations

import numpy as np

from pruning.importance.factors import TablePieces, piece_mass


def table_pieces(
    counts: np.ndarray, protected: np.ndarray, unusable: np.ndarray, words: np.ndarray, general_share: float
) -> TablePieces:
    """What the word table's cut is decided on.

    Args:
        counts: (vocabulary,) occurrences in the training texts.
        protected: (vocabulary,) bool, pieces that always stay.
        unusable: (vocabulary,) bool, pieces no text produces.
        words: (vocabulary, hidden) word table, float32.
        general_share: see `SelectionSettings`.
    """
    marked = np.where(unusable & ~protected, -1, counts).astype(np.int32)
    mass = piece_mass(marked, protected, general_share)
    weighted = words.astype(np.float64) * np.sqrt(mass)[:, None]
    # Singular values from the Gram matrix: (hidden, hidden) whatever the vocabulary.
    eigenvalues = np.linalg.eigvalsh(weighted.T @ weighted)[::-1]
    return TablePieces(marked, protected.astype(bool), np.sqrt(np.clip(eigenvalues, 0, None)).astype(np.float32))
