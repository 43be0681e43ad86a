"""What `study.json` holds: typed once at the border, bounds in the types, so that nobody behind it asks for a key.

`decode` refuses what is of another type or out of bounds; what must agree between fields is `consistency`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Literal

import msgspec

from pruning.bert.shapes import BertShape, LayerShape, NetworkShape
from pruning.config import StudyConfig
from pruning.data.tasks import Task
from pruning.errors import StoreError
from pruning.measure.ablation import Ablation
from pruning.measure.cost import Flops, Parameters
from pruning.measure.fidelity import Fidelity
from pruning.measure.intervals import Interval, Ratio
from pruning.measure.metrics import Metrics
from pruning.measure.speed import Speed
from pruning.records import Count, Density, Name, NonNegative, Positive, Record, Seed, Sha256, Share, Text, Typed
from pruning.selection.budget import Budget
from pruning.selection.latency import LatencyTable
from pruning.selection.settings import SelectionSettings
from pruning.variants import BudgetName, Variant

SCHEMA = 2


class Result(Record, frozen=True, kw_only=True):
    """One variant on one split.

    Attributes:
        variant: which network.
        split: its examples' name.
        selection: key of the selection that it was cut by; None for the teacher.
        count: examples.
        correct: how many were right; None in a regression.
        metrics: by name, all of the task's.
        interval: of the difference to the teacher.
        retention: main metric over the teacher's; None where that is 0.
        retention_above_floor: the same above the floor; None where the teacher is at it.
        fidelity: to the teacher; None for the teacher, and in studies made before it was stored.
        parameters: stored, padding included.
        total_density: of the teacher's.
        encoder_density: of the teacher's encoder.
        index_buffers: integers saved beside the parameters.
        index_bytes: their bytes.
        flops: of one text.
        flop_ratio: to the teacher's.
        size_bytes: on disk, in half precision, with tokenizer.
        tokens_per_text: mean, special tokens included.
        truncated_share: of the examples.
        peak_memory_bytes: to load it and answer a batch (see `measure.memory`).
        shipped: whether its weights are stored.
    """

    variant: Variant
    split: Text
    selection: Text | None = None
    count: Positive
    correct: Count | None
    metrics: Metrics
    interval: Interval | None = None
    retention: Ratio | None
    retention_above_floor: Ratio | None
    fidelity: Fidelity | None = None
    parameters: Parameters
    total_density: Density
    encoder_density: Share
    index_buffers: Count | None = None
    index_bytes: Count | None = None
    flops: Flops | None = None
    flop_ratio: NonNegative | None = None
    size_bytes: Count | None = None
    tokens_per_text: NonNegative | None = None
    truncated_share: Share | None = None
    peak_memory_bytes: Count | None = None
    shipped: bool


class SelectionRecord(Record, frozen=True, kw_only=True):
    """What a budget left, and of which network.

    Attributes:
        budget: what was asked for.
        criterion: whose factors ranked the units; word table and pooler alone where a rival chose the units.
        settings: of the selection; the same holds.
        total_density: reached.
        encoder_density: reached.
        parameters: of the network that is left.
        network: its widths.
    """

    budget: Budget
    criterion: Text
    settings: SelectionSettings
    total_density: Density
    encoder_density: Share
    parameters: Parameters
    network: NetworkShape


class BackboneRecord(Record, frozen=True):
    """Which weights the teacher started from, and their widths."""

    name: Text
    source: Text
    sha256: Sha256
    shape: BertShape


class Split(Record, frozen=True):
    """Rows of a split and the checksum of their texts and labels."""

    rows: Positive
    sha256: Sha256
    origin: Text | None = None


class DataRecord(Record, frozen=True):
    """What was learned from and reported on."""

    source: Text
    train: Split
    validation: Split
    transfer: Split | None = None


class StartRecord(Record, frozen=True):
    """The teacher that this study's teacher started from: its study's name, and its weights' checksum."""

    study: Text
    sha256: Sha256


class Provenance(Record, frozen=True, kw_only=True):
    """Where the numbers come from.

    Attributes:
        command: what was typed.
        commit: of the code; "+" at its end where files were changed since; None outside a checkout.
        seed: of everything random.
        date: ISO 8601.
        hardware: one line.
        threads: of the CPU while measuring.
        libraries: name -> version.
        precision: in which training computed.
        processes: that trained together.
        data: see `DataRecord`.
        start: see `StartRecord`; None where the teacher started from the bare backbone.
        seconds: stage -> seconds spent.
    """

    command: Typed
    commit: Text | None
    seed: Seed
    date: Text
    hardware: Text
    threads: Positive
    libraries: dict[str, Text]
    precision: Literal["float32", "bfloat16"]
    processes: Positive = 1
    data: DataRecord
    start: StartRecord | None = None
    seconds: dict[str, NonNegative]


class FileRecord(Record, frozen=True):
    """Checksum and size of a stored file."""

    sha256: Sha256
    bytes: Count


class Document(Record, frozen=True, kw_only=True):
    """`study.json`.

    Attributes:
        schema: version of this layout.
        name: the study's, also its folder's.
        task: what the networks were trained for.
        backbone: what the teacher started from.
        config: all settings, with the epoch counts that were used.
        provenance: where the numbers come from.
        floor: metric -> what knowing nothing scores on the first validation split.
        selections: by key, the name of the budget for the study's own method.
        smallest_total_density: that any selection from these factors can reach.
        latency: milliseconds by width that budgets were counted with; None where none was counted in time.
        results: one a variant and split.
        speed: one a variant, batch size and length.
        ablations: what heads gated off by each criterion cost; none in studies made before they were measured.
        files: relative path -> checksum and size.
    """

    schema: Literal[2] = SCHEMA
    name: Name
    task: Task
    backbone: BackboneRecord
    config: StudyConfig
    provenance: Provenance
    floor: Metrics
    selections: dict[BudgetName, SelectionRecord]
    smallest_total_density: Density
    latency: LatencyTable | None = None
    results: tuple[Result, ...]
    speed: tuple[Speed, ...]
    ablations: tuple[Ablation, ...] = ()
    files: dict[str, FileRecord]


# What a study went through that was made before its configuration said so: a default is that of studies made since.
BEFORE_STAGES = {"stages": ["slim", "recover"], "ablation_rows": 0}


class _Version(msgspec.Struct):
    schema: Any = None


def decode(content: bytes) -> Document:
    """`study.json`, every value checked.

    Raises:
        StoreError: one line with the path of what is wrong, "study.json: results[0].count: expected int >= 1".
    """
    try:
        version = msgspec.json.decode(content, type=_Version).schema
        if version == 1 and version is not True:
            raise StoreError(f"study.json: schema 1, expected {SCHEMA}; python -m pruning upgrade FOLDER converts it")
        if version != SCHEMA:
            raise StoreError(f"study.json: schema {version!r:.40}, expected {SCHEMA}")
        data = msgspec.json.decode(content)
        if isinstance(data.get("config"), dict):
            data["config"] = {**BEFORE_STAGES, **data["config"]}
        document = msgspec.convert(data, Document)
        problem = next(_key_problems(data), None)
    except msgspec.ValidationError as error:
        text, _, place = str(error).replace("`", "").partition(" - at ")
        where = place.replace("$.", "").replace("$", "")
        raise StoreError(f"study.json: {f'{where}: ' if where else ''}{text[:1].lower()}{text[1:]}") from None
    except (ValueError, RecursionError) as error:  # msgspec's own errors of form are ValueErrors
        raise StoreError(f"study.json: not JSON that a study may hold: {error}") from None
    if problem is not None:
        raise StoreError(f"study.json: {problem}")
    return document


def encode(document: Document) -> bytes:
    """The inverse of `decode`, indented."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _key_problems(data: Any) -> Iterator[str]:
    """Keys that the types alone do not ask for or refuse.

    Records refuse unknown keys, plain dataclasses read past them. Settings have defaults, which say nothing about the
    settings that a study was made with.
    """
    missing = [name for name in ("seed", "max_length", "budgets") if name not in data["config"]]
    yield from (f"config: object missing required field {name}" for name in missing)
    places = [("task", data["task"], Task), ("backbone.shape", data["backbone"]["shape"], BertShape)]
    for key, selection in data["selections"].items():
        where = f"selections.{key}.network"
        places.append((where, selection["network"], NetworkShape))
        places += [(f"{where}.layers", layer, LayerShape) for layer in selection["network"]["layers"]]
    for where, values, kind in places:
        for name in sorted(values.keys() - {field.name for field in fields(kind)}):
            yield f"{where}: object contains unknown field {name!r:.80}"
