from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pruning.data.tasks import custom_task, get_task
from pruning.sweep.result import write_result
from tests.factories.study_document import add_networks, edit
from tests.factories.sweep_results import cell_result
from tests.factories.synthetic_study import bert_shape, write_study

COMMAND = "python -m pruning sweep benchmarks/rivals.toml"


@pytest.fixture(autouse=True)
def rivals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where a sweep's results are looked for."""
    folder = tmp_path / "rivals"
    monkeypatch.setattr("slimviz.loaders.RIVALS", folder)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small studies: one with seeds, a regression, three labels, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("small")
    for task in ("sst2", "stsb", "mnli"):
        shape = bert_shape(get_task(task), layers=2, heads=2, head_size=16, ffn=64)
        write_study(folder, task, shape=shape, budgets=("50", "10"))
    edit(folder / "sst2", lambda document: add_networks(document, (1, 2), solved=True))
    (folder / "broken").mkdir()
    (folder / "broken" / "study.json").write_text("{")
    return folder


def said(page: AppTest) -> str:
    """Everything written on the page, escapes removed."""
    assert not page.exception
    kinds = (page.markdown, page.caption, page.warning, page.info, page.error)
    return "\n".join(part.value for kind in kinds for part in kind).replace("\\", "").replace("\u2060", "")


def address(page: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[0] for name, value in page.query_params.items()}


def test_it_says_what_it_shows_what_is_missing_and_what_is_broken(
    open_page: Callable[..., AppTest], small: Path
) -> None:
    page = open_page("tradeoffs", small, study="sst2")
    words = said(page)
    assert not page.error
    assert page.title[0].value == "Structural or sparse?"
    assert "SST-2 by accuracy: nothing as cheap beats" in words
    assert "have not been run for SST-2 yet" in words
    assert f"`{COMMAND}`" in words
    assert f"The study in {small / 'broken'} cannot be shown" in words
    assert "can be drawn where the upright one is the share kept: of another network (BERT-base)" in words
    assert len(page.get("vega_lite_chart")) == 1
    expected = {"study": "sst2", "x": "parameters", "y": "metric", "methods": "usual", "a": "teacher", "b": "slim-10"}
    assert expected.items() <= address(page).items()
    assert page.multiselect[0].value == ["slim", "post-training"]
    networks, published = page.dataframe
    assert len(networks.value) == 1 + 2 * 2 + 2  # teacher, two methods at two budgets, two further seeds
    assert all(published.value["Source"])
    assert all(published.value["Counted"])


def test_a_milliseconds_budget_names_the_best_network_and_the_machine(
    open_page: Callable[..., AppTest], small: Path
) -> None:
    page = open_page("tradeoffs", small, study="sst2", x="ms-32", **{"ms-32": "20"})
    where = "for a batch of 32 texts on made-up processor, 2 threads, 32 tokens"
    assert f"Within 20.0 ms {where}, the best is SlimViz at 10% (" in said(page)
    assert "Not drawn, since not timed" in said(page)
    assert "No published figure for SST-2 fits this axis" in said(page)
    page.number_input[0].set_value(1.0).run()
    assert address(page)["ms-32"] == "1"
    assert f"Nothing here answers within 1.0 ms {where}; the fastest is SlimViz at 10%" in said(page)


def test_rivals_are_compared_but_not_in_milliseconds_of_another_machine(
    open_page: Callable[..., AppTest], small: Path, rivals: Path
) -> None:
    for method, score in (("kwon", 0.87), ("obert", 0.88)):
        write_result(rivals, cell_result("sst2", method, 0.1, score=score, hardware="a second processor"))
    write_result(rivals, cell_result("sst2", "random", 0.1, validation="5" * 64))
    (rivals / "sst2" / "magnitude-10.json").write_text("{")
    page = open_page("tradeoffs", small, study="sst2", x="ms-32", a="slim-10", b="kwon-10")
    words = said(page)
    equal = "SST-2 at 10% in the sweep, on one teacher, by accuracy: the best of smaller matrices"
    assert f"{equal} is Fisher, rearranged, least squares (Kwon et al.) at 10% (0.870, 12.0 ms)" in words
    assert "and the best of zeros is Optimal BERT Surgeon at 10% (0.880, 120 ms)" in words
    assert "come from 2 different measurements and do not compare across them" in words
    assert words.count("the best is") == 2
    assert "Milliseconds of the sweep: each network was timed in turns with its teacher" in words
    assert "Not all networks have the same teacher (Teacher 0.905 and Teacher of the sweep 0.900)" in words
    assert "Of other methods for SST-2, 1 result is left out" in words
    assert "magnitude-10.json: not a sweep's result" in words
    assert COMMAND not in words
    assert "another machine" in page.table[0].value.to_csv()


def test_lines_that_fall_for_want_of_steps_are_explained(
    open_page: Callable[..., AppTest], small: Path, rivals: Path
) -> None:
    reason = "Steps of training differ with the budget in the sweep"
    write_result(rivals, cell_result("sst2", "kwon", 0.1))
    assert reason not in said(open_page("tradeoffs", small, study="sst2"))
    for budget in (0.5, 0.25):
        write_result(rivals, cell_result("sst2", "kwon", budget, steps=125))
    assert f"{reason} (500 at 10%, 125 at 25% and 50%)" in said(open_page("tradeoffs", small, study="sst2"))


@pytest.mark.parametrize(("study", "measure"), [("stsb", "above"), ("mnli", "kept")])
def test_regressions_and_three_labels(open_page: Callable[..., AppTest], small: Path, study: str, measure: str) -> None:
    page = open_page("tradeoffs", small, study=study, x="bytes", y=measure)
    assert "nothing as cheap beats" in said(page)
    assert not page.error
    assert len(page.get("vega_lite_chart")) == 1


def test_a_study_without_labels_shows_agreement(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    def without_labels(document: dict[str, Any]) -> None:
        task = custom_task("mine", ("review",), ("meh", "great"), label="verdict", is_labelled=False)
        document |= {"task": task.to_json(), "floor": {"agreement": 0.6}}
        for row in document["results"]:
            row["metrics"] = {"agreement": row["correct"] / row["count"]}

    edit(write_study(tmp_path / "own", "sst2", name="mine", budgets=("10",)), without_labels)
    page = open_page("tradeoffs", tmp_path / "own", study="mine")
    words = said(page)
    assert not page.error
    assert "by agreement with the teacher" in words
    assert [word for word in ("GLUE", "published", "loor", COMMAND) if word in words] == []
    assert page.table[0].value.to_csv().count("Agreement with the teacher") == 1


def test_pruned_to_nothing_only_a_teacher_and_no_study_at_all(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    shape = bert_shape(get_task("sst2"), layers=6, heads=2, head_size=16, ffn=64)
    nothing = write_study(tmp_path / "a", "sst2", shape=shape, budgets=("10", "1.037"), shipped=("1.037",))
    assert "beats" in said(open_page("tradeoffs", tmp_path / "a", x="encoder"))

    def only_a_teacher(document: dict[str, Any]) -> None:
        document["selections"], document["speed"], document["results"] = {}, [], document["results"][:1]

    edit(nothing, only_a_teacher)
    assert "No network chosen of SST-2" in said(open_page("tradeoffs", tmp_path / "a"))
    (tmp_path / "c").mkdir()
    assert "There are no studies to show yet" in said(open_page("tradeoffs", tmp_path / "c"))


def test_wrong_addresses_are_named(open_page: Callable[..., AppTest], small: Path) -> None:
    wrong = {"x": "luck", "y": "joy", "methods": "slim,magic", "a": "slim-3", "published": "so"}
    words = said(open_page("tradeoffs", small, study="sst2", **wrong))
    for what in ("Unknown axis", "Unknown measure", "Unknown method", "Unknown network", "Unknown published"):
        assert what in words
    words = said(open_page("tradeoffs", small, study="sst2", x="ms-1", **{"ms-1": "soon"}))
    assert 'Milliseconds "soon": expected a number from 0.01 to 100000' in words


def test_a_method_that_another_study_has_is_no_mistake(open_page: Callable[..., AppTest], small: Path) -> None:
    page = open_page("tradeoffs", small, study="stsb", methods="slim,post-training,kwon")
    assert "Unknown" not in said(page)
    assert page.multiselect[0].value == ["slim"]
    page.multiselect[0].set_value(["slim", "one-shot"]).run()
    assert set(address(page)["methods"].split(",")) == {"slim", "one-shot"}
