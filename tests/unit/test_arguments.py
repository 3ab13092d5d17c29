"""Words on a command line become typed values, or one line."""

import pytest

from descent.arguments import REQUIRED, Argument, help_page, read
from descent.errors import UsageError

TABLE = (
    Argument("run", "str", REQUIRED, "which one"),
    Argument("split", "test | val", "test", "which part"),
    Argument("rows", "int [1, 100]", 7, "how many"),
    Argument("share", "float (0, 1]", 0.5, "how much"),
    Argument("deep", "bool", False, "whether"),
    Argument("runs", "list+ str", None, "which ones"),
    Argument("limit", "int [1, inf) | null", None, "at most"),
)


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("run=abc", "run", "abc"),
        ("run=12345678", "run", "12345678"),
        ("run=true", "run", "true"),
        ("run=a=b c", "run", "a=b c"),
        ("run=metrics.x > 1", "run", "metrics.x > 1"),
        ("split=val", "split", "val"),
        ("rows=100", "rows", 100),
        ("share=1", "share", 1.0),
        ("share=1e-3", "share", 0.001),
        ("deep=true", "deep", True),
        ("runs=[a, b]", "runs", ["a", "b"]),
        ("limit=null", "limit", None),
        ("limit=3", "limit", 3),
    ],
)
def test_a_value_is_split_at_the_first_sign_and_typed_by_its_rule(word, key, value):
    words = [word] if key == "run" else ["run=x", word]
    got = read(TABLE, words)[key]
    assert got == value and type(got) is type(value)


def test_what_is_not_given_has_its_default():
    expected = {"run": "x", "split": "test", "rows": 7, "share": 0.5, "deep": False, "runs": None, "limit": None}
    assert read(TABLE, ["run=x"]) == expected


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "run: got nothing, allowed a text; set run=…"),
        (["run="], "run: got '', allowed a text"),
        (["run=a", "run=b"], "run: got run=b, allowed each key once"),
        (["rnu=a"], "rnu: unknown key; allowed run split rows share deep runs limit; did you mean run?"),
        (["x=1"], "x: unknown key; allowed run split rows share deep runs limit; --help explains them"),
        (["run"], "run: got run, allowed key=value; did you mean run?"),
        (["--splt"], "--splt: got --splt, allowed key=value; did you mean split?"),
        (["=3"], "=3: got no key, allowed key=value"),
        (["run=a", "split=vla"], "split: got vla, allowed test | val; did you mean val?"),
        (["run=a", "rows=0"], "rows: got 0, allowed int [1, 100]"),
        (["run=a", "rows=1.5"], "rows: got 1.5, allowed int [1, 100]"),
        (["run=a", "rows=many"], "rows: got many, allowed int [1, 100]"),
        (["run=a", "share=nan"], "share: got nan, allowed float (0, 1]"),
        (["run=a", "deep=yes"], "deep: got yes, allowed true | false"),
        (["run=a", "deep=1"], "deep: got 1, allowed true | false"),
        (["run=a", "runs=[]"], "runs: got [], allowed list, not empty, of a text"),
    ],
)
def test_what_is_wrong_is_one_line(words, line):
    with pytest.raises(UsageError) as refusal:
        read(TABLE, words)
    assert str(refusal.value) == line


def test_a_long_word_is_cut():
    with pytest.raises(UsageError) as refusal:
        read(TABLE, ["k" * 500 + "=1"])
    assert len(str(refusal.value)) <= 200


def test_the_help_has_the_document_and_every_key_with_what_it_takes():
    page = help_page("Does it.\n\npython src/x.py run=1\n", TABLE)
    assert page.startswith("Does it.\n\npython src/x.py run=1\n\n")
    assert "  run    which one\n         (a text; needed)" in page
    assert "  split  which part\n         (test | val; test unless given)" in page
    assert "  deep   whether\n         (true | false; false unless given)" in page
