"""Build complete study folders with made-up numbers, for tests only.

Everything is deterministic in (task, seed) and agrees with itself: masks come from the real selection on made-up
factors, counts and ratios from the stored networks, checksums from the files. The weights are empty tensors, so no
network loads from these folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from pruning.bert.shapes import BertShape, Site
from pruning.data.tasks import Task, get_task
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.selection.budget import Budget
from pruning.selection.select import select
from pruning.study.arrays import encode_cuts, encode_factors, encode_history
from tests.factories.study_document import SELECTION_SETTINGS, study_document, write_document

BACKBONE = "synthetic-bert"
BUDGETS = ("50", "25", "10", "5")


def bert_shape(task: Task, layers: int = 6, heads: int = 12, head_size: int = 32, ffn: int = 1536) -> BertShape:
    """A dense shape like the embedded backbone's."""
    hidden = heads * head_size
    return BertShape(layers, heads, head_size, hidden, ffn, 30522, 512, 2, hidden, task.num_labels)


def make_factors(shape: BertShape, task: str, seed: int = 0) -> ImportanceFactors:
    """Factors in which some heads and units matter to every task, some to one, and most to none."""
    common = np.random.default_rng(7)
    shared = common.normal(size=(shape.layers, shape.heads))
    own = np.random.default_rng([sum(map(ord, task)), seed])
    strength = np.exp(1.4 * shared + own.normal(size=shared.shape) - 2.5)
    per_unit = np.repeat(strength, shape.head_size, axis=1) * own.lognormal(
        0, 0.35, shape.units(Site.ATTENTION_CONTEXT)
    )
    depth = np.linspace(0.6, -0.6, shape.layers)[:, None]
    alpha = {
        Site.HIDDEN: own.lognormal(-0.5, 0.3, shape.units(Site.HIDDEN)),
        Site.ATTENTION_INPUT: own.lognormal(-1, 0.4, shape.units(Site.ATTENTION_INPUT)),
        Site.ATTENTION_CONTEXT: np.minimum(per_unit, 1.5),
        Site.FFN_INPUT: own.lognormal(-1, 0.4, shape.units(Site.FFN_INPUT)),
        Site.FFN_HIDDEN: np.minimum(np.exp(own.normal(depth - 4, 1.6, shape.units(Site.FFN_HIDDEN))), 1.5),
    }
    gradient = strength * own.lognormal(0, 0.6, strength.shape)
    counts = np.maximum(0, (2e5 / (1 + own.permutation(shape.vocabulary)) - 8)).astype(np.int32)
    protected = np.zeros(shape.vocabulary, dtype=bool)
    protected[:1000] = True
    return ImportanceFactors(
        shape=shape,
        by_criterion={
            "alpha": {site: values.astype(np.float32) for site, values in alpha.items()},
            "head_gradient": {Site.ATTENTION_CONTEXT: gradient.astype(np.float32)},
        },
        pieces=TablePieces(counts, protected, np.geomspace(100, 1, shape.hidden).astype(np.float32)),
        pooler=own.lognormal(size=shape.pooler).astype(np.float32),
    )


def write_study(
    parent: Path,
    task: str = "sst2",
    *,
    name: str | None = None,
    seed: int = 0,
    shape: BertShape | None = None,
    backbone: str = BACKBONE,
    budgets: Sequence[str] = BUDGETS,
    shipped: Sequence[str] = ("10",),
    criterion: str = "alpha",
    alpha_sites: Sequence[Site] = tuple(Site),
) -> Path:
    """Write one study below `parent` and return its folder.

    Args:
        parent: folder of studies.
        task: one of GLUE's names.
        name: the study's and its folder's name; the task by default.
        seed: varies the factors.
        shape: the teacher's widths; the embedded backbone's by default.
        backbone: its name; studies of one name and shape share maps.
        budgets: stored budgets, total density in percent.
        shipped: those that also have weights.
        criterion: what the selections rank by.
        alpha_sites: sites with importance factors.
    """
    registered = get_task(task)
    shape = shape or bert_shape(registered)
    folder = parent / (name or task)
    folder.mkdir(parents=True)
    factors = make_factors(shape, task, seed)
    factors.by_criterion["alpha"] = {site: factors.by_criterion["alpha"][site] for site in alpha_sites}
    if Site.ATTENTION_CONTEXT not in alpha_sites:
        del factors.by_criterion["head_gradient"]
    chosen = {
        percent: select(factors, Budget("total_density", float(percent) / 100), SELECTION_SETTINGS, criterion)
        for percent in budgets
    }
    shipped = [percent for percent in shipped if percent in chosen]
    history = [
        {"stage": stage, "step": step, "epoch": step / 100, "loss": 1 / (1 + step / 50), "alive": 1 - step / 400}
        for stage in ("teacher", "slim", "recover-10")
        for step in range(0, 300, 50)
    ]
    (folder / "factors.safetensors").write_bytes(encode_factors(factors))
    (folder / "masks.safetensors").write_bytes(encode_cuts(chosen))
    (folder / "history.jsonl").write_bytes(encode_history(history))
    (folder / "teacher").mkdir()
    save_file({"lora": np.zeros(8, dtype=np.float32)}, folder / "teacher" / "adapter_model.safetensors")
    (folder / "teacher" / "adapter_config.json").write_text("{}")
    for percent in shipped:
        slim = folder / f"slim-{percent}"
        slim.mkdir()
        save_file({"empty": np.zeros(8, dtype=np.float16)}, slim / "model.safetensors")
        for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            (slim / file).write_text("{}")
        (slim / "README.md").write_text("Made up, for tests.\n")
    written = (folder.name, registered, shape, backbone, seed, factors, chosen, shipped, criterion)
    write_document(folder, study_document(*written))
    return folder
