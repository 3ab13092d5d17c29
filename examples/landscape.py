"""Optimizers on functions of two variables: the ways they go, drawn.

python examples/landscape.py              into docs/pictures/landscape.png
python examples/landscape.py out.png epochs=50
"""

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from runs import asked, drawn, trained

from descent.models.surface import SURFACES

OPTIMIZERS = {
    "gd": "C0",
    "momentum": "C1",
    "nesterov": "C2",
    "adagrad": "C3",
    "rmsprop": "C4",
    "adam": "C5",
}
# A panel each: overrides, and the rate of gd, momentum and nesterov, of adagrad, and of rmsprop and adam.
PANELS = {
    "saddle": (["model.surface=saddle", "model.start=[1.8,0.001]"], (0.05, 0.3, 0.03)),
    "rosenbrock": (["model.surface=rosenbrock", "model.start=[-1.2,1.0]"], (0.0005, 0.3, 0.03)),
    "himmelblau": (["model.surface=himmelblau", "model.start=[-0.3,-0.9]"], (0.003, 0.5, 0.05)),
    "noisy quadratic": (
        ["model.surface=quadratic", "model.noise=1", "model.start=[-4.0,2.0]", "batch_size=10"],
        (0.01, 0.5, 0.05),
    ),
}
MINIMA = {
    "saddle": [(0, 1), (0, -1)],
    "rosenbrock": [(1, 1)],
    "himmelblau": [(3, 2), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127)],
    "quadratic": [(0, 0)],
}


def rate(optimizer, rates):
    return rates[{"adagrad": 1, "rmsprop": 2, "adam": 2}.get(optimizer, 0)]


def way(optimizer, overrides, rates):
    """Plain descent on minibatches is called sgd."""
    name = "sgd" if optimizer == "gd" and any(word.startswith("batch_size") for word in overrides) else optimizer
    return trained(
        ["experiment=landscape", *overrides, f"optimizer={name}", f"lr={rate(optimizer, rates)}", *asked()]
    ).way


def contours(axes, surface):
    reach = SURFACES[surface][1]
    x, y = np.meshgrid(np.linspace(-reach, reach, 150), np.linspace(-reach, reach, 150))
    z = SURFACES[surface][0](torch.from_numpy(x), torch.from_numpy(y)).numpy()
    axes.contour(x, y, np.log1p(z - z.min()), levels=10, colors="0.8", linewidths=0.6)
    axes.plot(*zip(*MINIMA[surface], strict=True), "k*", markersize=8)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])


def main():
    figure, panels = plt.subplots(2, 2, figsize=(8.4, 8.4), layout="constrained")
    for axes, (title, (overrides, rates)) in zip(panels.flat, PANELS.items(), strict=True):
        contours(axes, title.removeprefix("noisy "))
        axes.set_title(title)
        for optimizer, colour in OPTIMIZERS.items():
            points = way(optimizer, overrides, rates)
            axes.plot(*points.T, color=colour, linewidth=1.1, label=optimizer)
            axes.plot(*points[-1], "o", color=colour, markersize=4)
    panels.flat[0].legend(loc="lower left", fontsize=8)
    drawn(figure, "landscape")


if __name__ == "__main__":
    main()
