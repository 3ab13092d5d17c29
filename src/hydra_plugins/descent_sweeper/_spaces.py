"""From a command line and conf/ to the parameters of a search, and to the points that are tried first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from descent import door
from descent.errors import UsageError
from hydra_plugins.descent_sweeper._search_space import Condition, Parameter, Point, from_override, is_same, parsed

Composer = Callable[[Sequence[str]], DictConfig]
LIST = "regularization"
FILE_KEYS = ("n_trials", "parameters", "infeasible", "workloads")


def space_of(swept: Sequence[Override], fixed: Sequence[Override], compose: Composer) -> list[Parameter]:
    """What was swept, what the swept choices bring, and what the space file adds, less what was fixed."""
    words = [str(override.input_line) for override in fixed]
    base = compose(words)
    asked = [from_override(override) for override in swept]
    found = list(asked)
    for parameter in asked:
        found += _brought(parameter, words, compose)
    keys_fixed = {override.key_or_group for override in fixed}
    keys_asked = {parameter.key for parameter in asked}
    file = OmegaConf.select(base, "space")
    if file is not None:
        found += _of_file(_rules(_plain(file)), words, compose, keys_fixed | keys_asked)
    elif not swept:
        found += [one for group in door.groups() for one in _own(base, group, "", ())]
    kept = [one for one in found if one in asked or one.key not in keys_fixed | keys_asked]
    return _ordered(_settled(_once(kept), base))


def _of_file(rules: Mapping[str, str], words: Sequence[str], compose: Composer, elsewhere: set[str]) -> list[Parameter]:
    """What a space file says, and what the choices that it marks scientific bring beside that."""
    own = [_of_rule(key, rule, words, compose) for key, rule in rules.items()]
    marked = [one for one in own if one.role == "scientific" and one.key not in elsewhere]
    said = {one.key for one in own if not one.when}
    return own + [one for each in marked for one in _brought(each, words, compose) if one.key not in said]


def _of_rule(key: str, rule: str, words: Sequence[str], compose: Composer) -> Parameter:
    """Under `optimizer=adam/lr` of one branch alone."""
    branch, _, name = key.partition("/")
    group, _, choice = branch.partition("=")
    if not name:
        return parsed(key, rule)
    if choice not in door.groups().get(group, ()) or group == LIST:
        raise UsageError(f"space.{key}: got the branch {branch}, allowed group=choice/knob")
    node = OmegaConf.select(compose([*words, branch]), group)
    return parsed(_key(node, group, name), rule, key, ((group, (choice,)),))


def _rules(file: dict[str, Any]) -> dict[str, str]:
    """The rules of a space file, whose other keys are its budget and what becomes of points that cannot be built."""
    if unknown := sorted(set(file) - set(FILE_KEYS)):
        raise UsageError(f"space.{unknown[0]}: unknown key; allowed under space: {' '.join(FILE_KEYS)}")
    if file.get("infeasible", "refuse") not in ("skip", "refuse"):
        raise UsageError(f"space.infeasible: got {file['infeasible']}, allowed skip | refuse")
    budget = file.get("n_trials")
    if budget is not None and (not isinstance(budget, int) or budget < 1):
        raise UsageError(f"space.n_trials: got {budget}, allowed int [1, inf) | null")
    rules = file.get("parameters") or {}
    if not isinstance(rules, dict):
        raise UsageError(f"space.parameters: got {rules}, allowed key: rule, one a line")
    return {str(key): str(rule) for key, rule in rules.items()}


def current(parameters: Sequence[Parameter], base: DictConfig) -> Point:
    """The configuration as it stands, as a point."""
    return {parameter.key: text for parameter in parameters if (text := _text(base, parameter.key)) is not None}


def _brought(parameter: Parameter, words: Sequence[str], compose: Composer) -> list[Parameter]:
    """The spaces of the choices of a swept group, each under its choice."""
    if parameter.key not in door.groups():
        return []
    found = []
    for choice in parameter.choices:
        composed = compose([*words, f"{parameter.key}={choice}"])
        if parameter.key != LIST:
            found += _own(composed, parameter.key, f"{parameter.key}={choice}/", ((parameter.key, (choice,)),))
            continue
        for item in composed.regularization:
            holding = tuple(one for one in parameter.choices if item in _items(one))
            found += _own(composed, f"{LIST}.{item}", f"{LIST}={item}/", ((LIST, holding),))
    return found


def _own(composed: DictConfig, path: str, prefix: str, when: tuple[Condition, ...]) -> list[Parameter]:
    """The `space` beside a `_target_`: of the node's own knobs, or of root knobs that it follows."""
    if path == LIST:
        return [one for item in composed[LIST] for one in _own(composed, f"{LIST}.{item}", prefix, when)]
    node = OmegaConf.select(composed, path)
    space = None if node is None else OmegaConf.select(node, "space")
    if space is None:
        return []
    found = []
    for name, rule in _plain(space).items():
        key = _key(node, path, str(name))
        found.append(parsed(key, str(rule), f"{prefix}{name}" if prefix else key, when))
    return found


def _key(node: Any, path: str, name: str) -> str:
    """Of a node's knob by its name: its own, or a root knob that it follows."""
    allowed = OmegaConf.select(node, "allowed") or {}
    is_own = name in allowed and not str(allowed[name]).startswith("follows ")
    return f"{path}.{name}" if is_own else name


def _plain(node: Any) -> dict[str, Any]:
    return cast(dict[str, Any], OmegaConf.to_container(node))


def _items(choice: str) -> list[str]:
    return [item.strip(" '\"") for item in choice.strip("[]").split(",")]


def _once(parameters: Sequence[Parameter]) -> list[Parameter]:
    """The first of each name; two of one key without conditions are one too many."""
    by_name: dict[str, Parameter] = {}
    for parameter in parameters:
        by_name.setdefault(parameter.name, parameter)
    return list(by_name.values())


def _settled(parameters: Sequence[Parameter], base: DictConfig) -> list[Parameter]:
    """Conditions on what is not explored are decided now."""
    explored = {parameter.key for parameter in parameters}
    kept = []
    for parameter in parameters:
        decided = [(key, allowed) for key, allowed in parameter.when if key not in explored]
        for key, _ in decided:
            if _text(base, key) is None:
                raise UsageError(f"space.{parameter.key}: its condition names {key}, which does not exist")
        if all(any(is_same(str(_text(base, key)), one) for one in allowed) for key, allowed in decided):
            open_ones = tuple(one for one in parameter.when if one not in decided)
            kept.append(replace(parameter, when=open_ones))
    return kept


def _ordered(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Each after those that its conditions name."""
    waiting, ordered = list(parameters), list[Parameter]()
    while waiting:
        open_keys = {parameter.key for parameter in waiting}
        ready = [one for one in waiting if not {key for key, _ in one.when} & open_keys]
        if not ready:
            raise UsageError(f"space.{waiting[0].key}: its condition depends on itself")
        ordered += ready
        waiting = [one for one in waiting if one not in ready]
    return ordered


def _text(base: DictConfig, key: str) -> str | None:
    """The current value as an override writes it; None where the key does not exist."""
    choices: Mapping[str, Any] = base.hydra.runtime.choices
    if key == LIST:
        return "[" + ",".join(base[LIST]) + "]"
    if key in choices:
        return str(choices[key])
    value = OmegaConf.select(base, key)
    if value is None:
        return None
    return _written(OmegaConf.to_container(value) if OmegaConf.is_config(value) else value)


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
