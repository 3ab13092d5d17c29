"""Sequences that only the order of their values tells apart."""

import torch

from descent.data.source import Source


def sequences(samples: int, classes: int, steps: int, noise: float, seed: int) -> Source:
    """Each class has an order of its own of the same `steps` values from -1 to 1; a sample begins anywhere in it.

    x_t = v[order_class[(t + begin) mod steps]] + noise e. A class's values are those of every other, and so are its
    averages at each step: a linear model has nothing to go by.
    """
    random = torch.Generator().manual_seed(seed)
    orders = torch.stack(_orders(classes, steps, random))
    targets = torch.arange(samples) % classes
    begins = torch.randint(steps, (samples, 1), generator=random)
    values = torch.linspace(-1, 1, steps)[orders]
    places = (torch.arange(steps) + begins) % steps
    inputs = values[targets].gather(1, places) + noise * torch.randn(samples, steps, generator=random)
    return Source("sequences", "classification", inputs, targets, classes)


def _orders(classes: int, steps: int, random: torch.Generator) -> list[torch.Tensor]:
    """So many permutations, each beginning with the least value, of which no two are alike: none is another, turned."""
    found: dict[tuple[int, ...], torch.Tensor] = {}
    while len(found) < classes:
        order = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(steps - 1, generator=random)])
        found.setdefault(tuple(order.tolist()), order)
    return list(found.values())
