"""Sources, a user's own files, holding out."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.data.examples import Examples, default_source, hold_out, load_examples, load_file, unlabelled
from pruning.data.tasks import TASKS, custom_task
from pruning.errors import DataError


def write_csv(path: Path, columns: dict[str, list[object]]) -> Path:
    lines = [",".join(columns)] + [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# A user's own files


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file_gives_the_same_examples(tmp_path: Path, suffix: str) -> None:
    columns = {"first": ["one", "two", "three"], "second": ["a", "b", "c"], "kind": ["x", "y", "x"]}
    rows = list(zip(*columns.values(), strict=True))
    path = tmp_path / f"own{suffix}"
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    elif suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows), encoding="utf-8")
    else:
        between = "," if suffix == ".csv" else "\t"
        path.write_text("\n".join(between.join(row) for row in [tuple(columns), *rows]), encoding="utf-8")
    examples, labels = load_file(path, "first", "second", "kind")
    assert labels == ("x", "y")
    assert examples.texts == ("one", "two", "three")
    assert examples.pairs == ("a", "b", "c")
    assert examples.labels.tolist() == [0, 1, 0]
    assert examples.origin == f"file own{suffix}"
    assert examples.sha256 == Examples(examples.texts, examples.pairs, np.array([0, 1, 0]), "elsewhere").sha256


@pytest.mark.parametrize(
    ("values", "labels", "numbers"),
    [
        (["pos", "neg", "pos"], ("neg", "pos"), [1, 0, 1]),
        ([" pos", "neg ", "pos"], ("neg", "pos"), [1, 0, 1]),
        ([0, 1, 0], ("0", "1"), [0, 1, 0]),
        ([10, 9, 2], ("2", "9", "10"), [2, 1, 0]),  # sorted as numbers
        ([-1, 1, 1], ("-1", "1"), [0, 1, 1]),
        (["1.0", "0.0", "1.0"], ("0", "1"), [1, 0, 1]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
    ],
)
def test_labels_are_inferred(tmp_path: Path, values: list[object], labels: tuple[str, ...], numbers: list[int]) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b", "c"], "label": values})
    examples, found = load_file(path, "text", None, "label")
    assert (found, examples.labels.tolist(), examples.labels.dtype) == (labels, numbers, np.int64)


def test_typed_labels_of_json_and_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"t": "a", "l": true}\n{"t": "b", "l": false}\n', encoding="utf-8")
    assert load_file(path, "t", None, "l")[1] == ("false", "true")
    pyarrow.parquet.write_table(pyarrow.table({"t": ["a", "b"], "l": [1.0, 2.0]}), tmp_path / "x.parquet")
    examples, labels = load_file(tmp_path / "x.parquet", "t", None, "l")
    assert (labels, examples.labels.tolist()) == (("1", "2"), [0, 1])


def test_known_labels_as_words_or_as_numbers(tmp_path: Path) -> None:
    words = write_csv(tmp_path / "words.csv", {"text": ["a", "b"], "label": ["positive", "negative"]})
    numbers = write_csv(tmp_path / "numbers.csv", {"text": ["a", "b"], "label": [1, 0]})
    for path in (words, numbers):
        assert load_file(path, "text", None, "label", TASKS["sst2"])[0].labels.tolist() == [1, 0]
    task = custom_task("stars", ("text",), ("1", "2"))  # here the words are numbers themselves
    twos = write_csv(tmp_path / "twos.csv", {"text": ["a", "b"], "label": [1, 2]})
    assert load_file(twos, "text", None, "label", task)[0].labels.tolist() == [0, 1]
    assert load_file(twos, "text", None, "label", labels=("2", "1"))[0].labels.tolist() == [1, 0]


def test_one_label_is_enough_to_measure_but_not_to_train(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"], "label": ["positive", "positive"]})
    assert load_file(path, "text", None, "label", TASKS["sst2"])[0].labels.tolist() == [1, 1]
    for arguments in ({}, {"task": TASKS["sst2"], "training": True}):
        with pytest.raises(DataError, match=r"x\.csv: all labels are 'positive', expected at least two"):
            load_file(path, "text", None, "label", **arguments)
    scores = write_csv(tmp_path / "y.csv", {"text": ["a", "b"], "label": [2.5, 2.5]})
    with pytest.raises(DataError, match=r"all labels are 2\.5, expected"):
        load_file(scores, "text", None, "label", regression=True, training=True)


def test_regression(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b", "c"], "label": [1, 2.5, -3e2]})
    examples, labels = load_file(path, "text", None, "label", regression=True)
    assert labels is None
    assert examples.labels.tolist() == [1.0, 2.5, -300.0]
    assert examples.labels.dtype == np.float32
    with pytest.raises(DataError, match=r"'2\.5' looks like a score, expected label words, or a regression"):
        load_file(path, "text", None, "label")
    with pytest.raises(DataError, match=r"row 3 is '-300\.0', expected a number from 0 to 5"):
        load_file(path, "text", None, "label", custom_task("stars", ("text",), None, label_range=(0.0, 5.0)))


@pytest.mark.parametrize("value", ["good", "nan", "inf", "1e60", "3,5", "'4'"])
def test_scores_that_are_no_numbers(tmp_path: Path, value: str) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(f"text\tscore\na\t1.5\nb\t{value}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"x\.tsv, column 'score': row 2 is .*, expected a number"):
        load_file(path, "text", None, "score", regression=True)


@pytest.mark.parametrize("value", ["null", "true", "1" + "0" * 400, "[1]", '"NaN"', "NaN"])
def test_json_scores_that_are_no_numbers(tmp_path: Path, value: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"t": "a", "s": 1}}\n{{"t": "b", "s": {value}}}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"row 2 is .*, expected a number"):
        load_file(path, "t", None, "s", regression=True)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"t": "", "l": "x"}, "row 2, column 't' is empty, expected a text"),
        ({"t": " \t", "l": "x"}, "row 2, column 't' is empty, expected a text"),
        ({"t": None, "l": "x"}, "row 2, column 't' is empty"),
        ({"l": "x"}, "row 2, column 't' is empty"),
        ({"t": float("nan"), "l": "x"}, "row 2, column 't' is empty"),
        ({"t": 5, "l": "x"}, "row 2, column 't' is 5, expected a text"),
        ({"t": ["b"], "l": "x"}, "row 2, column 't' is ['b'], expected a text"),
        ({"t": "half \ud83d", "l": "x"}, "row 2 holds half a character, expected Unicode text"),
        ({"t": "b", "l": None}, "column 'l': row 2 is empty, expected a label"),
        ({"t": "b", "l": " "}, "column 'l': row 2 is empty, expected a label"),
        ({"t": "b"}, "column 'l': row 2 is empty, expected a label"),
        ({"t": "b", "l": {"is": "x"}}, "column 'l': row 2 is {'is': 'x'}, expected a word"),
    ],
)
def test_bad_cells_are_named_by_row(tmp_path: Path, record: dict[str, object], message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"t": "a", "l": "y"}) + "\n" + json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_file(path, "t", None, "l")
    assert message in str(caught.value)
    assert "x.jsonl" in str(caught.value)


def test_unknown_label(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"], "label": ["positive", "Negative"]})
    with pytest.raises(DataError, match="row 2 has the unknown label 'Negative', expected negative, positive, or"):
        load_file(path, "text", None, "label", TASKS["sst2"])
    mixed = write_csv(tmp_path / "y.csv", {"text": ["a", "b"], "label": ["positive", 0]})
    with pytest.raises(DataError, match="row 2 has the unknown label '0'"):
        load_file(mixed, "text", None, "label", TASKS["sst2"])


def test_a_column_of_texts_is_no_label(tmp_path: Path) -> None:
    texts: list[object] = [f"sentence {number}" for number in range(60)]
    path = write_csv(tmp_path / "x.csv", {"text": texts, "other": texts})
    with pytest.raises(DataError, match="60 different values in 60 rows, expected a few label words"):
        load_file(path, "text", None, "other")


def test_wrong_columns(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"], "label": ["x", "y"]})
    for arguments in (("words", None, "label"), ("text", "words", "label"), ("text", None, "words")):
        with pytest.raises(DataError, match=r"x\.csv: no column 'words'; expected one of: 'text', 'label'"):
            load_file(path, *arguments)
    for arguments in (("text", None, "text"), ("text", "text", "label"), ("text", "label", "label")):
        with pytest.raises(DataError, match="expected a different column for each"):
            load_file(path, *arguments)
    with pytest.raises(DataError, match="task mrpc reads sentence1 and sentence2, expected two text columns"):
        load_file(path, "text", None, "label", TASKS["mrpc"])
    with pytest.raises(DataError, match="task sst2 reads sentence, expected one text column"):
        load_file(path, "text", "other", "label", TASKS["sst2"])


def test_texts_to_predict_need_no_label(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"]})
    examples, labels = load_file(path, "text", None, None)
    assert labels is None
    assert examples.texts == ("a", "b")
    assert not examples.is_labelled
    assert not examples.take([1]).is_labelled


# Sources


def test_default_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIMVIZ_GLUE", raising=False)
    assert default_source() == "hub"
    monkeypatch.setenv("SLIMVIZ_GLUE", "")
    assert default_source() == "hub"
    monkeypatch.setenv("SLIMVIZ_GLUE", "glue")
    assert default_source() == "glue"


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
    with pytest.raises(DataError) as caught:
        load_examples(TASKS["rte"], "train", "hub")
    message = str(caught.value)
    assert "hub nyu-mll/glue/rte, split train: unreachable (Couldn't reach it); expected" in message
    assert "\n" not in message
    monkeypatch.setitem(sys.modules, "datasets", None)  # type: ignore[arg-type]  # as where it is not installed
    with pytest.raises(DataError, match="unreachable"):
        load_examples(TASKS["rte"], "train", "hub")
    with pytest.raises(DataError, match="is not a GLUE task"):
        load_examples(custom_task("mine", ("text",), ("a", "b")), "train", "hub")


def test_probe_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pruning.data.examples.PROBE_FOLDER", tmp_path)
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


# Examples


def test_checksum_is_of_the_content_alone(tiny_pairs: Examples) -> None:
    again = Examples(tiny_pairs.texts, tiny_pairs.pairs, tiny_pairs.labels.copy(), "elsewhere")
    assert again.sha256 == tiny_pairs.sha256
    assert tiny_pairs.pairs is not None
    others = [
        Examples(tiny_pairs.pairs, tiny_pairs.texts, tiny_pairs.labels, ""),
        Examples(tiny_pairs.texts, None, tiny_pairs.labels, ""),
        Examples(tiny_pairs.texts, tiny_pairs.pairs, tiny_pairs.labels[::-1].copy(), ""),
        tiny_pairs.take(range(9)),
        tiny_pairs.take(range(9, -1, -1)),
        unlabelled(tiny_pairs.texts, tiny_pairs.pairs, ""),
    ]
    assert len({other.sha256 for other in [*others, tiny_pairs]}) == len(others) + 1
    one, other = (Examples(texts, None, np.zeros(2, int), "") for texts in (("ab", "c"), ("a", "bc")))
    assert one.sha256 != other.sha256


def test_take(tiny_pairs: Examples) -> None:
    taken = tiny_pairs.take(np.array([3, 0]))
    assert tiny_pairs.pairs is not None
    assert taken.texts == (tiny_pairs.texts[3], tiny_pairs.texts[0])
    assert taken.pairs == (tiny_pairs.pairs[3], tiny_pairs.pairs[0])
    assert taken.labels.tolist() == tiny_pairs.labels[[3, 0]].tolist()
    assert taken.origin == "tiny pairs, 2 of 10 rows"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=200), st.integers(0, 9), st.sampled_from([0.1, 0.25, 0.5]))
def test_hold_out_splits_by_seed_and_keeps_proportions(classes: list[int], seed: int, share: float) -> None:
    texts = tuple(f"text {number}" for number in range(len(classes)))
    examples = Examples(texts, None, np.array(classes), "own")
    training, held = hold_out(examples, seed, share)
    assert sorted(training.texts + held.texts) == sorted(texts)
    assert len(held) == max(1, round(share * len(classes)))
    for label in set(classes):  # systematic sampling along the sorted labels is off by less than one either way
        expected = classes.count(label) * len(held) / len(classes)
        assert abs((held.labels == label).sum() - expected) < 1 + 1e-9
    again = hold_out(examples, seed, share)
    assert (again[0].sha256, again[1].sha256) == (training.sha256, held.sha256)


def test_hold_out_is_stated_and_depends_on_the_seed(tiny_examples: Examples) -> None:
    training, held = hold_out(tiny_examples, seed=3)
    assert held.origin == "tiny examples, 2 of 22 rows held out by seed 3"
    assert training.origin == "tiny examples, all but 2 of 22 rows held out by seed 3"
    assert len({hold_out(tiny_examples, seed)[1].texts for seed in range(10)}) > 5
    with pytest.raises(DataError, match="tiny examples, 1 of 22 rows: 1 rows, expected enough"):
        hold_out(tiny_examples.take([0]), 0)


def test_imports_need_only_numpy() -> None:
    code = "import sys, pruning.data.batches, pruning.data.examples, pruning.measure.metrics, pruning.data.tasks; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "datasets", "pandas", "pyarrow", "scipy", "sklearn"}
    assert heavy.isdisjoint(found.stdout.split())
