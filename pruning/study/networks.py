"""Loading what a study stores: the teacher and the slim networks, each with its tokenizer. The only place that does.

Files of a study may come from anywhere: they are compared with their checksums, nothing in them is ever run, nothing
is downloaded for them, and what does not fit the study's document is refused before memory is taken for it. So slim
networks are built by their own class from checked widths, not by transformers' `Auto` classes. torch is imported
inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pruning.bert.shapes import BertShape, LayerShape, NetworkShape
from pruning.checksums import sha256_of
from pruning.errors import BackboneError, SlimVizError, StoreError
from pruning.measure.network import Network
from pruning.study.files import one_line, read_bytes, regular_size
from pruning.variants import TEACHER, Variant

if TYPE_CHECKING:
    from pruning.study.study import Study

WEIGHTS, CONFIG, TOKENIZER, TOKENIZER_CONFIG = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
SPECIAL_TOKENS = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")


class SlimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of a slim folder's ``config.json`` the network is built from; see `SlimBertConfig`."""

    model_type: Literal["slimbert"]
    vocab_size: int
    rank: int | None
    max_position_embeddings: int
    type_vocab_size: int
    hidden_size: int
    head_size: int
    layers: tuple[LayerShape, ...]
    kept_heads: list[list[int]]
    pooler_size: int
    hidden_act: str
    layer_norm_eps: Annotated[float, Meta(gt=0, lt=1)]
    original: BertShape
    id2label: dict[str, str]
    problem_type: Literal["regression", "single_label_classification"]
    pad_token_id: int | None = 0
    initializer_range: float = 0.02
    auto_map: Any = None

    @property
    def shape(self) -> NetworkShape:
        """The widths that it names."""
        return NetworkShape(
            vocabulary=self.vocab_size,
            rank=self.rank,
            positions=self.max_position_embeddings,
            token_types=self.type_vocab_size,
            hidden=self.hidden_size,
            head_size=self.head_size,
            layers=self.layers,
            pooler=self.pooler_size,
            labels=len(self.id2label),
        )


class TeacherSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of a stored whole teacher's ``config.json`` it is built from; see `transformers.BertConfig`."""

    model_type: Literal["bert"]
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    hidden_act: str
    layer_norm_eps: Annotated[float, Meta(gt=0, lt=1)]
    pad_token_id: int | None = 0
    auto_map: Any = None


class TokenizerSettings(msgspec.Struct, frozen=True):
    """What of ``tokenizer_config.json`` is used."""

    pad_token: str
    unk_token: str
    cls_token: str
    sep_token: str
    mask_token: str
    model_max_length: Annotated[int, Meta(ge=1)] = 512
    auto_map: Any = None


def load_network(study: Study, variant: Variant | str, *, device: str = "cpu", teacher: Path | None = None) -> Network:
    """A study's network, ready to answer.

    Args:
        study: where it is stored.
        variant: which one; its weights must be here.
        device: where it shall compute, as torch names it.
        teacher: where a teacher is now that the study does not hold; None to look where it may be.

    Raises:
        StoreError: in one line, if its files are missing, changed or damaged, or name code to run.
        BackboneError: in one line, if the teacher's backbone is not on this machine.
    """
    variant = study.variant(variant)
    where = f"{study.name}/{variant}"
    if not is_available(study, variant):
        stored = ", ".join(name for name in study.variants if study.weights(name)) or "none"
        raise StoreError(f"study {study.name}: no weights of '{variant}' are stored, expected one of {stored}")
    try:
        _check_files(study, variant)
        with _quiet_transformers():
            model, tokenizer = _teacher(study, teacher) if variant.is_teacher else _slim(study, variant)
            model = model.to(device).eval()
    except BackboneError:
        raise  # no fault of the study, and says itself what is missing
    except StoreError as error:
        raise StoreError(f"{where}: {one_line(error)}") from None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # damaged files raise whatever the library that reads them raises, panics included
        reason = str(error).strip() if isinstance(error, SlimVizError) else f"{type(error).__name__}: {error}"
        raise StoreError(f"{where}: cannot be loaded ({one_line(reason, 200)})") from None
    positions = int(model.config.max_position_embeddings)
    return Network(model, tokenizer, min(study.document.config.max_length, positions), device)


def stored_variants(study: Study) -> list[Variant]:
    """Variants that can be loaded, the teacher first, then by stored order.

    A teacher that the study only names is among them, wherever it may be.
    """
    found = [variant for variant in map(study.variant, study.variants) if is_available(study, variant)]
    return sorted(found, key=lambda variant: not variant.is_teacher)


def is_available(study: Study, variant: Variant) -> bool:
    """Whether a variant's weights are in the study, or those of its given teacher are somewhere else."""
    return study.weights(variant) is not None or (variant.is_teacher and names_teacher(study))


def names_teacher(study: Study) -> bool:
    """Whether the study's teacher is somebody else's classifier, whose weights it does not hold."""
    return study.document.config.has_given_teacher and not study.weight_files(TEACHER)


def _check_files(study: Study, variant: Variant) -> None:
    """Compare a variant's files with their checksums, once a process and version of each file."""
    for path in study.weight_files(variant):
        stored = study.document.files[path]
        try:
            size = regular_size(study.folder, path)
            same = size == stored.bytes and sha256_of(study.folder / path) == stored.sha256
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror or error}") from None
        if not same:
            raise StoreError(f"{path} is not the file that was stored (its checksum differs)")


def _teacher(study: Study, at: Path | None) -> tuple[Any, Any]:
    """The backbone with the stored teacher's weights, or the teacher that the study names, and its tokenizer."""
    from pruning.bert.adapter import load_trained
    from pruning.bert.backbones import find_recorded_backbone, load_backbone, load_tokenizer, widths

    folder, is_given = study.weights(TEACHER), study.document.config.has_given_teacher
    if is_given and folder is not None:
        return _kept_teacher(study)
    recorded = study.document.backbone
    backbone = find_recorded_backbone(recorded.name, recorded.source, recorded.sha256, study.folder.parent, at)
    found = widths(backbone, study.task.num_labels)
    if found != recorded.shape:
        raise BackboneError(f"backbone {backbone.name!r}: its config.json names other widths than the study")
    model, tokenizer = load_backbone(backbone, study.task, with_head=is_given), load_tokenizer(backbone)
    if folder is None:
        return model, tokenizer
    try:
        return load_trained(model, folder), tokenizer
    except BackboneError as error:  # the backbone is well, what the study puts into it is not
        raise StoreError(str(error)) from None


def _kept_teacher(study: Study) -> tuple[Any, Any]:
    """A given teacher whose weights the study holds whole, in float32, and its tokenizer."""
    from safetensors.torch import load_file
    from transformers import BertConfig, BertForSequenceClassification

    from pruning.bert.model import configured_shape

    settings = _settings(study, TEACHER, CONFIG, TeacherSettings)
    shape = study.shape
    if configured_shape(settings, pooler=shape.pooler, labels=shape.labels) != shape:
        raise StoreError(f"{TEACHER}/{CONFIG}: names other widths than study.json")
    values = msgspec.to_builtins(settings)
    for name in ("model_type", "auto_map"):
        del values[name]
    labels = study.task.labels or ("score",)
    problem = "regression" if study.task.is_regression else "single_label_classification"
    config = BertConfig(**values, id2label=dict(enumerate(labels)), problem_type=problem)
    model = BertForSequenceClassification(config)
    model.load_state_dict(load_file(study.folder / str(TEACHER) / WEIGHTS))
    return model.float().eval(), _tokenizer(study, TEACHER, settings)


def _slim(study: Study, variant: Variant) -> tuple[Any, Any]:
    """A slim network from its folder, in float32, and its tokenizer."""
    import torch
    from safetensors.torch import load_file

    from pruning.slimbert import SlimBertConfig, SlimBertForSequenceClassification

    settings = _settings(study, variant, CONFIG, SlimSettings)
    selection = study.selections[variant.budget or ""]
    if settings.shape != selection.network or settings.original != study.shape:
        raise StoreError(f"{variant}/{CONFIG}: names other widths than study.json")
    if [len(heads) for heads in settings.kept_heads] != [layer.heads for layer in settings.layers]:
        raise StoreError(f"{variant}/{CONFIG}: kept_heads, expected as many as each layer has")
    values = msgspec.to_builtins(settings)
    labels = {int(number): label for number, label in values.pop("id2label").items()}
    if sorted(labels) != list(range(len(labels))):
        raise StoreError(f"{variant}/{CONFIG}: id2label, expected the labels' numbers from 0 on")
    for name in ("model_type", "auto_map"):
        del values[name]
    config = SlimBertConfig(**values, id2label=labels, label2id={label: number for number, label in labels.items()})
    with torch.device("meta"):  # weights take memory only once they are found to fit
        model = SlimBertForSequenceClassification(config)
    tensors = load_file(study.folder / str(variant) / WEIGHTS)
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    model.load_state_dict(state, assign=True)
    return model.eval(), _tokenizer(study, variant, settings)


def _tokenizer(study: Study, variant: Variant, network: SlimSettings | TeacherSettings) -> Any:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    from pruning.bert.backbones import numbering_problem

    settings = _settings(study, variant, TOKENIZER_CONFIG, TokenizerSettings)
    content = read_bytes(study.folder, f"{variant}/{TOKENIZER}").decode("utf-8")
    plain = Tokenizer.from_str(content)
    pieces = plain.get_vocab()
    for name in SPECIAL_TOKENS:  # transformers would add those that are missing
        if getattr(settings, name) not in pieces:
            raise StoreError(f"{variant}/{TOKENIZER_CONFIG}: {name} is no piece of the tokenizer")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain,
        model_max_length=settings.model_max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **{name: getattr(settings, name) for name in SPECIAL_TOKENS},
    )
    problem = numbering_problem(tokenizer, network.vocab_size, network.type_vocab_size)
    if problem is not None:
        raise StoreError(f"{variant}/{TOKENIZER}: {problem}")
    return tokenizer


def _settings(study: Study, variant: Variant, file: str, kind: type[Any]) -> Any:
    """A typed configuration; StoreError where it is another, or names code to run."""
    path = f"{variant}/{file}"
    content = read_bytes(study.folder, path)
    try:
        settings = msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: {one_line(str(error).replace('`', ''), 120)}") from None
    if settings.auto_map is not None:
        raise StoreError(f"{path}: names code to run (auto_map), which is never done")
    return settings


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
