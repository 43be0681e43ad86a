"""A study's account of itself as rows: origin, minutes of each stage, settings, scores, files (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pruning.bert.counts import count_parameters
from pruning.errors import one_line
from pruning.records import to_plain
from pruning.study import Checksum, Split, Study
from pruning.study.notes import start_text
from slimviz.frames.history import stage_title
from slimviz.frames.provenance import date_text, method_title, shape_words
from slimviz.theme import amount_text, bytes_text, percent_text, thread_text

SHOWN_DIGITS = 12  # of a checksum
FOLDER = "Folder"  # what `provenance_rows` calls the place on this machine
LONGEST = 400  # characters of a value that is shown
SAME, OTHER, GONE = "✓ same", "✗ differs", "✗ not readable"  # a word and a shape, no colour


def provenance_rows(study: Study) -> list[tuple[str, str]]:
    """Where a study's numbers come from: what, and in words."""
    provenance, backbone, task = study.document.provenance, study.document.backbone, study.task
    data = provenance.data
    libraries = ", ".join(f"{name} {version}" for name, version in provenance.libraries.items())
    processes = f", {provenance.processes} processes" if provenance.processes > 1 else ""
    parts = {
        "Made": f"{date_text(provenance.date)}, commit {provenance.commit or 'not recorded'}, seed {provenance.seed}",
        "Backbone": f"{backbone.name} from {backbone.source}: {shape_words(study.shape)}, "
        f"{amount_text(count_parameters(study.shape.network()).total)} parameters with the classifier; "
        f"{_checksum(backbone.sha256)}",
        "Teacher": _teacher(study),
        "Units chosen by": method_title(study.method),
        "Training data": _split(data.train, f"rows from {data.source}"),
        "Further texts": None if data.transfer is None else _split(data.transfer, "rows"),
        "Scored on": _split(data.validation, f"rows, split {task.validation[0].replace('_', ' ')}"),
        "Computed on": f"{provenance.hardware}, {thread_text(provenance.threads)}{processes}; training in "
        f"{provenance.precision}",
        "Libraries": libraries or None,
        FOLDER: str(study.folder),
    }
    return [(what, one_line(text, LONGEST)) for what, text in parts.items() if text]


def _teacher(study: Study) -> str:
    """How the teacher came to be."""
    config = study.document.config
    if config.has_given_teacher:
        kept = "its weights are stored here" if config.keep_teacher else "its weights are not stored here"
        return f"the backbone's own classifier, taken as it is; {kept}"
    how = f"an adapter of rank {config.teacher.rank}" if config.teacher.tuning == "adapter" else "all weights"
    start = start_text(study.document)
    origin = f"; {start}" if start else ""
    return f"the backbone, fine-tuned on the task ({how}){origin}"


def _split(split: Split, what: str) -> str:
    origin = f" ({split.origin})" if split.origin else ""
    return f"{split.rows:,} {what}{origin}; {_checksum(split.sha256)}"


def _checksum(sha256: str) -> str:
    return f"sha256 {sha256[:SHOWN_DIGITS]}…"


def stage_rows(study: Study) -> list[dict[str, str]]:
    """Minutes of each stage, in the order in which they ran."""
    return [
        {"Stage": stage_title(stage), "Minutes": f"{seconds / 60:,.1f}"}
        for stage, seconds in study.document.provenance.seconds.items()
    ]


def stage_sentence(study: Study) -> str:
    """How long all stages took, and the longest of them."""
    seconds = study.document.provenance.seconds
    if not sum(seconds.values()):
        return "How long it took was not recorded."
    longest = max(seconds, key=lambda stage: seconds[stage])
    count = f"{len(seconds)} stage{'' if len(seconds) == 1 else 's'}"
    share = percent_text(seconds[longest] / sum(seconds.values()), 0)
    minutes = f"{sum(seconds.values()) / 60:,.0f} minutes"
    return f"{minutes} in {count}; {_inside(stage_title(longest))} took most ({share})."


def _inside(title: str) -> str:
    return title[:1].lower() + title[1:]


def setting_rows(study: Study) -> list[dict[str, str]]:
    """Every setting by its place, "recover.rate", as the command line's --set spells it."""
    return [
        {"Setting": name, "Value": one_line(_text(value), LONGEST)}
        for name, value in _flat(to_plain(study.document.config)).items()
    ]


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)


def file_rows(study: Study, checked: Sequence[Checksum] | None = None) -> list[dict[str, str]]:
    """Files with their sizes and checksums, what was found when they were computed again beside what is stored.

    Args:
        study: the study.
        checked: from `pruning.study.checksums`; None where they were not computed again.
    """
    found = {row.path: row for row in checked or ()}
    rows = []
    for path, file in study.document.files.items():
        row = {"File": one_line(path, LONGEST), "Size": bytes_text(file.bytes), "Stored": file.sha256[:SHOWN_DIGITS]}
        if checked is not None:
            row |= _found(found.get(path))
        rows.append(row)
    return rows


def _found(row: Checksum | None) -> dict[str, str]:
    if row is None or row.found is None:
        return {"Now": one_line(row.reason or "missing", 60) if row else "missing", "": GONE}
    return {"Now": row.found[:SHOWN_DIGITS], "": SAME if row.found == row.stored else OTHER}


def checked_sentence(checked: Sequence[Checksum], problems: Sequence[str]) -> str:
    """What computing the checksums again, and all other checks of `verify`, found."""
    same = sum(row.found == row.stored for row in checked)
    files = f"{same} of {len(checked)} files are what was stored"
    if not problems:
        return f"{files}, and schema, shapes and counts agree with each other."
    return f"{files}; {len(problems)} problem{'' if len(problems) == 1 else 's'} found."


def result_table(study: Study) -> list[dict[str, Any]]:
    """Every stored result, flat: a row a variant and split."""
    return [_flat(to_plain(result) | {"variant": str(result.variant)}) for result in study.results]


def speed_table(study: Study) -> list[dict[str, Any]]:
    """Every stored speed, a row a variant, batch size and length."""
    return [to_plain(speed) | {"variant": str(speed.variant)} for speed in study.document.speed]


def _flat(values: dict[str, Any], where: str = "") -> dict[str, Any]:
    """Values inside of records by their place, "recover.rate"."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{where}{name}.") if isinstance(value, dict) else {f"{where}{name}": value}
    return flat
