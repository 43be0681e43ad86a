"""Which theme the visitor sees, and drawing again when it changes.

Streamlit recolours its own parts in the browser when someone switches between light and dark, but does not run the
script again, so charts would keep the colours of the other theme (dark labels on dark ground) until the next click.
"""

from __future__ import annotations

import streamlit as st
from streamlit.components.v2 import component

from slimviz.theme import Palette, palette

WATCH_MS = 400
# Compares the ground that the page has now with the one that the script drew for, and asks for a run if they differ.
SCRIPT = """
export default function ({ data, setTriggerValue }) {
  let asked = data.drawn
  const look = () => {
    const app = document.querySelector('[data-testid="stApp"]')
    const parts = app && getComputedStyle(app).backgroundColor.match(/[0-9.]+/g)
    if (!parts) return
    const seen = 0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2] < 128 ? 'dark' : 'light'
    if (seen !== asked) {
      asked = seen
      setTriggerValue('theme', seen)
    }
  }
  const timer = setInterval(look, data.every)
  return () => clearInterval(timer)
}
"""


def current_palette() -> Palette:
    """The palette of the theme that the visitor sees."""
    return palette(st.context.theme.type)


def follow_theme() -> None:
    """Run the page again when the visitor's theme is no longer the one that it was drawn for."""
    watch = component("slimviz_theme_watch", js=SCRIPT)
    data = {"drawn": current_palette().name, "every": WATCH_MS}
    watch(key="theme-watch", data=data, height=1, on_theme_change=lambda: None)
