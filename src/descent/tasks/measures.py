"""Metrics as sums on the device: added over batches, turned into numbers once."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
BLOCK = 4096


class Measures(Protocol):
    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor: ...

    def metrics(self, sums: Tensor) -> dict[str, float]: ...


def predicted(outputs: Tensor) -> Tensor:
    """The class of each sample; a single output stands for the log-odds of class 1."""
    return outputs.argmax(1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).long()


class Classification:
    """Sums: samples, correct ones."""

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        correct = (predicted(outputs) == targets).sum()
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
    """The loss and the metrics of what has been added, without a transfer from the device until they are asked for.

    Sums are formed over blocks of a fixed size, so that they do not depend, to the last bit, on the batches it came in.
    """

    def __init__(self, loss: Loss, measures: Measures) -> None:
        self.rows = 0
        self._loss, self._measures = loss, measures
        self._loss_sum: Tensor | None = None
        self._sums: Tensor | None = None
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self._waiting_rows = 0

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """A batch's outputs and targets."""
        self._waiting.append((outputs, targets))
        self._waiting_rows += len(targets)
        self.rows += len(targets)
        if self._waiting_rows < BLOCK:
            return
        blocks = self._blocks()
        if len(blocks[-1][1]) < BLOCK:
            self._waiting = [blocks.pop()]
        self._waiting_rows = sum(len(targets) for _, targets in self._waiting)
        for block in blocks:
            self._fold(*block)

    def _blocks(self) -> list[tuple[Tensor, Tensor]]:
        outputs, targets = (torch.cat(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting = []
        return list(zip(torch.split(outputs, BLOCK), torch.split(targets, BLOCK), strict=True))

    def _fold_waiting(self) -> None:
        for block in self._blocks() if self._waiting else []:
            self._fold(*block)

    def _fold(self, outputs: Tensor, targets: Tensor) -> None:
        if torch.finfo(outputs.dtype).bits < 32:
            outputs = outputs.float()  # autocast's outputs are rounded; sums of them need not be
        loss = self._loss(outputs, targets).double() * len(targets)
        sums = self._measures.sums(outputs, targets)
        self._loss_sum = loss if self._loss_sum is None else self._loss_sum + loss
        self._sums = sums if self._sums is None else self._sums + sums

    def reduce(self, over_devices: Callable[..., Any]) -> None:
        """Add up what several devices have tallied."""
        self._fold_waiting()
        assert self._loss_sum is not None and self._sums is not None, "nothing was added"
        self._loss_sum, self._sums, rows = (
            over_devices(part, reduce_op="sum")
            for part in (self._loss_sum, self._sums, self._sums.new_tensor(self.rows))
        )
        self.rows = int(rows)

    def state_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "loss_sum": self._loss_sum,
            "sums": self._sums,
            "waiting": [list(pair) for pair in self._waiting],
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        def there(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        self.rows, self._loss_sum, self._sums = state["rows"], there(state["loss_sum"]), there(state["sums"])
        self._waiting = [(outputs.to(device), targets.to(device)) for outputs, targets in state["waiting"]]
        self._waiting_rows = sum(len(targets) for _, targets in self._waiting)

    def metrics(self) -> dict[str, float]:
        """Means over everything added."""
        self._fold_waiting()
        assert self._loss_sum is not None and self._sums is not None, "nothing was added"
        return {"loss": float(self._loss_sum) / self.rows, **self._measures.metrics(self._sums)}


def measures_of(task: str) -> Measures:
    """The metrics of a task."""
    return Classification() if task == "classification" else Regression()
