"""How long a person waits for the dashboard: first paint from a cold server, slider to redraw, question to answers.

python -m benchmarks.first_paint
python -m benchmarks.first_paint --studies my-studies --cold-starts 5 --repeats 20

Drives a real Chromium against `streamlit run app.py` on this machine. Times are taken inside the page, from navigation,
key press or click to the frame after the change was drawn. A cold server is a new process for each visit; before the
questions are timed, one is asked to load the networks. Prints JSON with medians. Needs requirements-dev.txt and a
Chromium; only an otherwise idle machine gives numbers worth quoting.
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

from benchmarks.dashboard import Dashboard, NotStarted, open_browser, running_dashboard

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE_MS = 120_000
HEADLINE = "What survived, and was it worth it?"
QUESTIONS = (
    "The plumber came within the hour and left everything spotless.",
    "I would not send my worst enemy to that hotel.",
    "Two hours of rain, and still nobody wanted to go home.",
    "The soup was cold, the waiter was rude and the bill was wrong.",
)
# In every page: note when something first appears, in milliseconds since navigation, once its frame is painted.
NOTE_FIRST = """
window.firstSeen = {};
const wanted = {
  headline: () => [...document.querySelectorAll('h1')].some(e => e.innerText.includes(HEADLINE)),
  first_number: () => document.querySelector('[data-testid=stMetricValue]'),
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
# From an event to the frame in which a condition holds: `window.reaction` becomes milliseconds.
WATCH = """
([event, condition, argument]) => {
  const holds = new Function('argument', `return (${condition})`);
  window.reaction = null;
  document.addEventListener(event, () => {
    const start = performance.now();
    let done = false;
    const watcher = new MutationObserver(() => {
      if (done || !holds(argument)) return;
      done = true;
      watcher.disconnect();
      requestAnimationFrame(() => setTimeout(() => { window.reaction = performance.now() - start; }));
    });
    watcher.observe(document, {childList: true, subtree: true, characterData: true, attributes: true});
  }, {capture: true, once: true});
}
"""
SETTLED = (
    "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
    " && !document.querySelector('[data-stale=\"true\"]')"
)
BARS = "(document.querySelector('.st-key-layer-bars svg.marks') || {}).innerHTML"
BARS_CHANGED = f"{BARS} && {BARS} !== argument"
ANSWERED = (
    f"{SETTLED} && document.querySelector('[data-testid=stMain]').innerText.includes('\\u201c' + argument + '\\u201d')"
)


def server(studies: Path | None) -> AbstractContextManager[Dashboard]:
    """A new dashboard process, with a further folder of studies."""
    return running_dashboard(os.environ | ({"SLIMVIZ_STUDIES": str(studies.resolve())} if studies else {}))


def new_page(browser: Browser) -> Page:
    """A page with nothing cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(NOTE_FIRST)
    return context.new_page()


def settle(page: Page) -> None:
    """Wait until the script has run and nothing is redrawn any more."""
    page.wait_for_function(f"() => document.querySelector('h1') && {SETTLED}")
    page.wait_for_timeout(300)


def first_paint(browser: Browser, studies: Path | None) -> dict[str, float | None]:
    """Overview from a cold server: milliseconds from navigation until things are painted, None for what never is."""
    with server(studies) as dashboard:
        page = new_page(browser)
        page.goto(dashboard.address, wait_until="commit")
        page.wait_for_function("() => window.firstSeen.headline")
        settle(page)
        if page.locator("[data-testid=stMetricValue]").count():
            page.wait_for_function("() => window.firstSeen.first_number && window.firstSeen.first_chart")
        seen = page.evaluate("() => window.firstSeen")
        page.context.close()
    names = ("headline", "first_number", "first_chart")
    return {"server_ready": dashboard.ready_ms} | {name: seen.get(name) for name in names}


def reaction(page: Page, event: str, condition: str, argument: Any, act: Any) -> float:
    """Milliseconds from an event, which `act` causes, to the frame in which a condition holds."""
    page.evaluate(WATCH, [event, condition, argument])
    act()
    page.wait_for_function("() => window.reaction !== null")
    return page.evaluate("() => window.reaction")


def slider_to_redraw(page: Page, address: str, query: str, repeats: int) -> list[float]:
    """Key presses on the density slider, each to a density not selected before, until the bars are redrawn."""
    page.goto(f"{address}/survivors?density=12{query}")
    page.wait_for_selector(".st-key-layer-bars svg.marks")
    settle(page)
    taken = []
    for _ in range(repeats):
        before = page.evaluate(f"() => {BARS}")
        page.get_by_role("slider").focus()
        taken.append(reaction(page, "keydown", BARS_CHANGED, before, lambda: page.keyboard.press("ArrowRight")))
        settle(page)
    return taken


def question_to_answers(page: Page, address: str, query: str, repeats: int) -> tuple[float, list[float]] | None:
    """The first question, which loads the networks, and further ones; None where no network can answer."""
    page.goto(f"{address}/play?{query.lstrip('&')}")
    settle(page)
    fields = page.locator("textarea")
    if not fields.count():
        return None
    taken = []
    for number in range(repeats + 1):
        text = f"{QUESTIONS[number % len(QUESTIONS)]} ({number})"  # never the same twice: answers are remembered
        for place in range(fields.count()):
            fields.nth(place).fill(text)
            fields.nth(place).blur()
        ask = page.get_by_role("button", name="Ask")
        taken.append(reaction(page, "click", ANSWERED, text, ask.click))
        settle(page)
    return taken[0], taken[1:]


def summary(values: Sequence[float | None]) -> dict[str, Any]:
    """Median and worst, rounded; None where something was never seen."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return {"median_ms": None, "worst_ms": None, "times": len(known)}
    return {"median_ms": round(statistics.median(known)), "worst_ms": round(max(known)), "times": len(known)}


def measure(
    browser: Browser, studies: Path | None, study: str | None, *, cold_starts: int, repeats: int
) -> dict[str, Any]:
    """All measurements, ready for JSON."""
    paints = [first_paint(browser, studies) for _ in range(cold_starts)]
    report: dict[str, Any] = {f"cold_{name}": summary([paint[name] for paint in paints]) for name in paints[0]}
    query = f"&study={study}" if study else ""
    with server(studies) as dashboard:
        page = new_page(browser)
        if paints[-1]["first_number"] is None:
            print("first_paint: no study can be shown, so only the empty page was timed", file=sys.stderr)
            return report | {"slider_to_redraw": None, "question_to_answers": None}
        report["slider_to_redraw"] = summary(slider_to_redraw(page, dashboard.address, query, repeats))
        answers = question_to_answers(page, dashboard.address, query, repeats)
        report["first_question_to_answers"] = summary([answers[0]]) if answers else None
        report["question_to_answers"] = summary(answers[1]) if answers else None
        page.context.close()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a person waits for the dashboard, in a real browser.")
    parser.add_argument("--studies", type=Path, help="a further folder of studies, beside the bundled ones")
    parser.add_argument("--study", help="the study to ask, as the dashboard's URLs name it; default: the first")
    parser.add_argument("--cold-starts", type=int, default=3, help="new servers to visit (default: 3)")
    parser.add_argument("--repeats", type=int, default=10, help="slider moves and questions (default: 10)")
    parser.add_argument("--chromium", help="path of the browser; default: the one found on PATH")
    options = parser.parse_args()
    counts = {"cold_starts": options.cold_starts, "repeats": options.repeats}
    try:
        with open_browser(options.chromium) as browser:
            report = measure(browser, options.studies, options.study, **counts)
            report["browser"] = f"Chromium {browser.version}"
    except NotStarted as error:
        sys.exit(f"first_paint: {error}")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
