"""The README's table of runtimes: what `python -m pruning profile` finds, and where it comes from.

python -m benchmarks.runtimes sst2
python -m benchmarks.runtimes sst2 --write README.md

Teacher and slim network in torch, in bfloat16, in ONNX Runtime and in its int8, in turns of short blocks; 32 tokens and
real texts, batch 32 and 1, 2 threads. Four minutes; only an otherwise idle machine gives numbers worth quoting.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/runtimes.py` works as well
from benchmarks.sections import act, add_actions, provenance
from benchmarks.speed import find_study, slim_variant
from pruning.export import trial_of
from pruning.runtimes.profile import Sizes, profile
from pruning.runtimes.table import table_text
from pruning.runtimes.torch_bfloat16 import instructions
from pruning.study import Study
from pruning.study.networks import load_network
from pruning.variants import TEACHER, Variant

SECTION = "runtimes"
RUNTIMES, SECONDS = ("torch", "bfloat16", "onnx", "onnx-int8"), 45  # compiling takes minutes more
SIZES = Sizes(threads=(2,), batches=(32, 1), lengths=(32,), runtimes=RUNTIMES, seconds=SECONDS)


def table(study: Study, variant: Variant) -> str:
    """Both tables, and the command that prints them."""
    typed = f"profile {study.name} --variant {variant} --batches 32,1 --lengths 32 --threads 2 --seconds {SECONDS}"
    command = f"python -m pruning {typed} --runtimes {','.join(RUNTIMES)}"
    account = provenance(command, f"bfloat16 by {', '.join(instructions())}")
    networks = {one: load_network(study, one) for one in (TEACHER, variant)}
    found = profile(networks, trial_of(study.task, None), SIZES, lambda line: print(line, file=sys.stderr))
    return f"{table_text(found)}\n\n{account}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or check; the exit code."""
    parser = argparse.ArgumentParser(description="The README's table of runtimes.")
    parser.add_argument("study", help="a study's folder, or the name of a bundled one")
    parser.add_argument("--variant", default="slim-10", help="the slim network (default: slim-10)")
    add_actions(parser)
    options = parser.parse_args(arguments)

    def content() -> str:
        study = find_study(options.study)
        return table(study, slim_variant(study, options.variant))

    return act(options, SECTION, content, "runtimes")


if __name__ == "__main__":
    sys.exit(main())
