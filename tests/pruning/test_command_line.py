"""The command line on tiny studies: what it prints and stores, and one line for what the user can put right."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pruning import pipeline
from pruning.cli import main as command_line
from pruning.cli.main import main
from pruning.config import PRESETS, StudyConfig
from pruning.measure import networks as measure
from pruning.study import write as store
from pruning.study.read import read_study
from pruning.study.verify import verify
from tests.factories.own_data import made_up, scored_pairs, write_csv
from tests.factories.quick_run import SETTING_OPTIONS, frozen_garbage, quick_measurements
from tests.factories.tiny_backbone import write_backbone

resource = pytest.importorskip("resource", reason="limits on files need POSIX")
TASKS = "cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one object that it must be."""
        return json.loads(self.out)


Command = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with quick_measurements(), frozen_garbage():
        yield


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """A command sets a signal handler, threads and the libraries' chatter for its whole process."""
    from transformers.utils import logging as chatter

    handler, threads, level = signal.getsignal(signal.SIGTERM), torch.get_num_threads(), chatter.get_verbosity()
    yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)
    chatter.set_verbosity(level)
    chatter.enable_progress_bar()
    logging.disable(logging.NOTSET)


def call(capsys: pytest.CaptureFixture[str], arguments: tuple[Any, ...]) -> Result:
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    captured = capsys.readouterr()
    return Result(code, captured.out, captured.err)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: call(capsys, arguments)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail with one line on standard error and exit code 2; returns the line."""

    def refused(*arguments: Any) -> str:
        result = call(capsys, arguments)
        assert result.code == 2, result
        assert result.out == ""
        (line,) = result.err.splitlines()
        assert line.startswith("pruning: ")
        return line.removeprefix("pruning: ")

    return refused


# ---- studies made once -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a study's files are, and the command that makes it."""

    folder: Path

    @property
    def backbone(self) -> Path:
        return self.folder / "backbone"

    @property
    def study(self) -> Path:
        return self.folder / "studies" / "own"

    def run(self, *own: Any, budgets: str = "0.3") -> list[str]:
        """Arguments of ``run`` with tiny settings."""
        places = ["--output", self.folder / "studies", "--runs", self.folder / "runs", "--backbone", self.backbone]
        how = ["--budgets", budgets, *SETTING_OPTIONS, "--device", "cpu", "--quiet"]
        return [str(part) for part in ("run", *own, *places, *how)]


@dataclass(frozen=True)
class Made(Place):
    """A study that was made once, and what was printed."""

    result: Result
    typed: list[str]


def make(folder: Path, *own: Any, **named: Any) -> Made:
    """Run a command outside of any test."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    typed = Place(folder).run(*own, **named)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(typed)
    return Made(folder, Result(code, out.getvalue(), err.getvalue()), typed)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A backbone and files of examples, no study."""
    folder = tmp_path_factory.mktemp("command")
    write_backbone(folder / "backbone")
    write_csv(folder / "own.csv", 60, 0)
    write_csv(folder / "validation.csv", 12, 1)
    return Place(folder)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Single texts in two classes from a CSV file, without a validation file, two budgets."""
    folder = tmp_path_factory.mktemp("own")
    write_backbone(folder / "backbone")
    write_csv(folder / "own.csv", 60, 0)
    return make(folder, "--train-file", folder / "own.csv", budgets="0.3,0.1")


@pytest.fixture(scope="module")
def similar(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Pairs with a score, as in STS-B, from JSON lines."""
    folder = tmp_path_factory.mktemp("similar")
    write_backbone(folder / "backbone")
    for name, rows, seed in (("own", 40, 0), ("validation", 12, 1)):
        pairs = scored_pairs(rows, seed)
        scored = zip(pairs.texts, pairs.pairs or (), (pairs.labels / 2).tolist(), strict=True)
        lines = [{"a": a, "b": b, "score": score} for a, b, score in scored]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = ("--train-file", folder / "own.jsonl", "--validation-file", folder / "validation.jsonl")
    return make(folder, *files, "--text", "a", "--pair", "b", "--label", "score", "--regression", "--json")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three classes named by words, from parquet."""
    folder = tmp_path_factory.mktemp("three")
    write_backbone(folder / "backbone")
    texts = made_up(60, 0).texts
    words = ["cold" if "cold" in text else "warm" if "warm" in text else "neither" for text in texts]
    pd.DataFrame({"note": texts, "kind": words}).to_parquet(folder / "own.parquet")
    return make(folder, "--train-file", folder / "own.parquet", "--text", "note", "--label", "kind", "--json")


# ---- run ---------------------------------------------------------------------------------------------------------


def test_run_says_what_it_held_out_and_how_to_see_the_study(own: Made) -> None:
    assert own.result.code == 0
    lines = own.result.err.splitlines()
    assert lines[0] == "no validation file: 6 of 60 rows held out with seed 0"
    assert lines[-2] == f"Stored in {own.study}. See it in the dashboard:"
    assert lines[-1] == f"  SLIMVIZ_STUDIES={own.folder}/studies streamlit run app.py"
    assert not [line for line in lines if "%|" in line]  # no bars: it was to be quiet
    assert [line.split()[0] for line in own.result.out.splitlines()] == [
        "teacher", "one-shot-30", "slim-30", "one-shot-10", "slim-10",
    ]  # fmt: skip
    assert re.search(r"^slim-10 +validation +Accuracy 0\.\d{4}, F1 .*total density \d\.\d%$", own.result.out, re.M)


def test_run_stores_a_whole_study(own: Made) -> None:
    assert verify(own.study) == []
    study = read_study(own.study)
    assert study.task.labels == ("no", "yes")
    assert study.data["provenance"]["command"].startswith("python -m pruning run --train-file ")
    assert study.data["provenance"]["data"]["source"] == "file own.csv"
    assert study.data["provenance"]["data"]["train"]["rows"] == 54
    assert study.data["provenance"]["data"]["validation"]["rows"] == 6
    assert study.data["config"]["ship"] == [0.1]  # the smallest, where none was named
    assert study.weights("slim-10") is not None


def test_run_as_json(similar: Made) -> None:
    assert similar.result.code == 0
    printed = similar.result.json
    assert set(printed) == {"study", "results", "open"}
    assert printed["study"] == str(similar.study)
    assert printed["open"] == f"SLIMVIZ_STUDIES={similar.folder}/studies streamlit run app.py"
    assert [row["variant"] for row in printed["results"]] == ["teacher", "one-shot-30", "slim-30"]
    assert [list(row["metrics"]) for row in printed["results"]] == [["pearson", "spearman"]] * 3
    assert "held out" not in similar.result.err
    assert verify(similar.study) == []


def test_run_with_three_classes(three: Made) -> None:
    study = read_study(three.study)
    assert study.task.labels == ("cold", "neither", "warm")
    assert study.task.metrics == ("accuracy",)
    assert study.shape.labels == 3
    assert verify(three.study) == []


class Asked(Exception):
    """What a study would be run with."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, command: Command) -> Callable[..., tuple[StudyConfig, Any, dict[str, Any]]]:
    """Run a command up to the training: settings, examples and other arguments."""

    def stop(config: StudyConfig, data: Any, runs: Path, **named: Any) -> None:
        raise Asked(config, data, named)

    monkeypatch.setattr(pipeline, "run_study", stop)

    def asked(*arguments: Any) -> tuple[StudyConfig, Any, dict[str, Any]]:
        with pytest.raises(Asked) as found:
            command(*arguments)
        return found.value.args  # type: ignore[return-value]

    return asked


def test_options_become_settings(place: Place, tmp_path: Path, asked: Callable) -> None:
    files = ("--train-file", place.folder / "own.csv", "--validation-file", place.folder / "validation.csv")
    where = ("--output", tmp_path / "studies", "--runs", tmp_path / "runs", "--backbone", place.backbone)
    config, data, named = asked(
        "run", *files, *where, "--preset", "quick", "--seed", 7, "--penalty", "l1", "--criterion", "taylor",
        "--teacher", "full", "--budgets", "0.2,0.3", "--ship", "0.3", "--name", "mine", "--device", "cpu",
        "--set", "recover_epochs=4", "--set", "selection.round_to=8", "--set", "sites=hidden,ffn_hidden",
    )  # fmt: skip
    expected = StudyConfig(
        **{
            **PRESETS["quick"],
            "backbone": str(place.backbone),
            "seed": 7,
            "penalty": "l1",
            "criterion": "taylor",
            "teacher": "full",
            "budgets": (0.3, 0.2),
            "ship": (0.3,),
            "recover_epochs": 4,
            "sites": ("hidden", "ffn_hidden"),
        }
    )
    assert config.selection.round_to == 8
    assert config.to_json() == expected.to_json() | {"selection": config.selection.to_json()}
    assert (data.task.name, len(data.train), len(data.validation["validation"])) == ("mine", 60, 12)
    assert (named["device"], named["quiet"]) == ("cpu", False)


def test_quick_is_small(place: Place, tmp_path: Path, asked: Callable) -> None:
    where = ("--output", tmp_path, "--runs", tmp_path / "runs", "--backbone", place.backbone)
    config, _, _ = asked("run", "--train-file", place.folder / "own.csv", *where, "--preset", "quick")
    assert (config.train_rows, config.budgets, config.ship) == (2000, (0.1,), (0.1,))
    assert config.teacher_epochs + config.slim_epochs + config.recover_epochs <= 5


def test_a_glue_task_from_a_folder(place: Place, tmp_path: Path, asked: Callable) -> None:
    (tmp_path / "glue" / "mnli").mkdir(parents=True)
    frame = pd.DataFrame({"premise": ["a", "b", "c"], "hypothesis": ["d", "e", "f"], "label": [0, 1, 2]})
    for split in ("train", "validation_matched", "validation_mismatched"):
        frame.to_parquet(tmp_path / "glue" / "mnli" / f"{split}.parquet")
    where = ("--output", tmp_path / "s", "--runs", tmp_path / "runs", "--backbone", place.backbone)
    _, data, _ = asked("run", "--task", "mnli", "--data", tmp_path / "glue", *where, "--device", "cpu")
    assert list(data.validation) == ["validation_matched", "validation_mismatched"]
    assert data.source == "folder glue"


def test_threads_are_set(place: Place, tmp_path: Path, asked: Callable) -> None:
    where = ("--output", tmp_path, "--runs", tmp_path / "runs", "--backbone", place.backbone)
    torch.set_num_threads(2)
    asked("run", "--train-file", place.folder / "own.csv", *where, "--threads", 1)
    assert torch.get_num_threads() == 1


# ---- list, verify, measure, predict ------------------------------------------------------------------------------


def test_list(own: Made, command: Command) -> None:
    printed = command("list", "--studies", own.study.parent, "--json")
    assert printed.code == 0
    variants = ["teacher", "one-shot-30", "slim-30", "one-shot-10", "slim-10"]
    assert printed.json == {"studies": [{"task": "own", "path": str(own.study), "variants": variants}]}
    printed = command("list", "--studies", own.study.parent)
    assert str(own.study) in printed.out
    assert "slim-10" in printed.out


def test_list_finds_what_the_variable_names(own: Made, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(own.study.parent))
    assert str(own.study) in [row["path"] for row in command("list", "--json").json["studies"]]


def test_list_names_what_is_broken_beside_what_is_not(own: Made, tmp_path: Path, command: Command) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "study.json").write_text("{")
    printed = command("list", "--studies", tmp_path, "--json")
    assert (printed.code, printed.json) == (0, {"studies": []})
    assert printed.err.startswith(f"broken: {tmp_path / 'broken'}: ")
    assert len(printed.err.splitlines()) == 1


def test_verify(own: Made, similar: Made, tmp_path: Path, command: Command) -> None:
    printed = command("verify", own.study, similar.study, "--json")
    assert printed.code == 0
    assert printed.json == {"studies": [{"path": str(made.study), "problems": []} for made in (own, similar)]}
    printed = command("verify", own.study, tmp_path / "none")
    assert printed.code == 2
    assert printed.out.splitlines()[0] == f"{own.study}: clean"
    assert printed.out.splitlines()[1].startswith(f"{tmp_path / 'none'}: ")
    assert "Traceback" not in printed.err


def test_measure_on_a_file(own: Made, command: Command) -> None:
    """The rows that were learned from: any labelled file will do, and all stored networks are scored."""
    printed = command("measure", own.study, "--validation-file", own.folder / "own.csv", "--device", "cpu", "--json")
    assert printed.code == 0
    assert set(printed.json) == {"study", "results"}
    assert printed.json["study"] == "own"
    assert [row["variant"] for row in printed.json["results"]] == ["teacher", "slim-10"]
    for row in printed.json["results"]:
        assert list(row["metrics"]) == ["accuracy", "f1"]
        assert row["metrics"]["accuracy"] == row["correct"] / row["count"]
        assert (row["count"], row["split"]) == (60, "own.csv")
    (line,) = printed.err.splitlines()
    assert line == "own.csv: 60 examples, file own.csv"


def test_measure_reproduces_what_run_stored(similar: Made, command: Command) -> None:
    columns = ("--text", "a", "--pair", "b", "--label", "score")
    file = similar.folder / "validation.jsonl"
    printed = command("measure", similar.study, "--validation-file", file, *columns, "--device", "cpu", "--json")
    stored = {row["variant"]: row for row in read_study(similar.study).results}
    for row in printed.json["results"]:
        assert row["metrics"] == stored[row["variant"]]["metrics"]
        assert row["correct"] is None
        assert row.get("interval") == stored[row["variant"]].get("interval")


def test_measure_one_variant_as_text(own: Made, command: Command) -> None:
    file = ("--validation-file", own.folder / "own.csv", "--device", "cpu")
    printed = command("measure", own.study, *file, "--variant", "slim-10")
    assert printed.code == 0
    assert re.fullmatch(r"slim-10 +own\.csv +Accuracy 0\.\d{4}, F1 [01]\.\d{4}  \(\d+/60\)\n", printed.out)


def test_predict_a_text(own: Made, command: Command) -> None:
    printed = command("predict", own.study, "the soup is good", "--device", "cpu", "--json")
    assert printed.code == 0
    assert printed.err == ""
    (row,) = printed.json["answers"]
    assert (printed.json["study"], row["text"]) == ("own", "the soup is good")
    assert list(row["variants"]) == ["teacher", "slim-10"]
    for found in row["variants"].values():
        assert found["label"] in ("no", "yes")
        assert found["probability"] == max(found["probabilities"].values())
        assert sum(found["probabilities"].values()) == pytest.approx(1.0)


def test_predict_a_file_as_text(three: Made, command: Command) -> None:
    printed = command(
        "predict", three.study, "--file", three.folder / "own.parquet", "--text", "note", "--device", "cpu"
    )
    lines = printed.out.splitlines()
    assert len(lines) == 3 * 60
    assert lines[0] == made_up(60, 0).texts[0]
    assert re.fullmatch(r"  teacher    (cold|neither|warm) \(\d+\.\d%\)", lines[1])
    assert re.fullmatch(r"  slim-30    (cold|neither|warm) \(\d+\.\d%\)", lines[2])


def test_predict_a_pair(similar: Made, command: Command) -> None:
    typed = ("predict", similar.study, "the soup is good", "the film is good", "--device", "cpu")
    (row,) = command(*typed, "--json").json["answers"]
    assert (row["text"], row["pair"]) == ("the soup is good", "the film is good")
    assert all(set(found) == {"score"} for found in row["variants"].values())
    lines = command(*typed).out.splitlines()
    assert lines[0] == "the soup is good  |  the film is good"
    assert lines[1] == f"  teacher    {row['variants']['teacher']['score']:.2f}"


def test_predict_one_variant(own: Made, command: Command) -> None:
    printed = command("predict", own.study, "good", "--variant", "slim-10", "--device", "cpu", "--json")
    assert list(printed.json["answers"][0]["variants"]) == ["slim-10"]


def test_a_study_by_its_name(own: Made, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(own.study.parent))
    assert command("predict", "own", "good", "--device", "cpu").code == 0


# ---- bad input: one line, exit code 2, nothing lost --------------------------------------------------------------


def content(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is refused before hours of training."""

    def train(*arguments: Any, **named: Any) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(pipeline, "run_stage", train)


FILES = ("--train-file", "{folder}/own.csv", "--validation-file", "{folder}/validation.csv")
BAD_RUNS = {
    "unknown task": (("--task", "sst3"), rf"^task 'sst3': unknown, expected one of {TASKS}$"),
    "no task": ((), r"^run: expected either --task NAME or --train-file FILE$"),
    "two tasks": (("--task", "sst2", *FILES[:2]), r"^run: expected either --task NAME or --train-file FILE$"),
    "a file beside a task": (
        ("--task", "sst2", *FILES[2:]),
        r"--validation-file .* with --train-file, not with --task",
    ),
    "no such data": (("--task", "sst2", "--data", "{folder}/nowhere"), r"nowhere: is not a folder, expected one with"),
    "no such split": (("--task", "sst2", "--data", "{folder}"), r"^sst2: split train is not in .*, expected "),
    "missing file": (("--train-file", "{folder}/none.csv"), r"none.csv: does not exist, expected a file of examples$"),
    "missing validation": (
        (*FILES[:3], "{folder}/none.csv"),
        r"none.csv: does not exist, expected a file of examples$",
    ),
    "wrong column": ((*FILES, "--text", "body"), r"own.csv: no column 'body'; expected one of: 'text', 'label'$"),
    "one column twice": ((*FILES, "--pair", "text"), r"expected a different column for each text and the label$"),
    "one label only": (
        ("--train-file", "{folder}/alike.csv"),
        r"all labels are 'yes', expected at least two different",
    ),
    "empty file": (("--train-file", "{folder}/empty.csv"), r"empty.csv: .*expected .*at least one example$"),
    "header only": (("--train-file", "{folder}/header.csv"), r"header.csv: holds no rows, expected at least one"),
    "scores as classes": (("--train-file", "{folder}/scores.csv"), r"looks like a score, expected label words"),
    "too few rows": (("--train-file", "{folder}/few.csv"), r"expected (enough|at least two different)"),
    "other labels": ((*FILES[:3], "{folder}/other.csv"), r"other.csv.*unknown label 'maybe', expected no, yes"),
    "a GLUE name": ((*FILES, "--name", "sst2"), r"^task 'sst2': is one of GLUE's, expected a name of its own"),
    "a bad name": ((*FILES, "--name", "My Study"), r"'My Study': expected a name of at most 64 lower-case"),
    "budget above 1": (
        (*FILES, "--budgets", "1.5"),
        r"^budget total_density=1.5: expected a ratio above 0 and at most",
    ),
    "budget of nothing": (
        (*FILES, "--budgets", "0"),
        r"^budget total_density=0.0: expected a ratio above 0 and at most",
    ),
    "no budget": (
        (*FILES, "--budgets", ","),
        r"^budgets: none given, expected at least one total density such as 0.1$",
    ),
    "no number": ((*FILES, "--budgets", "ten"), r"^run: argument --budgets: 'ten': expected numbers such as 0.1,0.05$"),
    "out of reach": (
        (*FILES, "--budgets", "0.3,0.01"),
        r"=0.01: below what is reachable here, expected at least 0\.\d+$",
    ),
    "ship what is not cut": (
        (*FILES, "--ship", "0.2"),
        r"^--ship 0.2: is not among the budgets, expected some of 0.3$",
    ),
    "no threads": ((*FILES, "--threads", "-1"), r"^--threads -1: expected 0 or more$"),
    "unknown device": ((*FILES, "--device", "tpu"), r"^--device tpu: no such device, expected one of auto, cpu"),
    "unknown setting": ((*FILES, "--set", "speed=9"), r"^--set speed=9: unknown setting, expected NAME=VALUE"),
    "setting without a value": ((*FILES, "--set", "seed"), r"^--set seed: unknown setting, expected NAME=VALUE"),
    "a word for a number": ((*FILES, "--set", "slim_epochs=two"), r"^--set slim_epochs=two: expected a value like 1$"),
    "words for budgets": ((*FILES, "--set", "budgets=few"), r"^--set budgets=few: expected a value like 0.3$"),
    "a negative rate": ((*FILES, "--set", "slim_rate=-1"), r"^--set slim_rate=-1: expected a number of 0 or more$"),
    "an undefined rate": ((*FILES, "--set", "slim_rate=nan"), r"^--set slim_rate=nan: expected a number of 0 or more$"),
    "unknown site": ((*FILES, "--set", "sites=heads"), r"^(sites: 'heads' is unknown|--set sites=heads: ), ?expected "),
    "unknown cut": ((*FILES, "--set", "selection.sites=heads"), r"^--set selection.sites=heads: expected a value like"),
    "unknown precision": ((*FILES, "--set", "precision=half"), r"^precision 'half': expected one of auto, float32"),
    "negative seed": ((*FILES, "--seed", "-1"), r"^--seed -1: expected 0 to 4294967295$"),
    "large seed": ((*FILES, "--seed", "4294967296"), r"^--seed 4294967296: expected 0 to 4294967295$"),
    "unknown option": ((*FILES, "--speed"), r"unrecognized arguments: --speed$"),
    "unknown preset": ((*FILES, "--preset", "slow"), r"^run: argument --preset: invalid choice: 'slow'"),
    "too long for the backbone": ((*FILES, "--set", "max_length=9999"), r"^max_length 9999: expected 8 to 512 tokens$"),
    "no BERT": ((*FILES, "--backbone", "{folder}/gpt"), r"gpt': of type 'gpt2', expected a BERT encoder"),
    "no backbone": ((*FILES, "--backbone", "{folder}/none"), r"none': no such folder, and the hub did not give it"),
    "empty backbone": ((*FILES, "--backbone", "{folder}/bare"), r"bare': no readable config.json, expected a BERT"),
    "hub offline": (
        (*FILES, "--backbone", "nobody/no-bert"),
        r"^backbone 'nobody/no-bert': no such folder, and the hub",
    ),
    "output below a file": (
        (*FILES, "--output", "{folder}/own.csv/studies"),
        r"own.csv.*expected a folder that can be",
    ),
    "output is a file": ((*FILES, "--output", "{folder}/own.csv"), r"own.csv; expected a folder that can be written$"),
    "runs below a file": ((*FILES, "--runs", "{folder}/own.csv/runs"), r"own.csv.*expected a folder that can be"),
    "transfer from nowhere": ((*FILES, "--transfer", "sst3"), r"^task 'sst3': unknown, expected one of"),
}


@pytest.fixture(scope="module")
def trouble(place: Place) -> Place:
    """Files that no study can be made from."""
    folder = place.folder
    (folder / "alike.csv").write_text("text,label\n" + "good,yes\n" * 20)
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_text("text,label\n")
    (folder / "few.csv").write_text("text,label\ngood,yes\nbad,no\n")
    (folder / "scores.csv").write_text("text,label\n" + "".join(f"good,{n / 7}\n" for n in range(20)))
    (folder / "other.csv").write_text("text,label\ngood,yes\nbad,maybe\n")
    (folder / "gpt").mkdir()
    (folder / "gpt" / "config.json").write_text('{"model_type": "gpt2"}')
    (folder / "bare").mkdir()
    return place


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("name", BAD_RUNS)
def test_a_run_that_cannot_be(trouble: Place, tmp_path: Path, refused: Callable[..., str], name: str) -> None:
    own, message = BAD_RUNS[name]
    given = [part.format(folder=trouble.folder) for part in own]
    settings = [*SETTING_OPTIONS, "--quiet"]
    defaults = {
        "--output": tmp_path / "studies",
        "--runs": tmp_path / "runs",
        "--backbone": trouble.backbone,
        "--budgets": "0.3",
        "--device": "cpu",
    }
    rest = [part for option, value in defaults.items() if option not in given for part in (option, str(value))]
    line = refused("run", *settings, *rest, *given)
    assert re.search(message, line), line
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.usefixtures("untrained")
def test_training_takes_the_first_gpu_that_it_sees(
    place: Place, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("cpu", "cuda:0", "cuda:1")
    monkeypatch.setattr(measure, "devices", lambda: [measure.DeviceInfo(name, name, available=True) for name in names])
    files = [part.format(folder=place.folder) for part in FILES]
    line = refused("run", *files, "--device", "cuda:1", "--output", tmp_path / "studies", "--runs", tmp_path / "runs")
    assert line == "--device cuda:1: training takes the first GPU it sees, expected cuda with CUDA_VISIBLE_DEVICES=1"
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("untrained")
def test_glue_that_cannot_be_reached(place: Place, tmp_path: Path, refused: Callable[..., str]) -> None:
    line = refused("run", "--task", "sst2", "--data", "hub", "--output", tmp_path, "--backbone", place.backbone)
    assert re.match(r"hub nyu-mll/glue/sst2, split train: unreachable \(.*\); expected a network, or a folder", line)


@pytest.mark.usefixtures("untrained")
def test_the_variable_for_glue_is_the_default(
    place: Place, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMVIZ_GLUE", str(tmp_path / "glue"))
    assert refused("run", "--task", "sst2").startswith(f"{tmp_path / 'glue'}: is not a folder")


@pytest.mark.usefixtures("untrained")
def test_another_study_in_the_way(own: Made, refused: Callable[..., str]) -> None:
    before = content(own.study)
    line = refused(*own.typed, "--seed", 1)
    assert re.search(
        r"own: holds another study \(.*seed 0 there, 1 here.*expected a name of its own, such as 'own-2'", line
    )
    line = refused(*own.typed, "--overwrite", "--set", "slim_rate=0.1")
    assert "holds another study (config.slim_rate" in line
    line = refused(*own.typed)
    assert re.search(r"own: this study is stored there already, expected a name of its own, such as 'own-2'", line)
    assert content(own.study) == before


def test_a_full_disk_while_storing(own: Made, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The earlier study of that name is still there, whole, and so is what was trained."""
    before, write = content(own.study), store._write

    def write_some(path: Path, data: bytes) -> dict[str, Any]:
        if path.name == "masks.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(store, "_write", write_some)
    result = command(*own.typed, "--overwrite")
    assert result.code == 2
    last = result.err.splitlines()[-1]
    assert last == f"pruning: {own.study}: the study cannot be stored: No space left on device"
    assert "Traceback" not in result.err
    assert content(own.study) == before
    assert [path.name for path in own.study.parent.iterdir()] == ["own"]


@pytest.mark.parametrize("full_at", ["a weights file", "the optimiser's state", "the answers"])
def test_a_full_disk_while_training(place: Place, own: Made, tmp_path: Path, command: Command, full_at: str) -> None:
    """Limited to files of some size, writers fail as they do on a full disk; with room again the command goes on."""
    trained = next(own.folder.glob("runs/*/teacher/result/model.safetensors")).stat().st_size
    answers = next(own.folder.glob("runs/*/cache/hidden.f16")).stat().st_size
    limit = {"a weights file": 2000, "the optimiser's state": trained + 1000, "the answers": answers - 100}[full_at]
    typed = [
        *("run", "--train-file", own.folder / "own.csv", "--backbone", own.backbone, "--budgets", "0.3"),
        *("--output", tmp_path / "studies", "--runs", tmp_path / "runs", *SETTING_OPTIONS),
        *("--set", "teacher_epochs=1", "--device", "cpu", "--quiet"),
    ]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        result = command(*typed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.code == 2, result
    notice, line = result.err.splitlines()
    assert "held out" in notice
    assert line.startswith("pruning: ")
    assert "expected" in line
    assert not list((tmp_path / "studies").iterdir())
    if full_at == "the optimiser's state":
        assert command(*typed).code == 0
        assert verify(tmp_path / "studies" / "own") == []


BAD_STUDIES = {
    "no study": (("measure", "nothing"), r"^study 'nothing': no such folder and no study of that name, expected"),
    "a folder that is none": (("predict", "{folder}", "good"), r"study.json is missing$"),
    "no text": (("predict", "{study}"), r"^predict: expected either a text or --file FILE$"),
    "text and file": (("predict", "{study}", "good", "--file", "{folder}/own.csv"), r"^predict: expected either a te"),
    "a pair": (("predict", "{study}", "good", "bad"), r"^study own: own reads single texts$"),
    "a file of pairs": (
        ("predict", "{study}", "--file", "{folder}/own.csv", "--pair", "label"), r"^study own: own reads single texts$",
    ),
    "missing file": (("predict", "{study}", "--file", "{folder}/none.csv"), r"none.csv: does not exist, expected a"),
    "wrong column": (
        ("predict", "{study}", "--file", "{folder}/own.csv", "--text", "body"), r"no column 'body'; expected one of",
    ),
    "unknown variant": (
        ("predict", "{study}", "good", "--variant", "slim-30"),
        r"no weights of 'slim-30' are stored, expected one of teacher, slim-10$",
    ),
    "not GLUE": (("measure", "{study}", "--data", "hub"), r"^hub nyu-mll/glue/own: is not a GLUE task, expected one"),
    "no probe set": (("measure", "{study}", "--data", "probe"), r"^own: no probe set in .*, expected one of: cola"),
    "labels of others": (
        ("measure", "{study}", "--validation-file", "{folder}/other.csv"), r"unknown label 'maybe', expected no, yes",
    ),
    "pairs to measure": (
        ("measure", "{study}", "--validation-file", "{folder}/own.csv", "--pair", "label"),
        r"two text columns given, but task own reads text, expected one text column$",
    ),
    "unknown device": (("predict", "{study}", "good", "--device", "tpu"), r"^--device tpu: no such device, expected"),
    "no threads": (("predict", "{study}", "good", "--threads", "-2"), r"^--threads -2: expected 0 or more$"),
    "no command": ((), r"^the following arguments are required: COMMAND$"),
    "unknown command": (("prune",), r"^argument COMMAND: invalid choice: 'prune'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_STUDIES)
def test_a_study_that_cannot_be_used(own: Made, refused: Callable[..., str], name: str) -> None:
    arguments, message = BAD_STUDIES[name]
    (own.folder / "other.csv").write_text("text,label\ngood,yes\nbad,maybe\n")
    line = refused(*(part.format(folder=own.folder, study=own.study) for part in arguments))
    assert re.search(message, line), line


def test_a_teacher_whose_backbone_is_another(own: Made, similar: Made, tmp_path: Path, command: Command) -> None:
    """Moved or changed since: the slim network still answers, the teacher says what is wrong."""
    weights = own.backbone / "model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    try:
        result = command("predict", own.study, "good", "--device", "cpu")
        alone = command("predict", own.study, "good", "--device", "cpu", "--variant", "slim-10")
    finally:
        weights.write_bytes(kept)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"pruning: backbone '.*': sha256 \w{12}, expected \w{12} as in study own\n", result.err)
    assert alone.code == 0


def test_interrupted(own: Made, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any, **named: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(pipeline, "run_study", interrupt)
    result = command(*own.typed, "--overwrite")
    assert result.code == 130
    assert result.err.splitlines()[-1] == "pruning: interrupted; the same command goes on where it was"


def test_a_bar_does_not_stand_in_the_last_lines_way(
    own: Made, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruning.training.trainer import StudyProgress

    def interrupt(*arguments: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StudyProgress, "on_epoch_end", interrupt)
    typed = [part for part in own.typed if part != "--quiet"]
    result = command(*typed, "--runs", tmp_path, "--output", tmp_path / "studies")
    assert result.code == 130
    assert "teacher: " in result.err
    assert result.err.splitlines()[-1] == "pruning: interrupted; the same command goes on where it was"


# ---- help --------------------------------------------------------------------------------------------------------

OPTIONS = {
    "run": (
        "--task --data --train-file --validation-file --text --pair --label --regression --name --backbone --budgets "
        "--ship --preset --seed --penalty --criterion --teacher --transfer --set --output --runs --overwrite --quiet "
        "--device --threads --json"
    ),
    "measure": "study --data --validation-file --text --pair --label --variant --device --threads --json",
    "predict": "study sentence second --file --text --pair --variant --device --threads --json",
    "list": "--studies --json",
    "verify": "STUDY --json",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_help_of_each_command(command: Command, name: str) -> None:
    printed = command(name, "--help")
    assert (printed.code, printed.err) == (0, "")
    said = printed.out.split("\n\n", 1)[1]  # after the usage, each with a few words of its own
    for option in OPTIONS[name].split():
        assert re.search(rf"^  +{re.escape(option)}\b.*\w", said, re.MULTILINE), option
    parsers = command_line.build_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    known = {string for action in parsers[name]._actions for string in action.option_strings if string != "-h"}
    assert known - {"--help"} <= set(OPTIONS[name].split())


def test_help_teaches(command: Command) -> None:
    printed = command("--help")
    assert printed.code == 0
    for name in OPTIONS:
        assert f"python -m pruning {name}" in printed.out
        assert re.search(rf"^    {name} +\w", printed.out, re.MULTILINE)
    assert "Interrupted? Type the same command again" in printed.out


def test_every_example_of_the_help_is_understood() -> None:
    import shlex

    examples = [line.split("  ")[1:] for line in command_line.EPILOG.splitlines() if line.startswith("  python")]
    assert len(examples) >= 7
    for parts in examples:
        words = shlex.split(parts[0])
        assert words[:3] == ["python", "-m", "pruning"]
        command_line.build_parser().parse_args(words[3:])


def test_numbers_that_are_not_finite_are_null_in_json() -> None:
    found = command_line._finite({"a": [float("nan"), 1.5], "b": {"c": float("inf")}, "d": None, "e": "x"})
    assert found == {"a": [None, 1.5], "b": {"c": None}, "d": None, "e": "x"}
