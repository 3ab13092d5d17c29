"""Lets a Lightning Trainer, and any callback of Lightning's, write to our run."""

from argparse import Namespace
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from descent.tracking.run import Run


class DescentLogger(Logger):
    """What Lightning logs with an epoch is logged at that epoch, everything else at the step that it gives."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    @property
    def name(self) -> str:
        return self._run.name

    @property
    def version(self) -> str:
        return self._run.local_id

    @property
    def save_dir(self) -> None:
        """None: Lightning writes nothing of its own beside the run."""

    @property
    def experiment(self) -> Run:
        return self._run

    def sync(self) -> None:
        """What was logged so far outlives a loss of power."""
        self._run.sync()

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        values = dict(metrics)
        epoch = values.pop("epoch", None)
        self._run.metrics(values, int(epoch if epoch is not None else step or 0))

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        self._run.params(vars(params) if isinstance(params, Namespace) else params)
