"""A wrong command line and what it is answered: one line that names the key, and nothing left on disk."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]
LONGEST_LINE = 200


class Bad(NamedTuple):
    """`near` is what must be offered in its place; None: nothing may be. `{root}` in a key is where it was asked."""

    line: str
    key: str
    near: str | None = None
    says: str = ""
    code: int = 2


def names(cases: Iterable[Bad]) -> list[str]:
    return [case.line[:60] for case in cases]


def check(case: Bad, code: int, out: str, err: str, left: list[str], root: str = "") -> None:
    assert code == case.code, err
    assert out == ""
    assert left == []
    said = err.splitlines()
    assert len(said) == 1, err
    assert len(said[0]) <= LONGEST_LINE
    assert said[0].startswith(f"{case.key.replace('{root}', root)}:")
    assert case.says in said[0]
    offered = f"did you mean {case.near}?" if case.near else "did you mean"
    assert (offered in said[0]) == bool(case.near), said[0]
