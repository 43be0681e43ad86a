"""Time a slimming step against a plain fine-tuning step of the same network.

    python -m benchmarks.slimming_step

Both train the same parameters (word table frozen) on the same batches, in turns in one process; the slimming step adds
slim layers at all five sites, their penalty, and cached teacher logits. Prints medians and their ratio.
"""

from __future__ import annotations

import copy
import json
import statistics
import time

import numpy as np
import torch

from pruning.bert import backbones
from pruning.bert.gates import attach
from pruning.bert.model import freeze_word_table
from pruning.bert.slim_layer import slim_parameters, total_penalty
from pruning.data.tasks import get_task
from pruning.losses import logits_loss, task_loss

STEPS, WARMUP, BATCH, LENGTH = 30, 5, 32, 32


def main() -> None:
    """Print medians and the ratio as JSON."""
    torch.manual_seed(0)
    plain = backbones.load_backbone(backbones.find_backbone(), get_task("sst2")).train()
    freeze_word_table(plain)
    slim = attach(copy.deepcopy(plain))
    cached = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    batches = [
        (torch.randint(1000, 20000, (BATCH, LENGTH)), torch.randint(0, 2, (BATCH,)), np.arange(i, i + BATCH))
        for i in range(STEPS)
    ]
    optimisers = {}
    for name, model in (("plain", plain), ("slim", slim)):
        alphas = {id(p) for p in slim_parameters(model)}
        weights = [p for p in model.parameters() if p.requires_grad and id(p) not in alphas]
        groups = [{"params": weights}] + ([{"params": slim_parameters(model), "lr": 5e-3}] if alphas else [])
        optimisers[name] = torch.optim.AdamW(groups, lr=5e-5, fused=True)

    def step(name: str, ids: torch.Tensor, labels: torch.Tensor, index: np.ndarray) -> float:
        start = time.perf_counter()
        model = plain if name == "plain" else slim
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        loss = task_loss(logits, labels, False)
        if name == "slim":
            loss = 0.5 * loss + logits_loss(logits, torch.from_numpy(cached[index]), 2.0, False)
            loss = loss + 1e-4 * total_penalty(model)
        loss.backward()
        optimisers[name].step()
        optimisers[name].zero_grad()
        return time.perf_counter() - start

    taken: dict[str, list[float]] = {"plain": [], "slim": []}
    for number, batch in enumerate(batches):
        for name in taken:
            seconds = step(name, *batch)
            if number >= WARMUP:
                taken[name].append(seconds)
    medians = {name: 1000 * statistics.median(values) for name, values in taken.items()}
    ratios = [s / p for s, p in zip(taken["slim"], taken["plain"], strict=True)]
    print(
        json.dumps(
            {
                "plain_ms": round(medians["plain"], 1),
                "slim_ms": round(medians["slim"], 1),
                "ratio_of_pairs_median": round(statistics.median(ratios), 3),
                "batch": BATCH,
                "length": LENGTH,
                "threads": torch.get_num_threads(),
                "steps": len(ratios),
            }
        )
    )


if __name__ == "__main__":
    main()
