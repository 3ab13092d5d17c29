"""The language of `allowed`, rule by rule, and the line that a mismatch becomes."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from descent import rules
from descent.rules import LONGEST_LINE, Mismatch, check, near, refuse

REFUSED = Mismatch


@pytest.mark.parametrize(
    ("rule", "value", "result"),
    [
        # intervals: a bracket takes its end, a parenthesis does not
        ("float (0, 1]", 1, 1.0),
        ("float (0, 1]", 0, REFUSED),
        ("float [0, 1)", 0, 0.0),
        ("float [0, 1)", 1, REFUSED),
        ("float [0, 1)", 0.999999, 0.999999),
        ("float (-inf, inf)", -1e308, -1e308),
        ("float (0, inf)", 5e-324, 5e-324),
        ("int [1, inf)", 10**300, 10**300),
        ("int [1, 3]", 3, 3),
        ("int [1, 3]", 4, REFUSED),
        # what is no number
        ("float (0, inf)", math.inf, REFUSED),
        ("float (-inf, inf)", -math.inf, REFUSED),
        ("float (-inf, inf)", math.nan, REFUSED),
        ("float (0, inf)", 10**400, REFUSED),
        ("float (0, inf)", True, REFUSED),
        ("float (0, inf)", "0.1", REFUSED),
        ("float (0, inf)", None, REFUSED),
        ("float (0, inf)", [1.0], REFUSED),
        ("int [0, inf)", True, REFUSED),
        ("int [0, inf)", False, REFUSED),
        ("int [0, inf)", 1.0, REFUSED),
        ("int [0, inf)", "1", REFUSED),
        # lists of lists
        ("list+ list+ int [1, 9]", [[1, 2], [3]], [[1, 2], [3]]),
        ("list+ list+ int [1, 9]", [[1], []], REFUSED),
        ("list+ list+ int [1, 9]", [1], REFUSED),
        ("list+ list+ int [1, 9]", [[0]], REFUSED),
        # words
        ("epoch | step", "step", "step"),
        ("epoch | step", "steps", REFUSED),
        ("epoch | step", "Step", REFUSED),
        ("epoch | step", "epoch | step", REFUSED),
        ("32 | 64", 32, 32),
        ("32 | 64", "64", "64"),
        ("32 | 64", 32.0, REFUSED),
        ("exact | fast", True, REFUSED),
        ("int [1, inf) | full", "full", "full"),
        ("int [1, inf) | full", 8, 8),
        ("int [1, inf) | full", 0, REFUSED),
        # kinds
        ("bool", True, True),
        ("bool", 1, REFUSED),
        ("bool", "true", REFUSED),
        ("str", "x", "x"),
        ("str", "", REFUSED),
        ("str", 1, REFUSED),
        ("str | null", None, None),
        ("str", None, REFUSED),
        ("map | null", {"a": 1}, {"a": 1}),
        ("map", [1], REFUSED),
        ("labels", {"a": 1, "b": "x", "c": True}, {"a": 1, "b": "x", "c": True}),
        ("labels", {"a": [1]}, REFUSED),
        ("labels", {"a": {"b": 1}}, REFUSED),
        ("labels", {"a": None}, REFUSED),
        ("name", "digits_cnn-1.0", "digits_cnn-1.0"),
        ("name", 7, "7"),
        ("name", "a/b", REFUSED),
        ("name", "..", REFUSED),
        ("name", ".hidden", REFUSED),
        ("name", "a b", REFUSED),
        ("name", "a\n", REFUSED),
        ("name", "", REFUSED),
        ("name", "n" * 64, "n" * 64),
        ("name", "n" * 65, REFUSED),
        ("name", True, REFUSED),
        ("metric | auto", "val/accuracy", "val/accuracy"),
        ("metric", 1, REFUSED),
        # lists
        ("list int [1, 9]", [], []),
        ("list int [1, 9]", [1, 9], [1, 9]),
        ("list int [1, 9]", [1, 10], REFUSED),
        ("list int [1, 9]", [[1]], REFUSED),
        ("list int [1, 9]", 1, REFUSED),
        ("list+ int [1, 9]", [], REFUSED),
        ("list+ int [1, 9]", [5], [5]),
        ("list2 float [0, 1)", [0.9, 0.999], [0.9, 0.999]),
        ("list2 float [0, 1)", [0, 0], [0.0, 0.0]),
        ("list2 float [0, 1)", [0.9], REFUSED),
        ("list2 float [0, 1)", [0.9, 0.9, 0.9], REFUSED),
        ("list map | null", None, None),
        ("list map | null", [{"_target_": "x"}], [{"_target_": "x"}]),
        ("list map | null", ["x"], REFUSED),
    ],
)
def test_a_rule(rule, value, result):
    if result is REFUSED:
        with pytest.raises(Mismatch):
            check(rule, value)
    else:
        checked = check(rule, value)
        assert checked == result
        assert type(checked) is type(result)


def test_a_rule_that_nobody_can_read_is_our_fault():
    with pytest.raises(AssertionError, match="not an interval"):
        check("float 0..1", 0.5)


@pytest.mark.parametrize(
    ("word", "choices", "offered"),
    [
        ("adamm", ["adam", "sgd"], "adam"),
        ("lrr", ["lr", "seed"], "lr"),
        ("hidden", ["model.hidden", "lr"], "model.hidden"),
        ("accuracy", ["val/loss", "val/accuracy"], "val/accuracy"),
        ("learning_rate", ["lr", "weight_decay"], "lr"),
        ("Learning_Rate", ["lr"], "lr"),
        ("gpu", ["auto", "cpu", "cuda"], "cuda"),
        ("gpu", ["auto", "cpu"], "cpu"),
        ("zzz", ["adam", "sgd"], None),
        ("zzz", [], None),
        ("", ["adam"], None),
    ],
)
def test_near(word, choices, offered):
    assert near(word, choices) == (f"did you mean {offered}?" if offered else "")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, "null"),
        (True, "true"),
        ("", "''"),
        ([0.9, False, None], "[0.9,false,null]"),
        ({"a": [1]}, "{a:[1]}"),
        ("a\nb", "a b"),
    ],
)
def test_what_was_given_is_shown_as_it_is_written(given, shown):
    assert str(refuse("key", given, "bool")) == f"key: got {shown}, allowed true | false"


@pytest.mark.parametrize(
    ("rule", "read"),
    [
        ("int [1, inf) | full", "int [1, inf) | full"),
        ("list2 float [0, 1)", "list of 2 float [0, 1)"),
        ("list+ int [1, 9] | null", "list, not empty, of int [1, 9] | null"),
        ("labels | null", "{key:value} | null"),
    ],
)
def test_a_rule_in_words(rule, read):
    assert rules.described(rule) == read


def test_the_words_of_a_rule_are_without_its_kinds():
    assert rules.words("int [1, inf) | full | bool | null | 32") == ["full", "32"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=10,
)


@example(key="model.hidden", value="x" * 300, allowed="y " * 300)
@given(key=st.from_regex(r"[a-z_.]{1,60}", fullmatch=True), value=ANYTHING, allowed=st.text(max_size=500))
def test_a_refusal_is_one_short_line_that_names_its_key(key, value, allowed):
    line = str(refuse(key, value, allowed, "did you mean this?"))
    assert line.startswith(f"{key}: got ")
    assert len(line) <= LONGEST_LINE
    assert len(line.splitlines()) == 1
    assert line.endswith("; did you mean this?")


@given(value=ANYTHING)
@pytest.mark.parametrize("rule", ["float (0, inf)", "int [1, 9] | auto", "name", "labels | null", "list+ int [1, 9]"])
def test_any_value_passes_or_is_a_mismatch(rule, value):
    try:
        checked = check(rule, value)
    except Mismatch:
        return
    assert check(rule, checked) == checked


@given(text=st.text(max_size=500), room=st.integers(2, 300))
def test_cut_fits(text, room):
    cut = rules.cut(text, room)
    assert len(cut) <= room and cut.isprintable()
    flat = " ".join(text.split())
    shown = [one if one.isprintable() else "\ufffd" for one in flat]
    assert list(cut) == shown or (cut.endswith("…") and list(cut[:-1]) == shown[: room - 1])
