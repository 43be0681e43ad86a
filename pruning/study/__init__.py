"""The study folder: its typed document, arrays, reading, writing and checking (no torch), and the networks in it.

`networks` loads what is stored and is imported by itself, because it takes torch along.
"""

from pruning.study.arrays import Cut
from pruning.study.document import (
    BackboneRecord,
    DataRecord,
    Document,
    Flops,
    Interval,
    Parameters,
    Provenance,
    Result,
    SelectionRecord,
    Speed,
    Split,
)
from pruning.study.read import BUNDLED, BrokenStudy, find_study, list_studies, read_study, study_folders
from pruning.study.study import Study, load_cut, load_factors, load_history, load_masks
from pruning.study.verify import Checksum, checksums, verify
from pruning.study.write import Identity, StudyContents, check_destination, free_name, keep_ablations, write_study

__all__ = [
    "BUNDLED",
    "BackboneRecord",
    "BrokenStudy",
    "Checksum",
    "Cut",
    "DataRecord",
    "Document",
    "Flops",
    "Identity",
    "Interval",
    "Parameters",
    "Provenance",
    "Result",
    "SelectionRecord",
    "Speed",
    "Split",
    "Study",
    "StudyContents",
    "check_destination",
    "checksums",
    "find_study",
    "free_name",
    "keep_ablations",
    "list_studies",
    "load_cut",
    "load_factors",
    "load_history",
    "load_masks",
    "read_study",
    "study_folders",
    "verify",
    "write_study",
]
