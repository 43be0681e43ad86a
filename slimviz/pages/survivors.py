"""Survivors: where did neurons survive? The density slider re-runs the very selection that made the shipped masks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pruning.bert.counts import table_parameters
from pruning.bert.shapes import NetworkShape, Site
from pruning.errors import SlimVizError
from pruning.importance.factors import ImportanceFactors
from pruning.selection.select import FLOP_LENGTH, Selection
from pruning.study import Study
from slimviz import loaders, sentences, theme
from slimviz.charts import layer_bars as bars
from slimviz.charts.block_picture import block_picture
from slimviz.charts.density_scale import density_options, density_scale, round_up
from slimviz.charts.scales import RANK_BOUNDS, RANK_TICKS, importance_bounds, importance_legend
from slimviz.charts.site_bars import site_bars
from slimviz.charts.unit_strip import unit_strip
from slimviz.frames.budgets import budgets, default_budget
from slimviz.frames.drawing import table_words
from slimviz.frames.provenance import method_title
from slimviz.frames.survival import layer_frame, open_sites, site_frame, survival_frame, survival_table, unit_frame
from slimviz.frames.tidy import only
from slimviz.state import parse_choice, parse_density
from slimviz.widgets import parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.chart import draw_chart
from slimviz.widgets.choices import choose_scale, choose_study
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.frame import begin, figure
from slimviz.widgets.guard import guard
from slimviz.widgets.time_limit import show_time_limit

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
    density, downloads = _choose_density(study), Downloads("survivors")
    with guard("This selection"):
        selection, factors = loaders.selection(study, density), loaders.factors(study)
        record = loaders.selection_record(study, density)
        with guard("What is left"):
            _totals(study, density, selection)
        survival = survival_frame(selection.masks)
        layer = _choose_layer(study)
        sites = open_sites(selection.masks, record.settings)
        left, right = st.columns(2, gap="medium")
        with left, guard("What is left by layer"):
            _bars(study, selection, survival, sites, layer, downloads)
        with right, guard("The units of this layer"):
            _strips(study, factors, record.criterion, selection, sites, layer)
        left, right = st.columns(2, gap="medium")
        with left, guard("Where units were cut"):
            _block(study, selection, sites)
        with right, guard("What was removed"):
            _removed(survival, selection, sites, downloads)
        show_time_limit(study, density)
        with st.expander("Units kept as a table"), guard("The table"):
            st.dataframe(survival_table(survival), alt="Units kept by site and layer")
        downloads.offer()


def _choose_density(study: Study) -> str:
    """The slider, and buttons for the stored budgets; the URL has it as `density`: a budget's name, or percent."""
    stored = budgets(study)
    lowest = round_up(100 * max(study.document.smallest_total_density, SMALLEST_DENSITY))
    start = parameters.read("budget")
    start = start if start in stored else default_budget(stored)
    if study.is_by_rival:  # a rival's choice is not made again here
        chosen = parameters.resolve("density", lambda raw: parse_choice("density", raw, stored, start))
        _stored_budgets(chosen, stored)
        return chosen
    chosen = parameters.resolve("density", lambda raw: parse_density(raw, lowest, stored, start))
    places = {budget: 100 * study.selections[budget].total_density for budget in stored}
    options = density_options(lowest, places if chosen in places else places | {chosen: float(chosen)})
    left, right = st.columns([3, 1.3], vertical_alignment="bottom")
    with left:
        st.session_state["density-slider"] = chosen
        st.select_slider(
            "Total density: parameters kept, in percent of the teacher's",
            options,
            key="density-slider",
            format_func=theme.budget_title,
            on_change=_commit_density,
            args=("density-slider", stored),
        )
        st.html(density_scale(options, study, current_palette()))
    with right:
        _stored_budgets(chosen, stored)
    return chosen


def _stored_budgets(chosen: str, stored: list[str]) -> None:
    """A button for each stored budget."""
    st.session_state["density-stored"] = chosen if chosen in stored else None
    st.segmented_control(
        "Stored budgets",
        stored,
        key="density-stored",
        format_func=theme.budget_title,
        on_change=_commit_density,
        args=("density-stored", stored),
    )


def _commit_density(key: str, stored: list[str]) -> None:
    density = st.session_state.get(key)
    if density is not None:
        parameters.change(density=density, **({"budget": density} if density in stored else {}))


def _totals(study: Study, density: str, selection: Selection) -> None:
    """What the selection reaches, and whether these are the stored masks."""
    shape, dense = selection.shape, study.shape.network()
    with st.container(key="cells-of-totals"):
        cells = st.columns(5)
    count = selection.parameters
    table = table_parameters(shape.vocabulary, shape.hidden, shape.rank)
    heads, all_heads = _heads(shape), _heads(dense)
    for cell, label, value, below in zip(
        cells,
        ("Total density", "Encoder density", "Word table", "FLOPs", "Heads"),
        (
            theme.percent_text(selection.total_density, 2),
            theme.percent_text(selection.encoder_density, 2),
            theme.percent_text(table / count.total, 0),
            theme.percent_text(selection.flop_ratio),
            f"{heads} of {all_heads}",
        ),
        (
            f"{theme.amount_text(count.total)} parameters",
            f"{theme.amount_text(count.encoder)} parameters",
            f"of what is left: {table_words(shape, dense)}",
            f"of the teacher's, at {FLOP_LENGTH} tokens",
            f"head size {shape.head_size}",
        ),
        strict=True,
    ):
        with cell:
            figure(label, value, below)
    st.caption(
        f"Residual width {shape.hidden:,} of {dense.hidden:,} · positions {shape.positions:,} of {dense.positions:,} · "
        f"pooler {shape.pooler:,} of {dense.pooler:,}"
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
    if study.is_by_rival:
        return (
            f":material/info: As {theme.plain(method_title(study.method))} chose them at {title}. Its choice is not "
            "made again here, so there is nothing between the stored budgets."
        )
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


def _bars(
    study: Study,
    selection: Selection,
    survival: pd.DataFrame,
    sites: Sequence[Site],
    layer: int,
    downloads: Downloads,
) -> None:
    """Remaining units by layer, the first of neural slimming's two figures."""
    layers = layer_frame(survival, sites, selection, study.shape.network())
    st.subheader("Remaining by layer", anchor=False)
    sentence = sentences.layer_sentence(layers, [theme.SITE_TITLES[site] for site in sites])
    st.markdown(theme.plain(sentence))
    downloads.draw(
        "Units remaining by layer",
        bars.layer_bars(layers, layer + 1, current_palette()),
        layers,
        width="stretch",
        key=BARS,
        on_select=_open_layer,
        alt=sentence,
    )
    st.caption("Blue: slim network. Grey behind it: teacher, all units. A click on a layer opens its units.")


def _removed(survival: pd.DataFrame, selection: Selection, sites: Sequence[Site], downloads: Downloads) -> None:
    """Removed units by sub-layer, the second of them: sites that can be cut, and the residual width where it was."""
    shown = [site.value for site in Site if site in sites or (site is Site.HIDDEN and not selection.masks[site].all())]
    survival = only(survival, "site", shown)
    st.subheader("Removed by sub-layer", anchor=False)
    if not shown:
        st.markdown("This selection may not cut any layer's units.")
        return
    by_site = site_frame(survival, selection.cutoff)
    sentence = sentences.site_sentence(by_site)
    st.markdown(theme.plain(sentence))
    chart = site_bars(by_site, survival, current_palette())
    downloads.draw("Units removed by sub-layer", chart, survival, width="stretch", alt=sentence)
    st.caption("Bar: all layers together. Dots: single layers. The teacher has everything: 0% removed.")


def _block(study: Study, selection: Selection, sites: Sequence[Site]) -> None:
    """A small picture of the network, to read the charts by."""
    st.subheader("What can be cut", anchor=False)
    st.html(block_picture(selection.shape, study.shape.network(), sites, current_palette()))
    st.caption("A text goes in at the bottom. Blue outline: what this study cuts, or may cut.")


def _open_layer() -> None:
    bar = parameters.clicked(BARS, bars.CLICK)
    if bar is not None:
        parameters.change(layer=str(bar["layer"]))


def _strips(
    study: Study, factors: ImportanceFactors, criterion: str, selection: Selection, sites: Sequence[Site], layer: int
) -> None:
    """Every unit of the chosen layer."""
    palette = current_palette()
    st.subheader(f"Every unit of {theme.layer_title(layer)}", anchor=False)
    numbers = [str(number) for number in range(1, study.shape.layers + 1)]
    with st.container(horizontal=True, gap="small"):
        if len(numbers) <= MOST_BUTTONS:
            parameters.choose(st.segmented_control, "Layer", "layer", numbers, required=True)
        else:
            parameters.choose(st.selectbox, "Layer", "layer", numbers)
        order = parameters.choose(
            st.segmented_control, "Units", "order", list(ORDERS), format_func=lambda word: ORDERS[word], required=True
        )
        scale = choose_scale()
    by_rank, in_order = scale == "rank", order == "place"
    units = unit_frame(factors, criterion, selection.masks, layer, in_order=in_order, scale=scale, sites=sites)
    sentence = sentences.strip_sentence(units, layer, by_rival=study.is_by_rival)
    st.markdown(theme.plain(sentence))
    if units.empty:
        return
    bounds = RANK_BOUNDS if by_rank else importance_bounds(units["relative"])
    figure = unit_strip(units, bounds, palette, in_order=in_order)
    st.plotly_chart(figure, width="stretch", config=TOOLBAR, key="units", alt=sentence)
    draw_chart(
        importance_legend(bounds, palette, RANK_TICKS if by_rank else None),
        width="stretch",
        alt="Colours: pink below the cut-off, green above",
    )
    st.caption(
        f"{theme.plain(theme.criterion_title(criterion))} of each unit. Green: among its sub-layer's most important in "
        "this layer, as many as survive; pink: further down. A solid line underneath: cut."
    )
