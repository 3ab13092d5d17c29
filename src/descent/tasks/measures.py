"""Metrics as sums on the device: added over batches, turned into numbers once."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


class Measures(Protocol):
    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor: ...

    def metrics(self, sums: Tensor) -> dict[str, float]: ...


class Classification:
    """Sums: samples, correct ones."""

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        correct = (outputs.argmax(1) == targets).sum()
        return torch.stack([correct.new_tensor(len(targets)), correct])

    def metrics(self, sums: Tensor) -> dict[str, float]:
        samples, correct = sums.tolist()
        return {"accuracy": correct / samples}


class Regression:
    """Per target, sums of: samples, |error|, error², target, target². R² is averaged over the targets."""

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        target = targets.double()
        error = outputs.double() - target
        return torch.stack([torch.ones_like(error), error.abs(), error.square(), target, target.square()]).sum(1)

    def metrics(self, sums: Tensor) -> dict[str, float]:
        samples, absolute, squared, target, target_squared = sums.cpu()
        spread = target_squared - target.square() / samples
        r2 = torch.where(spread > 0, 1 - squared / spread, torch.nan)
        return {"mae": float((absolute / samples).mean()), "r2": float(r2.mean())}


class Tally:
    """The loss and the metrics of what has been added, without a transfer from the device until they are asked for."""

    def __init__(self, loss: Loss, measures: Measures) -> None:
        self.rows = 0
        self._loss, self._measures = loss, measures
        self._loss_sum: Tensor | None = None
        self._sums: Tensor | None = None

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """A batch's outputs and targets."""
        loss = self._loss(outputs, targets).double() * len(targets)
        sums = self._measures.sums(outputs, targets)
        self._loss_sum = loss if self._loss_sum is None else self._loss_sum + loss
        self._sums = sums if self._sums is None else self._sums + sums
        self.rows += len(targets)

    def metrics(self) -> dict[str, float]:
        """Means over everything added."""
        assert self._loss_sum is not None and self._sums is not None, "nothing was added"
        return {"loss": float(self._loss_sum) / self.rows, **self._measures.metrics(self._sums)}


def measures_of(task: str) -> Measures:
    """The metrics of a task."""
    return Classification() if task == "classification" else Regression()
