"""Whatever verify accepts trips no reader; whatever it refuses is refused in one line and listed as broken."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pruning.errors import SlimVizError
from pruning.study import (
    BrokenStudy,
    Study,
    list_studies,
    load_cut,
    load_factors,
    load_history,
    read_study,
    verify,
    write_study,
)
from pruning.study.card import model_card
from pruning.study.write import Identity
from slimviz import results_in_words
from slimviz.frames.budgets import budgets, closest_budget
from slimviz.frames.heads import backbone_groups
from slimviz.frames.provenance import provenance_text, shape_words
from slimviz.frames.results import summarise
from tests.factories.study_contents import made_contents
from tests.factories.synthetic_study import write_study as write_synthetic

STRANGE = (
    *(None, True, "", "x", "a\nb\x1b[31m", "9" * 5000, "\u202e", [], {}, [None], {"": None}),
    *(0, -1, 1, 3, 10**9, 2**53, 2**63, -(2**70), 0.0, -0.5, 1.5, 1e-300, 1e300, math.nan, math.inf, "real", "teacher"),
)
DELETE, EXTRA = object(), object()


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of every value in a document but the document itself."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def mutated(document: Any, path: tuple[Any, ...], change: Any) -> Any:
    document = copy.deepcopy(document)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    if change is DELETE:
        del parent[path[-1]]
    elif change is EXTRA and isinstance(parent, dict):
        parent["colour"] = 1
    elif change is EXTRA:
        parent.append(parent[path[-1]])
    else:
        parent[path[-1]] = change
    return document


def use(study: Study) -> None:
    """Everything that reads a document without running a network, pages included."""
    for name in study.variants:
        variant = study.variant(name)
        assert study.result(variant) is not None
        study.weights(variant)
        if variant.budget is not None:
            model_card(study.document, variant)
    Identity.of(study.document).differences(Identity.of(study.document))
    for budget in study.selections:
        load_cut(study, budget)
    load_history(study)
    assert load_factors(study).heads().shape == (study.shape.layers, study.shape.heads)
    use_on_pages(study)


def use_on_pages(study: Study) -> None:
    """What the pages make of a document, where that is pure."""
    names = budgets(study)
    rows = [summarise("key", study, budget) for budget in names]
    results_in_words.budget_sentence(rows, study.task.title)
    for row in rows:
        results_in_words.overview_headline([row], row.budget, 3.0)
        results_in_words.teacher_sentence(row.title, row.teacher, row.floor)
        assert closest_budget(study, study.selections[row.budget].total_density) in names
    provenance_text(study)
    shape_words(study.shape)
    backbone_groups({"key": study})


def is_of_a_file(problem: str) -> bool:
    """Whether the document no longer fits its arrays, which their readers say in one line."""
    return problem.startswith(("masks.safetensors: '", "factors.safetensors: '"))


@pytest.fixture(scope="module", params=["classification", "regression"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("studies")
    if request.param == "classification":
        return write_study(place / "study", made_contents(place)).folder
    return write_synthetic(place, "stsb", name="study", budgets=("10",))


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_what_is_accepted_trips_nobody(folder: Path, data: st.DataObject) -> None:
    place = folder / "study.json"
    original = place.read_text()
    document = json.loads(original)
    try:
        for _ in range(data.draw(st.integers(1, 2), "changes")):
            path = data.draw(st.sampled_from(list(paths(document))), "path")
            document = mutated(document, path, data.draw(st.sampled_from((DELETE, EXTRA, *STRANGE)), "change"))
        place.write_text(json.dumps(document))
        problems = verify(folder)
        assert all(line.isprintable() and len(line) <= 300 for line in problems), problems
        (listed,) = list_studies([folder.parent])
        if isinstance(listed, BrokenStudy):
            assert problems
            assert listed.reason.isprintable()
            assert len(listed.reason) <= 300
            with pytest.raises(SlimVizError):
                read_study(folder)
        else:
            with pytest.raises(SlimVizError) if any(map(is_of_a_file, problems)) else nullcontext():
                use(listed)
    finally:
        place.write_text(original)
