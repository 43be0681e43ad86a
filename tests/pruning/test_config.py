"""Every setting survives JSON, and a value that cannot work is refused in one line when the settings are made."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import pytest

from pruning import config as settings
from pruning.bert.shapes import Site
from pruning.config import FLAT_NAMES, PRESETS, StudyConfig, parse_settings, with_settings
from pruning.errors import ConfigError
from pruning.records import Record
from pruning.selection.settings import SelectionSettings

CHANGED = {
    "backbone": "folder",
    "seed": 3,
    "max_length": 64,
    "slim.penalty": "l1",
    "slim.sites": (Site.FFN_HIDDEN, Site.ATTENTION_CONTEXT),
    "budgets": (0.1, 0.025),
    "ship": (0.025,),
    "selection": SelectionSettings(round_to=8, sites=(Site.FFN_HIDDEN,), table_share=0.4),
    "recover.hidden_weight": 2.5,
}


SLIMMING = PRESETS["slimming"]


def made(**values: Any) -> StudyConfig:
    return with_settings(StudyConfig(), values)


def all_settings() -> list[str]:
    """Dotted names of every setting."""
    names = []
    for name in StudyConfig.__struct_fields__:
        stage = getattr(StudyConfig(), name)
        names += [f"{name}.{field}" for field in stage.__struct_fields__] if isinstance(stage, Record) else [name]
    return names


@pytest.mark.parametrize("changes", [{}, CHANGED], ids=["defaults", "changed"])
def test_json_and_back(changes: dict[str, Any]) -> None:
    config = made(**changes)
    assert msgspec.json.decode(msgspec.json.encode(config), type=StudyConfig) == config


def test_every_setting_is_documented() -> None:
    kinds = [kind for _, kind in inspect.getmembers(settings, inspect.isclass) if issubclass(kind, Record)]
    for kind in kinds:
        for name in kind.__struct_fields__:
            assert f"\n        {name}: " in (kind.__doc__ or ""), (kind, name)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_configurations(name: str) -> None:
    assert made(**PRESETS[name]).resolve(1000).teacher.epochs >= 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"trainer.precision": "float16"}, "trainer.precision 'float16': expected one of auto, float32, bfloat16"),
        ({"teacher.tuning": "frozen"}, "teacher.tuning 'frozen': expected one of adapter, full"),
        ({"slim.penalty": "l2"}, "slim.penalty 'l2': expected one of log, l1, l0"),
        ({"criterion": "typo"}, "criterion 'typo': expected one of alpha, sensitivity, taylor, "),
        ({"budget_kind": "size"}, "budget_kind 'size': expected one of total_density, encoder_density, "),
        ({"recover.transfer": ("mnli", "typo")}, "recover.transfer 'typo': expected one of cola, sst2, "),
        ({"slim.sites": ()}, "slim.sites '': expected list of length >= 1"),
        ({"slim.sites": ("ffn",)}, "slim.sites 'ffn': expected some of hidden, attention_input, "),
        ({"slim.sites": (Site.HIDDEN,) * 2}, "slim.sites 'hidden,hidden': names 'hidden' twice, expected each once"),
        ({"seed": -1}, "seed -1: expected int >= 0"),
        ({"seed": 2**32}, "seed 4294967296: expected int <= 4294967295"),
        ({"seed": 1.5}, "seed 1.5: expected int"),
        ({"backbone": 3}, "backbone 3: expected str"),
        ({"max_length": 7}, "max_length 7: expected int >= 8"),
        ({"max_length": 513}, "max_length 513: expected int <= 512"),
        ({"train_rows": -1}, "train_rows -1: expected int >= 0"),
        ({"trainer.batch_size": -8}, "trainer.batch_size -8: expected int >= 0"),
        ({"trainer.checkpoint_steps": 0}, "trainer.checkpoint_steps 0: expected int >= 1"),
        ({"trainer.checkpoint_steps": 10**12}, "trainer.checkpoint_steps 1000000000000: expected int <= 1000000"),
        ({"trainer.warmup_share": 1.5}, "trainer.warmup_share 1.5: expected float <= 1.0"),
        ({"trainer.weight_decay": 1e9}, "trainer.weight_decay 1000000000.0: expected float <= 10.0"),
        ({"trainer.weight_decay": float("nan")}, "trainer.weight_decay nan: expected float >= 0.0"),
        ({"teacher.rank": 0}, "teacher.rank 0: expected int >= 1"),
        ({"teacher.rate": 0.0}, "teacher.rate 0.0: expected float > 0.0"),
        ({"teacher.full_rate": 50.0}, "teacher.full_rate 50.0: expected float <= 1.0"),
        *(({f"{name}.epochs": -1}, f"{name}.epochs -1: expected int >= 0") for name in ("teacher", "slim", "recover")),
        ({"distillation.temperature": 0.0}, "distillation.temperature 0.0: expected float > 0.0"),
        ({"distillation.temperature": float("inf")}, "distillation.temperature inf: expected float <= 100.0"),
        (
            {"distillation.logits_weight": 0, "distillation.task_weight": 0},
            "distillation.logits_weight and task_weight ",
        ),
        ({"selection.round_to": 10**9}, "selection.round_to 1000000000: expected int <= 4096"),
        ({"selection.round_to": 0}, "selection.round_to 0: expected int >= 1"),
        ({"selection.positions": 16}, "selection.positions 16: expected max_length's 128; set that"),
        ({"budgets": ()}, "budgets '': expected list of length >= 1"),
        ({"budgets": (0.1, 1.5)}, "budgets '0.1,1.5': expected float <= 1.0"),
        ({"budgets": (0.1, 0.10001)}, "budgets: two of them are called '10', expected budgets further apart"),
        ({"ship": (0.2,)}, "ship 0.2: is not among the budgets, expected some of 0.5, 0.25, 0.1, 0.05"),
        (
            SLIMMING | {"slim.sites": (Site.FFN_HIDDEN,)},
            "criterion alpha: units at attention_context may be cut but get no factors",
        ),
        (
            SLIMMING | {"slim.sites": (Site.FFN_HIDDEN,), "criterion": "sensitivity"},
            "criterion sensitivity: units at attention_context may be cut but get no factors",
        ),
        (
            SLIMMING | {"slim.sites": SelectionSettings().sites, "selection.hidden_keep": 0.5},
            "criterion alpha: units at hidden may be cut but get no factors",
        ),
        ({"typo": 1}, "setting 'typo': unknown, expected a NAME of pruning/config.py such as teacher.rank"),
        ({"teacher.typo": 1}, "setting 'teacher.typo': unknown, expected a NAME of pruning/config.py"),
        ({"recover": 1}, "setting 'recover': unknown, expected a NAME of pruning/config.py"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_work_is_refused_when_it_is_made(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**wrong)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_study_on_disk_has_no_other_settings() -> None:
    for wrong in (b'{"seed": 1, "width": 2}', b'{"selection": {"magic": 1}}', b'{"slim": {"sites": ["ffn"]}}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=StudyConfig)


@pytest.mark.parametrize(
    ("pair", "name", "value"),
    [
        ("teacher.rank=32", "teacher.rank", 32),
        ("adapter_rank=32", "teacher.rank", 32),
        ("teacher=full", "teacher.tuning", "full"),
        ("warmup_share=0.2", "trainer.warmup_share", 0.2),
        ("recover_epochs=10", "recover.epochs", 10),
        ("selection.round_to=8", "selection.round_to", 8),
        ("sites=ffn_hidden, attention_context", "slim.sites", (Site.FFN_HIDDEN, Site.ATTENTION_CONTEXT)),
        ("transfer=mnli,qnli", "recover.transfer", ("mnli", "qnli")),
        ("transfer=", "recover.transfer", ()),
        ("budgets=0.1,0.05", "budgets", (0.1, 0.05)),
    ],
)
def test_typed_settings(pair: str, name: str, value: Any) -> None:
    assert parse_settings([pair]) == {name: value}
    made(**parse_settings([pair]))


@pytest.mark.parametrize("name", all_settings())
def test_every_setting_can_be_typed(name: str) -> None:
    stage, _, field = name.partition(".")
    default = getattr(StudyConfig(), stage)
    default = getattr(default, field) if field else default
    text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
    assert parse_settings([f"{name}={text}"]) == {name: default}


def test_flat_names_are_of_settings() -> None:
    assert {*FLAT_NAMES.values()} <= {*all_settings()}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["magic"], "--set 'magic': expected NAME=VALUE with a NAME of pruning/config.py"),
        (["magic=1"], "setting 'magic': unknown"),
        (["selection=1"], "setting 'selection': unknown"),
        (["\x1b[31m=1"], "setting '\\x1b[31m': unknown"),
        (["batch_size=1.5"], "--set batch_size='1.5': expected int"),
        (["seed=1", "seed=2"], "--set seed='2': is set twice, expected one value"),
        (["temperature=nan"], "--set temperature='nan': expected float > 0.0"),
        (["sites=ffn"], "--set sites='ffn': expected some of hidden, "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_typed(pairs: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(pairs)
    assert str(caught.value).startswith(message)


def test_budgets_fall_and_carry_their_kind() -> None:
    config = made(budgets=(0.05, 0.5, 0.05, 0.1), budget_kind="flop_ratio")
    assert config.budgets == (0.5, 0.1, 0.05)
    assert [budget.name for budget in config.all_budgets] == ["flops-50", "flops-10", "flops-5"]


def test_what_ships_follows_the_budgets() -> None:
    assert made(budgets=(0.5, 0.1)).ship == (0.1,)
    assert made(budgets=(0.5, 0.2)).ship == (0.2,)
    assert made(budgets=(0.5, 0.2), ship=()).ship == ()


def test_the_slim_network_keeps_as_many_positions_as_texts_may_have_tokens() -> None:
    assert made(max_length=64).selection.positions == 64
    assert made(**{"max_length": 64, "selection.round_to": 8}).selection.positions == 64


@pytest.mark.parametrize("rows", [300, 20_000, 60_000])
def test_what_is_left_open_is_filled_in_by_rows(rows: int) -> None:
    config = StudyConfig().resolve(rows)
    assert min(config.trainer.batch_size, config.teacher.epochs, config.slim.epochs, config.recover.steps) > 0
    assert config.recover.epochs == 0
    assert config.resolve(10**6) == config  # what is settled stays
    chosen = made(batch_size=4, teacher_epochs=1, slim_epochs=2, recover_epochs=5)
    assert chosen.resolve(rows) == chosen


def test_fewer_rows_are_seen_more_often() -> None:
    few, some, many = (StudyConfig().resolve(rows) for rows in (300, 20_000, 60_000))
    for stage in ("teacher", "slim"):
        assert getattr(few, stage).epochs >= getattr(some, stage).epochs >= getattr(many, stage).epochs


@pytest.mark.parametrize("rows", [2_490, 3_668, 5_749, 8_551, 20_000, 67_349])
def test_slimming_takes_enough_steps_to_tell_units_apart(rows: int) -> None:
    """A factor moves by about `alpha_rate` a step at most, half that on average as the rate falls; it starts at 1."""
    config = StudyConfig().resolve(rows)
    steps = config.slim.epochs * rows // config.trainer.batch_size
    assert steps * config.slim.alpha_rate / 2 > 1


def test_recovery_takes_less_where_less_was_lost() -> None:
    recover = made(recover_epochs=9).recover
    assert recover.epochs_at(0.1) == 9
    assert 1 <= recover.epochs_at(0.5) < 9
    assert made(recover_epochs=1).recover.epochs_at(0.5) == 1
    recover = made(**{"recover.steps": 100, "recover.seeds": (1, 2)}).recover
    assert (recover.steps_at(0.1), recover.steps_at(0.5)) == (100, 25)
    assert (recover.rate_at(0.1), recover.rate_at(0.5)) == (5e-4, 1e-4)
    assert (recover.seeds_at(0.05), recover.seeds_at(0.5)) == ((1, 2), ())


def test_the_studys_own_seed_is_no_further_one() -> None:
    with pytest.raises(ConfigError, match=r"^recover.seeds '0,1': expected others than seed 0$"):
        made(**{"recover.seeds": (0, 1)})
