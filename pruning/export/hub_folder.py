"""A folder that transformers loads where SlimViz is not installed: weights, tokenizer, configuration, code.

A slim network brings its modelling file along (``trust_remote_code=True`` runs it), its weights in half precision as a
study stores them. A plain BERT needs no code, and keeps its weights as they are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pruning.errors import MeasureError
from pruning.export.parity import Parity
from pruning.export.tokenizer import longest_input, write_definition
from pruning.export.wanted import Wanted
from pruning.variants import FLOAT
from pruning.version import VERSION

MODELLING = "modeling_slimbert.py"
AUTO_MAP = {
    "AutoConfig": f"{Path(MODELLING).stem}.SlimBertConfig",
    "AutoModel": f"{Path(MODELLING).stem}.SlimBertModel",
    "AutoModelForSequenceClassification": f"{Path(MODELLING).stem}.SlimBertForSequenceClassification",
}
# Found by `python -m benchmarks.export_versions`: exported networks load and answer alike with these and between.
OLDEST, NEWEST, TRIED = "4.36.2", "5.24.0", "2026-11-30"
SUMMARY = (
    "loads with AutoModelForSequenceClassification where torch and transformers are, without SlimViz "
    f"(tried with {OLDEST} to {NEWEST} on {TRIED})"
)
PRECISIONS, NEEDS, REQUIREMENTS, TRIES = (FLOAT,), (), "requirements.txt", False
TOKENIZER_CLASS = "PreTrainedTokenizerFast"
PLAIN = "BertForSequenceClassification"
SPECIAL_TOKENS = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")


def write(network: Any, tokenizer: Any, folder: Path, wanted: Wanted) -> None:
    """Write everything but the card into an empty folder.

    Raises:
        MeasureError: neither a slim network nor a plain BERT classifier.
        BackboneError: a tokenizer that is not a fast one.
        SlimVizError: a weight is too large for half precision.
    """
    from pruning.slimbert import save_slim

    is_slim = _is_slim(network)
    if not is_slim and type(network).__name__ != PLAIN:
        raise MeasureError(f"export: {type(network).__name__} cannot be written, expected a slim network or a {PLAIN}")
    save_slim(network, folder, half=is_slim)
    if is_slim:
        _write_code(folder)
    _write_tokenizer(tokenizer, network.config, folder)


def tried(folder: Path) -> Parity | None:
    """None: it holds the weights themselves, and its definition is the network's own."""
    return None


def loading(network: Any, name: str, *, is_pair: bool) -> str:
    """Markdown that says how a folder of that name is loaded."""
    trust = ", trust_remote_code=True" if _is_slim(network) else ""
    texts = '"first text", "second text"' if is_pair else '"a text"'
    code = f"""\
That runs `{MODELLING}`, the network's definition, which SlimViz {VERSION} generated from its own
sources (Apache License 2.0); it is short enough to be read first. """
    return f"""\
```python
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({json.dumps(name)}{trust})
network = AutoModelForSequenceClassification.from_pretrained({json.dumps(name)}{trust})
network(**tokenizer({texts}, return_tensors="pt", truncation=True)).logits
```

{code if trust else ""}Loading needs torch and transformers alone;
tried with transformers {OLDEST} to {NEWEST} on {TRIED}."""


def card(network: Any, loading: str) -> str:
    """Markdown for a network of which nothing is known but itself."""
    config = network.config
    parameters = sum(parameter.numel() for parameter in network.parameters())
    answer = "a score" if config.num_labels == 1 else f"one of: {', '.join(config.id2label.values())}"
    what = "A BERT classifier cut to fewer heads, units and pieces" if _is_slim(network) else "A BERT classifier"
    return f"""---
library_name: transformers
pipeline_tag: text-classification
---

{what}, written by SlimViz {VERSION}: {parameters:,} parameters,
{config.vocab_size:,} vocabulary pieces, texts up to {config.max_position_embeddings} tokens. It answers {answer}.

{loading}

It inherits what its training data and backbone got wrong, and their licenses.
"""


def _is_slim(network: Any) -> bool:
    return getattr(getattr(network, "config", None), "model_type", None) == "slimbert"


def _write_code(folder: Path) -> None:
    """The modelling file, and where the configuration says that it is."""
    from pruning.export.modelling import modelling_source

    config = folder / "config.json"
    values = json.loads(config.read_text(encoding="utf-8"))
    # transformers 4 spells dtype otherwise, and its pipelines bring a tokenizer only where the configuration names one.
    older = {"torch_dtype": values["dtype"], "tokenizer_class": TOKENIZER_CLASS}
    _write_json(config, values | older | {"auto_map": AUTO_MAP})
    (folder / MODELLING).write_text(modelling_source(), encoding="utf-8")


def _write_tokenizer(tokenizer: Any, config: Any, folder: Path) -> None:
    """Only what every version of transformers reads; texts are neither cut nor padded unless asked for."""
    write_definition(tokenizer, folder)
    special = {name: getattr(tokenizer, name) for name in SPECIAL_TOKENS}
    settings = {name: str(token) for name, token in special.items() if token is not None} | {
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "model_max_length": longest_input(tokenizer, config),
        "padding_side": "right",
        "tokenizer_class": TOKENIZER_CLASS,
        "truncation_side": "right",
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
