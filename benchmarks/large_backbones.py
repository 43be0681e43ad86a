"""Minutes and memory of the one-shot preset on networks as large as BERT-base or BERT-large, stage by stage.

    python -m benchmarks.large_backbones                        # BERT-base to half of its parameters
    python -m benchmarks.large_backbones --large --budget 0.25
    python -m benchmarks.large_backbones --layers 2 --texts 100 # a look at it, in seconds

Weights are random, texts are made of words of the embedded vocabulary: what is measured depends on neither. A stage is
a JSON line: seconds by the clock and of the processor, and the most memory that the process has held so far; the last
line has all of it together, with the machine and how busy it was. The teacher is taken as it is: importance,
selection, cut, least squares and answers on held-out texts are those of `python -m pruning run --preset one-shot`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from pruning.bert.backbones import find_backbone, load_tokenizer
from pruning.bert.counts import count_flops
from pruning.bert.model import bert_shape
from pruning.bert.vocabulary import cut_tokenizer, whole_words
from pruning.compress import least_squares
from pruning.compress.cut import shrunk_network
from pruning.config import PRESETS, StudyConfig, with_settings
from pruning.data import Examples, custom_task, encode
from pruning.importance.gather import gather_factors
from pruning.measure.environment import environment
from pruning.measure.gating import drawn_apart
from pruning.measure.logits import encoded_logits
from pruning.selection.budget import Budget
from pruning.selection.select import select
from pruning.slimbert import round_to_half

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
MEAN_WORDS, MOST_WORDS = 21, 200
HELD_OUT = 10  # one text in so many
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description="Minutes and memory of the one-shot preset on large networks.")
    parser.add_argument("--large", action="store_true", help="BERT-large instead of BERT-base")
    parser.add_argument("--layers", type=int, help="fewer layers, for a look")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--budget", type=float, default=0.5, help="total density (default: 0.5)")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    widths = dict(LARGE if options.large else BASE)
    widths["num_hidden_layers"] = options.layers or widths["num_hidden_layers"]
    stages: dict[str, dict[str, float]] = {}
    found = prune(widths, options.texts, options.budget, stages)
    total = {name: sum(stage[name] for stage in stages.values()) for name in ("clock", "processor")}
    whole = {
        **widths,
        **found,
        "minutes": round(total["clock"] / 60, 2),
        "processor_minutes": round(total["processor"] / 60, 2),
        "peak_gib": peak_gib(),
        "threads": torch.get_num_threads(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "hardware": environment().hardware,
    }
    print(json.dumps(whole))


def prune(widths: dict[str, int], count: int, ratio: float, stages: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The one-shot preset on a network of random weights; fills in `stages` on the way."""
    config = with_settings(StudyConfig(), PRESETS["one-shot"])
    task = custom_task("made-up", ("text",), ("no", "yes"))
    with measured("load", stages):
        tokenizer = load_tokenizer(find_backbone())
        torch.manual_seed(config.seed)
        settings: dict[str, Any] = {"vocab_size": len(tokenizer), **widths}
        teacher: Any = BertForSequenceClassification(BertConfig(**settings)).eval()
        texts = made_up_texts(tokenizer, count)
        held_out = np.arange(count) % HELD_OUT == 0
        train, scored = (texts.take(np.flatnonzero(chosen)) for chosen in (~held_out, held_out))
        encoded = encode(tokenizer, train, config.max_length)
    with measured("importance", stages):
        factors = gather_factors(
            teacher,
            None,
            tokenizer,
            encoded,
            is_regression=False,
            general_share=config.selection.general_share,
            seed=config.seed,
        )
    with measured("selection", stages):
        selection = select(factors, Budget("total_density", ratio), config.selection, config.criterion)
    with measured("cut", stages):
        cut = shrunk_network(task, teacher, factors, selection, config.selection.general_share)
        own = cut_tokenizer(tokenizer, selection.pieces, positions=selection.positions)
    with measured("least squares", stages):
        chosen = encode(tokenizer, drawn_apart(train, config.least_squares.texts, config.seed), config.max_length)
        solved, fits = least_squares.solved(teacher, cut, chosen, ridge=config.least_squares.ridge)
        round_to_half(solved)
    with measured("answers", stages):
        asked = encode(tokenizer, scored, config.max_length), encode(own, scored, config.max_length)
        _, answers = (encoded_logits(model, text) for model, text in zip((teacher, solved), asked, strict=True))
    shape = bert_shape(teacher).network()
    return {
        "texts": count,
        "mean_tokens": round(float(encoded.lengths.mean()), 1),
        "total_density": round(selection.total_density, 4),
        "heads": [layer.heads for layer in selection.shape.layers],
        "ffn": [layer.ffn for layer in selection.shape.layers],
        "is_finite": bool(np.isfinite(answers).all()),
        "error": [f"{np.mean([getattr(fit, when) for fit in fits]):.1e}" for when in ("before", "after")],
        "forward_gflop": round(sum(count_flops(shape, int(length)) for length in encoded.lengths) / 1e9),
    }


def made_up_texts(tokenizer: Any, count: int, seed: int = 0) -> Examples:
    """Texts of words of the vocabulary by Zipf's law, of many lengths; a few are longer than a network reads."""
    words, _ = whole_words(tokenizer)
    generator = np.random.default_rng(seed)
    lengths = np.clip(generator.lognormal(np.log(MEAN_WORDS) - 0.3, 0.7, count), 2, MOST_WORDS).astype(int)
    shares = 1 / np.arange(10, 10 + len(words))
    texts = [" ".join(generator.choice(words, length, p=shares / shares.sum())) for length in lengths]
    return Examples(tuple(texts), None, generator.integers(0, 2, count), f"{count} made-up texts")


@contextmanager
def measured(name: str, stages: dict[str, dict[str, float]]) -> Iterator[None]:
    """Print what a stage took."""
    clock, processor = perf_counter(), process_time()
    yield
    taken = {"clock": perf_counter() - clock, "processor": process_time() - processor}
    stages[name] = {key: round(seconds, 1) for key, seconds in taken.items()}
    print(json.dumps({"stage": name, **stages[name], "peak_gib": peak_gib()}), flush=True)


def peak_gib() -> float:
    """The most memory that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / GIB, 2)


if __name__ == "__main__":
    main()
