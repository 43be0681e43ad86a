"""Importing torch and loading the first networks in the background: the first typed text need not wait for them."""

from __future__ import annotations

import logging
import os
import threading
import time

from pruning.study import Study, list_studies
from pruning.variants import TEACHER
from slimviz.frames.budgets import default_budget, shipped_budgets
from slimviz.live.answers import predict
from slimviz.live.networks import load_networks

WARM_UP_VARIABLE = "SLIMVIZ_WARM_UP"
WARM_UP_DELAY = 2.0  # seconds that belong to the first page alone: importing torch holds the interpreter's lock
logger = logging.getLogger(__name__)
_warm_up_started = threading.Event()
_warm_up_guard = threading.Lock()


def start_warm_up() -> bool:
    """Import torch and load the first study's networks in the background, once a server; says whether it started.

    On under `streamlit run`, off in tests; SLIMVIZ_WARM_UP=0 or =1 settles it.
    """
    wanted = os.environ.get(WARM_UP_VARIABLE, "").strip().lower()
    if wanted in ("0", "off", "false", "no") or (not wanted and not _is_server()):
        return False
    with _warm_up_guard:
        if _warm_up_started.is_set():
            return False
        _warm_up_started.set()
    threading.Thread(target=_warm_up, name="slimviz-warm-up", daemon=True).start()
    return True


def _is_server() -> bool:
    """Whether this is a running server: AppTest puts a stand-in, of another type, where the runtime would be."""
    from streamlit.runtime import Runtime, exists, get_instance

    return exists() and type(get_instance()) is Runtime


def _warm_up() -> None:
    try:
        time.sleep(WARM_UP_DELAY)
        warm_up()
    except Exception:  # whatever is wrong will be said where a person asks for an answer
        logger.debug("warm-up failed", exc_info=True)


def warm_up() -> None:
    """Load the first study's networks as the Playground will ask for them, and let them answer once."""
    study = next((entry for entry in list_studies() if isinstance(entry, Study) and shipped_budgets(entry)), None)
    if study is None:
        return
    networks, _ = load_networks(study, (TEACHER, study.final(default_budget(shipped_budgets(study)))))
    if networks:
        predict(networks, "A first sentence.", "And a second one." if study.task.is_pair else None)
