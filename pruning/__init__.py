"""SlimViz's backend: prune BERT for a task by neural slimming. Importing it loads neither torch nor transformers.

study = pruning.load_study("sst2")
study.logits("slim-10", ["a warm, funny film"])
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pruning.version import VERSION

if TYPE_CHECKING:
    from pruning.study import BrokenStudy, Study

__version__ = VERSION


def load_study(name_or_folder: str | Path) -> Study:
    """A stored study, by its name (a shipped one's, or one in a folder that SLIMVIZ_STUDIES names) or its folder.

    Raises:
        pruning.errors.StoreError: if there is none, or it cannot be read.
    """
    from pruning.study import find_study

    return find_study(name_or_folder)


def list_studies() -> list[Study | BrokenStudy]:
    """All stored studies, the shipped ones first; folders that cannot be read come as `BrokenStudy` with a reason."""
    from pruning.study import list_studies as read_all

    return read_all()
