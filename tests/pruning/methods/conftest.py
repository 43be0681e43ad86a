"""A tiny teacher with its factors and answers, which every method starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pruning.config import StudyConfig, with_settings
from pruning.data import StudyData, custom_task
from pruning.methods.shared import Shared, learn_shared
from pruning.selection.budget import Budget
from pruning.stages import Stages
from pruning.training.context import Context
from pruning.training.prepare import inputs_of, prepare
from tests.factories.own_data import made_up
from tests.factories.quick_run import SETTINGS, frozen_garbage
from tests.factories.tiny_backbone import write_backbone

OF_DEFAULT = {"stages", "criterion", "selection.attention_preference", "recover_epochs"}
STEPS = 4
HALF, FIFTH = (Budget("total_density", value) for value in (0.5, 0.2))


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with frozen_garbage():
        yield


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="package")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    folder = tmp_path_factory.mktemp("backbones") / "tiny"
    write_backbone(folder)
    settings = {name: value for name, value in SETTINGS.items() if name not in OF_DEFAULT}
    settings |= {"backbone": str(folder), "recover.steps": STEPS, "budgets": (0.5, 0.2), "ablation_rows": 0}
    task = custom_task("own", ("text",), ("no", "yes"))
    data = StudyData(task, made_up(56, 0), {"validation": made_up(20, 1)}, "file own.csv")
    return prepare(with_settings(StudyConfig(), settings), data, device="cpu", quiet=True)


@pytest.fixture(scope="package")
def shared(context: Context, runs: Path) -> Shared:
    return learn_shared(context, Stages(runs / "own", inputs_of(context)))
