from __future__ import annotations

import numpy as np
import pytest

from slimviz import sentences
from slimviz.charts.attention_map import MOST_WRITTEN, attention_map
from slimviz.frames.attention import KINDS, Habits, habit_rows, look_frame
from slimviz.frames.tidy import records
from slimviz.theme import PALETTES, Palette

SHARES = np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75], [1.0, 0.0, 0.0]])
PIECES = ("[CLS]", "a", "a")


def habits_of(head: tuple[int, int], shares: list[float], entropy: float) -> Habits:
    known = np.full((2, 3, len(KINDS)), np.nan)
    known[head] = shares
    bits = np.full((2, 3), np.nan)
    bits[head] = entropy
    return Habits(known, bits, np.full(len(KINDS), 1 / len(KINDS)), 3.5, 128)


def test_every_pair_of_pieces_is_a_row_with_its_share() -> None:
    rows = records(look_frame(PIECES, SHARES))
    assert [row["share"] for row in rows] == SHARES.ravel().tolist()
    assert len({(row["looking"], row["looked_at"]) for row in rows}) == 9  # equal pieces stay apart
    assert (rows[5]["from"], rows[5]["to"], rows[5]["label"], rows[5]["told"]) == ("a", "a", "75%", "a to a: 75%")


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_shares_are_written_into_small_maps_alone(palette: Palette) -> None:
    small = attention_map(look_frame(PIECES, SHARES), 1.0, palette).to_dict()
    assert [layer["mark"]["type"] for layer in small["layer"]] == ["rect", "text"]
    colour = small["layer"][0]["encoding"]["color"]["scale"]
    assert (colour["range"], colour["domain"][0], colour["domain"][-1]) == (list(palette.similarity), 0, 1.0)
    count = MOST_WRITTEN + 1
    large = attention_map(look_frame(["a"] * count, np.full((count, count), 1 / count)), 1.0, palette).to_dict()
    assert [layer["mark"]["type"] for layer in large["layer"]] == ["rect"]


def test_habits_stand_beside_those_of_a_head_that_looks_evenly() -> None:
    teacher = habits_of((1, 2), [0.5, 0.25, 0.25, 0, 0, 0, 0], 1.5)
    gone = habits_of((0, 0), [1, 0, 0, 0, 0, 0, 0], 0.0)
    rows = habit_rows({"The teacher": teacher, "Slim": gone}, (1, 2))
    assert rows[0] == {"Attention to": r"\[CLS\]", "The teacher": "50%", "Slim": "–", "If it looked evenly": "14%"}
    assert [row["The teacher"] for row in rows] == ["50%", "25%", "25%", "0%", "0%", "0%", "0%"]
    said = sentences.habit_sentence({"The teacher": teacher, "Slim": gone}, (1, 2))
    assert said.startswith(
        "Entropy of its attention: The teacher: 1.5 of at most 3.5 bits; Slim: the head is gone. "
        "Means over the pieces of 128 texts"
    )


def test_the_strongest_look_of_a_piece_is_named() -> None:
    said = sentences.look_sentence(PIECES, [True, False, False], SHARES.tolist())
    assert said == ("56% of the pieces' attention goes to [CLS]; the strongest look at a piece is “a” at “a” (75%).")
    own = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.25, 0.25]]
    assert "is “b” at itself (100%)" in sentences.look_sentence(("[CLS]", "b", "c"), [True, False, False], own)
