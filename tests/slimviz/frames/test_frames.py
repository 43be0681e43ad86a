from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pruning.bert.counts import FLOP_LENGTH, count_flops, count_parameters
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.selection.budget import Budget
from pruning.selection.select import select
from pruning.selection.settings import SelectionSettings
from pruning.study import Study, load_factors, load_masks
from slimviz.frames import importance
from slimviz.frames.provenance import command_text, conditions_text, provenance_text, shape_words
from slimviz.frames.results import budgets, default_budget, main_result, main_speed, overview_row, study_title
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


def test_budgets_run_from_large_to_small(studies: dict[str, Study]) -> None:
    assert budgets(studies["sst2"]) == ["50", "25", "10", "5"]
    assert default_budget(["50", "25", "10", "5"]) == "10"
    assert default_budget(["50", "25"]) == "25"


def test_titles_say_more_where_a_study_is_not_named_after_its_task(studies: dict[str, Study]) -> None:
    assert study_title("sst2", studies["sst2"]) == "SST-2"
    assert study_title("mine/sst2", studies["sst2"]) == "SST-2 (mine/sst2)"


def test_overview_has_every_number_of_the_study(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    row = overview_row("sst2", study, "10")
    slim = main_result(study, "slim-10")
    assert slim is not None
    assert row["slim_score"] == slim["metrics"]["accuracy"]
    assert row["slim_correct"] / row["slim_count"] == pytest.approx(row["slim_score"])
    assert row["retention"] == slim["retention"]
    assert row["retention_above_floor"] == slim["retention_above_floor"]
    assert row["floor"] == 0.509
    assert row["total_density"] == slim["total_density"]
    assert row["encoder_density"] == slim["encoder_density"]
    assert row["speedup_32"] > row["speedup_1"] > 1
    assert row["conditions"] == "CPU, 2 threads, 32 tokens"
    assert row["slim_bytes"] < row["teacher_bytes"]
    assert row["ships_weights"]


def test_a_budget_without_weights_has_no_size_and_no_speed(studies: dict[str, Study]) -> None:
    row = overview_row("sst2", studies["sst2"], "25")
    assert not row["ships_weights"]
    assert row["slim_bytes"] is None
    assert row["speedup_32"] is None
    assert row["conditions"] is None
    assert row["slim_score"] is not None


def test_an_unknown_budget_leaves_the_teacher_alone(studies: dict[str, Study]) -> None:
    row = overview_row("sst2", studies["sst2"], "3")
    assert row["slim_score"] is None
    assert row["total_density"] is None
    assert row["teacher_score"] is not None


def test_correlations_are_not_counted_as_correct(studies: dict[str, Study]) -> None:
    row = overview_row("cola", studies["cola"], "10")
    assert row["metric"] == "MCC"
    assert row["slim_correct"] is None
    assert row["slim_count"] == 1043
    assert [other[0] for other in row["others"]] == ["Accuracy"]
    assert row["others"][0][1] == pytest.approx(751 / 1043)


def test_the_main_result_is_of_the_main_split(studies: dict[str, Study]) -> None:
    study = studies["mnli"]
    first = study.result("slim-10")
    assert first is not None
    other = first.replace(split="validation_mismatched", metrics={"accuracy": 0.1})
    both = Study(study.folder, study.document.replace(results=(other, *study.results)))
    assert main_result(both, "slim-10") == main_result(study, "slim-10")
    assert main_result(study, "slim-3") is None


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        ({"device": "cpu", "threads": 1, "length": 32}, "CPU, 1 thread, 32 tokens"),
        ({"device": "cpu", "threads": 4, "length": "real"}, "CPU, 4 threads, the validation texts"),
        ({"device": "cuda:0", "threads": 4, "length": 64}, "CUDA:0, 64 tokens"),
    ],
)
def test_conditions_say_what_a_speed_was_measured_on(speed: dict, words: str) -> None:
    assert conditions_text(speed) == words


def test_speed_is_quoted_at_32_tokens_where_measured(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    found = main_speed(study, "slim-10", 1)
    assert found is not None
    assert found["length"] == 32
    only_real = tuple(row for row in study.document.speed if row.length == "real")
    without = Study(study.folder, study.document.replace(speed=only_real))
    found = main_speed(without, "slim-10", 1)
    assert found is not None
    assert found["length"] == "real"


def test_provenance_copes_with_what_the_schema_allows(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    assert provenance_text(study) == (
        "synthetic-bert · 2025-01-02 · commit 0123456 · seed 0 · 4,000 training and 872 validation examples from "
        "made up · 40 minutes on made-up processor, 2 threads"
    )
    provenance = study.document.provenance.replace(commit=None, date="yesterday", seconds={})
    bare = Study(study.folder, study.document.replace(provenance=provenance))
    assert provenance_text(bare) == (
        "synthetic-bert · yesterday · no commit recorded · seed 0 · 4,000 training and 872 validation examples from "
        "made up · made-up processor, 2 threads"
    )
    assert command_text(bare) == "python -m pruning run --task sst2"


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
    masks = Masks.full(SHAPE)
    assert open_sites(masks, {"sites": ["ffn_hidden"]}) == [Site.FFN_HIDDEN]
    cut = masks.with_site(Site.ATTENTION_INPUT, np.zeros(SHAPE.units(Site.ATTENTION_INPUT), dtype=bool))
    assert open_sites(cut, {"sites": ["ffn_hidden"]}) == [Site.ATTENTION_INPUT, Site.FFN_HIDDEN]
    assert open_sites(masks, {}) == []


def test_layer_costs_add_up_to_the_networks() -> None:
    selection = select(made_up_factors(), Budget("encoder_density", 0.5), SelectionSettings(positions=32))
    dense = SHAPE.network()
    costs = [_layer_cost(selection.shape, layer) for layer in range(SHAPE.layers)]
    assert sum(parameters for parameters, _ in costs) == count_parameters(selection.shape).encoder
    whole = count_flops(selection.shape, FLOP_LENGTH)
    from dataclasses import replace

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


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_as_many_units_are_above_the_cut_off_as_survive(count: int) -> None:
    values = np.array([0.5, 0.001, 2.0, 0.2, 0.0])
    kept = np.zeros(5, dtype=bool)
    kept[np.argsort(-values)[:count]] = True
    relative = importance.relative_importance(values, kept)
    np.testing.assert_array_equal(relative >= 0, kept)
    assert np.isfinite(relative).all()


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_rank_shades_agree_with_fate_and_order(count: int) -> None:
    relative = np.array([0.4, -0.1, -2.0, 0.01, -0.1, 0.2])
    relative = relative - np.sort(relative)[::-1][count - 1] if count else relative - 1
    shade = importance.shade_of(relative, "rank")
    assert ((shade > 0) == (relative >= 0)).all()
    assert (shade != 0).all()
    assert np.abs(shade).max() == 1
    order = np.argsort(-relative, kind="stable")
    assert (np.diff(shade[order]) < 0).all()


def test_all_zero_importance_is_drawn_without_warnings() -> None:
    for kept in (np.zeros(4, dtype=bool), np.ones(4, dtype=bool)):
        assert np.isfinite(importance.relative_importance(np.zeros(4), kept)).all()


def test_shape_in_words() -> None:
    assert shape_words(SHAPE) == "2 layers, 2 heads, 8 wide"
    assert isinstance(survival_frame(Masks.full(SHAPE)), pd.DataFrame)
