"""A study from examples to recovered networks: what each stage hands on and stores, and what starts it anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from pruning import pipeline
from pruning.bert import backbones
from pruning.bert.counts import count_parameters
from pruning.bert.shapes import Site
from pruning.config import StudyConfig
from pruning.data.batches import encode
from pruning.data.examples import Examples
from pruning.data.study_data import StudyData
from pruning.data.tasks import custom_task
from pruning.errors import ConfigError, SelectionError
from pruning.measure.cost import parameters_by_numel
from pruning.pipeline import RECOVER_FIELDS, SLIM_FIELDS, TEACHER_FIELDS, StudyRun, run_study
from pruning.selection.budget import Budget
from pruning.selection.select import select, smallest_total_density
from pruning.training.trainer import StudyTrainer
from tests.factories.own_data import made_up, scored_pairs
from tests.factories.quick_run import BUDGETS, SETTINGS, frozen_garbage
from tests.factories.tiny_backbone import write_backbone

# Settings that decide a result without being in a stage's fields, and what stands for them there.
ELSEWHERE = {
    "precision": "resolved on this machine, among the teacher's origins",
    "budgets": "in the name of each recovery",
    "recover_epochs": "resolved for each budget, in its recovery's hash",
    "transfer": "the checksum of its texts is in the recovery's hash",
    "transfer_rows": "likewise",
    "ship": "decides what is stored, not what it holds",
    "checkpoint_steps": "an interrupted run ends the same whatever it is",
    "cache_bytes": "decides whether hidden states are there to match",
}


@dataclass(frozen=True)
class Made:
    """A study that was run once for all tests."""

    config: StudyConfig
    data: StudyData
    runs: Path
    run: StudyRun

    @property
    def folder(self) -> Path:
        """Where its stages are."""
        return self.run.teacher_folder.parents[1]

    @property
    def slim_folder(self) -> Path:
        """Where slimming and what follows are."""
        return next(self.folder.glob("slim-*/slim")).parent

    def again(self, **changes: Any) -> StudyRun:
        """The same call in the same folder, with other settings."""
        config = dataclasses.replace(self.config, **changes)
        return run_study(config, self.data, self.runs, device="cpu", quiet=True)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with frozen_garbage():
        yield


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("backbones") / "tiny"
    write_backbone(folder)
    return str(folder)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory, backbone: str) -> Made:
    """Single texts in two classes, a teacher by adapter, two budgets."""
    runs = tmp_path_factory.mktemp("single")
    data = StudyData(
        custom_task("own", ("text",), ("no", "yes")), made_up(56, 0), {"validation": made_up(20, 1)}, "made up"
    )
    config = StudyConfig(backbone=backbone, budgets=BUDGETS, **SETTINGS)
    return Made(config, data, runs, run_study(config, data, runs, device="cpu", quiet=True))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, backbone: str) -> Made:
    """Pairs of texts with a score, a fully fine-tuned teacher, another penalty, two sites of the five."""
    runs = tmp_path_factory.mktemp("pairs")
    train, validation = (scored_pairs(rows, seed) for rows, seed in ((40, 0), (12, 1)))
    task = custom_task("similar", ("first", "second"), None, label="score")
    data = StudyData(task, train, {"validation": validation}, "made up")
    sites = (Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN)
    config = StudyConfig(backbone=backbone, budgets=(0.3,), teacher="full", penalty="l1", sites=sites, **SETTINGS)
    return Made(config, data, runs, run_study(config, data, runs, device="cpu", quiet=True))


def states_equal(first: Any, second: Any) -> bool:
    left, right = first.state_dict(), second.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# ---- what a run hands on -----------------------------------------------------------------------------------------


def test_each_network_is_the_selection_of_its_budget(single: Made) -> None:
    dense = count_parameters(single.run.factors.shape.network()).total
    assert [network.budget for network in single.run.networks] == list(BUDGETS)
    for network in single.run.networks:
        again = select(single.run.factors, Budget("total_density", network.budget), single.config.selection)
        assert all((again.masks[site] == network.selection.masks[site]).all() for site in Site)
        assert np.array_equal(again.pieces, network.selection.pieces)
        assert (again.rank, again.shape) == (network.selection.rank, network.selection.shape)
        for model in (network.one_shot, network.recovered):
            assert parameters_by_numel(model) == network.selection.parameters.total <= network.budget * dense
            assert not model.training
        assert len(network.tokenizer) == len(network.selection.pieces)


def test_recovery_changes_what_is_stored_in_half_precision(single: Made) -> None:
    for network in single.run.networks:
        assert not states_equal(network.one_shot, network.recovered)
        for name, tensor in network.recovered.state_dict().items():
            assert torch.equal(tensor, tensor.half().to(tensor.dtype)), name


def test_cut_tokenizers_know_every_text(single: Made) -> None:
    texts = [*single.data.train.texts, "zebra 42!", "wormhole's edge"]
    for network in single.run.networks:
        ids = network.tokenizer(texts)["input_ids"]
        assert not any(network.tokenizer.unk_token_id in row for row in ids)


def test_the_teacher_is_what_is_stored(single: Made) -> None:
    found = backbones.load_backbone(single.run.backbone, single.data.task, seed=7)
    assert states_equal(backbones.load_trained(found, single.run.teacher_folder), single.run.teacher)
    files = {path.name for path in single.run.teacher_folder.iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    with safe_open(single.run.teacher_folder / "adapter_model.safetensors", framework="numpy") as tensors:
        assert {tensors.get_slice(name).get_dtype() for name in tensors.keys()} == {"F16"}  # noqa: SIM118
    text = (single.run.teacher_folder / "adapter_config.json").read_text()
    assert str(single.runs.parent) not in text  # what ships names no path of the machine that made it
    assert single.config.backbone not in text


def test_factors_are_of_the_slimmed_network_and_its_texts(single: Made) -> None:
    factors = single.run.factors
    assert set(factors.by_criterion) == {"alpha", "taylor", "head_gradient"}
    for criterion in ("alpha", "taylor"):
        for site in Site:
            values = factors.by_criterion[criterion][site]
            assert values.shape == factors.shape.units(site)
            assert values.dtype == np.float32
            assert (values >= 0).all()
            assert np.ptp(values) > 0, (criterion, site)
    heads = factors.by_criterion["head_gradient"][Site.ATTENTION_CONTEXT]
    assert heads.shape == (factors.shape.layers, factors.shape.heads)
    ids = np.concatenate(encode(single.run.tokenizer, single.data.train, single.config.max_length).input_ids)
    counted = np.bincount(ids, minlength=factors.shape.vocabulary)
    assert np.array_equal(factors.pieces.counts[counted > 0], counted[counted > 0])
    assert (factors.pieces.counts[counted == 0] <= 0).all()


def test_history_follows_every_stage(single: Made) -> None:
    epochs = {"teacher": 2, "slim": 1, "recover-50": 1, "recover-10": 2}  # above 20% a quarter of the epochs do
    assert list(dict.fromkeys(entry["stage"] for entry in single.run.history)) == list(epochs)
    for stage, count in epochs.items():
        entries = [entry for entry in single.run.history if entry["stage"] == stage]
        assert [entry["step"] for entry in entries] == sorted(entry["step"] for entry in entries)
        scored = [entry for entry in entries if "accuracy" in entry]
        assert [entry["epoch"] for entry in scored] == list(range(1, count + 1))
        logged = [entry for entry in entries if "loss" in entry]
        parts = {"teacher": {"task"}, "slim": {"task", "logits", "penalty", "alive"}}
        expected = parts.get(stage, {"task", "logits", "hidden"}) | {"learning_rate"}
        assert all(set(entry) - {"stage", "step", "epoch", "loss"} == expected for entry in logged)


def test_seconds_of_every_stage_are_kept(single: Made) -> None:
    assert list(single.run.seconds) == ["teacher", "cache", "slim", "recover-50", "recover-10"]
    kept = {path.stem: float(path.read_text()) for path in single.folder.rglob("*.seconds")}
    for stage, seconds in single.run.seconds.items():  # recover-50-1a2b3c4d.seconds: named with the stage's settings
        assert [spent for name, spent in kept.items() if name.startswith(stage)] == [seconds]
    assert len(kept) == len(single.run.seconds)


def test_pairs_with_scores(pairs: Made) -> None:
    run = pairs.run
    assert {path.name for path in run.teacher_folder.iterdir()} == {"model.safetensors"}
    found = backbones.load_trained(backbones.load_backbone(run.backbone, pairs.data.task), run.teacher_folder)
    assert states_equal(found, run.teacher)
    assert set(run.factors.by_criterion["alpha"]) == set(pairs.config.sites)
    network = run.networks[0].recovered
    assert network.config.problem_type == "regression"
    assert network.config.id2label == {0: "score"}
    encoded = encode(run.networks[0].tokenizer, pairs.data.validation["validation"], pairs.config.max_length)
    assert pipeline.encoded_logits(network, encoded).shape == (12, 1)
    assert {name for entry in run.history for name in entry} >= {"pearson", "spearman"}


def test_logits_come_in_the_examples_order(single: Made) -> None:
    encoded = encode(single.run.tokenizer, single.data.train, single.config.max_length)
    logits = pipeline.encoded_logits(single.run.teacher, encoded)
    for index in (0, 17, 55):
        one = encode(single.run.tokenizer, single.data.train.take([index]), single.config.max_length)
        np.testing.assert_allclose(logits[index], pipeline.encoded_logits(single.run.teacher, one)[0], atol=1e-5)


# ---- what is trained again and what is not -----------------------------------------------------------------------


def test_every_setting_counts_somewhere() -> None:
    """Else another setting would pick up a result that was made without it."""
    counted = [*TEACHER_FIELDS, *SLIM_FIELDS, *RECOVER_FIELDS, *ELSEWHERE]
    assert sorted(counted) == sorted(field.name for field in dataclasses.fields(StudyConfig))


def test_a_finished_study_is_only_read(single: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*arguments: Any, **named: Any) -> None:
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr(StudyTrainer, "train", train)
    again = single.again()
    assert states_equal(again.teacher, single.run.teacher)
    for first, second in zip(single.run.networks, again.networks, strict=True):
        assert states_equal(first.one_shot, second.one_shot)
        assert states_equal(first.recovered, second.recovered)
    assert again.history == single.run.history


class Starts(Exception):
    """A stage would be trained."""


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that are finished are read; the first one that is not raises `Starts` with its name."""
    real = pipeline.run_stage

    def stage_of(model: Any, stage: Any, config: Any, **named: Any) -> Any:
        if not (stage.folder / "result").is_dir():
            raise Starts(stage.name)
        return real(model, stage, config, **named)

    monkeypatch.setattr(pipeline, "run_stage", stage_of)


@pytest.mark.usefixtures("starting")
@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({"seed": 1}, "teacher"),
        ({"teacher_rate": 1e-4}, "teacher"),
        ({"train_rows": 30}, "teacher"),
        ({"precision": "bfloat16"}, "teacher"),
        ({"alpha_rate": 1e-2}, "slim"),
        ({"penalty": "l1"}, "slim"),
        ({"temperature": 1.0}, "slim"),
        ({"recover_rate": 1e-4}, "recover-50"),
        ({"criterion": "taylor"}, "recover-50"),
        ({"recover_epochs": 3}, "recover-10"),  # a quarter of 3 is as many as a quarter of 2
        ({"budgets": (0.5, 0.3)}, "recover-30"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else value,
)
def test_another_setting_starts_where_it_counts(single: Made, changes: dict[str, Any], stage: str) -> None:
    with pytest.raises(Starts, match=f"^{stage}$"):
        single.again(**changes)


@pytest.mark.usefixtures("starting")
@pytest.mark.parametrize("changes", [{"checkpoint_steps": 5}, {"ship": (0.5,)}, {"budgets": (0.1,)}], ids=str)
def test_what_does_not_count_starts_nothing(single: Made, changes: dict[str, Any]) -> None:
    single.again(**changes)


@pytest.mark.usefixtures("starting")
def test_other_texts_to_learn_from_start_recovery_anew(single: Made) -> None:
    unlabelled = Examples(made_up(6, 5).texts, None, np.full(6, -1), "others", is_labelled=False)
    data = dataclasses.replace(single.data, transfer=unlabelled)
    with pytest.raises(Starts, match=r"^recover-50$"):
        run_study(single.config, data, single.runs, device="cpu", quiet=True)
    rows = [np.load(path).shape[0] for path in single.folder.glob("cache*/logits.npy")]
    assert sorted(rows) == [56, 62]  # the teacher answered the others, too


@pytest.mark.usefixtures("starting")
def test_factors_under_another_general_share_are_their_own(single: Made) -> None:
    """The spectrum of the table is weighted by it."""
    selection = dataclasses.replace(single.config.selection, general_share=0.9)
    with pytest.raises(Starts, match=r"^recover-50$"):
        single.again(selection=selection)
    files = [path.read_bytes() for path in single.slim_folder.glob("factors*.safetensors")]
    assert len(files) == len(set(files)) == 2


# ---- what cannot work, said before anything is trained -----------------------------------------------------------


def test_a_budget_out_of_reach_is_refused_before_training(single: Made, tmp_path: Path) -> None:
    config = dataclasses.replace(single.config, budgets=(0.5, 0.01))
    with pytest.raises(SelectionError, match=r"budget total_density=0.01: below what is reachable") as early:
        run_study(config, single.data, tmp_path / "runs", device="cpu", quiet=True)
    assert not (tmp_path / "runs").exists()
    with pytest.raises(SelectionError) as late:
        select(single.run.factors, Budget("total_density", 0.01), config.selection)
    assert str(early.value) == str(late.value)


def test_the_smallest_budget_is_not_refused(single: Made) -> None:
    smallest = smallest_total_density(single.run.factors, single.config.selection)
    for budget, is_refused in ((smallest * 1.001, False), (smallest * 0.999, True)):
        config = dataclasses.replace(single.config, budgets=(budget,))
        arguments = (config, single.data.task, single.run.backbone, single.run.tokenizer)
        if is_refused:
            with pytest.raises(SelectionError):
                pipeline._check_budgets(*arguments)
        else:
            pipeline._check_budgets(*arguments)


def test_texts_longer_than_the_backbone_reads_are_refused(make_bert: Any, single: Made, tmp_path: Path) -> None:
    folder = tmp_path / "short"
    make_bert(vocab_size=101, max_position_embeddings=12).save_pretrained(folder)
    single.run.tokenizer.save_pretrained(folder)
    config = dataclasses.replace(single.config, backbone=str(folder))
    with pytest.raises(ConfigError, match=r"^max_length 16: backbone '.*short' has 12 positions$"):
        run_study(config, single.data, tmp_path / "runs", device="cpu", quiet=True)


def test_fewer_rows_are_drawn_with_the_seed(single: Made) -> None:
    config = dataclasses.replace(single.config, train_rows=10)
    drawn = pipeline._subsample(single.data.train, config)
    positions = [single.data.train.texts.index(text) for text in drawn.texts]
    assert len(drawn) == 10
    assert positions == sorted(positions)
    assert "10 rows drawn with seed 0" in drawn.origin
    assert pipeline._subsample(single.data.train, config).sha256 == drawn.sha256
    other = dataclasses.replace(config, seed=1)
    assert pipeline._subsample(single.data.train, other).sha256 != drawn.sha256
    assert pipeline._subsample(single.data.train, single.config) is single.data.train


def test_recovery_does_without_hidden_states_where_there_is_no_room(single: Made, tmp_path: Path) -> None:
    config = dataclasses.replace(single.run.config, cache_bytes=0)
    encoded = encode(single.run.tokenizer, single.data.train, config.max_length)
    cache = pipeline._cache(config, single.run.teacher, encoded, tmp_path / "cache", "cpu", quiet=True)
    assert not cache.has_hidden
    slimmed, _ = pipeline.slim(
        config,
        single.data.task,
        single.run.teacher,
        encoded,
        encoded,
        cache,
        single.slim_folder / "slim",
        "cpu",
        quiet=True,
    )
    network, history = pipeline.cut_and_recover(
        config,
        single.data.task,
        0.5,
        slimmed,
        single.run.factors,
        single.run.tokenizer,
        single.data.train,
        encoded,
        single.data.validation,
        cache,
        tmp_path / "recover",
        "recover-50",
        "cpu",
        quiet=True,
    )
    assert all("hidden" not in entry for entry in history)
    assert any("logits" in entry for entry in history)
    assert not states_equal(network.recovered, single.run.networks[0].recovered)
