"""What a live run found, in words and as a table."""

from __future__ import annotations

from typing import Any

from pruning.study import Study
from slimviz.widgets import run_result

ROW = {
    "study": "sst2",
    "network": "teacher",
    "status": "complete",
    "device": "cuda:0",
    "runtime": "torch",
    "threads": 1,
    "data": "the probe set (written for this project)",
    "examples": 128,
    "examples_available": 128,
    "metric": "accuracy",
    "accuracy": 121 / 128,
    "correct": 121,
    "floor": 0.5,
    "batch": 32,
    "length": 64,
    "timed_batches": 30,
    "median_ms": 10.0,
    "p95_ms": 12.0,
    "texts_per_second": 3200.0,
    "speedup": 1.0,
}
SLIM_ROW = ROW | {
    "network": "slim-10",
    "accuracy": 118 / 128,
    "correct": 118,
    "difference": -3 / 128,
    "low": -0.0625,
    "high": 0.0156,
    "median_ms": 2.5,
    "speedup": 4.0,
}


def test_sentences() -> None:
    assert run_result.score_sentence([ROW, SLIM_ROW]).replace("\\", "") == (  # type: ignore[union-attr]
        "On 128 examples of the probe set (written for this project): the teacher reaches "
        "**0.945 accuracy (121/128 right)** and the slim network (10%) reaches **0.922 accuracy (118/128 right)** "
        "(−2.3 points, 95% interval −6.2 to +1.6). Always the most frequent answer would score 0.500."
    )
    assert run_result.speed_sentence([ROW, SLIM_ROW]) == (
        "A batch (CUDA 0, torch, batch 32, texts of 64 tokens, 30 batches timed): the teacher takes 10.0 ms and the "
        "slim network (10%) takes 2.5 ms in the median, so slim is **4.0×** as fast."
    )
    assert run_result.rate_text(3.14159) == "3.1"
    assert run_result.rate_text(3200.4) == "3,200"
    assert run_result.rate_text(None) == "–"


def test_another_runtime_is_named_beside_scores_and_speed() -> None:
    here = {"device": "cpu", "threads": 2, "runtime": "onnx-int8"}
    rows = [ROW | here, SLIM_ROW | here]
    assert (
        str(run_result.score_sentence(rows))
        .replace("\\", "")
        .startswith(
            "On 128 examples of the probe set (written for this project), in ONNX Runtime int8: the teacher reaches "
        )
    )
    assert str(run_result.speed_sentence(rows)).startswith(
        "A batch (CPU, ONNX Runtime int8, 2 threads, batch 32, texts of 64 tokens, 30 batches timed): "
    )
    agreed = run_result.score_sentence([WITHOUT_LABELS | here, AGREED | here])
    assert "project), in ONNX Runtime int8, without labels: " in str(agreed).replace("\\", "")


def test_few_examples_and_few_batches_are_counts_alone() -> None:
    few = {"examples": 1, "examples_available": 240, "correct": 1, "accuracy": 1.0, "timed_batches": 1, "speedup": 10.4}
    rows = [ROW | few, SLIM_ROW | few | {"low": 0.0, "high": 0.0, "difference": 0.0}]
    assert str(run_result.score_sentence(rows)).replace("\\", "") == (
        "On 1 of 240 examples of the probe set (written for this project): the teacher gets **1** right and the slim "
        "network (10%) gets **1** right; too few for a share, which is given from 30 examples on."
    )
    assert run_result.speed_sentence(rows) == (
        "Too few batches for milliseconds (CUDA 0, torch, batch 32, texts of 64 tokens, 1 batch timed): there are "
        "some from 5 on."
    )
    assert list(run_result.result_table(rows).columns) == ["Network", "Right"]
    scores = [row | {"metric": "pearson", "pearson": 1.0, "correct": None} for row in rows]
    assert "too few for a figure" in str(run_result.score_sentence(scores))
    agreed = AGREED | few
    assert str(run_result.score_sentence([WITHOUT_LABELS | few, agreed])).endswith(
        "the slim network (10%) gives the teacher's answer to **1 of 1**; too few for a share."
    )


def test_a_speed_up_has_an_interval_and_what_is_stored_beside_it(studies: dict[str, Study]) -> None:
    here = {"device": "cpu", "hardware": "this machine", "is_busy": False, "others_cores": 0.0, "length": 32}
    row = SLIM_ROW | here | {"speedup": 1.8, "speedup_low": 1.6, "speedup_high": 2.04}
    assert "so slim is **1.8×** as fast, 95% interval 1.6× to 2.0×." in str(
        run_result.speed_sentence([ROW | here, row])
    )
    (line,) = run_result.stored_against_here(studies["sst2"], [ROW | here, row])
    assert line == {
        "Speed-up": "batch 32, 32 tokens",
        "Stored": "7.0× (made\\-up processor, 2 threads)",
        "Here": "1.8×, 95% interval 1.6× to 2.0× (this machine, 1 thread instead of 2)",
    }

    def said_here(**changed: Any) -> str:
        (line,) = run_result.stored_against_here(studies["sst2"], [ROW | here, row | changed])
        return line["Here"].partition(" (")[2]

    assert said_here(threads=2) == "this machine, 2 threads)"
    assert said_here(threads=4, is_busy=True) == "this machine, 4 threads instead of 2, busy)"
    assert said_here(device="cuda:0") == "this machine, CUDA 0)"
    for other in ({"batch": 8}, {"timed_batches": 4}, {"speedup": None}):
        assert run_result.stored_against_here(studies["sst2"], [ROW | here, row | other]) == []
    onnx = {"runtime": "onnx"}  # what is stored was timed in torch
    assert run_result.stored_against_here(studies["sst2"], [ROW | here | onnx, row | onnx]) == []
    assert run_result.busy_sentence([ROW | here, row]) is None
    busy = row | {"is_busy": True, "others_cores": 1.5}
    assert "other programs kept 1.5 of its cores" in str(run_result.busy_sentence([ROW | here, busy]))


def test_only_shares_have_a_most_frequent_answer() -> None:
    rows = [row | {"metric": "pearson", "pearson": 0.9, "correct": None, "floor": 0.0} for row in (ROW, SLIM_ROW)]
    assert str(run_result.score_sentence(rows)).endswith("Knowing nothing would score 0.000.")


def test_the_table_has_a_line_a_network() -> None:
    table = run_result.result_table([ROW, SLIM_ROW | {"agreement": 0.9375}])
    assert list(table["Accuracy"]) == ["0.945", "0.922"]
    assert list(table["Right"]) == ["121/128", "118/128"]
    assert list(table["Agreement with the teacher"]) == ["–", "93.8%"]


WITHOUT_LABELS = {name: value for name, value in ROW.items() if name not in ("metric", "accuracy", "correct", "floor")}
AGREED = WITHOUT_LABELS | {
    "network": "slim-10",
    "metric": "agreement",
    "agreement": 0.9375,
    "correct": 120,
    "floor": 0.625,
    "difference": -0.0625,
    "low": -0.109,
    "high": -0.0234,
    "retention": 0.9375,
    "retention_above_floor": 0.8,
}


def test_without_labels_the_teacher_has_no_score_and_agreement_is_a_share() -> None:
    rows = [WITHOUT_LABELS | {"data": "your file <b>"}, AGREED | {"data": "your file <b>"}]
    assert run_result.score_sentence(rows) == (
        "On 128 examples of your file \\<b\\>, without labels: the slim network (10%) gives the teacher's answer to "
        "**93.8% (120/128)**, 95% interval 89.1% to 97.7%. One same answer to all would agree in 62.5%."
    )
    table = run_result.result_table(rows)
    assert list(table["Same answers"]) == ["–", "120/128"]
    assert list(table["Agreement with the teacher"]) == ["–", "93.8%"]
    assert not {"Right", "Kept", "Against the teacher"} & set(table.columns)


def test_without_labels_scores_correlate() -> None:
    row = AGREED | {"metric": "correlation", "correlation": 0.93, "correct": None, "floor": 0.0}
    assert str(run_result.score_sentence([WITHOUT_LABELS, row])).endswith(
        ", without labels: the scores of the slim network (10%) correlate with the teacher's at **0.930**, 95% "
        "interval 0.891 to 0.977."
    )


def test_the_table_counts_no_scores_as_the_same() -> None:
    row = AGREED | {"metric": "correlation", "correlation": 0.93, "correct": None, "floor": 0.0}
    row.pop("agreement")
    table = run_result.result_table([WITHOUT_LABELS, row])
    assert list(table["Correlation with the teacher"]) == ["–", "0.930"]
    assert not {"Same answers", "Right"} & set(table.columns)


def test_with_neither_labels_nor_teacher_there_is_nothing_to_say_but_that() -> None:
    text = run_result.score_sentence([WITHOUT_LABELS | {"network": "slim-10"}])
    assert text is not None
    assert text.endswith("without labels or another network there is nothing to hold its answers against.")
    assert "Right" not in run_result.result_table([WITHOUT_LABELS]).columns
    assert run_result.score_sentence([WITHOUT_LABELS | {"data": None}]) is None
