"""Where a study's numbers come from, in words: hardware, date, data, command."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pruning.bert.shapes import BertShape
from pruning.study import Study


def provenance_text(study: Study) -> str:
    """A study's provenance in one line."""
    provenance = study.data["provenance"]
    data, seconds = provenance["data"], [value for value in provenance["seconds"].values() if value]
    try:
        date = datetime.fromisoformat(provenance["date"]).strftime("%Y-%m-%d")
    except ValueError:
        date = provenance["date"]
    parts = [study.data["backbone"]["name"], date]
    parts.append(f"commit {provenance['commit'][:7]}" if provenance["commit"] else "no commit recorded")
    parts.append(f"seed {provenance['seed']}")
    rows = [f"{data[split]['rows']:,} {word}" for split, word in (("train", "training"), ("validation", "validation"))
            if data.get(split) and "rows" in data[split]]  # fmt: skip
    parts.append(f"{' and '.join(rows)} examples from {data['source']}" if rows else f"data: {data['source']}")
    where = f"{hardware_text(provenance['hardware'])}, {provenance['threads']} threads"
    parts.append(f"{sum(seconds) / 60:.0f} minutes on {where}" if seconds else where)
    return " · ".join(parts)


def conditions_text(speed: Mapping[str, Any]) -> str:
    """What a speed was measured on: "CPU, 2 threads, 32 tokens"."""
    device = str(speed["device"]).upper()
    threads = f", {speed['threads']} thread{'' if speed['threads'] == 1 else 's'}" if device == "CPU" else ""
    length = "the validation texts" if speed["length"] == "real" else f"{speed['length']} tokens"
    return f"{device}{threads}, {length}"


def hardware_text(hardware: Any) -> str:
    """The hardware a study was made on, in words, however it was stored."""
    return hardware if isinstance(hardware, str) else ", ".join(str(value) for value in hardware.values())


def command_text(study: Study) -> str:
    """The command that made the study."""
    command = study.data["provenance"]["command"]
    return command if isinstance(command, str) else " ".join(map(str, command))


def shape_words(shape: BertShape) -> str:
    """A backbone's widths in words."""
    return f"{shape.layers} layers, {shape.heads} heads, {shape.hidden} wide"
