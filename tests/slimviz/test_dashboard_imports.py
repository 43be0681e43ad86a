"""Pages of stored results must paint without the heavy libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
for path in ("", "tradeoffs", "advice", "study", "survivors", "heads", "anatomy"):
    page = AppTest.from_file("app.py", default_timeout=120)
    if path:
        page._page_hash = calc_hash(path)
    page.run()
    assert not page.exception and not page.error and not page.info, path
    assert page.title, path
heavy = {"torch", "transformers", "datasets", "captum", "peft", "tokenizers", "scipy", "sklearn"}
loaded = heavy & set(sys.modules)
assert not loaded, loaded
print("painted")
"""


def test_pages_of_stored_results_import_nothing_heavy(studies_folder: Path) -> None:
    environment = os.environ | {"SLIMVIZ_STUDIES": str(studies_folder)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "painted" in done.stdout


def test_charts_and_frames_import_no_streamlit() -> None:
    modules = [f"slimviz.{name}" for name in ("anatomy_in_words", "sentences", "study_in_words", "theme", "state")]
    for package in ("frames", "charts"):
        files = (REPOSITORY / "slimviz" / package).glob("*.py")
        modules += [f"slimviz.{package}.{path.stem}" for path in files]
    script = f"import {', '.join(modules)}, sys; assert 'streamlit' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
