from __future__ import annotations

import pytest

from pruning.bert.shapes import BertShape
from pruning.study import Study
from slimviz.frames.provenance import conditions_text, provenance_text, shape_words


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        ({"device": "cpu", "threads": 1, "length": 32}, "CPU, 1 thread, 32 tokens"),
        ({"device": "cpu", "threads": 4, "length": "real"}, "CPU, 4 threads, the validation texts"),
        ({"device": "cuda:0", "threads": 4, "length": 64}, "CUDA:0, 64 tokens"),
    ],
)
def test_conditions_say_what_a_speed_was_measured_on(studies: dict[str, Study], speed: dict, words: str) -> None:
    assert conditions_text(studies["sst2"].document.speed[0].replace(**speed)) == words


def test_provenance_copes_with_what_the_schema_allows(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    assert provenance_text(study) == (
        "synthetic-bert · 2025-01-02 · commit 0123456 · seed 0 · 67,349 training and 872 validation examples from "
        "made up · 40 minutes on made-up processor, 2 threads"
    )
    provenance = study.document.provenance.replace(commit=None, date="yesterday", seconds={})
    bare = Study(study.folder, study.document.replace(provenance=provenance))
    assert provenance_text(bare) == (
        "synthetic-bert · yesterday · no commit recorded · seed 0 · 67,349 training and 872 validation examples from "
        "made up · made-up processor, 2 threads"
    )


def test_shape_in_words() -> None:
    assert shape_words(BertShape(2, 2, 4, 8, 16, 50, 32, 2, 8, 2)) == "2 layers, 2 heads, 8 wide"
