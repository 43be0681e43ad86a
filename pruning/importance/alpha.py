"""Criterion: |alpha|, the magnitude of the factors that slimming left."""

from __future__ import annotations

from typing import Any

from pruning.bert.gates import read_factors
from pruning.importance.factors import Importance


def importance(slimmed: Any) -> Importance:
    """|alpha| of a slimmed network, float32, per attached site."""
    return {site: values.abs().cpu().float().numpy() for site, values in read_factors(slimmed).items()}
