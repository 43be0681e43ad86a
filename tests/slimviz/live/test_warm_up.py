"""Importing late, and warming up in the background."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from slimviz.live.networks import Network
from slimviz.live.warm_up import WARM_UP_VARIABLE, _warm_up, start_warm_up, warm_up

REPOSITORY = Path(__file__).resolve().parents[3]
Networks = Callable[[str], list[Network]]


def test_neither_module_imports_torch() -> None:
    script = (
        "import slimviz.live.warm_up, slimviz.live.run, slimviz.pages.playground, slimviz.pages.live, sys;"
        "assert not {'torch', 'transformers', 'tokenizers', 'datasets', 'peft'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimviz.live.warm_up._warm_up_started", threading.Event())
    monkeypatch.setattr("slimviz.live.warm_up.WARM_UP_DELAY", 0.0)
    monkeypatch.delenv(WARM_UP_VARIABLE, raising=False)


@pytest.mark.usefixtures("cold")
def test_no_warm_up_without_a_server_or_where_it_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start_warm_up() is False
    monkeypatch.setattr("slimviz.live.warm_up._is_server", lambda: True)
    monkeypatch.setenv(WARM_UP_VARIABLE, "0")
    assert start_warm_up() is False


@pytest.mark.usefixtures("cold")
def test_warm_up_runs_once_and_loads_what_the_first_page_will_ask_for(
    networks: Networks, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pruning.study.read.BUNDLED", tiny_folder / "nothing")
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(tiny_folder))
    monkeypatch.setenv(WARM_UP_VARIABLE, "1")
    done, warm_up = threading.Event(), _warm_up
    monkeypatch.setattr("slimviz.live.warm_up._warm_up", lambda: (warm_up(), done.set()))
    assert start_warm_up() is True
    assert start_warm_up() is False
    assert done.wait(60)

    def refuse(*arguments: object) -> None:
        raise AssertionError("loaded again")

    monkeypatch.setattr("pruning.study.networks.load_network", refuse)
    assert len(networks("mnli")) == 2  # the first by name


@pytest.mark.usefixtures("cold")
def test_a_failing_warm_up_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr("slimviz.live.warm_up.warm_up", fail)
    _warm_up()


def test_warm_up_without_studies_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruning.study.read.BUNDLED", tmp_path)
    monkeypatch.setenv("SLIMVIZ_STUDIES", "")
    warm_up()


def test_apptest_is_no_server() -> None:
    from streamlit.testing.v1 import AppTest

    def script() -> None:
        import streamlit as st

        from slimviz.live.warm_up import _is_server

        st.text(str(_is_server()))

    assert AppTest.from_function(script).run(timeout=30).text[0].value == "False"
