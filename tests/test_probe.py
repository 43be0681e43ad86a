"""The bundled probe sets: size, balance, fields, both labels, and what their README says of them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from benchmarks import probe_agreement, probe_cues
from pruning.data import PROBE_FOLDER, Examples, load_examples
from pruning.data.tasks import TASKS, get_task

NAMES = ("cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli")
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


@pytest.mark.parametrize(("name", "split"), [(name, split) for name in NAMES for split in TASKS[name].validation])
def test_sets_load_as_examples_in_place_of_each_validation_split(name: str, split: str) -> None:
    task, items = get_task(name), kept(name)
    examples = load_examples(task, split, "probe")
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
    assert tuple(sorted(report)) == NAMES == tuple(sorted(TASKS))
    for name, items, kept_items, dropped_items, words in rows:
        entry = report[name]
        assert [int(items), int(kept_items), int(dropped_items)] == [entry["items"], entry["kept"], entry["dropped"]]
        if "raw_agreement" in entry:
            assert words == f"{entry['raw_agreement']:.0%}, kappa {entry['cohens_kappa']:.2f}"
        else:
            assert words == f"Pearson {entry['pearson']:.3f}, mean difference {entry['mean_absolute_difference']:.2f}"


def test_readme_says_what_cues_get_right() -> None:
    text = (PROBE_FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) ((?:\| \d+% ?)+)\|$", text, re.MULTILINE)
    said = {name: re.findall(r"\d+%", cells) for name, cells in rows}
    assert said == {name: [f"{share:.0%}" for share in found.values()] for name, found in probe_cues.report().items()}


def test_texts_that_occur_with_both_labels_say_nothing_by_themselves() -> None:
    """Premises of mnli come with each label once, questions and sentences of qnli with both as often."""
    for name, column in (("mnli", "premise"), ("qnli", "question"), ("qnli", "sentence")):
        labels: dict[str, list[str]] = {}
        for item in [*kept(name), *dropped(name)]:
            labels.setdefault(item[column], []).append(item["first_label"])
        expected = get_task(name).labels or ()
        assert all(sorted(set(found)) == sorted(expected) for found in labels.values()), (name, column)
        assert all(len({found.count(word) for word in expected}) == 1 for found in labels.values()), (name, column)


def test_a_cue_is_found_where_it_is_and_only_there() -> None:
    """Labels that the second text's words give away, in every domain; and the same texts with labels by chance."""
    generator = np.random.default_rng(0)
    labels, domains = generator.integers(0, 2, 200), tuple(str(number % 8) for number in range(200))
    pairs = tuple(f"{('red', 'green')[label]} thing {number % 7}" for number, label in enumerate(labels))
    told = Examples(("one two three",) * 200, pairs, labels, "made up", domains)
    assert probe_cues.cues(told)["second_text"] == 1.0
    assert probe_cues.cues(told)["both_texts"] == 1.0
    assert probe_cues.cues(told)["length"] < 0.6
    chance = Examples(told.texts, pairs, generator.permutation(labels), "made up", domains)
    assert all(share < 0.65 for share in probe_cues.cues(chance).values())
    alike = tuple("one two three" if label else "four five six" for label in labels)
    assert probe_cues.cues(Examples(told.texts, alike, labels, "made up", domains))["overlap"] == 1.0


def test_kappa_is_agreement_beyond_chance() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    first = generator.choice(["a", "b", "c"], 200).tolist()
    second = [word if generator.random() < 0.8 else "a" for word in first]
    assert probe_agreement.cohens_kappa(first, second) == pytest.approx(sklearn.cohen_kappa_score(first, second))
    assert probe_agreement.cohens_kappa(["a", "a"], ["a", "a"]) == 1.0
