"""The teacher's answers, computed once: logits, and hidden states on disk for layer-by-layer matching.

Hidden states go to a flat half-precision file that is mapped, so memory stays flat. A cache is written aside and
renamed when complete; an interrupted one is simply computed again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from tqdm import tqdm

from pruning.data import Encoded, collate
from pruning.errors import TrainingError
from pruning.files import written_aside
from pruning.training import processes
from pruning.training.context import Context

CACHE_BATCH = 64
HIDDEN = "hidden.f16"


class TeacherCache:
    """A teacher's answers, on disk.

    Attributes:
        logits: (examples, labels) float32.
        lengths: (examples,) int64, tokens.
        variance: (layers + 1,) float32, variance of each layer's hidden states over the cached tokens.
        has_hidden: whether hidden states are cached (they are not where they would take too much disk).
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        meta = json.loads((folder / "cache.json").read_text(encoding="utf-8"))
        self._states, self._width = int(meta["states"]), int(meta["width"])
        self.logits, self.lengths, self.variance, self._starts = (
            np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("logits", "lengths", "variance", "starts")
        )
        self.has_hidden = (folder / HIDDEN).is_file()
        self._hidden = np.memmap(folder / HIDDEN, dtype=np.float16, mode="r") if self.has_hidden else None

    def hidden(self, index: np.ndarray, longest: int) -> torch.Tensor:
        """Hidden states of some examples, zero-padded: ``(layers + 1, batch, longest, hidden)`` float32."""
        if self._hidden is None:
            raise TrainingError(f"teacher cache {self.name}: holds no hidden states")
        padded = np.zeros((self._states, len(index), longest, self._width), dtype=np.float16)
        for row, example in enumerate(index):
            length, start = int(self.lengths[example]), int(self._starts[example])
            values = self._hidden[start : start + self._states * length * self._width]
            padded[:, row, :length] = values.reshape(self._states, length, self._width)
        return torch.from_numpy(padded).float()


def cache_answers(context: Context, teacher: Any, encoded: Encoded, folder: Path, *, hidden: bool) -> TeacherCache:
    """The stage: have the teacher answer all texts, or open what it answered.

    Args:
        context: of the study.
        teacher: in eval mode; left on the CPU.
        encoded: the texts, as the teacher reads them.
        folder: of the stage.
        hidden: also keep hidden states.
    """
    with (
        processes.main_first(),
        tqdm(total=len(encoded), desc="teacher's answers", unit="text", disable=context.quiet, mininterval=1.0) as bar,
    ):
        cache = fill_cache(
            folder / "cache",
            teacher,
            encoded,
            keep_hidden=hidden,
            device=torch.device(context.torch_device),
            autocast=context.uses_bfloat16,
            progress=lambda done, total: bar.update(done - bar.n),
        )
    teacher.cpu()
    return cache


def hidden_bytes(encoded: Encoded, states: int, width: int) -> int:
    """Disk that the cached hidden states of these examples take."""
    return int(encoded.lengths.sum()) * states * width * 2


@torch.no_grad()
def fill_cache(
    folder: Path,
    model: Any,
    encoded: Encoded,
    *,
    keep_hidden: bool,
    device: torch.device,
    autocast: bool,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> TeacherCache:
    """Compute a cache, or open the complete one that is there.

    Args:
        folder: where it lives; written aside first.
        model: the teacher, in eval mode.
        encoded: the training examples, as the teacher reads them.
        keep_hidden: also store hidden states.
        device: where to compute.
        autocast: compute in bfloat16.
        progress: called with (examples done, all).
    """
    if folder.is_dir():
        return TeacherCache(folder)
    states, width = model.config.num_hidden_layers + 1, model.config.hidden_size
    logits = np.zeros((len(encoded), model.config.num_labels), dtype=np.float32)
    starts = np.zeros(len(encoded), dtype=np.int64)
    sums, squares, place = np.zeros(states), np.zeros(states), 0
    make_batch = collate(encoded, few_lengths=True)
    model = model.to(device).eval()
    # Like lengths together, in order of length: little padding, and the same batches every time.
    order = np.argsort(encoded.lengths, kind="stable")
    with written_aside(folder) as aside:
        aside.mkdir()
        with (aside / HIDDEN).open("wb") if keep_hidden else nullcontext() as file:
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
                        starts[example], place = place, place + own.size
                        _write_states(file, own)
                progress(min(start + CACHE_BATCH, len(order)), len(order))
        count = max(1, int(encoded.lengths.sum()) * width)
        variance = np.maximum(squares / count - np.square(sums / count), 1e-6) if keep_hidden else np.ones(states)
        arrays = {"logits": logits, "lengths": encoded.lengths, "starts": starts}
        for name, array in (arrays | {"variance": variance.astype(np.float32)}).items():
            np.save(aside / f"{name}.npy", array)
        (aside / "cache.json").write_text(json.dumps({"states": states, "width": width}), encoding="utf-8")
    return TeacherCache(folder)


def _write_states(file: IO[bytes], states: np.ndarray) -> None:
    """Append one example's hidden states, (layers + 1, tokens, hidden)."""
    file.write(states.astype(np.float16).tobytes())
