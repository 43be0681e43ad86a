"""A study in two processes: stage files written once, batches dealt out, and going on after an interruption."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import skip_first_batches
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader
from transformers import TrainerState

from pruning.data import EpochBuckets
from pruning.errors import ConfigError
from pruning.study import read_study, verify
from pruning.training import context as training_context
from pruning.training import processes
from pruning.training import trainer as training
from tests.conftest import build_bert
from tests.factories.own_data import write_csv
from tests.factories.small_training import BATCH, make_context, make_training
from tests.factories.tiny_backbone import write_backbone
from tests.interrupted_run import ROOT


@dataclass(frozen=True)
class Launched:
    """What `tests.launched_run` left behind."""

    folder: Path
    code: int
    stderr: str

    def codes(self, number: int) -> list[int]:
        return json.loads((self.folder / f"codes-{number}.json").read_text())

    def output(self, attempt: int, number: int) -> dict[str, str]:
        folder = self.folder / f"output-{attempt}-{number}"
        return {stream: (folder / stream).read_text() for stream in ("stdout", "stderr")}

    def stage_files(self, name: str) -> dict[str, str]:
        runs = self.folder / name / "runs"
        files = [path for path in runs.rglob("*") if path.is_file() and path.name != "seconds.json"]
        return {str(path.relative_to(runs)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def free_ports(number: int) -> list[str]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [str(each.getsockname()[1]) for each in sockets]


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Launched:
    folder = tmp_path_factory.mktemp("launched")
    write_backbone(folder / "backbone")
    write_csv(folder / "own.csv", 60, 0)
    write_csv(folder / "validation.csv", 12, 1)
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
        "TORCH_CPP_LOG_LEVEL": "ERROR",  # as the command sets it; here torch is imported before
    }
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "tests.launched_run", str(folder), *free_ports(3)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert (folder / "codes-0.json").is_file(), done.stderr[-4000:]
    return Launched(folder, done.returncode, done.stderr)


def test_a_study_in_two_processes_is_stored_whole(launched: Launched) -> None:
    assert [launched.codes(number)[0] for number in (0, 1)] == [0, 0], launched.output(0, 0)
    study = read_study(launched.folder / "whole" / "studies" / "own")
    assert study.document.provenance.processes == 2
    assert verify(study.folder) == []
    lines = (study.folder / "history.jsonl").read_text().splitlines()
    steps = {entry["stage"]: entry["step"] for entry in map(json.loads, lines)}
    assert steps == {"teacher": 4, "slim": 8, "recover-50": 4}  # 60 rows in batches of 8, two at a step


def test_only_the_main_process_says_anything(launched: Launched) -> None:
    main, other = launched.output(0, 0), launched.output(0, 1)
    assert "slim-50" in main["stdout"]
    assert "recover-50: 100%" in main["stderr"]
    assert other == {"stdout": "", "stderr": ""}


def test_interrupted_in_the_middle_of_an_epoch_it_ends_the_same(launched: Launched) -> None:
    codes = [launched.codes(number)[1:] for number in (0, 1)]
    assert codes[0] == [-9, 0]
    assert codes[1][0] != 0
    assert codes[1][1] == 0
    assert "slim:  75%" in launched.output(2, 0)["stderr"]  # went on at step 6 of 8
    whole = launched.stage_files("whole")
    assert any("recover-50" in name for name in whole)
    assert launched.stage_files("struck") == whole


def test_a_failure_of_the_main_process_ends_the_others(launched: Launched) -> None:
    assert launched.code != 0
    said = [line for line in launched.stderr.splitlines() if line.startswith("pruning: ")]
    assert said[0] == "pruning: the teacher cannot be stored"
    assert all("another process of this run ended" in line for line in said[1:])


def test_one_process_neither_joins_nor_waits() -> None:
    processes.join(True)
    with processes.main_first():
        processes.wait()
    processes.part()
    assert (processes.count(), processes.is_main()) == (1, True)
    assert not torch.distributed.is_initialized()


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="3 processes on this machine: 2 CUDA GPUs, expected one for each"):
        processes.join(False)


def test_one_process_takes_one_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several would have the Trainer wrap the network in nn.DataParallel."""
    monkeypatch.setattr(training_context, "has_accelerator", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    trainer = training.StudyTrainer(build_bert(), make_training(tmp_path), replace(make_context(), device=None))
    assert (trainer.args.n_gpu, trainer.args.train_batch_size) == (1, BATCH)


def shards(buckets: EpochBuckets, number: int) -> list[DataLoader]:
    """Each process's loader, as accelerate makes it."""
    loader = DataLoader(range(len(buckets.lengths)), batch_sampler=buckets, collate_fn=list)  # type: ignore[arg-type]
    return [prepare_data_loader(loader, num_processes=number, process_index=index) for index in range(number)]


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("rows", [5, 23, 24, 33, 48])
def test_each_example_comes_once_up_to_even_batches(rows: int, number: int) -> None:
    buckets = EpochBuckets(np.arange(rows) % 7 + 1, 4, seed=3)
    buckets.set_epoch(1)
    dealt = [list(shard) for shard in shards(buckets, number)]
    steps = -(-len(buckets) // number)
    assert {len(batches) for batches in dealt} == {steps}
    examples = [example for step in zip(*dealt, strict=True) for batch in step for example in batch]
    assert len(examples) == steps * number * 4
    assert sorted(examples[:rows]) == list(range(rows))


def test_going_on_inside_an_epoch_gives_the_batches_that_were_left() -> None:
    buckets = EpochBuckets(np.arange(64) % 7 + 1, 4, seed=3)
    whole = []
    for index, shard in enumerate(shards(buckets, 2)):
        buckets.set_epoch(2)
        whole.append(list(shard))
        assert whole[index] == buckets.batches(2)[index::2]
    order = training.EpochOrder(buckets)
    for index, shard in enumerate(shards(buckets, 2)):
        buckets.set_epoch(0)
        left = skip_first_batches(shard, 3)
        order.on_epoch_begin(None, TrainerState(epoch=2 + 3 / 8), None)
        assert list(left) == whole[index][3:]
