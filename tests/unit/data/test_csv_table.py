"""Tables as datasets: their targets, and every way that a file is refused in one line."""

import gzip
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch

from descent.data.csv_table import csv_table
from descent.data.split import split
from descent.errors import DataError

GOOD = "size,colour,kind\n1,red,a\n2,blue,b\n3,red,a\n4,blue,b\n"
NUMBERS = "x,y\n1,2.5\n2,-1\n3,4e1\n"


def encoded(path, target="kind", **knobs):
    source = csv_table(str(path), target, **knobs)
    return source, source.encode(torch.arange(len(source.targets)), source.columns)


# Targets


@pytest.mark.parametrize(
    ("given", "classes", "numbers"),
    [
        (["b", "a", "b", "a"], ("a", "b"), [1, 0, 1, 0]),
        (["10", "9", "9", "10"], ("9", "10"), [1, 0, 0, 1]),
        (["1.0", "0.0", "0", "1"], ("0", "1"), [1, 0, 0, 1]),
        (["yes", "no", "no", "yes"], ("no", "yes"), [1, 0, 0, 1]),
        ([" b", "a ", "b", "a"], ("a", "b"), [1, 0, 1, 0]),
        (["-1", "x", "x", "-1"], ("-1", "x"), [0, 1, 1, 0]),
    ],
)
def test_classes_are_sorted_and_named(tmp_path, given, classes, numbers):
    (tmp_path / "t.csv").write_text("x,kind\n" + "".join(f"{row},{text}\n" for row, text in enumerate(given)))
    source, _ = encoded(tmp_path / "t.csv")
    assert (source.classes, source.outputs, source.task) == (classes, 2, "classification")
    assert source.targets.dtype == torch.int64
    assert source.targets.tolist() == numbers


def test_a_regression_has_one_number_a_row(tmp_path):
    (tmp_path / "t.csv").write_text(NUMBERS)
    source, found = encoded(tmp_path / "t.csv", "y", task="regression")
    assert (source.outputs, source.classes, source.targets.dtype) == (1, (), torch.float32)
    assert source.targets.tolist() == [[2.5], [-1], [40]]
    assert found.inputs.tolist() == [[1], [2], [3]]
    assert found.columns == ("x",)


def test_a_name_may_look_like_a_number(tmp_path):
    (tmp_path / "t.csv").write_text("year,2019\n1,2\n2,3\n")
    assert encoded(tmp_path / "t.csv", 2019, task="regression")[0].targets.tolist() == [[2], [3]]


def test_a_row_is_told_from_others_by_its_texts_and_the_columns(tmp_path):
    def marks(text, **knobs):
        (tmp_path / "t.csv").write_text(text)
        return csv_table(str(tmp_path / "t.csv"), "y", "regression", **knobs).inputs

    def same(text, **knobs):
        return (marks(NUMBERS, **knobs) == marks(text, **knobs)).all(1).tolist()

    assert same(NUMBERS) == [True, True, True]
    assert same(NUMBERS.replace("2.5", "2.4")) == [False, True, True]
    assert same(NUMBERS.replace("x,", "z,")) == [False, False, False]
    assert (
        marks("x,i,y\n1,a,2\n2,b,3\n", ignore=["i"]).tolist() == marks("x,i,y\n1,c,2\n2,d,3\n", ignore=["i"]).tolist()
    )


def test_a_renamed_word_is_other_data(tmp_path):
    def digest(text):
        (tmp_path / "t.csv").write_text(text)
        source = csv_table(str(tmp_path / "t.csv"), "kind", text="note")
        return split(source, val_fraction=0.0, test_fraction=0.0, split_seed=0)

    one, other = (digest(f"note,kind\n{word},a\nb,b\nb,a\n{word},b\n") for word in ("sweet", "sweeter"))
    assert torch.equal(one.train.inputs, other.train.inputs)
    assert one.digest != other.digest


# Refusals


class Bad(NamedTuple):
    """A file's content and the knobs; `says` is in the line that refuses it."""

    label: str
    content: str | bytes
    says: str
    knobs: Mapping[str, Any] = MappingProxyType({})
    name: str = "t.csv"


def many(values, target=lambda row: "ab"[row % 2]):
    return "x,kind\n" + "".join(f"{value},{target(row)}\n" for row, value in enumerate(values))


REGRESSION = {"target": "y", "task": "regression"}
BAD = [
    # the file
    Bad("empty", "", "empty; a header"),
    Bad("blank", "\n \n", "empty; a header"),
    Bad("only a BOM", b"\xef\xbb\xbf", "empty; a header"),
    Bad("header only", "a,b,kind\n", "a header and no row"),
    Bad("NUL bytes", b"a,kind\n1,\0x\n", "byte 9, line 2: a NUL byte"),
    Bad("latin-1", "a,kind\n1,é\n".encode("latin-1"), "byte 9, line 2: 0xe9 is no UTF-8"),
    Bad("latin-1 behind a BOM", b"\xef\xbb\xbfa,kind\n\xe9,b\n", "byte 10, line 2: 0xe9"),
    Bad("UTF-16", "a,kind\n1,b\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
    Bad("no gzip", GOOD, "no sound gzip", name="t.csv.gz"),
    Bad("truncated gzip", gzip.compress(GOOD.encode())[:-9], "truncated gzip", name="t.csv.gz"),
    Bad("damaged gzip", gzip.compress(GOOD.encode())[:-8] + bytes(8), "no sound gzip", name="t.csv.gz"),
    Bad("gzip by another name", gzip.compress(GOOD.encode()), "byte"),
    # rows and header
    Bad("ragged: more", GOOD + "5,red,a,x\n", "line 6: 4 values, but the header has 3 values"),
    Bad("ragged: fewer", "a,b,kind\n1,2\n", "line 2: 2 values"),
    Bad("ragged behind quoted lines", 'a,kind\n"1\n2",b\n3\n', "line 4: 1 value,"),
    Bad("quote not closed", 'a,kind\n1,b\n"2,c\n', "line 3: bad quoting"),
    Bad("text behind a quote", 'a,kind\n"1"x,b\n', "line 2: bad quoting"),
    Bad("a long quote not closed", 'a,kind\n1,"' + "x" * 200000 + "\n", "line 2: bad quoting (unexpected end of data)"),
    Bad("doubled column", "a,b,a,kind\n1,2,3,x\n", "line 1: columns 1 and 3 are both named a"),
    Bad("column without a name", ",a,kind\n0,1,b\n", "line 1: column 1 has no name"),
    Bad("no header", "1,2,3\n4,5,6\n", "line 1: numbers where the header should be"),
    Bad("wrong separator", GOOD, "no column kind", {"separator": "tab"}),
    # the target
    Bad("no such target", GOOD, "dataset.target: no column knd; did you mean kind?", {"target": "knd"}),
    Bad("nothing near", GOOD, "columns: size, colour, kind", {"target": "zzz"}),
    Bad("target missing", "a,kind\n1,b\n2,\n", "line 3: column kind: nothing where the target should be"),
    Bad("target NA", "a,kind\n1,b\n2,NA\n", "line 3: column kind: NA where"),
    Bad("one class", "a,kind\n1,b\n2,b\n", "one class only, b"),
    Bad("a lone sample of a class", "a,kind\n1,b\n2,c\n3,b\n", "line 3: column kind: class c has one sample"),
    Bad(
        "fractions as classes", "a,kind\n1,1.5\n2,1.5\n3,2\n", "line 2: column kind: 1.5 is no class; use dataset.task="
    ),
    Bad("infinite class", "a,kind\n1,1\n2,inf\n3,1\n", "line 3: column kind: inf is not finite"),
    Bad("text to regress", "x,y\n1,2\n2,two\n", "line 3: column y: two is no number", REGRESSION),
    Bad("infinite target", "x,y\n1,2\n2,-inf\n", "line 3: column y: -inf is not finite", REGRESSION),
    Bad("NaN target", "x,y\n1,2\n2,NaN\n", "line 3: column y: NaN where the target", REGRESSION),
    Bad("huge target", "x,y\n1,2\n2,1e39\n", "line 3: column y: 1e39 is too large", REGRESSION),
    Bad("constant target", "x,y\n1,2\n2,2\n", "column y: every row has 2", REGRESSION),
    Bad("target alone", "kind\na\nb\na\nb\n", "no column beside the target"),
    Bad("all ignored", GOOD, "no column beside the target", {"ignore": ["size", "colour"]}),
    # features
    Bad("unknown ignore", GOOD, "dataset.ignore: no column sizes; did you mean size?", {"ignore": ["sizes"]}),
    Bad("unknown type", GOOD, "dataset.types: no column colours", {"types": {"colours": "text"}}),
    Bad("unknown text", GOOD, "dataset.text: no column note", {"text": "note"}),
    Bad("the target as text", GOOD, "dataset.text: no column kind", {"text": "kind"}),
    Bad("text among numbers", GOOD, "line 2: column colour: red is no number", {"types": {"colour": "number"}}),
    Bad("infinite", many([1, "inf", 2, 3]), "line 3: column x: inf is not finite"),
    Bad("huge", many([1, 2, "-1e400", 3]), "line 4: column x: -1e400 is too large"),
    Bad("thousands", many(['"1,234"', "5", "6", '"7,000"']), "line 2: column x: 1,234 is no number"),
    Bad("decimal comma", "x;kind\n1,5;a\n2,5;b\n3;a\n4;b\n", "line 2: column x: 1,5 is no number: write 1234.5"),
    Bad("all missing", many(["", "NA", "?", "null"]), "column x: every value of the training rows is missing"),
    Bad("too many categories", many([f"n{row}" for row in range(60)]), "column x: 60 categories, at most 50"),
    Bad(
        "too many numbers as categories",
        many(range(60)),
        "column x: 60 categories, at most 50; use dataset.ignore=[x]",
        {"types": {"x": "category"}},
    ),
    Bad(
        "too many said to be categories",
        many([*range(60), "oops"]),
        "column x: 61 categories",
        {"types": {"x": "category"}},
    ),
    Bad("an escape for the terminal", "a,kind\n1,b\n2,\x1b[31mc\n3,b\n", "class \ufffd[31mc has one sample"),
    Bad(
        "a text among many numbers", many([*range(60), "oops", *range(60, 99)]), "line 62: column x: oops is no number"
    ),
    Bad("no word", many(["!", "...", "-", "?"]), "column x: no word in the training rows", {"text": "x"}),
]


def test_the_table_is_long_and_without_repeats():
    assert len({case.label for case in BAD}) == len(BAD) >= 45


@pytest.mark.parametrize("case", BAD, ids=[case.label for case in BAD])
def test_refused_in_one_line(tmp_path, case):
    path = tmp_path / case.name
    path.write_bytes(case.content if isinstance(case.content, bytes) else case.content.encode())
    with pytest.raises(DataError) as refusal:
        encoded(path, **{"target": "kind", **case.knobs})
    line = str(refusal.value)
    assert case.says in line
    assert case.name in line.split(": ")[0]
    assert len(line) <= 200 and "\n" not in line
    assert refusal.value.exit_code == 3


@pytest.mark.parametrize(("name", "says"), [("nowhere.csv", "no such file"), (".", "a directory"), ("x/y", "no such")])
def test_what_is_no_file_is_refused(tmp_path, name, says):
    with pytest.raises(DataError, match=says):
        csv_table(str(tmp_path / name), "kind")


def test_only_a_later_row_shows_a_text_among_numbers(tmp_path):
    (tmp_path / "t.csv").write_text(many([1, 2, 3, 4, 5, "six"]))
    source = csv_table(str(tmp_path / "t.csv"), "kind")
    with pytest.raises(DataError, match=r"line 7: column x: six is no number; mend it, or dataset.types={x: category}"):
        source.encode(torch.arange(5), source.columns)
