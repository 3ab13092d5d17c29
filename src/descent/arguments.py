"""The door of the scripts that compose nothing: `key=value` words, each under a rule, one line for what is wrong.

A word is split at its first `=`, so a value needs no quotes but the shell's. The rules are those of the YAML files.
"""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descent import rules, sections, stages
from descent.errors import UsageError

HELP = ("--help", "-h", "help")
REQUIRED = object()
_PLAIN = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Argument:
    """A key: what it takes, what it is without being given (REQUIRED: it must be), and what it means."""

    key: str
    rule: str
    default: Any
    help: str


def script(
    table: Sequence[Argument], others: str | None = None
) -> Callable[[Callable[[dict[str, Any]], Any]], Callable[[], None]]:
    """Makes a script's main of a task: words are read and checked, `--help` is answered, faults are one line.

    The first line of the task's module is the heading of the help, the rest its examples. Where `others` is given, keys
    that are not in the table are kept under that name, as texts: the task knows what they may be.
    """

    def decorate(task: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
        @functools.wraps(task)
        def main() -> None:
            stages.begin(Path(task.__code__.co_filename))
            words = sys.argv[1:]
            if any(word in HELP for word in words):
                print(help_page(task.__globals__.get("__doc__") or "", table))
                return
            from descent import door

            door.or_exit(lambda: task(read(table, sections.with_words(*sections.asked(words)), others)))

        return main

    return decorate


def read(table: Sequence[Argument], words: Sequence[str], others: str | None = None) -> dict[str, Any]:
    """Every key of the table with its typed value, or UsageError in one line."""
    known = {argument.key: argument for argument in table}
    values: dict[str, Any] = {}
    rest: dict[str, str] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise rules.refuse(key or word, word if not equals else "no key", "key=value", _nearest(word, known))
        if key in values or key in rest:
            raise rules.refuse(key, word, "each key once")
        if key not in known and others is not None:
            rest[key] = text
            continue
        if key not in known:
            room = rules.LONGEST_LINE // 3
            hint = _nearest(key, known) or "--help explains them"
            raise UsageError(
                rules.cut(f"{rules.cut(key, room)}: unknown key; allowed {' '.join(known)}; {hint}", rules.LONGEST_LINE)
            )
        values[key] = _typed(known[key], text)
    for argument in table:
        if argument.key not in values and argument.default is REQUIRED:
            hint = f"set {argument.key}=…"
            raise rules.refuse(argument.key, "nothing", argument.rule, hint)
    found = {argument.key: values.get(argument.key, argument.default) for argument in table}
    return found if others is None else {**found, others: rest}


def help_page(document: str, table: Sequence[Argument]) -> str:
    """What the script is for, its commands, and its keys with what they take."""
    width = max(len(argument.key) for argument in table)
    lines = [*document.strip().splitlines(), ""]
    for argument in table:
        default = "" if argument.default in (REQUIRED, None) else f"; {_shown(argument.default)} unless given"
        needed = "; needed" if argument.default is REQUIRED else default
        lines.append(f"  {argument.key:<{width}}  {argument.help}")
        lines.append(f"  {'':<{width}}  ({rules.described(argument.rule)}{needed})")
    return "\n".join(lines)


def _typed(argument: Argument, text: str) -> Any:
    for value in _readings(text):
        try:
            return rules.check(argument.rule, value)
        except rules.Mismatch:
            continue
    raise rules.refuse(argument.key, text, argument.rule, rules.near(text, rules.words(argument.rule)))


def _readings(text: str) -> list[Any]:
    """What a text may mean, the narrowest first; it stays a text where the rule wants one."""
    found: list[Any] = [_PLAIN[text]] if text in _PLAIN else []
    for kind in (int, float):
        try:
            found.append(kind(text))
        except ValueError:
            continue
    if text.startswith("[") and text.endswith("]"):
        items = [item.strip() for item in text[1:-1].split(",")] if text[1:-1].strip() else []
        found.append([_readings(item)[0] for item in items])
    return [*found, text]


def _nearest(word: str, known: Mapping[str, Argument]) -> str:
    return rules.near(word.lstrip("-"), known)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
