"""The one line of data that is missing or damaged."""

from pathlib import Path

from descent.errors import DataError, EnvironmentFault
from descent.rules import LONGEST_LINE, cut

SHORTEST_PATH = 24


def fault(file: Path, what: str, do: str = "") -> DataError:
    """`file: what; do`, or `what` alone if that says it."""
    return DataError(_line(file, what, do))


def environment_fault(place: Path, what: str, do: str) -> EnvironmentFault:
    """The same of what the machine does not give."""
    return EnvironmentFault(_line(place, what, do))


def _line(file: Path, what: str, do: str) -> str:
    """A long path loses its beginning: the name is looked for."""
    tail = cut(f": {what}; {do}" if do else f": {what}", LONGEST_LINE - SHORTEST_PATH)
    room = LONGEST_LINE - len(tail)
    shown = " ".join(str(file).split())
    return (shown if len(shown) <= room else f"…{shown[1 - room :]}") + tail


def refuse_no_file(file: Path) -> None:
    """Of a table."""
    if file.is_dir():
        raise fault(file, "a directory; dataset.path is a file")
    if not file.exists():
        raise fault(file, "no such file; dataset.path is relative to where you are, or to the project")


def refuse_no_folder(folder: Path) -> None:
    """Of images."""
    if not folder.is_dir():
        raise fault(folder, "no folder", "put a folder of images for each class there, or set dataset.root=…")
