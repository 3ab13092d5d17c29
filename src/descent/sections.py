"""`--params train`: a section of params.yaml as overrides, placed before those of the command line.

    train:
      lr: 0.001                                  # lr=0.001
      model: {choice: cnn, channels: [8, 16]}    # model=cnn model.channels=[8,16]
      batch_size: {sweep: [16, 32]}              # batch_size=16,32; a text is Hydra's own grammar: interval(1e-4, 1e-1)

`--params prepare,train` takes both, the later one's keys before the earlier one's.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf._utils import get_yaml_loader

from descent import rules
from descent.config import source_root, workspace_root
from descent.errors import UsageError
from descent.place import quoted

FLAG, FILE = "--params", "params.yaml"
CHOICE, SWEEP = "choice", "sweep"
WHOLE = ("tags", "dataset.types")  # knobs whose value is a mapping
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
_WORDS = {"null", "true", "false", "nan", "inf"}  # which mean something else where they are not quoted

_origin: dict[str, str] = {}  # key → the section that this command has it from


def asked(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The sections that a command line names, and the command line without them."""
    _origin.clear()
    names: list[str] = []
    rest, left = [], list(words)
    while left:
        word = left.pop(0)
        if word == FLAG:
            names += _named(left.pop(0) if left else "")
        elif word.startswith(f"{FLAG}="):
            names += _named(word.partition("=")[2])
        else:
            rest.append(word)
    return names, rest


def with_overrides(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """The sections as overrides that Hydra reads, then the given ones; what is given replaces, with all below it."""
    return _joined(names, given, _override)


def with_words(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """The same as `key=value` words that are split at the first `=` and not quoted."""
    return _joined(names, given, lambda key, value: f"{key}={_plain(value)}")


def told(line: str) -> str:
    """A refusal, with where the key stands in params.yaml if this command has it from there."""
    key, _, rest = line.partition(":")
    if key not in _origin:
        return line
    line, end = f"{FILE}: {_origin[key]}.{key}:{rest}", ""
    if len(line) > rules.LONGEST_LINE and "; " in line:
        line, _, end = line.rpartition("; ")
        end = f"; {end}"
    return rules.cut(line, rules.LONGEST_LINE - len(end)) + end


def _named(text: str) -> list[str]:
    if not text or text.startswith("-"):
        raise rules.refuse(FLAG, text or "nothing", f"a section of {FILE}", f"{FLAG} train")
    return text.split(",")


def _joined(names: Sequence[str], given: Sequence[str], shown: Any) -> list[str]:
    sections = _read() if names else {}
    words: list[tuple[str, str]] = [(_key(word), word) for word in given]
    for name in reversed(names):
        own = [(key, value) for key, value in _settings(_section(sections, name)) if not _is_overruled(key, words)]
        _origin.update(dict.fromkeys((key for key, _ in own), name))
        words = [*((key, shown(key, value)) for key, value in own), *words]
    return [word for _, word in words]


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _is_overruled(key: str, later: Sequence[tuple[str, str]]) -> bool:
    return any(key == other or key.startswith(f"{other}.") for other, _ in later)


def _read() -> dict[str, Any]:
    places = (Path.cwd(), workspace_root(), source_root())
    file = next((place / FILE for place in places if (place / FILE).exists()), Path(FILE))
    try:
        found = yaml.load(file.read_text(), Loader=get_yaml_loader())
    except OSError as error:
        raise UsageError(f"{FILE}: {error.strerror or error}; {FLAG} reads it here or at the project's root") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"{FILE}: {f'line {mark.line + 1}: ' if mark else ''}{getattr(error, 'problem', None) or error}"
        raise UsageError(rules.cut(line, rules.LONGEST_LINE)) from None
    if not isinstance(found, dict):
        raise rules.refuse(FILE, found, "a section for each stage")
    return {str(name): section for name, section in found.items()}


def _section(sections: Mapping[str, Any], name: str) -> dict[str, Any]:
    if name not in sections:
        raise rules.refuse(
            FLAG, name, " | ".join(sections), rules.near(name, sections) or f"{FILE} has no such section"
        )
    section = sections[name] or {}
    if not isinstance(section, dict):
        raise rules.refuse(f"{FILE}: {name}", section, "keys and values, one a line")
    return section


def _settings(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key → value; a choice comes before the knobs under it."""
    if prefix and CHOICE in node:
        yield prefix.rstrip("."), node[CHOICE]
    for name, value in node.items():
        key = f"{prefix}{name}"
        if prefix and name == CHOICE:
            continue
        if isinstance(value, dict) and value and key not in WHOLE and set(value) != {SWEEP}:
            yield from _settings(value, f"{key}.")
        else:
            yield key, value


def _override(key: str, value: Any) -> str:
    if isinstance(value, dict) and set(value) == {SWEEP}:
        swept = value[SWEEP]
        return f"{key}={','.join(map(_value, swept)) if isinstance(swept, list) else swept}"
    return f"{key}={_value(value)}"


def _value(value: Any) -> str:
    """As Hydra reads it back."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{_value(str(key))}:{_value(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_value, value))}]"
    if isinstance(value, bool | float | int) or value is None:
        return _number(value)
    text = str(value)
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else quoted(text)


def _number(value: float | None) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return repr(value) if math.isfinite(value) else str(value)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_plain, value))}]"
    return _number(value) if isinstance(value, bool | float | int) or value is None else str(value)
