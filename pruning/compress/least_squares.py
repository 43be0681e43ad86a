"""Least squares: a cut network's output matrices solved anew, so that its sub-layers put out what the teacher's do.

No training. What the cut units carried is taken over, as far as it can be, by those that stay. Kwon et al. 2022 ("A
Fast Post-Training Pruning Framework for Transformers") rescale each unit that stays; here it is the whole output matrix
of a sub-layer and its bias. Sub-layers are solved one after another, each on what the ones before it, solved already,
hand on, so that an error made early is made good later where it can be.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from pruning.bert.shapes import Site
from pruning.data import Encoded, collate
from pruning.slimbert import SlimBertForSequenceClassification, dense_from_bert
from pruning.slimbert.layers import SlimAttention, SlimFfn
from pruning.slimbert.network import additive_mask

BATCH = 64
SMALLEST_RIDGE = 1e-6  # below it, rounding in a batch's float32 products decides where inputs depend on each other
SMALLEST = 1e-9


class SubLayerFit(NamedTuple):
    """How far a sub-layer's output (before its LayerNorm) is from the teacher's: shares of the teacher's variance.

    Attributes:
        layer: number.
        site: of the units that the output matrix reads.
        before: with the matrix as it was, behind sub-layers that are solved already.
        after: with the matrix solved.
    """

    layer: int
    site: Site
    before: float
    after: float


@dataclass
class _Texts:
    """A batch on its way through both networks.

    Attributes:
        teacher: (batch, tokens, hidden), the teacher's residual stream.
        student: (batch, tokens, kept hidden), the cut network's.
        mask: what attention adds to its scores, or None.
        real: (batch, tokens) bool, False for padding.
    """

    teacher: torch.Tensor
    student: torch.Tensor
    mask: torch.Tensor | None
    real: torch.Tensor


@torch.no_grad()
def solved(
    teacher: Any,
    network: SlimBertForSequenceClassification,
    encoded: Encoded,
    *,
    ridge: float,
    hidden: np.ndarray | None = None,
) -> tuple[SlimBertForSequenceClassification, list[SubLayerFit]]:
    """A copy of a cut network with the output matrices and biases of all sub-layers solved by ridge regression.

    With X what a matrix W reads in the cut network and M what its output lacks, the change D of W (bias included)
    minimises ``|X D - M|^2 + ridge * mean(diag(X'X)) * |D|^2``: where nothing is missing, nothing changes. M makes good
    what the sub-layer itself lost and what the residual stream that it is added to lost before. The sums run over real
    tokens, in float64.

    The cut network reads the texts as the teacher spells them, also with a cut vocabulary: a word's vector is what the
    factored table would hold of it.

    Args:
        teacher: the dense `BertForSequenceClassification`.
        network: cut from it; left as it is.
        encoded: training texts as the teacher reads them.
        ridge: see above.
        hidden: (hidden,) bool, which residual units the network kept; None for all.

    Returns:
        The network in eval mode on the CPU, and how well each sub-layer fits, in order.
    """
    dense, network = dense_from_bert(teacher), copy.deepcopy(network).eval()
    columns = slice(None) if hidden is None else torch.from_numpy(np.flatnonzero(hidden))
    texts = list(_embedded(dense, network, encoded, columns))
    fits = []
    blocks: list[tuple[Any, Any]] = list(zip(dense.slimbert.layers, network.slimbert.layers, strict=True))
    for index, (full, cut) in enumerate(blocks):
        pairs = (
            (Site.ATTENTION_CONTEXT, full.attention, cut.attention),
            (Site.FFN_HIDDEN, full.ffn, cut.ffn),
        )
        for site, whole, own in pairs:
            fits.append(SubLayerFit(index, site, *_solve(whole, own, texts, ridge, columns)))
    return network, fits


def _solve(
    whole: SlimAttention | SlimFfn, own: SlimAttention | SlimFfn, texts: list[_Texts], ridge: float, columns: Any
) -> tuple[float, float]:
    """Solve one sub-layer in place and send the texts through it; its error before and after, of the variance."""
    output = _output(own)
    equations = _NormalEquations(0 if _is_empty(own) else output.weight.shape[1], len(output.bias))
    steps: list[tuple[torch.Tensor, torch.Tensor]] = []
    variance, before = _Spread(), _Spread()
    for batch in texts:
        wanted = batch.teacher + _put_out(whole, _inside(whole, batch.teacher, batch.mask))
        batch.teacher, wanted = whole.norm(wanted), wanted[..., columns]
        inputs = _inside(own, batch.student, batch.mask)
        missing = (wanted - batch.student - _put_out(own, inputs))[batch.real]
        equations.add(inputs[batch.real], missing)
        variance.add(wanted[batch.real])
        before.add(missing)
        steps.append((inputs, wanted))
    change = equations.solve(ridge).to(output.bias.dtype)
    if not _is_empty(own):
        output.weight += change[:-1].T
    output.bias += change[-1]
    after = _Spread()
    for batch, (inputs, wanted) in zip(texts, steps, strict=True):
        found = batch.student + _put_out(own, inputs)
        after.add((wanted - found)[batch.real])
        batch.student = own.norm(found)
    return before.squares / variance.centred, after.squares / variance.centred


class _NormalEquations:
    """Sums of the equations of an affine map, in float64."""

    def __init__(self, width: int, outputs: int) -> None:
        self.inputs = torch.zeros(width + 1, width + 1, dtype=torch.float64)
        self.products = torch.zeros(width + 1, outputs, dtype=torch.float64)

    def add(self, inputs: torch.Tensor, missing: torch.Tensor) -> None:
        """Tokens: what is read (tokens, width), what the output lacks (tokens, outputs)."""
        rows = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], dim=1)
        self.inputs += rows.T @ rows
        self.products += rows.T @ missing

    def solve(self, ridge: float) -> torch.Tensor:
        """The change of the map, (width + 1, outputs); its last row is the bias's, which no ridge holds back."""
        held = self.inputs.clone()
        diagonal = held.diagonal()[:-1]
        # Padding of heads is all zeros: any positive number on the diagonal keeps its columns as they are.
        if len(diagonal):
            diagonal += max(ridge, SMALLEST_RIDGE) * float(diagonal.mean()) + SMALLEST
        return torch.cholesky_solve(self.products, torch.linalg.cholesky(held))


class _Spread:
    """Sums of squares of rows that come in batches, in float64."""

    def __init__(self) -> None:
        self.squares, self.count = 0.0, 0
        self.total: torch.Tensor | float = 0.0

    def add(self, rows: torch.Tensor) -> None:
        """Further rows, (tokens, outputs)."""
        self.squares += float(torch.linalg.vector_norm(rows, dtype=torch.float64)) ** 2
        self.total = self.total + rows.sum(0, dtype=torch.float64)
        self.count += len(rows)

    @property
    def centred(self) -> float:
        """The same about the mean; never 0, so that it divides."""
        mean = torch.as_tensor(self.total) / self.count
        return max(self.squares - self.count * float(mean.square().sum()), 1e-12)


def _embedded(dense: Any, network: Any, encoded: Encoded, columns: Any) -> Iterator[_Texts]:
    """Batches of like length where both networks' layers begin."""
    make_batch = collate(encoded, few_lengths=True)
    order = np.argsort(encoded.lengths, kind="stable")
    projection = network.slimbert.embeddings.projection
    for start in range(0, len(order), BATCH):
        batch = make_batch(order[start : start + BATCH].tolist())
        words = dense.slimbert.embeddings.words(batch["input_ids"])
        own = words[..., columns]
        if projection is not None:  # its columns are orthonormal: see `low_rank.factor_table`
            own = projection(own @ projection.weight)
        yield _Texts(
            teacher=dense.slimbert.embeddings(words, batch["token_type_ids"]),
            student=network.slimbert.embeddings(own, batch["token_type_ids"]),
            mask=additive_mask(batch["attention_mask"], words.dtype),
            real=batch["attention_mask"].bool(),
        )


def _is_empty(layer: SlimAttention | SlimFfn) -> bool:
    return layer.heads == 0 if isinstance(layer, SlimAttention) else layer.is_empty


def _output(layer: SlimAttention | SlimFfn) -> Any:
    """The output matrix and bias, or the bias alone where nothing is left."""
    return layer.output if isinstance(layer, SlimAttention) else layer.outer


def _inside(layer: SlimAttention | SlimFfn, hidden: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """What the output matrix reads, (batch, tokens, units); no units in an empty sub-layer."""
    if _is_empty(layer):
        return hidden[..., :0]
    return layer.context(hidden, mask)[0] if isinstance(layer, SlimAttention) else layer.inside(hidden)


def _put_out(layer: SlimAttention | SlimFfn, inputs: torch.Tensor) -> torch.Tensor:
    """The sub-layer's output, (batch, tokens, hidden), before the residual stream is added."""
    output = _output(layer)
    return output.bias.expand(*inputs.shape[:-1], -1) if _is_empty(layer) else output(inputs)
