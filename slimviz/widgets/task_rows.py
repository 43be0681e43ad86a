"""The rows of Overview on the page: what was clicked, or opened by the keyboard, is the study that is open."""

from __future__ import annotations

import streamlit as st
from streamlit.components.v2 import component

from slimviz.charts.task_rows import STYLE
from slimviz.widgets import parameters

KEY = "task-rows"
# What is drawn anew on each run keeps the keyboard's place.
SCRIPT = """
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector('.place')
  const focused = root.getRootNode().activeElement?.dataset?.study
  root.innerHTML = data.html
  if (focused !== undefined) root.querySelector(`[data-study="${CSS.escape(focused)}"]`)?.focus()
  const open = event => {
    const row = event.target.closest('[data-study]')
    if (row) setTriggerValue('study', row.dataset.study)
  }
  root.addEventListener('click', open)
  return () => root.removeEventListener('click', open)
}
"""


def show_task_rows(body: str) -> None:
    """Draw what `charts.task_rows` made; a row that is opened goes to the URL as `study`."""
    rows = component("slimviz_task_rows", html='<div class="place"></div>', css=STYLE, js=SCRIPT)
    rows(key=KEY, data={"html": body}, on_study_change=_open)


def _open() -> None:
    study = st.session_state[KEY].get("study")
    if study:
        parameters.change(study=study)
