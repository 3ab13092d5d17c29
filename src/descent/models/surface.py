"""A function of two variables in a network's place: its only weights are the point where it is evaluated."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from descent.errors import UsageError

Function = Callable[[Tensor, Tensor], Tensor]


def _saddle(x: Tensor, y: Tensor) -> Tensor:
    return (x**2 - y**2) / 2 + y**4 / 4


def _rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _himmelblau(x: Tensor, y: Tensor) -> Tensor:
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def _quadratic(x: Tensor, y: Tensor) -> Tensor:
    return (x**2 + 25 * y**2) / 2


def _plateau(x: Tensor, y: Tensor) -> Tensor:
    return 1 - torch.exp(-(x**2 + y**2) / 2)


# The function, and how far from the origin a drawn start may lie along each axis.
SURFACES: dict[str, tuple[Function, float]] = {
    "saddle": (_saddle, 2.0),  # flat at (0, 0), minima at (0, -1) and (0, 1)
    "rosenbrock": (_rosenbrock, 2.0),  # a bent ravine, minimum at (1, 1)
    "himmelblau": (_himmelblau, 5.0),  # four minima of 0
    "quadratic": (_quadratic, 5.0),  # a straight ravine, 25 times as steep across; minimum at (0, 0)
    "plateau": (_plateau, 4.0),  # almost flat but for a hole at (0, 0)
}


class Surface(nn.Module):
    """The value at `point` displaced by `noise` times the sample's first two features: one output a sample.

    The mean over samples is what a loss is over data: its gradient over a minibatch is noisy, over all samples exact.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        outputs: int,
        surface: str,
        start: Sequence[float] | None = None,
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        if outputs != 1 or len(input_shape) != 1 or input_shape[0] < 2:
            raise UsageError(
                "model: got surface, allowed with two features or more and one target "
                f"({list(input_shape)} and {outputs} here); use experiment=landscape"
            )
        self.function, reach = SURFACES[surface]
        drawn = torch.empty(2).uniform_(-reach, reach)
        self.point = nn.Parameter(drawn if start is None else torch.tensor(start, dtype=drawn.dtype))
        self.noise = noise

    def forward(self, inputs: Tensor) -> Tensor:
        places = self.point + self.noise * inputs[:, :2]
        return self.function(places[:, :1], places[:, 1:])
