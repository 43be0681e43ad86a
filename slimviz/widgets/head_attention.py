"""What the pinned head looks at in the typed text, in the teacher and in the slim network where it survived."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pruning.errors import SlimVizError
from pruning.variants import Variant
from slimviz import sentences, theme
from slimviz.charts.attention_map import attention_map
from slimviz.frames.attention import look_frame
from slimviz.live.attention import Looks, looks
from slimviz.live.networks import version
from slimviz.state import parse_head
from slimviz.widgets import networks, parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.networks import Choice

LOOKED = "playground:looked"  # session: what was asked of which head, and what it looks at
MOST_PIECES = 40  # that a map shows


def show_head_attention(choice: Choice, texts: Sequence[str], downloads: Downloads) -> None:
    """Maps of the pinned head's attention over the texts; nothing where no head is pinned.

    Args:
        choice: the study and networks of the page.
        texts: one, or two of a pair, as they were read.
        downloads: of the page.
    """
    shape = choice.study.shape
    head = parse_head(parameters.read("head"), shape.layers, shape.heads).value
    if head is None:
        return
    found = _looks(choice, head, texts)
    if not found:
        return
    title = theme.head_title(*head)
    st.subheader(f"What {title} looks at", anchor=False)
    most = max((float(one.shares.max()) for one in found.values() if one.shares is not None), default=1.0)
    for (variant, one), column in zip(found.items(), st.columns(len(found)), strict=True):
        with column:
            st.markdown(f"**{networks.name(variant)}**")
            _show(variant, one, most, title, downloads)
    st.caption(
        "A row is a piece that looks, a column a piece that it looks at; a row's shares sum to 100%. Attention is "
        "where a head reads from, not by itself why the network answers as it does."
    )


def _looks(choice: Choice, head: tuple[int, int], texts: Sequence[str]) -> dict[Variant, Looks]:
    """From the session where this head was asked about these texts before; none where it cannot be computed."""
    question = (str(choice.study.folder), version(choice.study), choice.variants, head, tuple(texts))
    asked = st.session_state.get(LOOKED)
    if asked is not None and asked[0] == question:
        return asked[1]
    loaded, _ = networks.load_quietly(choice)  # what does not load was said with the answer
    try:
        found = {network.variant: looks(network, choice.study.shape.heads, head, *texts) for network in loaded}
    except SlimVizError as error:
        st.error(theme.plain(str(error)))
        return {}
    if len(loaded) == len(choice.variants):
        st.session_state[LOOKED] = question, found
    return found


def _show(variant: Variant, one: Looks, most: float, title: str, downloads: Downloads) -> None:
    """One network's map, or that the head is gone."""
    if one.shares is None:
        st.info(f"{title.capitalize()} did not survive here: it was cut, with its query, key and value matrices.")
        return
    said = sentences.look_sentence(one.pieces, one.is_mark, one.shares.tolist())
    st.markdown(theme.plain(said))
    frame = look_frame(one.pieces[:MOST_PIECES], one.shares[:MOST_PIECES, :MOST_PIECES])
    downloads.draw(
        f"{title.capitalize()}, {networks.name(variant)}",
        attention_map(frame, most, current_palette()),
        frame.drop(columns=["looking", "looked_at", "told"]),
        width="stretch",
        alt=f"{networks.name(variant)}, {title}: attention of each piece to each. {said}",
    )
    if len(one.pieces) > MOST_PIECES:
        st.caption(f"The first {MOST_PIECES} of {len(one.pieces)} pieces are drawn.")
