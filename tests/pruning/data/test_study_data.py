"""Texts without labels that recovery follows the teacher on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pruning.data.examples import Examples, joined
from pruning.data.study_data import transfer_examples
from pruning.data.tasks import get_task
from pruning.errors import ConfigError


@pytest.fixture
def glue(tmp_path: Path) -> Path:
    """A folder with a few rows of a single-text and a pair task."""
    (tmp_path / "sst2").mkdir()
    (tmp_path / "mrpc").mkdir()
    single = pd.DataFrame({"sentence": [f"text {n}" for n in range(8)], "label": [0, 1] * 4, "idx": range(8)})
    single.to_parquet(tmp_path / "sst2" / "train.parquet")
    pair = {"sentence1": [f"one {n}" for n in range(6)], "sentence2": [f"two {n}" for n in range(6)]}
    pd.DataFrame(pair | {"label": [0, 1] * 3, "idx": range(6)}).to_parquet(tmp_path / "mrpc" / "train.parquet")
    return tmp_path


def test_single_texts_come_from_both_columns_of_pairs(glue: Path) -> None:
    found = transfer_examples(get_task("cola"), [get_task("sst2"), get_task("mrpc")], str(glue), 100, seed=0)
    expected = {f"text {n}" for n in range(8)} | {f"{which} {n}" for which in ("one", "two") for n in range(6)}
    assert set(found.texts) == expected
    assert found.pairs is None
    assert not found.is_labelled


def test_pairs_stay_pairs_and_the_draw_follows_the_seed(glue: Path) -> None:
    draws = [transfer_examples(get_task("rte"), [get_task("mrpc")], str(glue), 4, seed=seed) for seed in (0, 0, 1)]
    assert len(draws[0]) == 4
    assert draws[0].pairs is not None
    assert all(a.split()[1] == b.split()[1] for a, b in zip(draws[0].texts, draws[0].pairs, strict=True))
    assert draws[0].sha256 == draws[1].sha256 != draws[2].sha256


@pytest.mark.parametrize(("task", "other"), [("rte", "sst2"), ("mrpc", "mrpc")])
def test_texts_that_cannot_help_are_refused(glue: Path, task: str, other: str) -> None:
    with pytest.raises(ConfigError, match=f"transfer to {task} from {other}: expected"):
        transfer_examples(get_task(task), [get_task(other)], str(glue), 4, seed=0)


@pytest.mark.parametrize("labels", [np.array([1, 0]), np.array([1.5, 2.0], dtype=np.float32)])
def test_joined_examples_keep_labels_and_mark_what_has_none(labels: np.ndarray) -> None:
    first = Examples(("a", "b"), None, labels, "first")
    second = Examples(("c",), None, np.array([-1]), "second", is_labelled=False)
    both = joined(first, second)
    assert both.texts == ("a", "b", "c")
    assert both.labels[:2].tolist() == labels.tolist()
    assert both.labels[2] == -1 or np.isnan(both.labels[2])
    assert both.labels.dtype == labels.dtype


def test_texts_of_any_evaluation_split_are_left_out_and_counted(glue: Path) -> None:
    held = pd.DataFrame({"sentence": ["ONE 3", "text 7."], "label": [0, 1], "idx": range(2)})
    held.to_parquet(glue / "sst2" / "validation.parquet")
    pairs = transfer_examples(get_task("rte"), [get_task("mrpc")], str(glue), 100, seed=0)
    assert set(pairs.texts) == {f"one {n}" for n in range(6) if n != 3}
    assert "; 1 rows shared a sentence with an evaluation split and went" in pairs.origin
    unwanted = frozenset({"two 0", "text 1"})
    left = transfer_examples(get_task("cola"), [get_task("sst2"), get_task("mrpc")], str(glue), 100, 0, unwanted)
    assert set(left.texts) & {"one 3", "two 3", "one 0", "two 0", "text 1", "text 7"} == set()


@pytest.mark.parametrize(("task", "other"), [("stsb", "mrpc"), ("mrpc", "stsb")])
def test_tasks_drawn_from_the_same_sources_do_not_serve_each_other(glue: Path, task: str, other: str) -> None:
    with pytest.raises(ConfigError, match=f"transfer to {task} from {other}: drawn from the same sources"):
        transfer_examples(get_task(task), [get_task(other)], str(glue), 4, seed=0)
