"""How long a person waits for Overview from a cold server.

python -m benchmarks.first_paint
python -m benchmarks.first_paint --studies my-studies --cold-starts 5

Drives a real Chromium against `streamlit run app.py` on this machine. Times are taken inside the page, from navigation
to the frame after a thing was drawn. A cold server is a new process for each visit. Prints JSON with medians. Needs
requirements-dev.txt and a Chromium; only an otherwise idle machine gives numbers worth quoting.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.dashboard import Dashboard, NotStarted, open_browser, running_dashboard, settle

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE_MS = 120_000
HEADLINE = "What survived, and was it worth it?"
# In every page: note when something first appears, in milliseconds since navigation, once its frame is painted.
NOTE_FIRST = """
window.firstSeen = {};
const wanted = {
  headline: () => [...document.querySelectorAll('h1')].some(e => e.innerText.includes(HEADLINE)),
  first_number: () => /\\d/.test(document.querySelector('.st-key-figures')?.innerText),
  first_chart: () => document.querySelector('[role=img][aria-label^="What is left of"]'),
};
new MutationObserver(() => {
  for (const [name, seen] of Object.entries(wanted)) {
    if (name in window.firstSeen || !seen()) continue;
    window.firstSeen[name] = null;
    requestAnimationFrame(() => setTimeout(() => { window.firstSeen[name] = performance.now(); }));
  }
}).observe(document, {childList: true, subtree: true, characterData: true});
""".replace("HEADLINE", json.dumps(HEADLINE))


def server(studies: Path | None) -> AbstractContextManager[Dashboard]:
    """A new dashboard process, with a further folder of studies."""
    return running_dashboard(os.environ | ({"SLIMVIZ_STUDIES": str(studies.resolve())} if studies else {}))


def new_page(browser: Browser) -> Page:
    """A page with nothing cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(NOTE_FIRST)
    return context.new_page()


def first_paint(browser: Browser, studies: Path | None) -> dict[str, float | None]:
    """Overview from a cold server: milliseconds from navigation until things are painted, None for what never is."""
    with server(studies) as dashboard:
        page = new_page(browser)
        page.goto(dashboard.address, wait_until="commit")
        page.wait_for_function("() => window.firstSeen.headline")
        settle(page)
        if page.locator(".st-key-figures").count():
            page.wait_for_function("() => window.firstSeen.first_number && window.firstSeen.first_chart")
        seen = page.evaluate("() => window.firstSeen")
        page.context.close()
    names = ("headline", "first_number", "first_chart")
    return {"server_ready": dashboard.ready_ms} | {name: seen.get(name) for name in names}


def summary(values: Sequence[float | None]) -> dict[str, Any]:
    """Median and worst, rounded; None where something was never seen."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return {"median_ms": None, "worst_ms": None, "times": len(known)}
    return {"median_ms": round(statistics.median(known)), "worst_ms": round(max(known)), "times": len(known)}


def measure(browser: Browser, studies: Path | None, cold_starts: int) -> dict[str, Any]:
    """All visits, ready for JSON."""
    paints = [first_paint(browser, studies) for _ in range(cold_starts)]
    if paints[-1]["first_number"] is None:
        print("first_paint: no study can be shown, so only the empty page was timed", file=sys.stderr)
    return {f"cold_{name}": summary([paint[name] for paint in paints]) for name in paints[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a person waits for Overview from a cold server.")
    parser.add_argument("--studies", type=Path, help="a further folder of studies, beside the bundled ones")
    parser.add_argument("--cold-starts", type=int, default=3, help="new servers to visit (default: 3)")
    parser.add_argument("--chromium", help="path of the browser; default: the one found on PATH")
    options = parser.parse_args()
    try:
        with open_browser(options.chromium) as browser:
            report = measure(browser, options.studies, options.cold_starts)
            report["browser"] = f"Chromium {browser.version}"
    except NotStarted as error:
        sys.exit(f"first_paint: {error}")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
