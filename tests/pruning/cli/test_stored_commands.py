"""``list``, ``verify``, ``upgrade``, ``measure`` and ``predict`` on studies that ``run`` made."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.numpy import load, save

from pruning.data import get_task, load_examples
from pruning.study.read import read_study
from tests.factories.damage import flip_a_bit, json_edit, put, seal
from tests.factories.own_data import made_up
from tests.factories.study_document import edit
from tests.factories.synthetic_study import write_study
from tests.factories.tiny_backbone import shape
from tests.factories.tiny_study import probe_rows, write_tiny_study
from tests.pruning.cli.commands import Made, call, content, copy_study, refused

CPU = ("--device", "cpu")


def test_list(own: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = call("list", "--studies", own.study.parent, "--json")
    assert printed.code == 0
    variants = ["teacher", "one-shot-30", "slim-30", "one-shot-10", "slim-10"]
    assert printed.json == {"studies": [{"task": "own", "path": str(own.study), "variants": variants}]}
    printed = call("list", "--studies", own.study.parent)
    assert re.search(rf"^own +own +{re.escape(str(own.study))}  teacher, .*, slim-10$", printed.out)
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(own.study.parent))
    assert str(own.study) in [row["path"] for row in call("list", "--json").json["studies"]]


def test_list_says_samples_and_starts(tmp_path: Path) -> None:
    def change(document: dict) -> None:
        document["provenance"]["data"]["train"]["rows"] = 1000
        document["provenance"]["start"] = {"study": "mnli", "sha256": "4" * 64}

    edit(write_study(tmp_path, "rte", shape=shape(2), budgets=("50",), shipped=()), change)
    (line,) = call("list", "--studies", tmp_path).out.splitlines()
    assert line.endswith(
        "slim-50  (learned from 1,000 of GLUE's 2,490 training rows, so it is not comparable with published results on "
        "all of them; teacher starts from MNLI's)"
    )


def test_measure_says_samples(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path, "rte")
    edit(folder, lambda document: document["provenance"]["data"]["train"].update(rows=1000))
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in probe_rows("rte", 12)))
    columns = ("--text", "sentence1", "--pair", "sentence2")
    printed = call("measure", folder, "--validation-file", file, *columns, *CPU, "--variant", "teacher")
    assert printed.code == 0, printed
    assert printed.err.splitlines()[-1].startswith("rte learned from 1,000 of GLUE's 2,490 training rows, so it is not")


def test_list_names_what_is_broken_beside_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "broken\x1b[31m").mkdir()
    (tmp_path / "broken\x1b[31m" / "study.json").write_text("{")
    printed = call("list", "--studies", tmp_path, "--json")
    assert (printed.code, printed.json) == (0, {"studies": []})
    (line,) = printed.err.splitlines()
    assert line.startswith(f"broken: {tmp_path}/broken [31m: ")


def test_verify(own: Made, similar: Made, tmp_path: Path) -> None:
    printed = call("verify", own.study, "--json", similar.study)
    assert (printed.code, printed.err) == (0, "")
    assert printed.json == {"studies": [{"path": str(made.study), "problems": []} for made in (own, similar)]}
    printed = call("verify", own.study, tmp_path / "none")
    assert printed.code == 2
    first, second = printed.out.splitlines()
    assert first == f"{own.study}: clean"
    assert second.startswith(f"{tmp_path / 'none'}: ")


def test_upgrade_leaves_a_study_of_today_as_it_is(own: Made, similar: Made) -> None:
    before = content(own.study)
    printed = call("upgrade", own.study, similar.study)
    assert (printed.code, printed.err) == (0, "")
    assert printed.out.splitlines() == [f"{made.study}: already at schema 2" for made in (own, similar)]
    assert call("upgrade", "--json", own.study).json == {
        "studies": [{"path": str(own.study), "schema": 2, "upgraded": False}]
    }
    assert content(own.study) == before


def test_measure_on_a_file(own: Made) -> None:
    """The rows that were learned from: any labelled file will do, and all stored networks are scored."""
    printed = call("measure", own.study, "--validation-file", own.folder / "own.csv", *CPU, "--json")
    assert printed.code == 0, printed
    assert set(printed.json) == {"study", "results"}
    assert printed.json["study"] == "own"
    assert [row["variant"] for row in printed.json["results"]] == ["teacher", "slim-10"]
    for row in printed.json["results"]:
        assert list(row["metrics"]) == ["accuracy", "f1"]
        assert row["metrics"]["accuracy"] == row["correct"] / row["count"]
        assert (row["count"], row["split"]) == (60, "own.csv")
    assert printed.err == "own.csv: 60 examples, file own.csv\n"
    printed = call("measure", own.study, "--validation-file", own.folder / "own.csv", *CPU, "--variant", "slim-10")
    assert re.fullmatch(r"slim-10 +own\.csv +Accuracy 0\.\d{4}, F1 [01]\.\d{4}  \(\d+/60\)\n", printed.out)


def test_measure_reproduces_what_run_stored(similar: Made) -> None:
    columns = ("--text", "a", "--pair", "b", "--label", "score")
    file = similar.folder / "validation.jsonl"
    printed = call("measure", similar.study, "--validation-file", file, *columns, *CPU, "--json")
    stored = {row["variant"]: row for row in similar.result.json["results"]}
    for row in printed.json["results"]:
        for key in ("metrics", "correct", "interval", "retention"):
            assert row[key] == stored[row["variant"]][key], key


def test_labels_are_never_shifted(three: Made, place: Path, tmp_path: Path) -> None:
    """Fault 12: the file says 0, 1 and 2, the study's labels are called 1, 2 and 3."""
    study = copy_study(three.study, tmp_path)
    edit(study, lambda document: document["task"].update(labels=["1", "2", "3"]))
    line = refused("measure", study, "--validation-file", place / "numbers.csv", *CPU)
    assert re.search(r"numbers.csv.*'0'.*expected ", line), line


def test_predict_a_text(own: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(own.study.parent))
    printed = call("predict", "own", "the soup is good", *CPU, "--json")  # the study by its name
    assert (printed.code, printed.err) == (0, "")
    (row,) = printed.json["answers"]
    assert (printed.json["study"], row["text"]) == ("own", "the soup is good")
    assert list(row["variants"]) == ["teacher", "slim-10"]
    for found in row["variants"].values():
        assert found["label"] in ("no", "yes")
        assert found["probability"] == max(found["probabilities"].values())
        assert sum(found["probabilities"].values()) == pytest.approx(1.0)


def test_predict_a_file_as_text(three: Made) -> None:
    printed = call("predict", three.study, "--file", three.folder / "own.parquet", "--text", "note", *CPU)
    lines = printed.out.splitlines()
    assert len(lines) == 3 * 60
    assert lines[0] == made_up(60, 0).texts[0]
    assert re.fullmatch(r"  teacher {7}(cold|neither|warm) \(\d+\.\d%\)", lines[1])
    assert re.fullmatch(r"  slim-flops-30 (cold|neither|warm) \(\d+\.\d%\)", lines[2])


def test_predict_a_pair(similar: Made) -> None:
    typed = ("predict", similar.study, "the soup is good", "the film is good", *CPU)
    (row,) = call(*typed, "--json").json["answers"]
    assert (row["text"], row["pair"]) == ("the soup is good", "the film is good")
    assert all(set(found) == {"score"} for found in row["variants"].values())
    lines = call(*typed).out.splitlines()
    assert lines[0] == "the soup is good  |  the film is good"
    assert lines[1] == f"  teacher    {row['variants']['teacher']['score']:.2f}"


@pytest.mark.parametrize(
    "order",
    [
        "{study} good --device cpu --variant slim-10 --json",
        "{study} --device cpu good --variant slim-10 --json",
        "--json --variant slim-10 --device cpu {study} good",
        "--variant slim-10 {study} --json --device cpu -- --json",
    ],
)
def test_options_may_stand_anywhere_and_a_text_may_look_like_one(own: Made, order: str) -> None:
    """Fault 17."""
    printed = call("predict", *order.format(study=own.study).split())
    (row,) = printed.json["answers"]
    assert (row["text"], list(row["variants"])) == ("--json" if "-- " in order else "good", ["slim-10"])


def test_texts_do_not_steer_the_terminal(own: Made) -> None:
    printed = call("predict", own.study, "good\x1b[2J\nbad", *CPU)
    assert printed.out.splitlines()[0] == "good [2J bad"
    assert len(printed.out.splitlines()) == 3


# ---- a teacher that is not here, or not the one ------------------------------------------------------------------


def commands_on(made: Made, study: Path) -> list[tuple[Any, ...]]:
    return [
        ("predict", study, "the soup is good", *CPU),
        ("measure", study, "--validation-file", made.folder / "own.csv", *CPU),
    ]


@pytest.fixture
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(name: str, *given: Any, local_files_only: bool = False, **named: Any) -> None:
        assert local_files_only, f"a study asked for {name}"
        raise LocalEntryNotFoundError("not in the cache")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)


def not_here(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIMVIZ_BACKBONES")


def weights_removed(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (study / "teacher").iterdir():
        path.unlink()


@pytest.mark.usefixtures("no_download")
@pytest.mark.parametrize("lose", [not_here, weights_removed])
def test_a_missing_teacher_does_not_keep_the_slim_network_from_answering(
    own: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lose: Callable[..., None]
) -> None:
    """Faults 17 and 2: nor does a study ever cause a download, whatever its backbone's name is."""
    name = "nobody/no-bert"
    study = copy_study(own.study, tmp_path)
    edit(study, lambda document: document["backbone"].update(name=name, source=f"hub {name}@main"))
    edit(study, lambda document: document["config"].update(backbone=name))
    lose(study, monkeypatch)
    for command in commands_on(own, study):
        printed = call(*command)
        assert printed.code == 0, printed
        assert "slim-10" in printed.out
        assert not re.search(r"^ *teacher ", printed.out, re.M)
        (line,) = (line for line in printed.err.splitlines() if not line.startswith("own.csv: "))
        assert line.startswith("without the teacher: ")
        assert call(*command, "--variant", "slim-10").code == 0
    assert re.search("nobody/no-bert|teacher", refused(*commands_on(own, study)[0], "--variant", "teacher"))


def test_a_teacher_whose_backbone_is_another(
    own: Made, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed since: the slim network still answers when asked, the teacher says what is wrong."""
    shutil.copytree(place / "backbone", tmp_path / "backbone")
    flip_a_bit("model.safetensors")(tmp_path / "backbone")
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(tmp_path))
    line = refused("predict", own.study, "good", *CPU)
    assert re.search(r"backbone 'backbone': found with sha256 \w{12}, expected sha256 \w{12}", line), line
    assert call("predict", own.study, "good", *CPU, "--variant", "slim-10").code == 0


# ---- damage, and what must never run: whatever the loader of networks refuses -------------------------------------


@pytest.mark.parametrize("path", ["slim-10/config.json", "teacher/adapter_config.json"])
def test_damaged_files_are_one_line(own: Made, tmp_path: Path, path: str) -> None:
    """Fault 7."""
    study = copy_study(own.study, tmp_path)
    put(path, b"[" * 20_000)(study)
    seal(study)
    for command in commands_on(own, study):
        result = call(*command)
        assert (result.code, result.out) == (2, ""), result
        (line,) = (line for line in result.err.splitlines() if not line.startswith("own.csv: "))
        assert line.startswith("pruning: ")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_nothing_that_a_study_names_is_run(
    own: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Fault 1: transformers asks whether to run custom code; nobody is asked here, whatever standard input says."""
    study = copy_study(own.study, tmp_path)
    monkeypatch.setenv("MARKER", str(tmp_path / "ran"))
    (study / "slim-10" / "evil.py").write_text("import os\nopen(os.environ['MARKER'], 'w').close()\n")
    code = {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.M", "AutoTokenizer": ["evil.T"] * 2}
    json_edit(f"slim-10/{file}", auto_map=code, model_type="evil")(study)
    seal(study)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 20))
    for command in commands_on(own, study):
        result = call(*command, "--variant", "slim-10")
        assert not (tmp_path / "ran").exists()
        assert "custom code" not in result.out + result.err
        if file == "config.json":
            assert (result.code, result.out) == (2, "")


def test_changed_weights_are_said(own: Made, tmp_path: Path) -> None:
    """Fault 8."""
    study = copy_study(own.study, tmp_path)
    flip_a_bit("slim-10/model.safetensors")(study)
    for command in commands_on(own, study):
        assert "checksum" in call(*command).err.splitlines()[-1]
    assert read_study(study).name == "own"  # a page can still show its numbers


def test_ablate_shows_curves_and_stores_them_when_asked_to(own: Made, tmp_path: Path) -> None:
    study, csv = copy_study(own.study, tmp_path), own.folder / "own.csv"
    before = content(study)
    files = ("--train-file", csv, "--validation-file", csv, "--rows", 40, *CPU, "--precision", "float32")
    printed = call("ablate", study, *files)
    assert printed.code == 0, printed
    assert "teacher on train: 40 rows" in printed.out
    assert re.search(r"^  alpha +[+-]0\.\d{4} +\d+\.\d% ", printed.out, re.MULTILINE)
    assert "a slimmed network is not stored" in printed.err
    assert content(study) == before
    printed = call("ablate", study, *files, "--store", "--json")
    assert printed.code == 0, printed
    shown = printed.json["ablations"]
    stored = {(one.network, one.split): one for one in read_study(study).document.ablations}
    assert [(one["split"], one["rows"]) for one in shown] == [("train", 40), ("validation", 40)]
    for one in shown:
        kept = stored["teacher", one["split"]]
        assert (kept.best, list(kept.areas.values())) == (
            one["best"],
            [row["area"] for row in one["criteria"].values()],
        )
    assert ("slimmed", "validation") in stored  # what `run` measured stays
    assert call("verify", study).code == 0
    assert {name for name, value in content(study).items() if value != before[name]} == {"study.json"}


def test_ablate_gathers_what_an_older_study_does_not_store(own: Made, tmp_path: Path) -> None:
    study = copy_study(own.study, tmp_path)
    edit(study, lambda document: document.update(ablations=[]))
    path = study / "factors.safetensors"
    arrays = load(path.read_bytes())
    path.write_bytes(save({key: value for key, value in arrays.items() if not key.startswith(("fisher", "head_"))}))
    seal(study)
    files = ("--train-file", own.folder / "own.csv", *CPU, "--json")
    before = call("ablate", study, *files).json["ablations"][0]
    after = call("ablate", study, *files, "--gather").json["ablations"][0]
    assert after["curves"].keys() - before["curves"].keys() == {
        "head_gradient", "head_answer", "head_fisher", "fisher", "fisher_by_head"
    }  # fmt: skip
    assert after["curves"]["taylor"] == before["curves"]["taylor"]


def test_what_ablate_cannot_do_is_said(own: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIMVIZ_GLUE", str(tmp_path))
    rows = ("--validation-file", own.folder / "own.csv")
    for arguments, said in (
        (("--store", "--gather"), "--store with --gather: a study keeps curves of criteria that it stores"),
        ((*rows, "--gather"), "--gather: takes gradients on training rows, expected train among the splits"),
        (("--split", "test"), "split 'test' is unknown"),
        (("--rows", "0"), "expected a whole number from 1 on"),
    ):
        assert said in refused("ablate", own.study, *arguments)


def test_measure_all_compares_with_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studies, glue = tmp_path / "studies", tmp_path / "glue"
    rte, own = write_tiny_study(studies, "rte"), write_tiny_study(studies, "sst2", name="own")
    edit(own, lambda document: document["task"].update(name="own"))
    (studies / "broken").mkdir()
    (studies / "broken" / "study.json").write_text("{")
    (glue / "rte").mkdir(parents=True)
    rows = [row | {"idx": number} for number, row in enumerate(probe_rows("rte", 12))]
    pq.write_table(pa.Table.from_pylist(rows), glue / "rte" / "validation.parquet")
    monkeypatch.setattr("pruning.study.read.BUNDLED", studies)
    examples = load_examples(get_task("rte"), "validation", str(glue))
    found = call("measure", rte, "--data", glue, *CPU, "--json").json["results"]

    def store(document: dict) -> None:
        document["provenance"]["data"]["validation"] |= {"rows": 12, "sha256": examples.sha256}
        for row in document["results"]:
            for same in found:
                if row["variant"]["method"] == same["variant"].split("-")[0]:
                    row |= {key: same[key] for key in ("count", "correct", "metrics")}

    def change(document: dict) -> None:
        row = next(row for row in document["results"] if row["variant"]["method"] == "slim")
        row["metrics"]["accuracy"] += 1 / 12

    edit(rte, store)
    printed = call("measure", "--all", "--data", glue, *CPU)
    assert printed.code == 2
    assert re.search(r"^rte \(.*\)\nteacher .*\nslim-50 .*$", printed.out, re.MULTILINE)
    said = printed.err.splitlines()
    assert said[0].startswith("broken: broken: ")
    assert said[1:] == ["own: left out, for its examples are not GLUE's", "1 of 2 studies score what they store"]
    shutil.rmtree(studies / "broken")
    printed = call("measure", "--all", "--data", glue, *CPU, "--json")
    assert (printed.code, [report["differences"] for report in printed.json["studies"]]) == (0, [[]])
    edit(rte, change)
    printed = call("measure", "--all", "--data", glue, *CPU, "--json")
    (report,) = printed.json["studies"]
    assert (printed.code, len(report["differences"])) == (2, 1)
    assert re.match(r"slim-50 validation: accuracy 0\.\d{4} \(n=12\), stored: accuracy", report["differences"][0])
    pq.write_table(pa.Table.from_pylist(rows[:11]), glue / "rte" / "validation.parquet")
    printed = call("measure", "--all", "--data", glue, *CPU)
    assert printed.code == 2
    assert "holds other examples than the study was measured on" in printed.err
