"""Which versions of transformers an exported folder works with.

    python -m benchmarks.export_versions 4.40.2 5.24.0
    python -m benchmarks.export_versions --study sst2 --variant slim-10 --environments ../environments 4.57.6

Exports a network and makes a virtual environment for each version: without SlimViz, with this environment's torch, the
rest as the version asks for. Loads the folder there, in a process of its own, and compares answers with the study's.
Prints a line a version: the largest difference of logits, or why there is none. Needs a package index.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOLERANCE = 1e-5
STRANGERS = ("pruning", "slimviz", "msgspec", "peft", "streamlit", "pandas")
TEXTS = (
    "A slow start, but what an ending.",
    "no",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich, and unexplainably so; 3,141.59 of them.",
)
PAIRS = ("The ending makes up for it.", "Yes, very much.", "Nobody was hurt.")
# Runs where SlimViz is not: loads as the card says and prints what the network answers.
QUESTIONER = """
import contextlib, importlib, io, json, sys
questions, strangers = json.loads(sys.argv[1])
found = []
for name in strangers:
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
        found.append(name)
import torch, transformers
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline
transformers.logging.set_verbosity_error()

def answer(folder, texts, pairs):
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    network = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)
    assert not network.training
    both = list(zip(texts, pairs)) if pairs else [(text,) for text in texts]
    with torch.no_grad():
        batch = network(**tokenizer(texts, pairs, return_tensors="pt", padding=True, truncation=True)).logits
        alone = torch.cat([network(**tokenizer(*one, return_tensors="pt", truncation=True)).logits for one in both])
    with contextlib.redirect_stdout(io.StringIO()):  # transformers 5 asks whether it may run the code, and does without
        untrusting = AutoTokenizer.from_pretrained(folder)
    encoder = AutoModel.from_pretrained(folder, trust_remote_code=True)
    untrained = AutoModelForSequenceClassification.from_config(network.config, trust_remote_code=True)
    classify = pipeline("text-classification", folder, trust_remote_code=True)
    said = [classify({"text": one[0], "text_pair": one[1]} if pairs else one[0], truncation=True) for one in both]
    models = (network, encoder, untrained, classify.model)
    return {
        "batch": batch.tolist(), "alone": alone.tolist(), "ids": tokenizer(texts, pairs)["input_ids"],
        "ids, code not trusted": untrusting(texts, pairs)["input_ids"], "longest": tokenizer.model_max_length,
        "dtypes": sorted({str(value.dtype) for model in models for value in model.parameters()}),
        "classes": [type(model).__name__ for model in models], "labels": network.config.id2label,
        "finite": all(bool(value.isfinite().all()) for model in models for value in model.parameters()),
        "said": [(one[0] if isinstance(one, list) else one)["label"] for one in said],
    }

answers = [answer(*question) for question in questions]
print(json.dumps({"strangers": found, "version": transformers.__version__, "answers": answers}))
"""


@dataclass(frozen=True)
class Question:
    """Texts for an exported network.

    Attributes:
        folder: with the export.
        texts: first texts.
        pairs: second texts, or None.
    """

    folder: Path
    texts: Sequence[str] = TEXTS
    pairs: Sequence[str] | None = None

    def answer(self, network: Any, tokenizer: Any) -> np.ndarray:
        """What a network itself says to these texts in one padded batch, (texts, labels)."""
        import torch

        second = None if self.pairs is None else list(self.pairs)
        with torch.no_grad():
            batch = tokenizer(list(self.texts), second, return_tensors="pt", padding=True, truncation=True)
            return network(**batch).logits.numpy()


def link_distributions(names: Iterable[str], folder: Path) -> None:
    """Links to installed distributions and to all that they need: a path to `folder` gives these and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    todo, done = list(names), set()
    while todo:
        name = canonicalize_name(todo.pop())
        if name in done:
            continue
        done.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # needed on other machines only
            continue
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
        needed = [Requirement(text) for text in distribution.requires or ()]
        todo += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]


def make_environment(folder: Path, shared: Path) -> Path:
    """A virtual environment without pip that finds, beside its own, what lies in `shared`; returns its Python."""
    venv.create(folder, symlinks=os.name == "posix")
    python = folder / ("bin/python" if os.name == "posix" else "Scripts/python.exe")
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    (Path(packages) / "shared.pth").write_text(f"{shared.resolve()}\n", encoding="utf-8")
    return python


def ask(python: Path, questions: Sequence[Question], home: Path) -> dict[str, Any]:
    """What exported networks answer in an environment.

    Args:
        python: the environment's.
        questions: to one network each.
        home: an empty folder for what transformers keeps; it puts the code that it runs there.

    Returns:
        The version of transformers, modules that should not be there and are, and for each question logits in a padded
        batch and one by one, and what else was seen.

    Raises:
        subprocess.CalledProcessError: a network does not load; standard error says why.
    """
    import torch

    asked = [[str(one.folder), list(one.texts), one.pairs and list(one.pairs)] for one in questions]
    threads = str(torch.get_num_threads())  # as many as here: the order of sums, and so their last bit, depends on it
    environment = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": threads, "PATH": os.environ["PATH"]}
    command = [python, "-I", "-c", QUESTIONER, json.dumps([asked, STRANGERS])]
    done = subprocess.run(
        command, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Try each version and print a line for it; the exit code is 1 where one does not work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="of transformers")
    parser.add_argument("--study", default="mrpc")
    parser.add_argument("--variant", default="slim-10")
    parser.add_argument(
        "--environments", type=Path, metavar="FOLDER", help="keep the environments, and use those there"
    )
    options = parser.parse_args(arguments)
    from pruning import load_study
    from pruning.export import write_export

    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        study = load_study(options.study)
        network, tokenizer = study.network(options.variant), study.tokenizer(options.variant)
        folder = write_export(network, tokenizer, place / "exported")
        question = Question(folder, TEXTS, PAIRS if study.task.is_pair else None)
        expected = question.answer(network, tokenizer)
        environments = options.environments or place / "environments"
        link_distributions(["torch"], environments / "torch")
        failures = 0
        for version in options.versions:
            home = place / f"home-{version}"
            home.mkdir()
            try:
                found = ask(installed(environments / version, environments / "torch", version), [question], home)
                difference = float(np.abs(np.array(found["answers"][0]["batch"]) - expected).max())
                works = difference <= TOLERANCE and not found["strangers"] and found["version"] == version
                said = f"logits differ by {difference:.1e}"
            except subprocess.CalledProcessError as error:
                works, said = False, (error.stderr or "no reason").strip().splitlines()[-1][:300]
            failures += not works
            print(f"transformers {version}: {'yes' if works else 'no'}; {said}", flush=True)
    return int(failures > 0)


def installed(folder: Path, shared: Path, version: str) -> Path:
    """An environment with a version of transformers, made where it is not there yet; returns its Python."""
    python = folder / ("bin/python" if os.name == "posix" else "Scripts/python.exe")
    if not (folder / "complete").exists():
        make_environment(folder, shared)
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"transformers=={version}"], capture_output=True, text=True, check=True)
        (folder / "complete").touch()
    return python


if __name__ == "__main__":
    sys.exit(main())
