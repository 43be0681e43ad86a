"""The task registry."""

import json
import os
from pathlib import Path

import pytest

from pruning.data.tasks import TASKS, Task, custom_task, get_task
from pruning.errors import ConfigError


def test_nine_glue_tasks_with_glue_metrics() -> None:
    main = {name: task.metrics for name, task in TASKS.items()}
    assert main == {
        "cola": ("mcc", "accuracy"),
        "sst2": ("accuracy",),
        "mrpc": ("accuracy", "f1"),
        "stsb": ("pearson", "spearman"),
        "qqp": ("accuracy", "f1"),
        "mnli": ("accuracy",),
        "qnli": ("accuracy",),
        "rte": ("accuracy",),
        "wnli": ("accuracy",),
    }


def test_shapes_of_tasks() -> None:
    assert {name for name, task in TASKS.items() if not task.is_pair} == {"cola", "sst2"}
    assert {name: task.num_labels for name, task in TASKS.items() if task.num_labels != 2} == {"stsb": 1, "mnli": 3}
    assert TASKS["stsb"].is_regression
    assert TASKS["stsb"].label_range == (0.0, 5.0)
    assert TASKS["mnli"].validation == ("validation_matched", "validation_mismatched")
    assert TASKS["cola"].main_metric == "mcc"
    assert TASKS["cola"].metric_title() == "MCC"
    assert TASKS["cola"].metric_title("accuracy") == "Accuracy"


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
    with pytest.raises(ConfigError) as caught:
        get_task("sst-2")
    message = str(caught.value)
    assert "'sst-2'" in message
    assert all(name in message for name in TASKS)
    assert "\n" not in message


def test_custom_tasks() -> None:
    two = custom_task("reviews", ("text",), ("bad", "good"))
    three = custom_task("tickets", ("title", "body"), ("bill", "crash", "wish"), label="kind")
    score = custom_task("stars", ("text",), None, label_range=(1.0, 5.0))
    assert (two.metrics, three.metrics, score.metrics) == (
        ("accuracy", "f1"),
        ("accuracy",),
        ("pearson", "spearman"),
    )
    assert (two.num_labels, three.num_labels, score.num_labels) == (2, 3, 1)
    assert three.is_pair
    assert three.label == "kind"
    assert score.label_range == (1.0, 5.0)


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
