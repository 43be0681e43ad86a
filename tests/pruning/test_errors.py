"""Messages: one printable line of bounded length, whatever they repeat."""

from __future__ import annotations

import pickle

import pytest

from pruning import errors
from pruning.errors import DataError, SlimVizError, StoreError, one_line, quoted

KINDS = [SlimVizError, *SlimVizError.__subclasses__()]
NASTY = "red \x1b[31m\nnext\r\tbell \x07 half \ud83d turned \u202e nul \0 line \u2028 end"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_one_printable_line(kind: type[SlimVizError]) -> None:
    message = str(kind(f"x.csv: {NASTY}, expected a file"))
    assert message == "x.csv: red [31m next bell half turned nul line end, expected a file"
    long = str(kind(f"{'a' * 10**7}: does not exist, expected a file"))
    assert len(long) == errors.LONGEST_MESSAGE
    assert long.startswith("aaa")
    assert long.endswith("a: does not exist, expected a file")  # what was expected is never what is cut


def test_what_is_short_and_printable_stays_as_it_is() -> None:
    message = "naïve 🙂.csv: column 'x', expected 'y'"
    assert str(StoreError(message)) == one_line(message) == message


@pytest.mark.parametrize("limit", [5, 6, 7, 40])
def test_long_text_is_cut_in_its_middle_to_the_limit(limit: int) -> None:
    line = one_line("begin" + "-" * 1000 + "end", limit)
    assert len(line) == limit
    assert "..." in line
    assert one_line("x" * limit, limit) == "x" * limit


@pytest.mark.parametrize("value", ["word\n\x1b", 5, None, ["a"], {"a": 1}, b"\xff", "x" * 10**6, "9" * 5000])
def test_quoted_values_are_short(value: object) -> None:
    assert len(quoted(value)) <= 40
    assert quoted(value).isprintable()


def test_a_number_too_long_to_print_is_still_named() -> None:
    assert quoted(10**5000) == "a value of the kind int"


def test_errors_survive_the_way_between_processes() -> None:
    again = pickle.loads(pickle.dumps(DataError("a\nb")))  # noqa: S301
    assert (type(again), str(again)) == (DataError, "a b")
