"""What texts mean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.data.columns import is_missing, kind_of, missing_among, number, plain_numbers


@pytest.mark.parametrize("text", ["", " ", "NA", "NaN", "nan", "null", "NULL", "?"])
def test_missing(text):
    assert is_missing(text)


@pytest.mark.parametrize("text", ["0", "none", "-", "N", "n/a!", "??"])
def test_not_missing(text):
    assert not is_missing(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), (" -2.5 ", -2.5), ("+.5", 0.5), ("3.", 3), ("1e3", 1000), ("-1.5E-2", -0.015), ("007", 7)],
)
def test_numbers(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    "text", ["1,5", "1,234", "1_000", "0x1", "1e", "e1", ".", "--1", "one", "1 2", "٣", "1e39", "inf", "-Infinity", ""]
)
def test_no_numbers(text):
    with pytest.raises(ValueError, match=r"is no number|is too large|is not finite"):
        number(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("0123456789.eE+-_ \n,if", max_size=6), min_size=1, max_size=3))
def test_numbers_at_once_are_those_one_by_one(texts):
    try:
        expected = [number(text) for text in texts]
    except ValueError:
        expected = None
    found = plain_numbers(texts)
    assert found is None or found.tolist() == expected
    if expected is not None and all(text == text.strip() for text in texts):
        assert found is not None


def test_which_are_missing():
    assert missing_among(["1", "", "NA", "1", "?"]).tolist() == [False, True, True, False, True]
    assert not missing_among(["1", "2"]).any()


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "2.5", "1e3"], "number"),
        (["0", "1"], "number"),
        (["1", "inf"], "number"),
        (["1,234", "5"], "number"),
        (["yes", "No"], "boolean"),
        (["TRUE", "false"], "boolean"),
        (["red", "blue"], "category"),
        (["1", "red"], "category"),
        (["2020-01-01"], "category"),
    ],
)
def test_kinds(texts, kind):
    assert kind_of(texts) == kind
