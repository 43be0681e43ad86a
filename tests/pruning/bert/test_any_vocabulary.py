"""Vocabularies of many scripts and kinds: cut, they know what they knew, and say it in the same characters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from pruning.bert import vocabulary
from pruning.bert.backbones import find_backbone, load_tokenizer, numbering_problem
from pruning.bert.neighbours import neighbours
from pruning.bert.spelling import NOWHERE, stretches
from pruning.data.batches import encode
from pruning.data.examples import unlabelled
from pruning.errors import BackboneError
from tests.conftest import build_bert
from tests.factories.vocabularies import SCRIPTS, SPECIAL, bert_tokenizer, multilingual, write_slow_folder

# Pieces, and what `BertTokenizer` makes of case, accents and Chinese characters.
KINDS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "uncased": (multilingual("latin"), {}),
    "cased": (multilingual("cased"), {"do_lower_case": False}),
    "cased, accents": (multilingual("accents"), {"do_lower_case": False}),
    "uncased, accents": (multilingual("accents"), {"strip_accents": False}),
    "accents stripped": (multilingual("accents"), {"do_lower_case": False, "strip_accents": True}),
    "many scripts": (multilingual(), {"strip_accents": False}),
    "many scripts, cased": (multilingual(), {"do_lower_case": False}),
    "Chinese characters in words": (multilingual("latin", "chinese"), {"tokenize_chinese_chars": False}),
    "words alone": ((*SPECIAL, "good", "bad", "##ly", "##ness"), {}),
    "no continuation of one letter": (tuple(piece for piece in multilingual() if piece not in ("##o", "##и")), {}),
    "no piece of one letter": (tuple(piece for piece in multilingual() if piece not in ("t", "к", "n", "c")), {}),
    "other specials": (("<pad>", "<unk>", "<s>", "</s>", "<mask>", *multilingual("latin")[5:]), {
        "pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>",
    }),
}  # fmt: skip
LETTERS = "".join(dict.fromkeys("".join(letters for letters, _ in SCRIPTS.values()) + "ABCЖÄÉ0129.,!?' -é́"))
WORDS = [word.removeprefix("##") for _, words in SCRIPTS.values() for word in words]
TEXT = st.lists(st.one_of(st.sampled_from(WORDS), st.text(LETTERS, max_size=8)), max_size=6).map(" ".join)


def tokenizer_of(kind: str) -> Any:
    pieces, options = KINDS[kind]
    return bert_tokenizer(pieces, **options)


def kept_of(tokenizer: Any, share: float, seed: int) -> np.ndarray:
    """Protected pieces and some of the others, as selections choose among what texts produce."""
    protected, unusable = vocabulary.protected_pieces(tokenizer), vocabulary.unusable_pieces(tokenizer)
    drawn = np.random.default_rng(seed).random(len(protected)) < share
    return np.flatnonzero(protected | (drawn & ~unusable))


def check_cut(full: Any, cut: Any, kept: np.ndarray, text: str) -> None:
    """A text that is known stays known, and pieces cover the same characters."""
    unknown, cut_unknown = full.unk_token, cut.unk_token
    before, after = full.tokenize(text), cut.tokenize(text)
    assert (unknown, before.count(unknown)) == (cut_unknown, after.count(unknown))
    assert "".join(p.removeprefix("##") for p in before) == "".join(p.removeprefix("##") for p in after)
    ids = cut(text, "good")["input_ids"]
    assert max(ids) < len(kept)
    assert cut.convert_ids_to_tokens(ids) == full.convert_ids_to_tokens(kept[ids].tolist())


@settings(max_examples=12, deadline=None, derandomize=True)
@given(texts=st.lists(TEXT, min_size=15, max_size=15), share=st.sampled_from((0.0, 0.3)), seed=st.integers(0, 99))
@pytest.mark.parametrize("kind", list(KINDS))
def test_what_was_known_stays_known(kind: str, texts: list[str], share: float, seed: int) -> None:
    full = tokenizer_of(kind)
    kept = kept_of(full, share, seed)
    cut = vocabulary.cut_tokenizer(full, kept)
    assert len(cut) == len(kept)
    for text in texts:
        check_cut(full, cut, kept, text)


@pytest.mark.parametrize("kind", list(KINDS))
def test_specials_are_right_and_saved(kind: str, tmp_path: Path) -> None:
    full = tokenizer_of(kind)
    kept = kept_of(full, 0.2, 1)
    cut = vocabulary.cut_tokenizer(full, kept)
    vocabulary.cut_tokenizer(full, kept).save_pretrained(tmp_path)
    for tokenizer in (cut, AutoTokenizer.from_pretrained(tmp_path)):
        for name in ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"):
            assert getattr(tokenizer, name) == getattr(full, name)
            assert kept[getattr(tokenizer, f"{name}_id")] == getattr(full, f"{name}_id")
        found, expected = tokenizer("good good", "good"), full("good good", "good")
        assert kept[found["input_ids"][0]] == expected["input_ids"][0] == full.cls_token_id
        assert found["input_ids"].count(tokenizer.sep_token_id) == 2
        assert found["token_type_ids"][-1] == 1
        assert numbering_problem(tokenizer, len(kept), 2) is None


def test_scripts_that_can_be_cut_are_cut() -> None:
    """Words go, single characters stay; Chinese characters are words, so that nothing continues them."""
    full = tokenizer_of("many scripts")
    protected = dict(zip(full.convert_ids_to_tokens(range(len(full))), vocabulary.protected_pieces(full), strict=True))
    unusable = dict(zip(protected, vocabulary.unusable_pieces(full), strict=True))
    assert not any(protected[word] for word in ("film", "кино", "كتاب", "नमस्ते", "🙂🎉", "##ость"))
    assert all(protected[letter] for letter in ("f", "к", "ك", "न", "中", "🙂", "##с", "7"))
    assert [word for word in ("中文", "##好", "The", "##ING", "Ä") if not unusable[word]] == []
    assert not unusable["##🎉"]
    inside = tokenizer_of("Chinese characters in words")
    usable = ~vocabulary.unusable_pieces(inside)
    assert usable[inside.convert_tokens_to_ids(["中文", "##好"])].all()


def test_continuations_of_a_script_that_the_pre_tokenizer_splits_off_are_usable() -> None:
    full = bert_tokenizer(multilingual("latin", "cyrillic"))
    full.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.UnicodeScripts()]
    )
    assert not vocabulary.unusable_pieces(full)[full.convert_tokens_to_ids(["##ость", "##ing"])].any()


def test_added_tokens_stay_behind_the_pieces() -> None:
    full = bert_tokenizer(multilingual("latin"))
    full.add_tokens(["<url>", "covid"])
    full.add_special_tokens({"additional_special_tokens": ["<user>"]})
    kept = kept_of(full, 0.0, 0)
    cut = vocabulary.cut_tokenizer(full, kept)
    assert cut.tokenize("covid <url> <user> film")[:3] == ["covid", "<url>", "<user>"]
    assert cut("covid", add_special_tokens=False)["input_ids"] == [len(kept) - 2]
    check_cut(full, cut, kept, "the covid film <url>")
    assert cut.decode(cut("the film <user>")["input_ids"], skip_special_tokens=True) == "the film"


def test_added_tokens_between_pieces_are_refused() -> None:
    """tokenizers numbers an added token by how many pieces there are, here below a piece's own id."""
    pieces = {piece: number for number, piece in enumerate((*SPECIAL, "a", "b", "##b"))} | {"c": 11}
    backend = Tokenizer(models.WordPiece(pieces, unk_token=SPECIAL[1]))
    backend.add_special_tokens(["<new>"])
    full = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token=SPECIAL[1])
    assert full.convert_tokens_to_ids("<new>") == 9
    with pytest.raises(BackboneError, match="added tokens stand between ids without a piece, expected pieces without"):
        vocabulary.cut_tokenizer(full, sorted(full.get_vocab().values()))


@pytest.mark.parametrize(
    ("options", "spelled"),
    [
        ({}, ["the", "cafe", "中", "文"]),
        ({"do_lower_case": True, "strip_accents": False}, ["the", "café", "中", "文"]),
        ({"do_lower_case": False}, ["The", "C", "##a", "##f", "##é", "中", "文"]),
        ({"tokenize_chinese_chars": False}, ["the", "cafe", "中文"]),
    ],
)
def test_a_vocabulary_alone_is_read_as_its_settings_say(
    options: dict[str, Any], spelled: list[str], tiny_backbone: Path
) -> None:
    pieces = multilingual()
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tiny_backbone / file).unlink()
    write_slow_folder(tiny_backbone, pieces, **options)
    config = tiny_backbone / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"vocab_size": len(pieces) + 3}))  # padded
    tokenizer = load_tokenizer(find_backbone(str(tiny_backbone)))
    assert tokenizer.tokenize("The Café 中文") == spelled
    protected = vocabulary.protected_pieces(tokenizer, len(pieces) + 3)
    kept = np.flatnonzero(protected)
    assert kept[-1] < len(pieces)
    check_cut(tokenizer, vocabulary.cut_tokenizer(tokenizer, kept), kept, "The Café 中文 кино नमस्ते")


def sentence_piece() -> Tokenizer:
    return Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id=0))


@pytest.mark.parametrize(("kind", "model"), [("BPE", Tokenizer(models.BPE())), ("Unigram", sentence_piece())])
def test_other_tokenizers_with_a_bert_body(kind: str, model: Tokenizer, tiny_backbone: Path) -> None:
    (tiny_backbone / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    model.save(str(tiny_backbone / "tokenizer.json"))
    with pytest.raises(BackboneError, match=rf"tokenizer of type {kind}: expected a fast WordPiece tokenizer"):
        load_tokenizer(find_backbone(str(tiny_backbone)))


def test_one_token_type(tiny_backbone: Path, tmp_path: Path) -> None:
    """A network that has one segment was trained on pairs in which both texts are of it."""
    config = tiny_backbone / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"type_vocab_size": 1}))
    two, one = (load_tokenizer(find_backbone(str(tiny_backbone))) for _ in range(2))
    assert numbering_problem(one, 68, 1) is None
    pair = ("the film", "good soup is bad")
    assert one(*pair)["token_type_ids"] == [0] * 9
    assert one(*pair)["input_ids"] == two(*pair)["input_ids"]
    kept = kept_of(one, 0.0, 0)
    cut = vocabulary.cut_tokenizer(one, kept)
    cut.save_pretrained(tmp_path / "cut")
    assert not any(cut(*pair)["token_type_ids"])
    # Where a pair's first text ends is still known: each text is cut to another length.
    examples = unlabelled(["the film is good"] * 2, ["one soup not very bad"] * 2, "texts")
    for length in (10, 12, 40):
        own, reference = encode(cut, examples, length), encode(one, examples, length)
        found = stretches((cut, own), (one, reference))
        for stretch in range(found.counts[0]):
            spelled = []
            for tokenizer, encoded, places in ((cut, own, found.student), (one, reference, found.teacher)):
                tokens = tokenizer.convert_ids_to_tokens(encoded.input_ids[0][places[0] == stretch].tolist())
                spelled.append("".join(token.removeprefix("##") for token in tokens))
            assert spelled[0] == spelled[1]
        assert (found.student[0] != NOWHERE).any()


@pytest.mark.parametrize("kind", ["TemplateProcessing", "BertProcessing", "Sequence", "ByteLevel", None])
def test_post_processors_in_one_segment(kind: str | None) -> None:
    marks = [("[CLS]", 2), ("[SEP]", 3)]
    template = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", marks)
    made = {
        "TemplateProcessing": template,
        "BertProcessing": processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)),
        "Sequence": processors.Sequence([template]),
        "ByteLevel": processors.ByteLevel(trim_offsets=False),
        None: None,
    }
    full = bert_tokenizer(multilingual("latin"))
    if made[kind] is not None:
        full.backend_tokenizer.post_processor = made[kind]
    one = vocabulary.in_one_segment(full)
    assert one("good", "film")["input_ids"] == full("good", "film")["input_ids"]
    if kind != "ByteLevel":  # which leaves types as they come, so that the network's check refuses them
        assert not any(one("good", "film")["token_type_ids"])


def test_neighbours_of_cased_words_and_of_none() -> None:
    cased = tokenizer_of("cased")
    found = neighbours(build_bert(vocab_size=len(cased)), cased)
    assert found["the"] != found["The"]
    assert found["usa"] == found["USA"]
    assert all(name not in near for name, near in found.items())
    chinese = bert_tokenizer((*SPECIAL, *"中文字"))
    assert neighbours(build_bert(vocab_size=len(chinese)), chinese) == {}
