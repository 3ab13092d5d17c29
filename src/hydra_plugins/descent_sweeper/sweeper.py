"""The class that Hydra finds; what it does is in _grid.py and, with `search=`, in _search.py."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.descent_sweeper import config as _registered  # noqa: F401  the import registers it


class DescentSweeper(Sweeper):
    """Plain multirun: the exhaustive grid of Hydra's own sweep grammar. With `search=` a study of Optuna's."""

    def __init__(self) -> None:
        self._setup: dict[str, Any] = {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._setup = {"hydra_context": hydra_context, "task_function": task_function, "config": config}

    def sweep(self, arguments: list[str]) -> Any:
        choices = self._setup["config"].hydra.runtime.choices
        chosen = bool(choices.get("search") or choices.get("space"))  # an experiment may choose them too
        if chosen or any(argument.startswith(("search=", "space=")) for argument in arguments):
            from hydra_plugins.descent_sweeper._search import explore

            return explore(arguments, **self._setup)
        from hydra_plugins.descent_sweeper._grid import run_grid

        return run_grid(arguments, **self._setup)
