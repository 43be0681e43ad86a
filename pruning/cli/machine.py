"""The machine a command works on: threads and device, and quiet libraries."""

from __future__ import annotations

import argparse
import os
import warnings

from pruning.errors import ConfigError
from pruning.training import processes


def prepare(options: argparse.Namespace) -> str:
    """Set threads and quieten libraries; returns the device to use.

    Raises:
        ConfigError: there is no such device here.
    """
    quieten()
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    from pruning.measure.devices import devices

    known = {device.name: device for device in devices()}
    name = "cuda:0" if options.device == "cuda" and "cuda:0" in known else options.device
    if name not in known or not known[name].available:
        reason = known[name].reason if name in known else "no such device"
        available = ", ".join(device.name for device in known.values() if device.available)
        raise ConfigError(f"--device {options.device:.40}: {reason}, expected one of auto, {available}")
    return options.device


def quieten() -> None:
    """Keep libraries from printing what nobody can act on."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if processes.count() > 1:  # each stage's DDP would warn that it looks for unused parameters and finds none
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # peft asks transformers for a name that is about to change; nothing a user can act on.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def prepare_training(options: argparse.Namespace) -> str:
    """The same for training, which takes the first GPU that it sees."""
    device = prepare(options)
    if device.startswith("cuda:") and device != "cuda:0":
        index = device.removeprefix("cuda:")
        raise ConfigError(
            f"--device {device}: training takes the first GPU it sees, expected cuda with CUDA_VISIBLE_DEVICES={index}"
        )
    return device
