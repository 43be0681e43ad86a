"""What `write_study` takes, of a network so small that a study is written in milliseconds; weights do not load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save_file

from pruning.bert.shapes import BertShape, Site
from pruning.config import with_settings
from pruning.data.tasks import get_task
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, select
from pruning.study import StudyContents
from pruning.study.document import decode
from pruning.variants import TEACHER, slim
from tests.factories.study_document import SELECTION_SETTINGS, study_document

SHAPE = BertShape(
    layers=2, heads=2, head_size=4, hidden=8, ffn=16, vocabulary=1000, positions=128, token_types=2, pooler=8, labels=2
)
BUDGETS = ("60", "37.5")


def made_factors(seed: int = 0) -> ImportanceFactors:
    generator = np.random.default_rng(seed)
    alpha = {site: generator.random(SHAPE.units(site), dtype=np.float32) for site in Site}
    gradient = {Site.ATTENTION_CONTEXT: generator.random((SHAPE.layers, SHAPE.heads), dtype=np.float32)}
    pieces = TablePieces(
        counts=generator.integers(0, 100, SHAPE.vocabulary, dtype=np.int32),
        protected=np.arange(SHAPE.vocabulary) < 6,
        spectrum=np.geomspace(8, 1, SHAPE.hidden).astype(np.float32),
    )
    pooler = generator.random(SHAPE.pooler, dtype=np.float32)
    return ImportanceFactors(SHAPE, {"alpha": alpha, "head_gradient": gradient}, pieces, pooler)


def made_selections(factors: ImportanceFactors) -> dict[str, Selection]:
    return {name: select(factors, Budget("total_density", float(name) / 100), SELECTION_SETTINGS) for name in BUDGETS}


def made_contents(
    scratch: Path, date: str = "2025-01-01T00:00:00+00:00", seed: int = 0, **settings: Any
) -> StudyContents:
    """All of a study, with weights to copy in `scratch`; `settings` by their names in `StudyConfig`."""
    factors = made_factors()
    selections = made_selections(factors)
    adapter, network = scratch / "weights" / "adapter", scratch / "weights" / "slim"
    for path in (adapter, network):
        path.mkdir(parents=True, exist_ok=True)
    (adapter / "adapter_config.json").write_text('{"r": 4}')
    save_file({"lora": np.ones((4, 8), dtype=np.float16)}, adapter / "adapter_model.safetensors")
    (network / "config.json").write_text('{"model_type": "slimbert"}')
    (network / "README.md").write_text("# A slim network\n")
    weights = {"all": np.ones(selections["37.5"].parameters.total, dtype=np.float16), "index": np.arange(5)}
    save_file(weights, network / "model.safetensors")
    values = study_document(
        "unnamed", get_task("sst2"), SHAPE, "tiny", seed, factors, selections, ("37.5",), "alpha"
    ) | {"files": {}}
    document = decode(msgspec.json.encode(values))
    document = document.replace(
        config=with_settings(document.config, settings), provenance=document.provenance.replace(date=date)
    )
    history = [{"stage": "teacher", "step": 1, "epoch": 0.5, "loss": 0.7}, {"stage": "slim", "loss": float("nan")}]
    return StudyContents(document, factors, selections, history, {TEACHER: adapter, slim("37.5"): network})
