"""Hydra without its repetitions: what a command line chooses is looked up and merged once a process, not each time.

What is remembered follows from the choices of groups and from the files, whose sizes and times are looked at each time.
The values of a command line, its checks and all that is ours stay as they are; tests/test_remembering.py compares.
"""

import os
import pickle
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig

_looked_up = defaults_list._create_defaults_list
_merged = ConfigLoaderImpl._compose_config_from_defaults_list
_known: dict[Any, bytes] = {}  # pickled: whoever takes one may change it


def remembering() -> AbstractContextManager[None]:
    """Inside, compositions of this process remember."""
    return _with(_look_up, _merge)


def plain() -> AbstractContextManager[None]:
    """Inside that, Hydra as it is."""
    return _with(_looked_up, _merged)


@contextmanager
def _with(look_up: Any, merge: Any) -> Iterator[None]:
    before = defaults_list._create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list
    _put(look_up, merge)
    try:
        yield
    finally:
        _put(*before)


def _put(look_up: Any, merge: Any) -> None:
    defaults_list._create_defaults_list = look_up
    ConfigLoaderImpl._compose_config_from_defaults_list = merge  # type: ignore[method-assign]


def _look_up(repo: Any, config_name: str, overrides: Any, **how: bool) -> Any:
    """The defaults list, and what looking for it does to the overrides."""
    key = _files(repo), config_name, *how.items(), pickle.dumps(_state(overrides))
    if key not in _known:
        _known[key] = pickle.dumps((_looked_up(repo, config_name, overrides, **how), _state(overrides)))
    found, state = pickle.loads(_known[key])
    vars(overrides).update(state)
    return found


def _state(overrides: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(overrides).items() if name != "config_overrides"}


def _merge(self: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> DictConfig:
    key = _files(repo), repr(defaults)
    if key not in _known:
        _known[key] = pickle.dumps(_merged(self, defaults, repo))
    merged: DictConfig = pickle.loads(_known[key])
    return merged


def _files(repo: Any) -> tuple[Any, ...]:
    """Where it looks, and the size and time of every file there."""
    sources = [(source.scheme(), source.path, source.provider) for source in repo.get_sources()]
    folders = [path for scheme, path, _ in sources if scheme == "file"]
    return *sources, *(stamp for folder in folders for stamp in _stamps(folder))


def _stamps(folder: str) -> Iterator[tuple[str, int, int]]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _stamps(entry.path)
            else:
                yield entry.path, entry.stat().st_mtime_ns, entry.stat().st_size
