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
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/speed.py` works as well
from pruning.bert.counts import count_flops
from pruning.data import Examples, load_examples
from pruning.errors import DataError, MeasureError, SlimVizError
from pruning.measure.latency import Rounds
from pruning.measure.network import Network
from pruning.measure.speed import LENGTHS, Speed, speed_table
from pruning.records import to_plain
from pruning.study import BUNDLED, Study, read_study
from pruning.variants import TEACHER, Variant

INT8 = Variant("teacher", precision="int8")


def find_study(name: str) -> Study:
    """A study by its folder, or by the name of a bundled one."""
    return read_study(Path(name) if Path(name).is_dir() else BUNDLED / name)


def slim_variant(study: Study, wanted: str | None) -> Variant:
    """The slim network to time: the one named, or the smallest whose weights are stored."""
    rows = {str(row.variant): row for row in study.results if row.variant.method == "slim"}
    stored = [name for name in rows if study.weights(name)]
    if not stored or (wanted is not None and wanted not in stored):
        found = f"no weights of {wanted!r}" if wanted else "no slim network's weights"
        raise MeasureError(f"study {study.name}: {found}, expected one of {', '.join(stored) or '(none are stored)'}")
    return study.variant(wanted or min(stored, key=lambda name: rows[name].parameters.total))


def load_networks(study: Study, variant: Variant) -> dict[Variant, Network]:
    """Teacher, teacher in int8, slim network."""
    from pruning.compress.quantise import dynamic_int8
    from pruning.study.networks import load_network

    teacher = load_network(study, TEACHER)
    return {
        TEACHER: teacher,
        INT8: replace(teacher, model=dynamic_int8(teacher.model)),
        variant: load_network(study, variant),
    }


def probe_texts(study: Study) -> Examples | None:
    """The task's probe set, or None where there is none."""
    try:
        return load_examples(study.task, study.task.validation[0], "probe")
    except DataError as error:
        print(f"no real texts are timed: {error}", file=sys.stderr)
        return None


def flop_ratios(study: Study, variant: Variant, lengths: Sequence[int]) -> dict[int, float]:
    """FLOPs of the slim network, divided by the teacher's, for texts of these lengths."""
    row = study.result(variant)
    assert row is not None and row.selection is not None  # noqa: S101, PT018  # `slim_variant` chose it by its row
    slim, dense = study.selections[row.selection].network, study.shape.network()
    return {length: count_flops(slim, length) / count_flops(dense, length) for length in lengths}


def table(rows: Sequence[Speed], ratios: Mapping[int, float]) -> str:
    """The measurements as text, one line a batch and length."""
    cells: dict[tuple[int, Any], list[Speed]] = {}
    for row in rows:
        cells.setdefault((row.batch, row.length), []).append(row)
    names = [row.variant.name for row in next(iter(cells.values()))]
    lines = ["batch  tokens  " + "".join(f"{name:>24}" for name in names) + "   FLOPs, slim/teacher"]
    for (batch, length), found in cells.items():
        times = "".join(f"{row.median_ms:>14.2f} ms {row.speedup:>5.2f}x" for row in found)
        ratio = f"{ratios[length]:>22.1%}" if length in ratios else ""
        tokens = "probe" if length == "real" else length
        lines.append(f"{batch:>5}  {tokens:>6}  {times}{ratio}")
    return "\n".join(lines)


def measure(study: Study, variant: Variant, rounds: Rounds) -> dict[str, Any]:
    """All measurements of one study, ready for JSON."""
    from pruning.measure.environment import environment

    networks = load_networks(study, variant)

    def progress(done: int, total: int, what: str) -> None:
        print(f"\r{done}/{total} {what:<32}", end="" if done < total else "\n", file=sys.stderr, flush=True)

    rows = speed_table(networks, probe_texts(study), rounds=rounds, progress=progress)
    ratios = flop_ratios(study, variant, LENGTHS)
    print(table(rows, ratios), file=sys.stderr)
    where = environment()
    return {
        "study": study.name,
        "variant": variant.name,
        "hardware": where.hardware,
        "threads": rounds.threads,
        "libraries": where.libraries,
        "speedup": {_cell(row): round(row.speedup, 2) for row in rows if row.variant == variant},
        "speedup_of_int8": {_cell(row): round(row.speedup, 2) for row in rows if row.variant == INT8},
        "flop_ratio": {str(length): round(ratio, 4) for length, ratio in ratios.items()},
        "rows": [to_plain(row) | {"variant": row.variant.name} for row in rows],
    }


def _cell(row: Speed) -> str:
    return f"batch {row.batch}, {'probe texts' if row.length == 'real' else f'{row.length} tokens'}"


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description="Teacher, teacher in int8 and slim network, timed in turns.")
    parser.add_argument("study", help="a study's folder, or the name of a bundled one")
    parser.add_argument("--variant", help='"slim-10"; default: the smallest with stored weights')
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: 2)")
    parser.add_argument("--runs", type=int, default=30, help="timed rounds per cell (default: 30)")
    options = parser.parse_args()
    try:
        study = find_study(options.study)
        rounds = Rounds(runs=options.runs, threads=options.threads)
        report = measure(study, slim_variant(study, options.variant), rounds)
    except SlimVizError as error:
        print(f"speed: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
