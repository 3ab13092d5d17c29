"""The trained model as MLflow keeps it: a traced graph with signature and example, loadable without our code.

The graph format ("pt2") runs no code of ours or anybody's when it is loaded, needs no `descent` on the other side and
survives changes of our classes. What cannot be traced (control flow that depends on the data) is kept as the caller
says: as what it is built from and its weights, for a loader of ours. Nothing is pickled.
"""

import copy
import importlib.metadata
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from descent.tracking.run import Run
from descent.tracking.store import quiet_mlflow

EXAMPLES = 2  # a batch of one would be traced as "always one"


@dataclass(frozen=True)
class Rebuilding:
    """How a module that cannot be traced is kept: a `loader` module builds it from what `write` left in a folder."""

    loader: str
    write: Callable[[torch.nn.Module, Path], None]
    sources: Sequence[Path]  # code that the loader needs where it is not installed
    libraries: Sequence[str]


def log_model(
    run: Run,
    module: torch.nn.Module,
    example: npt.NDArray[Any],
    name: str = "model",
    otherwise: Rebuilding | None = None,
) -> None:
    """Log the module in evaluation mode, for batches of any size. `example` is a small batch of its inputs."""
    run.model(name, lambda folder: save_model(module, example, folder, otherwise))


def save_model(
    module: torch.nn.Module, example: npt.NDArray[Any], folder: Path, otherwise: Rebuilding | None = None
) -> None:
    """Write the module as an MLflow model; `mlflow.pyfunc.load_model` takes the folder from anywhere."""
    quiet_mlflow()
    batch = _batch(example)
    own = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    with _calm():
        try:
            _save_graph(own, batch, folder)
        except Exception:  # torch.export raises whatever its tracer met
            if otherwise is None:
                raise
            shutil.rmtree(folder, ignore_errors=True)
            _save_rebuilding(own, batch, folder, otherwise)


def _save_graph(module: torch.nn.Module, batch: npt.NDArray[Any], folder: Path) -> None:
    import mlflow.pytorch

    mlflow.pytorch.save_model(
        module,
        str(folder),
        signature=_signature(module, batch),
        input_example=batch,
        pip_requirements=_pinned(("torch", "numpy", "mlflow")),
        serialization_format="pt2",
    )


def _save_rebuilding(module: torch.nn.Module, batch: npt.NDArray[Any], folder: Path, how: Rebuilding) -> None:
    import mlflow.pyfunc

    with TemporaryDirectory() as scratch:
        kept = Path(scratch, "network")
        how.write(module, kept)
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module=how.loader,
            data_path=str(kept),
            code_paths=[str(path) for path in how.sources],
            signature=_signature(module, batch),
            input_example=batch,
            pip_requirements=_pinned(how.libraries),
        )


def _signature(module: torch.nn.Module, batch: npt.NDArray[Any]) -> Any:
    from mlflow.models import infer_signature

    with torch.no_grad():
        return infer_signature(batch, module(torch.from_numpy(batch)).numpy())


def _pinned(libraries: Sequence[str]) -> list[str]:
    return [f"{library}=={importlib.metadata.version(library)}" for library in libraries]


def _batch(example: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Two examples: the size of the first dimension must be seen to vary."""
    batch = np.ascontiguousarray(example[:EXAMPLES])
    return batch if len(batch) == EXAMPLES else np.repeat(batch, EXAMPLES, axis=0)


@contextmanager
def _calm() -> Iterator[None]:
    """No warnings about what we chose on purpose."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "torch.export", "torch._export", "torch.fx")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
