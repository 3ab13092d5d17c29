"""A table in a text file (comma-separated values and their kin), read with the line of every row."""

import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from descent.data.columns import is_number
from descent.data.faults import fault, refuse_no_file
from descent.errors import DataError
from descent.rules import near

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
BOM = b"\xef\xbb\xbf"
SNIFFED = 20  # rows that a separator must suit

Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Table:
    """Texts as they stand in the file, a tuple for each column; `lines` tells where each row begins."""

    path: Path
    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def known(self, key: str, name: str, among: Sequence[str] = ()) -> str:
        """The column's name, or the refusal of one that is not there."""
        choices = among or tuple(self.columns)
        if name in choices:
            return name
        hint = near(name, choices)
        raise fault(self.path, f"{key}: no column {name}; {hint or 'columns: ' + ', '.join(choices)}")

    def damaged(self, row: int, what: str) -> DataError:
        """The refusal of something in a row."""
        return fault(self.path, f"line {self.lines[row]}: {what}")


def read_table(path: str | Path, separator: str = "auto") -> Table:
    """The table of a file in UTF-8; one whose name ends in .gz is unpacked. Rows without any text are passed over."""
    path = Path(path)
    text = _decoded(path, _bytes(path))
    if not text.strip():
        raise fault(path, "empty; a header and rows of values are needed")
    mark = SEPARATORS.get(separator) or _sniffed(path, text)
    records = _records(path, text, mark)
    header = _header(path, *next(records))
    kept = list(records)
    for line, values in kept:
        if len(values) != len(header):
            counts = f"{_counted(len(values))}, but the header has {_counted(len(header))}"
            raise fault(path, f"line {line}: {counts}; mend the row, quote what holds a separator, or set separator")
    if not kept:
        raise fault(path, "a header and no row; add rows of values")
    columns = dict(zip(header, zip(*(values for _, values in kept), strict=True), strict=True))
    return Table(path, columns, tuple(line for line, _ in kept))


def _bytes(path: Path) -> bytes:
    try:
        refuse_no_file(path)
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except EOFError:
        raise fault(path, f"truncated gzip of {path.stat().st_size} bytes; fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise fault(path, f"no sound gzip ({error}); fetch it again or drop .gz from its name") from None
    except OSError as error:
        raise fault(path, f"cannot be read ({error.strerror})") from None


def _decoded(path: Path, data: bytes) -> str:
    start = len(BOM) if data.startswith(BOM) else 0
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise fault(path, "byte 0: UTF-16; save it as UTF-8")
    if (zero := data.find(b"\0")) >= 0:
        raise fault(path, f"byte {zero}, line {_line_at(data, zero)}: a NUL byte; this is no text, or damaged")
    try:
        return data[start:].decode("utf-8")
    except UnicodeDecodeError as error:
        place = start + error.start
        got = f"0x{data[place]:02x}"
        raise fault(path, f"byte {place}, line {_line_at(data, place)}: {got} is no UTF-8; save it as UTF-8") from None


def _line_at(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def _records(path: Path, text: str, mark: str) -> Iterator[Record]:
    """Every record that is not blank, with the line it begins on."""
    csv.field_size_limit(len(text))  # a document may be one value
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True, skipinitialspace=True)
    line = 1
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise fault(path, f"line {line}: bad quoting ({error}); close the quote, or double one inside") from None
        if values:
            yield line, values
        line = reader.line_num + 1


def _sniffed(path: Path, text: str) -> str:
    """The separator that cuts the first rows into equally many values, the more the better."""

    def suits(mark: str) -> tuple[bool, bool, int]:
        counts = []
        try:
            for _, values in itertools.islice(_records(path, text, mark), SNIFFED):
                counts.append(len(values))
        except DataError:
            counts.append(0)
        return counts[0] > 1, len(set(counts)) == 1, counts[0]

    return max(SEPARATORS.values(), key=suits)


def _header(path: Path, line: int, values: list[str]) -> tuple[str, ...]:
    names = tuple(value.strip() for value in values)
    for place, name in enumerate(names):
        if not name:
            raise fault(path, f"line {line}: column {place + 1} has no name; write one into the header")
        if name in names[:place]:
            first = names.index(name) + 1
            raise fault(path, f"line {line}: columns {first} and {place + 1} are both named {name}; rename one")
    if all(map(is_number, names)):
        raise fault(path, f"line {line}: numbers where the header should be; write the columns' names above them")
    return names


def _counted(values: int) -> str:
    return f"{values} value" if values == 1 else f"{values} values"
