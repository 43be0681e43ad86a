"""Studies with made-up numbers, and pages run without a browser."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import altair as alt
import pytest
import streamlit as st
from streamlit.components.v2.manifest_scanner import scan_component_manifests
from streamlit.testing.v1 import AppTest

from pruning.data.tasks import get_task
from pruning.study import Study, read_study
from tests.factories.study_document import edit
from tests.factories.synthetic_study import bert_shape, write_study
from tests.factories.tiny_study import write_tiny_study

APP = Path(__file__).resolve().parents[2] / "app.py"
TASKS = ("sst2", "cola", "mrpc", "stsb")
TINY_TASKS = ("sst2", "mrpc", "stsb", "mnli")
manifests_found_once = functools.cache(scan_component_manifests)


@pytest.fixture(scope="session")
def studies_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four studies of one backbone, and one of a wider and deeper one (three labels)."""
    folder = tmp_path_factory.mktemp("studies")
    for task in TASKS:
        write_study(folder, task)
    wide = bert_shape(get_task("mnli"), layers=12, heads=12, head_size=16, ffn=768)
    write_study(folder, "mnli", shape=wide, backbone="synthetic-wide")
    return folder


@pytest.fixture(scope="session")
def studies(studies_folder: Path) -> dict[str, Study]:
    """The studies of `studies_folder` by name."""
    return {folder.name: read_study(folder) for folder in sorted(studies_folder.iterdir())}


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Studies with real networks, tiny and randomly initialised."""
    folder = tmp_path_factory.mktemp("tiny")
    for task in TINY_TASKS:
        write_tiny_study(folder, task)
    few = {"rows": 1000, "sha256": "1" * 64}  # of GLUE's 67,349
    edit(folder / "sst2", lambda document: document["provenance"]["data"].update(train=few))
    return folder


@pytest.fixture(autouse=True)
def no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Odd values are faults in tests: pages say one line of errors that are ours, and let all others through."""
    monkeypatch.setattr("slimviz.widgets.guard.ODD_VALUES", ())


@pytest.fixture(autouse=True)
def valid_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a page draws is compared with Vega-Lite's schema here, since the dashboard itself does without."""
    draw = st.vega_lite_chart

    def checked(description: dict[str, Any], **settings: Any) -> Any:
        check_chart(json.dumps({name: part for name, part in description.items() if name != "datasets"}))
        return draw(description, **settings)

    monkeypatch.setattr(st, "vega_lite_chart", checked)


@functools.cache
def check_chart(description: str) -> None:
    """Compare a chart with the schema, once a process: most are drawn again and again with other rows.

    Raises:
        SchemaValidationError: it does not go with it.
    """
    alt.Chart.from_dict(json.loads(description))


@pytest.fixture(autouse=True)
def components_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest looks through all installed packages for components, for every page that it opens."""
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", manifests_found_once)


@pytest.fixture
def no_network_cached() -> Iterator[None]:
    """Nothing is left of networks that other tests loaded, and nothing is left to them."""
    from slimviz.live.networks import _load_network, _named_teacher_problem

    for cache in (_load_network, _named_teacher_problem):
        cache.clear()
    yield
    for cache in (_load_network, _named_teacher_problem):
        cache.clear()


@pytest.fixture
def threads_here() -> Iterator[Callable[[int], None]]:
    """Have torch compute with so many threads where nobody asks for fewer."""
    import torch

    from slimviz.live.networks import all_threads

    def set_threads(count: int) -> None:
        torch.set_num_threads(count)
        all_threads.cache_clear()

    before = torch.get_num_threads()
    yield set_threads
    set_threads(before)


@pytest.fixture
def look_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Make the dashboard look for studies in these folders alone, not among the shipped ones."""

    def set_folders(*folders: Path) -> None:
        monkeypatch.setattr("pruning.study.read.BUNDLED", tmp_path / "nothing-bundled")
        monkeypatch.setenv("SLIMVIZ_STUDIES", os.pathsep.join(map(str, folders)))

    return set_folders


@pytest.fixture
def open_page(look_in: Callable[..., None], studies_folder: Path) -> Callable[..., AppTest]:
    """Open a page by its URL path ("" for Overview) and URL parameters, on `studies_folder` or on other folders."""

    def open_at(path: str, *folders: Path, **parameters: str) -> AppTest:
        from streamlit.util import calc_hash

        look_in(*(folders or (studies_folder,)))
        page = AppTest.from_file(str(APP), default_timeout=120)
        if path:
            page._page_hash = calc_hash(path)  # AppTest.switch_page knows only pages that are files
        for name, value in parameters.items():
            page.query_params[name] = value
        return page.run()

    return open_at
