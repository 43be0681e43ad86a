"""``python -m pruning profile sst2 --variant slim-10``: milliseconds of this machine in every runtime it has."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pruning.cli import machine, stored
from pruning.cli.options import Command, add_json, add_stored, add_teacher, chosen_from, count, counts, path
from pruning.cli.printing import say, show, show_json
from pruning.errors import ConfigError, MeasureError
from pruning.export import trial_of
from pruning.export.onnx_folder import NEEDS
from pruning.record_files import write_record
from pruning.records import to_plain
from pruning.runtimes.profile import BATCHES, LENGTHS, Sizes, profile
from pruning.runtimes.registry import REFERENCE, RUNTIMES
from pruning.runtimes.stored import StoredProfile, read_profile, sizes_on_disk
from pruning.runtimes.table import table_text
from pruning.variants import TEACHER


def add_options(command: argparse.ArgumentParser) -> None:
    """Which network, in which sizes."""
    add_stored(command)
    command.add_argument(
        "--variant", metavar="NAME", help='the small network, as "slim-10"; default: the first that is stored'
    )
    command.add_argument("--batches", type=counts, default=BATCHES, metavar="N,N", help="texts a batch")
    command.add_argument(
        "--lengths",
        type=counts,
        metavar="N,N",
        help=f"tokens of made-up texts; default: {','.join(map(str, LENGTHS))}, as far as the networks read",
    )
    command.add_argument(
        "--threads", type=counts, metavar="N,N", help="processor threads, each count apart; default: as torch chooses"
    )
    command.add_argument(
        "--runtimes",
        type=partial(chosen_from, RUNTIMES),
        default=tuple(RUNTIMES),
        metavar="NAME,NAME",
        help=f"some of {', '.join(RUNTIMES)}; {REFERENCE.name} is always among them",
    )
    command.add_argument(
        "--seconds", type=count, default=10, metavar="N", help="for each batch and length; slow ones take longer"
    )
    command.add_argument(
        "--data",
        type=path,
        metavar="SOURCE",
        help="score every runtime on the first validation split, too, and time its texts: "
        '"hub", "probe" or a folder; without it probe texts are timed and nothing is scored',
    )
    command.add_argument(
        "--output",
        type=path,
        metavar="FILE",
        help="store all of it as JSON, for `advise --profile`; replaces a profile, nothing else",
    )
    add_teacher(command)
    add_json(command)


def run(options: argparse.Namespace) -> int:
    """Time the study's teacher and a small network in turns, print the tables, and store them where that is asked."""
    study = stored.find_study(options.study)
    if options.data is not None and not study.task.is_labelled:
        raise ConfigError(f"profile: {study.name} has no labels to score by, expected no --data")
    output = None if options.output is None else _checked(Path(options.output))
    machine.quieten()
    import torch

    from pruning.measure.environment import current_commit, environment
    from pruning.runtimes.torch_bfloat16 import instructions
    from pruning.study.networks import stored_variants

    small = options.variant
    if small is None:
        names = [variant.name for variant in stored_variants(study) if variant != TEACHER]
        if not names:
            raise MeasureError(f"study {study.name}: no small network's weights are stored, expected some")
        small = names[0]
    networks = stored.load_networks(study, [TEACHER.name, small], "cpu", options.teacher)
    sizes = Sizes(
        threads=options.threads or (torch.get_num_threads(),),
        batches=options.batches,
        lengths=options.lengths,
        runtimes=options.runtimes,
        seconds=options.seconds,
        is_scored=options.data is not None,
    )
    found, here = profile(networks, trial_of(study.task, options.data), sizes, say), environment(NEEDS)
    say(f"{here.hardware}; bfloat16 by {', '.join(instructions()) or 'no instructions'}, as torch finds them")
    if not options.json:
        for line in table_text(found).splitlines():
            show(line)
    if output is None and not options.json:
        return 0
    in_torch = {variant: row.size_bytes if (row := study.result(variant)) else None for variant in networks}
    made = StoredProfile(
        study=study.name,
        task=study.task.name,
        variant=small,
        weights=study.weights_sha256(TEACHER, small),
        command=options.command_typed,
        commit=current_commit(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        hardware=here.hardware,
        libraries=here.libraries,
        bfloat16=instructions(),
        sizes=sizes_on_disk(networks, found, in_torch),
        profile=found,
    )
    if output is not None:
        write_record(output, made)
        say(f"{output}: written")
    if options.json:
        plain = to_plain(made)
        rows = plain.pop("profile")
        show_json(plain | rows)
    return 0


def _checked(output: Path) -> Path:
    """A file that may be written, looked at before minutes of timing; StoreError where it holds anything else."""
    if output.exists():
        read_profile(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    return output


COMMAND = Command(
    "profile", "time teacher and small network on this machine's CPU in every runtime it has", add_options, run
)
