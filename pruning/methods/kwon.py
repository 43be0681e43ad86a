"""Rival: Fisher information, rearranged, and least squares.

Kwon et al. 2022, "A fast post-training pruning framework for transformers", in its three steps. Mask search: heads
and FFN units, each by the diagonal of the Fisher information of their gates, as many heads as leave most information in
all. Rearrangement: within each layer, counts as they are, units are swapped while that lowers what the masked gates'
whole Fisher matrix says the loss will rise by. Mask tuning: they rescale the units that stay by least squares against
the teacher's outputs; here the whole output matrix is solved, as the default method does it, and no rescaling fits
closer.

They stop there, without training. Here recovery follows, as for all methods, and the budget is counted in parameters
and not in FLOPs; the word table is the default method's, for theirs stays whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from pruning.bert.shapes import Masks, Site
from pruning.errors import SelectionError
from pruning.files import written_aside
from pruning.importance.gradients import EXAMPLES, example_gradients
from pruning.importance.head_gradient import shared_gate
from pruning.methods.made import Chosen
from pruning.methods.room import Room, first_of, ranked, room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import cut_to
from pruning.selection.budget import Budget
from pruning.training import processes

NAME = "kwon"
HEADS, FFN = "heads", "ffn"


def choose(shared: Shared, budget: Budget, seed: int | None) -> Chosen:
    """Search and rearrange; what follows is least squares."""
    gradients = gate_gradients(shared)
    room = room_at(shared, budget)
    masks = rearranged_masks(room, searched(room, gradients), gradients)
    return Chosen(cut_to(shared, budget, room.selection(masks)), NAME, is_solved=True)


def gate_gradients(shared: Shared) -> dict[str, np.ndarray]:
    """The stage: each example's gradient of the loss by every head's gate and every FFN unit's.

    Returns:
        "heads" (examples, layers, heads) and "ffn" (examples, layers, units), float32.
    """
    with shared.stages.enter("kwon-gradients", {"examples": EXAMPLES}, shared.teaching) as stage:
        path = stage.folder / "gradients.safetensors"
        with processes.main_first():
            if not path.is_file():
                _write_gradients(shared, path)
        return load_file(path)


def _write_gradients(shared: Shared, path: Path) -> None:
    context, shape = shared.context, shared.factors.shape
    parts: dict[str, list[np.ndarray]] = {HEADS: [], FFN: []}
    seed, is_regression = context.config.seed, context.task.is_regression
    for _, found in example_gradients(
        shared.teacher.model, context.texts, ["gradients"], is_regression=is_regression, seed=seed
    ):
        by_place = found["gradients"]
        heads = [shared_gate(by_place[Site.ATTENTION_CONTEXT, layer], shape) for layer in range(shape.layers)]
        parts[HEADS].append(np.stack(heads, axis=1))
        parts[FFN].append(np.stack([by_place[Site.FFN_HIDDEN, layer] for layer in range(shape.layers)], axis=1))
    with written_aside(path) as aside:
        save_file({name: np.concatenate(rows).astype(np.float32) for name, rows in parts.items()}, aside)


def searched(room: Room, gradients: dict[str, np.ndarray]) -> Masks:
    """The number of heads, and the FFN units that then fit, which keep most of the diagonal information.

    Args:
        room: under the budget.
        gradients: see `gate_gradients`.

    Raises:
        SelectionError: if not even one head fits.
    """
    heads, units = (np.square(gradients[name], dtype=np.float64).mean(0) for name in (HEADS, FFN))
    head_order, unit_order = ranked(heads), ranked(units)
    best: tuple[float, Masks] | None = None
    for count in range(1, heads.size + 1):
        kept = first_of(head_order, count, heads.shape)
        masks = room.with_ffn(room.with_heads(kept), unit_order)
        if masks is None:
            break
        information = float(heads[kept].sum() + units[masks.ffn_hidden].sum())
        if best is None or information > best[0]:
            best = information, masks
    if best is None:
        raise SelectionError("kwon: not even a network of one head is within the budget")
    return best[1]


def rearranged_masks(room: Room, masks: Masks, gradients: dict[str, np.ndarray]) -> Masks:
    """The same numbers of heads and FFN units in each layer, swapped by the whole Fisher matrix."""
    heads = masks.heads(room.shape) > 0
    for layer in range(room.shape.layers):
        heads[layer] = rearranged(heads[layer], gradients[HEADS][:, layer])
    ffn = [rearranged(masks.ffn_hidden[layer], gradients[FFN][:, layer]) for layer in range(room.shape.layers)]
    return room.with_heads(heads).with_site(Site.FFN_HIDDEN, np.stack(ffn))


def rearranged(mask: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Greedy exchange: each kept unit in turn, least informative first, joins those that go, and the best one returns.

    What goes costs the squared length of its gradients' sum, example by example: the Fisher matrix's quadratic form.

    Args:
        mask: (units,) bool, which are kept.
        gradients: (examples, units)

    Returns:
        As many kept as before.
    """
    rows = gradients.T.astype(np.float64)
    lengths = np.square(rows).sum(1)
    kept_count = int(mask.sum())
    if kept_count in (0, len(mask)):
        return mask
    order = np.argsort(lengths, kind="stable")
    gone_count = len(mask) - kept_count
    gone = list(order[:gone_count])
    total = rows[gone].sum(0)
    for unit in order[gone_count:]:
        gone.append(unit)
        total = total + rows[unit]
        # |total - g|^2 without what is the same for all of them
        returning = int(np.argmin(lengths[gone] - 2 * rows[gone] @ total))
        total = total - rows[gone.pop(returning)]
    result = np.ones(len(mask), dtype=bool)
    result[gone] = False
    return result
