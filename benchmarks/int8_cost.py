"""What int8 costs a slim network in points of its metric, on the validation split.

python -m benchmarks.int8_cost --data glue
python -m benchmarks.int8_cost cola sst2 --data glue --variants slim-10 --write README.md

Each network is exported for ONNX Runtime in int8 as `python -m pruning export --format onnx --int8` does it, and the
folder's own reader answers the validation split beside the stored network in torch and float32. Prints Markdown. A
score does not depend on how busy the machine is, but it does, a little, on the processor's kernels for int8.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/int8_cost.py` works as well
from benchmarks.sections import act, add_actions, provenance
from benchmarks.speed import find_study
from pruning.data import default_source
from pruning.export import Parity, Trial, Wanted, check_wanted, trial_of, write_export
from pruning.export.onnx_folder import tried
from pruning.study import BUNDLED, Study
from pruning.study.networks import load_network
from pruning.variants import INT8

SECTION = "int8"
HEADER = """\
| Task | Network | Metric | Float32 | Int8 | Points | Same answers | Examples |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |"""


def answered(study: Study, variant: str, trial: Trial) -> Parity:
    """How a network answers in int8, beside itself in torch."""
    network = load_network(study, variant)
    network.tokenizer.model_max_length = network.max_length
    with TemporaryDirectory() as place:
        wanted = Wanted("onnx", INT8, trial)
        parity = tried(write_export(network.model, network.tokenizer, Path(place) / variant, wanted=wanted))
    assert parity is not None  # noqa: S101  # of this format there always is one
    return parity


def row(study: Study, variant: str, parity: Parity) -> str:
    """A network's row."""
    task = study.task
    own, original = ((found or {})[task.main_metric] for found in (parity.metrics, parity.original))
    points = f"{100 * (own - original):+.2f}".replace("-", "−")
    same = f"{parity.same_answer:.2%}" if parity.same_answer is not None else f"r = {parity.correlation:.4f}"
    cells = (task.title, variant, task.metric_title(task.main_metric), f"{original:.4f}", f"{own:.4f}", points)
    return f"| {' | '.join((*cells, same, f'{parity.texts:,}'))} |"


def table(names: Sequence[str], variants: Sequence[str], source: str) -> str:
    """The table of some studies, and where its numbers come from."""
    check_wanted(Wanted("onnx", INT8))
    typed = shlex.join([*names, "--data", Path(source).name, "--variants", *variants])
    account = provenance(f"python -m benchmarks.int8_cost {typed}", "validation splits")
    rows = []
    for study in map(find_study, names):
        trial = trial_of(study.task, source)
        for variant in variants:
            if study.weights(variant) is not None:
                rows.append(row(study, variant, answered(study, variant, trial)))
                print(rows[-1], file=sys.stderr, flush=True)
    return "\n".join([HEADER, *rows, "", account])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or check; the exit code."""
    parser = argparse.ArgumentParser(description="Points of the metric that int8 costs, on validation splits.")
    parser.add_argument(
        "studies", nargs="*", help="folders of studies, or names of bundled ones (default: all of these)"
    )
    parser.add_argument(
        "--data", default=default_source(), help='"hub" or a folder (default: $SLIMVIZ_GLUE, else "hub")'
    )
    parser.add_argument("--variants", nargs="+", default=["slim-10", "slim-5"], help="those whose weights are stored")
    add_actions(parser)
    options = parser.parse_args(arguments)
    names = options.studies or sorted(path.parent.name for path in BUNDLED.glob("*/study.json"))
    return act(options, SECTION, lambda: table(names, options.variants, options.data), "int8_cost")


if __name__ == "__main__":
    sys.exit(main())
