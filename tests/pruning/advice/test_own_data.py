"""Cut alone or train again, by what the README's tables say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pruning.advice import Limits, Own, own_data, plan
from pruning.data.tasks import official_rows
from tests.factories.options import made_option

README = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
OPTIONS = [
    made_option("teacher", 0.9, 14.0, size_bytes=46_000_000),
    made_option("slim-50", 0.9, 8.0, size_bytes=23_000_000),
    made_option("slim-10", 0.89, 3.0),
    made_option("slim-5", 0.87, 2.0, size_bytes=2_500_000),
]


def made(texts: int = 5000, *, is_labelled: bool = False, **limits: float):
    return plan(Own(texts=texts, is_labelled=is_labelled), Limits(**limits), OPTIONS, "pruning")  # type: ignore[arg-type]


@pytest.mark.parametrize("is_labelled", [False, True])
def test_down_to_a_half_cutting_alone_does(is_labelled: bool) -> None:
    found = made(is_labelled=is_labelled, mb=30)
    assert "--preset one-shot --budgets 0.5 --ship 0.5" in str(found.command)
    assert ("--label label" in str(found.command)) is is_labelled
    assert found.reasons[0] == "50% of the parameters is the most that stayed within these costs in torch."
    expected = own_data.HALF_WITH_LABELS if is_labelled else own_data.HALF_WITHOUT_LABELS
    assert expected in found.reasons[1]


@pytest.mark.parametrize(("limits", "budget"), [({"ms": 5.0}, 0.1), ({"mb": 3.0}, 0.05), ({"ms": 1.0}, 0.05)])
def test_below_a_half_it_trains_again(limits: dict[str, float], budget: float) -> None:
    found = made(**limits)
    assert f" --budgets {budget} --ship {budget} " in str(found.command)
    assert "--preset" not in str(found.command)
    assert found.reasons[0].startswith("In torch, nothing stored keeps within") is (
        "ms" in limits and limits["ms"] == 1
    )


def test_without_a_limit_a_full_run_measures_all_sizes() -> None:
    found = made(points=1)  # what may be lost is no cost
    assert found.command == (
        "pruning run --teacher my-classifier --train-file texts.csv --text text --output my-studies"
    )
    assert "ask again with its study" in found.reasons[0]
    nothing = plan(Own(texts=5000, is_labelled=True), Limits(ms=5), [], "pruning")
    assert "Nothing stored says" in nothing.reasons[0]
    assert "--budgets" not in str(nothing.command)


def test_milliseconds_of_another_machine_can_be_measured_on_ones_own() -> None:
    said = [line for line in made(ms=5, length=16).cautions if "--budget-ms" in line]
    assert said == [
        "Milliseconds may be another machine's: in place of --budgets, --budget-ms 5 --batch 1 --length 16 measures "
        "yours."
    ]
    assert not any("--budget-ms" in line for line in made(mb=30).cautions)


def test_sizes_are_judged_in_torch_which_is_what_a_run_measures() -> None:
    in_int8 = [made_option("slim-50", 0.9, 1.0, runtime="onnx-int8", size_bytes=2_000_000, memory_bytes=None)]
    for limits in (Limits(ms=5), Limits(mb=3), Limits(memory_mb=200)):
        own = Own(texts=5000, is_labelled=False)
        assert plan(own, limits, [*OPTIONS, *in_int8], "pruning") == plan(own, limits, OPTIONS, "pruning")


def test_few_texts_are_said_and_too_few_refused() -> None:
    assert not [line for line in made(ms=5).cautions if "nothing was measured" in line]
    assert "3,000 texts; with 500, nothing was measured." in made(500, ms=5).cautions[-1]
    assert "2,490 texts; with 500, nothing was measured." in made(500, is_labelled=True, ms=5).cautions[-1]
    assert "1,024 texts; with 500, nothing was measured." in made(500, mb=30).cautions[-1]
    few = made(99)
    assert few.command is None
    assert "100 texts or more" in few.reasons[0]
    assert made(99, is_labelled=True).command is not None


def test_its_figures_are_those_of_the_readme() -> None:
    half = re.search(r"\| SST-2 \(phrases.*?\| ([\d.]+%) \(.*?\| [\d.]+% \| ([\d.]+%) \|", README)
    assert half is not None
    assert half[1] in own_data.HALF_WITHOUT_LABELS
    assert half[2] in own_data.TENTH_WITHOUT_LABELS
    pairs = re.search(r"\| MRPC \(pairs\) \| ([\d.]+%) ", README)
    assert pairs is not None
    assert pairs[1] in own_data.HALF_WITHOUT_LABELS
    for start, kept, said in (
        (r"\| SST-2 \| Accuracy \| [\d.]+ \| ", "10%", own_data.TENTH_WITH_LABELS),
        (r"\| SST-2 \| Accuracy \| [\d.]+ \| ", "50%", own_data.HALF_WITH_LABELS),
    ):
        row = re.search(rf"^{start}([\d.]+) .*?\| {kept} \| ([\d.]+) .*$", README, re.MULTILINE)
        assert row is not None
        cells = [cell.strip().split(" ")[0] for cell in row[0].split("|")]
        without = cells[9 if kept == "50%" else 10]
        assert {without, row[1], row[2]} <= set(re.findall(r"0\.\d{3}", said)), (kept, cells)
    assert f"pruned as a stranger's classifier would be, by {own_data.FEWEST_TEXTS:,}" in README
    assert f"{own_data.SOLVED_ON:,} training texts" in README
    assert official_rows("rte", "train") == own_data.FEWEST_ROWS
