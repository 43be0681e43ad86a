"""A study from examples to stored networks: what each stage hands on, what starts it anew, and what is stored of it."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
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
from pruning.bert.adapter import load_trained
from pruning.bert.counts import count_flops, count_parameters
from pruning.bert.shapes import BertShape, Site
from pruning.config import PRESETS, StudyConfig, with_settings
from pruning.data import Examples, StudyData, custom_task
from pruning.errors import ConfigError, SelectionError, StoreError
from pruning.importance.registry import CRITERIA, UNIT_CRITERIA
from pruning.measure.cost import index_buffers, parameters_by_numel
from pruning.measure.metrics import floor
from pruning.measure.scoring import score
from pruning.methods import shared, steps
from pruning.pipeline import in_ratios, make_networks, run_study
from pruning.records import Record
from pruning.report import Run, identity_of, store_run
from pruning.selection.budget import Budget
from pruning.selection.latency import LatencyTable
from pruning.selection.select import select, smallest_total_density
from pruning.slimbert import shape_of
from pruning.study import Study, verify
from pruning.study.networks import load_network
from pruning.study.write import check_destination
from pruning.training import recover, slim, teacher
from pruning.training.prepare import check_budgets, inputs_of, prepare, training_rows
from pruning.training.start import find_start
from pruning.variants import TEACHER, Variant
from tests.factories.own_data import made_up, scored_pairs
from tests.factories.quick_run import BUDGETS, SETTINGS, frozen_garbage, quick_measurements
from tests.factories.tiny_backbone import write_backbone

COMMAND = "python -m pruning run --train-file own.csv"
STAGES = ("teacher", "cache", "slim", "importance", "ablation", "recover-50", "recover-10")


@dataclass(frozen=True)
class Made:
    """A study that was run once for all tests, in memory and stored."""

    config: StudyConfig
    data: StudyData
    runs: Path
    run: Run
    study: Study

    def again(self, data: StudyData | None = None, **changes: Any) -> Run:
        """The same networks from the same folder, with other settings."""
        config = with_settings(self.config, {name.replace("__", "."): value for name, value in changes.items()})
        return make_networks(prepare(config, data or self.data, device="cpu", quiet=True), self.runs)

    def stage_folder(self, name: str) -> Path:
        (found,) = (self.runs / self.data.task.name).glob(f"{name}-*")
        return found


@pytest.fixture(scope="module", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with frozen_garbage(), quick_measurements(peak_memory=1_000_000):
        yield


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("backbones") / "tiny"
    write_backbone(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(backbones.FOLDERS_VARIABLE, str(folder.parent))
        yield str(folder)


def make(runs: Path, data: StudyData, settings: dict[str, Any]) -> Made:
    """Run a study as the command does, and keep its networks."""
    config = with_settings(StudyConfig(), SETTINGS | settings)
    kept: list[Run] = []

    def keep(run: Run, *rest: Any, **named: Any) -> Study:
        kept.append(run)
        return store_run(run, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "store_run", keep)
        study = run_study(
            config, data, runs / "studies" / "own", runs=runs / "runs", command=COMMAND, device="cpu", quiet=True
        )
    assert study is not None
    return Made(config, data, runs / "runs", kept[0], study)


def own_data(validation: int = 30) -> StudyData:
    task = custom_task("own", ("text",), ("no", "yes"))
    return StudyData(task, made_up(56, 0), {"validation": made_up(validation, 1)}, "file own.csv")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory, backbone: str) -> Made:
    """Single texts in two classes, a teacher by adapter, two budgets."""
    return make(tmp_path_factory.mktemp("single"), own_data(), {"backbone": backbone, "budgets": BUDGETS})


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, backbone: str) -> Made:
    """Pairs of texts with a score, a fully fine-tuned teacher, another penalty and kind of budget, two sites."""
    task = custom_task("similar", ("first", "second"), None, label="score")
    data = StudyData(task, scored_pairs(40, 0), {"validation": scored_pairs(12, 1)}, "made up")
    settings = {
        "backbone": backbone,
        "budgets": (0.3,),
        "budget_kind": "flop_ratio",
        "teacher": "full",
        "penalty": "l1",
        "sites": (Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN),
    }
    return make(tmp_path_factory.mktemp("pairs"), data, settings)


@pytest.fixture(scope="module")
def one_shot(tmp_path_factory: pytest.TempPathFactory, backbone: str) -> Made:
    """Nothing trained but the teacher."""
    settings = {"backbone": backbone, "budgets": BUDGETS} | PRESETS["one-shot"]
    return make(tmp_path_factory.mktemp("one-shot"), own_data(), settings)


def states_equal(first: Any, second: Any) -> bool:
    left, right = first.state_dict(), second.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_each_network_is_the_selection_of_its_budget(single: Made) -> None:
    dense = count_parameters(single.run.factors.shape.network()).total
    assert [network.cut.budget.value for network in single.run.networks] == list(BUDGETS)
    for network in single.run.networks:
        selection = network.cut.selection
        again = select(single.run.factors, network.cut.budget, single.config.selection)
        assert all((again.masks[site] == selection.masks[site]).all() for site in Site)
        assert np.array_equal(again.pieces, selection.pieces)
        assert (again.rank, again.shape) == (selection.rank, selection.shape)
        for model in (network.cut.model, network.recovered[None].model):
            assert parameters_by_numel(model) == selection.parameters.total <= network.cut.budget.value * dense
            assert not model.training
        assert len(network.recovered[None].tokenizer) == len(selection.pieces)


def test_recovery_changes_what_is_stored_in_half_precision(single: Made) -> None:
    for network in single.run.networks:
        assert not states_equal(network.cut.model, network.recovered[None].model)
        for name, tensor in network.recovered[None].model.state_dict().items():
            assert torch.equal(tensor, tensor.half().to(tensor.dtype)), name


def test_cut_tokenizers_know_every_text(single: Made) -> None:
    texts = [*single.data.train.texts, "zebra 42!", "wormhole's edge"]
    for tokenizer in (network.recovered[None].tokenizer for network in single.run.networks):
        assert not any(tokenizer.unk_token_id in row for row in tokenizer(texts)["input_ids"])


def test_the_teacher_is_what_is_stored(single: Made) -> None:
    found = backbones.load_backbone(single.run.context.backbone, single.data.task, seed=7)
    folder = single.run.teacher.folder
    assert states_equal(load_trained(found, folder), single.run.teacher.model)
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    with safe_open(folder / "adapter_model.safetensors", framework="numpy") as tensors:
        assert {tensors.get_slice(name).get_dtype() for name in tensors.keys()} == {"F16"}  # noqa: SIM118


def test_an_adapter_names_its_own_backbone_and_no_path(single: Made) -> None:
    text = (single.study.folder / "teacher" / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == single.study.document.backbone.name == "tiny"
    for path in [file for file in single.study.folder.rglob("*") if file.suffix in (".json", ".md")]:
        assert single.config.backbone not in path.read_text(), path


def test_factors_are_of_the_slimmed_network_and_its_texts(single: Made) -> None:
    factors = single.run.factors
    assert set(factors.by_criterion) == set(CRITERIA)
    for criterion in UNIT_CRITERIA:
        assert all(np.ptp(factors.by_criterion[criterion][site]) > 0 for site in Site)
    counted = np.bincount(np.concatenate(single.run.context.texts.input_ids), minlength=factors.shape.vocabulary)
    assert np.array_equal(factors.pieces.counts[counted > 0], counted[counted > 0])
    assert (factors.pieces.counts[counted == 0] <= 0).all()


def test_heads_are_gated_off_in_the_teacher_and_in_the_slimmed_network(single: Made) -> None:
    ablations = single.study.document.ablations
    assert ablations == single.run.ablations
    assert [(one.network, one.split, one.rows) for one in ablations] == [
        ("teacher", "train", 56),
        ("teacher", "validation", 30),
        ("slimmed", "validation", 30),
    ]
    assert [len(one.random) for one in ablations] == [0, 5, 5]
    for one in ablations:
        assert list(one.curves) == [name for name in CRITERIA if name != "random"]
    teacher = single.study.result(TEACHER)
    assert teacher is not None
    assert ablations[1].whole == pytest.approx(teacher.metrics["accuracy"])
    assert ablations[1].sha256 == single.data.validation["validation"].sha256
    assert single.study.head_criterion == ablations[0].best


def test_slimming_moves_weights_only_of_a_fully_fine_tuned_teacher(single: Made, pairs: Made) -> None:
    """What every stored study was made by."""
    for made, moves in ((single, False), (pairs, True)):
        before, after = made.run.teacher.model.state_dict(), made.run.slimmed.model.state_dict()
        assert any(not torch.equal(before[name], after[name]) for name in before) is moves


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
    assert tuple(single.run.seconds) == STAGES
    for name, seconds in single.run.seconds.items():
        kept = json.loads((single.stage_folder(name) / "seconds.json").read_text())
        assert kept == {"seconds": seconds, "finished": True}


def test_pairs_with_scores_and_a_budget_of_flops(pairs: Made) -> None:
    run = pairs.run
    assert {path.name for path in run.teacher.folder.iterdir()} == {"model.safetensors"}
    found = load_trained(backbones.load_backbone(run.context.backbone, pairs.data.task), run.teacher.folder)
    assert states_equal(found, run.teacher.model)
    assert set(run.factors.by_criterion["alpha"]) == set(pairs.config.slim.sites)
    (network,) = run.networks
    assert network.recovered[None].model.config.problem_type == "regression"
    assert network.recovered[None].model.config.id2label == {0: "score"}
    assert network.cut.selection.flop_ratio <= 0.3
    assert pairs.study.variants == ("teacher", "one-shot-flops-30", "slim-flops-30")
    assert {name for entry in run.history for name in entry} >= {"pearson", "spearman"}
    assert verify(pairs.study.folder) == []


def test_a_budget_of_milliseconds_is_measured_once(single: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"budget_kind": "latency_ratio", "budgets": (0.95,)}
    run = single.again(**changes)
    assert run.networks[0].cut.budget.name == "latency-95"
    described = json.loads((single.stage_folder("latency") / "stage.json").read_text())
    assert described["settings"]["device"] == "cpu"
    monkeypatch.setattr(pipeline, "latency_table", None)
    again = single.again(**changes)
    assert states_equal(again.networks[0].recovered[None].model, run.networks[0].recovered[None].model)


# 1 ms a whole attention sub-layer, 3 a whole FFN, 0.5 the rest: 8.5 ms for two layers.
TABLE = LatencyTable((0, 4), (0.0, 1.0), (0, 64), (0.0, 3.0), 0.5, batch=8, length=16, runtime="onnx")


def test_budgets_in_milliseconds_become_shares_of_the_teachers(
    single: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, said = [], []

    def measured(shape: BertShape, **how: Any) -> LatencyTable:
        asked.append((shape.layers, how["batch"], how["length"], how["runtime"], how["bind"] is not None))
        return TABLE

    monkeypatch.setattr(pipeline, "latency_table", measured)
    changes = {"budget_kind": "latency_ratio", "latency.batch": 8, "latency.length": 16, "latency.runtime": "onnx"}

    def resolved(*milliseconds: float, **others: Any) -> StudyConfig:
        config = with_settings(single.config, changes | {"milliseconds": milliseconds} | others)
        return in_ratios(prepare(config, single.data, device="cpu", quiet=True), tmp_path, said.append).config

    shape = single.run.factors.shape
    dense = TABLE.milliseconds(shape.network())
    assert (shape.layers, shape.heads, shape.ffn, dense) == (2, 4, 64, 8.5)
    config = resolved(4.25, 1.7)
    assert (config.budgets, config.ship, config.milliseconds) == ((0.5, 0.2), (0.5, 0.2), (4.25, 1.7))
    assert said == ["4.25 ms are 50.00% of the teacher's 8.5 ms here", "1.7 ms are 20.00% of the teacher's 8.5 ms here"]
    for budget in config.all_budgets:
        chosen = select(single.run.factors, budget, config.selection, config.criterion, TABLE)
        assert TABLE.milliseconds(chosen.shape) <= budget.value * dense
    assert asked == [(2, 8, 16, "onnx", True)]
    assert resolved(4.25, 1.7) == config
    assert len(asked) == 1  # measured once for the run folder
    resolved(4.25, **{"latency.batch": 1})
    assert len(asked) == 2
    with pytest.raises(ConfigError, match=r"^budget of 8.5 ms: the teacher takes 8.5 ms here, expected less$"):
        resolved(8.5)
    with pytest.raises(SelectionError, match=r"^budget of 0.4 ms: the fastest network takes 0.5 ms here, expected at"):
        resolved(4.25, 0.4)
    with pytest.raises(ConfigError, match=r"^milliseconds: go with budget_kind latency_ratio, not with flop_ratio$"):
        resolved(1.0, budget_kind="flop_ratio")


# Settings that no stage's identity has to name, and why.
ELSEWHERE = {
    "backbone": "its files' checksums are among the run's inputs",
    "train_rows": "so is the checksum of the rows",
    "method": "a rival's stages bear its name",
    "budgets": "each has a recovery of its own",
    "budget_kind": "likewise",
    "ship": "decides what is stored, not what it holds",
    "milliseconds": "as the budgets they become",
    "latency.batch": "named by the latency stage, which only budgets of milliseconds have",
    "latency.length": "likewise",
    "latency.runtime": "likewise",
    "keep_teacher": "named where the teacher is a given one, which is rounded if it is kept",
    "stages": "each is one or is not there",
    "least_squares.texts": "named where that stage is asked for",
    "least_squares.ridge": "likewise",
    "trainer.precision": "as resolved on this machine",
    "trainer.checkpoint_steps": "an interrupted run ends the same whatever it is",
    "recover.cache_bytes": "decides whether hidden states are kept, which is named",
    "recover.transfer": "the checksum of the texts is named",
    "recover.transfer_rows": "likewise",
    "recover.altered": "likewise",
    "recover.epochs": "as resolved for each budget",
    "recover.steps": "likewise",
    "recover.own_share": "with the steps",
    "recover.last_share": "likewise",
    "recover.seeds": "each seed has a stage of its own",
    "teacher_from": "as the checksum of its weights",
}


def test_every_setting_counts_somewhere(single: Made) -> None:
    """Else another setting would pick up a result that was made without it."""
    described = [json.loads((single.stage_folder(name) / "stage.json").read_text()) for name in STAGES]
    text = json.dumps([[stage["settings"], stage["inputs"]] for stage in described])
    for name in StudyConfig.__struct_fields__:
        stage = getattr(single.config, name)
        fields = [f"{name}.{field}" for field in stage.__struct_fields__] if isinstance(stage, Record) else [name]
        for field in fields:
            assert (f'"{field.rpartition(".")[2]}":' in text) or field in ELSEWHERE, field


class Starts(Exception):
    """A stage would be trained."""


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that are finished are read; the first one that is not raises `Starts` with its name."""
    for module in (teacher, slim, recover):
        real = module.train

        def train(model: Any, training: Any, context: Any, real: Any = real) -> Any:
            if not (training.folder / "result").is_dir():
                raise Starts(training.name)
            return real(model, training, context)

        monkeypatch.setattr(module, "train", train)

    def ablate(*given: Any) -> None:
        raise Starts("ablation")

    monkeypatch.setattr(pipeline, "ablate", ablate)


@pytest.mark.usefixtures("starting")
@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({"seed": 1}, "teacher"),
        ({"teacher__rate": 1e-4}, "teacher"),
        ({"train_rows": 30}, "teacher"),
        ({"max_length": 12}, "teacher"),
        ({"trainer__precision": "bfloat16"}, "teacher"),
        ({"slim__alpha_rate": 1e-2}, "slim"),
        ({"slim__penalty": "l1"}, "slim"),
        ({"distillation__temperature": 2.0}, "slim"),
        ({"ablation_rows": 9}, "ablation"),
        ({"recover__rate": 1e-4}, "recover-50"),
        ({"recover__cache_bytes": 0}, "recover-50"),  # hidden states are matched no longer
        ({"criterion": "taylor"}, "recover-50"),
        ({"selection__general_share": 0.9}, "ablation"),  # stored with the factors, which others are measured from
        ({"recover_epochs": 3}, "recover-10"),  # a quarter of 3 is as many as a quarter of 2
        ({"recover__epochs": 0, "recover__steps": 8}, "recover-50"),
        ({"recover__seeds": (7,)}, "recover-10-seed7"),
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
def test_other_texts_start_what_depends_on_them_anew(single: Made) -> None:
    with pytest.raises(Starts, match=r"^teacher$"):  # the history holds what it scored on the texts to report on
        single.again(own_data(validation=29))
    unlabelled = Examples(made_up(6, 5).texts, None, np.full(6, -1), "others", is_labelled=False)
    with pytest.raises(Starts, match=r"^recover-50$"):
        single.again(dataclasses.replace(single.data, transfer=unlabelled))
    assert len(np.load(single.stage_folder("transfer-cache") / "cache" / "logits.npy")) == 62  # the others, too


@pytest.mark.usefixtures("starting")
def test_a_new_criterion_is_computed(single: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Factors that are there were found without it."""
    asked = []
    monkeypatch.setattr(shared, "CRITERIA", [*shared.CRITERIA, "newest"])
    monkeypatch.setattr(shared, "gather_factors", lambda *given, **named: asked.append(1) or single.run.factors)
    with pytest.raises(Starts, match=r"^ablation$"):
        single.again()
    assert asked == [1]


def test_further_seeds_are_recovered_and_scored_at_small_budgets(single: Made, tmp_path: Path) -> None:
    run = single.again(recover__seeds=(7,))
    assert [list(network.recovered) for network in run.networks] == [[None], [None, 7]]
    own, other = run.networks[1].recovered.values()
    assert not states_equal(own.model, other.model)
    study = store_run(run, tmp_path / "study", command="test")
    assert "slim-10-seed7" in study.variants
    row, main = row_of(study, "slim-10-seed7"), row_of(study, "slim-10")
    assert (row.parameters, row.selection, row.shipped) == (main.parameters, "10", False)
    assert row.size_bytes is None
    assert "slim-10-seed7" not in {str(speed.variant) for speed in study.document.speed}


def test_steps_are_as_many_as_asked_for(single: Made) -> None:
    run = single.again(recover__epochs=0, recover__steps=8, budgets=(0.1,))
    assert max(entry["step"] for entry in run.history if entry["stage"] == "recover-10") == 8


def test_a_teacher_may_start_from_anothers(single: Made, tmp_path: Path) -> None:
    start = find_start("first", single.run.teacher.folder)
    context = dataclasses.replace(single.run.context, start=start)
    with pipeline.Stages(tmp_path, {}).enter("teacher", shared.teaching_settings(context)) as stage:
        second = teacher.train_teacher(context, stage.folder)
    assert not states_equal(second.model, single.run.teacher.model)
    assert shared.teaching_settings(context)["start"] == start.sha256


def test_recovery_does_without_hidden_states_where_there_is_no_room(single: Made) -> None:
    run = single.again(recover__cache_bytes=0, budgets=(0.5,))
    recovered = [entry for entry in run.history if entry["stage"] == "recover-50"]
    assert all("hidden" not in entry for entry in recovered)
    assert any("logits" in entry for entry in recovered)
    assert not states_equal(run.networks[0].recovered[None].model, single.run.networks[0].recovered[None].model)


def test_a_budget_out_of_reach_is_refused_before_training(single: Made, tmp_path: Path) -> None:
    config = with_settings(single.config, {"budgets": (0.5, 0.01)})
    context = prepare(config, single.data, device="cpu", quiet=True)
    with pytest.raises(SelectionError, match=r"budget total_density=0.01: below what is reachable") as early:
        make_networks(context, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    with pytest.raises(SelectionError) as late:
        select(single.run.factors, Budget("total_density", 0.01), config.selection)
    assert str(early.value) == str(late.value)


def test_the_smallest_budget_is_not_refused(single: Made) -> None:
    smallest = smallest_total_density(single.run.factors, single.config.selection)
    contexts = [
        dataclasses.replace(single.run.context, config=with_settings(single.config, {"budgets": (smallest * factor,)}))
        for factor in (1.001, 0.999)
    ]
    check_budgets(contexts[0], None)
    with pytest.raises(SelectionError):
        check_budgets(contexts[1], None)


def test_texts_longer_than_the_backbone_reads_are_refused(make_bert: Any, single: Made, tmp_path: Path) -> None:
    folder = tmp_path / "short"
    make_bert(vocab_size=101, max_position_embeddings=12).save_pretrained(folder)
    single.run.context.tokenizer.save_pretrained(folder)
    with pytest.raises(ConfigError, match=r"^max_length 16: backbone '.*short' has 12 positions$"):
        prepare(with_settings(single.config, {"backbone": str(folder)}), single.data, device="cpu")


def test_texts_to_learn_from_must_be_there(single: Made) -> None:
    config = with_settings(single.config, {"recover.transfer": ("rte",)})
    with pytest.raises(ConfigError, match=r"^recover.transfer rte: expected their texts in the data$"):
        prepare(config, single.data, device="cpu")


def test_fewer_rows_are_drawn_with_the_seed(single: Made) -> None:
    train = single.data.train
    few = training_rows(train, 10, seed=0)
    positions = [train.texts.index(text) for text in few.texts]
    assert len(few) == 10
    assert positions == sorted(positions)
    assert "10 rows drawn with seed 0" in few.origin
    assert training_rows(train, 10, seed=0).sha256 == few.sha256 != training_rows(train, 10, seed=1).sha256
    assert training_rows(train, 0, seed=0) is train


def row_of(study: Study, variant: str) -> Any:
    (row,) = [row for row in study.results if row.variant == Variant.parse(variant)]
    return row


def test_the_study_is_whole(single: Made) -> None:
    study = single.study
    assert verify(study.folder) == []
    assert study.variants == ("teacher", "one-shot-50", "slim-50", "one-shot-10", "slim-10")
    assert [row.variant.name for row in study.results if row.shipped] == ["teacher", "slim-10"]
    assert [
        json.loads(line) for line in (study.folder / "history.jsonl").read_text().splitlines()
    ] == single.run.history
    files = {path.name for path in (study.folder / "slim-10").iterdir()}
    assert files == {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_stored_selections_say_what_was_cut(single: Made) -> None:
    document = single.study.document
    for network in single.run.networks:
        stored, selection = document.selections[network.cut.budget.name], network.cut.selection
        settings = (network.cut.budget, "alpha", single.config.selection)
        assert (stored.budget, stored.criterion, stored.settings) == settings
        assert stored.network == selection.shape
        assert (stored.total_density, stored.encoder_density) == (selection.total_density, selection.encoder_density)
    assert document.smallest_total_density == smallest_total_density(single.run.factors, single.config.selection)


def test_parameters_are_those_of_the_saved_tensors_and_flops_those_of_their_widths(single: Made) -> None:
    """By `numel` of the file, and of every network in memory where no file is stored."""
    rows = {row.variant.name: row for row in single.study.results}
    dense = single.run.factors.shape.network()
    with safe_open(single.study.folder / "slim-10" / "model.safetensors", framework="pt") as tensors:
        saved = [tensors.get_tensor(name) for name in tensors.keys()]  # noqa: SIM118
    assert sum(tensor.numel() for tensor in saved if tensor.is_floating_point()) == rows["slim-10"].parameters.total
    assert {tensor.dtype for tensor in saved if tensor.is_floating_point()} == {torch.float16}
    whole = sum(parameter.numel() for parameter in single.run.teacher.model.parameters())
    assert rows["teacher"].parameters.total == whole
    for variant, network in single.run.by_variant().items():
        row = rows[variant.name]
        assert row.parameters.total == parameters_by_numel(network.model) or variant.is_teacher
        assert row.total_density == row.parameters.total / whole
        assert row.encoder_density == row.parameters.encoder / rows["teacher"].parameters.encoder
        shape = dense if variant.is_teacher else shape_of(network.model.config)
        assert row.flops.total == count_flops(shape, row.flops.length)
        assert row.flop_ratio == row.flops.total / count_flops(dense, row.flops.length)
        assert (row.index_buffers, row.index_bytes) == ((0, 0) if variant.is_teacher else index_buffers(network.model))


def test_sizes_are_of_the_files(single: Made) -> None:
    folder = single.study.folder / "slim-10"
    without_card = sum(path.stat().st_size for path in folder.iterdir() if path.name != "README.md")
    assert row_of(single.study, "slim-10").size_bytes == without_card
    assert row_of(single.study, "one-shot-10").size_bytes is None
    # Two bytes a parameter, and a little more for names and the tokenizer.
    assert row_of(single.study, "teacher").size_bytes > 2 * row_of(single.study, "teacher").parameters.total
    assert row_of(single.study, "slim-10").peak_memory_bytes == 1_000_000


def test_scores_are_those_of_the_reloaded_networks(single: Made) -> None:
    networks = {variant: load_network(single.study, variant) for variant in (TEACHER, Variant.parse("slim-10"))}
    examples = single.data.validation["validation"]
    for row in score(single.data.task, networks, examples, "validation", seed=0):
        stored = row_of(single.study, row.variant.name)
        for field in row.__struct_fields__:
            assert getattr(stored, field) == getattr(row, field), field
    assert single.study.document.floor == floor(single.data.task, examples.labels)


def test_speed_is_of_the_teacher_and_the_recovered(single: Made) -> None:
    speed = single.study.document.speed
    assert {row.variant.name for row in speed} == {"teacher", "slim-50", "slim-10"}
    assert {row.length for row in speed} == {16, "real"}
    assert {row.batch for row in speed} == {1, 32}


def test_provenance_says_where_every_number_comes_from(single: Made) -> None:
    provenance = single.study.document.provenance
    train, validation = single.data.train, single.data.validation["validation"]
    assert provenance.command == COMMAND
    assert provenance.commit is None or re.fullmatch(r"[0-9a-f]{12}\+?", provenance.commit)
    assert datetime.datetime.fromisoformat(provenance.date).utcoffset() == datetime.timedelta(0)
    assert provenance.libraries["torch"] == torch.__version__
    assert (provenance.data.train.rows, provenance.data.train.sha256) == (56, train.sha256)
    assert (provenance.data.validation.rows, provenance.data.validation.sha256) == (30, validation.sha256)
    assert provenance.data.transfer is None
    assert set(provenance.seconds) == set(STAGES)
    assert provenance.precision == "float32"
    assert single.study.document.config == single.run.context.config.replace(backbone="tiny")


def content(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_its_identity_is_known_before_training(single: Made) -> None:
    folder, context = single.study.folder, single.run.context
    check_destination(folder, identity_of(context), overwrite=True)
    with pytest.raises(StoreError, match="this study is stored there already"):
        check_destination(folder, identity_of(context))
    other = prepare(single.config.replace(seed=1), single.data, device="cpu")
    fewer = prepare(single.config, dataclasses.replace(single.data, train=made_up(40, 0)), device="cpu")
    for context, differs in ((other, r"\(config.seed 0 there, 1 here\), .*such as 'own-2'"), (fewer, "training data")):
        with pytest.raises(StoreError, match=f"holds another study.*{differs}"):
            check_destination(folder, identity_of(context), overwrite=True)


def test_a_study_may_train_nothing_but_its_teacher(one_shot: Made) -> None:
    study, run = one_shot.study, one_shot.run
    assert verify(study.folder) == []
    assert study.variants == ("teacher", "one-shot-50", "post-training-50", "one-shot-10", "post-training-10")
    assert [row.variant.name for row in study.results if row.shipped] == ["teacher", "post-training-10"]
    assert {row.variant.name for row in study.document.speed} == {"teacher", "post-training-50", "post-training-10"}
    assert tuple(run.seconds) == ("teacher", "importance", "ablation", "least-squares-50", "least-squares-10")
    assert {entry["stage"] for entry in run.history} == {"teacher"}
    assert set(run.factors.by_criterion) == {name for name, found in CRITERIA.items() if found.needs != "slimmed"}
    assert "fine-tuned on own, cut and solved by" in (study.folder / "post-training-10" / "README.md").read_text()
    stored, network = load_network(study, "post-training-10"), run.networks[1]
    assert states_equal(stored.model, network.models[Variant.parse("post-training-10")])
    for network in run.networks:
        assert network.solved is not None
        assert network.recovered == {}
        assert not states_equal(network.cut.model, network.solved.model)


def test_recovery_starts_from_what_least_squares_left(one_shot: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    monkeypatch.setattr(steps, "recover", lambda context, cut, *rest: begun.append(cut.model))
    run = one_shot.again(stages=("least_squares", "recover"))
    assert all(states_equal(model, kept.solved.model) for model, kept in zip(begun, run.networks, strict=True))
    with pytest.raises(ConfigError, match=r"^criterion alpha: is what slimming finds"):
        one_shot.again(criterion="alpha")
    with pytest.raises(ConfigError, match="expected least_squares or recover"):
        one_shot.again(stages=("slim",))


def test_the_same_study_is_replaced_when_asked(single: Made) -> None:
    folder, before = single.study.folder, content(single.study.folder)
    again = store_run(single.run, folder, command=f"{COMMAND} --overwrite", overwrite=True)
    assert verify(folder) == []
    assert again.document.provenance.command.endswith("--overwrite")
    changed = {name for name, checksum in content(folder).items() if before[name] != checksum}
    assert changed <= {"study.json", "slim-10/README.md"}  # dates; every array is the same


def test_a_teacher_whose_metric_is_0_is_stored(single: Made, tmp_path: Path) -> None:
    """A constant one scores 0 in Matthews correlation: there is nothing to retain, and all the rest is stored."""
    run = single.run
    task = dataclasses.replace(run.context.task, metrics=("mcc",))
    data = dataclasses.replace(run.context.data, task=task)
    constant = backbones.load_backbone(run.context.backbone, task)
    with torch.no_grad():
        constant.classifier.weight.zero_()
        constant.classifier.bias.copy_(torch.tensor([0.0, 5.0]))
    folder = tmp_path / "teacher"
    teacher.store_teacher(constant, folder, "tiny")
    changed = dataclasses.replace(
        run,
        context=dataclasses.replace(run.context, data=data),
        teacher=dataclasses.replace(run.teacher, model=constant, folder=folder),
        ablations=(),
    )
    study = store_run(changed, tmp_path / "constant", command=COMMAND)
    assert verify(study.folder) == []
    assert row_of(study, "teacher").metrics["mcc"] == 0
    assert {row.retention for row in study.results} == {None}
    assert "undefined, the teacher scores 0" in (study.folder / "slim-10" / "README.md").read_text()


def test_stages_depend_on_the_tokenizer_and_configuration_of_a_backbone(single: Made, tmp_path: Path) -> None:
    """Whose weights may be the same."""
    found = single.run.context.backbone
    inputs = inputs_of(single.run.context)
    other = tmp_path / "other"
    other.mkdir()
    for path in found.folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    moved = dataclasses.replace(single.run.context, backbone=dataclasses.replace(found, folder=other, name="other"))
    assert inputs_of(moved) == inputs
    (other / "config.json").write_text((other / "config.json").read_text() + " ")
    assert inputs_of(moved) != inputs
