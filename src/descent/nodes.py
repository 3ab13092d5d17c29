"""From a node of the configuration to an object: the only place where a `_target_` becomes one."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate

from descent import rules
from descent.config import ABOUT_TARGETS, Component
from descent.errors import DescentError, UsageError
from descent.interpolation import copied

_callables: "dict[str, partial[Any]]" = {}


def build(key: str, component: Component, **provided: Any) -> Any:
    """The object of a component; what cannot be built is refused in a line that begins with the key."""
    try:
        return _built(component.settings, provided)
    except Exception as error:
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if isinstance(cause, DescentError):
            raise cause from None
        raise UsageError(
            rules.cut(f"{key}: {component.target} cannot be built: {cause}", rules.LONGEST_LINE)
        ) from error


def _built(settings: Mapping[str, Any], provided: Mapping[str, Any]) -> Any:
    """What Hydra makes of a node; of one without nodes in it by a call, a fifth of the time in which Hydra reads it."""
    own = {name: value for name, value in settings.items() if name not in ABOUT_TARGETS}
    if "_target_" not in settings or any(name[:1] == "_" for name in own) or _has_nodes(own):
        return instantiate({**settings, "_convert_": "all"}, **provided)
    made = partial(_callable(settings["_target_"]), **copied({**own, **provided}))
    return made if settings.get("_partial_") else made()


def _callable(target: str) -> Callable[..., Any]:
    """Made by Hydra, which watches over what a configuration may call; anew where its module was loaded again."""
    if target not in _callables or _callables[target].func is not get_object(target):
        _callables[target] = instantiate({"_target_": target, "_partial_": True})
    return _callables[target]


def _has_nodes(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(map(_has_nodes, value.values()))
    return isinstance(value, list) and any(map(_has_nodes, value))
