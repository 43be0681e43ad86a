from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest

from pruning.bert.shapes import Site
from pruning.measure.intervals import Spread
from slimviz import theme

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", theme.PALETTES.values(), ids=lambda palette: palette.name)
def test_config_repeats_the_palette(palette: theme.Palette) -> None:
    stored = tomllib.loads(CONFIG.read_text())["theme"][palette.name]
    assert stored["primaryColor"] == palette.primary
    assert stored["backgroundColor"] == palette.background
    assert stored["secondaryBackgroundColor"] == palette.surface
    assert stored["textColor"] == palette.text
    assert stored["borderColor"] == palette.grid


def test_server_defaults_are_private_and_quiet() -> None:
    stored = tomllib.loads(CONFIG.read_text())
    assert stored["server"]["address"] == "localhost"
    assert stored["server"]["enableXsrfProtection"] is True
    assert stored["server"]["showEmailPrompt"] is False
    assert stored["browser"]["gatherUsageStats"] is False
    assert stored["client"]["showErrorDetails"] == "none"


@pytest.mark.parametrize("palette", theme.PALETTES.values(), ids=lambda palette: palette.name)
def test_text_can_be_read(palette: theme.Palette) -> None:
    for colour in (palette.text, palette.muted, *palette.verdicts):
        assert contrast(colour, palette.background) >= 4.5
        assert contrast(colour, palette.surface) >= 4.5


@pytest.mark.parametrize("palette", theme.PALETTES.values(), ids=lambda palette: palette.name)
@pytest.mark.parametrize("scale", ["importance", "difference"])
def test_marks_can_be_seen_on_diverging_scales(palette: theme.Palette, scale: str) -> None:
    colours = getattr(palette, scale)
    half = len(colours) // 2
    assert len(colours) % 2 == 1
    for place, colour in enumerate(colours):
        strong = abs(place - half) / half > 0.6
        assert contrast(colour, palette.mark_on_strong if strong else palette.mark) >= 3, (place, colour)


@pytest.mark.parametrize("palette", theme.PALETTES.values(), ids=lambda palette: palette.name)
def test_the_middle_of_importance_is_near_the_background(palette: theme.Palette) -> None:
    assert contrast(palette.importance[len(palette.importance) // 2], palette.background) < 1.3


def test_every_site_has_words() -> None:
    assert set(theme.SITE_TITLES) == set(theme.SITE_EXPLANATIONS) == set(Site)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (theme.percent_text(0.0998), "10.0%"),
        (theme.percent_text(0.00048, 2), "0.05%"),
        (theme.percent_text(None), "–"),
        (theme.percent_text(math.nan), "–"),
        (theme.kept_text(0.982), "98.2%"),
        (theme.kept_text(2.0), "all"),
        (theme.kept_text(-0.778), "nothing"),
        (theme.kept_text(None), "–"),
        (theme.span_text(-0.024, 0.01), "−2.4 to +1.0"),
        (theme.span_text(None, None), "– to –"),
        (theme.margin_text(1), "1 point"),
        (theme.margin_text(2.5), "2.5 points"),
        (theme.score_text(777 / 872), "0.891"),
        (theme.score_text(-0.0118), "−0.012"),
        (theme.score_text(-0.0001), "0.000"),
        (theme.percent_text(-0.0512), "−5.1%"),
        (theme.points_text(-0.012), "−1.2"),
        (theme.points_text(0.001), "+0.1"),
        (theme.points_text(-0.0001), "±0.0"),
        (theme.points_text(None), "–"),
        (theme.spread_text(Spread(0.7895, 0.0081, 3)), "0.789 ± 0.008 (3 seeds)"),
        (theme.count_text(777, 872), "777/872"),
        (theme.count_text(None, 1043), "1,043 examples"),
        (theme.count_text(None, None), "–"),
        (theme.times_text(7.07), "7.1×"),
        (theme.amount_text(2_270_000), "2.27 M"),
        (theme.amount_text(22_713_986), "22.7 M"),
        (theme.amount_text(109_482_240), "109 M"),
        (theme.amount_text(999), "999"),
        (theme.amount_text(0), "0"),
        (theme.bytes_text(4_540_000), "4.5 MB"),
        (theme.bytes_text(12), "12 B"),
        (theme.milliseconds_text(3.42), "3.4 ms"),
        (theme.milliseconds_text(128.3), "128 ms"),
        (theme.value_text(0.01234), "0.0123"),
        (theme.value_text(math.inf), "∞"),
        (theme.listing(["a"]), "a"),
        (theme.listing(["a", "b", "c"]), "a, b and c"),
        (theme.listing([]), ""),
        (theme.budget_title("2.5"), "2.5%"),
        (theme.budget_title("flops-25"), "25% of FLOPs"),
        (theme.budget_words("encoder-10", "the teacher's"), "10% of the teacher's encoder parameters"),
        (theme.head_title(0, 11), "layer 1, head 12"),
        (theme.criterion_title("second_order"), "second order"),
        (theme.palette(None).name, "light"),
        (theme.palette("dark").name, "dark"),
    ],
)
def test_formats(found: str, expected: str) -> None:
    assert found == expected


def test_plain_text_survives_markdown() -> None:
    shown = r"a\_b \*c\* \<script\> \:|red\[x\] \$y\$ at 3\: https\:|//x WWW|\.x a@|b".replace("|", theme.WORD_JOINER)
    assert theme.plain("a_b *c* <script> :red[x] $y$ at 3: https://x WWW.x a@b") == shown
    signs = r"a \-|\> b \<|\- c \<|\-|\> d \-|\- e \>|\= f \<|\= g \~|\= \-1".replace("|", theme.WORD_JOINER)
    assert theme.plain("a -> b <- c <-> d -- e >= f <= g ~= -1") == signs
    assert "\n" not in theme.plain("one\ntwo\x00")
