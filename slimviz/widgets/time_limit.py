"""On Survivors: which units would fit a limit in milliseconds on this machine."""

from __future__ import annotations

import streamlit as st

from pruning.errors import SelectionError
from pruning.study import Study
from slimviz import loaders, theme
from slimviz.frames.provenance import is_own
from slimviz.live.time_limit import LENGTH, Measured, measured_here, within
from slimviz.sentences import limit_sentence
from slimviz.widgets.guard import guard
from slimviz.widgets.run_result import busy_sentence

BATCHES = (1, 32)
LEAST_MS, MOST_MS, FIRST_MS = 0.01, 100_000.0, 2.0


def show_time_limit(study: Study, density: str) -> None:
    """A limit, a button that measures this machine, and what would stay.

    Args:
        study: whose factors choose.
        density: whose criterion and settings are taken, see `loaders.selection_record`.
    """
    with st.expander("What would fit a time limit here?"), guard("The time limit"):
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
            limit = st.number_input("Milliseconds a batch", LEAST_MS, MOST_MS, FIRST_MS, key="limit-ms", width=180)
            batch = st.segmented_control("Texts at once", BATCHES, default=BATCHES[0], key="limit-batch", required=True)
            measures = st.button("Measure this machine", icon=":material/timer:")
        memory = f"limit-{study.shape}-{batch}"
        if measures:
            with st.spinner("Timing networks of some widths …"):
                st.session_state[memory] = measured_here(study.shape, int(batch))
        measured: Measured | None = st.session_state.get(memory)
        if measured is None:
            st.caption(
                f"Networks of some widths are timed here, in torch on the CPU, {LENGTH} tokens a text; then the most "
                "important heads and FFN units that fit are counted. It takes some seconds."
            )
            return
        if said := busy_sentence([measured.conditions]):
            st.warning(said)
        record = loaders.selection_record(study, density)
        try:
            chosen = within(loaders.factors(study), record, measured.table, limit)
        except SelectionError as error:
            st.info(theme.plain(f"{str(error)[0].upper()}{str(error)[1:]}."))
            return
        st.markdown(theme.plain(limit_sentence(chosen, study.shape.network(), measured.table, limit)))
        st.caption("A selection on the stored factors, not a trained network. This makes and measures one:")
        task = "--train-file FILE --text COLUMN" if is_own(study.task) else f"--task {study.task.name}"
        st.code(f"python -m pruning run {task} --budget-ms {limit:g} --batch {batch}", language="bash")
