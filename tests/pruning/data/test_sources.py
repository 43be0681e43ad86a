"""The hub, the probe set, and which of them is the default."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pruning.data.sources import default_source, load_examples
from pruning.data.tasks import TASKS, custom_task
from pruning.errors import DataError


def test_default_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIMVIZ_GLUE", raising=False)
    assert default_source() == "hub"
    for folder, expected in {"": "hub", "glue": "glue"}.items():
        monkeypatch.setenv("SLIMVIZ_GLUE", folder)
        assert default_source() == expected


def test_hub_asks_for_glue(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    class Split(dict[str, list[object]]):
        column_names = ("premise", "hypothesis", "label", "idx")

    def load_dataset(*names: str, split: str) -> Split:
        asked.append((*names, split))
        return Split(premise=["A.", "B."], hypothesis=["C.", "D."], label=[2, 0], idx=[0, 1])

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))  # type: ignore[arg-type]
    examples = load_examples(TASKS["mnli"], "validation", "hub")
    assert asked == [("nyu-mll/glue", "mnli", "validation_matched")]
    assert (examples.pairs, examples.labels.tolist()) == (("C.", "D."), [2, 0])
    assert examples.origin == "hub nyu-mll/glue/mnli, split validation_matched"


def test_unreachable_hub_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*names: str, split: str) -> None:
        raise ConnectionError("Couldn't reach it\nand much more\n")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))  # type: ignore[arg-type]
    said = r"^hub nyu-mll/glue/rte, split train: unreachable \(Couldn't reach it\); expected .*$"
    with pytest.raises(DataError, match=said):
        load_examples(TASKS["rte"], "train", "hub")
    monkeypatch.setitem(sys.modules, "datasets", None)  # type: ignore[arg-type]  # as where it is not installed
    with pytest.raises(DataError, match="unreachable"):
        load_examples(TASKS["rte"], "train", "hub")
    with pytest.raises(DataError, match="is not a GLUE task"):
        load_examples(custom_task("mine", ("text",), ("a", "b")), "train", "hub")


def test_probe_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pruning.data.probe.PROBE_FOLDER", tmp_path)
    rows = [
        {"sentence": "The soup was cold.", "label": "negative", "domain": "food", "second_label": "negative"},
        {"sentence": "What a lovely walk.", "label": "positive", "domain": "travel", "second_label": "positive"},
    ]
    (tmp_path / "sst2.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    examples = load_examples(TASKS["sst2"], "validation", "probe")
    assert examples.labels.tolist() == [0, 1]
    assert examples.domains == ("food", "travel")
    assert examples.origin == "probe set sst2"
    assert examples.take([1]).domains == ("travel",)
    with pytest.raises(DataError, match="sst2: the probe set is never trained on, expected split 'validation'"):
        load_examples(TASKS["sst2"], "train", "probe")
    with pytest.raises(DataError, match=r"qqp: no probe set in .*, expected one of: sst2"):
        load_examples(TASKS["qqp"], "validation", "probe")
    (tmp_path / "stsb.jsonl").write_text('{"sentence1": "A.", "sentence2": "B.", "label": 2.5}', encoding="utf-8")
    scores = load_examples(TASKS["stsb"], "validation", "probe")
    assert (scores.labels.tolist(), scores.labels.dtype, scores.domains) == ([2.5], np.float32, None)


@pytest.mark.parametrize("source", ["", "none", "nul\0", "a" * 300, "line\nbreak \x1b[2J", "half \udcff", "x.csv/y"])
def test_odd_sources_get_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").touch()
    with pytest.raises(DataError, match="expected") as caught:
        load_examples(TASKS["rte"], "train", source)
    assert str(caught.value).isprintable()
