"""The teacher's answers, computed once: logits, and hidden states on disk for layer-by-layer matching.

Hidden states go to a flat half-precision file, read example by example, so memory stays flat. A cache is written aside
and renamed when complete; an interrupted one is simply computed again.
"""

from __future__ import annotations

import json
import os
import shutil
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pruning.data.batches import Encoded, collate
from pruning.errors import TrainingError

CACHE_BATCH = 64


class TeacherCache:
    """A teacher's logits, ``(examples, labels)`` float32, and hidden states, on disk.

    Attributes:
        logits: (examples, labels) float32.
        variance: (layers + 1,) float32, variance of each layer's hidden states over the cached tokens.
        has_hidden: whether hidden states are cached (they are not where they would take too much disk).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        meta = json.loads((folder / "cache.json").read_text(encoding="utf-8"))
        self.states, self.width = int(meta["states"]), int(meta["width"])
        self.logits = np.load(folder / "logits.npy", allow_pickle=False)
        self.variance = np.load(folder / "variance.npy", allow_pickle=False)
        self.starts = np.load(folder / "starts.npy", allow_pickle=False)
        self.has_hidden = (folder / "hidden.f16").is_file()
        self._file = (folder / "hidden.f16").open("rb") if self.has_hidden else None
        if self._file is not None:
            weakref.finalize(self, self._file.close)

    def hidden(self, index: np.ndarray, longest: int) -> torch.Tensor:
        """Hidden states of some examples, zero-padded: ``(layers + 1, batch, longest, hidden)`` float32."""
        if self._file is None:
            raise TrainingError(f"teacher cache {self.folder.name}: holds no hidden states")
        padded = np.zeros((self.states, len(index), longest, self.width), dtype=np.float16)
        per_token = self.states * self.width
        for row, example in enumerate(index):
            start, stop = int(self.starts[example]), int(self.starts[example + 1])
            raw = os.pread(self._file.fileno(), (stop - start) * per_token * 2, start * per_token * 2)
            states = np.frombuffer(raw, dtype=np.float16).reshape(self.states, stop - start, self.width)
            padded[:, row, : stop - start] = states
        return torch.from_numpy(padded).float()


def hidden_bytes(encoded: Encoded, states: int, width: int) -> int:
    """Disk that the cached hidden states of these examples take."""
    return int(encoded.lengths.sum()) * states * width * 2


def _write_at(handle: int, content: bytes, offset: int) -> None:
    """Write all of `content`: a single `os.pwrite` may write less, on a disk that is filling up."""
    done = 0
    while done < len(content):
        done += os.pwrite(handle, content[done:], offset + done)


@torch.no_grad()
def fill_cache(
    folder: Path,
    model: Any,
    encoded: Encoded,
    *,
    keep_hidden: bool,
    device: torch.device,
    autocast: bool,
    progress: Callable[[int, int], None] | None = None,
) -> TeacherCache:
    """Compute a cache, or open the complete one that is there (where it has no hidden states and should, anew).

    Args:
        folder: where it lives; written aside first.
        model: the teacher, in eval mode.
        encoded: the training examples, as the teacher reads them.
        keep_hidden: also store hidden states.
        device: where to compute.
        autocast: compute in bfloat16.
        progress: called with (examples done, all).
    """
    if (folder / "cache.json").is_file():
        present = TeacherCache(folder)
        if present.has_hidden or not keep_hidden:
            return present
    staging = folder.with_name(folder.name + ".partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    states, width = model.config.num_hidden_layers + 1, model.config.hidden_size
    starts = np.concatenate([[0], np.cumsum(encoded.lengths)])
    logits = np.zeros((len(encoded), model.config.num_labels), dtype=np.float32)
    sums, squares = np.zeros(states), np.zeros(states)
    make_batch = collate(encoded, few_lengths=True)
    model = model.to(device).eval()
    # Like lengths together, in order of length: little padding, and the same batches every time.
    order = np.argsort(encoded.lengths, kind="stable")
    with (staging / "hidden.f16").open("wb") if keep_hidden else nullcontext() as file:
        for start in range(0, len(order), CACHE_BATCH):
            index = order[start : start + CACHE_BATCH]
            batch = make_batch(index.tolist())
            inputs = {name: batch[name].to(device) for name in ("input_ids", "attention_mask", "token_type_ids")}
            with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
                output = model(**inputs, output_hidden_states=keep_hidden)
            logits[index] = output.logits.float().cpu().numpy()
            if file is not None:
                hidden = torch.stack([state.float() for state in output.hidden_states]).cpu().numpy()
                for row, example in enumerate(index):
                    own = hidden[:, row, : encoded.lengths[example]]
                    sums += own.sum((1, 2))
                    squares += np.square(own).sum((1, 2))
                    place = int(starts[example]) * states * width * 2
                    _write_at(file.fileno(), own.astype(np.float16).tobytes(), place)
            if progress is not None:
                progress(min(start + CACHE_BATCH, len(order)), len(order))
    count = max(1, int(encoded.lengths.sum()) * width)
    variance = np.maximum(squares / count - np.square(sums / count), 1e-6) if keep_hidden else np.ones(states)
    np.save(staging / "logits.npy", logits)
    np.save(staging / "starts.npy", starts)
    np.save(staging / "variance.npy", variance.astype(np.float32))
    (staging / "cache.json").write_text(json.dumps({"states": states, "width": width}), encoding="utf-8")
    (folder / "cache.json").unlink(missing_ok=True)  # first, so that a folder half removed is never taken for whole
    shutil.rmtree(folder, ignore_errors=True)
    staging.rename(folder)
    return TeacherCache(folder)
