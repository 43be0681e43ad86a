"""What a measurement was made on and with: hardware, libraries, the commit of the code."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pruning.measure.devices import processor
from pruning.shipped import is_installed

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "peft", "accelerate", "datasets", "numpy")


@dataclass(frozen=True)
class Environment:
    """A machine and what is installed there: no host names, no paths.

    Attributes:
        hardware: processor, cores and GPUs in one line.
        cores: that this process may use.
        gpus: their names.
        threads: that torch computes with on the CPU.
        libraries: name -> version.
        platform: operating system and machine.
        python: version.
    """

    hardware: str
    cores: int
    gpus: tuple[str, ...]
    threads: int
    libraries: dict[str, str]
    platform: str
    python: str


def environment(further: Iterable[str] = ()) -> Environment:
    """This machine; libraries are `LIBRARIES` and further ones, as far as they are installed."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = tuple(torch.cuda.get_device_name(index) for index in range(count))
    libraries = {"torch": str(torch.__version__)}
    for name in (*LIBRARIES[1:], *further):
        try:
            libraries[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Environment(
        hardware=", ".join([f"{processor()} ({cores} core{'s' if cores != 1 else ''})", *gpus]),
        cores=cores,
        gpus=gpus,
        threads=torch.get_num_threads(),
        libraries=libraries,
        platform=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
    )


def current_commit() -> str | None:
    """The commit that this code stands at ("+" where files were changed since), or None outside a checkout."""
    if is_installed():
        return None  # a virtual environment may lie in somebody's repository, whose commit says nothing of this code
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)  # noqa: S607
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "pruning")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
