"""A cut WordPiece tokenizer knows every text that the full one knew, whatever the vocabulary."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast

from pruning.bert import vocabulary
from pruning.bert.backbones import find_backbone, load_tokenizer
from pruning.errors import BackboneError, SelectionError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = (*"abcde", *(f"##{letter}" for letter in "abcde"))
TEXTS = (
    "The quick brown fox's naïveté, it jumped over 3.5 lazily unhappy dogs!",
    "Antidisestablishmentarianism, 中文, straße; e-mail: someone@example.org (2024) — “quoted” … 🙂",
    "Ünïcode ÀÉÎ Ω ж ب א ก 한 ひらがな ①½",
)


def bert(*pieces: str, **options: Any) -> BertTokenizer:
    return BertTokenizer(vocab={piece: number for number, piece in enumerate((*SPECIAL, *pieces))}, **options)


def numbers(tokenizer: Any, *pieces: str) -> np.ndarray:
    return np.array(sorted(tokenizer.convert_tokens_to_ids([*SPECIAL, *pieces])))


def names(tokenizer: Any, mask: np.ndarray) -> set[str]:
    return set(tokenizer.convert_ids_to_tokens(np.flatnonzero(mask).tolist())) - set(SPECIAL)


def lost(tokenizer: Any, kept: Any) -> set[str]:
    """Removed pieces that the rest cannot spell, by trying each, at a word's beginning or inside a word."""
    kept, unknown = set(np.asarray(kept).tolist()), {"[UNK]": tokenizer.unk_token_id}
    unusable = vocabulary.unusable_pieces(tokenizer)
    words = {piece: number for piece, number in tokenizer.get_vocab().items() if number in kept}
    inside = {piece: number for piece, number in words.items() if piece.startswith("##")}
    inside |= {piece.removeprefix("##"): number for piece, number in inside.items()}
    at_start, within = models.WordPiece({**words, **unknown}), models.WordPiece({**inside, **unknown})
    found = set()
    for piece, number in tokenizer.get_vocab().items():
        if number not in kept and not unusable[number]:
            spell = within if piece.startswith("##") else at_start
            if any(token.id == tokenizer.unk_token_id for token in spell.tokenize(piece.removeprefix("##"))):
                found.add(piece)
    return found


@pytest.fixture(scope="module")
def embedded() -> Any:
    """The embedded backbone's tokenizer."""
    return load_tokenizer(find_backbone())


def test_single_characters_continuations_and_specials_are_protected() -> None:
    tokenizer = bert(*LETTERS, "abc", "##cab", "[unused1]", "bed")
    assert names(tokenizer, vocabulary.protected_pieces(tokenizer)) == set(LETTERS)
    assert vocabulary.protected_pieces(tokenizer)[:5].all()


def test_pieces_that_single_characters_cannot_spell_are_protected() -> None:
    tokenizer = bert("a", "b", "##b", "##c", "abc", "xab", "bca", "##cb", "##ac", "##xb", "[unused7]")
    # "xab" has no x, "bca" and "##ac" have no ##a, "##xb" has no ##x; "abc" and "##cb" can be spelled.
    expected = {"a", "b", "##b", "##c", "xab", "bca", "##ac", "##xb"}
    assert names(tokenizer, vocabulary.protected_pieces(tokenizer)) == expected
    kept = np.flatnonzero(vocabulary.protected_pieces(tokenizer))
    assert lost(tokenizer, kept) == set()


def test_a_vocabulary_without_single_characters_stays_whole() -> None:
    tokenizer = bert("good", "bad", "##ly", "##ness")
    assert vocabulary.protected_pieces(tokenizer).all()


def test_the_word_table_may_be_longer_than_the_vocabulary() -> None:
    tokenizer = bert("a", "ab")
    assert vocabulary.protected_pieces(tokenizer, 12).shape == (12,)
    assert not vocabulary.protected_pieces(tokenizer, 12)[7:].any()
    assert vocabulary.unusable_pieces(tokenizer, 12)[7:].all()


def test_pieces_no_text_produces() -> None:
    tokenizer = bert("a", "##a", "##1", "A", "é", "中", "##中", "...", "##.", ".", "[unused1]", "##aaa", "##", "##é")
    unusable = names(tokenizer, vocabulary.unusable_pieces(tokenizer))
    # The normaliser lowers and strips; punctuation and Chinese characters are words of their own.
    assert unusable == {"A", "é", "##é", "##中", "...", "##.", "[unused1]", "##"}
    cased = bert("a", "A", "é", do_lower_case=False)
    assert names(cased, vocabulary.unusable_pieces(cased)) == set()


def test_words_too_long_are_unusable() -> None:
    tokenizer = bert("a", "##a", "a" * 100, "a" * 101, "##" + "a" * 99, "##" + "a" * 100)
    assert names(tokenizer, vocabulary.unusable_pieces(tokenizer)) == {"a" * 101, "##" + "a" * 100}
    assert lost(tokenizer, numbers(tokenizer, "a", "##a")) == set()


PIECE = st.text("abc", min_size=1, max_size=3).flatmap(lambda body: st.sampled_from((body, f"##{body}")))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(pieces=st.sets(PIECE, min_size=1, max_size=25), removed=st.sets(st.integers(5, 30)))
def test_cut_vocabularies_know_each_removed_piece(pieces: set[str], removed: set[int]) -> None:
    tokenizer = bert(*"abc", "##a", "##b", "##c", *sorted(pieces - {*"abc", "##a", "##b", "##c"}))
    protected = vocabulary.protected_pieces(tokenizer)
    kept = [number for number in range(len(tokenizer)) if protected[number] or number not in removed]
    assert lost(tokenizer, kept) == set()


def test_cut_tokenizer_renumbers_pieces_and_specials() -> None:
    tokenizer = bert(*LETTERS, "abc", "bed", "##cab")
    tokenizer.model_max_length = 77
    kept = numbers(tokenizer, *LETTERS, "bed")
    cut = vocabulary.cut_tokenizer(tokenizer, kept)
    assert len(cut) == len(kept)
    for text in ("abc bed", "bedcab", "xyz a"):
        new = cut(text, "bed abc")
        assert cut.convert_ids_to_tokens(new["input_ids"]) == tokenizer.convert_ids_to_tokens(kept[new["input_ids"]])
        assert new["input_ids"][0] == cut.cls_token_id
        assert new["token_type_ids"][-1] == 1
    assert cut.tokenize("abc bed bedcab") == ["a", "##b", "##c", "bed", "bed", "##c", "##a", "##b"]
    assert (cut.model_max_length, tokenizer.model_max_length) == (77, 77)
    assert vocabulary.cut_tokenizer(tokenizer, kept, positions=9).model_max_length == 9
    assert tokenizer.tokenize("abc") == ["abc"]  # the full one is left as it is


def test_everything_kept_changes_nothing(embedded: Any) -> None:
    cut = vocabulary.cut_tokenizer(embedded, np.arange(len(embedded)))
    for text in TEXTS:
        assert cut(text, "a pair")["input_ids"] == embedded(text, "a pair")["input_ids"]


def test_the_embedded_vocabulary_can_be_cut_to_single_characters(embedded: Any) -> None:
    protected = vocabulary.protected_pieces(embedded)
    assert protected.sum() == 5 + 2 * 997
    kept = np.flatnonzero(protected)
    assert lost(embedded, kept) == set()
    cut = vocabulary.cut_tokenizer(embedded, kept)
    for text in TEXTS:
        expected = embedded.tokenize(text)
        found = cut.tokenize(text)
        assert found.count("[UNK]") == expected.count("[UNK]")
        joined = "".join(piece.removeprefix("##") for piece in expected)
        assert "".join(piece.removeprefix("##") for piece in found) == joined
    unusable = names(embedded, vocabulary.unusable_pieces(embedded))
    assert sum(piece.startswith("[unused") for piece in unusable) == 994
    assert not unusable & {"the", "##ing", "film", "中", ".", "a", "##a"}


def test_saved_and_loaded(embedded: Any, tmp_path: Path) -> None:
    kept = np.flatnonzero(vocabulary.protected_pieces(embedded) | (np.arange(len(embedded)) < 5000))
    cut = vocabulary.cut_tokenizer(embedded, kept, positions=64)
    cut.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.is_fast
    assert loaded.model_max_length == 64
    assert loaded.get_vocab() == cut.get_vocab()
    for text in TEXTS:
        assert dict(loaded(text, "a pair")) == dict(cut(text, "a pair"))
        assert len(loaded(text * 9, truncation=True)["input_ids"]) == 64
    padded = loaded(["a", "a longer text"], padding=True)
    assert padded["input_ids"][0][-1] == loaded.pad_token_id
    raw = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert raw.encode("the film").ids == cut("the film")["input_ids"]


ODD_PROCESSORS = [
    None,
    processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)),
    processors.Sequence([processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])]),
]


@pytest.mark.parametrize("processor", ODD_PROCESSORS)
def test_unusual_tokenizers(processor: Any, tmp_path: Path) -> None:
    """Another prefix, a short word limit, no normaliser, other post-processors, an added token behind the pieces."""
    pieces = {
        piece: number for number, piece in enumerate((*SPECIAL, "ab", "a", "b", "@@a", "@@b", "@@ba", "b.", "@@."))
    }
    backend = Tokenizer(
        models.WordPiece(pieces, unk_token=SPECIAL[1], max_input_chars_per_word=4, continuing_subword_prefix="@@")
    )
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if processor is not None:
        backend.post_processor = processor
    backend.add_special_tokens([*SPECIAL, "[E1]"])
    full = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token=SPECIAL[1], pad_token=SPECIAL[0])
    protected = vocabulary.protected_pieces(full)
    assert len(protected) == len(pieces) + 1
    # "b." can be spelled as b, @@. in this vocabulary.
    assert names(full, protected) == {"a", "b", "@@a", "@@b", "@@.", "[E1]"}
    kept = np.flatnonzero(protected)
    cut = vocabulary.cut_tokenizer(full, kept)
    cut.save_pretrained(tmp_path)
    for tokenizer in (cut, PreTrainedTokenizerFast.from_pretrained(tmp_path)):
        assert tokenizer.tokenize("ab abba b. x abbab [E1]") == [
            *("a", "@@b", "a", "@@b", "@@b", "@@a", "b", "@@.", "[UNK]", "[UNK]", "[E1]")
        ]
        for text in ("ab [E1]", "b. abba"):
            ids = tokenizer(text)["input_ids"]
            expected = full(text)["input_ids"]
            assert (kept[ids][0], kept[ids][-1]) == (expected[0], expected[-1]) or processor is None
            assert max(ids) < len(kept)


def test_another_normaliser_is_kept(tmp_path: Path) -> None:
    full = bert(*string.ascii_uppercase, *(f"##{letter}" for letter in string.ascii_uppercase), "AB", "ab")
    full.backend_tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("ab", "AB")])
    assert "ab" in names(full, vocabulary.unusable_pieces(full))
    cut = vocabulary.cut_tokenizer(full, np.flatnonzero(vocabulary.protected_pieces(full)))
    cut.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).tokenize("ab AB") == ["A", "##B", "A", "##B"]


def test_special_pieces_must_stay() -> None:
    tokenizer = bert(*LETTERS)
    with pytest.raises(SelectionError, match=r"special piece \[CLS\] is missing"):
        vocabulary.cut_tokenizer(tokenizer, [0, 1, 3, 4, 5, 6])


def test_only_fast_wordpiece() -> None:
    other = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token=SPECIAL[1])))
    for tokenizer in (other, object()):
        with pytest.raises(BackboneError, match="expected a fast WordPiece tokenizer"):
            vocabulary.protected_pieces(tokenizer)


def test_piece_counts() -> None:
    counts = vocabulary.piece_counts([np.array([1, 1, 3], dtype=np.int32), [3], []], 5)
    assert counts.tolist() == [0, 2, 0, 2, 0]
    assert counts.dtype == np.int64
    assert vocabulary.piece_counts([], 3).tolist() == [0, 0, 0]
