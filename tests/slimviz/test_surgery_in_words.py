from __future__ import annotations

from slimviz.frames.surgery import Effect
from slimviz.surgery_in_words import cut_sentence, effect_sentence


def test_what_is_cut() -> None:
    assert cut_sentence((), 72) == "All its 72 heads are at work."
    assert cut_sentence(((5, 5),), 72) == "Cut: layer 6, head 6 (1 of 72)."
    assert cut_sentence(((0, 0), (5, 5)), 72) == "Cut: layer 1, head 1 and layer 6, head 6 (2 of 72)."
    assert cut_sentence(tuple((0, head) for head in range(5)), 12) == "5 of its 12 heads are cut."


def test_what_it_changed() -> None:
    some = Effect(240, "accuracy", 0.7083, 0.7, 170, 168, 6, None)
    assert effect_sentence(some) == (
        "168/240 right, with all heads 170; Accuracy 0.700, with all heads 0.708. 6 answers changed."
    )
    assert effect_sentence(Effect(240, "accuracy", 0.7, 0.7, 168, 168, 0, None)).endswith(" No answers changed.")
    assert effect_sentence(Effect(240, "accuracy", 0.7, 0.7, 168, 167, 1, None)).endswith(" 1 answer changed.")
    scores = Effect(167, "pearson", 0.847, 0.8, None, None, None, 0.213)
    assert effect_sentence(scores) == (
        "Pearson 0.800, with all heads 0.847 (167 examples). Scores moved by 0.21 on average."
    )
