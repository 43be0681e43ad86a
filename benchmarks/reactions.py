"""How long a person waits for the dashboard at every step, once its server is warm.

python -m benchmarks.reactions
python -m benchmarks.reactions --study mrpc --repeats 20

From a click or key press to: another page (each has been visited once), the bars of Survivors redrawn after a move of
the slider, both answers to a sentence typed in Playground and all of its page, its attribution to words for both
networks, and the answer without a head more. Drives a real Chromium against `streamlit run app.py` on this machine;
times are taken inside the page, until the frame after the change was drawn. At the end stands what memory the server
has taken. Prints JSON with medians. Needs requirements-dev.txt and a Chromium; only an otherwise idle machine gives
numbers worth quoting.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.dashboard import NotStarted, open_browser, settle
from benchmarks.first_paint import new_page, server, summary
from pruning.measure.memory import status_bytes
from slimviz.widgets.navigation import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

MEBIBYTE = 1 << 20
QUESTIONS = (
    "The plumber came within the hour and left everything spotless.",
    "I would not send my worst enemy to that hotel.",
    "Two hours of rain, and still nobody wanted to go home.",
    "The soup was cold, the waiter was rude and the bill was wrong.",
)
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
MAIN = "document.querySelector('[data-testid=stMain]').innerText"
HEADED = f"{SETTLED} && document.querySelector('h1')?.innerText === argument"
BARS = "(document.querySelector('.st-key-layer-bars svg.marks') || {}).innerHTML"
BARS_CHANGED = f"{BARS} && {BARS} !== argument"
ANSWERS = '[class*="st-key-answer-"]'
READ = f"{MAIN}.includes('\\u201c' + argument + '\\u201d')"
ANSWERED = (
    f"{READ} && document.querySelectorAll('{ANSWERS}').length === 2"
    f" && !document.querySelector('{ANSWERS} [data-stale=\"true\"]')"
)
WHOLE = f"{SETTLED} && {READ}"
EXPLAINED = f"{SETTLED} && new URLSearchParams(location.search).get('explain') === argument"
# The answer without a head comes first, and the examples after it.
CUT = (
    f"argument.some(text => {MAIN}.includes(text)) && [...document.querySelectorAll('p')].some("
    "p => p.innerText.startsWith('Now ') && !p.closest('[data-stale=\"true\"]'))"
)


def reaction(page: Page, event: str, condition: str, argument: Any, act: Any) -> float:
    """Milliseconds from an event, which `act` causes, to the frame in which a condition holds."""
    page.evaluate(WATCH, [event, condition, argument])
    act()
    page.wait_for_function("() => window.reaction !== null")
    return page.evaluate("() => window.reaction")


def page_switches(page: Page, address: str, repeats: int) -> Iterator[float]:
    """Clicks on every page's name in turn; all have been visited before the first that counts."""
    page.goto(address)
    settle(page)
    for turn in range(repeats + 1):
        for entry in (*PAGES[1:], PAGES[0]):
            name = page.get_by_test_id("stTopNavLink").filter(has_text=entry.title)
            taken = reaction(page, "click", HEADED, entry.question, name.click)
            settle(page)
            if turn:
                yield taken


def slider_moves(page: Page, address: str, repeats: int) -> Iterator[float]:
    """Key presses on the density slider, each to a density not selected before, until the bars are redrawn."""
    page.goto(f"{address}/survivors?density=12")
    page.wait_for_selector(".st-key-layer-bars svg.marks")
    settle(page)
    for _ in range(repeats):
        before = page.evaluate(f"() => {BARS}")
        page.get_by_role("slider").focus()
        yield reaction(page, "keydown", BARS_CHANGED, before, lambda: page.keyboard.press("ArrowRight"))
        settle(page)


def typed(page: Page, number: int) -> str:
    """Type a sentence that has not been asked before: answers are remembered."""
    text = f"{QUESTIONS[number % len(QUESTIONS)]} ({number})"
    for field in page.locator("textarea").all():
        field.fill(text)
        field.blur()
    return text


def questions(page: Page, address: str, study: str, repeats: int, condition: str) -> Iterator[float]:
    """Sentences to both networks, until a condition of the sentence holds; the networks are loaded before."""
    page.goto(f"{address}/play?study={study}")
    settle(page)
    ask = page.get_by_role("button", name="Ask both networks")
    for number in range(repeats):
        text = typed(page, number)
        yield reaction(page, "click", condition, text, ask.click)
        settle(page)


def explanations(page: Page, address: str, study: str, repeats: int) -> Iterator[float]:
    """Attributions of a sentence to its words, for both networks; a new sentence each time."""
    page.goto(f"{address}/play?study={study}")
    settle(page)
    labels = page.get_by_role("radiogroup", name="Explain, word by word")
    for number in range(repeats):
        labels.get_by_role("radio").first.click()  # nothing
        page.wait_for_function("() => new URLSearchParams(location.search).get('explain') === 'off'")
        settle(page)
        typed(page, repeats + number)
        page.get_by_role("button", name="Ask both networks").click()
        settle(page)
        yield reaction(page, "click", EXPLAINED, "0", labels.get_by_role("radio").nth(1).click)
        settle(page)


def cuts(page: Page, address: str, study: str, repeats: int) -> Iterator[float]:
    """Heads of the teacher, one more each time, until it has answered without them."""
    page.goto(f"{address}/play?study={study}")
    settle(page)
    heads: Locator = page.locator(f".st-key-surgery-cut-{study} svg.marks path[aria-roledescription='rect mark']")
    for number in range(repeats):
        said = [f"({number + 1} of {heads.count()}).", f"{number + 1} of its {heads.count()} heads are cut"]
        yield reaction(page, "click", CUT, said, partial(heads.nth(5 * number).click, force=True))
        settle(page)


def measure(page: Page, address: str, process: int, study: str, repeats: int) -> dict[str, Any]:
    """All measurements, ready for JSON."""
    report = {
        "page_switch": summary(list(page_switches(page, address, max(1, repeats // 5)))),
        "slider_to_redraw": summary(list(slider_moves(page, address, repeats))),
        "question_to_answers": summary(list(questions(page, address, study, repeats, ANSWERED))),
        "question_to_whole_page": summary(list(questions(page, address, study, repeats, WHOLE))),
        "attribution_of_both": summary(list(explanations(page, address, study, repeats))),
        "cut_head_to_answer": summary(list(cuts(page, address, study, repeats))),
    }
    memory = {key: round(status_bytes(key, process) / MEBIBYTE) for key in ("VmRSS", "VmHWM")}
    return report | {"server_mebibytes": {"now": memory["VmRSS"], "highest": memory["VmHWM"]}}


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a person waits for a warm dashboard, in a real browser.")
    parser.add_argument("--studies", type=Path, help="a further folder of studies, beside the bundled ones")
    parser.add_argument("--study", default="sst2", help="the study to ask, as the dashboard's URLs name it")
    parser.add_argument("--repeats", type=int, default=10, help="of each step (default: 10)")
    parser.add_argument("--chromium", help="path of the browser; default: the one found on PATH")
    options = parser.parse_args()
    try:
        with open_browser(options.chromium) as browser, server(options.studies) as dashboard:
            page = new_page(browser)
            report = measure(page, dashboard.address, dashboard.process, options.study, options.repeats)
            report["browser"] = f"Chromium {browser.version}"
    except NotStarted as error:
        sys.exit(f"reactions: {error}")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
