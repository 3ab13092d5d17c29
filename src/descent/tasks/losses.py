"""Losses: functions of a batch's outputs and targets, means over the batch.

A class target is a number, or a row of probabilities, one a class. Class weights multiply each class's part of a
sample's loss; the mean stays one over samples, so that the minibatches of a step add up to the step.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from descent.rules import refuse
from descent.vocabulary import LOSS

if TYPE_CHECKING:
    from descent.data.split import Data

ClassWeights = Sequence[float] | Literal["balanced"] | None


class ClassLoss:
    """What losses of classes share: their weights, one a class, or `balanced`: samples / (classes * samples of it)."""

    def __init__(self, class_weights: ClassWeights = None) -> None:
        self.class_weights = class_weights
        self._weights: Tensor | None = None

    def fit(self, data: "Data") -> int:
        """Learn the classes from the training split; how many outputs the model must have."""
        given = self.class_weights
        if given == "balanced":
            counts = torch.bincount(data.train.targets, minlength=data.outputs)
            self._weights = len(data.train) / (data.outputs * counts.clamp(min=1).double())
        elif given is not None:
            if len(given) != data.outputs:
                raise refuse("loss.class_weights", given, f"{data.outputs} numbers, one a class, balanced or null")
            self._weights = torch.tensor(given, dtype=torch.float64)
        return data.outputs

    def weighted(self, parts: Tensor) -> Tensor:
        """Each class's part of each sample's loss, summed; their mean."""
        if self._weights is not None:
            parts = parts * self._weights.to(parts)
        return parts.sum(1).mean()


class CrossEntropy(ClassLoss):
    """-sum of target * log softmax(outputs)."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self._weights is None:
            return F.cross_entropy(outputs, targets)
        outputs = _wide(outputs)
        return F.cross_entropy(outputs, targets, weight=self._weights.to(outputs), reduction="none").mean()


class Focal(ClassLoss):
    """-sum of target * (1 - p)^gamma * log p, p = softmax(outputs): what is well known already counts little."""

    def __init__(self, gamma: float, class_weights: ClassWeights = None) -> None:
        super().__init__(class_weights)
        self.gamma = gamma

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        known = F.log_softmax(_wide(outputs), 1)
        return self.weighted(-_rows(targets, known) * (-torch.expm1(known)) ** self.gamma * known)


class KL(ClassLoss):
    """sum of target * (log target - log softmax(outputs)): cross-entropy less the entropy of the targets."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        known = F.log_softmax(_wide(outputs), 1)
        wanted = _rows(targets, known)
        return self.weighted(torch.xlogy(wanted, wanted) - wanted * known)


class BCE(ClassLoss):
    """Of two classes, by one output: -t log sigmoid(output) - (1 - t) log(1 - sigmoid(output)), t = P(class 1)."""

    def fit(self, data: "Data") -> int:
        if data.outputs != 2:
            raise refuse("loss", "bce", "with two classes", f"{data.name} has {data.outputs}: use loss=cross_entropy")
        super().fit(data)
        return 1

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        value = _wide(outputs)[:, 0]
        wanted = (targets[:, 1] if targets.ndim == 2 else targets).to(value)
        return self.weighted(torch.stack([(1 - wanted) * F.softplus(value), wanted * F.softplus(-value)], 1))


class MSE:
    """Mean over samples and outputs of the squared error; class targets count as their one-hot code."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(outputs, _rows(targets, outputs))


class MAE:
    """Mean over samples and outputs of the absolute error: outliers pull no more than others."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.l1_loss(_wide(outputs), targets.to(_wide(outputs)))


class Huber:
    """Mean of error^2 / 2 within `delta`, of delta * (|error| - delta / 2) beyond."""

    def __init__(self, delta: float) -> None:
        self.delta = delta

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.huber_loss(_wide(outputs), targets.to(_wide(outputs)), delta=self.delta)


class Value:
    """The mean of the outputs: of a model that is itself a loss; targets are not asked."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return _wide(outputs).mean()


def for_task(task: str) -> CrossEntropy | MSE:
    """The loss that a task takes for granted."""
    return CrossEntropy() if LOSS[task] == "cross_entropy" else MSE()


def outputs_for(loss: Any, data: "Data") -> int:
    """How many outputs the model must have; a loss that wants to know the data meets it here."""
    return int(loss.fit(data)) if hasattr(loss, "fit") else data.outputs


def _rows(targets: Tensor, like: Tensor) -> Tensor:
    """Targets as the outputs are laid out: class numbers as their one-hot code."""
    rows = targets if targets.is_floating_point() else F.one_hot(targets, like.shape[1])
    return rows.to(like.dtype)


def _wide(outputs: Tensor) -> Tensor:
    """Autocast's outputs are rounded; what is computed from them need not be."""
    return outputs.float() if torch.finfo(outputs.dtype).bits < 32 else outputs
