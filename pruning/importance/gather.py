"""All criteria of a study, side by side: what is stored as its factors."""

from __future__ import annotations

from typing import Any

from pruning.bert import vocabulary
from pruning.bert.model import bert_shape, word_table
from pruning.data.batches import Encoded
from pruning.importance.factors import Importance, ImportanceFactors
from pruning.importance.gradients import KINDS, gradient_importance
from pruning.importance.pieces import table_pieces
from pruning.importance.pooler import moved, pooled_states, pooler_importance
from pruning.importance.registry import CRITERIA, Criterion, Need


def gather_factors(
    teacher: Any,
    slimmed: Any | None,
    tokenizer: Any,
    encoded: Encoded,
    *,
    is_regression: bool,
    general_share: float,
    seed: int,
) -> ImportanceFactors:
    """Compute criteria, piece counts, the table's spectrum and the pooler's importance.

    Criteria are all of the registry, but those that slimming finds where there was none.

    Args:
        teacher: what gradients are taken of.
        slimmed: the network with trained slim layers, if there is one.
        tokenizer: of both.
        encoded: training examples.
        is_regression: whether labels are scores.
        general_share: see `SelectionSettings`; the table's spectrum depends on it.
        seed: of the examples drawn for gradients.
    """
    shape, uncut = bert_shape(teacher), teacher if slimmed is None else slimmed
    with pooled_states(teacher) as pooled:
        found = teacher_criteria(teacher, encoded, is_regression=is_regression, seed=seed)
    if slimmed is None:
        pooler = moved(teacher, pooled)  # of the passes that were made already
    else:
        pooler = pooler_importance(slimmed, encoded, seed=seed)
        found |= {c.name: c.load().importance(slimmed) for c in needing("slimmed")}
    pieces = table_pieces(
        vocabulary.piece_counts(encoded.input_ids, shape.vocabulary),
        vocabulary.protected_pieces(tokenizer, shape.vocabulary),
        vocabulary.unusable_pieces(tokenizer, shape.vocabulary),
        word_table(uncut),
        general_share,
    )
    return ImportanceFactors(
        shape,
        {name: found[name] for name in CRITERIA if name in found},
        pieces,
        pooler,
    )


def teacher_criteria(teacher: Any, encoded: Encoded, *, is_regression: bool, seed: int) -> dict[str, Importance]:
    """All criteria that need no slimmed network, by name; one pass of gradients for those that need some.

    Args:
        teacher: left as it was.
        encoded: training examples.
        is_regression: whether labels are scores.
        seed: of the examples drawn for gradients, and of the random control.
    """
    of_gradients = [criterion for kind in KINDS for criterion in needing(kind)]
    found = gradient_importance(teacher, encoded, of_gradients, is_regression=is_regression, seed=seed)
    found |= {c.name: c.load().importance(teacher) for c in needing("teacher")}
    found |= {c.name: c.load().importance(bert_shape(teacher), seed) for c in needing("nothing")}
    for criterion in needing("texts"):
        own = criterion.load().importance(teacher, encoded, found, is_regression=is_regression, seed=seed)
        found[criterion.name] = own
    return found | {c.name: c.load().importance(found) for c in needing("criteria")}


def needing(need: Need) -> list[Criterion]:
    """The registry's criteria that need this."""
    return [criterion for criterion in CRITERIA.values() if criterion.needs == need]
