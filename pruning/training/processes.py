"""One run in several processes (`accelerate launch`, `torchrun`): the main one writes, the others wait and read.

A launcher tells each process its place by environment variables. A run of one process neither joins nor waits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from pruning.errors import ConfigError

LONGEST_WAIT = timedelta(days=2)  # the main process alone caches a teacher's answers, which may take hours


def count() -> int:
    """How many processes share this run, on all machines."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def number() -> int:
    """Which of them this one is; the main one is 0."""
    return int(os.environ.get("RANK") or 0)


def is_main() -> bool:
    """Whether this process writes, measures and prints."""
    return number() == 0


def join(on_cpu: bool) -> None:
    """Meet the other processes, on the CPU or with a GPU for each.

    Raises:
        ConfigError: if there are fewer GPUs than processes, or devices of another kind.
    """
    if count() == 1:
        return
    import torch
    from accelerate import PartialState

    local, gpus = int(os.environ.get("LOCAL_WORLD_SIZE") or count()), torch.cuda.device_count()
    if not on_cpu and local > gpus:
        raise ConfigError(f"{local} processes on this machine: {gpus} CUDA GPUs, expected one for each or --device cpu")
    PartialState(cpu=on_cpu, timeout=LONGEST_WAIT)
    wait()


def wait() -> None:
    """Go on when all processes are here."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """The main process does what is inside while the others wait; then they do it, and find what it wrote."""
    if not is_main():
        wait()
    yield
    if is_main():
        wait()


def part() -> None:
    """Have all processes arrive here, then go separate ways."""
    if count() > 1:
        import torch

        wait()
        torch.distributed.destroy_process_group()


def lost_another(error: RuntimeError) -> bool:
    """Whether an operation failed because another process ended: gloo says so in words, NCCL by its class."""
    return "by peer" in str(error) or type(error).__name__ in ("DistBackendError", "DistNetworkError")
