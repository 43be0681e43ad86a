"""A BERT, small and labelled: where units can be cut, and how many are left there. HTML, no library."""

from __future__ import annotations

import html
from collections.abc import Collection

from pruning.bert.shapes import NetworkShape, Site
from slimviz.frames.drawing import table_words
from slimviz.theme import Palette

# Parts of a block in the order in which a text goes through them: site, its width in `LayerShape`, name, what it does.
PARTS = (
    (Site.ATTENTION_INPUT, "attention_reads", "attention reads", "queries, keys and values"),
    (Site.ATTENTION_CONTEXT, "heads", "attention heads", "what words take from other words"),
    (Site.FFN_INPUT, "ffn_reads", "FFN reads", "what the feed-forward network sees"),
    (Site.FFN_HIDDEN, "ffn", "FFN units", "its inner units"),
)


def block_picture(slim: NetworkShape, dense: NetworkShape, open_sites: Collection[Site], palette: Palette) -> str:
    """From the word table up through a layer to the answer; what can be cut is outlined, the rest is said to be whole.

    Args:
        slim: the network that is left.
        dense: the teacher.
        open_sites: sites that the selection may cut, or did.
        palette: the theme's colours.
    """
    parts = ""
    for site, width, name, meaning in reversed(PARTS):
        kept, total = (sum(getattr(layer, width) for layer in network.layers) for network in (slim, dense))
        is_open = site in open_sites
        count = f"{kept:,} of {total:,} left" if is_open else "whole"
        parts += _box(name, meaning, count, palette, is_open=is_open)
    table = _box("word table", "a vector a word piece", table_words(slim, dense), palette, is_open=True)
    stream = "whole" if slim.hidden == dense.hidden else f"{slim.hidden:,} of {dense.hidden:,} left"
    layers = (
        f'<div style="border:1px dashed {palette.muted};border-radius:.5rem;padding:.35rem .5rem;margin:.3rem 0">'
        f'<div style="color:{palette.muted}">{len(dense.layers)} layers, each of these four; between them a width of '
        f"{dense.hidden:,} ({stream})</div>{parts}</div>"
    )
    is_whole = slim.pooler == dense.pooler
    pooler = "whole" if is_whole else f"{slim.pooler:,} of {dense.pooler:,} left"
    answer = _box("pooler", "what the classifier answers from", pooler, palette, is_open=not is_whole)
    return f'<div style="font-size:.8rem;line-height:1.3;color:{palette.text}">{answer}{layers}{table}</div>'


def _box(name: str, meaning: str, count: str, palette: Palette, *, is_open: bool) -> str:
    edge = f"2px solid {palette.slim}" if is_open else f"1px solid {palette.grid}"
    return (
        f'<div style="display:flex;justify-content:space-between;gap:.8rem;flex-wrap:wrap;margin:.25rem 0;'
        f'padding:.2rem .5rem;background:{palette.surface};border:{edge};border-radius:.3rem">'
        f'<span><b>{html.escape(name)}</b> <span style="color:{palette.muted}">{html.escape(meaning)}</span></span>'
        f'<span style="font-variant-numeric:tabular-nums">{html.escape(count)}</span></div>'
    )
