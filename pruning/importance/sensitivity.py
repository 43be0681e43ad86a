"""Criterion: how much the loss would feel a factor go, |alpha * dL/dalpha|, averaged over slimming's last steps.

Smoothed sensitivity is what PLATON (Zhang et al. 2022) and GRAIN (Yang et al. 2023) rank weights and structures by. The
loss is that of the task and of distillation: the penalty's own pull is no sign of use. Gathered while slimming, free of
passes of its own (see `SlimLayer.record`).
"""

from __future__ import annotations

from typing import Any

from pruning.bert.gates import read_sensitivity
from pruning.importance.factors import Importance


def importance(slimmed: Any) -> Importance:
    """The moving average that slimming left, float32, per attached site."""
    return {site: values.cpu().float().numpy() for site, values in read_sensitivity(slimmed).items()}
