"""What a person typed -> what the networks may read, and a sentence about everything that was changed on the way.

Pure: no Streamlit, no torch. Nothing typed is refused for being odd; it is cleaned, and what is then empty is said so.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_CHARACTERS = 512  # of one field; the tokenizer cuts again, at the network's positions


@dataclass(frozen=True)
class TypedText:
    """One field's text, cleaned.

    Attributes:
        text: what is read; empty where `problem` says why nothing can be.
        notes: one sentence for each thing that was changed.
        problem: one sentence, or None.
    """

    text: str
    notes: tuple[str, ...] = ()
    problem: str | None = None


def field_title(column: str) -> str:
    """A text column as the label of its input: "sentence1" is "Sentence 1"."""
    words = re.sub(r"(?<=\D)(\d+)$", r" \1", column.replace("_", " ")).strip()
    return words[:1].upper() + words[1:]


def clean(raw: str, title: str) -> TypedText:
    """Make a typed text fit to be read.

    Args:
        raw: the field's content, of any length and with any characters.
        title: the field's label, for the sentences ("Sentence 1").
    """
    notes = []
    kept = "".join(character for character in raw if character.isspace() or not _is_control(character))
    if len(kept) < len(raw):
        number = len(raw) - len(kept)
        notes.append(f"{title}: {number:,} control character{'s were' if number > 1 else ' was'} left out.")
    text = " ".join(kept.split())
    if not text:
        found = "holds only blanks and control characters" if raw else "is empty"
        return TypedText("", (), f"{title} {found}: type a few words.")
    if len(text) > MAX_CHARACTERS:
        notes.append(f"{title}: only the first {MAX_CHARACTERS} of {len(text):,} characters are read.")
        text = text[:MAX_CHARACTERS].rstrip()
    return TypedText(text, tuple(notes))


def _is_control(character: str) -> bool:
    """Control characters, and the halves of characters that no encoding can carry."""
    return unicodedata.category(character) in ("Cc", "Cs")


def is_mostly_other_script(text: str) -> bool:
    """Whether most letters are not Latin ones, so that a network trained on English has seen next to none of them."""
    letters = [character for character in text if character.isalpha()]
    other = sum(1 for letter in letters if not unicodedata.name(letter, "").startswith("LATIN"))
    return 2 * other > len(letters)
