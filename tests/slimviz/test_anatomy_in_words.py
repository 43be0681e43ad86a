from __future__ import annotations

from typing import Any

from pruning.study import Study
from slimviz import anatomy_in_words
from slimviz.frames.anatomy import TIMED_TITLES, anatomy_frame, time_frame
from slimviz.frames.tidy import only

PARTS = [part for part in TIMED_TITLES if part != "segments"]


def row(network: str, whole: float, part: float, **values: Any) -> dict[str, Any]:
    measured = {f"{name}_ms": part for name in PARTS}
    where = {"hardware": "made up", "threads": 2, "rounds": 30, "batch": 1, "length": 32, "is_busy": False}
    return {"network": network, "study": "a/sst2", "whole_ms": whole, **measured, **where, **values}


ROWS = [row("teacher", 10.0, 1.0, ffn_ms=3.0), row("slim-10", 2.0, 0.5)]


def test_where_costs_are(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    frame = anatomy_frame(study.shape.network(), study.selections["10"].network, 32, 1)
    said = anatomy_in_words.cost_sentence(only(frame, "cost", ["parameters"]), "parameters")
    assert said.startswith(
        "Of the teacher's parameters, word table 52% and FFN 31%. The slim network keeps 10.0% of all:"
    )
    alone = only(anatomy_frame(study.shape.network(), None, 32, 1), "cost", ["flops"])
    assert anatomy_in_words.cost_sentence(alone, "flops").endswith("FFN 66% and attention matrices 33%.")
    assert anatomy_in_words.totals(frame)["parameters"].startswith("22.7 M → 2.2")


def test_milliseconds_say_where_and_when_and_by_how_much_they_do_not_add_up() -> None:
    said = anatomy_in_words.time_sentence(ROWS)
    assert said.startswith(
        "Here and now (made up, 2 threads, 30 rounds in turns, 1 text of 32 tokens), the teacher takes"
    )
    assert "10.0 ms, most of it FFN (33%)" in said
    assert said.endswith("; 5.0× as fast.")
    said = anatomy_in_words.difference_sentence(ROWS)
    assert "the teacher 9.0 ms, 1.0 ms (10%) less than a whole pass" in said
    assert "the slim network at 10% 3.5 ms, 1.5 ms (75%) more than a whole pass" in said
    assert "busy" not in said
    assert "busy machine" in anatomy_in_words.difference_sentence([ROWS[0] | {"is_busy": True}])
    table = anatomy_in_words.time_table(time_frame(ROWS, anatomy_in_words.short_ms), ROWS)
    assert table.iloc[-1].tolist() == ["Whole pass, no clocks inside", "10.000", "2.000"]
    assert anatomy_in_words.measured_of(ROWS) == "sst2: the teacher and the slim network at 10%, 1 text of 32 tokens"


def test_what_is_stored_stands_beside_only_where_it_is_of_the_same(studies: dict[str, Study]) -> None:
    said = anatomy_in_words.stored_speed(studies["sst2"], "10", 32, 1)
    assert said is not None
    assert said.startswith(
        "Stored with the study, whole passes at batch 1 (made-up processor, CPU, 2 threads, 32 tokens)"
    )
    assert anatomy_in_words.stored_speed(studies["sst2"], "10", 17, 1) is None
