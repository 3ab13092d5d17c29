"""The little language of `allowed` in the YAML files: what a knob takes, checked before anything heavy is imported.

float (0, 1]            a number of that interval; `inf` is open
int [1, inf) | full     or a word
list int [1, 4096]      a list; list+ is not empty, list2 has two items; list list int is a list of lists
name, metric, labels    a file's name, a metric of the task, a map of plain values
column                  the name or number of a table's column
postgresql              the address of a PostgreSQL server
true                    nothing else: a choice that would be another one without it
follows lr              not a knob of its own: the value stands at that path
"""

import difflib
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from descent.errors import UsageError
from descent.tracking.secrets import mask

LONGEST_LINE = 200
_INTERVAL = re.compile(r"([\[(])\s*(\S+?)\s*,\s*(\S+?)\s*([\])])")
_LIST = re.compile(r"list(\+|\d+)? (.+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SERVER = re.compile(r"postgresql(\+\w+)?://\S+")
_WORDS = {
    "bool": "true | false",
    "str": "a text",
    "column": "a column's name or number",
    "name": "1 to 64 letters, digits, . _ or -, a letter or digit first",
    "labels": "{key:value}",
    "metric": "a metric such as val/loss",
    "postgresql": "postgresql://user@host/database",
}
# What people write who come from elsewhere.
SYNONYMS = {
    "learning_rate": "lr",
    "wd": "weight_decay",
    "bs": "batch_size",
    "gpu": "cuda",
    "min": "minimize",
    "max": "maximize",
    "16": "bf16-mixed",
    "fp16": "bf16-mixed",
    "layers": "depth",
    "n_layers": "depth",
    "num_layers": "depth",
}
# And what is said in other words here altogether.
OTHERWISE = {
    "gpu": "device=cuda",
    "gpus": "device=cuda",
    "cuda": "device=cuda",
    "amp": "precision=bf16-mixed",
    "momentum": "optimizer=momentum optimizer.momentum=0.9",
    "num_workers": "loader.stream=true loader.workers=2",
}

Check = Callable[[Any], Any]


class Mismatch(Exception):
    """A value that a rule does not take."""


def check(rule: str, value: Any) -> Any:
    """The value as the rule types it (`1` under `float` is 1.0), or Mismatch."""
    return _compile(rule)(value)


def refuse(key: str, got: object, allowed: str, hint: str = "") -> UsageError:
    """The one line of a refused key: what, got, allowed, what to do."""
    head = f"{key}: got {_short(got)}"
    tail = f"; {hint}" if hint else ""
    room = LONGEST_LINE - len(head) - len(tail) - len(", allowed ")
    line = f"{head}, allowed {cut(described(allowed), max(room, 20))}{tail}"
    return UsageError(cut(line, LONGEST_LINE))


def described(rule: str) -> str:
    """A rule as a person reads it."""
    return " | ".join(_described_part(part) for part in rule.split(" | "))


def _described_part(part: str) -> str:
    if found := _LIST.fullmatch(part):
        size = {"": "list of", "+": "list, not empty, of"}.get(found[1] or "", f"list of {found[1]}")
        return f"{size} {_described_part(found[2])}"
    return _WORDS.get(part, part)


def words(rule: str) -> list[str]:
    """The rule's own words, without its kinds."""
    return [part for part in rule.split(" | ") if " " not in part and part not in _KINDS]


def near(word: str, choices: Iterable[str]) -> str:
    """`did you mean x?` where something comes close, else nothing."""
    names = list(choices)
    if SYNONYMS.get(word.lower()) in names:
        return f"did you mean {SYNONYMS[word.lower()]}?"
    inside = [name for name in names if name.endswith(f".{word}")]
    close = [word] if word in names else inside or difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else ""


def _short(value: object) -> str:
    return cut(mask(_as_given(value)), 60)


def _as_given(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_as_given, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_as_given(item)}' for key, item in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value) or "''"


def cut(text: str, room: int) -> str:
    flat = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in " ".join(text.split()))
    return flat if len(flat) <= room else flat[: room - 1] + "…"


@cache
def _compile(rule: str) -> Check:
    if listed := _LIST.fullmatch(rule.split(" | ")[0]):
        item = _compile(listed[2])
        checks = [_list(listed[1] or "", item), *map(_compile_one, rule.split(" | ")[1:])]
        return _either(checks)
    return _either([_compile_one(part) for part in rule.split(" | ")])


def _either(checks: list[Check]) -> Check:
    def run(value: Any) -> Any:
        for one in checks:
            try:
                return one(value)
            except Mismatch:
                continue
        raise Mismatch

    return run


def _list(size: str, item: Check) -> Check:
    def run(value: Any) -> list[Any]:
        if not isinstance(value, list) or (size == "+" and not value) or (size.isdigit() and len(value) != int(size)):
            raise Mismatch
        return [item(one) for one in value]

    return run


def _compile_one(part: str) -> Check:
    kind, _, rest = part.partition(" ")
    if kind in ("float", "int"):
        return _number(kind, rest)
    return _KINDS.get(kind) or _word(part)


def _number(kind: str, interval: str) -> Check:
    found = _INTERVAL.fullmatch(interval or "(-inf, inf)")
    assert found, f"not an interval: {interval}"
    low, high = float(found[2]), float(found[3])

    def run(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int if kind == "int" else int | float):
            raise Mismatch
        above = value > low or (found[1] == "[" and value == low)
        below = value < high or (found[4] == "]" and value == high)
        if not (abs(value) <= sys.float_info.max and above and below):  # nan is not, inf and 10**400 are not
            raise Mismatch
        return int(value) if kind == "int" else float(value)

    return run


def _word(word: str) -> Check:
    def run(value: Any) -> Any:
        if isinstance(value, bool) or str(value) != word:
            raise Mismatch
        return value

    return run


def _typed(*types: type) -> Check:
    def run(value: Any) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise Mismatch
        return value

    return run


def _true(value: Any) -> bool:
    if value is not True:
        raise Mismatch
    return True


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise Mismatch
    return value


def _labels(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or any(isinstance(one, dict | list) or one is None for one in value.values()):
        raise Mismatch
    return value


def _matching(pattern: re.Pattern[str]) -> Check:
    def run(value: Any) -> str:
        if not isinstance(value, str | int) or isinstance(value, bool) or not pattern.fullmatch(str(value)):
            raise Mismatch
        return str(value)

    return run


_KINDS: dict[str, Check] = {
    "bool": _typed(bool),
    "true": _true,
    "str": _text,
    "map": _typed(dict),
    "labels": _labels,
    "null": _typed(type(None)),
    "column": _either([_number("int", "[0, inf)"), _text]),
    "name": _matching(_NAME),
    "postgresql": _matching(_SERVER),
    "metric": _text,  # that it exists is a matter of the task: contradictions.py
}
