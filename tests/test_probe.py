"""The bundled probe sets: size, balance, fields, both labels, and what their README says of them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from benchmarks import probe_agreement
from pruning.data import PROBE_FOLDER, load_examples
from pruning.data.tasks import get_task

NAMES = ("cola", "mrpc", "rte", "sst2", "stsb")
CLASSES = tuple(name for name in NAMES if name != "stsb")


def kept(name: str) -> list[dict[str, Any]]:
    return probe_agreement.read_items(PROBE_FOLDER, name)[0]


def dropped(name: str) -> list[dict[str, Any]]:
    return probe_agreement.read_items(PROBE_FOLDER, name)[1]


def normalised(item: dict[str, Any], name: str) -> list[str]:
    return [" ".join(re.findall(r"\w+", item[column].lower())) for column in get_task(name).text]


@pytest.mark.parametrize("name", NAMES)
def test_items_have_the_fields_and_labels_of_their_task(name: str) -> None:
    task = get_task(name)
    fields = {"id", *task.text, "label", "first_label", "second_label", "domain"}
    for item in [*kept(name), *dropped(name)]:
        assert set(item) == fields, item["id"]
        assert all(item[column] == item[column].strip() != "" for column in (*task.text, "domain")), item["id"]
        for which in ("label", "first_label", "second_label"):
            if task.labels is None:
                assert 0 <= item[which] <= 5, item["id"]
            else:
                assert item[which] in task.labels, item["id"]


@pytest.mark.parametrize("name", NAMES)
def test_items_are_enough_and_each_is_there_once(name: str) -> None:
    items = kept(name)
    assert len(items) >= 128
    for values in (
        [item["id"] for item in [*items, *dropped(name)]],
        [tuple(normalised(item, name)) for item in items],
    ):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_no_two_sets_share_a_text() -> None:
    texts = {name: {text for item in kept(name) for text in normalised(item, name)} for name in NAMES}
    for first, second in itertools.combinations(NAMES, 2):
        assert texts[first] & texts[second] == set(), (first, second)


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_balanced_and_kept_items_were_labelled_alike_twice(name: str) -> None:
    items = kept(name)
    shares = [sum(item["label"] == word for item in items) / len(items) for word in get_task(name).labels or ()]
    assert max(shares) - min(shares) <= 0.05
    assert all(item["label"] == item["first_label"] == item["second_label"] for item in items)
    assert all(item["first_label"] != item["second_label"] for item in dropped(name))


def test_stsb_scores_are_means_of_two_close_ones_and_spread_over_the_range() -> None:
    items = kept("stsb")
    for item in [*items, *dropped("stsb")]:
        assert item["label"] == pytest.approx((item["first_label"] + item["second_label"]) / 2), item["id"]
    far = [abs(item["first_label"] - item["second_label"]) > probe_agreement.LARGEST_DISTANCE for item in items]
    assert not any(far)
    assert all(abs(item["first_label"] - item["second_label"]) > 1.0 for item in dropped("stsb"))
    per_unit, _ = np.histogram([item["label"] for item in items], bins=[0, 1, 2, 3, 4, 5])
    assert per_unit.min() >= len(items) / 10


def test_most_of_sst2_is_about_other_things_than_films() -> None:
    domains = Counter(item["domain"] for item in kept("sst2"))
    others = {domain: count for domain, count in domains.items() if domain != "film"}
    assert sum(others.values()) >= 100
    assert len(others) >= 10
    labels = Counter(item["label"] for item in kept("sst2") if item["domain"] != "film")
    assert max(labels.values()) - min(labels.values()) <= 0.05 * sum(labels.values())  # no class goes with films


@pytest.mark.parametrize("name", NAMES)
def test_sets_load_as_examples(name: str) -> None:
    task, items = get_task(name), kept(name)
    examples = load_examples(task, "validation", "probe")
    assert len(examples) == len(items)
    assert (examples.pairs is not None) == task.is_pair
    assert examples.domains == tuple(item["domain"] for item in items)
    expected = [item["label"] if task.labels is None else task.labels.index(item["label"]) for item in items]
    np.testing.assert_allclose(examples.labels, expected, rtol=1e-6)


def test_readme_says_what_the_command_prints() -> None:
    text = (PROBE_FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(\1\.jsonl\) \| (\d+) \| (\d+) \| (\d+) \| ([^|]+) \|", text, re.MULTILINE)
    report = probe_agreement.report()
    assert (
        sorted(row[0] for row in rows) == sorted(report) == sorted(path.stem for path in PROBE_FOLDER.glob("*.jsonl"))
    )
    assert tuple(sorted(report)) == NAMES
    for name, items, kept_items, dropped_items, words in rows:
        entry = report[name]
        assert [int(items), int(kept_items), int(dropped_items)] == [entry["items"], entry["kept"], entry["dropped"]]
        if "raw_agreement" in entry:
            assert words == f"{entry['raw_agreement']:.0%}, kappa {entry['cohens_kappa']:.2f}"
        else:
            assert words == f"Pearson {entry['pearson']:.3f}, mean difference {entry['mean_absolute_difference']:.2f}"


def test_kappa_is_agreement_beyond_chance() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    first = generator.choice(["a", "b", "c"], 200).tolist()
    second = [word if generator.random() < 0.8 else "a" for word in first]
    assert probe_agreement.cohens_kappa(first, second) == pytest.approx(sklearn.cohen_kappa_score(first, second))
    assert probe_agreement.cohens_kappa(["a", "a"], ["a", "a"]) == 1.0
