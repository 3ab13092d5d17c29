"""What `${…}` in a composition comes to, quickly for what conf/ uses and by OmegaConf itself for everything else."""

import re
from collections.abc import Mapping
from typing import Any, cast

from omegaconf import OmegaConf

MISSING = "???"
DEEPEST = 20  # what leads further leads in a circle
NOWHERE = object()
_PATH = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_NODE = re.compile(r"\$\{(" + _PATH + r")\}", re.ASCII)
_SELECT = re.compile(r"\$\{oc\.select:(" + _PATH + r"),(.+)\}", re.ASCII)
_WORD = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z_]+")
_NUMBER = re.compile(r"\d+\.\d+")


class _NotPlain(Exception):
    """OmegaConf is asked instead, for the value or for its refusal."""


def resolved(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The same as OmegaConf's to_container with resolve and throw_on_missing, its errors too."""
    try:
        return {key: _value(value, raw, 0) for key, value in raw.items()}
    except _NotPlain:
        config = OmegaConf.create(copied(raw))
        return cast(dict[str, Any], OmegaConf.to_container(config, resolve=True, throw_on_missing=True))


def copied(node: Any) -> Any:
    """Plain values, of which nothing is shared."""
    if isinstance(node, Mapping):
        return {key: copied(value) for key, value in node.items()}
    return [copied(one) for one in node] if isinstance(node, (list, tuple)) else node


def _value(value: Any, root: Mapping[str, Any], depth: int) -> Any:
    if isinstance(value, str):
        return _text(value, root, depth + 1)
    if isinstance(value, Mapping):
        return {key: _value(one, root, depth) for key, one in value.items()}
    if isinstance(value, list):
        return [_value(one, root, depth) for one in value]
    if value is None or type(value) in (int, float, bool):
        return value
    raise _NotPlain


def _text(text: str, root: Mapping[str, Any], depth: int) -> Any:
    if "${" not in text and text != MISSING:
        return text
    if depth > DEEPEST:
        raise _NotPlain
    if found := _NODE.fullmatch(text):
        if (target := _target(root, found[1])) is NOWHERE:
            raise _NotPlain
        return _value(target, root, depth)
    if found := _SELECT.fullmatch(text):
        target = _target(root, found[1])
        return _literal(found[2], root, depth) if target is NOWHERE else _value(target, root, depth)
    raise _NotPlain


def _target(root: Mapping[str, Any], path: str) -> Any:
    node: Any = root
    for part in path.split("."):
        if not isinstance(node, Mapping):
            raise _NotPlain  # an interpolation on the way, or nothing that has parts
        if part not in node:
            return NOWHERE
        node = node[part]
    return node


def _literal(text: str, root: Mapping[str, Any], depth: int) -> Any:
    """What stands after the comma of `oc.select`."""
    if _NUMBER.fullmatch(text):
        return float(text)
    if _WORD.fullmatch(text):
        return text
    if text.startswith("${"):
        return _text(text, root, depth + 1)
    raise _NotPlain
