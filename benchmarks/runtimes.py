"""The best small network against the best dense one: teacher and slim network in torch, ONNX Runtime and its int8.

python -m benchmarks.runtimes sst2
python -m benchmarks.runtimes sst2 --variant slim-5 --blocks 30 --calls 10 --threads 1

All six are timed in one process on the CPU, in turns of short blocks: a block is a few calls of one network after one
that is not timed, since a runtime's threads may still be busy when the next one's turn begins (ONNX Runtime's spin;
that is off here). A speed-up is the median over blocks of the ratio to dense torch in the same block of turns, and its
interval is the middle 95% of that median over resampled blocks. Batch 32 and batch 1, 32 tokens each. A table goes to
standard error, JSON to standard output. Only an otherwise idle machine gives numbers worth quoting.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/runtimes.py` works as well
from benchmarks.speed import find_study, slim_variant
from pruning.errors import SlimVizError
from pruning.export import Trial, Wanted, check_wanted, trial_of, write_export
from pruning.measure.latency import Call, Rounds, latency
from pruning.measure.network import Network
from pruning.measure.speed import made_up
from pruning.study import Study
from pruning.variants import FLOAT, INT8, TEACHER, Variant

CELLS = ((32, 32), (1, 32))  # texts, tokens
RESAMPLES = 2000
TRIED = 32  # texts that each export is tried on; how alike they answer is measured elsewhere
DENSE = "dense torch"


def exported(network: Network, precision: str, folder: Path, trial: Trial, threads: int | None) -> Any:
    """A session of the network, written and read as a user would."""
    from pruning.export.reader import Reader

    network.tokenizer.model_max_length = network.max_length
    wanted = Wanted("onnx", precision, trial)
    return Reader(write_export(network.model, network.tokenizer, folder, wanted=wanted), threads or 0).session


def calls(networks: Mapping[str, Network], sessions: Mapping[str, Any], batch: int, tokens: int) -> dict[str, Call]:
    """One call each: a batch of made-up texts, the same for torch and for ONNX Runtime."""
    found: dict[str, Call] = {}
    for name, network in networks.items():
        inputs = made_up(network, batch, tokens)
        arrays = {key: values.numpy() for key, values in inputs.items()}
        found[f"{name} torch"] = lambda number, model=network.model, inputs=inputs: model(**inputs)
        for precision in (FLOAT, INT8):
            label, session = f"{name} ORT{' int8' if precision == INT8 else ''}", sessions[f"{name} {precision}"]
            found[label] = lambda number, session=session, arrays=arrays: session.run(None, arrays)
    return found


def in_blocks(timed: Mapping[str, Call], rounds: Rounds, blocks: int) -> dict[str, np.ndarray]:
    """Each one's median milliseconds, (blocks,): all of them one block each, in their order, again and again."""
    medians: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(blocks):
        for name, call in timed.items():
            medians[name].append(latency({name: call}, rounds)[name].median_ms)
    return {name: np.array(found) for name, found in medians.items()}


def speedups(found: Mapping[str, np.ndarray], against: str) -> dict[str, dict[str, Any]]:
    """How many times faster than one of them each is, with its interval; (blocks,) milliseconds each."""
    generator = np.random.default_rng(0)
    count = len(found[against])
    chosen = generator.integers(0, count, size=(RESAMPLES, count))
    rows = {}
    for name, own in found.items():
        ratios = found[against] / own
        low, high = np.percentile(np.median(ratios[chosen], axis=1), [2.5, 97.5])
        rows[name] = {"speedup": float(np.median(ratios)), "interval": [float(low), float(high)]}
    return rows


def measure(study: Study, variant: Variant, rounds: Rounds, blocks: int) -> dict[str, Any]:
    """All measurements of one study, ready for JSON."""
    from pruning.measure.environment import environment
    from pruning.study.networks import load_network

    networks = {"dense": load_network(study, TEACHER), "slim": load_network(study, variant)}
    trial = trial_of(study.task, None)
    trial = Trial(trial.task, trial.examples.take(range(min(TRIED, len(trial.examples)))))
    rows = []
    with TemporaryDirectory() as place:
        sessions = {
            f"{name} {precision}": exported(network, precision, Path(place) / name / precision, trial, rounds.threads)
            for name, network in networks.items()
            for precision in (FLOAT, INT8)
        }
        for batch, tokens in CELLS:
            found = in_blocks(calls(networks, sessions, batch, tokens), rounds, blocks)
            medians = {name: float(np.median(own)) for name, own in found.items()}
            best = min((name for name in medians if name.startswith("dense")), key=medians.__getitem__)
            dense, others = speedups(found, DENSE), speedups(found, best)
            for name, median in medians.items():
                row = {"batch": batch, "tokens": tokens, "network": name, "median_ms": median}
                rows.append(row | dense[name] | {"best_dense": best, "against_best_dense": others[name]})
                print(line(rows[-1]), file=sys.stderr)
    where = environment()
    return {
        "study": study.name,
        "variant": variant.name,
        "hardware": where.hardware,
        "threads": rounds.threads,
        "libraries": where.libraries,
        "blocks": blocks,
        "calls": rounds.runs,
        "rows": rows,
    }


def line(row: Mapping[str, Any]) -> str:
    """A row as text."""
    other = row["against_best_dense"]
    return (
        f"{row['batch']:>3} x {row['tokens']}  {row['network']:<15} {row['median_ms']:>9.2f} ms"
        f"  {row['speedup']:>6.2f}x ({row['interval'][0]:.2f} to {row['interval'][1]:.2f})"
        f"  {other['speedup']:>6.2f}x ({other['interval'][0]:.2f} to {other['interval'][1]:.2f}) of {row['best_dense']}"
    )


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description="Teacher and slim network in torch, ONNX Runtime and int8, in turns.")
    parser.add_argument("study", help="a study's folder, or the name of a bundled one")
    parser.add_argument("--variant", default="slim-10", help="the slim network (default: slim-10)")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: 2)")
    parser.add_argument("--blocks", type=int, default=30, help="turns of each network per cell (default: 30)")
    parser.add_argument("--calls", type=int, default=5, help="timed calls per block (default: 5)")
    options = parser.parse_args()
    try:
        check_wanted(Wanted("onnx"))
        study = find_study(options.study)
        rounds = Rounds(runs=options.calls, warmup=1, threads=options.threads)
        report = measure(study, slim_variant(study, options.variant), rounds, options.blocks)
    except SlimVizError as error:
        print(f"runtimes: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
