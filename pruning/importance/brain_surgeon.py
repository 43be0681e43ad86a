"""Criterion: what the loss rises by when a unit goes and those that stay take over what they can of it.

Optimal Brain Surgeon (Hassibi and Stork 1993) by structures, as ZipLM (Kurtic et al. 2023) removes them: a sub-layer's
units are taken away one after another, the cheapest first, and its output matrix W is corrected after each. The rise is
measured by the Fisher information of W in Kronecker's form (Martens and Grosse 2015): C = E[g g'] of the gradients g at
the sub-layer's output, G = E[x x'] of what W reads. Units S then cost ``tr(C W_S inv(inv(G)_SS) W_S') / 2``. What is
stored is the cost at removal, or the one stored before where that was more. Heads go as a whole and share their cost
evenly. Fisher information is that of the network's own answers, so no label is read.

Other sites have no output matrix of their own: theirs is the plain Fisher information.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from pruning.bert.model import bert_shape, output_matrices
from pruning.bert.shapes import Site
from pruning.data.batches import Encoded, collate
from pruning.importance.factors import Importance
from pruning.importance.gradients import BATCH, INPUTS, drawn, frozen

RIDGE = 1e-3  # on G, as a share of its mean diagonal
UNIFORM = 0.1  # share of G in which every token counts alike, beside that in which it counts by its gradient
AT_ONCE = 16  # FFN units removed between two corrections
APART = 1e-5  # by which costs rise at least from one removal to the next, so that their order is never lost


@dataclass
class _Matrix:
    """Sums over tokens at one output matrix.

    Attributes:
        weight: (hidden, units) of the matrix.
        felt: (units + 1, units + 1), of what it reads and 1, weighted by the squared gradient.
        plain: the same, unweighted.
        gradients: (hidden, hidden)
    """

    weight: torch.Tensor
    felt: torch.Tensor
    plain: torch.Tensor
    gradients: torch.Tensor

    @classmethod
    def of(cls, linear: nn.Linear) -> _Matrix:
        """Nothing summed yet."""
        hidden, units = linear.weight.shape
        empty = {"dtype": torch.float64, "device": linear.weight.device}
        inside = torch.zeros(units + 1, units + 1, **empty)
        return cls(linear.weight.detach().double(), inside, inside.clone(), torch.zeros(hidden, hidden, **empty))

    def add(self, inputs: torch.Tensor, gradients: torch.Tensor) -> None:
        """Tokens: what was read (tokens, units), and the gradient by what was put out (tokens, hidden)."""
        rows = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], dim=1)
        self.felt += ((rows * gradients.square().sum(-1, keepdim=True)).T @ rows).double()
        self.plain += (rows.T @ rows).double()
        self.gradients += (gradients.T @ gradients).double()

    def inputs(self) -> torch.Tensor:
        """G: (units, units), about the mean, because the bias takes over what is constant."""
        felt, plain = (sums / sums[-1, -1].clamp_min(1e-30) for sums in (self.felt, self.plain))
        mixed = (1 - UNIFORM) * felt + UNIFORM * plain
        return mixed[:-1, :-1] - mixed[:-1, -1:] * mixed[-1:, :-1] / mixed[-1, -1]


def importance(
    teacher: Any, encoded: Encoded, found: Mapping[str, Importance], *, is_regression: bool, seed: int
) -> Importance:
    """Costs of context and FFN units of a BERT classifier; other sites as in "fisher" among `found`."""
    shape = bert_shape(teacher)
    costs = {site: np.zeros(shape.units(site), dtype=np.float32) for site in (Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN)}
    heads = torch.arange(shape.heads * shape.head_size).reshape(shape.heads, shape.head_size)
    for (site, layer), sums in _gathered(teacher, encoded, is_regression, seed).items():
        together = list(heads) if site is Site.ATTENTION_CONTEXT else None
        costs[site][layer] = removal_costs(sums.inputs(), sums.gradients, sums.weight, together).cpu().numpy()
    return dict(found["fisher"]) | costs


def removal_costs(
    inputs: torch.Tensor, gradients: torch.Tensor, weight: torch.Tensor, together: list[torch.Tensor] | None = None
) -> torch.Tensor:
    """What each unit costs when it goes, cheapest first, with the output matrix corrected after each.

    Args:
        inputs: G, (units, units) float64.
        gradients: C, (hidden, hidden) float64.
        weight: W, (hidden, units) float64.
        together: numbers of units that go as one; None: each alone, some at once where many are left.

    Returns:
        (units,) float64.
    """
    units = len(inputs)
    inverse = torch.linalg.inv(inputs + (RIDGE * inputs.diagonal().mean() + 1e-12) * torch.eye(units).to(inputs))
    values, vectors = torch.linalg.eigh(gradients)
    weight = (vectors * values.clamp_min(0).sqrt()).T @ weight  # C enters as the norm of these columns
    costs = inputs.new_zeros(units)
    level, left = 0.0, together or [unit[None] for unit in torch.arange(units)]
    while left:
        asked = _costs(inverse, weight, left, alone=together is None)
        count = 1 if together else max(1, min(AT_ONCE, len(left) // 8))
        cheapest = asked.argsort()[:count].tolist()
        for place in cheapest:
            level = max(level * (1 + APART), float(asked[place]))
            costs[left[place]] = level / len(left[place])
        gone = torch.cat([left[place] for place in cheapest])
        taken = inverse[:, gone] @ torch.linalg.inv(inverse[gone][:, gone])
        weight = weight - (weight[:, gone] @ taken.T)
        inverse = inverse - taken @ inverse[gone]
        chosen = set(cheapest)
        left = [one for place, one in enumerate(left) if place not in chosen]
    return costs


def _costs(inverse: torch.Tensor, weight: torch.Tensor, left: list[torch.Tensor], *, alone: bool) -> torch.Tensor:
    """What each of those left would cost now, (left,)."""
    if alone:
        units = torch.cat(left)
        return weight[:, units].square().sum(0) / inverse.diagonal()[units] / 2
    blocks = [(weight[:, units], torch.linalg.inv(inverse[units][:, units])) for units in left]
    return torch.stack([((columns @ block) * columns).sum() / 2 for columns, block in blocks])


def _gathered(teacher: Any, encoded: Encoded, is_regression: bool, seed: int) -> dict[tuple[Site, int], _Matrix]:
    """Sums at every output matrix over the examples that criteria are computed on."""
    index = drawn(encoded, seed)
    index = index[np.argsort(encoded.lengths[index], kind="stable")]
    make_batch = collate(encoded, few_lengths=True)
    device = next(teacher.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    matrices = {(site, layer): linear for site, layer, linear in output_matrices(teacher)}
    sums = {place: _Matrix.of(linear) for place, linear in matrices.items()}
    with frozen(teacher):
        for start in range(0, len(index), BATCH):
            batch = make_batch(index[start : start + BATCH].tolist())
            taps = {place: _Tap() for place in matrices}
            handles = [linear.register_forward_hook(taps[place]) for place, linear in matrices.items()]
            try:
                logits = teacher(**{name: batch[name].to(device) for name in INPUTS}).logits
                answer_score(logits, is_regression, generator).sum().backward()
            finally:
                for handle in handles:
                    handle.remove()
            real = batch["attention_mask"].bool().to(device)
            for place, tap in taps.items():
                sums[place].add(tap.inputs[real], tap.gradient[real])
    for one in sums.values():
        one.gradients /= len(index)
    return sums


class _Tap:
    """Forward hook on an output matrix: what it reads, and the gradient by what it puts out."""

    inputs: torch.Tensor
    added: torch.Tensor

    def __call__(self, module: nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor:
        """The output, and nothing added to it, by which a gradient can be taken."""
        self.inputs = args[0].detach()
        self.added = torch.zeros_like(output, requires_grad=True)
        return output + self.added

    @property
    def gradient(self) -> torch.Tensor:
        """(batch, tokens, hidden)."""
        assert self.added.grad is not None  # noqa: S101 - asked for after the backward pass
        return self.added.grad


def answer_score(logits: torch.Tensor, is_regression: bool, generator: torch.Generator) -> torch.Tensor:
    """A number an example whose squared gradient is, on average over its random signs, the Fisher information.

    ``sum over c of e_c sqrt(p_c) log p_c`` with signs e and p held fixed under the root; a regression's own score.

    Args:
        logits: (batch, labels).
        is_regression: whether they are scores.
        generator: of the signs.

    Returns:
        (batch,)
    """
    if is_regression:
        return logits[:, 0]
    signs = 2 * torch.randint(0, 2, logits.shape, generator=generator).to(logits) - 1
    answers = logits.log_softmax(-1)
    return (signs * answers.detach().exp().sqrt() * answers).sum(-1)
