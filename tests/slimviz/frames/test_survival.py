from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pruning.bert.counts import FLOP_LENGTH, count_flops, count_parameters
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.errors import SelectionError
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.selection.budget import Budget
from pruning.selection.select import select
from pruning.selection.settings import SelectionSettings
from pruning.study import Study, load_factors, load_masks
from slimviz.frames.survival import (
    _layer_cost,
    layer_frame,
    open_sites,
    site_frame,
    survival_frame,
    survival_table,
    unit_frame,
)

SHAPE = BertShape(2, 2, 4, 8, 16, 50, 32, 2, 8, 2)


def made_up_factors(seed: int = 0) -> ImportanceFactors:
    rng = np.random.default_rng(seed)
    alpha = {site: rng.random(SHAPE.units(site)).astype(np.float32) for site in Site}
    pieces = TablePieces(rng.integers(0, 9, 50), np.arange(50) < 10, np.ones(8, dtype=np.float32))
    return ImportanceFactors(SHAPE, {"alpha": alpha}, pieces, np.ones(8, dtype=np.float32))


def test_survival_counts_units_by_layer_and_site() -> None:
    masks = Masks.full(SHAPE)
    context = masks.attention_context.copy()
    context[1, :6] = False
    frame = survival_frame(masks.with_site(Site.ATTENTION_CONTEXT, context))
    assert len(frame) == 1 + 4 * SHAPE.layers
    row = frame[(frame["site"] == "attention_context") & (frame["layer"] == 2)].iloc[0]
    assert (row["kept"], row["total"], row["share"]) == (2, 8, 0.25)
    assert row["counts"] == "2 of 8"
    assert frame[frame["site"] == "hidden"]["layer"].isna().all()


def test_survival_as_a_table() -> None:
    table = survival_table(survival_frame(Masks.full(SHAPE)))
    assert list(table.columns) == ["all layers", "layer 1", "layer 2"]
    assert table.loc["Residual width", "all layers"] == "8 of 8"
    assert table.loc["FFN hidden", "layer 2"] == "16 of 16"
    assert table.loc["FFN hidden", "all layers"] == ""


def test_open_sites_are_those_named_and_those_cut() -> None:
    masks, only_ffn = Masks.full(SHAPE), SelectionSettings(sites=(Site.FFN_HIDDEN,))
    assert open_sites(masks, only_ffn) == [Site.FFN_HIDDEN]
    cut = masks.with_site(Site.ATTENTION_INPUT, np.zeros(SHAPE.units(Site.ATTENTION_INPUT), dtype=bool))
    assert open_sites(cut, only_ffn) == [Site.ATTENTION_INPUT, Site.FFN_HIDDEN]
    assert open_sites(masks, SelectionSettings(sites=())) == []


def test_layer_costs_add_up_to_the_networks() -> None:
    selection = select(made_up_factors(), Budget("encoder_density", 0.5), SelectionSettings(positions=32))
    dense = SHAPE.network()
    costs = [_layer_cost(selection.shape, layer) for layer in range(SHAPE.layers)]
    assert sum(parameters for parameters, _ in costs) == count_parameters(selection.shape).encoder
    whole = count_flops(selection.shape, FLOP_LENGTH)
    rest = count_flops(replace(selection.shape, layers=()), FLOP_LENGTH)
    assert sum(flops for _, flops in costs) == whole - rest
    survival = survival_frame(selection.masks)
    frame = layer_frame(survival, [Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN], selection, dense)
    assert list(frame["layer"]) == [1, 2]
    assert (frame["total"] == 8 + 16).all()
    assert frame["parameters"].str.contains("of").all()
    assert frame["cutoffs"].str.contains("FFN hidden").all()


def test_sites_over_all_layers_with_their_cutoff() -> None:
    masks = Masks.full(SHAPE).with_site(Site.FFN_HIDDEN, np.eye(2, 16, dtype=bool))
    frame = site_frame(survival_frame(masks), {Site.FFN_HIDDEN: 0.5}).set_index("site")
    assert frame.loc["ffn_hidden", "removed"] == 1 - 2 / 32
    assert frame.loc["ffn_hidden", "cutoff"] == 0.5
    assert frame.loc["hidden", "removed"] == 0
    assert np.isnan(frame.loc["hidden", "cutoff"])


@pytest.mark.parametrize("in_order", [True, False])
def test_units_are_all_there_in_the_asked_order(studies: dict[str, Study], in_order: bool) -> None:
    study = studies["sst2"]
    factors, masks = load_factors(study), load_masks(study, "10")
    units = unit_frame(factors, "alpha", masks, 2, in_order=in_order)
    assert list(dict.fromkeys(units["site"])) == ["attention_input", "attention_context", "ffn_input", "ffn_hidden"]
    for site, group in units.groupby("site"):
        values = np.abs(factors.by_criterion["alpha"][Site(site)][2])
        kept = masks[Site(site)][2]
        places = group["unit"].to_numpy() - 1
        assert sorted(places) == list(range(len(values)))
        np.testing.assert_allclose(group["importance"], values[places])
        np.testing.assert_array_equal(group["kept"], kept[places])
        if in_order:
            assert list(places) == list(range(len(values)))
        else:
            assert (np.diff(group["importance"]) <= 0).all()
    assert (units["shade"] == units["relative"]).all()
    by_rank = unit_frame(factors, "alpha", masks, 2, in_order=in_order, scale="rank")
    assert ((by_rank["shade"] > 0) == (by_rank["relative"] >= 0)).all()
    context = units[units["site"] == "attention_context"]
    assert context.loc[context["unit"] == 33, "head"].item() == 2


def test_a_criterion_of_heads_ranks_no_units(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    assert unit_frame(load_factors(study), "head_gradient", load_masks(study, "10"), 0, in_order=True).empty
    with pytest.raises(SelectionError, match="criterion 'luck': not stored"):
        unit_frame(load_factors(study), "luck", load_masks(study, "10"), 0, in_order=True)
