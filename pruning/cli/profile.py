"""``python -m pruning profile sst2 --variant slim-10``: milliseconds of this machine in every runtime it has."""

from __future__ import annotations

import argparse
from functools import partial

from pruning.cli import machine, stored
from pruning.cli.options import Command, add_json, add_stored, add_teacher, chosen_from, count, counts
from pruning.cli.printing import say, show, show_json
from pruning.errors import MeasureError
from pruning.export import trial_of
from pruning.records import to_plain
from pruning.runtimes.profile import BATCHES, LENGTHS, Sizes, profile
from pruning.runtimes.registry import REFERENCE, RUNTIMES
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
    add_teacher(command)
    add_json(command)


def run(options: argparse.Namespace) -> int:
    """Time the study's teacher and a small network in turns, and print the tables."""
    study = stored.find_study(options.study)
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
    )
    found, where = profile(networks, trial_of(study.task, None), sizes, say), environment()
    say(f"{where.hardware}; bfloat16 by {', '.join(instructions()) or 'no instructions'}, as torch finds them")
    if options.json:
        about = {"study": study.name, "variant": small, "commit": current_commit(), "hardware": where.hardware}
        show_json(about | {"bfloat16": instructions(), "libraries": where.libraries} | to_plain(found))
    else:
        for line in table_text(found).splitlines():
            show(line)
    return 0


COMMAND = Command(
    "profile", "time teacher and small network on this machine's CPU in every runtime it has", add_options, run
)
