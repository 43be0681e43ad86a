"""Peak memory of loading a network and answering one batch, on the CPU measured in a process of its own.

    python -m pruning.measure.memory FOLDER BATCH LENGTH THREADS

prints bytes of a saved network; see `peak_memory` for what they mean. Linux only: it reads /proc/self/status.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from pruning.errors import MeasureError
from pruning.measure.network import Network

MEMORY_BATCH, MEMORY_LENGTH, MEMORY_SECONDS = 32, 128, 600


def peak_memory(network: Network, *, batch: int = MEMORY_BATCH) -> int | None:
    """Bytes that a network takes at its peak to be loaded and answer one batch of 32 texts of 128 tokens.

    On the CPU: in a fresh process that has imported torch and transformers, the peak of resident memory less what was
    resident before the network was loaded (all of its weights as float32, and the activations). On CUDA: the peak that
    torch allocated in this process, weights included. None where the system does not tell (CPU figures need Linux).

    Args:
        network: teacher or slim network; the batch's texts are as long as it reads, at most 128 tokens.
        batch: texts in the batch.
    """
    import torch
    from safetensors.torch import save_model

    model, device = network.model, network.device
    length = min(network.max_length, MEMORY_LENGTH)
    if torch.device(device).type == "cuda":
        ids = torch.zeros(batch, length, dtype=torch.long, device=device)
        torch.cuda.reset_peak_memory_stats(device)
        with torch.inference_mode():
            model(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids))
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device)
    if torch.device(device).type != "cpu" or not Path("/proc/self/status").is_file():
        return None
    with TemporaryDirectory(prefix="slimviz-") as folder:
        model.config.save_pretrained(folder)
        save_model(model, str(Path(folder, "model.safetensors")), metadata={"format": "pt"})
        return peak_in_new_process(Path(folder), batch, length, torch.get_num_threads())


def peak_in_new_process(folder: Path, batch: int, length: int, threads: int) -> int:
    """What `main` prints of a saved network, from a process that has loaded nothing else."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pruning.measure.memory", str(folder), str(batch), str(length), str(threads)]
    try:
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=MEMORY_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeasureError(f"peak memory: the process that measures it failed ({type(error).__name__})") from None
    words = done.stdout.split()
    if done.returncode != 0 or not words or not words[-1].isdigit():
        lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise MeasureError(f"peak memory: the process that measures it failed ({lines[-1][:160]})")
    return int(words[-1])


def status_bytes(key: str, process: int | str = "self") -> int:
    """A line of a process's status in /proc, such as "VmRSS:   1234 kB", in bytes."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"/proc/{process}/status has no {key}")


def forget_peak() -> None:
    """Start the peak anew, where the system lets us; otherwise that of the imports counts, if it is the higher one."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def main(folder: str, batch: int, length: int, threads: int) -> int:
    """Load the network, let it answer, and return the bytes that this took at the peak."""
    import torch
    from transformers import AutoModelForSequenceClassification

    import pruning.slimbert  # noqa: F401  # registers the slim network with the Auto classes

    torch.set_num_threads(threads)
    gc.collect()
    forget_peak()
    before = status_bytes("VmRSS")
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, trust_remote_code=False
    )
    ids = torch.zeros(batch, length, dtype=torch.long)
    with torch.inference_mode():
        for parameter in model.parameters():
            parameter.sum()  # weights mapped from a file are resident only once they are read
        model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids))
    return max(0, status_bytes("VmHWM") - before)


if __name__ == "__main__":
    print(main(sys.argv[1], *map(int, sys.argv[2:5])))
