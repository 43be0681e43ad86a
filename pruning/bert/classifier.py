"""A fine-tuned BERT classifier as somebody else made it: found on disk, and what its configuration says of its head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open

from pruning.bert.backbones import WEIGHTS, Backbone, find_backbone
from pruning.bert.support import unsupported_classifier
from pruning.data.columns import are_nameless, nameless
from pruning.errors import BackboneError, quoted

HEAD = "classifier.weight"


class _Head(msgspec.Struct):
    """What a classifier's ``config.json`` says of its head; the defaults are transformers' own."""

    problem_type: str | None = None
    num_labels: int | None = None
    id2label: dict[str, Any] | None = None


@dataclass(frozen=True)
class Classifier:
    """A fine-tuned BERT classifier on disk.

    Attributes:
        backbone: the network itself, head included.
        labels: label words in the order of their numbers; None where it gives a score.
    """

    backbone: Backbone
    labels: tuple[str, ...] | None

    @property
    def is_nameless(self) -> bool:
        """Whether nobody named its labels, so that a file's numbers can only be theirs."""
        return self.labels is not None and are_nameless(self.labels)

    @property
    def is_folder(self) -> bool:
        """Whether it was found by the path of a folder."""
        return self.backbone.source.startswith("folder ")


def find_classifier(name: str, *, download: bool = False) -> Classifier:
    """A fine-tuned classifier by the name that a user typed.

    Args:
        name: a folder or a hub id.
        download: whether the hub may be asked for what its cache does not hold.

    Raises:
        BackboneError: if there is none of that name, if it is no BERT classifier of texts, or has no head.
    """
    backbone = find_backbone(name, download=download)
    try:
        content = (backbone.folder / "config.json").read_bytes()
        head, config = msgspec.json.decode(content, type=_Head), msgspec.json.decode(content)
    except (OSError, ValueError) as error:
        raise BackboneError(f"teacher {name!r}: config.json: {error}") from None
    reason = unsupported_classifier(config)
    if reason is not None:
        raise BackboneError(f"teacher {name!r}: {reason}")
    classifier = Classifier(backbone, _labels(name, head))
    _check_head(name, classifier)
    return classifier


def _check_head(name: str, classifier: Classifier) -> None:
    """Whether the weights hold a head of as many labels, without reading them; of a pickle, loading it tells."""
    if classifier.backbone.is_pickled:
        return
    try:
        with safe_open(classifier.backbone.folder / WEIGHTS, framework="numpy") as weights:
            there = HEAD in weights.keys()  # noqa: SIM118  (the handle is no mapping)
            outputs = weights.get_slice(HEAD).get_shape()[0] if there else 0
    except (OSError, ValueError, IndexError, SafetensorError) as error:
        raise BackboneError(f"teacher {name!r}: {WEIGHTS} cannot be read ({error})") from None
    expected = len(classifier.labels or ("score",))
    if not there:
        raise BackboneError(f"teacher {name!r}: its weights hold no {HEAD}, expected a fine-tuned classifier")
    if outputs != expected:
        raise BackboneError(
            f"teacher {name!r}: a head of {outputs} outputs, expected {expected} as its config.json says"
        )


def _labels(name: str, head: _Head) -> tuple[str, ...] | None:
    """The label words; None of a regression."""
    if head.id2label is None:
        words = nameless(head.num_labels or 2)
    else:
        numbers = {str(number): str(word).strip() for number, word in head.id2label.items()}
        if set(numbers) != set(map(str, range(len(numbers)))):
            raise BackboneError(f"teacher {name!r}: id2label {quoted(head.id2label)}, expected the numbers from 0 on")
        words = tuple(numbers[str(number)] for number in range(len(numbers)))
    if len(words) == 1:
        return None
    if head.problem_type == "regression":
        raise BackboneError(f"teacher {name!r}: a regression with {len(words)} outputs, expected one score")
    if len(set(words)) < len(words) or not all(words):
        raise BackboneError(f"teacher {name!r}: labels {quoted(words)}, expected different words")
    return words
