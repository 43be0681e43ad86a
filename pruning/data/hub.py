"""GLUE from the Hugging Face hub, through `datasets`."""

from __future__ import annotations

from typing import Any

from pruning.data.tables import Table
from pruning.data.task import Task
from pruning.data.tasks import TASKS
from pruning.errors import DataError

HUB_NAME = "nyu-mll/glue"


def read_hub(task: Task, split: str) -> tuple[Table, str]:
    """One split of a GLUE task, and one line on where it came from."""
    where = f"hub {HUB_NAME}/{task.name}"
    if task.name not in TASKS:
        raise DataError(f"{where}: is not a GLUE task, expected one of {', '.join(TASKS)}")
    try:
        import datasets

        data: Any = datasets.load_dataset(HUB_NAME, task.name, split=split)
        names = [name for name in (*task.text, task.label) if name in data.column_names]
        return Table(where, {name: list(data[name]) for name in names}), f"{where}, split {split}"
    except Exception as error:  # whatever the network, the cache or the library raises, the remedy is the same
        reason = (str(error).strip().splitlines() or [""])[0][:200] or type(error).__name__
        raise DataError(
            f"{where}, split {split}: unreachable ({reason}); expected a network, or a folder with GLUE "
            "(--data DIR or SLIMVIZ_GLUE), or --data probe"
        ) from error
