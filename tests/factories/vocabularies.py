"""WordPiece tokenizers of many kinds, all made up here: scripts, cases, holes, special tokens, files."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CYRILLIC, ARABIC = "абвгдежийклмнопрстуьюя", "ابتدرسكلمنوي"
DEVANAGARI, CHINESE, EMOJI = "कखगतनमरलसिाेों्", "中文字好不是", "🙂🎉👍"
SCRIPTS = {
    "latin": (string.ascii_lowercase, ("the", "film", "good", "##ing", "##ness", "un", "##able", "cafe")),
    "cased": (string.ascii_letters, ("The", "the", "Film", "film", "##ING", "##ing", "USA")),
    "accents": (f"{string.ascii_letters}éèüÄñçß", ("café", "naïve", "##ité", "Über", "##ñ")),
    "cyrillic": (CYRILLIC, ("кино", "не", "##ость", "##ий")),
    "arabic": (ARABIC, ("كتاب", "##ين", "الس")),
    "devanagari": (DEVANAGARI, ("नमस्ते", "##कार", "##ों")),
    "chinese": (CHINESE, ("中文", "##好", "不是")),
    "emoji": (EMOJI, ("🙂🎉",)),
}
DIGITS_AND_SIGNS = (*string.digits, *(f"##{digit}" for digit in string.digits), *".,!?'-")


def multilingual(*scripts: str) -> tuple[str, ...]:
    """Pieces of some scripts (all by default): words, single characters, their continuations, digits and signs."""
    chosen = scripts or tuple(SCRIPTS)
    letters = sorted({letter for name in chosen for letter in SCRIPTS[name][0]})
    words = [word for name in chosen for word in SCRIPTS[name][1]]
    pieces = (*SPECIAL, *words, *letters, *(f"##{letter}" for letter in letters), *DIGITS_AND_SIGNS)
    return tuple(dict.fromkeys(pieces))


def bert_tokenizer(pieces: tuple[str, ...], **options: Any) -> Any:
    """A fast tokenizer of these pieces; `options` are `BertTokenizer`'s."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, **options)


def write_slow_folder(folder: Path, pieces: tuple[str, ...], **options: Any) -> Path:
    """A folder as early BERTs came: ``vocab.txt``, and what to do with case in ``tokenizer_config.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"} | options))
    return folder
