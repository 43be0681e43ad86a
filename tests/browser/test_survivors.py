from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.browser.conftest import settle, wait_for_parameter

if TYPE_CHECKING:
    from playwright.sync_api import Page

MAIN = "[data-testid=stMain]"


def test_the_slider_selects_again_and_redraws(visit: Callable[..., Page]) -> None:
    page = visit("/survivors?study=demo-sst2&density=10")
    assert "Equal to the shipped masks of the slim network at 10%" in page.inner_text(MAIN)
    bars = page.locator(".st-key-layer-bars svg.marks")
    before = bars.inner_html()
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_selector("text=not a trained network")
    page.wait_for_function(
        "before => document.querySelector('.st-key-layer-bars svg.marks').innerHTML !== before", arg=before
    )
    assert "density=10&" not in page.url
    slider.press("ArrowLeft")
    page.wait_for_selector("text=Equal to the shipped masks")
    wait_for_parameter(page, "density", "10")


def test_a_click_on_a_bar_opens_its_layer(visit: Callable[..., Page]) -> None:
    page = visit("/survivors?study=demo-sst2")
    bars = page.locator(".st-key-layer-bars svg.marks path[aria-roledescription='bar'][aria-label*='100.0']")
    assert bars.count() == 6
    for number in (4, 2, 4):  # back to the first one: a second click on a bar counts, too
        bars.nth(number - 1).click(position={"x": 8, "y": 8}, force=True)
        wait_for_parameter(page, "layer", str(number))
        page.wait_for_selector(f"text=Every unit of layer {number}")
    settle(page)  # the chart of the layer before may still stand there
    chart, strip = (page.locator(f".st-key-{key}").bounding_box() for key in ("layer-bars", "units"))
    assert chart is not None
    assert strip is not None
    assert strip["x"] > chart["x"] + chart["width"]  # the answer is beside what was clicked, at the same height
    assert abs(strip["y"] - chart["y"]) < 250


def test_a_deep_link_restores_layer_order_and_density(visit: Callable[..., Page]) -> None:
    page = visit("/survivors?study=demo-mrpc&density=7.31&layer=6&order=place")
    words = page.inner_text(MAIN)
    assert "Every unit of layer 6" in words
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "7.31%"
    page.locator(".st-key-units .js-plotly-plot").get_by_text("unit, as in the matrices").wait_for()


def test_units_say_what_they_are_on_hover(visit: Callable[..., Page]) -> None:
    page = visit("/survivors?study=demo-sst2&layer=1&order=place")
    strip = page.locator(".st-key-units .js-plotly-plot")
    strip.scroll_into_view_if_needed()
    settle(page)
    box = strip.bounding_box()
    assert box is not None
    for share in (0.1, 0.2, 0.3, 0.4, 0.5):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + 42)
        page.wait_for_timeout(150)
        if page.locator(".hoverlayer .hovertext").count():
            break
    assert "importance" in page.locator(".hoverlayer").first.text_content()
