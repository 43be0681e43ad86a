from __future__ import annotations

from slimviz.frames.flips import Turned
from slimviz.frames.surgery import Effect
from slimviz.surgery_in_words import cut_sentence, effect_sentence, flips_sentence, turned_sentence


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


def test_how_many_differ() -> None:
    assert flips_sentence(22, 240, (14, 8)) == (
        "They answer 22 of 240 examples of the probe set differently: "
        "the teacher is right on 14 of these, the slim network on 8."
    )
    assert flips_sentence(0, 240, (0, 0)) == "They give the same answer to all 240 examples of the probe set."
    assert "furthest apart" in flips_sentence(10, 167, None)


def test_which_head_changes_it() -> None:
    heads = ((3, 4), (0, 0))
    two = Turned(heads, (True, False), (0.83, 0.1), already=False)
    assert turned_sentence("restored", two, "says negative", "say positive", "83%") == (
        "Without the 2 heads that slimming removed, the teacher says negative. "
        "Put back alone, 1 of 2 heads makes it say positive: layer 4, head 5 most surely (83%)."
    )
    both = Turned(heads, (True, True), (0.83, 0.6), already=False)
    assert "Cut alone, 2 of 2 heads make it say positive" in turned_sentence("teacher", both, "", "say positive", "83%")
    none = Turned(heads, (False, False), (0.4, 0.1), already=False)
    assert turned_sentence("slim", none, "says negative", "say positive", "40%") == (
        "The slim network says negative. "
        "Cut alone, none of 2 heads makes it say positive; layer 4, head 5 comes closest (40%)."
    )
    already = turned_sentence("restored", Turned(heads, (True, True), (1, 1), already=True), "says positive", "", "")
    assert "So their loss alone is not why" in already
    nothing = turned_sentence("slim", Turned((), (), (), already=False), "says negative", "say positive", "")
    assert nothing == "The slim network says negative. There is no head to turn over."
