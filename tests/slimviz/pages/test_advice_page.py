"""Advice: the network that fits, why the others do not, commands, one's own texts, and the address of all that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pruning.data.tasks import get_task
from pruning.record_files import write_record
from pruning.study import read_study
from tests.factories.profiles import made_profile
from tests.factories.study_document import edit
from tests.factories.synthetic_study import bert_shape, write_study

LOOSE = {"ms": "none", "mb": "none", "points": "none"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    for task in ("sst2", "stsb", "wnli"):
        shape = bert_shape(get_task(task), layers=2, heads=2, head_size=16, ffn=64)
        written = write_study(folder, task, shape=shape, budgets=("50", "10"))
        edit(written, measured)
    return folder


@pytest.fixture(autouse=True)
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where profiles are looked for that ship; there are none."""
    folder = tmp_path / "profiles"
    monkeypatch.setattr("slimviz.loaders.PROFILES", folder)
    return folder


def measured(document: dict) -> None:
    sizes = {None: 40_000_000, "50": 20_000_000, "10": 4_000_000}
    for row in document["results"]:
        size = sizes[row["variant"].get("budget")]
        row |= {"size_bytes": size, "peak_memory_bytes": 3 * size}
    document["provenance"]["command"] = "python -m pruning run --task sst2 --data glue"


def knows_nothing(document: dict) -> None:
    for row in document["results"]:
        row |= {"metrics": {"accuracy": 0.0}, "correct": 0}
        row |= {"interval": None, "retention": None, "retention_above_floor": None}


def said(page: AppTest) -> str:
    """Everything written on the page, escapes removed."""
    assert not page.exception
    kinds = (page.markdown, page.caption, page.warning, page.info, page.error)
    return "\n".join(part.value for kind in kinds for part in kind).replace("\\", "").replace("\u2060", "")


def address(page: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[0] for name, value in page.query_params.items()}


def commands(page: AppTest) -> list[str]:
    return [code.value for code in page.code]


def places(page: AppTest) -> dict[str, str]:
    (table,) = page.dataframe
    return dict(zip(table.value["Network"], table.value["Place"], strict=True))


def field(page: AppTest, label: str):
    return next(one for one in page.number_input if one.label == label)


def test_it_opens_with_an_example_and_all_of_it_is_in_the_address(
    open_page: Callable[..., AppTest], small: Path
) -> None:
    page = open_page("advice", small, study="sst2", ms="1000")
    assert [title.value for title in page.title] == ["Which one fits what I can spend?"]
    words = said(page)
    assert "The best score within these limits: slim, 10%." in words
    assert "They hold for that machine" in words
    assert places(page) == {"slim, 10%": "1", "the teacher": "×", "slim, 50%": "×"}
    (table,) = page.dataframe
    assert dict(zip(table.value["Network"], table.value["Why not"], strict=True)) == {
        "slim, 10%": "",
        "the teacher": "40 MB, at most 10 asked",
        "slim, 50%": "ms not measured (batch 1, 32 tokens)",
    }
    assert commands(page) == [f"python -m pruning export {small / 'sst2'} --variant slim-10 --to sst2-slim-10"]
    expected = {"ms": "1000", "mb": "10", "points": "2", "memory": "none", "timed": "1x32", "data": "stored"}
    assert expected.items() <= address(page).items()


def test_limits_that_are_lifted_and_set(open_page: Callable[..., AppTest], small: Path) -> None:
    page = open_page("advice", small, study="sst2", **LOOSE)
    assert set(places(page).values()) == {"1", "2", "3"}
    field(page, "At most MB of memory").set_value(13.0).run()
    assert address(page)["memory"] == "13"
    assert places(page)["slim, 10%"] == "1"
    assert list(places(page).values()).count("×") == 2
    field(page, "At most MB of memory").set_value(None).run()
    assert address(page)["memory"] == "none"
    assert set(places(page).values()) == {"1", "2", "3"}


def test_a_profile_says_in_which_runtime_it_fits(
    open_page: Callable[..., AppTest], small: Path, profiles: Path
) -> None:
    limits = {"ms": "1", "mb": "none", "points": "5"}
    before = open_page("advice", small, study="sst2", **limits)
    assert "Nothing fits. Nearest: slim, 10% (" in said(before)
    assert "no profile is stored that timed and scored it there" in said(before)
    (table,) = before.dataframe
    assert set(table.value["Runtime"]) == {"torch"}
    write_record(profiles / "sst2.json", made_profile(read_study(small / "sst2")))
    page = open_page("advice", small, study="sst2", **limits)
    words = said(page)
    assert "The best score within these limits: slim, 10% in ONNX Runtime, int8." in words
    assert "time 0.8 ms, on disk 3 MB, memory not measured" in words
    assert "in the runtime of each row, on profiled processor, 2 threads. They hold for that machine" in words
    assert commands(page)[0].endswith("--variant slim-10 --format onnx --int8 --to sst2-slim-10-onnx-int8")
    (table,) = page.dataframe
    assert "Timed on" not in table.value
    rows = table.value[["Network", "Runtime", "Why not"]].itertuples(index=False, name=None)
    why = {(network, runtime): reason for network, runtime, reason in rows}
    assert why["slim, 10%", "ONNX Runtime, int8"] == ""
    assert why["slim, 10%", "torch"] == "2 ms, at most 1 asked"
    assert why["the teacher", "ONNX Runtime, int8"] == "3 ms, at most 1 asked"


def test_what_loading_alone_does_not_make_is_said(
    open_page: Callable[..., AppTest], small: Path, profiles: Path
) -> None:
    found = {"teacher": {"torch": (11.0, 0.9, 1)}, "slim-10": {"torch": (2.0, 0.89, 1), "bfloat16": (0.9, 0.89, 1)}}
    write_record(profiles / "sst2.json", made_profile(read_study(small / "sst2"), found))
    page = open_page("advice", small, study="sst2", ms="1", mb="none", points="none")
    assert "Then, once it is loaded: `model.to(torch.bfloat16)`" in said(page)
    assert commands(page) == [f"python -m pruning export {small / 'sst2'} --variant slim-10 --to sst2-slim-10"]


def test_machines_have_a_column_where_there_are_several_and_a_damaged_profile_is_one_line(
    open_page: Callable[..., AppTest], small: Path, profiles: Path
) -> None:
    study = read_study(small / "sst2")
    write_record(profiles / "a.json", made_profile(study))
    write_record(profiles / "b.json", made_profile(study, hardware="second processor"))
    (profiles / "c.json").write_text("{")
    page = open_page("advice", small, study="sst2", **LOOSE)
    assert len(page.warning) == 1
    assert "A profile cannot be used: " in said(page)
    assert "c.json: not a stored profile" in said(page)
    (table,) = page.dataframe
    machines = ["profiled processor, 2 threads", "second processor, 2 threads"]
    rows = table.value[(table.value["Network"] == "slim, 10%") & (table.value["Runtime"] == "ONNX Runtime, int8")]
    assert list(rows["Timed on"]) == machines
    assert "Those of two machines do not compare" in said(page)
    write_record(profiles / "c.json", made_profile(study, batch=32))  # read again as it changes
    page.run()
    assert not page.warning


def test_weights_that_are_not_stored_get_the_command_that_makes_them(
    open_page: Callable[..., AppTest], small: Path
) -> None:
    page = open_page("advice", small, study="sst2", **LOOSE)
    if next(iter(places(page))) == "slim, 50%":
        assert commands(page)[0] == "python -m pruning run --task sst2 --data glue --ship 0.5 --output my-studies"
        assert "This makes the study again, and stores them:" in said(page)
        assert "The best one whose weights are stored:" in said(page)
        assert "--variant " in commands(page)[1]
    else:
        pytest.fail("the made-up study's network at 50% scores best")


def test_nothing_fits(open_page: Callable[..., AppTest], small: Path) -> None:
    page = open_page("advice", small, study="stsb", ms="0.01", mb="none", points="none")
    assert "Nothing fits. Nearest: slim, 10% (" in said(page)
    assert "nothing is promised" in said(page)
    assert commands(page)[0].endswith("--format onnx --int8 --to stsb-slim-10-onnx-int8")
    edit(small / "wnli", knows_nothing)
    page = open_page("advice", small, study="wnli", **LOOSE)
    assert "Nothing fits: no network of this task knows more than nothing." in said(page)
    assert commands(page) == []


def test_ones_own_texts(open_page: Callable[..., AppTest], small: Path) -> None:
    page = open_page("advice", small, study="sst2", mb="30", ms="none", points="none", data="labelled", texts="200")
    (command,) = commands(page)
    assert "--label label --preset one-shot --budgets 0.5 --ship 0.5" in command
    assert "with 200, nothing was measured." in said(page)
    assert "Sizes are judged by the stored networks of SST-2:" in said(page)
    field(page, "How many texts").set_value(5000.0).run()
    assert address(page)["texts"] == "5000"
    assert "nothing was measured." not in said(page)
    page.radio[0].set_value("unlabelled").run()
    assert address(page)["data"] == "unlabelled"
    assert "--teacher my-classifier" in commands(page)[0]
    field(page, "How many texts").set_value(20.0).run()
    assert commands(page) == []
    assert "collect some first" in said(page)


def test_studies_of_the_same_rows_are_ranked_together(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    for name in ("sst2", "other"):
        shape = bert_shape(get_task("sst2"), layers=2, heads=2, head_size=16, ffn=64)
        written = write_study(tmp_path / "two", "sst2", name=name, shape=shape, budgets=("10",))
        edit(written, measured)
    page = open_page("advice", tmp_path / "two", study="sst2", **LOOSE)
    assert len(places(page)) == 4
    assert {network.rpartition(" of ")[2] for network in places(page)} == {
        str(tmp_path / "two" / name) for name in ("sst2", "other")
    }


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"ms": "<b>"}, 'Milliseconds "<b>": expected a number from 0.01 to 1e+06; showing 5.'),
        ({"memory": "lots"}, 'Megabytes of memory "lots": expected a number from 1 to 1e+06; there is no limit.'),
        ({"points": "-1"}, 'Points "-1": expected a number from 0 to 100; showing 2.'),
        ({"timed": "9x9"}, 'Unknown timed "9x9": expected one of '),
        ({"data": "none"}, 'Unknown data "none": expected one of stored, labelled, unlabelled; showing stored.'),
    ],
)
def test_wrong_addresses_are_one_line(
    open_page: Callable[..., AppTest], small: Path, wrong: dict[str, str], line: str
) -> None:
    page = open_page("advice", small, study="sst2", **wrong)
    assert line in said(page)
    assert len(page.warning) == 1
