"""The word table as a product of two smaller matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pruning.bert.weights import BertWeights
from pruning.errors import SelectionError


def factor_table(weights: BertWeights, rank: int, frequencies: np.ndarray | None = None) -> BertWeights:
    """Factor the word table to ``(vocabulary, rank) @ (rank, hidden)``.

    The projection spans the leading right singular vectors of the table with each row weighted by the root of its
    piece's frequency, so frequent pieces are kept more exactly; the sign of each is fixed, so results repeat.

    Args:
        weights: with an unfactored table.
        rank: 1 to the residual width.
        frequencies: (vocabulary,) of the table's rows; None weighs all alike.

    Raises:
        SelectionError: if the rank or the frequencies do not fit the table.
    """
    vocabulary, hidden = weights.words.shape
    if weights.words_projection is not None or not 1 <= rank <= hidden:
        raise SelectionError(f"embedding rank {rank}: expected 1 to {hidden}, of a table that is not factored yet")
    table = weights.words.double()
    share = torch.as_tensor(np.ones(vocabulary) if frequencies is None else frequencies, dtype=torch.float64)
    if share.shape != (vocabulary,) or (share < 0).any():
        raise SelectionError(f"piece frequencies: expected {vocabulary} numbers, none negative")
    weighted = table * share.sqrt().to(table.device)[:, None]
    _, vectors = torch.linalg.eigh(weighted.T @ weighted)  # ascending
    basis = vectors.flip(-1)[:, :rank]
    largest = basis.gather(0, basis.abs().argmax(0, keepdim=True))
    basis = basis * torch.where(largest < 0, -1.0, 1.0).to(basis)
    dtype = weights.words.dtype
    return replace(weights, words=(table @ basis).to(dtype), words_projection=basis.to(dtype).contiguous())
