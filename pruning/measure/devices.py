"""Which devices a network could run on here, and waiting for one of them."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class DeviceInfo:
    """A device that a network could run on.

    Attributes:
        name: as torch names it ("cpu", "cuda:0", "mps").
        title: for people.
        available: whether it can be used here.
        reason: why not, or None.
    """

    name: str
    title: str
    available: bool
    reason: str | None = None


def devices() -> list[DeviceInfo]:
    """The CPU, every CUDA device and Apple's GPU; those that are not here come with the reason."""
    import torch

    found = [DeviceInfo("cpu", f"CPU ({processor()})", True)]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            found.append(DeviceInfo(f"cuda:{index}", torch.cuda.get_device_name(index), True))
    else:
        no_build = "this torch is built without CUDA" if torch.version.cuda is None else "no CUDA device was found"
        found.append(DeviceInfo("cuda", "CUDA GPU", False, no_build))
    if torch.backends.mps.is_available():
        found.append(DeviceInfo("mps", "Apple GPU", True))
    else:
        no_build = "this torch is built without MPS" if not torch.backends.mps.is_built() else "no Apple GPU was found"
        found.append(DeviceInfo("mps", "Apple GPU", False, no_build))
    return found


def processor() -> str:
    """The processor's model as the system states it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine() or "unknown processor"


def synchronize(device: Any) -> None:
    """Wait until an accelerator has done what it was told; a CPU has when the call returns."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()
