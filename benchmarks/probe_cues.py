"""How far surface cues alone get on the probe sets' pairs: overlap, length, negation, words without an order.

python -m benchmarks.probe_cues

A set whose labels such cues give away would measure the cues (Gururangan et al. 2018, "Annotation Artifacts in Natural
Language Inference Data"). Each cue is learned on all domains but one and asked about that one, in turns, so that no
text is on both sides. Prints JSON, one object per task of pairs with classes: the share of the largest class, and the
share of labels that each cue gets right.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/probe_cues.py` works as well

from pruning.data.examples import Examples
from pruning.data.probe import PROBE_FOLDER, load_probe
from pruning.data.tasks import TASKS

NEGATION = frozenset(
    ("no", "not", "never", "nobody", "none", "nothing", "nor", "neither", "without", "cannot", "hardly", "t")
)  # "t" is what is left of "isn't" and "can't"
BINS = 5  # of a cue that is a number, as many training items in each

Guess = Callable[[np.ndarray], np.ndarray]  # rows (some,) -> labels (some,)
Learner = Callable[[np.ndarray], Guess]  # rows to learn from (others,) -> what it then guesses of any rows


def words(text: str) -> list[str]:
    """A text's words, in lower case."""
    return re.findall(r"\w+", text.lower())


def from_numbers(values: np.ndarray, labels: np.ndarray) -> Learner:
    """The most frequent label of the bin that a number falls into; (items,) and (items,)."""

    def learn(rows: np.ndarray) -> Guess:
        edges = np.unique(np.quantile(values[rows], np.linspace(0, 1, BINS + 1)[1:-1]))
        bins = np.digitize(values, edges)
        overall = np.bincount(labels[rows]).argmax()
        seen = {number: labels[rows][bins[rows] == number] for number in np.unique(bins)}
        best = {number: np.bincount(found).argmax() if len(found) else overall for number, found in seen.items()}
        return lambda asked: np.array([best[number] for number in bins[asked]])

    return learn


def from_words(bags: list[Iterable[str]], labels: np.ndarray) -> Learner:
    """Naive Bayes over which words are there (Laplace smoothing); a bag an item, and (items,)."""
    sets = [sorted(set(bag)) for bag in bags]  # sums in one order, whatever the hashes

    def learn(rows: np.ndarray) -> Guess:
        classes = np.unique(labels)
        counts = {label: Counter(w for row in rows[labels[rows] == label] for w in sets[row]) for label in classes}
        totals = {label: int((labels[rows] == label).sum()) for label in classes}

        def score(row: int, label: int) -> float:
            chances = (np.log((counts[label][word] + 1) / (totals[label] + 2)) for word in sets[row])
            return float(np.log(totals[label]) + sum(chances))

        return lambda asked: np.array([max(classes, key=lambda label: score(row, label)) for row in asked])

    return learn


def accuracy(learner: Learner, labels: np.ndarray, domains: np.ndarray) -> float:
    """Share of labels guessed by what was learned without the item's own domain."""
    right = 0
    for domain in np.unique(domains):
        held_out = np.flatnonzero(domains == domain)
        right += int((learner(np.flatnonzero(domains != domain))(held_out) == labels[held_out]).sum())
    return right / len(labels)


def cues(examples: Examples) -> dict[str, float]:
    """What each cue gets right on pairs of two or more classes, by its name."""
    if examples.pairs is None or examples.domains is None:
        raise ValueError(f"{examples.origin}: expected pairs with domains")
    labels, domains = examples.labels, np.array(examples.domains)
    first, second = ([frozenset(words(text)) for text in column] for column in (examples.texts, examples.pairs))
    both = list(zip(first, second, strict=True))
    lengths = np.array([len(words(text)) for text in examples.pairs])
    signs = [[f"{bool(a & NEGATION)} {bool(b & NEGATION)}"] for a, b in both]
    places = [{f"both {w}" for w in a & b} | {f"1 {w}" for w in a - b} | {f"2 {w}" for w in b - a} for a, b in both]
    learners = {
        "overlap": from_numbers(np.array([len(a & b) / len(a | b) for a, b in both]), labels),
        "length": from_numbers(lengths, labels),
        "negation": from_words(list(signs), labels),
        "second_text": from_words(list(second), labels),
        "both_texts": from_words(list(places), labels),
    }
    found = {"largest_class": np.bincount(labels).max() / len(labels)}
    found |= {name: accuracy(learner, labels, domains) for name, learner in learners.items()}
    return {name: round(float(value), 3) for name, value in found.items()}


def report() -> dict[str, dict[str, float]]:
    """Cues of every probe set of pairs with classes, by task."""
    tasks = [TASKS[path.stem] for path in sorted(PROBE_FOLDER.glob("*.jsonl"))]
    chosen = [task for task in tasks if task.is_pair and not task.is_regression]
    return {task.name: cues(load_probe(task, task.validation[0])) for task in chosen}


def main() -> None:
    argparse.ArgumentParser(description="What surface cues get right on the probe sets, as JSON.").parse_args()
    print(json.dumps(report(), indent=2))


if __name__ == "__main__":
    main()
