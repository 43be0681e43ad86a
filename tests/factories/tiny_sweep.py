"""A sweep of seconds: the tiny backbone, two tasks of made-up texts in a folder of GLUE, a handful of steps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pruning.sweep.place import Place
from tests.factories.own_data import made_up
from tests.factories.tiny_backbone import write_backbone

TASKS = ("sst2", "cola")
SETTINGS = {
    "max_length": 16,
    "trainer.batch_size": 12,
    "trainer.precision": '"float32"',
    "trainer.checkpoint_steps": 2,
    "teacher.epochs": 2,
    "teacher.rank": 2,
    "slim.epochs": 1,
    "recover.steps": 4,
}


def write_material(folder: Path) -> None:
    """The backbone and both tasks' rows, below a folder."""
    write_backbone(folder / "backbone")
    for number, task in enumerate(TASKS):
        (folder / "glue" / task).mkdir(parents=True)
        for split, rows, seed in (("train", 56, 5 * number), ("validation", 20, 5 * number + 1)):
            examples = made_up(rows, seed)
            frame = pd.DataFrame({"sentence": examples.texts, "label": examples.labels})
            frame.to_parquet(folder / "glue" / task / f"{split}.parquet")


def write_sweep(
    folder: Path,
    methods: Sequence[str] = ("slim", "random"),
    tasks: Sequence[str] = TASKS,
    budgets: Sequence[float] = (0.2,),
    seeds: Sequence[int] = (0,),
) -> Path:
    """A sweep's file beside its material; see `write_material`."""
    lines = ["[settings]", f'backbone = "{folder / "backbone"}"']
    lines += [f"{name} = {value}" for name, value in SETTINGS.items()]
    cells = {"tasks": tasks, "methods": methods, "budgets": budgets, "seeds": seeds}
    lines += ["[[cells]]", *(f"{name} = {list(values)!r}" for name, values in cells.items())]
    path = folder / "tiny.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def place_of(folder: Path, name: str, workers: int = 1) -> Place:
    """Where a sweep of this material works: stages and results of its own, by name."""
    return Place(
        output=str(folder / name / "results"),
        runs=str(folder / name / "runs"),
        source=str(folder / "glue"),
        workers=workers,
    )


def quieten_or_die() -> None:
    """What a worker calls first: the first one of all, where `SLIMVIZ_TEST_DIES` names a file, dies at once."""
    from pruning.cli.machine import quieten

    marker = os.environ.get("SLIMVIZ_TEST_DIES")
    if marker and not Path(marker).exists():
        Path(marker).touch()
        os._exit(9)
    quieten()
