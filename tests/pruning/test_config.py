"""Every knob survives JSON, and a value that cannot work is refused in one line."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from pruning.bert.shapes import Site
from pruning.config import PRESETS, StudyConfig, percent_name
from pruning.errors import ConfigError
from pruning.selection.settings import SelectionSettings

CHANGED = StudyConfig(
    backbone="folder",
    seed=3,
    max_length=64,
    penalty="l1",
    sites=(Site.FFN_HIDDEN, Site.ATTENTION_CONTEXT),
    budgets=(0.1, 0.025),
    ship=(0.025,),
    selection=SelectionSettings(round_to=8, sites=(Site.FFN_HIDDEN,), table_share=0.4),
    hidden_weight=2.5,
)


@pytest.mark.parametrize("config", [StudyConfig(), CHANGED], ids=["defaults", "changed"])
def test_json_and_back(config: StudyConfig) -> None:
    assert StudyConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_every_knob_is_documented() -> None:
    documented = StudyConfig.__doc__ or ""
    for name in (knob.name for knob in dataclasses.fields(StudyConfig)):
        assert f"\n        {name}: " in documented, name


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_configurations(name: str) -> None:
    config = StudyConfig(**PRESETS[name])
    assert config.resolve(1000).teacher_epochs >= 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"precision": "float16"}, "precision 'float16': expected one of auto, float32, bfloat16"),
        ({"teacher": "frozen"}, "teacher 'frozen': expected one of adapter, full"),
        ({"penalty": "l2"}, "penalty 'l2': expected one of log, l1, l0"),
        ({"seed": -1}, "seed -1: expected 0 or more"),
        ({"batch_size": -8}, "batch_size -8: expected 0 or more"),
        ({"train_rows": -1}, "train_rows -1: expected 0 or more"),
        ({"teacher_epochs": -1}, "teacher_epochs -1: expected 0 or more"),
        ({"slim_epochs": -1}, "slim_epochs -1: expected 0 or more"),
        ({"recover_epochs": -1}, "recover_epochs -1: expected 0 or more"),
        ({"adapter_rank": 0}, "adapter_rank 0: expected at least 1"),
        ({"checkpoint_steps": 0}, "checkpoint_steps 0: expected at least 1"),
        ({"max_length": 7}, "max_length 7: expected 8 to 512 tokens"),
        ({"max_length": 513}, "max_length 513: expected 8 to 512 tokens"),
        ({"budgets": (0.1, 1.2)}, "budget total_density=1.2: expected a ratio above 0 and at most 1"),
        ({"budgets": (0.0,)}, "budget total_density=0.0: expected a ratio above 0 and at most 1"),
        ({"budgets": ()}, "budgets: none given, expected at least one total density such as 0.1"),
    ],
)
def test_values_out_of_range(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        StudyConfig(**wrong)
    assert str(caught.value) == message


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match=r"^study configuration: unknown keys depth, width$"):
        StudyConfig.from_json({"seed": 1, "width": 2, "depth": 3})
    with pytest.raises(ConfigError, match=r"^sites: 'ffn' is unknown, expected some of hidden, attention_input, .*"):
        StudyConfig.from_json({"sites": ["ffn_hidden", "ffn"]})
    for wrong in ({"sites": ["ffn"]}, {"magic": 1}):
        with pytest.raises(ConfigError, match=r"^study configuration: selection: .*(ffn|magic)"):
            StudyConfig.from_json({"selection": wrong})


def test_budgets_are_distinct_and_fall() -> None:
    config = StudyConfig(budgets=(0.05, 0.5, 0.05, 0.1), ship=(0.1, 0.2))
    assert config.budgets == (0.5, 0.1, 0.05)
    assert config.ship == (0.1,)  # only what is computed can be shipped


def test_the_slim_network_keeps_as_many_positions_as_texts_may_have_tokens() -> None:
    assert StudyConfig(max_length=64).selection.positions == 64
    assert StudyConfig(selection=SelectionSettings(positions=16)).selection.positions == 128


@pytest.mark.parametrize("rows", [300, 20_000, 60_000])
def test_what_is_left_open_is_filled_in_by_rows(rows: int) -> None:
    config = StudyConfig().resolve(rows)
    assert min(config.batch_size, config.teacher_epochs, config.slim_epochs, config.recover_epochs) > 0
    assert config.resolve(10**6) == config  # what is settled stays
    chosen = StudyConfig(batch_size=4, teacher_epochs=1, slim_epochs=2, recover_epochs=5)
    assert chosen.resolve(rows) == chosen


def test_fewer_rows_are_seen_more_often() -> None:
    few, some, many = (StudyConfig().resolve(rows) for rows in (300, 20_000, 60_000))
    for name in ("teacher_epochs", "slim_epochs", "recover_epochs"):
        assert getattr(few, name) >= getattr(some, name) >= getattr(many, name)


@pytest.mark.parametrize("rows", [2_490, 3_668, 5_749, 8_551, 20_000, 67_349])
def test_slimming_takes_enough_steps_to_tell_units_apart(rows: int) -> None:
    """A factor moves by about `alpha_rate` a step at most, half that on average as the rate falls; it starts at 1."""
    config = StudyConfig().resolve(rows)
    steps = config.slim_epochs * rows // config.batch_size
    assert steps * config.alpha_rate / 2 > 1


def test_recovery_takes_less_where_less_was_lost() -> None:
    config = StudyConfig(recover_epochs=9)
    assert config.recovery_epochs(0.1) == 9
    assert 1 <= config.recovery_epochs(0.5) < 9
    assert StudyConfig(recover_epochs=1).recovery_epochs(0.5) == 1


@pytest.mark.parametrize(("budget", "name"), [(0.1, "10"), (0.025, "2.5"), (0.05, "5"), (1.0, "100"), (0.29, "29")])
def test_variants_are_named_by_percent(budget: float, name: str) -> None:
    assert percent_name(budget) == name
