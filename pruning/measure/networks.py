"""Parameters, FLOPs, logits, memory and size of networks on a device, and where they were measured.

Time is measured in `latency`, whose names can be imported from here, too. torch is imported inside functions: the
dashboard takes the lock from here before it needs torch.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pruning.bert.shapes import count_flops, count_parameters
from pruning.data.batches import collate, encode
from pruning.data.examples import Examples
from pruning.errors import DataError, MeasureError
from pruning.measure.latency import TIMING_LOCK, Latency, Stopped, latency, speed_table
from pruning.measure.memory import peak_memory

__all__ = [
    "TIMING_LOCK",
    "DeviceInfo",
    "Latency",
    "Stopped",
    "count_flops",
    "count_parameters",
    "devices",
    "dynamic_int8",
    "environment",
    "flops",
    "index_buffers",
    "latency",
    "parameters_by_numel",
    "peak_memory",
    "predict_logits",
    "size_on_disk",
    "speed_table",
    "tokens_per_text",
]
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "peft", "accelerate", "datasets", "numpy")


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


def environment() -> dict[str, Any]:
    """What a measurement was made on: no host names, no paths.

    Returns:
        "hardware" (one line), "cores", "gpus", "threads", "libraries" (name -> version), "platform", "python".
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = [torch.cuda.get_device_name(index) for index in range(count)]
    libraries = {"torch": str(torch.__version__)}
    for name in LIBRARIES[1:]:
        try:
            libraries[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "hardware": ", ".join([f"{processor()} ({cores} core{'s' if cores != 1 else ''})", *gpus]),
        "cores": cores,
        "gpus": gpus,
        "threads": torch.get_num_threads(),
        "libraries": libraries,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _saved(model: Any) -> list[Any]:
    """Tensors that ``save_pretrained`` saves, shared ones once."""
    seen: dict[Any, Any] = {}
    for name, tensor in model.state_dict().items():
        # Tensors without elements all live at address 0.
        place = (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name
        seen.setdefault(place, tensor)
    return list(seen.values())


def parameters_by_numel(model: Any) -> int:
    """Parameters of what is saved: `numel` of the floating-point tensors, the oracle of `count_parameters`."""
    return sum(tensor.numel() for tensor in _saved(model) if tensor.is_floating_point())


def index_buffers(model: Any) -> tuple[int, int]:
    """Index buffers that are saved beside the parameters: how many integers they hold, and their bytes."""
    tensors = [tensor for tensor in _saved(model) if not tensor.is_floating_point()]
    return sum(tensor.numel() for tensor in tensors), sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def flops(model: Any, batch: int, length: int) -> int:
    """Floating-point operations of one forward pass, as torch counts them (matrix products only).

    The attention runs under the math kernel, because the counter finds nothing in the fused one on a CPU. For a network
    of known widths `count_flops` gives the same number without running it.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    ids = torch.zeros(batch, length, dtype=torch.long, device=next(model.parameters()).device)
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
        model(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids))
    return counter.get_total_flops()


def predict_logits(
    model: Any,
    tokenizer: Any,
    examples: Examples,
    *,
    max_length: int = 128,
    batch_size: int = 64,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Logits of all examples, in their order. The same call gives the same numbers, whoever asks.

    Args:
        model: teacher or slim network; moved to `device`, set to eval mode.
        tokenizer: its own.
        examples: texts or pairs.
        max_length: most tokens of a text; also at most the network's positions.
        batch_size: texts a batch; texts of like length go together.
        device: where to compute.
        progress: called after each batch with (examples done, all).
        should_stop: asked before each batch.

    Returns:
        (examples, labels) float32.

    Raises:
        Stopped: if `should_stop` said so.
        DataError: if there are no examples.
    """
    import torch

    if not len(examples):
        raise DataError(f"{examples.origin}: no examples, expected at least one")
    positions = int(getattr(model.config, "max_position_embeddings", max_length))
    encoded = encode(tokenizer, examples, min(max_length, positions))
    make_batch = collate(encoded)
    order = np.argsort(encoded.lengths, kind="stable")
    model = model.to(device).eval()
    parts: list[np.ndarray] = []
    for start in range(0, len(order), batch_size):
        if should_stop is not None and should_stop():
            raise Stopped(f"stopped after {start} of {len(order)} examples")
        rows = order[start : start + batch_size]
        batch = make_batch(rows.tolist())
        inputs = {name: batch[name].to(device) for name in ("input_ids", "attention_mask", "token_type_ids")}
        with torch.inference_mode():
            parts.append(model(**inputs).logits.float().cpu().numpy())
        if progress is not None:
            progress(start + len(rows), len(order))
    logits = np.concatenate(parts)
    restored = np.empty_like(logits)
    restored[order] = logits
    return restored


def tokens_per_text(tokenizer: Any, examples: Examples, max_length: int) -> tuple[float, float]:
    """Mean tokens a text, special tokens included, and the share of texts that were cut to `max_length`."""
    encoded = encode(tokenizer, examples, max_length)
    return encoded.tokens_per_text, encoded.truncated_share


def size_on_disk(folder: Path | str) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def dynamic_int8(model: Any) -> Any:
    """A copy of a dense network whose linear layers compute in int8 (torch's dynamic quantisation), CPU only.

    For comparison: what a user who does not prune might do instead.

    Raises:
        MeasureError: if this torch cannot do it.
    """
    import torch

    with warnings.catch_warnings():
        # torch 2.13 announces that this moves to torchao, and so do the functions that it calls.
        warnings.filterwarnings("ignore", message="torch.ao.quantization is deprecated", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
        try:
            from torch.ao.quantization import quantize_dynamic

            return quantize_dynamic(model.cpu().eval(), {torch.nn.Linear}, dtype=torch.qint8)
        except (ImportError, RuntimeError, NotImplementedError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise MeasureError(f"dynamic int8: torch {torch.__version__} cannot do it here ({reason})") from None
