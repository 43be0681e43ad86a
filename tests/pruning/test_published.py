"""Published figures: every row says what it counts and where it stands, and none is taken for another thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pruning.data.tasks import TASKS
from pruning.errors import StoreError
from pruning.published import COUNTS_IN_WORDS, PUBLISHED, Published, read_published

HEADER = "group,method,dataset,metric,split,score,dense,total,encoder,counts,speed,source,note"
ROW = "pruning,A method,sst2,accuracy,test,0.9,0.93,0.2,0.1,stored,,A paper,"


@pytest.fixture(scope="module")
def rows() -> tuple[Published, ...]:
    return read_published()


def find(rows: tuple[Published, ...], method: str, dataset: str, encoder: float) -> Published:
    (found,) = [row for row in rows if (row.method, row.dataset, row.encoder) == (method, dataset, encoder)]
    return found


def test_every_row_has_a_source_and_says_what_it_counts(rows: tuple[Published, ...]) -> None:
    assert len(rows) > 100
    for row in rows:
        assert row.source
        assert row.counts in COUNTS_IN_WORDS
        assert row.total is not None or row.encoder is not None
        assert row.dataset in {*TASKS, "squad"}
        assert row.metric is None or row.dataset == "squad" or row.metric in {*TASKS[row.dataset].metrics, "accuracy"}
        assert row.retention is None or 0.5 < row.retention < 1.1
    assert {row.counts for row in rows} == set(COUNTS_IN_WORDS)
    assert len({(r.method, r.dataset, r.split, r.total, r.encoder, r.source) for r in rows}) == len(rows)


def test_figures_are_those_of_their_sources(rows: tuple[Published, ...]) -> None:
    grain = find(rows, "GRAIN", "mnli", 0.05)
    assert (grain.score, grain.dense, grain.total, grain.counts) == (0.822, 0.847, None, "stored")
    slimbert = find(rows, "SlimBERT", "mrpc", 0.0097)
    assert (slimbert.metric, slimbert.split, slimbert.counts) == ("f1", "test", "claimed")
    assert slimbert.retention == pytest.approx(0.8064 / 0.8973)
    assert find(rows, "oBERT", "qqp", 0.1).retention is None  # its dense network is not in the source
    compound = find(rows, "Tambe et al. 2020", "qqp", 0.009)
    assert (compound.counts, compound.total, compound.dense) == ("bytes", 0.013, 0.892)


def test_the_dense_network_itself_is_no_row(rows: tuple[Published, ...]) -> None:
    assert not any(row.method.startswith("BERT-base") for row in rows)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (ROW.replace("A paper", ""), "line 2: Object missing required field source"),
        (ROW.replace("stored", "guessed"), r"line 2: Invalid enum value 'guessed' - at \$\.counts"),
        (ROW.replace("0.2,0.1", ","), "line 2: no size, expected total, encoder or both"),
        (ROW.replace("0.93", "93"), "line 2: Expected float <= 1"),
        (ROW + ",more", "line 2: Expected str"),
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_one_line(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(f"{HEADER}\n{ROW}\n")
    assert read_published(path)[0].retention == pytest.approx(0.9 / 0.93)
    path.write_text(f"{HEADER}\n{line}\n")
    with pytest.raises(StoreError, match=expected):
        read_published(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory, expected published figures"):
        read_published(tmp_path / PUBLISHED.name)
