"""What a user can put right: one line that says what, where and what was expected, exit code 2, nothing lost."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pruning.cli import main as command_line
from tests.factories.quick_run import SETTING_OPTIONS
from tests.pruning.cli.commands import Made, call, refused

TASKS = "cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli"
TRAIN = "--train-file {place}/own.csv"
FILES = f"{TRAIN} --validation-file {{place}}/validation.csv"
EMPTY = "'': expected a file, a folder or a name$"
NO_FOLDER = "own.csv.*expected a folder that can be"
# Faults 13 and 17. Each setting's own message is shown where settings are made.
SETTINGS = (
    *("slim_epochs=two", "budgets=few", "slim_rate=-1", "slim_rate=nan", "max_length=9999", "temperature=0", "sites="),
    *("sites=heads", "selection.sites=heads", "precision=half", "backbone=", "warmup_share=1e300"),
    *("checkpoint_steps=99999999999", "hidden_weight=1e400", "selection.round_to=99999999", "seed"),
)
RUNS = [
    # what to learn
    ("--task sst3", rf"^task 'sst3': unknown, expected one of {TASKS}$"),
    *((typed, r"^run: expected either --task NAME or --train-file FILE$") for typed in ("", f"--task sst2 {TRAIN}")),
    ("--task sst2 --validation-file {place}/own.csv", r"--validation-file .* with --train-file, not with --task"),
    ("--task sst2 --data {place}", r"^sst2: split train is not in .*, expected "),
    ("--train-file {place}/none.csv", r"none.csv: does not exist, expected a file of examples$"),
    (f"{FILES} --text body", r"own.csv: no column 'body'; expected one of: 'text', 'label'$"),
    (f"{FILES} --pair text", r"expected a different column for each text and the label$"),
    ("--train-file {place}/few.csv", r"expected (enough|at least two different)"),
    (f"{TRAIN} --validation-file {{place}}/other.csv", r"other.csv.*unknown label 'maybe', expected no, yes"),
    (f"{FILES} --name sst2", r"^task 'sst2': is one of GLUE's, expected a name of its own"),
    (f"{FILES} --transfer sst3", r"sst3'?: (unknown, )?expected one of"),
    # names and paths
    *((f"{FILES} --name {name}", r"^run: argument --name: .*expected lower-case letters") for name in (
        "'My Study'", "''", "a/b", "..", "../up", "/up", "x" * 101)),
    *((f"{FILES} {option} ''", rf"^run: argument {option}: {EMPTY}") for option in (
        "--train-file", "--output", "--runs", "--data", "--backbone", "--task")),
    *((f"{FILES} {where}", NO_FOLDER) for where in (
        "--output {place}/own.csv/studies", "--output {place}/own.csv", "--runs {place}/own.csv/runs")),
    # budgets and settings
    *((f"{FILES} --budgets {given}", r"^budgets .*: expected ") for given in ("1.5", "0", "nan", ",")),
    (f"{FILES} --budgets ten", r"^run: argument --budgets: 'ten': expected numbers such as 0.1,0.05$"),
    (f"{FILES} --budgets 0.1,0.10001", r"^budgets: two of them are called '?10.* expected budgets further apart$"),
    (f"{FILES} --budgets 0.3,0.01", r"=0.01: below what is reachable here, expected at least 0\.\d+$"),
    (f"{FILES} --budget-kind bytes", r"^run: argument --budget-kind: invalid choice: 'bytes' \(choose from 'total_de"),
    (f"{FILES} --budget-ms two", r"^run: argument --budget-ms: 'two': expected numbers such as"),
    (f"{FILES} --budget-ms 2", r"^run: --budget-ms takes the place of --budgets and --ship, expected one"),
    (f"{FILES} --batch 8", r"^run: --batch goes with --budget-ms$"),
    (f"{FILES} --runtime fast", r"^run: argument --runtime: invalid choice: 'fast' \(choose from 'torch', 'onnx'"),
    (f"{FILES} --ship 0.2", r"^ship 0.2: is not among the budgets, expected some of 0.3$"),
    *((f"{FILES} --set {setting}", rf"{setting.partition('=')[0]}'?.*: expected ") for setting in SETTINGS),
    (f"{FILES} --criterion typo", r"^run: argument --criterion: invalid choice: 'typo' \(choose from 'alpha', "),
    (f"{FILES} --set speed=9", r"speed'?: unknown, expected a NAME"),
    (f"{FILES} --set selection.positions=64 --set max_length=16", r"^selection.positions 64: expected max_length's 16"),
    *((f"{FILES} --seed {seed}", rf"^seed {seed}: expected ") for seed in (-1, 4294967296)),
    (f"{FILES} --seed " + "9" * 9000, r"^run: argument --seed: invalid int value: '9+\.\.\.$"),
    (f"{FILES} --speed", r"unrecognized arguments: --speed$"),
    (f"{FILES} --preset slow", r"^run: argument --preset: invalid choice: 'slow'"),
    # the machine and the backbone
    *((f"{FILES} --threads={count}", r"^run: argument --threads: .*: expected a whole number from 0 to 1024$")
      for count in ("-1", "1025", "1e3", "two", "''", "9" * 9000)),
    *((f"{FILES} --device {name}", r"^--device .*expected one of auto, cpu") for name in ("tpu", "''", "cuda:99")),
    (f"{FILES} --backbone {{place}}/gpt", r"gpt': of type 'gpt2', expected a BERT encoder"),
    (f"{FILES} --backbone {{place}}/bare", r"bare': no readable config.json, expected a BERT"),
    (f"{FILES} --backbone nobody/no-bert", r"^backbone 'nobody/no-bert': no such folder, and the hub"),
]  # fmt: skip


GIVEN = [
    ("--teacher {place}/nowhere", r"nowhere': no such folder, and the hub did not give it"),
    ("--teacher nobody/none-such", r"^backbone 'nobody/none-such': no such folder, and the hub did not give it"),
    ("--teacher ''", rf"^run: argument --teacher: {EMPTY}"),
    ("--teacher {place}/gpt", r"gpt': of type 'gpt2', expected a BERT encoder"),
    ("--teacher {place}/backbone", r"backbone': an encoder without a classifier \('BertModel'\), expected a classi"),
    *((f"{option} --train-file {{place}}/many.csv", rf"^run: {option.split()[0]} and --teacher exclude each other") for
      option in ("--backbone {place}/backbone", "--tuning full", "--teacher-from mnli", "--regression")),
    *((typed, r"^run: expected either --task NAME or --train-file FILE$") for typed in (
        "--train-file {place}/many.csv --task sst2", "--name mine")),
    ("--train-file {place}/own.csv", r"own.csv: 60 rows, expected at least 100 texts to learn from$"),
    ("--train-file {place}/one.csv", r"one.csv: 1 rows, expected at least 100 texts to learn from$"),
    ("--train-file {place}/none.jsonl", r"none.jsonl: .*expected at least one example$"),
    ("--train-file {place}/many.csv --text body", r"many.csv: no column 'body'; expected one of: 'text', 'label'$"),
    ("--train-file {place}/many.csv --label stars", r"many.csv: no column 'stars'; expected one of: 'text', 'label'$"),
    ("--train-file {place}/hole.csv", r"hole.csv: row 51, column 'text' is empty, expected a text$"),
    ("--train-file {place}/digits.csv", r"digits.csv: column 'text' holds numbers alone, expected texts$"),
    ("--train-file {place}/numbered.csv --label label", r"row 1 has the unknown label '0', expected no, yes; .* 0, 1$"),
    ("--train-file {place}/half.csv --label label", r"row 2 has the unknown label 'maybe', expected no, yes; the co"),
    ("--task stsb --data {place}", r"^teacher 'classifier': answers no, yes, but stsb has a score$"),
    ("--task mnli --data {place}", r"^teacher 'classifier': answers no, yes, but mnli has entailment, neutral, co"),
]  # fmt: skip


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(("typed", "message"), GIVEN, ids=lambda text: text[-50:])
def test_a_given_teacher_that_cannot_be(place: Path, tmp_path: Path, typed: str, message: str) -> None:
    given = [part.format(place=place) for part in shlex.split(typed)]
    defaults = {"--teacher": place / "classifier", "--output": tmp_path / "studies", "--runs": tmp_path / "runs"}
    if "--task" not in given and "--train-file" not in given and "--name" not in given:
        defaults["--train-file"] = place / "many.csv"
    rest = [part for option, value in defaults.items() if option not in given for part in (option, str(value))]
    line = refused("run", "--quiet", *rest, *given)
    assert re.search(message, line), line
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_teacher_that_is_trained_is_stored_anyway(place: Path) -> None:
    line = refused("run", "--keep-teacher", "--train-file", place / "own.csv")
    assert line == "run: --keep-teacher goes with --teacher, for a teacher that is trained is stored anyway"


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(("typed", "message"), RUNS, ids=lambda text: text[-50:])
def test_a_run_that_cannot_be(place: Path, tmp_path: Path, typed: str, message: str) -> None:
    given = [part.format(place=place) for part in shlex.split(typed)]
    defaults = {
        "--output": tmp_path / "studies",
        "--runs": tmp_path / "runs",
        "--backbone": place / "backbone",
        "--budgets": "0.3",
        "--device": "cpu",
    }
    rest = [part for option, value in defaults.items() if option not in given for part in (option, str(value))]
    line = refused("run", *SETTING_OPTIONS, "--quiet", *rest, *given)
    assert re.search(message, line), line
    assert not list(tmp_path.rglob("*.safetensors"))


STUDIES = [
    ("measure nothing", r"^study 'nothing': no such folder and no study of that name, expected one of"),
    ("upgrade " + "x" * 5000, r"too long"),
    ("predict " + "x" * 5000 + " good", r"no such folder and no study of that name, expected one of `list`$"),
    *((typed, r"study.json is missing$") for typed in ("predict {place} good", "upgrade {place}")),
    *((typed, r"^predict: expected either a text or --file FILE$") for typed in (
        "predict {study}", "predict {study} good --file {place}/own.csv")),
    *((typed, r"^study own: own reads single texts$") for typed in (
        "predict {study} good bad", "predict {study} --file {place}/own.csv --pair label")),
    ("predict {study} good bad warm", r"^unrecognized arguments: warm$"),
    ("predict {study} --file {place}/none.csv", r"none.csv: does not exist, expected a file of examples$"),
    ("predict {study} good --variant slim-30", r"no weights of 'slim-30' are stored, expected one of teach"),
    ("predict {study} good --device tpu", r"^--device tpu: no such device, expected"),
    ("predict {study} good --threads=-2", r"^predict: argument --threads: '-2': expected a whole number"),
    ("measure {study} --data hub", r"^hub nyu-mll/glue/own: is not a GLUE task, expected one"),
    ("measure {study} --data probe", r"^own: no probe set in .*, expected one of: cola"),
    ("measure", r"expected a study, or --all$"),
    ("measure {study} --all", r"--all and a study exclude each other, expected one of them$"),
    ("measure --all --validation-file {place}/own.csv", r"--all and --validation-file exclude each other"),
    ("measure --all --data probe", r"studies store no scores on it, expected GLUE's own splits$"),
    ("measure {study} --validation-file {place}/other.csv", r"unknown label 'maybe', expected no, yes"),
    ("measure {study} --validation-file {place}/own.csv --pair label", r"expected one text column$"),
    *((typed, rf"^{typed.split()[0]}: argument .*: {EMPTY}") for typed in (
        "predict '' good", "predict {study} --file ''", "measure {study} --data ''", "list --studies ''", "verify ''",
        "measure {study} --validation-file ''")),
    ("upgrade", r"^upgrade: the following arguments are required: FOLDER$"),
    ("", r"^the following arguments are required: COMMAND$"),
    ("prune\x1b[31m" + "x" * 5000, r"^argument COMMAND: invalid choice: 'prune.*\(choose from 'run', "),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "message"), STUDIES, ids=lambda text: text[-50:])
def test_a_study_that_cannot_be_used(own: Made, place: Path, typed: str, message: str) -> None:
    line = refused(*(part.format(place=place, study=own.study) for part in shlex.split(typed)))
    assert re.search(message, line), line


LAST_WORDS = (
    *("run --task", "run --train-file", "run --name", f"run {shlex.join(SETTING_OPTIONS)} {TRAIN} --set"),
    *(f"run {TRAIN} {option}" for option in ("--text", "--device", "--backbone")),
    *("predict {study} good --variant", "predict {study} --file", "predict", "measure {study} --data", "list --"),
)


@pytest.mark.parametrize(
    "value", ["\x1b]0;title\x07\n" + "y" * 3000, "x" * 100_000], ids=["control characters", "long"]
)
@pytest.mark.parametrize("typed", LAST_WORDS)
@pytest.mark.usefixtures("untrained")
def test_messages_repeat_neither_control_characters_nor_endless_input(
    own: Made, place: Path, tmp_path: Path, typed: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 17."""
    monkeypatch.chdir(tmp_path)
    refused(*typed.format(place=place, study=own.study).split(), value)


@pytest.mark.parametrize("argument", ["a\0b", "a\udcffb"], ids=["a zero byte", "no UTF-8"])
def test_arguments_that_are_no_text(argument: str) -> None:
    assert refused("predict", "sst2", argument).startswith("argument 3, ")


def test_training_takes_the_first_gpu_that_it_sees(
    place: Path, tmp_path: Path, untrained: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruning.measure import devices as measure

    names = ("cpu", "cuda:0", "cuda:1")
    found = [measure.DeviceInfo(name, name, available=True) for name in names]
    monkeypatch.setattr(measure, "devices", lambda: found)
    files = ("--train-file", place / "own.csv", "--output", tmp_path / "studies", "--runs", tmp_path / "runs")
    line = refused("run", *files, "--device", "cuda:1")
    assert line == "--device cuda:1: training takes the first GPU it sees, expected cuda with CUDA_VISIBLE_DEVICES=1"
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("untrained")
def test_the_variable_for_glue_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMVIZ_GLUE", str(tmp_path / "glue"))
    assert refused("run", "--task", "sst2").startswith(f"{tmp_path / 'glue'}: is not a folder")


def test_an_error_of_our_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*given: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pruning.study.read.list_studies", fault)
    with pytest.raises(ZeroDivisionError):
        call("list")


def in_a_process(*arguments: str, **named: Any) -> subprocess.CompletedProcess[Any]:
    """A command in a process of its own, for what depends on how that was started."""
    root = Path(command_line.__file__).resolve().parents[2]
    return subprocess.run([sys.executable, "-m", "pruning", *arguments], cwd=root, check=False, **named)


def test_an_output_that_is_closed_is_no_fault(tmp_path: Path) -> None:
    """As `python -m pruning list >&-` starts it."""
    done = in_a_process(
        "list", "--studies", str(tmp_path), stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1), close_fds=False
    )
    assert (done.returncode, done.stderr.count(b"\n"), done.stderr[:18]) == (0, 1, b"no studies found; ")


def test_an_output_whose_encoding_lacks_a_letter_is_no_fault(own: Made) -> None:
    typed = ("predict", str(own.study), "good été 😀", "--variant", "slim-10")
    done = in_a_process(*typed, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"good \xe9t\xe9 \\U0001f600\n  slim-10")


def listed_into(writer: int, folder: Path) -> tuple[int, str]:
    """Exit code and complaint of a ``list`` whose output goes to a file descriptor, which is closed."""
    typed = ("list", "--json", "--studies", str(folder))
    done = in_a_process(*typed, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_is_full_is_one_line(tmp_path: Path) -> None:
    said = "pruning: No space left on device; expected an output and folders that can be written\n"
    assert listed_into(os.open("/dev/full", os.O_WRONLY), tmp_path) == (2, said)


def test_a_reader_that_left_is_no_fault(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert listed_into(writer, tmp_path) == (0, "")
