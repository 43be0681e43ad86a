"""Colours, labels and number formats: every page and chart takes them from here.

`.streamlit/config.toml` repeats the surface colours, because Streamlit reads them before any Python runs; a test
compares the two. Importance is green where kept and pink where cut; the two ends share their lightness, so a chart
never leaves the difference to the hue alone: what is cut also carries a mark.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TypeGuard

from pruning.bert.shapes import Site
from pruning.measure.intervals import Spread

CUT_MARK = "×"  # drawn on what is cut
WORD_JOINER = "\u2060"  # no width, no break: readers do not see it
UNKNOWN = "–"  # shown where a number was not measured


@dataclass(frozen=True)
class Palette:
    """One theme's colours, as hex strings.

    Attributes:
        name: "light" or "dark", Streamlit's own word for it.
        background: page surface.
        surface: raised surface (cards, inputs).
        text: body text.
        muted: secondary text, axes.
        grid: grid lines and cell borders.
        primary: Streamlit's accent; never used for data.
        importance: PiYG from cut (pink) over the cut-off to kept (green); odd length, midpoint near the background.
        difference: orange (more for B) over none to purple (more for A); odd length.
        similarity: sequential, from unlike to alike.
        share: sequential, from nothing kept to everything kept.
        teacher: the dense reference.
        slim: the slim network.
        methods: Okabe-Ito colours for further networks and methods, in a fixed order.
        supports: attribution that speaks for an answer.
        opposes: attribution that speaks against it.
        mark: what is drawn on cut cells, and text on cells near the scale's middle or lower end.
        mark_on_strong: the same on cells near the scale's ends.
        outline: the chosen head or layer.
        fine: the band of differences to the teacher that a visitor calls fine.
        verdicts: words and shapes of what can be said: fine, unsure, lost.
    """

    name: str
    background: str
    surface: str
    text: str
    muted: str
    grid: str
    primary: str
    importance: tuple[str, ...]
    difference: tuple[str, ...]
    similarity: tuple[str, ...]
    share: tuple[str, ...]
    teacher: str
    slim: str
    methods: tuple[str, ...]
    supports: str
    opposes: str
    mark: str
    mark_on_strong: str
    outline: str
    fine: str
    verdicts: tuple[str, str, str]


LIGHT = Palette(
    name="light",
    background="#ffffff",
    surface="#f4f6f8",
    text="#1d2733",
    muted="#5b6673",
    grid="#d5dbe1",
    primary="#2c5f8d",
    importance=("#8e0152", "#c51b7d", "#de77ae", "#f1b6da", "#f7f7f7", "#b8e186", "#7fbc41", "#4d9221", "#276419"),
    difference=("#b35806", "#cc700c", "#fdb863", "#fee0b6", "#f7f7f7", "#d8daeb", "#b2abd2", "#8073ac", "#542788"),
    similarity=("#f4f7fa", "#d3e0ec", "#a5c1da", "#6d9cc1", "#3d75a3", "#1b4a73"),
    share=("#f5f6f4", "#d9ecc4", "#b8e186", "#7fbc41", "#4d9221", "#276419"),
    teacher="#737b85",
    slim="#0072b2",
    methods=("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"),
    supports="#0072b2",
    opposes="#d55e00",
    mark="#1d2733",
    mark_on_strong="#ffffff",
    outline="#111111",
    fine="#e6f1e6",
    verdicts=("#2a7130", "#775a00", "#a83a0c"),
)
DARK = Palette(
    name="dark",
    background="#11151b",
    surface="#1b222b",
    text="#e7ebf0",
    muted="#a3adb9",
    grid="#38424e",
    primary="#4385c0",
    importance=("#ffa3d7", "#ee6fbb", "#b8478c", "#6e2f56", "#20262e", "#37531d", "#5b8a2b", "#84bd45", "#b5ea7c"),
    difference=("#ffc079", "#e8923a", "#a8621f", "#5f3d1c", "#20262e", "#413a63", "#6d60a3", "#9d90d4", "#cfc5ff"),
    similarity=("#1b2330", "#25405c", "#2f6089", "#4a86b6", "#7db2dc", "#bfe0fa"),
    share=("#20262e", "#2b3b22", "#37531d", "#5b8a2b", "#84bd45", "#b5ea7c"),
    teacher="#9aa3ad",
    slim="#56b4e9",
    methods=("#56b4e9", "#e69f00", "#1fbf94", "#dd94bd", "#ee7733", "#8fb8ff"),
    supports="#56b4e9",
    opposes="#f08a4b",
    mark="#f2f4f7",
    mark_on_strong="#11151b",
    outline="#ffffff",
    fine="#1a2b1f",
    verdicts=("#84bd45", "#e0b94a", "#f39163"),
)
PALETTES = {palette.name: palette for palette in (LIGHT, DARK)}

# A full bar and what is left of it. Inline, because Streamlit's icon names make the browser ask a foreign host.
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">'
    f'<rect x="4" y="4" width="9" height="24" rx="2" fill="{LIGHT.teacher}"/>'
    f'<rect x="19" y="18" width="9" height="10" rx="2" fill="{LIGHT.slim}"/></svg>'
)

SITE_TITLES = {
    Site.HIDDEN: "Residual width",
    Site.ATTENTION_INPUT: "Attention input",
    Site.ATTENTION_CONTEXT: "Attention context",
    Site.FFN_INPUT: "FFN input",
    Site.FFN_HIDDEN: "FFN hidden",
}
SITE_EXPLANATIONS = {
    Site.HIDDEN: "the width shared by all layers",
    Site.ATTENTION_INPUT: "what query, key and value read",
    Site.ATTENTION_CONTEXT: "the heads' outputs",
    Site.FFN_INPUT: "what the first FFN matrix reads",
    Site.FFN_HIDDEN: "the FFN's inner units",
}
CRITERION_TITLES = {
    "alpha": "Importance factor |α|",
    "sensitivity": "Sensitivity (|α · gradient|, while slimming)",
    "head_gradient": "Head gradient",
    "taylor": "Taylor (|gradient|)",
    "taylor_by_head": "Taylor, dealt by head gradient",
    "head_answer": "Head gradient of the answer",
    "answer": "Gradient of the answer",
    "answer_by_head": "Gradient of the answer, dealt by head",
    "head_fisher": "Head Fisher information",
    "fisher": "Fisher information",
    "fisher_by_head": "Fisher, dealt by head",
    "brain_surgeon": "Optimal Brain Surgeon",
    "magnitude": "Weight magnitude",
    "random": "Random (the control)",
}
METHOD_SHAPES = {  # as Vega calls them, and as printed; another where a family has more methods than there are colours
    "structural": (("circle", "●"), ("square", "■"), ("diamond", "◆")),
    "unstructured": (("triangle-up", "▲"), ("triangle-down", "▼")),
    "other": (("cross", "✚"),),
}
FAMILY_TITLES = {"structural": "smaller matrices", "unstructured": "zeros", "other": "otherwise"}
BUDGET_NOUNS = {"": "parameters", "encoder": "encoder parameters", "flops": "FLOPs", "latency": "latency"}
COMPONENT_TITLES = {"embeddings": "Embeddings", "encoder": "Encoder", "pooler": "Pooler", "head": "Classifier"}


def palette(name: str | None) -> Palette:
    """The palette of a theme; light where Streamlit does not know the theme (yet)."""
    return PALETTES.get(name or "", LIGHT)


def method_look(family: str, place: int, colours: Palette) -> tuple[str, tuple[str, str]]:
    """Colour and shape of a method, the same wherever it is drawn.

    Args:
        family: of `METHOD_SHAPES`.
        place: the method's within its family.
        colours: the theme's.
    """
    shapes, count = METHOD_SHAPES[family], len(colours.methods)
    return colours.methods[place % count], shapes[place // count % len(shapes)]


def criterion_title(name: str) -> str:
    """A criterion's name as printed."""
    return CRITERION_TITLES.get(name, name.replace("_", " "))


def budget_title(budget: str) -> str:
    """A budget's name as printed: "10" is "10%", "flops-25" is "25% of FLOPs"."""
    word, _, percent = budget.rpartition("-")
    return f"{percent}% of {BUDGET_NOUNS.get(word, word)}" if word else f"{percent}%"


def budget_words(budget: str, whose: str) -> str:
    """A budget inside a sentence: "10% of the teacher's parameters", "25% of the teacher's FLOPs"."""
    word, _, percent = budget.rpartition("-")
    return f"{percent}% of {whose} {BUDGET_NOUNS.get(word, word)}"


def layer_title(layer: int) -> str:
    """Layers count from 0 in stored arrays, from 1 on screen."""
    return f"layer {layer + 1}"


def head_title(layer: int, head: int) -> str:
    """Heads count from 0 in stored arrays, from 1 on screen."""
    return f"layer {layer + 1}, head {head + 1}"


def is_known(value: float | None) -> TypeGuard[float]:
    """Whether a number was measured at all."""
    return value is not None and not math.isnan(value)


def thread_text(count: int) -> str:
    """Threads of a processor: "1 thread", "2 threads"."""
    return f"{count} thread{'' if count == 1 else 's'}"


def percent_text(share: float | None, digits: int = 1) -> str:
    """A share as a percentage: 0.0998 is "10.0%"; below zero with a minus sign, as all numbers here."""
    return _signed(f"{share:z.{digits}%}") if is_known(share) else UNKNOWN


def kept_text(share: float | None) -> str:
    """What is kept of something: "98.2%"; in words beyond its bounds, since more than all is noise and no share."""
    if not is_known(share):
        return UNKNOWN
    return "nothing" if share < 0 else "all" if share > 1 else percent_text(share)


def score_text(value: float | None) -> str:
    """A metric to three decimals: -0.012 is "−0.012"."""
    return _signed(f"{value:z.3f}") if is_known(value) else UNKNOWN


def _signed(number: str) -> str:
    """A printed number with a minus sign in place of a hyphen."""
    return number.replace("-", "−")


def metric_text(name: str, value: float | None) -> str:
    """A metric as printed: how often two networks give one answer as a percentage, all others to three decimals."""
    return percent_text(value) if name == "agreement" else score_text(value)


def spread_text(spread: Spread) -> str:
    """A score's mean and standard deviation over several seeds: "0.789 ± 0.008 (3 seeds)"."""
    return f"{score_text(spread.mean)} ± {score_text(spread.deviation)} ({spread.seeds} seeds)"


def points_text(difference: float | None) -> str:
    """A difference of two metrics in points, signed: -0.012 is "−1.2"."""
    if not is_known(difference):
        return UNKNOWN
    rounded = round(100 * difference, 1)
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else '±'}{abs(rounded):.1f}"


def margin_text(points: float) -> str:
    """An amount of points: "1 point", "2.5 points"."""
    return f"{points:g} point{'' if points == 1 else 's'}"


def change_text(value: float | None) -> str:
    """What something adds to an answer, signed, to two decimals: "+0.42", "−1.30"."""
    if not is_known(value):
        return UNKNOWN
    return _signed(f"{value:+z.2f}") if round(value, 2) else "±0.00"


def span_text(low: float | None, high: float | None) -> str:
    """Both ends of an interval in points: "−2.4 to +1.0"."""
    return f"{points_text(low)} to {points_text(high)}"


def count_text(correct: int | None, count: int | None) -> str:
    """How many of how many: "777/872"; the second alone where nothing is counted as correct (correlations)."""
    if count is None:
        return UNKNOWN
    return f"{correct:,}/{count:,}" if correct is not None else f"{count:,} examples"


def times_text(ratio: float | None) -> str:
    """A speed-up: "7.1×"."""
    return f"{ratio:.1f}×" if is_known(ratio) else UNKNOWN


def amount_text(number: float | None) -> str:
    """A large count in three significant digits: "2.27 M"."""
    if not is_known(number):
        return UNKNOWN
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            scaled = number / size
            return f"{scaled:.{max(0, 2 - int(math.log10(abs(scaled))))}f} {unit}"
    return f"{number:g}"


def bytes_text(number: float | None) -> str:
    """A size on disk: "4.5 MB"."""
    if not is_known(number):
        return UNKNOWN
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f} B"


def milliseconds_text(number: float | None) -> str:
    """A latency: "3.4 ms", "128 ms"."""
    if not is_known(number):
        return UNKNOWN
    return f"{number:.0f} ms" if number >= 100 else f"{number:.1f} ms"


def value_text(number: float | None) -> str:
    """An importance factor in three significant digits."""
    if not is_known(number):
        return UNKNOWN
    return f"{number:.3g}" if math.isfinite(number) else "∞"


def plain(text: str) -> str:
    """Text that Markdown shows as it is: typed input, and whatever comes from a file, passes through here.

    For labels, options of buttons and tables, too: Streamlit reads those as Markdown; options of select boxes and
    cells of data frames it does not. Bare addresses and names of emojis are looked for only after the escapes are gone,
    and so are arrows and other signs made of two, so an invisible word joiner takes all of these apart: without it they
    become links, pictures, icons and other signs.
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    joined = re.sub(
        r"www(?=\.)|[:@](?=\S)|[-<>~](?=[-=>])", lambda found: found[0] + WORD_JOINER, printable, flags=re.IGNORECASE
    )
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=])", r"\\\1", joined)


def listing(words: list[str]) -> str:
    """Words as an English list: "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
