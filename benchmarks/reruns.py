"""What the server spends on a page: processor time of one run of its script, by page, without a browser.

python -m benchmarks.reruns
python -m benchmarks.reruns --runs 20 --pages heads play

A click on a page runs its script again; this is what that costs the server, so that a change to a page shows where many
people share a machine and a browser's own work would hide it. Each page is opened and run once before it is measured,
with the studies that ship. Runs are counted in seconds of the processor (all threads of this process), which other
work on the machine disturbs less than the clock. Prints JSON. No browser is needed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from slimviz.widgets.navigation import PAGES

APP = Path(__file__).resolve().parents[1] / "app.py"
SECONDS = 300  # that a page may take
NAMES = {entry.path or entry.module: entry.path for entry in PAGES}


def opened(path: str) -> AppTest:
    """A page by its URL's path, run twice: what a first visitor loads is there then."""
    page = AppTest.from_file(str(APP), default_timeout=SECONDS)
    if path:
        page._page_hash = calc_hash(path)  # AppTest.switch_page knows only pages that are files
    return page.run().run()


def measure(names: list[str], runs: int) -> dict[str, Any]:
    """Median milliseconds of the processor, by page.

    Raises:
        RuntimeError: a page failed, so that its time means nothing.
    """
    found = {}
    for name in names:
        page = opened(NAMES[name])
        spent = []
        for _ in range(runs):
            before = time.process_time()
            page.run()
            spent.append(1000 * (time.process_time() - before))
        if page.exception:
            raise RuntimeError(f"page {name}: {page.exception[0].message}")
        found[name] = round(median(spent))
    return {"runs": runs, "processor_ms": found}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Processor time of one run of each page's script.")
    parser.add_argument("--runs", type=int, default=10, help="of each page (default: 10)")
    parser.add_argument("--pages", nargs="+", choices=tuple(NAMES), default=list(NAMES), help="default: all")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error(f"--runs {options.runs}: expected at least 1")
    logging.disable(logging.WARNING)  # Streamlit's, that there is no browser
    os.environ["SLIMVIZ_STUDIES"] = ""
    try:
        print(json.dumps(measure(options.pages, options.runs), indent=2))
    except RuntimeError as error:
        print(f"reruns: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
