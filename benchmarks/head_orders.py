"""Orders of heads that were tried and are no criteria: python -m benchmarks.head_orders cola --data glue.

Each is found on training rows of a stored study's teacher and judged by its ablation curves on other training rows,
beside the head gradients of loss and answer:

- rearranged: the heads whose gradients together are smallest, so that heads which cancel each other may both go (the
  full Fisher matrix instead of its diagonal; Kwon et al. 2022).
- again: gradients taken anew after every twelfth of the heads has gone.
- alone: what the loss gains, or how far answers move, when one head is off by itself.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch

from pruning.bert.gates import hook_gates
from pruning.bert.model import bert_shape
from pruning.bert.shapes import Site
from pruning.data import Encoded, collate, load_examples
from pruning.losses import certainty, logits_loss, task_loss
from pruning.measure.ablation import counts
from pruning.measure.gating import CHOICE_ROWS, Ground, ablate, drawn_apart
from pruning.measure.logits import INPUTS
from pruning.study import find_study
from pruning.study.networks import load_network
from pruning.training.context import resolve_precision
from pruning.variants import TEACHER

BATCH = 32


class Heads:
    """A teacher whose heads can be gated off, on some rows.

    Args:
        model: the teacher.
        encoded: labelled rows.
        is_regression: whether labels are scores.
    """

    def __init__(self, model: Any, encoded: Encoded, is_regression: bool) -> None:
        self.model, self.encoded, self.is_regression = model.requires_grad_(False), encoded, is_regression
        self.shape = bert_shape(model)
        order = np.argsort(encoded.lengths, kind="stable")
        make_batch = collate(encoded, few_lengths=True)
        self.batches = [make_batch(order[start : start + BATCH].tolist()) for start in range(0, len(order), BATCH)]

    def run(self, batch: dict[str, Any], on: np.ndarray) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Logits, and a gate by layer, (batch, 1, heads)."""
        size = len(batch["input_ids"])
        gates = [torch.tensor(row, dtype=torch.float32).expand(size, 1, -1).clone() for row in on]

        def gate(site: Site, layer: int | None) -> Any:
            if site is not Site.ATTENTION_CONTEXT or layer is None:
                return None
            return lambda units: units * gates[layer].requires_grad_().repeat_interleave(self.shape.head_size, -1)

        handles = hook_gates(self.model, gate)
        try:
            return self.model(**{name: batch[name] for name in INPUTS}).logits, gates
        finally:
            for handle in handles:
                handle.remove()

    def gradients(self, of: str, on: np.ndarray) -> np.ndarray:
        """(rows, heads) gradients of the loss or of the answer by each head's gate."""
        found = []
        for batch in self.batches:
            logits, gates = self.run(batch, on)
            loss = task_loss(logits, batch["labels"], self.is_regression) * len(logits)
            (certainty(logits, self.is_regression).sum() if of == "answer" else loss).backward()
            found.append(torch.stack([gate.grad for gate in gates if gate.grad is not None], 1).flatten(1).numpy())
        return np.concatenate(found)

    def alone(self) -> dict[str, np.ndarray]:
        """What each head's absence does to the loss and to the answers."""
        every = np.ones((self.shape.layers, self.shape.heads), dtype=np.float32)
        with torch.no_grad():
            whole = [self.run(batch, every)[0] for batch in self.batches]
        found = np.zeros((2, every.size))
        for head in range(every.size):
            on = every.copy()
            on.ravel()[head] = 0
            with torch.no_grad():
                for batch, answer in zip(self.batches, whole, strict=True):
                    logits = self.run(batch, on)[0]
                    found[0, head] += float(task_loss(logits, batch["labels"], self.is_regression)) * len(logits)
                    found[1, head] += float(logits_loss(logits, answer, 1.0, self.is_regression)) * len(logits)
        return {name: values.reshape(every.shape) for name, values in zip(("loss", "answer"), found, strict=True)}

    def again(self, of: str) -> np.ndarray:
        """The order of heads when gradients are taken anew at each count."""
        on, off = np.ones((self.shape.layers, self.shape.heads), dtype=np.float32), []
        for count in counts(on.size)[1:]:
            values = np.where(on.ravel() > 0, np.abs(self.gradients(of, on)).mean(0), np.inf)
            off += np.argsort(values, kind="stable")[: count - len(off)].tolist()
            on.ravel()[off] = 0
        return places(off, on.shape)


def places(order: list[int], shape: tuple[int, ...]) -> np.ndarray:
    """Importance of heads that go in this order."""
    values = np.empty(len(order), dtype=np.float32)
    values[order] = np.arange(len(order))
    return values.reshape(shape)


def rearranged(gradients: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Heads go one by one, always the one that adds least to the mean square of all gradients gone, summed."""
    products = gradients.T @ gradients / len(gradients)
    added, off = np.diag(products).astype(np.float64), []
    for _ in range(len(products)):
        head = int(added.argmin())
        off.append(head)
        added = added + 2 * products[head]
        added[off] = np.inf
    return places(off, shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("--data", required=True, help="a folder with GLUE, or hub")
    parser.add_argument("--rows", type=int, default=CHOICE_ROWS, help="training rows that orders are found on")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    study = find_study(options.study)
    network, train = load_network(study, TEACHER), load_examples(study.task, "train", options.data)
    seed = study.document.config.seed
    found_on = train.take(np.random.default_rng(seed).permutation(len(train))[: options.rows])
    heads = Heads(network.model, network.encode(found_on), study.task.is_regression)
    shape = (heads.shape.layers, heads.shape.heads)
    orders: dict[str, np.ndarray] = {}
    for of in ("loss", "answer"):
        gradients = heads.gradients(of, np.ones(shape, dtype=np.float32))
        orders[f"{of}-gradient"] = np.abs(gradients).mean(0).reshape(shape)
        orders[f"{of}-rearranged"] = rearranged(gradients, shape)
        orders[f"{of}-again"] = heads.again(of)
    orders |= {f"{of}-alone": values for of, values in heads.alone().items()}
    ground = Ground(study.task, "train", drawn_apart(train, CHOICE_ROWS, seed), seed, 2, resolve_precision("auto"))
    curves = ablate(network, "teacher", orders, ground)
    print(f"{study.name}: {curves.rows} training rows, {curves.metric} {curves.whole:.4f}, {curves.precision}")
    for name, area in curves.areas.items():
        half = curves.kept_at_half(name)
        left = "" if half is None else f"{half:.1%}"
        print(f"  {name:<18} area {area:+.4f}  kept {curves.kept(name):.1%}  above floor at half {left}")
    print("  at random: kept", ", ".join(f"{kept:.1%}" for kept in curves.kept_at_random))


if __name__ == "__main__":
    main()
