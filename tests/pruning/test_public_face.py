"""`import pruning` costs nothing; what notebooks rely on is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pruning
from pruning.bert.shapes import Site
from pruning.errors import StoreError
from pruning.measure.ablation import Ablation, Curves
from pruning.study import keep_ablations, verify
from tests.factories.tiny_study import BUDGET, write_tiny_study

ROOT = Path(__file__).resolve().parents[2]
SLIM = f"slim-{BUDGET}"


def test_a_bare_import_loads_nothing_else() -> None:
    code = (
        "import sys, pruning; print({name.partition('.')[0] for name in sys.modules} & {'torch', 'numpy', 'msgspec'})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_study_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path, name="mine")
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(tmp_path))
    study = pruning.load_study("mine")
    assert "mine" in {listed.name for listed in pruning.list_studies()}
    assert SLIM in study.variants
    assert {result.variant.name for result in study.results} == set(study.variants)
    assert pruning.load_study(folder).document == study.document
    assert study.network(SLIM).training is False
    assert study.tokenizer(SLIM)("a film")["input_ids"]
    logits = study.logits(SLIM, ["a good film", "bad soup"])
    assert (logits.shape, logits.dtype) == ((2, 2), np.float32)
    with pytest.raises(StoreError, match="not found"):
        pruning.load_study("none-such")


def test_importance_of_units_and_heads(tmp_path: Path) -> None:
    study = pruning.load_study(write_tiny_study(tmp_path))
    alpha = study.importance("alpha")
    assert {site: values.shape for site, values in alpha.items()} == {site: study.shape.units(site) for site in Site}
    heads = study.heads()
    assert (heads.shape, heads.dtype) == ((study.shape.layers, study.shape.heads), np.float32)
    units = alpha[Site.ATTENTION_CONTEXT].reshape(*heads.shape, study.shape.head_size)
    np.testing.assert_allclose(heads, np.abs(units).mean(-1), rtol=1e-6)
    assert study.heads("head_gradient").shape == heads.shape
    with pytest.raises(pruning.errors.SlimVizError, match="'none': not stored with this study"):
        study.heads("none")


def test_heads_are_by_the_truest_criterion_where_that_was_measured(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path)
    study = pruning.load_study(folder)
    assert (study.head_criterion, study.ablation()) == (None, None)
    assert np.array_equal(study.heads(), study.heads("alpha"))
    heads = study.shape.layers * study.shape.heads
    falling, steep = tuple(np.linspace(0.9, 0.5, heads + 1).tolist()), (0.9, *[0.5] * heads)
    curves = {
        "alpha": Curves(least_first=steep, most_first=falling),
        "head_gradient": Curves(least_first=falling, most_first=steep),
    }
    measured = Ablation(
        network="teacher",
        split="train",
        rows=5,
        sha256="0" * 64,
        seed=0,
        precision="float32",
        metric="accuracy",
        floor=0.5,
        gated=tuple(range(heads + 1)),
        curves=curves,
    )
    keep_ablations(folder, [measured, measured.replace(split="validation", rows=9)])
    keep_ablations(folder, [measured.replace(split="validation", rows=7)])  # takes the other one's place
    study = pruning.load_study(folder)
    assert verify(folder) == []
    assert study.head_criterion == "head_gradient"
    assert np.array_equal(study.heads(), study.heads("head_gradient"))
    report, choice = study.ablation(), study.ablation("teacher", "train")
    assert report is not None
    assert (report.rows, choice, len(study.document.ablations)) == (7, measured, 2)
    assert report.areas["head_gradient"] == pytest.approx(-report.areas["alpha"])
    with pytest.raises(StoreError, match=r"curves not stored, it would not be a valid study: .* of f1"):
        keep_ablations(folder, [measured.replace(metric="f1")])
    assert pruning.load_study(folder).document == study.document
