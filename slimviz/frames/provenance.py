"""Where a study's numbers come from, in words: hardware, date, data."""

from __future__ import annotations

from datetime import datetime

from pruning.bert.shapes import BertShape
from pruning.study import Speed, Study
from slimviz.theme import thread_text


def provenance_text(study: Study) -> str:
    """A study's provenance in one line."""
    provenance, backbone = study.document.provenance, study.document.backbone
    data, seconds = provenance.data, sum(provenance.seconds.values())
    try:
        date = datetime.fromisoformat(provenance.date).date().isoformat()
    except ValueError:
        date = provenance.date
    where = f"{provenance.hardware}, {thread_text(provenance.threads)}"
    parts = (
        backbone.name,
        date,
        f"commit {provenance.commit[:7]}" if provenance.commit else "no commit recorded",
        f"seed {provenance.seed}",
        f"{data.train.rows:,} training and {data.validation.rows:,} validation examples from {data.source}",
        f"{seconds / 60:.0f} minutes on {where}" if seconds else where,
    )
    return " · ".join(parts)


def conditions_text(speed: Speed) -> str:
    """What a speed was measured on: "CPU, 2 threads, 32 tokens"."""
    device = speed.device.upper()
    threads = f", {thread_text(speed.threads)}" if device == "CPU" else ""
    length = "the validation texts" if speed.length == "real" else f"{speed.length} tokens"
    return f"{device}{threads}, {length}"


def shape_words(shape: BertShape) -> str:
    """A backbone's widths in words."""
    return f"{shape.layers} layers, {shape.heads} heads, {shape.hidden} wide"
