"""The trained model as MLflow keeps it: a traced graph with signature and example, loadable without our code.

The graph format ("pt2") runs no code of ours or anybody's when it is loaded, needs no `descent` on the other side and
survives changes of our classes. What cannot be traced (control flow that depends on the data) is pickled instead, with
the package's source beside it.
"""

import copy
import importlib.metadata
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from descent.tracking.run import Run
from descent.tracking.store import quiet_mlflow

EXAMPLES = 2  # a batch of one would be traced as "always one"


def log_model(run: Run, module: torch.nn.Module, example: npt.NDArray[Any], name: str = "model") -> None:
    """Log the module in evaluation mode, for batches of any size. `example` is a small batch of its inputs."""
    run.model(name, lambda folder: save_model(module, example, folder))


def save_model(module: torch.nn.Module, example: npt.NDArray[Any], folder: Path) -> None:
    """Write the module as an MLflow model; `mlflow.pyfunc.load_model` takes the folder from anywhere."""
    quiet_mlflow()
    batch = _batch(example)
    own = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    with _calm():
        try:
            _save(own, batch, folder, "pt2")
        except Exception:  # torch.export raises whatever its tracer met
            shutil.rmtree(folder, ignore_errors=True)
            _save(own, batch, folder, "pickle")


def _save(module: torch.nn.Module, batch: npt.NDArray[Any], folder: Path, form: Literal["pt2", "pickle"]) -> None:
    import mlflow.pytorch
    from mlflow.models import infer_signature

    with torch.no_grad():
        output = module(torch.from_numpy(batch)).numpy()
    mlflow.pytorch.save_model(
        module,
        str(folder),
        signature=infer_signature(batch, output),
        input_example=batch,
        pip_requirements=[
            f"{library}=={importlib.metadata.version(library)}" for library in ("torch", "numpy", "mlflow")
        ],
        code_paths=[str(Path(__file__).parents[1])] if form == "pickle" else None,
        serialization_format=form,
    )


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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
