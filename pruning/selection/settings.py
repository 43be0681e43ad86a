"""Knobs of the selection, each with the reason for its default."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from pruning.bert.shapes import Site
from pruning.records import Density, Record, Weight

OpenShare = Annotated[float, Meta(gt=0, lt=1)]


class SelectionSettings(Record, frozen=True):
    """What may be cut, and how the budget is shared.

    Attributes:
        sites: sites whose units may be cut. The residual width and the input reads are left whole by default: a
            narrow residual width cost 7 points of SST-2 accuracy at 10% total density in the first prototype, and a
            partial read costs an index gather.
        attention_preference: factor on a head's importance per parameter. 1 where a criterion's values are losses,
            of heads as of FFN units (`brain_surgeon`). |alpha| needs 2: on SST-2 training rows kept out of recovery, at
            10% (2 epochs on 20,000 rows), accuracy was 0.564 with 1 (no head is left: nothing reaches the first
            position), 0.915 with 2, 0.908 with 4.
        read_preference: the same for input reads, where `sites` allows to cut them.
        table_share: share of the total budget for the word table (about half in the best small networks).
        pooler_share: share of the total budget for the pooler.
        general_share: weight of general English, against the training texts, when pieces compete to be kept.
        coverage_weight: how much a point of text mass counts against a point of the table's spectral energy.
        positions: position embeddings kept, so the longest text in tokens.
        hidden_keep: share of the residual width kept; below 1, the least important units go.
        round_to: round head and FFN widths to multiples of this (1: no rounding).
        minimum_hidden: residual units never cut.
    """

    label: ClassVar[str] = "selection."

    sites: tuple[Site, ...] = (Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN)
    attention_preference: Weight = 1.0
    read_preference: Weight = 8.0
    table_share: OpenShare = 0.5
    pooler_share: OpenShare = 0.01
    general_share: OpenShare = 0.2
    coverage_weight: Weight = 4.0
    positions: Annotated[int, Meta(ge=2, le=100_000)] = 128
    hidden_keep: Density = 1.0
    round_to: Annotated[int, Meta(ge=1, le=4096)] = 1
    minimum_hidden: Annotated[int, Meta(ge=1, le=100_000)] = 16
