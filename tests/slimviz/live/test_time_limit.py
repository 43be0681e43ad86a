"""What would fit a limit in milliseconds."""

from __future__ import annotations

import pytest

from pruning.errors import SelectionError
from pruning.selection.latency import LatencyTable
from pruning.study import Study
from slimviz import loaders
from slimviz.live.time_limit import LENGTH, measured_here, within
from slimviz.sentences import limit_sentence


@pytest.fixture
def table(studies: dict[str, Study]) -> LatencyTable:
    """2 ms a whole attention sub-layer, 4 a whole FFN, 1 the rest."""
    shape = studies["sst2"].shape
    return LatencyTable((0, shape.heads), (0.0, 2.0), (0, shape.ffn), (0.0, 4.0), 1.0, batch=1, length=LENGTH)


def test_the_most_important_units_that_fit_are_kept(studies: dict[str, Study], table: LatencyTable) -> None:
    study = studies["sst2"]
    factors, record = loaders.factors(study), study.selections["10"]
    dense = study.shape.network()
    whole = table.milliseconds(dense)
    assert whole == 6 * study.shape.layers + 1
    chosen = [within(factors, record, table, limit) for limit in (whole / 2, whole / 4)]
    taken = [table.milliseconds(selection.shape) for selection in chosen]
    assert whole / 2 * 0.97 < taken[0] <= whole / 2
    assert whole / 4 * 0.97 < taken[1] <= whole / 4
    assert (chosen[1].masks.ffn_hidden <= chosen[0].masks.ffn_hidden).all()
    said = limit_sentence(chosen[0], dense, table, whole / 2)
    heads = sum(layer.heads for layer in chosen[0].shape.layers)
    assert (
        f"are 50.0% of that. The {heads} most important of {sum(layer.heads for layer in dense.layers)} heads" in said
    )
    assert said.startswith("1 text of 32 tokens: the teacher takes about 37 ms here, so 18.5 ms")
    with pytest.raises(SelectionError, match=r"^the teacher itself takes 37 ms here, so nothing need be cut for 40 ms"):
        within(factors, record, table, 40.0)
    with pytest.raises(SelectionError, match=r"^the fastest network takes 1 ms here, so none fits 0.5 ms"):
        within(factors, record, table, 0.5)


def test_a_machine_is_measured_with_what_it_did_meanwhile() -> None:
    from tests.factories.synthetic_study import bert_shape, get_task

    measured = measured_here(bert_shape(get_task("sst2"), layers=2, heads=2, head_size=16, ffn=64), 2)
    assert (measured.table.batch, measured.table.length, measured.table.runtime) == (2, LENGTH, "torch")
    assert measured.table.other_ms > 0
    assert measured.conditions["device"] == "cpu"
