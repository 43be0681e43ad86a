"""Scores of weights to those that stay: as many as asked for and not one more, the same ones every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch


def kept(
    scores: Mapping[str, torch.Tensor], density: float, groups: Sequence[Sequence[str]]
) -> dict[str, torch.Tensor]:
    """Which weights stay: the share with the highest scores of each group, rounded down.

    Args:
        scores: by matrix, of any shape.
        density: share that stays.
        groups: names of matrices that compete with one another; all names, each once.

    Returns:
        By matrix, bool of the scores' shape.
    """
    masks: dict[str, torch.Tensor] = {}
    for names in groups:
        values = torch.cat([scores[name].flatten() for name in names])
        mask = largest(values, int(density * len(values)))
        for name, part in zip(names, mask.split([scores[name].numel() for name in names]), strict=True):
            masks[name] = part.view(scores[name].shape)
    return masks


def largest(values: torch.Tensor, count: int) -> torch.Tensor:
    """Where the `count` largest of some values, (values,), are; of equal ones the first."""
    if count <= 0:
        return torch.zeros_like(values, dtype=torch.bool)
    threshold = values.kthvalue(len(values) - count + 1).values
    mask = values > threshold
    equal = (values == threshold).nonzero().flatten()
    mask[equal[: count - int(mask.sum())]] = True
    return mask
