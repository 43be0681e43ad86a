"""What cannot be shown of one study is one line, in place; the rest of the page stays."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from pruning.errors import SlimVizError
from slimviz import theme

# What reading odd but valid values may raise; anything else is a fault of the page.
ODD_VALUES = (ValueError, KeyError, ArithmeticError, IndexError, TypeError)
LONGEST_REASON = 300  # characters
logger = logging.getLogger(__name__)


@contextmanager
def guard(what: str) -> Iterator[None]:
    """Draw part of a page; where its values cannot be shown, say so in one line and go on behind the block.

    Args:
        what: the part, as the line begins ("The map of SST-2").
    """
    try:
        yield
    except SlimVizError as error:
        _say(what, str(error))
    except ODD_VALUES as error:
        logger.warning("%s cannot be shown", ascii(what), exc_info=True)
        _say(what, f"{type(error).__name__}: {error}")


def _say(what: str, reason: str) -> None:
    reason = " ".join(reason.split())
    st.error(theme.plain(f"{what} cannot be shown: {reason[:LONGEST_REASON]}"))
