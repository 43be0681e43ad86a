"""Words that run across characters without a continuation piece of their own: none is lost, whatever else goes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.bert import vocabulary
from pruning.bert.holes import pieces_around_holes
from tests.factories.vocabularies import CYRILLIC, SPECIAL, bert_tokenizer

BODY = st.text("abcd", min_size=1, max_size=4)
PIECE = st.builds(lambda body, is_inside: f"##{body}" if is_inside else body, BODY, st.booleans())


def test_a_piece_that_another_could_match_across_a_hole_stays() -> None:
    """There is no ##d: "##cd" has to be reached, and "##bc", once "ab" is gone, would match across its beginning."""
    tokenizer = bert_tokenizer((*SPECIAL, "a", "##a", "##b", "##c", "ab", "##cd", "##bc", "aa", "##aa"))
    assert tokenizer.tokenize("abcd") == ["ab", "##cd"]
    protected = vocabulary.protected_pieces(tokenizer)
    kept = set(tokenizer.convert_ids_to_tokens(np.flatnonzero(protected).tolist())) - set(SPECIAL)
    assert kept == {"a", "##a", "##b", "##c", "ab", "##cd"}
    with_bc = np.sort([*np.flatnonzero(protected), tokenizer.convert_tokens_to_ids("##bc")])
    assert vocabulary.cut_tokenizer(tokenizer, with_bc).tokenize("abcd") == ["ab", "##cd"]


def test_without_holes_nothing_else_has_to_stay() -> None:
    assert pieces_around_holes(["ab", "b"], ["a", "b", "ab", "ba", ""]) == (set(), set())


def test_holes_of_one_script_leave_the_others_alone() -> None:
    letters = "abcdefg"
    pieces = (*letters, *(f"##{letter}" for letter in letters), "abc", "##def", "cab")
    cyrillic = (*CYRILLIC, *(f"##{letter}" for letter in CYRILLIC[1:]), "ба", "##ба", "вб", "##вб")
    tokenizer = bert_tokenizer((*SPECIAL, *pieces, *cyrillic), strip_accents=False)
    protected = vocabulary.protected_pieces(tokenizer)
    stays = dict(zip(tokenizer.convert_ids_to_tokens(range(len(tokenizer))), protected, strict=True))
    assert [stays[piece] for piece in ("abc", "##def", "cab", "ба", "##ба")] == [False, False, False, True, True]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    pieces=st.sets(PIECE, min_size=3, max_size=24),
    singles=st.sets(st.sampled_from(["##a", "##b", "##c", "##d", *"abcd"])),
    kept=st.sets(st.integers(5, 40)),
    words=st.lists(st.text("abcd", min_size=1, max_size=9), min_size=30, max_size=30),
)
def test_no_word_becomes_unknown(pieces: set[str], singles: set[str], kept: set[int], words: list[str]) -> None:
    tokenizer = bert_tokenizer((*SPECIAL, *sorted(pieces | singles)))
    protected = vocabulary.protected_pieces(tokenizer)
    chosen = [number for number in range(len(tokenizer)) if protected[number] or number in kept]
    cut = vocabulary.cut_tokenizer(tokenizer, chosen)
    for word in words:
        spelled = cut.tokenize(word)
        if "[UNK]" not in tokenizer.tokenize(word):
            assert "".join(piece.removeprefix("##") for piece in spelled) == word
