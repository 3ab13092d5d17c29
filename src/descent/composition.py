"""Composing with Hydra, and one line of ours for each of the many ways in which it refuses an override."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from descent.config import ABOUT_NODES, unknown_key
from descent.errors import DescentError, UsageError
from descent.rules import LONGEST_LINE, Mismatch, check, cut, near, refuse

CONFIG_DIRECTORY = Path(__file__).parents[2] / "conf"
PRIMARY = "config"
LISTS = ("regularization",)  # groups that take several choices at once
# What Hydra says of a wrong flag: the beginning of its message, the flag, what it takes.
FLAGS = (
    ("Cannot find primary config", "--config-name", "a YAML file of conf/, without .yaml"),
    ("Primary config directory", "--config-path", "a directory that exists"),
    ("Additional config directory", "--config-dir", "a directory that exists"),
)
_UNKNOWN = re.compile(r"Key '[^']*' (is )?not in|No match in the defaults list|has no attribute")
_PLAIN_PATH = re.compile(r"[\w:/.-]+")
_QUOTED = re.compile(r"'([^']+)'")


def compose(overrides: Sequence[str] = (), searchpath: Sequence[str] = (), primary: Sequence[str] = ()) -> DictConfig:
    """What a command line with these overrides composes; choices lie in `searchpath` too.

    `primary` is the folder of conf/ and the file in it that everything begins with, where they are others.
    """
    taken = [searched(searchpath), *overrides] if searchpath else list(overrides)
    directory, name = primary or (str(CONFIG_DIRECTORY), PRIMARY)
    with _set_aside(), hydra.initialize_config_dir(directory, version_base="1.3"):
        return hydra.compose(name, overrides=taken, return_hydra_config=True)


@contextmanager
def _set_aside() -> Iterator[None]:
    """A Hydra that runs, a multirun's, is there again afterwards: there can be only one."""
    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = running  # of another instance, perhaps: composing puts a copy in its place


def without_hydra(composed: DictConfig) -> dict[str, Any]:
    """The job's own part as plain values, not yet resolved."""
    plain = cast(dict[str, Any], OmegaConf.to_container(composed))
    return {key: value for key, value in plain.items() if key != "hydra"}


def refuse_impossible(words: Sequence[str], *, multirun: bool) -> None:
    """What Hydra would take and nobody can mean, or would answer with a page."""
    for word in words:
        override = _parsed(word)
        if not override.key_or_group.startswith("hydra"):
            _refuse_shape(override)
            _refuse_value(override, multirun)


def explained(error: Exception, words: Sequence[str], config_dir: str | None = None) -> Exception:
    """The refusal of a composition, named by the override that brought it; `config_dir` is where else choices lie."""
    if isinstance(error, DescentError) or (isinstance(error, OSError) and not isinstance(error, HydraException)):
        return error
    text = _text(error)
    for beginning, flag, allowed in FLAGS:
        if text.startswith(beginning):
            return refuse(flag, (_QUOTED.search(text) or ["", ""])[1], allowed)
    taken = [f"hydra.searchpath=['file://{Path(config_dir).absolute()}']"] if config_dir else _outside()
    GlobalHydra.instance().clear()
    plain = [word for word in words if not _parsed(word).is_sweep_override()]
    for word in sorted(plain, key=lambda word: _parsed(word).key_or_group not in groups()):
        try:
            compose([*taken, word])
        except Exception as refusal:
            return _refused(_parsed(word), refusal, taken)
        taken.append(word)
    return UsageError(cut(text, LONGEST_LINE)) if isinstance(error, HydraException) else error


def searchpath() -> list[str]:
    """Where else than in conf/ the command that runs looks for choices: --config-dir, hydra.searchpath."""
    running = GlobalHydra.instance().hydra
    path = running.config_loader.get_search_path().get_path() if running else []
    return [part.path for part in path if part.provider.endswith("command-line")]


def primary(name: str) -> list[str]:
    """What the command that runs begins with, --config-path and --config-name; nothing where that is as ever."""
    running = GlobalHydra.instance().hydra
    path = running.config_loader.get_search_path().get_path() if running else []
    directory = next((part.path.removeprefix("file://") for part in path if part.provider == "main"), "")
    is_ours = not directory or Path(directory).resolve() == CONFIG_DIRECTORY
    return [] if is_ours and name == PRIMARY else [str(Path(directory or CONFIG_DIRECTORY).resolve()), name]


def searched(path: Sequence[str]) -> str:
    """The override that says so to a command."""
    quoted = [one if _PLAIN_PATH.fullmatch(one) else "'" + one.replace("'", "\\'") + "'" for one in path]
    return f"hydra.searchpath=[{','.join(quoted)}]"


def _outside() -> list[str]:
    """The same of a multirun's point, whose Hydra is still there to be asked."""
    return [searched(path)] if (path := searchpath()) else []


@cache
def groups() -> dict[str, list[str]]:
    """Group → its choices, as conf/ has them."""
    folders = (folder for folder in CONFIG_DIRECTORY.iterdir() if folder.is_dir() and folder.name != "hydra")
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


def _parsed(word: str) -> Override:
    try:
        return OverridesParser.create().parse_override(word)
    except (HydraException, ValueError):  # a number of 5,000 digits is a ValueError
        key = word.partition("=")[0].lstrip("+~")
        if "=" not in word:
            raise refuse(key, "no value", "key=value") from None
        raise refuse(key, word, "key=value that Hydra can read", "quote it for the shell and for Hydra") from None


def _refuse_shape(override: Override) -> None:
    key, word = override.key_or_group, override.input_line
    if not key:
        raise refuse(str(word), word, "key=value")
    if override.is_delete():
        raise refuse(key, word, f"{key}=…", "no key can be taken away")
    if override.package is not None:
        raise refuse(key, word, f"{key}=…", "every group has its place")
    is_space_file = key.split(".")[0] == "space"
    if not is_space_file and (described := [part for part in key.split(".") if part in ABOUT_NODES]):
        raise refuse(key, word, "nothing", f"{described[0]} describes the knobs beside it and is none")
    if key in groups() and (override.is_add() or override.is_force_add()):
        raise refuse(key, word, f"{key}=…", "leave out the +")


def _refuse_value(override: Override, multirun: bool) -> None:
    key, value = override.key_or_group, override.value()
    if override.is_sweep_override():
        if not multirun:
            given = override.get_value_string()
            hint = "" if key in groups() and key not in LISTS else f"; a list is {key}=[…]"
            raise refuse(key, given, "one value", f"-m runs each of several, add it{hint}")
        return
    if key not in groups() or isinstance(value, dict) or (isinstance(value, str) and value):
        return
    if key not in LISTS or not isinstance(value, list):
        raise refuse(key, value, " | ".join(groups()[key]))
    if not value:
        raise refuse(key, value, "at least one item", f"use {key}=[none]")


def _refused(override: Override, error: Exception, taken: Sequence[str]) -> UsageError:
    """`taken` composes, and with the override no more."""
    key, text = override.key_or_group, _text(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        choices = list(error.options or groups().get(group, []))
        return refuse(group, choice, " | ".join(choices), near(choice, choices))
    if key.startswith("hydra"):
        return refuse(key, override.get_value_string(), "a key of Hydra's", "--cfg hydra shows them")
    if _UNKNOWN.search(text) or not isinstance(error, HydraException):
        known = without_hydra(compose(taken))
        return _missing_item(key, known) or _no_knobs(override, known) or _as_item(override) or unknown_key(key, known)
    return UsageError(cut(f"{key}: {text}", LONGEST_LINE))


def _missing_item(key: str, known: dict[str, Any]) -> UsageError | None:
    """`regularization.dropout.p` without dropout in the list is no typo."""
    group, _, rest = key.partition(".")
    item = rest.partition(".")[0]
    if group not in LISTS or item in known.get(group, {}):
        return None
    items = [name for name in known.get(group, {}) if name != "none"]
    hint = f"set {group}=[{','.join([*items, item])}]" if item in groups()[group] else near(item, groups()[group])
    return refuse(key, item, f"an item of {group}=[{','.join(items) or 'none'}]", hint)


def _no_knobs(override: Override, known: dict[str, Any]) -> UsageError | None:
    """`augmentation.flip=0.5` under a choice that has no knobs at all."""
    group = override.key_or_group.partition(".")[0]
    node = known.get(group)
    if group in LISTS or group not in groups() or not isinstance(node, dict) or set(node) - set(ABOUT_NODES):
        return None
    others = [choice for choice in groups()[group] if choice != "none"]
    allowed = f"with {group}={' | '.join(others)}"
    return refuse(override.key_or_group, override.get_value_string(), allowed, "none has no knobs")


def _as_item(override: Override) -> UsageError | None:
    """`dropout=0.3` names an item of a list, and a number is its first knob's."""
    key = override.key_or_group
    group = next((one for one in LISTS if key in groups()[one] and key != "none"), None)
    if group is None:
        return None
    given = override.get_value_string()
    node = OmegaConf.load(CONFIG_DIRECTORY / group / f"{key}.yaml")
    knob, rule = next(iter(node.allowed.items()), ("", "")) if "allowed" in node else ("", "")
    with suppress(Mismatch):
        check(str(rule), override.value())
        return refuse(key, given, f"{group}=[…]", f"did you mean {group}=[{key}] {group}.{key}.{knob}={given}?")
    return refuse(key, given, f"{group}=[…]", f"did you mean {group}=[{key}]?")


def _text(error: BaseException) -> str:
    cause = error.__cause__
    said = f"{error} {cause or ''}" if not isinstance(cause, OmegaConfBaseException) else f"{error} {cause.msg}"
    return " ".join(said.split())
