"""The yardstick: the loop that one writes by hand when nothing but speed matters."""

import copy
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@torch.no_grad()
def validate(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Loss and accuracy over the whole split at once."""
    model.eval()
    outputs = model(inputs)
    accuracy = (outputs.argmax(1) == targets).float().mean()
    return F.cross_entropy(outputs, targets).item(), accuracy.item()


def plain(
    model: nn.Module, train: tuple[Tensor, Tensor], val: tuple[Tensor, Tensor], lr: float, batch_size: int, epochs: int
) -> float:
    """Seconds to train a copy of the model. Inputs are scaled floats on the model's device already."""
    model = copy.deepcopy(model)
    inputs, targets = train
    started = time.perf_counter()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    for _ in range(epochs):
        model.train()
        loss_sum = torch.zeros((), device=inputs.device)
        for rows in torch.randperm(len(targets), device=inputs.device).split(batch_size):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach() * len(rows)
        _train_loss = loss_sum.item() / len(targets)
        validate(model, *val)
    return time.perf_counter() - started
