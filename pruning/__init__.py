"""SlimViz's backend: prune BERT for a task by neural slimming. Importing it loads neither torch nor transformers.

study = pruning.load_study("sst2")
study.logits("slim-10", ["a warm, funny film"])

slim = pruning.prune(model, tokenizer, texts, budget=0.1)
slim.save("small")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pruning.version import VERSION

if TYPE_CHECKING:
    from pruning.one_call import Slim
    from pruning.study import BrokenStudy, Study

__version__ = VERSION


def load_study(name_or_folder: str | Path) -> Study:
    """A stored study, by its name (a shipped one's, or one in a folder that SLIMVIZ_STUDIES names) or its folder.

    Raises:
        pruning.errors.StoreError: if there is none, or it cannot be read.
    """
    from pruning.study import find_study

    return find_study(name_or_folder)


def list_studies() -> list[Study | BrokenStudy]:
    """All stored studies, the shipped ones first; folders that cannot be read come as `BrokenStudy` with a reason."""
    from pruning.study import list_studies as read_all

    return read_all()


def prune(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    budget: float = 0.1,
    labels: Sequence[Any] | None = None,
    pairs: Sequence[str] | None = None,
    recover: bool = True,
    *,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    device: str | None = None,
    runs: Path | str | None = None,
    quiet: bool = False,
) -> Slim:
    """Prune a fine-tuned BERT classifier to a share of its parameters; a tenth of the texts is held out to report on.

    Args:
        model: a `BertForSequenceClassification`, left as it is; or the folder or hub id of one.
        tokenizer: its fast WordPiece tokenizer; None where `model` is a name, whose folder holds one.
        texts: at least 100 texts like those that it shall answer.
        budget: parameters to keep, as a share of the teacher's, embeddings included.
        labels: one a text: label words, or numbers of a model that has no words for them, or scores of a regression.
            They are not learned from, but reported on; None where there are none.
        pairs: second texts, for a model that reads pairs.
        recover: whether the cut network is trained to follow the teacher again; minutes that buy most of what a small
            budget keeps.
        seed: of everything random.
        settings: any other setting of `pruning/config.py` by its dotted name, such as ``{"recover.steps": 500}``.
        device: "cpu" to stay off accelerators; by default one is taken where there is one.
        runs: folder for checkpoints, where an interrupted call goes on; by default they are thrown away.
        quiet: no progress bars.

    Returns:
        `network`, `tokenizer`, `report` and `save(folder)`.

    Raises:
        pruning.errors.SlimVizError: in one line, if the model cannot be pruned, texts or labels are not what they
            should be, or no network is as small as that.
    """
    from pruning import one_call

    return one_call.prune(
        model,
        tokenizer,
        texts,
        budget,
        labels,
        pairs,
        recover,
        seed=seed,
        settings=settings,
        device=device,
        runs=runs,
        quiet=quiet,
    )
