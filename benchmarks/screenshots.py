"""The README's pictures of the dashboard, taken anew: real pages of the studies that ship, in a real browser.

python -m benchmarks.screenshots                    writes assets/screenshots
python -m benchmarks.screenshots heads playground   only these
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.dashboard import ROOT, NotStarted, open_browser, running_dashboard, settle

WIDTH = 1280
PATIENCE_MS = 300_000  # networks are loaded before the first answer, on a machine that may be busy
SCREENSHOTS = {  # name -> page, and how much of it is shown, in pixels
    "overview": ("/", 720),
    "heads": ("/heads?kept=all", 720),
    "playground": ("/play?study=sst2&explain=1", 1500),
}


def _page(name: str) -> str:
    if name not in SCREENSHOTS:
        raise argparse.ArgumentTypeError(f"{name!r}: expected one of {', '.join(SCREENSHOTS)}")
    return name


def main(arguments: list[str] | None = None) -> int:
    """Take them; the exit code."""
    parser = argparse.ArgumentParser(description="Screenshots of the dashboard as the README shows them.")
    parser.add_argument("pages", nargs="*", type=_page, help=f"which of {', '.join(SCREENSHOTS)}; default: all")
    parser.add_argument("--to", type=Path, default=ROOT / "assets" / "screenshots", help="folder they are written to")
    options = parser.parse_args(arguments)
    options.to.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    try:
        with running_dashboard(environment) as dashboard, open_browser() as browser:
            for name in options.pages or SCREENSHOTS:
                address, height = SCREENSHOTS[name]
                context = browser.new_context(viewport={"width": WIDTH, "height": height}, color_scheme="light")
                context.set_default_timeout(PATIENCE_MS)
                page = context.new_page()
                page.goto(dashboard.address + address, wait_until="domcontentloaded")
                page.wait_for_selector("h1")
                settle(page)
                path = options.to / f"{name}.png"
                page.screenshot(path=path)
                print(path)
                context.close()
    except NotStarted as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
