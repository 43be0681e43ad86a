"""What a sweep consists of: a TOML file to its cells, in order."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from pruning.config import StudyConfig, with_settings
from pruning.data.tasks import TASKS
from pruning.errors import ConfigError, quoted
from pruning.methods.registry import METHODS
from pruning.records import Density, Name, Record, Seed, expectation, shown
from pruning.selection.budget import Budget
from pruning.variants import Variant

Names = Annotated[tuple[str, ...], Meta(min_length=1)]


class Block(Record, frozen=True):
    """Cells that are every combination of what is named.

    Attributes:
        tasks: of GLUE.
        methods: of the registry.
        budgets: ratios of the settings' `budget_kind`.
        seeds: of methods' draws and training; teacher and importance have the settings' own.
    """

    tasks: Names
    methods: Names
    budgets: Annotated[tuple[Density, ...], Meta(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)] = (0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        for what, names, known in (("task", self.tasks, TASKS), ("method", self.methods, METHODS)):
            for name in names:
                if name not in known:
                    raise ConfigError(f"{what} {quoted(name)}: expected one of {', '.join(known)}")
        for name in self.methods:
            if METHODS[name].keeps_all and min(self.budgets) < 1:
                raise ConfigError(f"method {name}: removes no parameter, expected a budget of 1")


class SweepFile(Record, frozen=True):
    """A sweep as it is written down.

    Attributes:
        cells: blocks, in the order that they are to be made in.
        settings: of every cell, by their names in `config.py`; a stage's may stand in a table of its own.
        task_settings: further ones, by task.
    """

    label: ClassVar[str] = "sweep: "

    cells: Annotated[tuple[Block, ...], Meta(min_length=1)]
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    task_settings: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


class Cell(Record, frozen=True):
    """One network of a sweep.

    Attributes:
        task: of GLUE.
        method: of the registry.
        budget: that is asked for.
        seed: of the method's draws and training.
        settings: of its study; `budgets` names this cell's alone.
    """

    task: Name
    method: str
    budget: Budget
    seed: Seed
    settings: StudyConfig

    @property
    def variant(self) -> Variant:
        """Which network of its task: "kwon-10", "random-10-seed1"."""
        return Variant(self.method, self.budget.name, None if self.seed == self.settings.seed else self.seed)

    @property
    def name(self) -> str:
        """How people and files call it: "mrpc/kwon-10"."""
        return f"{self.task}/{self.variant.name}"


def read_sweep(path: Path) -> tuple[Cell, ...]:
    """The cells that a file describes, each once.

    Raises:
        ConfigError: it cannot be read, or says something that no sweep can have.
    """
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
        file = msgspec.convert(plain, SweepFile)
    except OSError as error:
        raise ConfigError(f"sweep {path}: {error.strerror or 'cannot be read'}, expected a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"sweep {path.name}: is not TOML: {error}") from None
    except msgspec.ValidationError as error:
        _, _, place = str(error).replace("`", "").partition(" - at $")
        raise ConfigError(f"sweep {path.name}: {place.lstrip('.')}: {expectation(error)}") from None
    return tuple(dict.fromkeys(_cells(file)))


def _cells(file: SweepFile) -> Iterator[Cell]:
    """All of them; neighbours are of different tasks, so that several workers do not wait for one teacher."""
    for name in file.task_settings:
        if not any(name in block.tasks for block in file.cells):
            raise ConfigError(f"sweep: task_settings of {shown(name)}, expected a task that some cells have")
    for block in file.cells:
        settings = {task: _settings(file, task) for task in block.tasks}
        for value in block.budgets:
            for method in block.methods:
                for seed in block.seeds:
                    for task, config in settings.items():
                        own = config.replace(budgets=(value,), ship=())
                        yield Cell(task, method, Budget(config.budget_kind, value), seed, own)


def _settings(file: SweepFile, task: str) -> StudyConfig:
    values = _flat(file.settings) | _flat(file.task_settings.get(task, {}))
    for name in ("method", "budgets", "ship", "recover.seeds"):
        if name in values:
            raise ConfigError(f"sweep: settings name {name}, which the cells settle")
    return with_settings(StudyConfig(), {"ablation_rows": 0, **values})


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Settings by dotted names, however they were nested; TOML's lists as settings have them."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = tuple(value) if isinstance(value, list) else value
    return found
