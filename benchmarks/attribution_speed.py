"""Seconds until Playground has attributed an answer to words, both networks, and how far the words miss their sum.

python -m benchmarks.attribution_speed sst2
python -m benchmarks.attribution_speed sst2 --budget 5 --steps 16 32 64 --runs 5

The text is made up of words that both vocabularies know; the first run is not timed. Prints JSON with medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from time import perf_counter

from pruning import load_study
from pruning.errors import SlimVizError
from pruning.variants import TEACHER
from slimviz.live.attributions import STEPS, explain
from slimviz.live.networks import Network, load_network, threads_text

MARKS = 2  # [CLS] and [SEP]


def measure(networks: Sequence[Network], label: int | None, text: str, steps: int, runs: int) -> dict[str, object]:
    """Median seconds of explaining one text by so many steps, and each network's error as a share of its difference."""
    found, seconds = explain(networks, label, text, steps=steps), []
    for _ in range(runs):
        start = perf_counter()
        explain(networks, label, text, steps=steps)
        seconds.append(perf_counter() - start)
    errors = {variant.name: abs(one.error / one.difference) for variant, one in found.readings.items()}
    return {"seconds": statistics.median(seconds), "error": errors}


def main() -> int:
    parser = argparse.ArgumentParser(description="Seconds until both networks' answers are attributed to words.")
    parser.add_argument("study", help="a study of single sentences with weights, by name or folder")
    parser.add_argument("--budget", default="10", help="of its slim network (default: 10)")
    parser.add_argument("--tokens", type=int, default=32, help="of the text, marks included (default: 32)")
    parser.add_argument("--steps", type=int, nargs="+", default=[STEPS], help=f"points of the line (default: {STEPS})")
    parser.add_argument("--runs", type=int, default=5, help="timed runs, after one that is not (default: 5)")
    options = parser.parse_args()
    try:
        study = load_study(options.study)
        networks = [load_network(study, variant) for variant in (TEACHER, study.final(options.budget))]
    except SlimVizError as error:
        print(error, file=sys.stderr)
        return 2
    text = " ".join(["good", "and", "not", "so", "long"] * options.tokens).split()[: options.tokens - MARKS]
    label = None if study.task.is_regression else 0
    found = {steps: measure(networks, label, " ".join(text), steps, options.runs) for steps in options.steps}
    print(json.dumps({"tokens": options.tokens, "threads": threads_text(), "by_steps": found}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
