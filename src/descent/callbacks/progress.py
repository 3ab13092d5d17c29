"""What is seen while a run trains: a live bar on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import TYPE_CHECKING, Any, cast

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from descent.engine import Engine

HIDDEN = ("lr", "gradient_norm", "precision", "recall", "f1", "mse")
SECONDS_BETWEEN_LINES = 5.0


class LiveBar(pl.Callback):
    """Steps of the whole training with the last epoch's metrics, for a terminal."""

    def __init__(self, console: Console, steps: int) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}"),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("train", total=steps, epoch="1", metrics="")

    def on_fit_start(self, trainer: pl.Trainer, engine: pl.LightningModule) -> None:
        self._progress.start()

    def on_train_batch_end(self, trainer: pl.Trainer, engine: "Engine", *rest: Any) -> None:  # type: ignore[override]
        self._progress.update(self._task, completed=trainer.global_step, total=engine.pace.total)

    def on_train_epoch_end(self, trainer: pl.Trainer, engine: pl.LightningModule) -> None:
        epoch = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
        self._progress.update(self._task, completed=trainer.global_step, epoch=epoch, metrics=metrics_line(trainer))

    def on_fit_end(self, trainer: pl.Trainer, engine: pl.LightningModule) -> None:
        self._progress.stop()

    def on_exception(self, trainer: pl.Trainer, engine: pl.LightningModule, exception: BaseException) -> None:
        self._progress.stop()


class PlainLines(pl.Callback):
    """The first epoch, the last, and one every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: float | None = None
        self._printed = -1

    def on_train_epoch_end(self, trainer: pl.Trainer, engine: "Engine") -> None:  # type: ignore[override]
        now = time.monotonic()
        is_due = self._last is None or now - self._last >= SECONDS_BETWEEN_LINES
        if is_due and not engine.interrupted:  # else it is an epoch that was cut short
            self._last = now
            self._print(trainer, trainer.current_epoch)

    def on_fit_end(self, trainer: pl.Trainer, engine: "Engine") -> None:  # type: ignore[override]
        if trainer.current_epoch - 1 > self._printed and not engine.interrupted:
            self._print(trainer, trainer.current_epoch - 1)

    def _print(self, trainer: pl.Trainer, epoch: int) -> None:
        self._printed = epoch
        self._console.print(
            f"epoch {epoch + 1}/{trainer.max_epochs}  {metrics_line(trainer)}", highlight=False, soft_wrap=True
        )


def metrics_line(trainer: pl.Trainer) -> str:
    """The epoch's metrics, short: those that say most, and the one that decides."""
    engine = cast("Engine", trainer.lightning_module)
    decides = engine.recipe.best.objective.partition("/")[2]
    shown = {name: value for name, value in trainer.callback_metrics.items() if name.startswith(("train/", "val/"))}
    hidden = {f"{split}/{name}" for split in ("train", "val") for name in HIDDEN if name != decides}
    return "  ".join(f"{name} {float(value):.4g}" for name, value in shown.items() if name not in hidden)


def progress(console: Console, steps: int) -> pl.Callback:
    """The one that suits where the output goes."""
    return LiveBar(console, steps) if console.is_terminal and sys.stderr.isatty() else PlainLines(console)
