"""Answers of a network exported to ONNX: needs numpy, onnxruntime and tokenizers, nothing else.

python predict.py "a warm, funny film"
python predict.py "first text" "second text"     # of a network that reads pairs

from predict import Reader
Reader("folder").answer(["a warm, funny film"])
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

BATCH_SIZE = 32


class Reader:
    """An exported network, ready to answer.

    Args:
        folder: what was exported; by default the one that this file lies in.
        threads: of the processor; by default as many as it has cores.

    Attributes:
        settings: what ``network.json`` says.
        tokenizer: cuts texts to the network's length.
        session: reads ``input_ids``, ``attention_mask`` and ``token_type_ids``, (texts, tokens) int64 each.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent, threads: int = 0) -> None:
        folder = Path(folder)
        self.settings: dict[str, Any] = json.loads((folder / "network.json").read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(self.settings["max_length"])
        self.session = open_session(str(folder / "model.onnx"), threads)

    def logits(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """What the network says, (texts, labels) float32; `pairs` are second texts, where it reads pairs.

        Raises:
            ValueError: there are second texts where it reads none, or none where it reads them, or not as many.
        """
        if (pairs is not None) != self.settings["is_pair"]:
            raise ValueError(f"expected {'pairs of texts' if self.settings['is_pair'] else 'single texts'}")
        both = list(texts) if pairs is None else list(zip(texts, pairs, strict=True))
        encoded = self.tokenizer.encode_batch(both)
        order = sorted(range(len(encoded)), key=lambda index: len(encoded[index].ids))  # like lengths in one batch
        found = np.empty((len(encoded), len(self.settings["labels"] or ["score"])), dtype=np.float32)
        for start in range(0, len(order), BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            found[rows] = np.asarray(self.session.run(None, self._batch([encoded[row] for row in rows]))[0])
        return found

    def _batch(self, encoded: Sequence[Any]) -> dict[str, np.ndarray]:
        """Encoded texts padded to the longest."""
        shape = (len(encoded), max(len(one.ids) for one in encoded))
        batch = {name: np.zeros(shape, dtype=np.int64) for name in self.settings["inputs"]}
        batch["input_ids"][:] = self.settings["pad_id"]
        for row, one in enumerate(encoded):
            length = len(one.ids)
            batch["input_ids"][row, :length] = one.ids
            batch["attention_mask"][row, :length] = 1
            batch["token_type_ids"][row, :length] = one.type_ids
        return batch

    def answer(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """A text's ``label``, its ``probability`` and all ``probabilities``; or its ``score``."""
        logits, labels = self.logits(texts, pairs).astype(np.float64), self.settings["labels"]
        if labels is None:
            return [{"score": float(score)} for score in logits[:, 0]]
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return [
            {
                "label": labels[int(row.argmax())],
                "probability": float(row.max()),
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
            }
            for row in shares
        ]


def open_session(model: str | bytes, threads: int = 0) -> onnxruntime.InferenceSession:
    """A graph, from its file or its bytes, ready to compute on the CPU; `threads` as of `Reader`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def main(arguments: Sequence[str]) -> int:
    """Answer a text, or a pair; returns the exit code."""
    reader = Reader()
    expected = 2 if reader.settings["is_pair"] else 1
    if len(arguments) != expected:
        print(f"predict.py: {len(arguments)} texts, expected {expected}", file=sys.stderr)
        return 2
    (found,) = reader.answer(*([text] for text in arguments))
    print(json.dumps(found, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
