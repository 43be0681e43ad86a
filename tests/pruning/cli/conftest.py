"""Three tiny studies made by ``run``, once a session, and what a command leaves in its process put back."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pruning.methods import shared
from tests.factories.own_data import made_up, scored_pairs, write_csv
from tests.factories.quick_run import frozen_garbage, quick_measurements
from tests.factories.tiny_backbone import write_backbone, write_classifier
from tests.pruning.cli.commands import Made, make


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with quick_measurements(), frozen_garbage():
        yield


@pytest.fixture(autouse=True)
def backbone_is_here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All studies start from the same backbone, which they remember by its name and checksum."""
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(place))


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """A command sets a signal handler, threads and the libraries' chatter for its whole process."""
    from transformers.utils import logging as chatter

    handler, threads, level = signal.getsignal(signal.SIGTERM), torch.get_num_threads(), chatter.get_verbosity()
    yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)
    chatter.set_verbosity(level)
    chatter.enable_progress_bar()
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a backbone, files of examples, and files that no study can be made from."""
    folder = tmp_path_factory.mktemp("command")
    write_backbone(folder / "backbone")
    write_csv(folder / "own.csv", 60, 0)
    write_csv(folder / "validation.csv", 12, 1)
    texts = {
        "few.csv": "text,label\ngood,yes\nbad,no\n",
        "other.csv": "text,label\ngood,yes\nbad,maybe\n",
        "numbers.csv": "text,label\n" + "good,0\nbad,1\nwarm,2\n" * 9,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    write_classifier(folder / "classifier")
    write_csv(folder / "many.csv", 120, 2)
    many = [f"{text},{number % 2}" for number, text in enumerate(made_up(120, 3).texts)]
    files = {
        "numbered.csv": many,
        "half.csv": [line.replace(",1", ",maybe").replace(",0", ",no") for line in many],
        "hole.csv": [*many[:50], ",1", *many[50:]],
        "digits.csv": [f"{number}.5,no" for number in range(120)],
        "one.csv": ["a good film,yes"],
        "none.jsonl": [],
    }
    for name, lines in files.items():
        header = ["text,label"] if name.endswith(".csv") else []
        (folder / name).write_text("".join(f"{line}\n" for line in header + lines))
    (folder / "gpt").mkdir()
    (folder / "gpt" / "config.json").write_text('{"model_type": "gpt2"}')
    (folder / "bare").mkdir()
    return folder


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Single texts in two classes from a CSV file, without a validation file, two budgets."""
    folder = tmp_path_factory.mktemp("own")
    write_backbone(folder / "backbone")
    write_csv(folder / "own.csv", 60, 0)
    with quick_measurements():
        return make(folder, "--train-file", folder / "own.csv", budgets="0.3,0.1")


@pytest.fixture(scope="session")
def similar(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Pairs with a score, as in STS-B, from JSON lines."""
    folder = tmp_path_factory.mktemp("similar")
    write_backbone(folder / "backbone")
    for name, rows, seed in (("own", 40, 0), ("validation", 12, 1)):
        pairs = scored_pairs(rows, seed)
        scored = zip(pairs.texts, pairs.pairs or (), (pairs.labels / 2).tolist(), strict=True)
        lines = [{"a": a, "b": b, "score": score} for a, b, score in scored]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = ("--train-file", folder / "own.jsonl", "--validation-file", folder / "validation.jsonl")
    with quick_measurements():
        return make(folder, *files, "--text", "a", "--pair", "b", "--label", "score", "--regression", "--json")


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Three classes named by words, from parquet; a budget of FLOPs."""
    folder = tmp_path_factory.mktemp("three")
    write_backbone(folder / "backbone")
    texts = made_up(60, 0).texts
    words = ["cold" if "cold" in text else "warm" if "warm" in text else "neither" for text in texts]
    pd.DataFrame({"note": texts, "kind": words}).to_parquet(folder / "own.parquet")
    columns = ("--text", "note", "--label", "kind")
    with quick_measurements():
        return make(folder, "--train-file", folder / "own.parquet", *columns, "--budget-kind", "flop_ratio", "--json")


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is refused before hours of training."""

    def train(*arguments: Any, **named: Any) -> None:
        raise AssertionError("training began")

    monkeypatch.setattr(shared, "train_teacher", train)
