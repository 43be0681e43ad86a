"""The task registry."""

import json
import os
from pathlib import Path

import pytest

from pruning.data.tasks import TASKS, Task, custom_task, get_task, official_rows, scored_as
from pruning.errors import ConfigError


def test_nine_glue_tasks() -> None:
    """Metrics, whether it reads pairs, labels."""
    one, two, correlations = ("accuracy",), ("accuracy", "f1"), ("pearson", "spearman")
    assert {name: (task.metrics, task.is_pair, task.num_labels) for name, task in TASKS.items()} == {
        "cola": (("mcc", "accuracy"), False, 2),
        "sst2": (one, False, 2),
        "mrpc": (two, True, 2),
        "stsb": (correlations, True, 1),
        "qqp": (two, True, 2),
        "mnli": (one, True, 3),
        "qnli": (one, True, 2),
        "rte": (one, True, 2),
        "wnli": (one, True, 2),
    }
    assert (TASKS["stsb"].is_regression, TASKS["stsb"].label_range) == (True, (0.0, 5.0))
    assert TASKS["mnli"].validation == ("validation_matched", "validation_mismatched")
    assert TASKS["cola"].main_metric == "mcc"
    assert [TASKS["cola"].metric_title(*name) for name in ((), ("accuracy",))] == ["MCC", "Accuracy"]


@pytest.mark.skipif("SLIMVIZ_GLUE" not in os.environ, reason="SLIMVIZ_GLUE names no folder with GLUE")
@pytest.mark.parametrize("name", list(TASKS))
def test_registry_agrees_with_the_manifest_beside_the_data(name: str) -> None:
    manifest = Path(os.environ["SLIMVIZ_GLUE"]) / "MANIFEST.json"
    if not manifest.is_file():
        pytest.skip("the folder of SLIMVIZ_GLUE has no MANIFEST.json")
    described = json.loads(manifest.read_text(encoding="utf-8"))["tasks"][name]
    task = TASKS[name]
    words = described["label_names"]
    assert task.labels == (None if words is None else tuple(words))
    assert set(task.validation) == set(described["splits"]) - {"train"}
    assert {*task.text, task.label} <= set(described["splits"]["train"]["columns"])


@pytest.mark.parametrize("task", [*TASKS.values(), custom_task("mine", ("text",), ("no", "yes"))], ids=lambda t: t.name)
def test_json_round_trip(task: Task) -> None:
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task


@pytest.mark.parametrize(
    "damage",
    [
        {"name": None},
        {"metrics": []},
        {"metrics": ["bleu"]},
        {"labels": 3},
        {"text": ["a", "b", "c"]},
        {"validation": []},
        {"label_range": [0]},
        *({key: ...} for key in ("name", "title", "text", "labels", "metrics", "validation")),
    ],
    ids=str,
)
def test_damaged_json_is_a_config_error(damage: dict[str, object]) -> None:
    data = {key: value for key, value in {**TASKS["sst2"].to_json(), **damage}.items() if value is not ...}
    with pytest.raises(ConfigError, match="expected"):
        Task.from_json(data)


def test_unknown_task_names_the_nine() -> None:
    with pytest.raises(ConfigError, match=rf"^task 'sst-2': unknown, expected one of {', '.join(TASKS)}$"):
        get_task("sst-2")


def test_every_split_that_is_used_has_an_official_count() -> None:
    """Beside the tasks: what they serialise to is part of stages' identity and of stored documents."""
    for task in TASKS.values():
        assert all((official_rows(task.name, split) or 0) > 0 for split in ("train", *task.validation)), task.name
    assert (official_rows("mnli", "train"), official_rows("mnli", "validation_mismatched")) == (392_702, 9_832)
    assert official_rows("mnli", "validation") is None
    assert official_rows("reviews", "train") is None
    fields = ["name", "title", "description", "text", "label", "labels", "metrics", "validation", "label_range"]
    assert list(TASKS["mnli"].to_json()) == fields


def test_custom_tasks() -> None:
    two = custom_task("reviews", ("text",), ("bad", "good"))
    three = custom_task("tickets", ("title", "body"), ("bill", "crash", "wish"), label="kind")
    score = custom_task("stars", ("text",), None, label_range=(1.0, 5.0))
    assert (two.metrics, two.num_labels) == (("accuracy", "f1"), 2)
    assert (three.metrics, three.num_labels, three.is_pair, three.label) == (("accuracy",), 3, True, "kind")
    assert (score.metrics, score.num_labels, score.label_range) == (("pearson", "spearman"), 1, (1.0, 5.0))


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("sst2", ("text",), ("a", "b")),  # one of GLUE's
        ("../up", ("text",), ("a", "b")),  # would leave its folder
        ("Big", ("text",), ("a", "b")),
        ("", ("text",), ("a", "b")),
        ("mine", (), ("a", "b")),
        ("mine", ("a", "b", "c"), ("a", "b")),
        ("mine", ("label",), ("a", "b")),  # the label is the text
        ("mine", ("text", "text"), ("a", "b")),
        ("mine", ("text",), ("a",)),
        ("mine", ("text",), ("a", "a")),
    ],
)
def test_contradictory_custom_tasks_are_refused(name: str, text: tuple[str, ...], labels: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        custom_task(name, text, labels)


def test_a_task_is_scored_as_its_examples_are_labelled() -> None:
    for name, without, own in (
        ("sst2", "agreement", ("accuracy", "f1")),
        ("stsb", "correlation", ("pearson", "spearman")),
    ):
        task = get_task(name)
        assert scored_as(task, is_labelled=True) is task
        unlabelled = scored_as(task, is_labelled=False)
        assert (unlabelled.metrics, unlabelled.is_labelled) == ((without,), False)
        assert scored_as(unlabelled, is_labelled=False) is unlabelled
        assert scored_as(unlabelled, is_labelled=True).metrics == own
