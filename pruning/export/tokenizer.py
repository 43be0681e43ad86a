"""The tokenizer of an exported network, as the library `tokenizers` alone reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pruning.errors import BackboneError

FILE = "tokenizer.json"


def write_definition(tokenizer: Any, folder: Path) -> None:
    """Write ``tokenizer.json``; texts are neither cut nor padded unless asked for.

    Raises:
        BackboneError: a tokenizer that is not a fast one.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise BackboneError(f"tokenizer {type(tokenizer).__name__}: expected a fast one")
    definition = json.loads(backend.to_str()) | {"truncation": None, "padding": None}
    (folder / FILE).write_text(json.dumps(definition, ensure_ascii=False), encoding="utf-8")


def longest_input(tokenizer: Any, config: Any) -> int:
    """Most tokens that a network reads: as many as its tokenizer says, never more than it has positions."""
    return min(int(tokenizer.model_max_length), int(config.max_position_embeddings))
