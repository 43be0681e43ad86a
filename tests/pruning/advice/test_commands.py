"""Commands as they are typed: the parser takes every one of them."""

from __future__ import annotations

import shlex

import pytest

from pruning.advice.commands import export_command, own_command, remake_command, task_command
from pruning.cli.main import build_parser
from pruning.variants import slim


def parsed(command: str):
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "pruning"]
    return build_parser().parse_args(words[3:])


PROGRAM = "python -m pruning"


def test_exports() -> None:
    options = parsed(export_command(PROGRAM, "my studies/reviews", slim("10")))
    assert (options.study, options.variant, options.to) == ("my studies/reviews", "slim-10", "reviews-slim-10")
    assert (options.format, options.int8) == ("transformers", False)
    for runtime, is_int8 in (("onnx", False), ("onnx-int8", True)):
        options = parsed(export_command(PROGRAM, "sst2", slim("10"), runtime))
        assert (options.format, options.int8, options.to) == ("onnx", is_int8, f"sst2-slim-10-{runtime}")
    for runtime in ("torch", "compiled", "bfloat16"):  # which read torch's files
        assert export_command(PROGRAM, "sst2", slim("10"), runtime) == export_command(PROGRAM, "sst2", slim("10"))


@pytest.mark.parametrize("program", ["python -m pruning", "slimviz", "python -m slimviz"])
def test_a_study_is_made_again_with_weights_of_another_size(program: str) -> None:
    typed = "run --task rte --data 'my glue' --teacher-from mnli --ship 0.1,0.05 --output=old --quiet --overwrite"
    command = remake_command(PROGRAM, f"{program} {typed}", 0.25)
    assert command is not None
    options = parsed(command)
    assert (options.task, options.data, options.teacher_from) == ("rte", "my glue", "mnli")
    assert (options.ship, options.output, options.quiet, options.overwrite) == ((0.25,), "my-studies", False, False)
    assert command.count("--output") == command.count("--ship") == 1


@pytest.mark.parametrize("typed", ["", "pruning.prune(...)", "rm -rf x", "python -m pruning run --task 'sst2"])
def test_what_is_no_command_is_not_repeated(typed: str) -> None:
    assert remake_command(PROGRAM, typed, 0.1) is None


def test_nothing_of_a_stored_command_reaches_the_shell_as_more_than_words() -> None:
    command = remake_command(PROGRAM, "python -m pruning run --task sst2; rm -rf ~ $(x) `y` | z", 0.1)
    assert command is not None
    assert shlex.split(command)[4:12] == ["--task", "sst2;", "rm", "-rf", "~", "$(x)", "`y`", "|"]
    for sign in (";", "$(", "`", "|"):
        assert f"'{shlex.split(command)[5]}'" in command
        assert sign not in "".join(command.split("'")[::2])  # all of them between quotes


def test_runs() -> None:
    assert parsed(task_command(PROGRAM, "cola")).task == "cola"
    options = parsed(own_command(PROGRAM, is_labelled=True, preset="one-shot", budget=0.5))
    assert (options.train_file, options.text, options.label, options.teacher) == ("texts.csv", "text", "label", None)
    assert (options.preset, options.budgets, options.ship) == ("one-shot", (0.5,), (0.5,))
    options = parsed(own_command(PROGRAM, is_labelled=False, preset=None, budget=None))
    assert (options.teacher, options.train_file, options.budgets) == ("my-classifier", "texts.csv", None)
