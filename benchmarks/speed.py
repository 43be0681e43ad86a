"""A stored slim network against its teacher, and against what int8 would give instead: milliseconds and speed-ups.

python -m benchmarks.speed sst2
python -m benchmarks.speed my-studies/reviews --variant slim-5 --threads 1 --runs 50

The teacher runs as a plain `BertForSequenceClassification`, and once more in dynamic int8 (torch's own); both and the
slim network are timed in turns, in one process on the CPU: batch 1 and 32, texts of 16 to 128 tokens, and the texts of
the probe set, which a cut vocabulary lengthens. A table goes to standard error, JSON to standard output. Only an
otherwise idle machine gives numbers worth quoting.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/speed.py` works as well
from pruning.bert.counts import count_flops
from pruning.data.examples import Examples
from pruning.data.sources import load_examples
from pruning.errors import DataError, MeasureError, SlimVizError
from pruning.measure.latency import RUNS, TEACHER
from pruning.measure.speed import LENGTHS, REAL_LENGTH, speed_table
from pruning.study import BUNDLED, Study, read_study
from pruning.study.document import network_from_json

INT8 = "teacher-int8"


def find_study(name: str) -> Study:
    """A study by its folder, or by the name of a bundled one."""
    return read_study(Path(name) if Path(name).is_dir() else BUNDLED / name)


def slim_variant(study: Study, wanted: str | None) -> str:
    """The slim network to time: the one named, or the smallest whose weights are stored."""
    stored = [name for name in study.variants if name.startswith("slim-") and study.weights(name)]
    if not stored or (wanted is not None and wanted not in stored):
        found = f"no weights of {wanted!r}" if wanted else "no slim network's weights"
        raise MeasureError(f"study {study.name}: {found}, expected one of {', '.join(stored) or '(none are stored)'}")
    return wanted or min(stored, key=lambda name: float(name.removeprefix("slim-")))


def load_networks(study: Study, variant: str) -> dict[str, tuple[Any, Any]]:
    """Teacher, teacher in int8, slim network; each with its tokenizer."""
    import transformers

    from pruning.compress.quantise import dynamic_int8
    from pruning.publish import stored_networks

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    networks = stored_networks(study, [TEACHER, variant])
    teacher, tokenizer = networks[TEACHER]
    return {TEACHER: (teacher, tokenizer), INT8: (dynamic_int8(teacher), tokenizer), variant: networks[variant]}


def probe_texts(study: Study) -> Examples | None:
    """The task's probe set, or None where there is none."""
    try:
        return load_examples(study.task, study.task.validation[0], "probe")
    except DataError as error:
        print(f"no real texts are timed: {error}", file=sys.stderr)
        return None


def flop_ratios(study: Study, variant: str, lengths: Sequence[int]) -> dict[int, float]:
    """FLOPs of the slim network, divided by the teacher's, for texts of these lengths."""
    slim = network_from_json(study.selections[variant.removeprefix("slim-")]["network"])
    dense = study.shape.network()
    return {length: count_flops(slim, length) / count_flops(dense, length) for length in lengths}


def table(rows: Sequence[Mapping[str, Any]], ratios: Mapping[int, float]) -> str:
    """The measurements as text, one line a batch and length."""
    cells: dict[tuple[int, Any], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        cells.setdefault((row["batch"], row["length"]), {})[row["variant"]] = row
    names = list(next(iter(cells.values())))
    lines = ["batch  tokens  " + "".join(f"{name:>24}" for name in names) + "   FLOPs, slim/teacher"]
    for (batch, length), found in cells.items():
        times = "".join(f"{row['median_ms']:>14.2f} ms {row['speedup']:>5.2f}x" for row in found.values())
        ratio = f"{ratios[length]:>22.1%}" if length in ratios else ""
        tokens = "probe" if length == REAL_LENGTH else length
        lines.append(f"{batch:>5}  {tokens:>6}  {times}{ratio}")
    return "\n".join(lines)


def measure(study: Study, variant: str, *, threads: int, runs: int) -> dict[str, Any]:
    """All measurements of one study, ready for JSON."""
    from pruning.measure.environment import environment

    networks = load_networks(study, variant)

    def progress(done: int, total: int, what: str) -> None:
        print(f"\r{done}/{total} {what:<32}", end="" if done < total else "\n", file=sys.stderr, flush=True)

    longest = study.data["config"].get("max_length", max(LENGTHS))
    rows = speed_table(networks, probe_texts(study), threads=threads, runs=runs, max_length=longest, progress=progress)
    ratios = flop_ratios(study, variant, LENGTHS)
    print(table(rows, ratios), file=sys.stderr)
    where = environment()
    speedups = {_cell(row): round(row["speedup"], 2) for row in rows if row["variant"] == variant}
    int8 = {_cell(row): round(row["speedup"], 2) for row in rows if row["variant"] == INT8}
    return {
        "study": study.name,
        "variant": variant,
        "hardware": where["hardware"],
        "threads": threads,
        "libraries": where["libraries"],
        "speedup": speedups,
        "speedup_of_int8": int8,
        "flop_ratio": {str(length): round(ratio, 4) for length, ratio in ratios.items()},
        "rows": rows,
    }


def _cell(row: Mapping[str, Any]) -> str:
    texts = "probe texts" if row["length"] == REAL_LENGTH else f"{row['length']} tokens"
    return f"batch {row['batch']}, {texts}"


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description="Teacher, teacher in int8 and slim network, timed in turns.")
    parser.add_argument("study", help="a study's folder, or the name of a bundled one")
    parser.add_argument("--variant", help='"slim-10"; default: the smallest with stored weights')
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: 2)")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"timed rounds per cell (default: {RUNS})")
    options = parser.parse_args()
    try:
        study = find_study(options.study)
        report = measure(study, slim_variant(study, options.variant), threads=options.threads, runs=options.runs)
    except SlimVizError as error:
        print(f"speed: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
