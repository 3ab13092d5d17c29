"""What takes part in training, and when.

A method overrides the moments that it needs; the engine calls only those, in the order of `rank`. Its state goes into
the checkpoint.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.autograd import profiler
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

Batch = tuple[Tensor, Tensor]
Gradients = Callable[[], Tensor]
Penalty = Callable[[Tensor, nn.Module], Tensor]
MOMENTS = ("batch_in", "loss", "after_backward", "after_step", "epoch_end", "evaluate")


class Method:
    """Base of everything that acts on a step. `rank` orders methods: penalties before clipping before noise."""

    rank = 50
    only_looks = False  # then it has no place in a checkpoint: a later sitting may be without it

    def join(self, model: nn.Module, outputs: int) -> None:
        """Called once, before the optimizer sees the weights; `outputs` counts the classes, or the targets."""

    def prepare(self, model: nn.Module) -> None:
        """Called once, with the model on its device."""

    def batch_in(self, batch: Batch) -> Batch:
        """Change a minibatch before the forward pass."""
        return batch

    def loss(self, loss: Tensor, model: nn.Module) -> Tensor:
        """Add to the loss."""
        return loss

    def after_backward(self, parameters: Sequence[nn.Parameter]) -> None:
        """Change the gradients of a step."""

    def after_step(self, parameters: Sequence[nn.Parameter]) -> None:
        """Change the weights after a step."""

    def epoch_end(self, epoch: int, metrics: Mapping[str, float]) -> str | None:
        """A reason to end the training, or nothing."""
        return None

    def evaluate(self, model: nn.Module) -> AbstractContextManager[None]:
        """Around every evaluation, for weights that differ from the trained ones."""
        return nullcontext()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        assert not state


Methods = Sequence[Method]


class StepOwner:
    """Makes one step of the optimizer; a closure or a two-pass method replaces it."""

    def step(self, gradients: Gradients, optimizer: Optimizer) -> Tensor:
        """`gradients` zeroes, computes and returns the loss; it may be called again."""
        loss = gradients()
        make_step(optimizer)
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert not state


def make_step(optimizer: Optimizer) -> None:
    """As optimizer.step() does; where neither hook nor profiler listens, without the wrapping that calls them.

    A small step feels it. What is wrapped otherwise, by whomever, is left alone.
    """
    whole = type(optimizer).step
    bare = getattr(whole, "__wrapped__", None)
    is_torchs = hasattr(whole, "hooked") and not hasattr(bare, "hooked") and "step" not in vars(optimizer)
    if bare is None or not is_torchs or _is_heard(optimizer):
        optimizer.step()
    else:
        bare(optimizer)


def _is_heard(optimizer: Optimizer) -> bool:
    hooks = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    everywhere = _global_optimizer_pre_hooks or _global_optimizer_post_hooks
    return bool(hooks or everywhere or profiler._is_profiler_enabled)


def moments(methods: Sequence[Method], moment: str) -> list[Callable[..., Any]]:
    """The bound moments that somebody implements, in order."""
    assert moment in MOMENTS
    ordered = sorted(methods, key=lambda method: method.rank)
    return [
        getattr(method, moment) for method in ordered if getattr(type(method), moment) is not getattr(Method, moment)
    ]


def penalised(parameters: Sequence[nn.Parameter]) -> tuple[list[Tensor], list[Tensor]]:
    """The weights that have a gradient, and those gradients: what a penalty adds its own to."""
    held: list[Tensor] = [weight.detach() for weight in weights(parameters) if weight.grad is not None]
    return held, [weight.grad for weight in weights(parameters) if weight.grad is not None]


def weights(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """The parameters that decay and penalties act on: matrices and kernels, not biases and norms."""
    return [parameter for parameter in parameters if parameter.ndim > 1]
