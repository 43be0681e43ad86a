from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from slimviz.state import (
    Parsed,
    format_head,
    format_heads,
    head_option_title,
    parse_choice,
    parse_choices,
    parse_density,
    parse_head,
    parse_heads,
    parse_limit,
    parse_number,
)
from slimviz.theme import WORD_JOINER, plain
from slimviz.widgets import parameters


def test_a_missing_parameter_is_the_fallback() -> None:
    assert parse_choice("study", None, ["a", "b"], "b") == Parsed("b")
    assert parse_choices("study", None, ["a", "b"], ["b"]) == Parsed(["b"])
    assert parse_density(None, 1, ["10"], "10") == Parsed("10")
    assert parse_head(None, 6, 12) == Parsed(None)


def test_an_unknown_word_is_named_with_what_was_expected() -> None:
    parsed = parse_choice("study", "sst3", ["sst2", "cola"], "sst2")
    assert parsed.value == "sst2"
    assert parsed.problem == 'Unknown study "sst3": expected one of sst2, cola; showing sst2.'


def test_words_are_found_in_other_spellings() -> None:
    assert parse_choice("study", "SST-2", ["sst2", "cola"], "cola") == Parsed("sst2")
    assert parse_choice("study", "Co La", ["sst2", "cola"], "sst2") == Parsed("cola")
    assert parse_choices("study", "STS-B,CoLA", ["cola", "stsb", "sst2"], ["sst2"]) == Parsed(["cola", "stsb"])
    assert parse_choice("study", "b_sst2", ["b/sst2", "b-sst2"], "b/sst2").problem is not None  # either
    assert parse_choice("study", "--", ["-", "+"], "+").problem is not None


def test_several_words_keep_their_order_and_drop_the_unknown() -> None:
    assert parse_choices("study", "b,a", ["a", "b"], ["a"]) == Parsed(["a", "b"])
    mixed = parse_choices("study", "b,x", ["a", "b"], ["a"])
    assert mixed.value == ["b"]
    assert mixed.problem is not None
    assert '"x"' in mixed.problem
    assert parse_choices("study", "", ["a", "b"], ["a"]).value == ["a"]


@pytest.mark.parametrize("raw", ["", "ten", "0", "101", "nan", "inf", "-5", "1e999"])
def test_densities_outside_their_bounds_fall_back(raw: str) -> None:
    parsed = parse_density(raw, 0.05, ["50", "10"], "10")
    assert parsed.value == "10"
    assert parsed.problem is not None
    assert "from 0.05 to 100" in parsed.problem


def test_densities_are_budgets_or_numbers() -> None:
    assert parse_density("flops-25", 1, ["10", "flops-25"], "10") == Parsed("flops-25")
    assert parse_density("0.5", 1, ["0.5"], "0.5") == Parsed("0.5")  # stored, however small
    assert parse_density("07.30", 1, ["10"], "10") == Parsed("7.3")


@pytest.mark.parametrize("raw", ["", "soon", "0.001", "nan", "inf"])
def test_numbers_outside_their_bounds_fall_back(raw: str) -> None:
    assert parse_number("Milliseconds", "2.50", 0.01, 100, 4) == Parsed(2.5)
    parsed = parse_number("Milliseconds", raw, 0.01, 100, 4)
    assert parsed.value == 4
    assert parsed.problem == f'Milliseconds "{plain(raw)}": expected a number from 0.01 to 100; showing 4.'


def test_limits_may_be_none() -> None:
    assert parse_limit("Milliseconds", "none", 0.01, 100, 4) == Parsed(None)
    assert parse_limit("Milliseconds", None, 0.01, 100, None) == Parsed(None)
    assert parse_limit("Milliseconds", None, 0.01, 100, 4) == Parsed(4)
    assert parse_limit("Milliseconds", "2.50", 0.01, 100, None) == Parsed(2.5)
    assert parse_limit("Milliseconds", "soon", 0.01, 100, 4) == parse_number("Milliseconds", "soon", 0.01, 100, 4)
    said = 'Milliseconds "soon": expected a number from 0.01 to 100; there is no limit.'
    assert parse_limit("Milliseconds", "soon", 0.01, 100, None) == Parsed(None, said)


@pytest.mark.parametrize("raw", ["0-1", "1-0", "7-1", "1-13", "3", "3-", "a-b", "3-4-5", "99999-1", "٣-٤"])
def test_heads_that_do_not_exist_are_refused(raw: str) -> None:
    parsed = parse_head(raw, 6, 12)
    assert parsed.value is None
    assert parsed.problem is not None


def test_heads_count_from_one_in_the_url() -> None:
    assert parse_head("3-7", 6, 12) == Parsed((2, 6))
    assert format_head((2, 6)) == "3-7"
    assert format_head(None) == "none"
    assert head_option_title("3-7") == "layer 3, head 7"
    assert head_option_title("none") == "no head"


@given(st.text(max_size=200))
def test_whatever_is_typed_comes_back_as_one_harmless_line(raw: str) -> None:
    for parsed in (
        parse_choice("study", raw, ["sst2"], "sst2"),
        parse_choices("study", raw, ["sst2"], ["sst2"]),
        parse_density(raw, 1, ["10"], "10"),
        parse_head(raw, 6, 12),
    ):
        if parsed.problem:
            assert parsed.problem.replace(WORD_JOINER, "").isprintable()
            assert len(parsed.problem) < 300
            assert "<" not in parsed.problem.replace("\\<", "")


def script() -> None:
    import streamlit as st

    from slimviz.widgets import parameters

    word = parameters.choose(st.selectbox, "Word", "word", ["a", "b", "c"], fallback="b")
    words = parameters.choose_several("Words", "words", ["x", "y", "z"], fallback=["x", "y"], what="word")
    st.write(f"shown {word} {'+'.join(words)}")


def shown(app: AppTest) -> str:
    return app.markdown[-1].value


def test_widgets_and_url_agree() -> None:
    app = AppTest.from_function(script, default_timeout=60).run()
    assert shown(app) == "shown b x+y"
    assert app.query_params["word"] in ("b", ["b"])
    app.selectbox[0].select("c").run()
    assert shown(app) == "shown c x+y"
    assert app.query_params["word"] in ("c", ["c"])
    app.multiselect[0].set_value(["z"]).run()
    assert shown(app) == "shown c z"
    app.query_params["word"] = "a"
    app.run()
    assert shown(app) == "shown a z"
    assert app.selectbox[0].value == "a"


def test_an_unknown_url_value_is_said_until_something_is_chosen() -> None:
    app = AppTest.from_function(script, default_timeout=60)
    app.query_params["word"] = "<b>nope</b>"
    app.run()
    assert shown(app) == "shown b x+y"
    assert [warning.value for warning in app.warning] == [
        r'Unknown word "\<b\>nope\</b\>": expected one of a, b, c; showing b.'
    ]
    app.run()
    assert len(app.warning) == 1
    app.selectbox[0].select("c").run()
    assert not app.warning


def other_page() -> None:
    import streamlit as st

    from slimviz.state import Parsed
    from slimviz.widgets import parameters

    def parse(raw: str | None) -> Parsed[str]:
        return Parsed(raw or "a") if raw in (None, "a") else Parsed("a", "no b here", wanted=raw)

    lacking = st.session_state.get("lacking", True)
    found = parameters.choose(
        st.selectbox, "Word", "word", ["a"] if lacking else ["a", "b"], parse=parse if lacking else None
    )
    st.write(f"shown {found}")


def test_what_a_page_only_lacks_is_still_wanted_on_the_others() -> None:
    app = AppTest.from_function(other_page, default_timeout=60)
    app.query_params["word"] = "b"
    for _ in range(2):  # the second run reads what the first one wrote into the URL
        app.run()
        assert shown(app) == "shown a"
        assert [warning.value for warning in app.warning] == ["no b here"]
    app.session_state["lacking"] = False
    del app.query_params["word"]  # another page's bare address
    app.run()
    assert shown(app) == "shown b"


def test_a_budget_ends_a_density_between_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    session: dict = {"remembered:density": "7.3", "problem:budget": ("10", "no", None)}
    monkeypatch.setattr(parameters.st, "session_state", session)
    monkeypatch.setattr(parameters.st, "query_params", {})
    parameters.change(study="cola")
    assert session["remembered:density"] == "7.3"
    parameters.change(budget="5")
    assert session == {"remembered:study": "cola", "remembered:budget": "5"}
    assert parameters.st.query_params == {"study": "cola", "budget": "5"}


def test_choosing_nothing_goes_back_to_the_fallback() -> None:
    app = AppTest.from_function(script, default_timeout=60).run()
    app.multiselect[0].set_value([]).run()
    assert shown(app) == "shown b x+y"
    assert "No word chosen" in app.warning[0].value


def test_clicks_are_told_apart_from_what_was_selected_before(monkeypatch: pytest.MonkeyPatch) -> None:
    session: dict = {}
    monkeypatch.setattr(parameters.st, "session_state", session)
    first, second = {"layer": 1, "head": 2}, {"layer": 3, "head": 4}
    for selected, expected in (
        ([first], first),
        ([first, second], second),
        ([second], first),  # a second click on the first cell takes it out again
        ([second], None),
        ([], second),
    ):
        session["map"] = {"selection": {"click": selected}}
        assert parameters.clicked("map", "click") == expected


def test_several_heads_are_sorted_and_those_that_are_not_there_left_out() -> None:
    there = [(0, 0), (2, 0), (5, 5)]
    for raw in (None, "none", ""):
        assert parse_heads(raw, there, "the teacher") == Parsed(())
    parsed = parse_heads("6-6,3-1,6-6", there, "the teacher")
    assert parsed == Parsed(((2, 0), (5, 5)))
    assert format_heads(parsed.value) == "3-1,6-6"
    assert format_heads(()) == "none"
    for wrong in ("2-1", "x", "0-1", "1-1-1", "<b>"):
        parsed = parse_heads(f"1-1,{wrong}", there, "the slim network")
        assert parsed.value == ((0, 0),)
        assert parsed.problem is not None
        assert "in the slim network: expected layer-head" in parsed.problem
