from __future__ import annotations

import pytest

from slimviz.live.typed_text import MAX_CHARACTERS, clean, field_title, is_mostly_other_script


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("A plain sentence.", "A plain sentence."),
        ("  two\n lines\tand a tab ", "two lines and a tab"),
        ("a\x00b\x07c", "abc"),
        ("half \ud83d a character", "half a character"),
        ("<b>bold</b> & **stars**", "<b>bold</b> & **stars**"),
        ("שלום עולם", "שלום עולם"),
        ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),
    ],
)
def test_what_is_kept(raw: str, text: str) -> None:
    cleaned = clean(raw, "Sentence")
    assert cleaned.text == text
    assert cleaned.problem is None
    cleaned.text.encode("utf-8")


@pytest.mark.parametrize("raw", ["", " ", "\n\t ", "\x00\x01\x7f", "\ud83d", "\u2003\u00a0"])
def test_what_holds_nothing_says_so_in_one_sentence(raw: str) -> None:
    cleaned = clean(raw, "Sentence 2")
    assert cleaned.text == ""
    assert cleaned.problem is not None
    assert cleaned.problem.startswith("Sentence 2 ")
    assert cleaned.problem.endswith("type a few words.")


def test_long_pastes_are_cut_and_it_is_said() -> None:
    cleaned = clean("word " * 2000, "Sentence")
    assert len(cleaned.text) <= MAX_CHARACTERS
    assert cleaned.notes == ("Sentence: only the first 512 of 9,999 characters are read.",)
    whole = clean("x" * MAX_CHARACTERS, "Sentence")
    assert (len(whole.text), whole.notes) == (MAX_CHARACTERS, ())


def test_control_characters_are_counted() -> None:
    assert clean("a\x00b", "Sentence").notes == ("Sentence: 1 control character was left out.",)
    assert clean("a\x00\x01b", "Sentence").notes == ("Sentence: 2 control characters were left out.",)


@pytest.mark.parametrize(
    ("column", "title"),
    [
        ("sentence1", "Sentence 1"),
        ("question", "Question"),
        ("my_text", "My text"),
        ("2", "2"),
        ("Überschrift", "Überschrift"),
    ],
)
def test_columns_as_labels(column: str, title: str) -> None:
    assert field_title(column) == title


@pytest.mark.parametrize(
    ("text", "is_other"),
    [
        ("plain English", False),
        ("Ça va, naïve café", False),
        ("שלום עולם", True),
        ("hello мир и люди", True),
        ("123 !", False),
    ],
)
def test_other_scripts(text: str, is_other: bool) -> None:
    assert is_mostly_other_script(text) is is_other
