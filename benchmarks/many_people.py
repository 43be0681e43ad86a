"""Many people at Playground at once: whether each gets the answer to their own sentence, and how long they wait.

python -m benchmarks.many_people                        20 people, sst2
python -m benchmarks.many_people --people 5 --rounds 2 --within 0

Each person is a browser context of its own at one server, and asks sentences that nobody else asks, one a round, at a
moment drawn from the round's seconds (seed 0); `--within 0`: all at the same moment. What their pages say is compared
with what the networks say when they are asked alone. Times are taken inside the pages, from click to the frame after
the answers were drawn, and contain what so many pages cost this machine's processor; so the processor's seconds that
the server itself took for a question, all of its page included, are told beside them. Prints JSON. Needs
requirements-dev.txt and a Chromium; Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.dashboard import NotStarted, open_browser, running_dashboard, settle
from benchmarks.first_paint import new_page
from benchmarks.reactions import ANSWERED, MEBIBYTE, QUESTIONS, WATCH
from pruning import load_study
from pruning.measure.answers import probabilities
from pruning.measure.memory import status_bytes
from slimviz.widgets.answer import label_text, probability_text

if TYPE_CHECKING:
    from playwright.sync_api import Page

STUDY, NETWORKS = "sst2", ("teacher", "slim-10")
ASK = "delay => setTimeout(() => document.querySelector('[data-testid=stFormSubmitButton] button').click(), delay)"
SAID = "() => [...document.querySelectorAll('p')].map(p => p.innerText).find(text => /^They (dis)?agree/.test(text))"


def question(person: int, turn: int) -> str:
    """A sentence that only this person types, and only once."""
    return f"{QUESTIONS[(person + turn) % len(QUESTIONS)]} ({person}, {turn})"


def answers_alone(questions: list[str]) -> list[list[str]]:
    """What a page has to say of each question, one text a network, as the networks answer it by itself."""
    study = load_study(STUDY)
    said = []
    for text in questions:
        found = [probabilities(study.logits(variant, [text]))[0] for variant in NETWORKS]
        said.append([f"{label_text(study.task, int(p.argmax()))} ({probability_text(float(p.max()))}" for p in found])
    return said


def ask_all(pages: list[Page], questions: list[str], moments: list[float]) -> list[float]:
    """Everybody asks their question after so many seconds; milliseconds until each is answered."""
    for page, text in zip(pages, questions, strict=True):
        page.locator("textarea").fill(text)
        page.locator("textarea").blur()
        settle(page)
        page.evaluate(WATCH, ["click", ANSWERED, text])
    for page, seconds in zip(pages, moments, strict=True):
        page.evaluate(ASK, 1000 * seconds)
    for page in pages:
        page.wait_for_function("() => window.reaction !== null")
    return [page.evaluate("() => window.reaction") for page in pages]


def processor_seconds(process: int) -> float:
    """That a process has taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")  # in user mode and in the kernel


def measure(people: int, rounds: int, within: float) -> dict[str, Any]:
    """All rounds, ready for JSON."""
    moments = np.random.default_rng(0)
    waits: list[float] = []
    wrong: list[str] = []
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    with open_browser() as browser, running_dashboard(environment) as dashboard:
        pages = [new_page(browser) for _ in range(people)]
        for page in pages:
            page.goto(f"{dashboard.address}/play?study={STUDY}")
            page.wait_for_selector("textarea")
            settle(page)
        begun = status_bytes("VmRSS", dashboard.process)
        spent = processor_seconds(dashboard.process)
        for turn in range(rounds):
            questions = [question(person, turn) for person in range(people)]
            waits += ask_all(pages, questions, moments.uniform(0, within, people).tolist())
            for page, text, wanted in zip(pages, questions, answers_alone(questions), strict=True):
                settle(page)
                said = str(page.evaluate(SAID))
                if not all(words in said for words in wanted):
                    wrong.append(f"{text}: {said!r}, expected {wanted}")
        spent = processor_seconds(dashboard.process) - spent
        ended, highest = (status_bytes(key, dashboard.process) for key in ("VmRSS", "VmHWM"))
    return {
        "study": STUDY,
        "people": people,
        "rounds": rounds,
        "within_seconds": within,
        "answers": len(waits),
        "wrong_answers": wrong,
        "wait_ms": {f"p{share}": round(float(np.percentile(waits, share))) for share in (50, 95, 100)},
        "server_processor_seconds_a_question": round(spent / len(waits), 3),
        "server_mebibytes": {
            "all_pages_open": round(begun / MEBIBYTE),
            "after_all_rounds": round(ended / MEBIBYTE),
            "highest": round(highest / MEBIBYTE),
        },
    }


def main() -> int:
    """Measure and print; the exit code is 1 where somebody got a wrong answer."""
    parser = argparse.ArgumentParser(description="Many people asking Playground at once, in a real browser.")
    parser.add_argument("--people", type=int, default=20, help="browser contexts (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="questions of each (default: 3)")
    parser.add_argument("--within", type=float, default=10.0, help="seconds of a round (default: 10)")
    options = parser.parse_args()
    try:
        report = measure(options.people, options.rounds, options.within)
    except NotStarted as error:
        print(f"many_people: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 1 if report["wrong_answers"] else 0


if __name__ == "__main__":
    sys.exit(main())
