"""What kind of export is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from pruning.export.parity import Trial
from pruning.variants import FLOAT

DEFAULT = "transformers"


@dataclass(frozen=True)
class Wanted:
    """What kind of export is wanted.

    Attributes:
        export_format: one of `pruning.export.FORMATS`.
        precision: one that the format has.
        trial: what the exported network is tried on, by formats that try theirs.
    """

    export_format: str = DEFAULT
    precision: str = FLOAT
    trial: Trial | None = None
