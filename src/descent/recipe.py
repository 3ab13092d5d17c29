"""How to train: everything the engine needs beside the model and the data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.optim import Optimizer

from descent.data.loading import Feed
from descent.optim.batch_growth import Fixed, Growth
from descent.optim.schedules import Schedule
from descent.regularization.method import Batch, Method, Penalty, StepOwner
from descent.restoring import BestWeights
from descent.tasks.measures import Loss, Measures


@dataclass(frozen=True)
class Recipe:
    """The parts of a training step and of an epoch, and how many epochs there are."""

    optimizer: Callable[[nn.Module], Optimizer]
    schedule: Schedule
    methods: Sequence[Method]
    loss: Loss
    measures: Measures
    feed: Feed
    best: BestWeights
    epochs: int
    owner: StepOwner = field(default_factory=StepOwner)
    hooked: bool = False  # serve Lightning's per-batch hooks: one minibatch a chunk, Lightning's own backward and step
    growth: Growth = field(default_factory=Fixed)


def batch_loss(
    module: nn.Module, batch: Batch, scalars: Mapping[str, float], loss: Loss, added: Sequence[Penalty] = ()
) -> tuple[Tensor, Tensor]:
    """The loss of a minibatch, with what methods add to it, and the outputs behind it, from its arguments alone."""
    outputs = module(batch[0])
    value = loss(outputs, batch[1])
    for penalty in added:
        value = penalty(value, module)
    return (value * scalars["share"] if "share" in scalars else value), outputs
