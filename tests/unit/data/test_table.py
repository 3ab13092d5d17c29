"""Tables in text files: what is read is what was written, with the line of every row."""

import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descent.data.table import SEPARATORS, read_table

HEADER = ("name", "note")
ROWS = [("ada", "plain"), ("bob", 'says "hi", twice'), ("cy", "two\nlines"), ("di", "")]


def written(rows, mark=",", ending="\n", quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=mark, lineterminator=ending, quoting=quoting).writerows(rows)
    return out.getvalue().encode()


def rows_of(table):
    return list(zip(*table.columns.values(), strict=True))


@pytest.mark.parametrize("mark", SEPARATORS.values(), ids=list(SEPARATORS))
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("packed", [False, True], ids=["text", "gz"])
def test_every_form_reads_the_same(tmp_path, mark, ending, bom, packed):
    data = bom + written([HEADER, *ROWS], mark, ending)
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    table = read_table(path)
    assert tuple(table.columns) == HEADER
    assert rows_of(table) == ROWS
    assert table.lines == (2, 3, 4, 6)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[TEXTS] * width), min_size=1, max_size=6)),
    st.sampled_from(sorted(SEPARATORS)),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read(tmp_path_factory, rows, separator, ending):
    header = [f"c{place}" for place in range(len(rows[0]))]
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(written([header, *rows], SEPARATORS[separator], ending, csv.QUOTE_ALL))
    assert rows_of(read_table(path, separator)) == rows


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b;c\n1,2;3\n", ["a", "b;c"]),
        ("a;b\n1,5;2\n3,5;4\n", ["a", "b"]),
        ("a b\n1\n2\n", ["a b"]),
        ("a|b,c|d\n1|2|3\n", ["a", "b,c", "d"]),
        ('"a;b",c\n1,2\n', ["a;b", "c"]),
    ],
)
def test_the_separator_is_what_cuts_every_row_alike(tmp_path, text, columns):
    (tmp_path / "t.csv").write_text(text)
    assert list(read_table(tmp_path / "t.csv").columns) == columns


def test_blank_lines_are_passed_over_and_counted(tmp_path):
    (tmp_path / "t.csv").write_text("a, b\n\n1, 2\n\n\n3, 4\n\n")
    table = read_table(tmp_path / "t.csv")
    assert table.lines == (3, 6)
    assert table.columns == {"a": ("1", "3"), "b": ("2", "4")}


def test_a_value_may_be_a_whole_document(tmp_path):
    (tmp_path / "t.csv").write_text(f"note,kind\n{'word ' * 100_000},a\nshort,b\n")
    assert [len(text) for text in read_table(tmp_path / "t.csv").columns["note"]] == [500_000, 5]
