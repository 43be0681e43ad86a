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
RUNS = [
    # what to learn
    ("--task sst3", rf"^task 'sst3': unknown, expected one of {TASKS}$"),
    ("", r"^run: expected either --task NAME or --train-file FILE$"),
    (f"--task sst2 {TRAIN}", r"^run: expected either --task NAME or --train-file FILE$"),
    ("--task sst2 --validation-file {place}/own.csv", r"--validation-file .* with --train-file, not with --task"),
    ("--task sst2 --data {place}/nowhere", r"nowhere: is not a folder, expected one with"),
    ("--task sst2 --data {place}", r"^sst2: split train is not in .*, expected "),
    ("--train-file {place}/none.csv", r"none.csv: does not exist, expected a file of examples$"),
    (f"{TRAIN} --validation-file {{place}}/none.csv", r"none.csv: does not exist, expected a file of examples$"),
    (f"{FILES} --text body", r"own.csv: no column 'body'; expected one of: 'text', 'label'$"),
    (f"{FILES} --pair text", r"expected a different column for each text and the label$"),
    ("--train-file {place}/alike.csv", r"all labels are 'yes', expected at least two different"),
    ("--train-file {place}/empty.csv", r"empty.csv: .*expected .*at least one example$"),
    ("--train-file {place}/header.csv", r"header.csv: holds no rows, expected at least one"),
    ("--train-file {place}/scores.csv", r"looks like a score, expected label words"),
    ("--train-file {place}/few.csv", r"expected (enough|at least two different)"),
    (f"{TRAIN} --validation-file {{place}}/other.csv", r"other.csv.*unknown label 'maybe', expected no, yes"),
    (f"{FILES} --name sst2", r"^task 'sst2': is one of GLUE's, expected a name of its own"),
    (f"{FILES} --transfer sst3", r"sst3'?: (unknown, )?expected one of"),
    # names and paths
    *((f"{FILES} --name {name}", r"^run: argument --name: .*expected lower-case letters") for name in (
        "'My Study'", "''", "a/b", "..", "../up", "/up", "x" * 101)),
    ("--train-file ''", r"^run: argument --train-file: '': expected a file, a folder or a name$"),
    *((f"{FILES} {option} ''", rf"^run: argument {option}: '': expected a file, a folder or a name$") for option in (
        "--output", "--runs", "--data", "--backbone", "--task")),
    (f"{FILES} --output {{place}}/own.csv/studies", r"own.csv.*expected a folder that can be"),
    (f"{FILES} --output {{place}}/own.csv", r"own.csv; expected a folder that can be written$"),
    (f"{FILES} --runs {{place}}/own.csv/runs", r"own.csv.*expected a folder that can be"),
    # budgets
    (f"{FILES} --budgets 1.5", r"^budgets .*1\.5.*: expected float <= 1.0$"),
    (f"{FILES} --budgets 0", r"^budgets .*: expected "),
    (f"{FILES} --budgets nan", r"^budgets .*: expected "),
    (f"{FILES} --budgets ,", r"^budgets .*: expected "),
    (f"{FILES} --budgets ten", r"^run: argument --budgets: 'ten': expected numbers such as 0.1,0.05$"),
    (f"{FILES} --budgets 0.1,0.10001", r"^budgets: two of them are called '?10.* expected budgets further apart$"),
    (f"{FILES} --budgets 0.3,0.01", r"=0.01: below what is reachable here, expected at least 0\.\d+$"),
    (f"{FILES} --budget-kind bytes", r"^run: argument --budget-kind: invalid choice: 'bytes' \(choose from 'total_de"),
    (f"{FILES} --ship 0.2", r"^ship 0.2: is not among the budgets, expected some of 0.3$"),
    # settings
    (f"{FILES} --set speed=9", r"speed'?: unknown, expected a NAME"),
    (f"{FILES} --set seed", r"^--set '?seed'?: expected NAME=VALUE"),
    (f"{FILES} --set slim_epochs=two", r"^--set slim_epochs='two': expected `?int"),
    (f"{FILES} --set budgets=few", r"^--set budgets='few': expected "),
    (f"{FILES} --set slim_rate=-1", r"^--set slim_rate='-1': expected "),
    (f"{FILES} --set slim_rate=nan", r"slim.?rate.*: expected "),
    (f"{FILES} --set sites=heads", r"^--set sites='heads': expected "),
    (f"{FILES} --set selection.sites=heads", r"^--set selection.sites='heads': expected "),
    (f"{FILES} --set precision=half", r"^--set precision='half': expected one of auto, float32, bfloat16$"),
    (f"{FILES} --set max_length=9999", r"max_length.*9999.*: expected "),
    (f"{FILES} --set criterion=typo", r"^criterion 'typo': expected one of "),
    (f"{FILES} --set sites=", r"sites.*expected "),
    (f"{FILES} --set temperature=0", r"temperature.*expected "),
    (f"{FILES} --set checkpoint_steps=99999999999", r"checkpoint_steps.*expected "),
    (f"{FILES} --set warmup_share=1e300", r"warmup_share.*expected "),
    (f"{FILES} --set backbone=", r"^--set backbone='': expected "),
    (f"{FILES} --set hidden_weight=1e400", r"^--set hidden_weight='1e400': expected a number nearer to 0$"),
    (f"{FILES} --set selection.round_to=99999999", r"round_to.*expected "),
    (f"{FILES} --set selection.positions=64 --set max_length=16", r"^selection.positions 64: expected max_length's 16"),
    (f"{FILES} --seed -1", r"^seed -1: expected "),
    (f"{FILES} --seed 4294967296", r"^seed 4294967296: expected "),
    (f"{FILES} --seed " + "9" * 9000, r"^run: argument --seed: invalid int value: '9+\.\.\.$"),
    (f"{FILES} --speed", r"unrecognized arguments: --speed$"),
    (f"{FILES} --preset slow", r"^run: argument --preset: invalid choice: 'slow'"),
    # the machine
    *((f"{FILES} --threads={count}", r"^run: argument --threads: .*: expected a whole number from 0 to 1024$")
      for count in ("-1", "1025", "1e3", "two", "''", "9" * 9000)),
    (f"{FILES} --device tpu", r"^--device tpu: no such device, expected one of auto, cpu"),
    (f"{FILES} --device ''", r"^--device : no such device, expected one of auto, cpu"),
    (f"{FILES} --device cuda:99", r"^--device cuda:99: .*expected one of auto, cpu"),
    # the backbone
    (f"{FILES} --backbone {{place}}/gpt", r"gpt': of type 'gpt2', expected a BERT encoder"),
    (f"{FILES} --backbone {{place}}/none", r"none': no such folder, and the hub did not give it"),
    (f"{FILES} --backbone {{place}}/bare", r"bare': no readable config.json, expected a BERT"),
    (f"{FILES} --backbone nobody/no-bert", r"^backbone 'nobody/no-bert': no such folder, and the hub"),
    # without a network
    ("--task sst2 --data hub", r"^hub nyu-mll/glue/sst2, split train: unreachable \(.*\); expected a network"),
]  # fmt: skip


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
    ("predict {place} good", r"study.json is missing$"),
    ("predict '' good", r"^predict: argument study: '': expected a file, a folder or a name$"),
    ("predict {study}", r"^predict: expected either a text or --file FILE$"),
    ("predict {study} good --file {place}/own.csv", r"^predict: expected either a text or --file FILE$"),
    ("predict {study} good bad", r"^study own: own reads single texts$"),
    ("predict {study} good bad warm", r"^unrecognized arguments: warm$"),
    ("predict {study} --file {place}/own.csv --pair label", r"^study own: own reads single texts$"),
    ("predict {study} --file ''", r"^predict: argument --file: '': expected a file, a folder or a name$"),
    ("predict {study} --file {place}/none.csv", r"none.csv: does not exist, expected a file of examples$"),
    ("predict {study} --file {place}", r"is a folder, expected a file of examples$"),
    ("predict {study} --file {place}/own.csv --text body", r"no column 'body'; expected one of"),
    ("predict {study} good --variant slim-30", r"no weights of 'slim-30' are stored, expected one of teach"),
    ("predict {study} good --variant ''", r"no weights of '' are stored, expected one of teach"),
    ("predict {study} good --device tpu", r"^--device tpu: no such device, expected"),
    ("predict {study} good --threads=-2", r"^predict: argument --threads: '-2': expected a whole number"),
    ("measure {study} --data hub", r"^hub nyu-mll/glue/own: is not a GLUE task, expected one"),
    ("measure {study} --data probe", r"^own: no probe set in .*, expected one of: cola"),
    ("measure {study} --data ''", r"^measure: argument --data: '': expected a file, a folder or a name$"),
    ("measure {study} --validation-file {place}/other.csv", r"unknown label 'maybe', expected no, yes"),
    ("measure {study} --validation-file ''", r"^measure: argument --validation-file: '': expected a file"),
    ("measure {study} --validation-file {place}/own.csv --pair label", r"expected one text column$"),
    ("list --studies ''", r"^list: argument --studies: '': expected a file, a folder or a name$"),
    ("verify ''", r"^verify: argument STUDY: '': expected a file, a folder or a name$"),
    ("upgrade", r"^upgrade: the following arguments are required: FOLDER$"),
    ("upgrade {place}", r"study.json"),
    ("", r"^the following arguments are required: COMMAND$"),
    ("prune", r"^argument COMMAND: invalid choice: 'prune'"),
    ("prune\x1b[31m" + "x" * 5000, r"^argument COMMAND: invalid choice: 'prune.*\(choose from 'run', "),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "message"), STUDIES, ids=lambda text: text[-50:])
def test_a_study_that_cannot_be_used(own: Made, place: Path, typed: str, message: str) -> None:
    line = refused(*(part.format(place=place, study=own.study) for part in shlex.split(typed)))
    assert re.search(message, line), line


LONG = "x" * 100_000
EVIL = "\x1b]0;title\x07\n" + "y" * 3000


@pytest.mark.parametrize("value", [EVIL, LONG], ids=["control characters", "long"])
@pytest.mark.parametrize(
    "typed",
    [
        ("run", "--task"),
        ("run", "--train-file"),
        ("run", "--name"),
        ("run", *SETTING_OPTIONS, "--train-file", "{place}/own.csv", "--set"),
        ("run", "--train-file", "{place}/own.csv", "--text"),
        ("run", "--train-file", "{place}/own.csv", "--device"),
        ("run", "--train-file", "{place}/own.csv", "--backbone"),
        ("predict", "{study}", "good", "--variant"),
        ("predict", "{study}", "--file"),
        ("predict",),
        ("measure", "{study}", "--data"),
        ("list", "--"),
    ],
    ids=lambda typed: f"{typed[0]} {typed[-1]}",
)
@pytest.mark.usefixtures("untrained")
def test_messages_repeat_neither_control_characters_nor_endless_input(
    own: Made, place: Path, tmp_path: Path, typed: tuple[str, ...], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(*(part.format(place=place, study=own.study) for part in typed), value)


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


@pytest.mark.parametrize(
    ("device", "code", "said"),
    [
        ("/dev/full", 2, "pruning: No space left on device; expected an output and folders that can be written\n"),
        (None, 0, ""),
    ],
    ids=["a full disk", "a reader that left"],
)  # fmt: skip
def test_output_that_nobody_takes(tmp_path: Path, device: str | None, code: int, said: str) -> None:
    if device is not None and not Path(device).exists():
        pytest.skip(f"no {device} here")
    if device is None:
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(device, os.O_WRONLY)
    arguments = [sys.executable, "-m", "pruning", "list", "--json", "--studies", str(tmp_path)]
    root = Path(command_line.__file__).resolve().parents[2]
    done = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=root, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (code, said)
