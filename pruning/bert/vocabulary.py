"""Cutting a WordPiece tokenizer so that every text it knew stays known: rarer words are spelled in smaller pieces.

WordPiece takes the longest piece that matches, again and again, and gives up on the whole word where nothing matches.
A word whose characters all have a piece of their own, alone and as a continuation, can therefore never be given up on,
whichever other pieces are kept; pieces for which that does not hold are kept themselves, with those that words across
such holes need (see `holes`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from pruning.bert.holes import pieces_around_holes
from pruning.errors import BackboneError, SelectionError

# A continuation is tried after a letter, a digit, a punctuation mark and its own first character, as pre-tokenizers
# split between these, and some between scripts.
STEMS = ("a", "1", ".")
SPECIAL_TOKENS = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token")


@dataclass(frozen=True)
class _Pieces:
    """A WordPiece tokenizer's parts.

    Attributes:
        definition: the whole tokenizer as JSON.
        numbers: piece -> vocabulary id, of the WordPiece model alone.
        added: added token -> vocabulary id, specials among them.
        prefix: what marks a continuation ("##").
        unknown: the unknown piece.
        longest_word: words of more characters are unknown.
    """

    definition: dict[str, Any]
    numbers: dict[str, int]
    added: dict[str, int]
    prefix: str
    unknown: str
    longest_word: int

    @property
    def size(self) -> int:
        """One more than the highest id."""
        return max(*self.numbers.values(), *self.added.values(), -1) + 1

    def is_continuation(self, piece: str) -> bool:
        """Whether a piece goes on with a word."""
        return piece.startswith(self.prefix) and len(piece) > len(self.prefix)

    def body(self, piece: str) -> str:
        """The characters of the text that a piece covers."""
        return piece[len(self.prefix) :] if self.is_continuation(piece) else piece


def _read(tokenizer: Any) -> _Pieces:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    definition = {} if backend is None else json.loads(backend.to_str())
    model = definition.get("model", {})
    if model.get("type") != "WordPiece":
        kind = model.get("type", type(tokenizer).__name__)
        raise BackboneError(f"tokenizer of type {kind}: expected a fast WordPiece tokenizer, as BERT has")
    return _Pieces(
        definition=definition,
        numbers=model["vocab"],
        added={token["content"]: token["id"] for token in definition["added_tokens"]},
        prefix=model["continuing_subword_prefix"],
        unknown=model["unk_token"],
        longest_word=model["max_input_chars_per_word"],
    )


def require_wordpiece(tokenizer: Any) -> None:
    """Refuse every other kind of tokenizer.

    Raises:
        BackboneError: if it is not a fast WordPiece tokenizer.
    """
    _read(tokenizer)


def protected_pieces(tokenizer: Any, vocabulary: int | None = None) -> np.ndarray:
    """Pieces that always stay: specials, single characters, their continuations, and what these cannot spell.

    With any selection that contains them, whatever text was known stays known (tests check that by trying).

    Args:
        tokenizer: a fast WordPiece tokenizer.
        vocabulary: rows of the word table, where there are more than pieces.

    Returns:
        (vocabulary,) bool.

    Raises:
        BackboneError: if it is not a fast WordPiece tokenizer.
    """
    pieces = _read(tokenizer)
    protected = np.zeros(vocabulary or pieces.size, dtype=bool)
    protected[list(pieces.added.values())] = True
    protected[[number for piece, number in pieces.numbers.items() if len(pieces.body(piece)) == 1]] = True
    protected[pieces.numbers[pieces.unknown]] = True
    unusable = unusable_pieces(tokenizer, len(protected))
    for piece, number in pieces.numbers.items():
        protected[number] |= not unusable[number] and not _is_spellable(pieces, piece)
    usable = [piece for piece, number in pieces.numbers.items() if not unusable[number]]
    insides = [piece for piece in usable if pieces.is_continuation(piece)]
    words = set(usable).difference(insides)
    around = pieces_around_holes(words, map(pieces.body, insides))
    protected[[pieces.numbers[piece] for piece in around[0]]] = True
    protected[[pieces.numbers[pieces.prefix + body] for body in around[1]]] = True
    return protected


def _is_spellable(pieces: _Pieces, piece: str) -> bool:
    """Whether each of a piece's characters is a piece in the place where the piece has it."""
    body = pieces.body(piece)
    first = pieces.prefix + body[:1] if pieces.is_continuation(piece) else body[:1]
    return first in pieces.numbers and all(pieces.prefix + character in pieces.numbers for character in body[1:])


def unusable_pieces(tokenizer: Any, vocabulary: int | None = None) -> np.ndarray:
    """Pieces that no text produces, so that nothing is lost without them; specials count as usable.

    These are ``[unused1]`` and the like, pieces that the normaliser would change (capitals in a lower-case vocabulary)
    or the pre-tokenizer would split (continuations of punctuation), and ids without a piece.

    Returns:
        (vocabulary,) bool.
    """
    pieces = _read(tokenizer)
    backend = tokenizer.backend_tokenizer
    unusable = np.ones(vocabulary or pieces.size, dtype=bool)

    def is_one_word(text: str) -> bool:
        if len(text) > pieces.longest_word:
            return False
        # The normaliser may add spaces that the pre-tokenizer takes away again (around Chinese characters).
        normal = text if backend.normalizer is None else backend.normalizer.normalize_str(text)
        if backend.pre_tokenizer is None:
            return normal == text
        return [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal)] == [text]

    for piece, number in pieces.numbers.items():
        if pieces.is_continuation(piece):
            unusable[number] = not any(
                is_one_word(stem + pieces.body(piece)) for stem in (*STEMS, pieces.body(piece)[0])
            )
        else:
            unusable[number] = not is_one_word(piece)
    unusable[list(pieces.added.values())] = False
    return unusable


def cut_tokenizer(
    tokenizer: Any, pieces: np.ndarray | Sequence[int], *, positions: int | None = None
) -> PreTrainedTokenizerFast:
    """A tokenizer of the kept pieces only, numbered from 0 in the order of `pieces`.

    Args:
        tokenizer: a fast WordPiece tokenizer; it is left as it is.
        pieces: sorted vocabulary ids, specials among them.
        positions: longest input, stored as ``model_max_length``; None keeps the full tokenizer's.

    Raises:
        BackboneError: if it is not a fast WordPiece tokenizer.
        SelectionError: if a special piece is not among those kept.
    """
    full = _read(tokenizer)
    new_numbers = {int(old): new for new, old in enumerate(pieces)}
    missing = [token for token, number in full.added.items() if number not in new_numbers]
    if full.numbers[full.unknown] not in new_numbers:
        missing.append(full.unknown)
    if missing:
        raise SelectionError(f"vocabulary pieces: special piece {missing[0]} is missing, expected all specials kept")
    definition = dict(full.definition, truncation=None, padding=None)
    order = sorted((new_numbers[old], piece) for piece, old in full.numbers.items() if old in new_numbers)
    definition["model"] = dict(definition["model"], vocab={piece: new for new, piece in order})
    definition["added_tokens"] = sorted(
        (dict(token, id=new_numbers[token["id"]]) for token in definition["added_tokens"]),
        key=lambda token: token["id"],
    )
    definition["post_processor"] = _renumbered(definition["post_processor"], new_numbers)
    cut = _built(definition, tokenizer, positions)
    expected = {piece: new for new, piece in order} | {t["content"]: t["id"] for t in definition["added_tokens"]}
    if cut.get_vocab() != expected:  # added tokens are numbered anew by how many pieces there are
        raise BackboneError("tokenizer: added tokens stand between ids without a piece, expected pieces without gaps")
    return cut


def _built(definition: dict[str, Any], like: Any, positions: int | None = None) -> PreTrainedTokenizerFast:
    """A tokenizer from its JSON, with another one's names of special tokens and ways to pad and cut."""
    specials = {name: getattr(like, name) for name in SPECIAL_TOKENS if getattr(like, name, None) is not None}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(definition)),
        model_max_length=positions or like.model_max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        padding_side=like.padding_side,
        truncation_side=like.truncation_side,
        **specials,
    )


def in_one_segment(tokenizer: Any) -> PreTrainedTokenizerFast:
    """The same tokenizer for a network with one token type: a pair's second text has segment 0, as the first has.

    Raises:
        BackboneError: if it is not a fast WordPiece tokenizer.
    """
    definition = dict(_read(tokenizer).definition, truncation=None, padding=None)
    return _built(dict(definition, post_processor=_one_segment(definition["post_processor"])), tokenizer)


def _one_segment(processor: dict[str, Any] | None) -> dict[str, Any]:
    """A post-processor's JSON with every type id 0."""
    if processor is not None and processor["type"] == "Sequence":
        return dict(processor, processors=[_one_segment(part) for part in processor["processors"]])
    if processor is not None and processor["type"] == "TemplateProcessing":
        template = {name: [_in_segment_0(part) for part in processor[name]] for name in ("single", "pair")}
        return processor | template
    if processor is not None and not {"sep", "cls"} <= processor.keys():
        return processor  # it adds nothing
    texts = [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"]
    marks: dict[str, list[dict[str, Any]]] = {"cls": [], "sep": []}
    special: dict[str, Any] = {}
    if processor is not None:  # BertProcessing, RobertaProcessing: [token, id]
        for name, found in marks.items():
            token, number = processor[name]
            found.append({"SpecialToken": {"id": token, "type_id": 0}})
            special[token] = {"id": token, "ids": [number], "tokens": [token]}
    single = [*marks["cls"], texts[0], *marks["sep"]]
    pair = [*single, texts[1], *marks["sep"]]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}


def _in_segment_0(part: dict[str, Any]) -> dict[str, Any]:
    return {kind: dict(values, type_id=0) for kind, values in part.items()}


def _renumbered(processor: dict[str, Any] | None, new_numbers: dict[int, int]) -> dict[str, Any] | None:
    """A post-processor's JSON with the ids of its special tokens replaced."""
    if processor is None:
        return None
    if processor["type"] == "Sequence":
        return dict(processor, processors=[_renumbered(part, new_numbers) for part in processor["processors"]])
    if processor["type"] == "TemplateProcessing":
        special = {
            name: dict(token, ids=[new_numbers[number] for number in token["ids"]])
            for name, token in processor["special_tokens"].items()
        }
        return dict(processor, special_tokens=special)
    renumbered = dict(processor)
    for name in ("sep", "cls"):  # BertProcessing, RobertaProcessing: [token, id]
        if name in renumbered:
            renumbered[name] = [processor[name][0], new_numbers[processor[name][1]]]
    return renumbered


def piece_counts(encoded_ids: Iterable[np.ndarray | Sequence[int]], vocabulary: int) -> np.ndarray:
    """How often each vocabulary entry occurs in encoded texts.

    Returns:
        (vocabulary,) int64.
    """
    arrays = [np.asarray(ids, dtype=np.int64) for ids in encoded_ids]
    flat = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)
    return np.bincount(flat, minlength=vocabulary).astype(np.int64)


def piece_lengths(tokenizer: Any) -> np.ndarray:
    """How many characters of a text each vocabulary entry covers; 1 for specials, which cover none, and unused ids.

    Returns:
        (vocabulary,) int64.
    """
    pieces = _read(tokenizer)
    lengths = np.ones(pieces.size, dtype=np.int64)
    for piece, number in pieces.numbers.items():
        if number not in pieces.added.values():
            lengths[number] = len(pieces.body(piece))
    return lengths


def whole_words(tokenizer: Any) -> tuple[list[str], np.ndarray]:
    """Entries of the vocabulary that are words of letters of their own, and their ids."""
    pieces = _read(tokenizer)
    found = sorted(
        (number, piece)
        for piece, number in pieces.numbers.items()
        if len(piece) > 1 and piece.isalpha() and number not in pieces.added.values()
    )
    return [piece for _, piece in found], np.array([number for number, _ in found], dtype=np.int64)
