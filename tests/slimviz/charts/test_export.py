from __future__ import annotations

import html
import io
import re

import altair as alt
import pytest
from PIL import Image

from pruning.study import Study, load_factors, load_masks
from slimviz.charts import export
from slimviz.charts.head_map import dna_map
from slimviz.frames.dna import dna_frame
from slimviz.frames.heads import HeadStudy, head_frame
from slimviz.theme import DARK, LIGHT, Palette


@pytest.fixture(scope="module")
def shown(studies: dict[str, Study]) -> list[HeadStudy]:
    return [HeadStudy(n, n.upper(), load_factors(studies[n]), load_masks(studies[n], "10")) for n in ("sst2", "cola")]


def drawn(shown: list[HeadStudy], palette: Palette) -> alt.LayerChart:
    return export.standing_alone(dna_map(dna_frame(head_frame(shown, "alpha")), None, palette), "By A & <B>", palette)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_an_svg_is_whole_with_title_and_colours(shown: list[HeadStudy], palette: Palette) -> None:
    text = export.to_svg(drawn(shown, palette))
    assert text.startswith("<svg ")
    words = [html.unescape(word) for word in re.findall(r">([^<>]*)</text>", text)]
    assert "By A & <B>" in words
    assert palette.background in text
    assert "12" in words  # the last head


def test_a_png_has_twice_the_pixels(shown: list[HeadStudy]) -> None:
    picture = Image.open(io.BytesIO(export.to_png(drawn(shown, LIGHT))))
    assert picture.format == "PNG"
    assert picture.width >= export.PNG_SCALE * export.WIDTH
    assert len(picture.convert("RGB").resize((60, 30)).getcolors(1800) or ()) > 4


def test_a_page_needs_no_network(shown: list[HeadStudy]) -> None:
    page = export.to_html(drawn(shown, LIGHT))
    tags = re.sub(r"(?s)(<script[^>]*>).*?</script>", r"\1", page)  # what draws it is inside
    assert "<script" in tags
    assert not re.search(r"<(script|link|img)[^>]*(src|href)\s*=", tags)
    assert "kept_by" in page
