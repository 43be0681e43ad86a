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
from pruning.importance.gradients import INPUTS, batches, drawn, frozen

RIDGE = 1e-3  # on G, as a share of its mean diagonal
UNIFORM = 0.1  # share of G in which every token counts alike, beside that in which it counts by its gradient
CHUNK = 512  # rows of a symmetric matrix that are summed at once, from the diagonal on
AT_ONCE = 16  # FFN units removed between two corrections
PUT_OFF = 256  # units removed before the inverse is corrected as a whole
APART = 1e-5  # by which costs rise at least from one removal to the next, so that their order is never lost


@dataclass
class _Matrix:
    """Sums over tokens at one output matrix.

    Attributes:
        weight: (hidden, units), the matrix itself.
        felt: (units + 1, units + 1), of what it reads and 1, weighted by the squared gradient; of this and the next,
            what lies below the diagonal is a mirror image and not summed.
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
        return cls(linear.weight.detach(), inside, inside.clone(), torch.zeros(hidden, hidden, **empty))

    def add(self, inputs: torch.Tensor, gradients: torch.Tensor) -> None:
        """Tokens: what was read (tokens, units), and the gradient by what was put out (tokens, hidden)."""
        rows = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], dim=1)
        felt = rows * gradients.square().sum(-1, keepdim=True)
        for start in range(0, rows.shape[1], CHUNK):
            these = slice(start, start + CHUNK)
            self.felt[these, start:] += felt[:, these].T @ rows[:, start:]
            self.plain[these, start:] += rows[:, these].T @ rows[:, start:]
        self.gradients += gradients.T @ gradients

    def inputs(self) -> torch.Tensor:
        """G: (units, units), about the mean, because the bias takes over what is constant."""
        felt, plain = self.felt[-1, -1].clamp_min(1e-30), self.plain[-1, -1].clamp_min(1e-30)
        mixed = (self.felt * ((1 - UNIFORM) / felt)).add_(self.plain, alpha=float(UNIFORM / plain)).triu_()
        mixed += mixed.triu(1).T
        return mixed[:-1, :-1] - mixed[:-1, -1:] * mixed[-1:, :-1] / mixed[-1, -1]


def importance(
    teacher: Any, encoded: Encoded, found: Mapping[str, Importance], *, is_regression: bool, seed: int
) -> Importance:
    """Costs of context and FFN units of a BERT classifier; other sites as in "fisher" among `found`."""
    shape = bert_shape(teacher)
    costs = {site: np.zeros(shape.units(site), dtype=np.float32) for site in (Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN)}
    heads = torch.arange(shape.heads * shape.head_size).reshape(shape.heads, shape.head_size)
    gathered = _gathered(teacher, encoded, is_regression, seed)
    while gathered:  # what was read is let go: the sums of all layers are larger than the network
        (site, layer), sums = gathered.popitem()
        together = list(heads) if site is Site.ATTENTION_CONTEXT else None
        costs[site][layer] = removal_costs(sums.inputs(), sums.gradients, sums.weight.double(), together).cpu().numpy()
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
    held = inputs + (RIDGE * inputs.diagonal().mean() + 1e-12) * torch.eye(units).to(inputs)
    values, vectors = torch.linalg.eigh(gradients)
    # C enters as the norm of these columns.
    network = _Shrinking(torch.linalg.inv(held), (vectors * values.clamp_min(0).sqrt()).T @ weight)
    costs = inputs.new_zeros(units)
    level = 0.0
    left = torch.arange(units)[:, None] if together is None else torch.stack(together)  # places in `network`
    while len(left):
        asked = network.costs(left)
        count = 1 if together else max(1, min(AT_ONCE, len(left) // 8))
        cheapest = asked.argsort()[:count]
        for place in cheapest.tolist():
            level = max(level * (1 + APART), float(asked[place]))
            costs[network.numbers[left[place]]] = level / left.shape[1]
        network.remove(left[cheapest].flatten())
        stays = torch.ones(len(left), dtype=torch.bool)
        stays[cheapest] = False
        left = left[stays]
        if network.put_off >= PUT_OFF:
            network.settle(left.flatten())
            left = torch.arange(left.numel()).reshape(left.shape)
    return costs


class _Shrinking:
    """What is known of the units that are left: the inverse of their part of G, and their corrected columns of W.

    Correcting the whole inverse after each removal would move (units, units) numbers through memory hundreds of times;
    here that is put off, and what was put off is reckoned in wherever a column is read.

    Args:
        inverse: inv(G), (units, units).
        weight: W, (rows, units); it is corrected in place.
    """

    def __init__(self, inverse: torch.Tensor, weight: torch.Tensor) -> None:
        self.inverse, self.weight = inverse, weight
        self.diagonal = inverse.diagonal().clone()
        self.numbers = torch.arange(len(inverse))  # of the units by place
        self.put_off = 0
        self._taken: list[torch.Tensor] = []
        self._columns: list[torch.Tensor] = []

    def costs(self, left: torch.Tensor) -> torch.Tensor:
        """What the units at these places cost now, those of a row together: (rows, units of each) -> (rows,)."""
        if left.shape[1] == 1:
            places = left[:, 0].to(self.weight.device)
            return torch.linalg.vector_norm(self.weight, dim=0)[places].square() / self.diagonal[places] / 2
        blocks = [(self.weight[:, places], torch.linalg.inv(self._read(places)[places])) for places in left]
        return torch.stack([((columns @ block) * columns).sum() / 2 for columns, block in blocks])

    def remove(self, gone: torch.Tensor) -> None:
        """Take the units at these places away."""
        columns = self._read(gone)
        taken = columns @ torch.linalg.inv(columns[gone])
        self.weight.addmm_(self.weight[:, gone], taken.T, alpha=-1)
        self.diagonal -= (taken * columns).sum(1)
        self._taken.append(taken)
        self._columns.append(columns)
        self.put_off += len(gone)

    def settle(self, kept: torch.Tensor) -> None:
        """Make good what was put off, and forget all units but those at these places, which are numbered anew."""
        taken, columns = (torch.cat(parts, dim=1)[kept] for parts in (self._taken, self._columns))
        places = kept.to(self.inverse.device)
        self.inverse = self.inverse[places[:, None], places].addmm_(taken, columns.T, alpha=-1)
        self.weight, self.diagonal = self.weight[:, kept].contiguous(), self.diagonal[kept]
        self.numbers = self.numbers[kept]
        self.put_off, self._taken, self._columns = 0, [], []

    def _read(self, places: torch.Tensor) -> torch.Tensor:
        """Columns of the inverse as it is now, (units, places)."""
        columns = self.inverse[:, places]
        for taken, earlier in zip(self._taken, self._columns, strict=True):
            columns = columns.addmm_(taken, earlier[places].T, alpha=-1)
        return columns


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
        for rows in batches(index, encoded, bert_shape(teacher)):
            batch = make_batch(rows.tolist())
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
