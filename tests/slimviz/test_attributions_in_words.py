from __future__ import annotations

import numpy as np

from slimviz import attributions_in_words as in_words
from slimviz.frames.attributions import Reading

WORDS = ["the", "film", "is", "good"]


def reading(integrated: list[float], left_out: list[float], value: float = 2.0, baseline: float = 0.5) -> Reading:
    return Reading((("a",),) * len(integrated), np.array(integrated), np.array(left_out), value, baseline)


def test_the_words_that_move_most_are_named() -> None:
    found = reading([0.1, -0.4, np.nan, 1.8], [0.0] * 4)
    assert in_words.strongest_sentence("The teacher", found, WORDS) == (
        "The teacher is moved most by “good” (+1.80) and “film” (−0.40)."
    )
    assert in_words.strongest_sentence("It", reading([0.0] * 4, [0.0] * 4), WORDS) == "It is moved by no word."


def test_the_sum_is_set_against_what_it_should_be() -> None:
    assert in_words.sum_sentence(reading([0.1, -0.4, 0.0, 1.8], [0.0] * 4), "score") == (
        "The bars add up to +1.50 of the +1.50 between +0.50 (every word blotted out) and +2.00 score (this text): "
        "off by 0.000 (0.0%)."
    )
    off = in_words.sum_sentence(reading([0.1, -0.4, 0.0, 1.5], [0.0] * 4), "score")
    assert off.endswith("off by 0.300 (20.0%): the bars are coarse.")
    assert in_words.sum_sentence(reading([0.0, 0.1], [0.0] * 2, 1.0, 1.0), "x").endswith(
        "off by 0.100: the bars are coarse."
    )


def test_low_agreement_is_said() -> None:
    rising, mixed = [0.1, 0.2, 0.3, 0.4, 0.5], [0.3, 0.1, 0.2, 0.5, 0.4]
    said, is_low = in_words.agreement_sentence(reading(rising, rising)) or ("", None)
    assert (said, is_low) == ("Bars and diamonds rank the words alike (rank correlation 1.00).", False)
    said, is_low = in_words.agreement_sentence(reading(rising, mixed)) or ("", None)
    assert (said, is_low) == ("Bars and diamonds rank the words roughly alike (rank correlation 0.60).", False)
    said, is_low = in_words.agreement_sentence(reading(rising, rising[::-1])) or ("", None)
    assert is_low
    assert "differently (rank correlation −1.00). Agreement is low" in said
    assert in_words.agreement_sentence(reading(rising[:3], rising[:3])) is None
    assert in_words.alike_sentence(reading(rising, mixed), reading(rising, mixed)) == (
        "They weigh the words alike (rank correlation 1.00)."
    )
    assert in_words.alike_sentence(reading(rising[:2], mixed[:2]), reading(rising[:2], mixed[:2])) is None
