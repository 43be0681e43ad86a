from __future__ import annotations

import pytest

from pruning.bert.counts import Component
from pruning.study import BUNDLED, Study, read_study
from slimviz.frames.anatomy import FLOAT_BYTES, anatomy_frame, anatomy_table, component_costs, time_frame
from slimviz.frames.tidy import only
from slimviz.theme import milliseconds_text


@pytest.mark.parametrize("name", sorted(path.name for path in BUNDLED.iterdir()))
def test_components_add_up_to_what_is_stored(name: str) -> None:
    study = read_study(BUNDLED / name)
    teacher = study.result("teacher")
    assert teacher is not None
    assert study.selections
    for budget, selection in study.selections.items():
        frame = anatomy_frame(study.shape.network(), selection.network, 32, 8)
        parameters, flops = (only(frame, "cost", [cost]) for cost in ("parameters", "flops"))
        result = study.result(study.final(budget))
        assert result is not None
        for network, row in (("slim", result), ("teacher", teacher)):
            assert row.flops is not None
            assert row.flops.length == 32
            assert parameters[network].sum() == row.parameters.total
            assert flops[network].sum() == 8 * row.flops.total


def test_memory_is_that_of_float32_with_the_index_buffers(studies: dict[str, Study]) -> None:
    network = studies["sst2"].selections["10"].network
    costs = component_costs(network, 32, 1)
    read = [layer.attention_reads for layer in network.layers if layer.attention_reads < network.hidden]
    expected = FLOAT_BYTES * costs["parameters"][Component.ATTENTION_LINEAR] + 4 * sum(read)
    assert costs["bytes"][Component.ATTENTION_LINEAR] == expected


def test_a_teacher_alone_has_no_slim_column(studies: dict[str, Study]) -> None:
    frame = anatomy_frame(studies["sst2"].shape.network(), None, 16, 1)
    table = anatomy_table(frame, {"parameters": "Parameters"})
    assert list(table.columns) == ["Component", "Parameters, teacher"]
    assert table.iloc[-1].tolist() == ["All", "22.7 M"]


def test_times_put_slim_beside_teacher() -> None:
    row = {f"{part}_ms": 2.0 for part in Component}
    rows = [row | {"network": "teacher"}, row | {"network": "slim-10", "ffn_ms": 1.0}]
    frame = time_frame(rows, milliseconds_text)
    assert list(frame["title"])[:2] == ["Word table", "Positions, segments"]
    assert frame[frame["title"] == "FFN"][["teacher", "slim", "label"]].iloc[0].tolist() == [
        2.0,
        1.0,
        "1.0 ms of 2.0 ms",
    ]
    alone = time_frame(rows[1:], milliseconds_text)
    assert alone["teacher"].isna().all()
    assert alone["label"].iloc[0] == "2.0 ms"
