"""What heads look at: attention over one text, and a head's habits over many.

Habits as in Clark, Khandelwal, Levy and Manning 2019, "What Does BERT Look At? An Analysis of BERT's Attention", arXiv
1906.04341: shares of attention to places that need no meaning, and how widely it is spread.

The fused kernel that networks answer with gives no maps, so they are made by a copy that shares the weights alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning.data.examples import unlabelled
from slimviz.frames.attention import KINDS, Habits
from slimviz.live.answers import batch_of
from slimviz.live.networks import Network, computing

if TYPE_CHECKING:
    from pruning.data.examples import Examples

TEXTS = 16  # a batch: its maps take 80 MB in a BERT-base at 100 tokens
Progress = Callable[[float], object]  # of the share that is done


@dataclass(frozen=True, eq=False)
class Looks:
    """What one head of one network looks at in a text.

    Attributes:
        pieces: tokens as the network reads them, marks included.
        is_mark: which of them are [CLS] or [SEP].
        shares: (pieces looking, pieces looked at) float32, rows summing to 1; None where the head is gone.
    """

    pieces: tuple[str, ...]
    is_mark: tuple[bool, ...]
    shares: np.ndarray | None


def looks(network: Network, heads: int, head: tuple[int, int], text: str, pair: str | None = None) -> Looks:
    """Attention of one head over a text or a pair.

    Args:
        network: teacher or slim network.
        heads: of each of the teacher's layers.
        head: layer and head from 0, as the teacher numbers them.
        text: what it reads.
        pair: the second text.
    """
    examples = unlabelled([text], None if pair is None else [pair], "typed text")
    with computing():
        inputs, _, _ = batch_of(network, examples)
        shares = attention_maps(_mapping(network), inputs, heads)[head][0]
    ids, tokenizer = inputs["input_ids"][0].tolist(), network.tokenizer
    is_mark = tuple(number in (tokenizer.cls_token_id, tokenizer.sep_token_id) for number in ids)
    return Looks(tuple(tokenizer.convert_ids_to_tokens(ids)), is_mark, None if np.isnan(shares).any() else shares)


def habits(network: Network, heads: int, examples: Examples, progress: Progress | None = None) -> Habits:
    """What all heads of a network do on some texts.

    Args:
        network: teacher or slim network.
        heads: of each of the teacher's layers.
        examples: at least one.
        progress: called between batches, the lock free.
    """
    sums: list[_Sums] = []
    with computing():
        mapping = _mapping(network)
    for start in range(0, len(examples), TEXTS):
        if progress is not None:
            progress(start / len(examples))
        batch = examples.take(range(start, min(start + TEXTS, len(examples))))
        with computing():
            inputs, _, _ = batch_of(network, batch)
            maps = attention_maps(mapping, inputs, heads)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        for row, (ids, length) in enumerate(zip(inputs["input_ids"].tolist(), lengths, strict=True)):
            sums.append(_look(maps[:, :, row, :length, :length], ids[:length], network.tokenizer))
    pieces = sum(one.pieces for one in sums) or np.nan
    return Habits(
        shares=np.sum([one.shares for one in sums], axis=0) / pieces,
        entropy=np.sum([one.entropy for one in sums], axis=0) / pieces,
        even=np.sum([one.even for one in sums], axis=0) / pieces,
        most_entropy=sum(one.most_entropy for one in sums) / pieces,
        texts=len(examples),
    )


def _mapping(network: Network) -> Network:
    """A copy of a network that gives attention maps."""
    mapping = network.apart()
    mapping.model.set_attn_implementation("eager")
    return mapping


def attention_maps(mapping: Network, inputs: dict[str, Any], heads: int) -> np.ndarray:
    """What each piece looks at, by layer and head; call it inside `computing()`.

    Args:
        mapping: a network that does not answer by the fused kernel.
        inputs: a batch.
        heads: of each of the teacher's layers.

    Returns:
        (layers, heads, texts, tokens, tokens) float32, the last axis summing to 1 over a text's tokens; NaN throughout
        for heads that the network no longer has.
    """
    import torch

    with torch.inference_mode():
        found = mapping.model(**inputs, output_attentions=True).attentions
    kept = getattr(mapping.model.config, "kept_heads", None) or [range(heads)] * len(found)
    texts, tokens = inputs["input_ids"].shape
    maps = np.full((len(found), heads, texts, tokens, tokens), np.nan, dtype=np.float32)
    for layer, (numbers, weights) in enumerate(zip(kept, found, strict=True)):
        if weights is not None:  # a layer without heads gives none
            maps[layer, list(numbers)] = weights.float().transpose(0, 1).cpu().numpy()
    return maps


@dataclass(frozen=True, eq=False)
class _Sums:
    """As `Habits`, summed over the pieces of one text that look."""

    shares: np.ndarray
    entropy: np.ndarray
    even: np.ndarray
    most_entropy: float
    pieces: int


def _look(maps: np.ndarray, ids: Sequence[int], tokenizer: Any) -> _Sums:
    """The habits on one text; maps (layers, heads, tokens, tokens) without padding."""
    kinds, is_looking = kinds_of(ids, tokenizer)
    chosen = np.eye(len(KINDS))[kinds[is_looking]]  # (looking, looked at, kinds)
    rows = maps[:, :, is_looking].astype(np.float64)
    bits = -(rows * np.log2(np.where(rows > 0, rows, 1.0))).sum(axis=(2, 3))
    looking = int(is_looking.sum())
    return _Sums(
        shares=np.einsum("lhqk,qkc->lhc", rows, chosen),
        entropy=bits,
        even=chosen.mean(axis=1).sum(axis=0),
        most_entropy=looking * float(np.log2(len(ids))),
        pieces=looking,
    )


def kinds_of(ids: Sequence[int], tokenizer: Any) -> tuple[np.ndarray, np.ndarray]:
    """What each piece is to each.

    Returns:
        (looking, looked at) numbers of `KINDS`, and (looking,) bool: whether the piece is none of the marks around
        texts, whose own attention is left out.
    """
    marks = {tokenizer.cls_token_id: "cls", tokenizer.sep_token_id: "sep"}
    pieces = tokenizer.convert_ids_to_tokens(list(ids))
    own = np.array([KINDS.index(marks.get(number) or _kind(piece)) for number, piece in zip(ids, pieces, strict=True)])
    is_looking = np.array([number not in marks for number in ids])
    kinds = np.tile(own, (len(ids), 1))
    for name, distance in (("itself", 0), ("before", -1), ("after", 1)):
        looking = np.flatnonzero(is_looking[max(0, -distance) : len(ids) - max(0, distance)]) + max(0, -distance)
        looking = looking[is_looking[looking + distance]]
        kinds[looking, looking + distance] = KINDS.index(name)
    return kinds, is_looking


def _kind(piece: str) -> str:
    letters = piece.removeprefix("##")
    return "punctuation" if all(unicodedata.category(letter).startswith("P") for letter in letters) else "other"
