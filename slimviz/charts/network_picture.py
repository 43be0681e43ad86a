"""A slim network drawn inside its teacher: areas are parameters. HTML alone: the first screen waits for no library."""

from __future__ import annotations

import html

from slimviz.frames.drawing import LayerDrawing, NetworkDrawing
from slimviz.theme import Palette

HEIGHT = 296  # pixels that the teacher's parameters share
GAP = 3  # between parts
LEAST_LABELLED = 11  # pixels: a lower layer has no room for its number


def network_picture(drawing: NetworkDrawing, title: str, palette: Palette) -> str:
    """Layers (the last one on top) with heads and FFN, the word table and the rest below; outlines are the teacher's.

    Args:
        drawing: see `frames.drawing`.
        title: whose network it is, for screen readers.
        palette: the theme's colours.
    """
    a_layer = drawing.attention + drawing.ffn
    total = len(drawing.layers) * a_layer + drawing.table + drawing.rest
    heights = [HEIGHT * parameters / total for parameters in (a_layer, drawing.table, drawing.rest)]
    numbered = list(enumerate(drawing.layers, start=1))
    layers = "".join(_layer(number, layer, drawing, heights[0], palette) for number, layer in reversed(numbered))
    box, fill = _box(palette), f"background:{palette.slim}"
    sides = f"width:{drawing.table_width:.2%};height:{drawing.pieces:.2%}"
    words = html.escape(f"word table: {drawing.table_words}")
    table = (
        f'<div style="{box};height:{heights[1]:.1f}px;margin-left:1.3rem">'
        f'<div style="position:absolute;bottom:0;left:0;{fill};{sides}"></div>'
        f'<div style="position:absolute;right:.4rem;top:.15rem;{_small(palette)}">{words}</div></div>'
    )
    rest = (
        f'<div style="{box};height:{max(4, heights[2]):.1f}px;margin:{GAP}px 0 0 1.3rem">'
        f'<div style="height:100%;{fill};width:{drawing.rest_left:.2%}"></div></div>'
    )
    heads = len(drawing.layers[0].heads)
    under = (
        f'<div style="display:flex;gap:{GAP}px;margin:0 0 .35rem 1.3rem;{_small(palette)}">'
        f'<div style="flex:{drawing.attention} 1 0">{heads} heads a layer</div>'
        f'<div style="flex:{drawing.ffn} 1 0">{drawing.ffn_units:,} FFN units a layer</div></div>'
    )
    legend = (
        f'<div style="margin:.3rem 0 0 1.3rem;{_small(palette)}">'
        f"{_swatch(palette.slim, palette)}what is left {_swatch(palette.surface, palette)}the teacher; areas are "
        "parameters</div>"
    )
    label = html.escape(picture_words(drawing, title), quote=True)
    return f'<div role="img" aria-label="{label}">{layers}{under}{table}{rest}{legend}</div>'


def picture_words(drawing: NetworkDrawing, title: str) -> str:
    """What the picture shows, for those who cannot see it."""
    layers = "; ".join(
        f"layer {number}: {layer.heads_left} of {len(layer.heads)} heads, "
        f"{layer.ffn_left:,} of {drawing.ffn_units:,} FFN units"
        for number, layer in enumerate(drawing.layers, start=1)
    )
    return f"What is left of {title}'s teacher. {layers}; word table: {drawing.table_words}."


def _layer(number: int, layer: LayerDrawing, drawing: NetworkDrawing, height: float, palette: Palette) -> str:
    slots = "".join(
        f'<div style="flex:1 1 0;position:relative"><div style="position:absolute;bottom:0;left:.5px;right:.5px;'
        f'height:{share:.1%};background:{palette.slim}"></div></div>'
        for share in layer.heads
    )
    box = f"{_box(palette)};height:{max(1.0, height - GAP):.1f}px"
    name = str(number) if height >= LEAST_LABELLED else ""
    beside = f"width:calc(1.3rem - {GAP}px);flex:none;text-align:right;padding-right:.3rem;line-height:1"
    below = f"margin-bottom:{min(GAP, height / 4):.1f}px"
    return (
        f'<div style="display:flex;gap:{GAP}px;align-items:center;{below}">'
        f'<div style="{_small(palette)};{beside}">{name}</div>'
        f'<div style="{box};flex:{drawing.attention} 1 0;display:flex">{slots}</div>'
        f'<div style="{box};flex:{drawing.ffn} 1 0">'
        f'<div style="height:100%;width:{layer.ffn:.2%};background:{palette.slim}"></div></div></div>'
    )


def _box(palette: Palette) -> str:
    return f"position:relative;box-sizing:border-box;background:{palette.surface};border:1px solid {palette.grid}"


def _small(palette: Palette) -> str:
    return f"font-size:.75rem;color:{palette.muted}"


def _swatch(colour: str, palette: Palette) -> str:
    return (
        f'<span style="display:inline-block;width:.7rem;height:.7rem;margin:0 .3rem 0 .2rem;vertical-align:-1px;'
        f'background:{colour};border:1px solid {palette.grid}"></span>'
    )
