from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from slimviz.theme import LIGHT
from tests.browser.conftest import PHONE, press, settle, wait_for_parameter

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ADDRESS = "/heads?studies=demo-sst2,demo-mrpc,demo-stsb&study=demo-sst2"
MAPS = ("heads-of-demo-sst2", "heads-of-demo-mrpc", "heads-of-demo-stsb", "difference")


def cell(page: Page, key: str, layer: int, head: int) -> Locator:
    """A head's cell on one of the maps."""
    label = f"head: {head}; layer: {layer};"
    return page.locator(f".st-key-{key} svg.marks path[aria-roledescription='rect mark'][aria-label^='{label}']").first


def outlines(page: Page, key: str) -> int:
    return page.locator(f".st-key-{key} svg.marks path[stroke='{LIGHT.outline}']").count()


def left_of(part: Locator) -> float:
    return part.evaluate("e => e.getBoundingClientRect().left")


def top_of(part: Locator) -> float:
    return part.evaluate("e => e.getBoundingClientRect().top")


def test_a_clicked_head_is_outlined_on_every_map_and_has_a_card(visit: Callable[..., Page]) -> None:
    page = visit(ADDRESS)
    assert all(outlines(page, key) == 0 for key in MAPS)
    press(cell(page, "heads-of-demo-sst2", 2, 5))
    wait_for_parameter(page, "head", "2-5")
    page.wait_for_selector("h3:has-text('Layer 2, head 5')")
    settle(page)
    assert [outlines(page, key) for key in MAPS] == [1, 1, 1, 1]
    card, first = page.locator(".st-key-head-card"), page.locator(".st-key-heads-of-demo-sst2")
    assert left_of(first) < left_of(card)
    assert -60 < top_of(card) < 720  # beside the map that was clicked, in sight
    press(cell(page, "heads-of-demo-mrpc", 6, 12))
    wait_for_parameter(page, "head", "6-12")
    press(cell(page, "heads-of-demo-sst2", 2, 5))  # again, after another map
    wait_for_parameter(page, "head", "2-5")
    press(cell(page, "heads-of-demo-sst2", 2, 5))  # and off
    wait_for_parameter(page, "head", "none")
    page.wait_for_selector("h3:has-text('Layer 2, head 5')", state="detached")


def test_on_a_phone_the_card_stands_above_the_maps(visit: Callable[..., Page]) -> None:
    page = visit(f"{ADDRESS}&head=3-7", size=PHONE)
    assert top_of(page.locator(".st-key-head-card")) < top_of(page.locator(".st-key-heads-of-demo-sst2"))


def test_the_difference_map_can_be_clicked_too(visit: Callable[..., Page]) -> None:
    page = visit(ADDRESS)
    press(cell(page, "difference", 3, 3))
    wait_for_parameter(page, "head", "3-3")


def test_a_deep_link_opens_the_card_and_leads_to_the_playground(visit: Callable[..., Page]) -> None:
    page = visit(f"{ADDRESS}&head=3-7&criterion=head_gradient")
    assert page.locator("h3:has-text('Layer 3, head 7')").count() == 1
    assert [outlines(page, key) for key in MAPS] == [1, 1, 1, 1]
    box = page.locator("[data-testid=stSelectbox]", has_text="Importance by")
    assert box.get_by_role("combobox").input_value() == "Head gradient"
    address = page.locator("[data-testid=stPageLink] a", has_text="MRPC").get_attribute("href")
    assert address is not None
    assert "play?" in address
    assert "head=3-7" in address
    assert "study=demo-mrpc" in address


def test_backbones_of_other_shapes_have_maps_of_their_own(visit: Callable[..., Page]) -> None:
    page = visit("/heads?study=wide-mnli")
    cells = page.locator(".st-key-heads-of-wide-mnli svg.marks path[aria-roledescription='rect mark']")
    cells.first.wait_for()
    assert cells.count() == 144
    assert page.locator(".st-key-heads-of-demo-sst2").count() == 0


def test_maps_have_a_table_twin(visit: Callable[..., Page]) -> None:
    page = visit(ADDRESS)
    page.get_by_text("The same as a table").click()
    page.wait_for_selector("[data-testid=stDataFrame]")


def test_a_chart_and_its_data_can_be_downloaded(visit: Callable[..., Page], tmp_path: Path) -> None:
    page = visit("/heads?studies=demo-sst2,demo-mrpc")
    page.get_by_text("Download a chart or its data").click()
    for kind, begins in (("SVG", "<svg "), ("CSV", "layer,head,keepers")):
        with page.expect_download() as arriving:
            page.get_by_role("button", name=kind, exact=True).first.click()
        path = tmp_path / arriving.value.suggested_filename
        arriving.value.save_as(path)
        assert path.name == f"slimviz-heads-by-how-many-tasks-each-head-is-kept.{kind.lower()}"
        assert path.read_text(encoding="utf-8").startswith(begins)
