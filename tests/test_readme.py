"""The README against the repository: its tree, commands, links and results."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from benchmarks import results_table
from benchmarks.sections import begin, between_markers, end
from pruning.cli.main import build_parser
from pruning.data import load_examples
from pruning.study import read_study
from slimviz.command import DASHBOARD
from tests.factories.study_document import add_ablations, add_networks, edit
from tests.factories.synthetic_study import write_study

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = (
    "README.md",
    "benchmarks/README.md",
    "assets/probe/README.md",
    "assets/profiles/README.md",
    "docs/experiments.md",
)
PACKAGES = ("pruning", "slimviz", "benchmarks")
START = "pip install -r requirements.txt && streamlit run app.py"
TEST = "pip install -r requirements.txt -r requirements-dev.txt && python -m pytest -n logical --dist loadfile"


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def without_results(text: str) -> str:
    return re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", text, flags=re.DOTALL)


def listed_paths() -> dict[str, str]:
    """Path -> description of every line of the annotated tree."""
    match = re.search(r"## What is where\n\n```\n(.*?)```", README, re.DOTALL)
    assert match is not None, "README.md: no tree under 'What is where'"
    paths: dict[str, str] = {}
    parents: list[str] = []
    for line in match[1].splitlines():
        found = re.fullmatch(r"( *)(\S+) {2,}(\S.*)|( *)(\S+)", line)
        assert found is not None, f"README.md: tree line {line!r}, expected a name, two spaces and what it is"
        indent, name, description = found[1] or found[4] or "", found[2] or found[5], found[3] or ""
        parents = [*parents[: len(indent) // 2], name]
        paths["".join(parents)] = description
    return paths


def first_sentence(module: Path) -> str:
    lines = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "?").split("\n\n")[0]
    return lines.replace("\n", " ")


def test_every_listed_path_exists_and_says_what_it_is() -> None:
    for path, description in listed_paths().items():
        there = ROOT / path
        assert there.is_dir() if path.endswith("/") else there.is_file(), path
        assert description or path == "assets/", path


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_is_listed(package: str) -> None:
    modules = {str(path.relative_to(ROOT)): path for path in (ROOT / package).rglob("*.py")}
    missing = {path for path in modules.keys() - listed_paths().keys() if not path.endswith("__init__.py")}
    hints = [f"{path}: {first_sentence(modules[path])}" for path in sorted(missing)]
    assert not missing, "README.md's tree lacks these; their first sentences say:\n" + "\n".join(hints)


def code(text: str) -> list[str]:
    """Lines of fenced blocks, continued ones joined, and inline code, without the examples of Python and data."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for kind, block in fences if kind != "python" for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [*(line.strip() for line in lines), *(" ".join(part.split()) for part in re.findall(r"`([^`]+)`", prose))]


def commands(module: str, text: str) -> list[list[str]]:
    """Arguments of every ``... -m module arguments`` in a document."""
    pattern = re.compile(rf"(?:python|accelerate launch) -m {re.escape(module)}(?![\w.])(.*)")
    found = [match[1] for line in code(text) if (match := pattern.search(line))]
    return [shlex.split(arguments, comments=True) for arguments in found]


def test_the_two_commands_are_there_as_written() -> None:
    assert f"```\n{START}\n```" in README
    assert f"```\n{TEST}\n```" in README


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_line_parses(document: str) -> None:
    for arguments in commands("pruning", text_of(document)):
        if arguments and arguments != ["--help"]:
            build_parser().parse_args(arguments)


def test_every_line_of_the_installed_command_parses() -> None:
    found = [match[1] for line in code(README) if (match := re.search(r"(?:^|&& )slimviz (\w.*)", line))]
    assert len(found) >= 2
    for arguments in found:
        build_parser("slimviz", (DASHBOARD,)).parse_args(shlex.split(arguments))


def test_the_command_lines_are_found_and_cover_every_command() -> None:
    found = commands("pruning", without_results(README))
    assert {arguments[0] for arguments in found if arguments} >= {"run", "measure", "predict", "list", "verify"}
    tasks = {arguments[2] for arguments in found if arguments[:2] == ["run", "--task"]}
    assert tasks >= {folder.parent.name for folder in (ROOT / "assets" / "studies").glob("*/study.json")}
    with pytest.raises(SystemExit):
        build_parser().parse_args(["run", "--tusk", "sst2"])  # the parser that they are held against refuses others


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_benchmark_named_exists(document: str) -> None:
    named = re.findall(r"python -m benchmarks\.(\w+)", text_of(document))
    assert [name for name in named if not (ROOT / "benchmarks" / f"{name}.py").is_file()] == []


def test_every_benchmark_is_described_and_opens_with_its_command() -> None:
    described = text_of("benchmarks/README.md")
    modules = sorted((ROOT / "benchmarks").glob("*.py"))
    commands = [module for module in modules if "__main__" in module.read_text(encoding="utf-8")]
    assert [module.stem for module in modules if module not in commands] == ["dashboard", "sections"]
    for module in commands:
        assert f"python -m benchmarks.{module.stem}" in described, module.name
        opening = module.read_text(encoding="utf-8").split('"""')[1]
        assert re.search(rf"python (-m benchmarks\.|benchmarks/){module.stem}", opening), module.name


def test_the_python_example_runs() -> None:
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "load_study" in block]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", example]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    stored = read_study(ROOT / "assets" / "studies" / "sst2").result("slim-10")
    assert stored is not None
    assert f"slim-10 {stored.metrics} {stored.total_density:.1%} of the teacher's parameters" in done.stdout


@pytest.mark.timeout(1500)  # half a minute where nothing else runs
def test_the_example_of_pruning_a_classifier_runs(tmp_path: Path) -> None:
    """As it stands there, on the first two layers of a shipped teacher, saved as anybody's classifier."""
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "pruning.prune(" in block]
    study = read_study(ROOT / "assets" / "studies" / "sst2")
    teacher = study.network("teacher")
    teacher.bert.encoder.layer = teacher.bert.encoder.layer[:2]
    teacher.config.num_hidden_layers = 2
    for part in (teacher, study.tokenizer("teacher")):
        part.save_pretrained(tmp_path / "my-classifier")
    texts = load_examples(study.task, "validation", "probe").texts[:120]
    pandas.DataFrame({"text": texts}).to_csv(tmp_path / "texts.csv", index=False)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^1,5\d\d,\d\d\d parameters, (9\.\d|10\.0)% of the teacher's; ", done.stdout), done.stdout
    assert re.search(r"^as the teacher on 12 texts held out: \d+\.\d% of answers, divergence \d", done.stdout, re.M)
    assert {path.name for path in (tmp_path / "my-classifier-10").iterdir()} >= {"model.safetensors", "config.json"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_relative_links_lead_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        waits_for_screenshots = target.startswith("assets/screenshots/") and not (ROOT / "assets/screenshots").exists()
        assert waits_for_screenshots or (folder / target.partition("#")[0]).exists(), f"{document}: {target}"


def test_results_are_those_of_the_stored_studies(tmp_path: Path) -> None:
    """By the script's path, from anywhere."""
    command = [sys.executable, ROOT / "benchmarks" / "results_table.py", "--check", ROOT / "README.md"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: python -m benchmarks.results_table --write README.md"


def test_no_command_of_a_result_holds_a_path_of_one_machine() -> None:
    for arguments in commands("pruning", between_markers(README, results_table.SECTION, "README.md")):
        assert [word for word in arguments if word.startswith(("/", "~", ".."))] == []


def test_without_studies_the_results_say_so(tmp_path: Path) -> None:
    assert results_table.results_text(results_table.read_studies(tmp_path)) == results_table.EMPTY


def test_several_splits_each_get_a_table(tmp_path: Path) -> None:
    def add_split(document: dict) -> None:
        document["results"] += [row | {"split": "validation_mismatched"} for row in document["results"]]

    edit(write_study(tmp_path, "mnli"), add_split)
    text = results_table.results_text(results_table.read_studies(tmp_path))
    assert "**MNLI**, validation matched split, 9,815 examples, seed 0" in text
    assert "**MNLI**, validation mismatched split, 9,815 examples, seed 0" in text


def results_of(folder: Path) -> str:
    return results_table.results_text(results_table.read_studies(folder))


def row_of(text: str, name: str) -> list[str]:
    """Cells of the first table row that begins with a name."""
    (line, *_) = [line for line in text.splitlines() if line.startswith(f"| {name}")]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_seeds_and_networks_without_training_have_columns_where_they_are_stored(tmp_path: Path) -> None:
    write_study(tmp_path, "rte", shipped=("10", "5"))
    edit(write_study(tmp_path, "stsb", shipped=("10", "5")), lambda document: add_networks(document, (1, 2)))
    text = results_of(tmp_path)
    assert text.startswith("#### Slim networks that ship: 10% and 5% of the teacher's parameters\n")
    assert "#### 50% and 25%, numbers alone\n" in text
    shipped, others = text.split("#### 50% and 25%")
    header, stsb = row_of(shipped, "Task"), row_of(shipped, "STS-B")
    assert "No training" not in header
    cell = dict(zip(header, stsb, strict=True))
    assert cell["Kept"] == "10%"
    assert float(cell["Over seeds"].split(" ")[0]) == pytest.approx(float(cell["Slim"]) - 0.01, abs=1e-3)
    assert cell["Over seeds"].endswith(" ± 0.010 (3 seeds)")
    assert dict(zip(header, row_of(shipped, "RTE"), strict=True))["Over seeds"] == ""
    assert "Over seeds" not in row_of(others, "Task")
    edit(tmp_path / "rte", lambda document: add_networks(document, solved=True))
    header, rte = (row_of(results_of(tmp_path), name) for name in ("Task", "RTE"))
    cell = dict(zip(header, rte, strict=True))
    assert float(cell["No training"].split(" ")[0]) == pytest.approx(float(cell["Slim"].split(" ")[0]) - 0.02, abs=5e-3)


def test_means_leave_wnli_out_and_say_what_seeds_change(tmp_path: Path) -> None:
    for task in ("cola", "stsb"):
        write_study(tmp_path, task)
    assert "- Mean over the 2 tasks at 10%: retention 96.0%, above the floor 96.0%.\n" in results_of(tmp_path)
    write_study(tmp_path, "wnli")
    edit(tmp_path / "stsb", lambda document: add_networks(document, (1, 2)))
    seeds = 0.96 - 0.01 / 0.87 / 2  # STS-B's mean is a hundredth below, its teacher at 0.87
    assert (
        "- Mean over the 2 tasks without WNLI at 10%: retention 96.0%, above the floor 96.0%; with the mean over seeds "
        f"where several are stored {seeds:.1%} and {seeds:.1%}.\n"
    ) in results_of(tmp_path)


def test_samples_starts_and_weak_teachers_are_footnotes(tmp_path: Path) -> None:
    def change(document: dict) -> None:
        document["provenance"]["data"]["train"]["rows"] = 48_668
        document["provenance"]["start"] = {"study": "mnli", "sha256": "4" * 64}

    write_study(tmp_path, "cola")
    edit(write_study(tmp_path, "mnli"), change)
    write_study(tmp_path, "wnli")
    text = results_of(tmp_path)
    assert "\n| CoLA | " in text
    assert "\n| MNLI <sup>1</sup> | " in text
    assert "\n| WNLI <sup>2</sup> | " in text
    assert "<sup>1</sup> MNLI learned from 48,668 of GLUE's 392,702 training rows, so it is not comparable" in text
    assert "MNLI's teacher starts from MNLI's.  \n<sup>2</sup> WNLI's validation split repeats" in text
    assert "WNLI's teacher is not clearly above the floor itself" in text


def test_the_truth_of_head_maps_is_a_table_where_curves_are_stored(tmp_path: Path) -> None:
    write_study(tmp_path, "sst2")
    assert "truth" not in results_of(tmp_path)
    edit(write_study(tmp_path, "cola"), add_ablations)
    text = results_of(tmp_path).split("#### Do the head maps tell the truth?\n")[1]
    assert row_of(text, "Criterion") == ["Criterion", "CoLA"]
    (one,) = [one for one in read_study(tmp_path / "cola").document.ablations if one.split == "validation"]
    true, other = one.areas["head_gradient"], one.areas["alpha"]
    assert row_of(text, "Head gradient") == ["Head gradient", f"**{true:.3f}, {1 - 0.5**4:.0%}**"]
    assert row_of(text, "Importance factor") == [r"Importance factor \|α\|", f"−{-other:.3f}, {1 - 0.5**0.5:.0%}"]
    assert row_of(text, "Random orders") == ["Random orders", "50% to 75%"]
    assert row_of(text, "Examples") == ["Examples", "1,000"]
    opened = (
        "- CoLA: Head gradient; better by more than 2% of the teacher's score: none; over all counts of heads every"
    )
    assert f"{opened} random order keeps less." in text
    edit(tmp_path / "cola", lambda document: document["ablations"].pop(0))  # nothing of training rows to choose by
    assert "**0." not in results_of(tmp_path)
    assert "What the maps open with" not in results_of(tmp_path)


def test_the_script_writes_checks_and_refuses(tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    write_study(studies, "sst2")
    document = tmp_path / "document.md"
    document.write_text(
        f"before\n\n{begin(results_table.SECTION)}\n{end(results_table.SECTION)}\n\nafter\n", encoding="utf-8"
    )

    def run(*arguments: str) -> int:
        return results_table.main(["--studies", str(studies), *arguments])

    assert run("--check", str(document)) == 1
    assert run("--write", str(document)) == 0
    assert run("--check", str(document)) == 0
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n\n<!-- results -->\n####")
    assert text.endswith("</sub>\n\n</details>\n<!-- /results -->\n\nafter\n")
    assert run("--write", str(document)) == 0
    assert document.read_text(encoding="utf-8") == text
    (tmp_path / "plain.md").write_text("no markers", encoding="utf-8")
    assert run("--write", str(tmp_path / "plain.md")) == 2
    (studies / "sst2" / "study.json").write_text("{", encoding="utf-8")
    assert run() == 2
