"""Stretches of a text that two spellings share."""

from __future__ import annotations

import numpy as np
import pytest

from pruning.bert import backbones, vocabulary
from pruning.bert.spelling import NOWHERE, stretches
from pruning.data.batches import Encoded, encode
from pruning.data.examples import Examples, unlabelled

TEXTS = ("the unbelievable playing of the players", "plain words", "naïve café 1999!")


@pytest.fixture(scope="module")
def full():
    return backbones.load_tokenizer(backbones.find_backbone("all-MiniLM-L6-v2"))


@pytest.fixture(scope="module")
def cut(full):
    """A tokenizer without most words."""
    kept = vocabulary.protected_pieces(full) | np.isin(
        np.arange(len(full)), full.convert_tokens_to_ids(["the", "of", "plain", "play", "##ing", "un", "##able"])
    )
    return vocabulary.cut_tokenizer(full, np.flatnonzero(kept))


def both(cut, full, examples: Examples, length: int = 64) -> tuple[Encoded, Encoded]:
    return encode(cut, examples, length), encode(full, examples, length)


def test_the_same_spelling_is_matched_piece_by_piece(full) -> None:
    encoded = encode(full, unlabelled(TEXTS, None, "texts"), 64)
    found = stretches((full, encoded), (full, encoded))
    assert found.is_plain
    assert [row.tolist() for row in found.student] == [list(range(length)) for length in encoded.lengths]


@pytest.mark.parametrize("pairs", [None, TEXTS[::-1]])
def test_every_stretch_covers_the_same_characters_of_both(cut, full, pairs) -> None:
    own, reference = both(cut, full, unlabelled(TEXTS, pairs, "texts"))
    found = stretches((cut, own), (full, reference))
    assert not found.is_plain
    for example in range(len(TEXTS)):
        for stretch in range(found.counts[example]):
            spelled = []
            for tokenizer, encoded, places in ((cut, own, found.student), (full, reference, found.teacher)):
                pieces = tokenizer.convert_ids_to_tokens(encoded.input_ids[example][places[example] == stretch])
                spelled.append("".join(piece.removeprefix("##") for piece in pieces))
            assert spelled[0] == spelled[1] != ""
        for places in (found.student[example], found.teacher[example]):
            assert set(places.tolist()) == set(range(found.counts[example]))  # all of a whole text is matched


@pytest.mark.parametrize("length", [6, 9, 14])
def test_what_only_one_of_them_still_reads_of_a_cut_text_lies_nowhere(cut, full, length: int) -> None:
    own, reference = both(cut, full, unlabelled(TEXTS[:1], TEXTS[:1], "texts"), length)
    found = stretches((cut, own), (full, reference))
    ends = [places[0][[0, -1]].tolist() for places in (found.student, found.teacher)]
    assert ends[0] == ends[1] == [0, found.counts[0] - 1]  # both specials meet
    assert NOWHERE in found.teacher[0] or NOWHERE in found.student[0]
    separators = [
        np.flatnonzero(places[0] == found.student[0][-1]).tolist() for places in (found.student, found.teacher)
    ]
    assert [len(pieces) for pieces in separators] == [1, 1]


def test_pooling_averages_the_pieces_of_a_stretch(cut, full) -> None:
    own, reference = both(cut, full, unlabelled(TEXTS, None, "texts"))
    found = stretches((cut, own), (full, reference))
    index = np.array([2, 0])
    mine, theirs, weights = found.pooling(index, 40, 20)
    assert mine.shape == (2, found.counts[index].max(), 40)
    assert theirs.shape == (2, found.counts[index].max(), 20)
    for matrix in (mine, theirs):
        assert np.allclose(matrix.sum(-1), weights)
    assert weights.sum(-1).tolist() == found.counts[index].tolist()
