"""Metrics as sums on the device: added over batches, turned into numbers once."""

from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from descent.errors import DataError
from descent.rules import refuse
from descent.tasks import ranking
from descent.vocabulary import RANKED, TOP

if TYPE_CHECKING:
    from descent.data.split import Data

Loss = Callable[[Tensor, Tensor], Tensor]
BLOCK = 4096
FEW = 20  # classes


class Measures(Protocol):
    """`ranked`: the splits whose outputs are kept for `ranks` in every epoch, because something reads one."""

    ranked: Set[str]

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor: ...

    def metrics(self, sums: Tensor) -> dict[str, float]: ...

    def ranks(self, outputs: Tensor, targets: Tensor) -> dict[str, float]: ...


def predicted(outputs: Tensor) -> Tensor:
    """The class of each sample; a single output stands for the log-odds of class 1."""
    return outputs.argmax(1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).long()


def confusion(outputs: Tensor, targets: Tensor, classes: int) -> Tensor:
    """How many samples of each class (rows) are taken for which (columns)."""
    places = targets * classes + predicted(outputs)
    return torch.bincount(places, minlength=classes**2).view(classes, classes)


class Classification:
    """Sums: the confusion matrix of few classes; of many what is needed of it, so that there may be any number.

    That is, one a class: samples that were right (and one number of those that were not), samples, predictions.
    """

    def __init__(self, classes: int, ranked: Set[str] = frozenset()) -> None:
        self.classes, self.ranked = classes, ranked

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        guesses, classes = predicted(outputs), self.classes
        if classes <= FEW:
            return torch.bincount(torch.add(guesses, targets, alpha=classes), minlength=classes**2)
        right = torch.where(guesses == targets, targets, classes)
        places = torch.cat([right, targets + (classes + 1), guesses + (2 * classes + 1)])
        return torch.bincount(places, minlength=3 * classes + 1)

    def metrics(self, sums: Tensor) -> dict[str, float]:
        right, support, claimed = self._counts(sums.cpu().numpy())
        both = support + claimed
        shares = (right / np.maximum((claimed, support, both), 1)).sum(1) / np.count_nonzero(both)
        precision, recall, half_f1 = shares.tolist()
        accuracy = int(right.sum()) / int(support.sum())
        return {"accuracy": accuracy, "precision": precision, "recall": recall, "f1": 2 * half_f1}

    def _counts(self, sums: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
        """Of each class, what was right, what was there, what was predicted."""
        if self.classes <= FEW:
            table = sums.reshape(self.classes, self.classes)
            return table.diagonal(), table.sum(1), table.sum(0)
        return sums[: self.classes], *np.split(sums[self.classes + 1 :], 2)

    def ranks(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Where they mean something: the top five of more than five classes, the AUC where two classes are there."""
        found = {"auc": ranking.macro_auc(ranking.probabilities(outputs), targets)}
        if self.classes > TOP:
            found["top5"] = ranking.top_accuracy(outputs, targets)
        return {name: value for name, value in found.items() if value == value}


def per_class(
    right: npt.NDArray[Any], support: npt.NDArray[Any], claimed: npt.NDArray[Any]
) -> dict[str, npt.NDArray[np.float64]]:
    """Precision, recall and F1 of each class; 0 where nothing was predicted, or nothing was there."""
    return {
        "precision": right / np.maximum(claimed, 1),
        "recall": right / np.maximum(support, 1),
        "f1": 2 * right / np.maximum(support + claimed, 1),
    }


class Regression:
    """Per target, sums of: samples, |error|, error², target, target². R² is averaged over the targets."""

    ranked: Set[str] = frozenset()

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        target = targets.double()
        error = outputs.double() - target
        return torch.stack([torch.ones_like(error), error.abs(), error.square(), target, target.square()]).sum(1)

    def metrics(self, sums: Tensor) -> dict[str, float]:
        samples, absolute, squared, target, target_squared = sums.cpu()
        spread = target_squared - target.square() / samples
        r2 = torch.where(spread > 0, 1 - squared / spread, torch.nan)
        mean = {name: float((part / samples).mean()) for name, part in (("mse", squared), ("mae", absolute))}
        return {**mean, "r2": float(r2.mean())}

    def ranks(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        return {}


class Tally:
    """The loss and the metrics of what has been added, without a transfer from the device until they are asked for.

    Sums are formed over blocks of a fixed size, so that they do not depend, to the last bit, on the batches it came in.
    """

    def __init__(self, loss: Loss, measures: Measures, *, ranked: bool = False) -> None:
        self.rows = 0
        self._loss, self._measures = loss, measures
        self._loss_sum: Tensor | None = None
        self._sums: Tensor | None = None
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self._waiting_rows = 0
        self._kept: list[tuple[Tensor, Tensor]] | None = [] if ranked else None

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
        if self._kept is not None:
            self._kept.append((outputs, targets))
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
            "kept": [list(pair) for pair in self._kept or []],
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        def there(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        self.rows, self._loss_sum, self._sums = state["rows"], there(state["loss_sum"]), there(state["sums"])
        self._waiting, kept = (
            [(outputs.to(device), targets.to(device)) for outputs, targets in state[name]]
            for name in ("waiting", "kept")
        )
        self._kept = None if self._kept is None else kept
        self._waiting_rows = sum(len(targets) for _, targets in self._waiting)

    def metrics(self) -> dict[str, float]:
        """Means over everything added, and what is made of all of it at once."""
        self._fold_waiting()
        assert self._loss_sum is not None and self._sums is not None, "nothing was added"
        ranks = self._measures.ranks(*map(torch.cat, zip(*self._kept, strict=True))) if self._kept else {}
        return {"loss": float(self._loss_sum) / self.rows, **self._measures.metrics(self._sums), **ranks}


def measures_of(data: "Data", monitored: Set[str] = frozenset()) -> Measures:
    """The metrics of the data's task, those among them that cost much only where one of `monitored` is read."""
    if data.task != "classification":
        return Regression()
    read = {metric for metric in monitored if metric.rpartition("/")[2] in RANKED}
    for metric in sorted(read):
        _refuse_meaningless(metric, data)
    return Classification(data.outputs, frozenset(metric.partition("/")[0] for metric in read))


def class_names(data: "Data") -> list[str]:
    """As the dataset names them, else their numbers."""
    return list(data.classes) or [str(number) for number in range(data.outputs)]


def _refuse_meaningless(metric: str, data: "Data") -> None:
    split, _, name = metric.partition("/")
    if name == "top5" and data.outputs <= TOP:
        raise refuse(metric, f"{data.outputs} classes", "more than 5", f"use {split}/accuracy")
    part = data.val if split == "val" else data.train
    if name == "auc" and part is not None and bool((part.targets == part.targets[0]).all()):
        raise DataError(f"{metric}: the {split} split of {data.name} has one class only; read {split}/accuracy")
