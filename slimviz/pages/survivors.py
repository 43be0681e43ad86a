"""Survivors: where did neurons survive? The density slider re-runs the very selection that made the shipped masks."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from pruning.bert.shapes import NetworkShape
from pruning.errors import SlimVizError
from pruning.importance.factors import ImportanceFactors
from pruning.selection.select import FLOP_LENGTH, Selection
from pruning.selection.settings import SelectionSettings
from pruning.study import Study
from slimviz import loaders, sentences, theme
from slimviz.charts import layer_bars as bars
from slimviz.charts.scales import RANK_BOUNDS, RANK_TICKS, importance_bounds, importance_legend
from slimviz.charts.site_bars import site_bars
from slimviz.charts.unit_strip import unit_strip
from slimviz.frames.budgets import budgets, default_budget
from slimviz.frames.survival import layer_frame, open_sites, site_frame, survival_frame, survival_table, unit_frame
from slimviz.state import parse_choice, parse_density
from slimviz.widgets import parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.choices import choose_scale, choose_study
from slimviz.widgets.frame import begin, figure
from slimviz.widgets.guard import guard

BARS = "layer-bars"
ORDERS = {"sorted": "most important first", "place": "as in the matrices"}
# Only the download: zooming one strip would leave the others behind.
TOOLBAR = {"displaylogo": False, "modeBarButtons": [["toImage"]]}
SMALLEST_DENSITY = 1e-6  # no budget is smaller
MOST_BUTTONS = 12  # with more layers than this, a list instead of a row of buttons


def render() -> None:
    """Draw the page."""
    library = begin("survivors")
    key = choose_study(library)
    study = library.studies[key]
    if not study.selections:
        st.info("This study has no stored budget yet, so there is nothing to start the selection from.")
        return
    _explore(study)


@st.fragment
def _explore(study: Study) -> None:
    """Everything that follows the slider; only this part runs again when it moves."""
    density = _choose_density(study)
    with guard("This selection"):
        selection, factors = loaders.selection(study, density), loaders.factors(study)
        record = loaders.selection_record(study, density)
        with guard("What is left"):
            _totals(study, density, selection)
        survival = survival_frame(selection.masks)
        layer = _choose_layer(study)
        with guard("What is left by layer"):
            _bars(study, selection, survival, record.settings, layer)
        with guard("The units of this layer"):
            _strips(study, factors, record.criterion, selection, layer)
        with st.expander("Units kept as a table"), guard("The table"):
            st.dataframe(survival_table(survival), alt="Units kept by site and layer")


def _choose_density(study: Study) -> str:
    """The slider, and buttons for the stored budgets; the URL has it as `density`: a budget's name, or percent."""
    stored = budgets(study)
    lowest = _round_up(100 * max(study.document.smallest_total_density, SMALLEST_DENSITY))
    start = parameters.read("budget")
    start = start if start in stored else default_budget(stored)
    chosen = parameters.resolve("density", lambda raw: parse_density(raw, lowest, stored, start))
    places = {budget: 100 * study.selections[budget].total_density for budget in stored}
    options = density_options(lowest, places if chosen in places else places | {chosen: float(chosen)})
    left, right = st.columns([3, 1.3], vertical_alignment="bottom")
    with left:
        st.session_state["density-slider"] = chosen
        st.select_slider(
            f"Total density: parameters kept, in percent of the teacher's (smallest reachable: {lowest:g}%)",
            options,
            key="density-slider",
            format_func=theme.budget_title,
            on_change=_commit_density,
            args=("density-slider", stored),
        )
    with right:
        st.session_state["density-stored"] = chosen if chosen in stored else None
        st.segmented_control(
            "Stored budgets",
            stored,
            key="density-stored",
            format_func=theme.budget_title,
            on_change=_commit_density,
            args=("density-stored", stored),
        )
    return chosen


def _commit_density(key: str, stored: list[str]) -> None:
    density = st.session_state.get(key)
    if density is not None:
        parameters.change(density=density, **({"budget": density} if density in stored else {}))


def density_options(lowest: float, also: Mapping[str, float]) -> list[str]:
    """Steps of the slider, evenly spaced on a logarithmic scale, with certain densities among them exactly.

    Args:
        lowest: percent.
        also: options that must be there: stored budgets and what was typed, each with its percent.
    """
    steps = 120
    spaced = [lowest * (100 / lowest) ** (step / steps) for step in range(steps + 1)]
    rounded = {float(f"{value:.2g}" if value < 10 else f"{value:.3g}") for value in spaced}
    values = {value for value in rounded if lowest <= value <= 100} | {lowest, 100.0}
    places = {f"{value:g}": value for value in values} | dict(also)
    return sorted(places, key=lambda text: places[text])


def _round_up(percent: float) -> float:
    """Two significant digits, never below the true bound."""
    digits = 1 - math.floor(math.log10(percent))
    return float(f"{math.ceil(percent * 10**digits) / 10**digits:.6g}")


def _totals(study: Study, density: str, selection: Selection) -> None:
    """What the selection reaches, and whether these are the stored masks."""
    shape, dense = selection.shape, study.shape.network()
    with st.container(key="cells-of-totals"):
        cells = st.columns(4)
    heads, all_heads = _heads(shape), _heads(dense)
    count = selection.parameters
    for cell, label, value, below in zip(
        cells,
        ("Total density", "Encoder density", "FLOPs", "Heads"),
        (
            theme.percent_text(selection.total_density, 2),
            theme.percent_text(selection.encoder_density, 2),
            theme.percent_text(selection.flop_ratio),
            f"{heads} of {all_heads}",
        ),
        (
            f"{theme.amount_text(count.total)} parameters",
            f"{theme.amount_text(count.encoder)} parameters",
            f"of the teacher's, at {FLOP_LENGTH} tokens",
            f"head size {shape.head_size}",
        ),
        strict=True,
    ):
        with cell:
            figure(label, value, below)
    rank = f"rank {shape.rank}" if shape.rank is not None else "not factored"
    st.caption(
        f"Word table {shape.vocabulary:,} of {dense.vocabulary:,} pieces, {rank} · residual width {shape.hidden:,} of "
        f"{dense.hidden:,} · positions {shape.positions:,} of {dense.positions:,} · pooler {shape.pooler:,} of "
        f"{dense.pooler:,}"
    )
    st.markdown(_agreement(study, density, selection))


def _agreement(study: Study, density: str, selection: Selection) -> str:
    if density not in study.selections:
        return (
            ":material/science: A selection on the stored factors, not a trained network: what it would score is "
            "measured at the stored budgets only."
        )
    try:
        stored = loaders.masks(study, density)
    except SlimVizError as error:
        return f":material/warning: The stored masks cannot be read: {theme.plain(str(error))}"
    title = theme.budget_title(density)
    if not stored.equals(selection.masks):
        units = sum(int((mask != selection.masks[site]).sum()) for site, mask in stored.items())
        return f":material/warning: Differs from the stored masks at {title} in {units:,} units."
    total = sum(mask.size for _, mask in stored.items())
    weights = study.weights(study.final(density)) is not None
    what = f"shipped masks of the slim network at {title}" if weights else f"stored masks at {title}"
    return f":material/check_circle: Equal to the {what}: all {total:,} units agree."


def _heads(shape: NetworkShape) -> int:
    return sum(layer.heads for layer in shape.layers)


def _choose_layer(study: Study) -> int:
    """The layer whose units are shown, from 0; in the URL as `layer`, from 1."""
    layers = study.shape.layers
    parsed = parameters.resolve(
        "layer",
        lambda raw: parse_choice("layer", raw, [str(number) for number in range(1, layers + 1)], "1"),
    )
    return int(parsed) - 1


def _bars(study: Study, selection: Selection, survival: pd.DataFrame, settings: SelectionSettings, layer: int) -> None:
    """The two figures of neural slimming: remaining by layer, removed by sub-layer."""
    palette = current_palette()
    sites = open_sites(selection.masks, settings)
    layers = layer_frame(survival, sites, selection, study.shape.network())
    by_site = site_frame(survival, selection.cutoff)
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Remaining by layer", anchor=False)
        sentence = sentences.layer_sentence(layers, [theme.SITE_TITLES[site] for site in sites])
        st.markdown(theme.plain(sentence))
        st.altair_chart(
            bars.layer_bars(layers, layer + 1, palette), width="stretch", key=BARS, on_select=_open_layer, alt=sentence
        )
        st.caption("Blue: slim network. Grey behind it: teacher, all units.")
    with right:
        st.subheader("Removed by sub-layer", anchor=False)
        sentence = sentences.site_sentence(by_site)
        st.markdown(theme.plain(sentence))
        st.altair_chart(site_bars(by_site, survival, palette), width="stretch", alt=sentence)
        st.caption("Bar: all layers together. Dots: single layers. The teacher has everything: 0% removed.")


def _open_layer() -> None:
    bar = parameters.clicked(BARS, bars.CLICK)
    if bar is not None:
        parameters.change(layer=str(bar["layer"]))


def _strips(study: Study, factors: ImportanceFactors, criterion: str, selection: Selection, layer: int) -> None:
    """Every unit of the chosen layer."""
    palette = current_palette()
    st.subheader(f"Every unit of {theme.layer_title(layer)}", anchor=False)
    left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
    numbers = [str(number) for number in range(1, study.shape.layers + 1)]
    with left:
        if len(numbers) <= MOST_BUTTONS:
            parameters.choose(st.segmented_control, "Layer", "layer", numbers, required=True)
        else:
            parameters.choose(st.selectbox, "Layer", "layer", numbers)
    with middle:
        order = parameters.choose(
            st.segmented_control, "Units", "order", list(ORDERS), format_func=lambda word: ORDERS[word], required=True
        )
    with right:
        scale = choose_scale()
    by_rank, in_order = scale == "rank", order == "place"
    units = unit_frame(factors, criterion, selection.masks, layer, in_order=in_order, scale=scale)
    sentence = sentences.strip_sentence(units, layer)
    st.markdown(theme.plain(sentence))
    if units.empty:
        return
    bounds = RANK_BOUNDS if by_rank else importance_bounds(units["relative"])
    figure = unit_strip(units, bounds, palette, in_order=in_order)
    st.plotly_chart(figure, width="stretch", config=TOOLBAR, key="units", alt=sentence)
    st.altair_chart(
        importance_legend(bounds, palette, RANK_TICKS if by_rank else None),
        width="stretch",
        alt="Colours: pink below the cut-off, green above",
    )
    st.caption(
        f"{theme.plain(theme.criterion_title(criterion))} of each unit. Green: among its sub-layer's most important in "
        "this layer, as many as survive; pink: further down. A solid line underneath: cut."
    )
