"""Words of a text, and the pieces that two vocabularies spell them in."""

from __future__ import annotations

import numpy as np
import pytest

from pruning.bert.vocabulary import cut_tokenizer, protected_pieces
from pruning.data.batches import encode
from pruning.data.examples import unlabelled
from slimviz.live.words import Word, pieces_of, spelling, words_of
from tests.factories.vocabularies import bert_tokenizer, multilingual

WHOLE = bert_tokenizer(multilingual())
CUT = cut_tokenizer(WHOLE, np.flatnonzero(protected_pieces(WHOLE)))
TEXTS = (
    "The film, being unable to go on, was good.",
    "don't say well-made 3.5 times; it's not-",
    "the  film\tthe film",
    "中文字 good 好",
    "नमस्ते film",
    "<b>film</b> & 'good' -- ...!",
    "🙂🎉 film 🙂",
    "cafe-cafe' -film",
    "[SEP] film [CLS]",
    "é1.5.film 1,000,000 a.b",
)


def encoding(tokenizer: object, *texts: str, longest: int = 512) -> object:
    return tokenizer(*texts, truncation="longest_first", max_length=longest).encodings[0]  # type: ignore[operator]


def words(*texts: str) -> list[str]:
    return [word.text for word in words_of(texts, [pieces_of(encoding(WHOLE, *texts))])]


def test_words_are_those_of_the_tokenizer_but_not_torn_apart_inside() -> None:
    assert words("don't say well-made 3.5 times.") == ["don't", "say", "well-made", "3.5", "times", "."]
    assert words("the film's end - the-") == ["the", "film's", "end", "-", "the", "-"]
    assert words("a.b, good...") == ["a", ".", "b", ",", "good", ".", ".", "."]
    assert words("中文 film") == ["中", "文", "film"]


@pytest.mark.parametrize("text", TEXTS)
def test_every_piece_of_both_lies_in_exactly_one_word(text: str) -> None:
    pair = (text, f"{text} film")
    both = [pieces_of(encoding(tokenizer, *pair)) for tokenizer in (WHOLE, CUT)]
    found = words_of(pair, both)
    assert found
    for pieces in both:
        spelled = spelling(found, pieces)
        assert sorted(piece.place for part in spelled for piece in part) == [piece.place for piece in pieces]
    for word in found:
        assert word.text == pair[word.field][word.start : word.end]
        assert word.text.strip() == word.text != ""
    assert found == sorted(found, key=lambda word: (word.field, word.start))


def test_both_spellings_of_a_word_are_told_apart() -> None:
    text = "the filming"
    both = [pieces_of(encoding(tokenizer, text)) for tokenizer in (WHOLE, CUT)]
    found = words_of([text], both)
    assert [word.text for word in found] == ["the", "filming"]
    whole, cut = ([[piece.text for piece in part] for part in spelling(found, pieces)] for pieces in both)
    assert whole == [["the"], ["film", "##ing"]]
    assert cut == [["t", "##h", "##e"], ["f", "##i", "##l", "##m", "##i", "##n", "##g"]]


def test_what_one_network_does_not_read_is_still_a_word() -> None:
    text = "film film film film"
    both = [pieces_of(encoding(tokenizer, text, longest=8)) for tokenizer in (WHOLE, CUT)]
    found = words_of([text], both)
    assert [word.start for word in found] == [0, 5, 10, 15]
    assert [len(part) for part in spelling(found, both[0])] == [1, 1, 1, 1]
    assert [len(part) for part in spelling(found, both[1])] == [4, 2, 0, 0]  # the second is cut within


def test_nothing_read_is_no_word() -> None:
    assert words_of(["\u200b"], [pieces_of(encoding(WHOLE, "\u200b"))]) == []
    assert words_of(["a-b"], [[]]) == []
    assert words_of(["", "film"], [pieces_of(encoding(WHOLE, "", "film"))]) == [Word("film", 1, 0, 4)]


def test_the_encoding_is_what_networks_read() -> None:
    examples = unlabelled(TEXTS, TEXTS[::-1], "made up")
    for longest in (512, 9):
        wanted = encode(CUT, examples, longest).input_ids
        found = [encoding(CUT, *pair, longest=longest).ids for pair in zip(TEXTS, TEXTS[::-1], strict=True)]  # type: ignore[attr-defined]
        assert found == [ids.tolist() for ids in wanted]
