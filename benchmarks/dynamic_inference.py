"""Whether a slim network should stop early on easy texts, or drop tokens on the way: metric against milliseconds.

python -m benchmarks.dynamic_inference sst2 mrpc cola --data glue
python -m benchmarks.dynamic_inference qnli --data glue --budget 5 --texts 500

Early exit: after each layer a linear head guesses the network's own logits from its [CLS] state and the mean of its
tokens; whose most probable label is sure enough ends there (confidence as in DeeBERT, Xin et al. 2020, and FastBERT,
Liu et al. 2020). Heads are least squares on training rows; thresholds are chosen on the 15% of them set aside, as the
lowest that leaves a share of the network's own answers as they are. Token elimination: after each layer with attention
the tokens that receive the least of it go (PoWER-BERT, Goyal et al. 2020, without its training), a fixed share a layer.
Nothing is chosen on validation, which gives metric and, at batch 1 by real lengths, the milliseconds: all modes answer
a text before the next one's turn. Prints a JSON line a study; only an otherwise idle machine gives times to quote.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning import load_study
from pruning.data import Encoded, Examples, Task, default_source, load_examples
from pruning.data.overlap import development_split
from pruning.measure.environment import current_commit, environment
from pruning.measure.latency import TIMING_LOCK, using_threads
from pruning.measure.logits import batch_inputs
from pruning.measure.metrics import metrics
from pruning.measure.network import Network
from pruning.study.networks import load_network

if TYPE_CHECKING:
    import torch

SEED, BATCH, RIDGE, WARM_UP = 0, 64, 1e-2, 20
MOST_ROWS = 8000  # that heads are fitted on
UNCHANGED = (0.995, 0.99, 0.98, 0.95)  # shares of answers that an early exit may leave as they are
KEPT = (0.9, 0.8, 0.7, 0.5)  # shares of tokens that stay after each layer with attention

Mode = Callable[[dict[str, Any]], Any]  # inputs of one text -> its logits (1, labels)


def seen_by_heads(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """What a head reads: (batch, tokens, hidden) and (batch, tokens) -> (batch, 2 * hidden + 1), a one at the end."""
    import torch

    weights = mask.to(hidden.dtype)[..., None]
    mean = (hidden * weights).sum(1) / weights.sum(1)
    return torch.cat((hidden[:, 0], mean, torch.ones_like(mean[:, :1])), -1)


def states_of(network: Network, encoded: Encoded) -> tuple[list[torch.Tensor], torch.Tensor]:
    """What heads read after each layer but the last, and the network's logits, rows as they come."""
    import torch

    layers: list[list[torch.Tensor]] = []
    logits: list[torch.Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(encoded), BATCH):
            inputs = batch_inputs(network, encoded, range(start, min(start + BATCH, len(encoded))))
            answer = network.model(**inputs, output_hidden_states=True)
            layers.append([seen_by_heads(state, inputs["attention_mask"]) for state in answer.hidden_states[1:-1]])
            logits.append(answer.logits)
    return [torch.cat(parts) for parts in zip(*layers, strict=True)], torch.cat(logits)


def fitted(states: Sequence[torch.Tensor], logits: torch.Tensor) -> list[torch.Tensor]:
    """A head a layer, (2 * hidden + 1, labels), by ridge regression on the network's own logits."""
    import torch

    heads = []
    for read in states:
        double = read.double()
        gram = double.T @ double
        gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        heads.append(torch.linalg.solve(gram, double.T @ logits.double()).float())
    return heads


def left_early(heads: Sequence[torch.Tensor], states: Sequence[torch.Tensor], threshold: float) -> np.ndarray:
    """After how many layers each row ends, (rows,); one more than there are heads where it goes through."""
    ends = np.full(len(states[0]), len(heads) + 1)
    for number in reversed(range(len(heads))):
        sure = (states[number] @ heads[number]).softmax(-1).amax(-1) >= threshold
        ends[sure.numpy()] = number + 1
    return ends


def answers(heads: Sequence[torch.Tensor], states: Sequence[torch.Tensor], logits: Any, ends: np.ndarray) -> np.ndarray:
    """Logits of rows that end after so many layers."""
    found = logits.numpy().copy()
    for number, head in enumerate(heads):
        rows = ends == number + 1
        found[rows] = (states[number] @ head).numpy()[rows]
    return found


def threshold_for(share: float, heads: Sequence[torch.Tensor], states: Sequence[torch.Tensor], logits: Any) -> float:
    """The lowest confidence that leaves at least this share of the network's answers as they are."""
    whole = logits.numpy().argmax(-1)
    for threshold in np.linspace(0.5, 1.0, 101):
        ends = left_early(heads, states, float(threshold))
        if (answers(heads, states, logits, ends).argmax(-1) == whole).mean() >= share:
            return float(threshold)
    return 1.01


def with_exits(model: Any, heads: Sequence[torch.Tensor], threshold: float) -> Mode:
    """The network that ends where a head is sure."""

    def answer(inputs: dict[str, Any]) -> Any:
        encoder = model.slimbert
        hidden = encoder.embeddings(encoder.embeddings.embed_words(inputs["input_ids"]), inputs["token_type_ids"])
        for number, layer in enumerate(encoder.layers):
            hidden, _ = layer(hidden, None, None, False)
            if number < len(heads):
                guess = seen_by_heads(hidden, inputs["attention_mask"]) @ heads[number]
                if float(guess.softmax(-1).amax()) >= threshold:
                    return guess
        return model.classifier(encoder.pooler(hidden[:, 0]).tanh())

    return answer


def with_fewer_tokens(model: Any, kept: float) -> Mode:
    """The network in which tokens that receive little attention go after each layer; one text at a time."""

    def answer(inputs: dict[str, Any]) -> Any:
        encoder = model.slimbert
        hidden = encoder.embeddings(encoder.embeddings.embed_words(inputs["input_ids"]), inputs["token_type_ids"])
        for layer in encoder.layers:
            hidden, weights = layer(hidden, None, None, layer.attention.heads > 0)
            if weights is not None:
                received = weights.sum((1, 2))[0]
                received[0] = float("inf")  # the classifier reads the first token
                staying = received.topk(max(1, round(kept * len(received)))).indices.sort().values
                hidden = hidden[:, staying]
        return model.classifier(encoder.pooler(hidden[:, 0]).tanh())

    return answer


def one_by_one(mode: Mode, network: Network, encoded: Encoded) -> np.ndarray:
    """Logits of all examples, each answered alone, (examples, labels)."""
    import torch

    with torch.inference_mode():
        rows = [mode(batch_inputs(network, encoded, [number])) for number in range(len(encoded))]
    return torch.cat(rows).numpy()


def timed(modes: dict[str, Mode], network: Network, encoded: Encoded, texts: int) -> dict[str, np.ndarray]:
    """Milliseconds of each mode on the same texts, (texts,); in turns, after some that are not timed."""
    import torch

    order = np.random.default_rng(SEED).permutation(len(encoded))[: texts + WARM_UP].tolist()
    taken: dict[str, list[float]] = {name: [] for name in modes}
    with TIMING_LOCK, using_threads(None), torch.inference_mode():
        for number in order:
            inputs = batch_inputs(network, encoded, [number])
            for name, mode in modes.items():
                start = perf_counter()
                mode(inputs)
                taken[name].append(1000 * (perf_counter() - start))
    return {name: np.array(found[WARM_UP:]) for name, found in taken.items()}


def times_as_fast(plain: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Of all texts together, with the middle 95% over texts drawn again."""
    drawn = np.random.default_rng(SEED).integers(0, len(plain), (2000, len(plain)))
    low, high = np.percentile(plain[drawn].sum(1) / other[drawn].sum(1), (2.5, 97.5))
    return {"times": round(plain.sum() / other.sum(), 2), "low": round(float(low), 2), "high": round(float(high), 2)}


def measure(name: str, budget: str, source: str, texts: int) -> dict[str, Any]:
    """Both families on one study, ready for JSON."""
    study = load_study(name)
    task, network = study.task, load_network(study, study.final(budget))
    if task.is_regression:
        raise SystemExit(f"{name}: a score has no confidence to stop at, expected a task with labels")
    fitting, apart = development_split(load_examples(task, "train", source), SEED)
    rows = np.random.default_rng(SEED).permutation(len(fitting))[:MOST_ROWS]
    heads = fitted(*states_of(network, network.encode(fitting.take(np.sort(rows)))))
    held_out = states_of(network, network.encode(apart))
    validation = load_examples(task, task.validation[0], source)
    encoded = network.encode(validation)
    states, logits = states_of(network, encoded)
    modes: dict[str, Mode] = {"whole": lambda inputs: network.model(**inputs).logits}
    found: dict[str, dict[str, Any]] = {"whole": {**scored(task, logits.numpy(), validation), "unchanged": 1.0}}
    for share in UNCHANGED:
        threshold = threshold_for(share, heads, *held_out)
        ends = left_early(heads, states, threshold)
        early, key = answers(heads, states, logits, ends), f"exit, {share:.1%} unchanged on training rows"
        modes[key] = with_exits(network.model, heads, threshold)
        found[key] = {
            **scored(task, early, validation),
            "unchanged": unchanged(early, logits.numpy()),
            "threshold": round(threshold, 3),
            "layers": round(float(ends.mean()), 2),
        }
    for kept in KEPT:
        key = f"tokens, {kept:.0%} kept a layer"
        modes[key] = with_fewer_tokens(network.model, kept)
        fewer = one_by_one(modes[key], network, encoded)
        found[key] = {**scored(task, fewer, validation), "unchanged": unchanged(fewer, logits.numpy())}
    taken = timed(modes, network, encoded, texts)
    for key, milliseconds in taken.items():
        found[key] |= {"ms": round(float(milliseconds.mean()), 3), **times_as_fast(taken["whole"], milliseconds)}
    here = environment()
    return {
        "study": name,
        "budget": budget,
        "metric": task.main_metric,
        "validation": len(validation),
        "texts_timed": len(taken["whole"]),
        "commit": current_commit(),
        "hardware": here.hardware,
        "threads": here.threads,
        "modes": found,
    }


def scored(task: Task, logits: np.ndarray, examples: Examples) -> dict[str, float]:
    """The task's metric."""
    return {"score": round(metrics(task, logits, examples.labels)[task.main_metric], 4)}


def unchanged(logits: np.ndarray, whole: np.ndarray) -> float:
    """Share of answers that are the whole network's."""
    return round(float((logits.argmax(-1) == whole.argmax(-1)).mean()), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description="Early exit and token elimination on slim networks.")
    parser.add_argument("studies", nargs="+", help="with weights, of tasks with labels")
    parser.add_argument("--data", default=default_source())
    parser.add_argument("--budget", default="10", help="of the slim network (default: 10)")
    parser.add_argument("--texts", type=int, default=300, help="timed (default: 300)")
    options = parser.parse_args()
    for name in options.studies:
        print(json.dumps(measure(name, options.budget, options.data, options.texts)), flush=True)


if __name__ == "__main__":
    main()
