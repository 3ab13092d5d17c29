"""Compositions of trials: Hydra makes one for each set of choices, and where only values differ they are put in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from descent import composition
from descent.interpolation import copied

MOST_KEPT = 200
_SETS_A_VALUE = re.compile(r"[A-Za-z_][\w.]*=")


@dataclass(frozen=True)
class Composed:
    """What a command line comes to: plain values that are not resolved yet, each group's choice, and its words."""

    raw: dict[str, Any]
    choices: dict[str, Any]
    overrides: list[str]


_kept: dict[tuple[str, ...], Composed] = {}


def composed(words: Sequence[str], searchpath: Sequence[str] = (), primary: Sequence[str] = ()) -> Composed:
    """The same as Hydra composes, which is asked once for each set of choices."""
    found = {word: pair for word in words if (pair := _value_of(word))}
    key = (*(found[word][0] if word in found else word for word in words), "", *searchpath, "", *primary)
    if (base := _kept.get(key)) is None:
        base = _fresh(words, searchpath, primary)
        if not all(_is_value(base, *pair) for pair in dict(found.values()).items()):
            return base
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[key] = base
    raw = copied(base.raw)
    for path, value in found.values():
        parent, name = _place(raw, path)
        parent[name] = copied(value)
    return replace(base, raw=raw, overrides=list(words))


def _fresh(words: Sequence[str], searchpath: Sequence[str], primary: Sequence[str]) -> Composed:
    whole = composition.compose(words, searchpath, primary)
    own = whole.hydra
    given = cast(list[str], OmegaConf.to_container(own.overrides.task))
    return Composed(composition.without_hydra(whole), dict(own.runtime.choices), given)


@lru_cache(maxsize=1000)
def _value_of(word: str) -> tuple[str, Any] | None:
    """Key and value of an override that seems to set a value; None of one that chooses, adds or takes away."""
    if not _SETS_A_VALUE.match(word):
        return None
    override = OverridesParser.create().parse_override(word)
    key = override.key_or_group
    if key in composition.groups() or override.is_sweep_override() or isinstance(override.value(), dict):
        return None
    return key, override.value()


def _is_value(fresh: Composed, path: str, value: Any) -> bool:
    """Whether the override did nothing but put this value in the place of another."""
    parent, name = _place(fresh.raw, path)
    return path not in fresh.choices and name in parent and repr(parent[name]) == repr(value)


def _place(raw: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """The node in which a path ends, empty where there is none, and its last key."""
    *parents, name = path.split(".")
    node: Any = raw
    for part in parents:
        node = node.get(part) if isinstance(node, Mapping) else None
    return (node if isinstance(node, dict) else {}), name
