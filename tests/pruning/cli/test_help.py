"""``--help`` of every command says what there is, and its examples work."""

from __future__ import annotations

import re
import shlex

import pytest

from pruning.cli import main as command_line
from pruning.cli.printing import finite
from pruning.config import StudyConfig
from pruning.selection.budgets import BUDGET_KINDS
from tests.pruning.cli.commands import call

OPTIONS = {
    "run": (
        "--task --data --train-file --validation-file --text --pair --label --regression --name --teacher "
        "--keep-teacher --backbone --budget-kind --budgets --budget-ms --batch --length --runtime --ship --preset "
        "--seed --method --penalty --criterion --tuning "
        "--teacher-from --transfer --set --output --runs --overwrite --quiet --device --threads --json"
    ),
    "sweep": "file --data --output --runs --dry-run --workers --engine --threads --device --json",
    "measure": (
        "study --all --data --validation-file --text --pair --label --variant --teacher --device --threads --json"
    ),
    "ablate": (
        "study --data --train-file --validation-file --text --pair --label --split --rows --gather --precision --store "
        "--device --threads --json"
    ),
    "predict": "study sentence second --file --text --pair --variant --teacher --device --threads --json",
    "export": "study --variant --to --format --json --data --int8",
    "profile": "study --variant --batches --lengths --threads --runtimes --seconds --data --output --teacher --json",
    "advise": "STUDY --ms --batch --length --mb --memory-mb --floor-points --texts --labels --profile --json",
    "list": "--studies --json",
    "verify": "STUDY --json",
    "upgrade": "FOLDER --json",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_help_of_each_command(name: str) -> None:
    printed = call(name, "--help")
    assert (printed.code, printed.err) == (0, "")
    said = printed.out.split("\n\n", 1)[1]  # after the usage, each with a few words of its own
    for option in OPTIONS[name].split():
        assert re.search(rf"^  +{re.escape(option)}\b.*(\n +)?\w", said, re.MULTILINE), option
    assert set(re.findall(r"^  (?:-h, )?(--[a-z0-9-]+)", said, re.MULTILINE)) == {
        "--help", *(option for option in OPTIONS[name].split() if option.startswith("--"))
    }  # fmt: skip
    assert "None" not in said
    assert "[]" not in said


def test_help_of_run_tells_the_defaults_and_kinds_of_budgets() -> None:
    said = " ".join(call("run", "--help").out.split())
    assert ",".join(f"{budget:g}" for budget in StudyConfig().budgets) in said
    assert "{" + ",".join(BUDGET_KINDS) + "}" in said
    for default in ("total_density", "all-MiniLM-L6-v2", "adapter", "studies", "runs", "0"):
        assert f"(default: {default})" in said
    assert f"default: the preset's, else {StudyConfig().criterion}" in said
    assert f"with --preset slimming; default: {StudyConfig().slim.penalty}" in said


def test_help_teaches_by_examples_that_are_understood() -> None:
    assert [command.name for command in command_line.COMMANDS] == list(OPTIONS)
    printed = call("--help")
    assert printed.code == 0
    assert "Interrupted? Type the same command again" in printed.out
    for name in OPTIONS:
        assert re.search(rf"^    {name} +\w", printed.out, re.MULTILINE)
    examples = re.findall(r"^  python -m pruning (.+?)(?:   *.*)?$", printed.out, re.MULTILINE)
    assert len(examples) >= 9
    assert {example.split()[0] for example in examples} == {*OPTIONS}
    for example in examples:
        command_line.build_parser().parse_args(shlex.split(example))


def test_numbers_that_are_not_finite_are_null_in_json() -> None:
    found = finite({"a": [float("nan"), 1.5], "b": {"c": float("inf")}, "d": None, "e": "x"})
    assert found == {"a": [None, 1.5], "b": {"c": None}, "d": None, "e": "x"}
