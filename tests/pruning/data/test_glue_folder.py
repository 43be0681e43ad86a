"""Folders of GLUE, as parquet and as GLUE's own TSV; the real one where SLIMVIZ_GLUE names it."""

import os
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from pruning.data.sources import load_examples
from pruning.data.tasks import TASKS, official_rows
from pruning.errors import DataError

# task: file of the validation split, its lines, texts, second texts, labels; the texts are this project's own
LAYOUTS: dict[str, tuple[str, list[str], list[str], list[str] | None, list[float]]] = {
    "cola": ("CoLA/dev.tsv", ['x1\t1\t\tShe "sang.', "x2\t0\t*\tSang she did it."],
             ['She "sang.', "Sang she did it."], None, [1, 0]),
    "sst2": ("SST-2/dev.tsv", ["sentence\tlabel", '"oh dear \t0', "fine \t1"], ['"oh dear ', "fine "], None, [0, 1]),
    "mrpc": ("MRPC/dev.tsv", ["\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r",
                              "1\t7\t8\tIt rained.\tRain fell.\r", "0\t9\t10\tOne.\tTwo.\r"],
             ["It rained.", "One."], ["Rain fell.", "Two."], [1, 0]),
    "stsb": ("STS-B/dev.tsv", ["index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
                               "0\tg\tf\t2030\t1\tnone\tnone\tA cat.\tA dog.\t1.250",
                               "1\tg\tf\t2030\t2\tnone\tnone\tHi.\tHello.\t5.000"],
             ["A cat.", "Hi."], ["A dog.", "Hello."], [1.25, 5.0]),
    "qqp": ("QQP/dev.tsv", ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
                            "1\t1\t2\tWhy?\tWhy so?\t1", "2\tbroken", "3\t5\t6\tWho?\t\t0"],
            ["Why?", "Who?"], ["Why so?", ""], [1, 0]),
    "mnli": ("MNLI/dev_matched.tsv", ["index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label",
                                      "0\tg\tIt is hot.\tIt is cold.\tneutral\tcontradiction",
                                      "1\tg\tA.\tB.\tneutral\tneutral", "2\tg\tA.\tA.\tneutral\tentailment"],
             ["It is hot.", "A.", "A."], ["It is cold.", "B.", "A."], [2, 1, 0]),
    "qnli": ("QNLI/dev.tsv", ["index\tquestion\tsentence\tlabel",
                              "0\tWhen?\tIn May.\tentailment", "1\tWhy?\tIn May.\tnot_entailment"],
             ["When?", "Why?"], ["In May.", "In May."], [0, 1]),
    "rte": ("RTE/dev.tsv", ["index\tsentence1\tsentence2\tlabel",
                            "0\tIt rained.\tIt was wet.\tnot_entailment", "1\tA.\tB.\tentailment"],
            ["It rained.", "A."], ["It was wet.", "B."], [1, 0]),
    "wnli": ("WNLI/dev.tsv", ["index\tsentence1\tsentence2\tlabel", "0\tShe saw it.\tA cat saw it.\t0", "1\tA.\tB.\t1"],
             ["She saw it.", "A."], ["A cat saw it.", "B."], [0, 1]),
}  # fmt: skip


def write(folder: Path, name: str, content: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8"))


@pytest.mark.parametrize("own_name", [False, True], ids=["GLUE's folder", "task's folder"])
@pytest.mark.parametrize("name", list(LAYOUTS))
def test_glue_tsv(tmp_path: Path, name: str, own_name: bool) -> None:
    file, lines, texts, pairs, labels = LAYOUTS[name]
    write(tmp_path, f"{name}/{Path(file).name}" if own_name else file, "\n".join(lines))
    examples = load_examples(TASKS[name], "validation", tmp_path)
    assert examples.texts == tuple(texts)
    assert examples.pairs == (None if pairs is None else tuple(pairs))
    assert examples.labels.tolist() == labels
    assert examples.labels.dtype == (np.float32 if name == "stsb" else np.int64)
    assert TASKS[name].validation[0] in examples.origin


def test_train_and_mismatched_files(tmp_path: Path) -> None:
    write(tmp_path, "MNLI/dev_mismatched.tsv", "sentence1\tsentence2\tgold_label\nA.\tB.\tneutral\n")
    write(tmp_path, "MNLI/train.tsv", "sentence1\tsentence2\tlabel1\tgold_label\nC.\tD.\tneutral\tentailment\n")
    assert load_examples(TASKS["mnli"], "validation_mismatched", tmp_path).texts == ("A.",)
    assert load_examples(TASKS["mnli"], "train", tmp_path).labels.tolist() == [0]
    with pytest.raises(DataError, match=r"mnli: split validation_matched is not in .*dev_matched\.tsv"):
        load_examples(TASKS["mnli"], "validation", tmp_path)


def test_original_mrpc_is_split_by_the_list_of_ids(tmp_path: Path) -> None:
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    write(tmp_path, "MRPC/msr_paraphrase_train.txt", header + "1\t7\t8\tA.\tB.\n0\t9\t1\tC.\tD.\n1\t3\t4\tE.\tF.\n")
    with pytest.raises(DataError, match=r"no dev\.tsv and no dev_ids\.tsv, expected one"):
        load_examples(TASKS["mrpc"], "train", tmp_path)
    write(tmp_path, "MRPC/dev_ids.tsv", "9\t1\n")
    assert load_examples(TASKS["mrpc"], "validation", tmp_path).texts == ("C.",)
    assert load_examples(TASKS["mrpc"], "train", tmp_path).texts == ("A.", "E.")


@pytest.mark.parametrize("file", ["cola/validation.parquet", "cola/validation-00000-of-00001.parquet"])
def test_parquet_and_tsv_have_one_checksum(tmp_path: Path, file: str) -> None:
    name, lines, texts, _, labels = LAYOUTS["cola"]
    write(tmp_path / "tsv", name, "\n".join(lines))
    (tmp_path / "cola").mkdir()
    table = pyarrow.table({"sentence": texts, "label": labels, "idx": [0, 1]})
    pyarrow.parquet.write_table(table, tmp_path / file)
    from_parquet = load_examples(TASKS["cola"], "validation", tmp_path)
    from_tsv = load_examples(TASKS["cola"], "validation", tmp_path / "tsv")
    assert from_parquet.sha256 == from_tsv.sha256
    assert from_parquet.origin != from_tsv.origin


def test_parquet_in_several_files(tmp_path: Path) -> None:
    (tmp_path / "sst2").mkdir()
    for number in range(2):
        table = pyarrow.table({"sentence": [f"part {number}"], "label": [number]})
        pyarrow.parquet.write_table(table, tmp_path / "sst2" / f"train-0000{number}-of-00002.parquet")
    examples = load_examples(TASKS["sst2"], "train", tmp_path)
    assert (examples.texts, examples.labels.tolist()) == (("part 0", "part 1"), [0, 1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no rows"),
        ("sentence\tlabel\n", "holds no rows"),
        ("text\tlabel\nfine\t1\n", "no column 'sentence'; expected one of: 'text', 'label'"),
        ("sentence\tlabel\nfine\t2\n", "row 1 has the unknown label '2', expected negative, positive"),
        ("sentence\tlabel\nfine\t-1\n", "row 1 has no label"),
        ("sentence\tlabel\n" + "fine\n" * 5 + "fine\t1\n", "5 of 6 rows have fewer columns"),
    ],
)
def test_broken_tsv(tmp_path: Path, content: str, message: str) -> None:
    write(tmp_path, "SST-2/dev.tsv", content)
    with pytest.raises(DataError) as caught:
        load_examples(TASKS["sst2"], "validation", tmp_path)
    assert message in str(caught.value)
    assert "dev.tsv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_folder_and_missing_task(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none: is not a folder, expected one with rte/validation\.parquet"):
        load_examples(TASKS["rte"], "validation", tmp_path / "none")
    with pytest.raises(DataError, match=r"rte: split validation is not in .*RTE/dev\.tsv or .*rte/dev\.tsv"):
        load_examples(TASKS["rte"], "validation", tmp_path)


@pytest.mark.parametrize("split", ["test", "dev", "validation_matched", "../train", ""])
def test_unknown_splits(tmp_path: Path, split: str) -> None:
    with pytest.raises(DataError, match=r"expected one of train, validation$"):
        load_examples(TASKS["sst2"], split, tmp_path)


# The real data

real = pytest.mark.skipif("SLIMVIZ_GLUE" not in os.environ, reason="SLIMVIZ_GLUE names no folder with GLUE")
POSITIVE = {"cola": 721, "sst2": 444, "mrpc": 279, "qnli": 2761, "rte": 131, "wnli": 31}


@real
@pytest.mark.parametrize("name", ["cola", "sst2", "mrpc", "stsb", "mnli", "qnli", "rte", "wnli"])
def test_real_validation_splits(name: str) -> None:
    examples = load_examples(TASKS[name], "validation", os.environ["SLIMVIZ_GLUE"])
    assert len(examples) == official_rows(name, TASKS[name].validation[0])
    assert (examples.pairs is not None) == TASKS[name].is_pair
    if name in POSITIVE:
        assert int(examples.labels.sum()) == POSITIVE[name]
