"""Milliseconds that one selection takes on factors the size of bert-base (the dashboard's slider waits for it).

python -m benchmarks.selection_speed --runs 200
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from time import perf_counter

import numpy as np

from pruning.bert.shapes import BertShape, Site
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.selection.budget import Budget
from pruning.selection.latency import LatencyTable
from pruning.selection.select import select

BERT_BASE = BertShape(
    layers=12,
    heads=12,
    head_size=64,
    hidden=768,
    ffn=3072,
    vocabulary=30522,
    positions=512,
    token_types=2,
    pooler=768,
    labels=2,
)
DENSITIES = (0.5, 0.25, 0.1, 0.05, 0.01)
# A millisecond a head, 24 a whole FFN: made up, for how long the selection takes does not depend on it.
LATENCY = LatencyTable(tuple(range(13)), tuple(float(n) for n in range(13)), (0, 3072), (0.0, 24.0), other_ms=2.0)


def random_factors(shape: BertShape, seed: int = 0) -> ImportanceFactors:
    """Factors as slimming leaves them: most near zero, some near one."""
    generator = np.random.default_rng(seed)
    factors = {site: generator.beta(0.3, 0.6, shape.units(site)).astype(np.float32) for site in Site}
    counts = generator.zipf(1.3, shape.vocabulary).clip(max=100_000).astype(np.int32)
    counts[1:100] = -1
    protected = np.arange(shape.vocabulary) < 2000
    spectrum = np.sort(generator.random(shape.hidden).astype(np.float32))[::-1].copy()
    pooler = generator.random(shape.pooler).astype(np.float32)
    return ImportanceFactors(shape, {"alpha": factors}, TablePieces(counts, protected, spectrum), pooler)


def measure(runs: int, clock: Callable[[], float] = perf_counter) -> dict[str, float]:
    """Median milliseconds of `select` by kind of budget, each over `runs` calls that go through `DENSITIES`."""
    factors = random_factors(BERT_BASE)
    medians = {}
    for kind in ("total_density", "encoder_density", "flop_ratio", "latency_ratio"):
        milliseconds = []
        for run in range(runs):
            budget = Budget(kind, 0.5 if kind == "latency_ratio" else DENSITIES[run % len(DENSITIES)])
            start = clock()
            select(factors, budget, latency=LATENCY)
            milliseconds.append(1000 * (clock() - start))
        medians[kind] = float(np.median(milliseconds))
    return medians


def main() -> None:
    parser = argparse.ArgumentParser(description="Median milliseconds of one selection, bert-base-sized factors.")
    parser.add_argument("--runs", type=int, default=200, help="selections of each kind of budget (default: 200)")
    print(json.dumps({"runs": (runs := parser.parse_args().runs), "median_ms": measure(runs)}, indent=2))


if __name__ == "__main__":
    main()
