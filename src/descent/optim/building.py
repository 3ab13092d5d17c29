"""From an optimizer's constructor to the optimizer of a model, and to who makes its steps."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.optim import Optimizer

from descent import rules
from descent.errors import UsageError
from descent.regularization.method import Gradients, Method, StepOwner, weights


class ClosureStep(StepOwner):
    """For an optimizer that asks for the loss and its gradient as often as it likes within a step, as LBFGS does."""

    def step(self, gradients: Gradients, optimizer: Optimizer) -> Tensor:
        """The loss that the step began with."""
        return cast(Tensor, optimizer.step(cast(Callable[[], float], gradients)))


def on_model(factory: "partial[Optimizer]", weight_decay: float) -> Callable[[nn.Module], Optimizer]:
    """A function of the model: decay acts on weights, not on biases and norms; fused kernels where torch has them."""
    takes = inspect.signature(_constructor(factory)).parameters
    decided = {"fused", "foreach", "differentiable"} & set(factory.keywords)
    fused = {"fused": True} if "fused" in takes and not decided else {}

    def build(model: nn.Module) -> Optimizer:
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        groups: Any = parameters
        if weight_decay > 0:
            decayed = {id(weight) for weight in weights(parameters)}
            exempt = [parameter for parameter in parameters if id(parameter) not in decayed]
            groups = [{"params": weights(parameters)}, {"params": exempt, "weight_decay": 0.0}]
        return factory(groups, **fused)

    return build


def refuse_unbuildable(build: Callable[[nn.Module], Optimizer], model: nn.Module, target: str | None) -> None:
    """Optimizers check their arguments when they meet the weights: now rather than after the run has begun."""
    try:
        build(model)
    except Exception as error:
        raise UsageError(rules.cut(f"optimizer: {target} cannot be built: {error}", rules.LONGEST_LINE)) from error


def owner_of(factory: "partial[Optimizer]", methods: Sequence[Method] = ()) -> StepOwner:
    """The method that makes the steps itself; else, whose `step` cannot do without a closure gets one."""
    if owners := [method for method in methods if isinstance(method, StepOwner)]:
        return owners[0]
    closure = inspect.signature(cast(Any, _constructor(factory)).step).parameters.get("closure")
    return ClosureStep() if closure is not None and closure.default is closure.empty else StepOwner()


def _constructor(factory: Callable[..., Any]) -> Callable[..., Any]:
    """The class itself, in whatever it is wrapped to be called later."""
    while isinstance(factory, partial):
        factory = factory.func
    return factory
