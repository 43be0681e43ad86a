"""From process start to the first answer of an exported folder, and the memory that takes.

python -m benchmarks.start_up sst2
python -m benchmarks.start_up sst2 --variant slim-5 --runs 15 --write README.md

The slim network is exported for ONNX Runtime, in float32 and in int8, and the folder's own `predict.py` answers one
text in a fresh Python process, again and again, both in turns. Seconds are from just before the process is started
until its answer has been read; processor seconds are what it computed meanwhile; memory is the peak that was resident
(VmHWM, so Linux only). Files are in the system's cache by then: a first process is not counted. Whether torch was
imported is looked up in the process. Prints Markdown. Only an otherwise idle machine gives seconds worth quoting.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/start_up.py` works as well
from benchmarks.sections import act, add_actions, provenance
from benchmarks.speed import find_study, slim_variant
from pruning.errors import MeasureError
from pruning.export import Wanted, check_wanted, trial_of, write_export
from pruning.study import Study
from pruning.study.networks import load_network
from pruning.variants import PRECISIONS, Variant

SECTION = "start-up"
TEXTS = ("A slow start, but what an ending.", "The ending makes up for it.")
# What the process says of itself once it has answered.
WATCHED = """
import json, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    from time import process_time
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    strangers = sorted({"torch", "transformers", "pruning"} & sys.modules.keys())
    said = {"bytes": 1024 * int(status["VmHWM"].split()[0]), "processor": process_time(), "strangers": strangers}
    print(json.dumps(said), file=sys.stderr)
"""


@dataclass(frozen=True)
class Started:
    """One process.

    Attributes:
        seconds: until its answer was read.
        processor: seconds that it computed.
        bytes: resident at its peak.
    """

    seconds: float
    processor: float
    bytes: int


def started(folder: Path, texts: Sequence[str]) -> Started:
    """Start a process that answers, and wait for it.

    Raises:
        MeasureError: it fails, or imports what an exported folder shall do without.
    """
    command = [sys.executable, "-I", "-u", "-c", WATCHED, str(folder / "predict.py"), *texts]
    began = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        answer = process.stdout.readline()
        seconds = perf_counter() - began
        _, said = process.communicate()
    if process.returncode != 0 or not answer:
        raise MeasureError(f"start-up: predict.py ended with code {process.returncode} ({said.strip()[-160:]})")
    found = json.loads(said.splitlines()[-1])
    if found["strangers"]:
        raise MeasureError(f"start-up: predict.py imports {', '.join(found['strangers'])}, expected none of them")
    return Started(seconds, found["processor"], found["bytes"])


def table(study: Study, variant: Variant, runs: int) -> str:
    """The table of both precisions, and where its numbers come from."""
    check_wanted(Wanted("onnx"))
    if not Path("/proc/self/status").is_file():
        raise MeasureError("start-up: the system does not tell a process's memory, expected Linux")
    command = f"python -m benchmarks.start_up {study.name} --variant {variant} --runs {runs}"
    account = provenance(command, f"medians of {runs} processes")
    network, trial = load_network(study, variant), trial_of(study.task, None)
    network.tokenizer.model_max_length = network.max_length
    texts = TEXTS[: 2 if study.task.is_pair else 1]
    with TemporaryDirectory() as place:
        folders = {
            precision: write_export(
                network.model, network.tokenizer, Path(place) / precision, wanted=Wanted("onnx", precision, trial)
            )
            for precision in PRECISIONS
        }
        for folder in folders.values():
            started(folder, texts)
        taken = [{precision: started(folder, texts) for precision, folder in folders.items()} for _ in range(runs)]
    lines = ["| Export | Seconds | Processor seconds | Peak resident memory |", "| --- | ---: | ---: | ---: |"]
    for precision in PRECISIONS:
        own = [one[precision] for one in taken]
        seconds, processor = median(one.seconds for one in own), median(one.processor for one in own)
        memory = median(one.bytes for one in own) / 1e6
        lines.append(f"| {precision} | {seconds:.2f} | {processor:.2f} | {memory:.0f} MB |")
    return "\n".join([*lines, "", account])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or check; the exit code."""
    parser = argparse.ArgumentParser(description="Seconds and memory until an exported folder's first answer.")
    parser.add_argument("study", help="a study's folder, or the name of a bundled one")
    parser.add_argument("--variant", default="slim-10", help="the slim network (default: slim-10)")
    parser.add_argument("--runs", type=int, default=9, help="processes of each precision (default: 9)")
    add_actions(parser)
    options = parser.parse_args(arguments)

    def content() -> str:
        study = find_study(options.study)
        return table(study, slim_variant(study, options.variant), options.runs)

    return act(options, SECTION, content, "start_up")


if __name__ == "__main__":
    sys.exit(main())
