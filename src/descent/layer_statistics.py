"""Gradients and activations of each layer at a few epochs: what a later diagnosis needs from an old run."""

from typing import Any

import torch
from torch import Tensor, nn


def is_sparse_epoch(epoch: int, epochs: int) -> bool:
    """0, 1, 2, 4, 8, … and the last: a handful, however long the run."""
    return epoch & (epoch - 1) == 0 or epoch == epochs - 1


class LayerStatistics:
    """A row per layer and observed epoch, as plain values."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def gradients(self, epoch: int, model: nn.Module) -> None:
        """Norms of every weight and of its gradient."""
        named = [(name, weight) for name, weight in model.named_parameters() if weight.grad is not None]
        gradients = torch._foreach_norm([weight.grad for _, weight in named if weight.grad is not None])
        weights = torch._foreach_norm([weight.detach() for _, weight in named])
        values = torch.stack([*gradients, *weights]).float().tolist()
        for (name, _), gradient, weight in zip(named, values[: len(named)], values[len(named) :], strict=True):
            self.rows.append({"epoch": epoch, "parameter": name, "gradient_norm": gradient, "weight_norm": weight})

    def activations(self, epoch: int, model: nn.Module, probe: Tensor) -> None:
        """Mean, deviation, shares of zeros and of units that are never else, of every leaf's output on a few rows."""
        seen: list[tuple[str, Tensor]] = []

        def keep(name: str) -> Any:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                if isinstance(output, Tensor) and output.is_floating_point() and output.numel() > 1:
                    flat = output.detach().float()
                    zeros = (flat == 0).float()
                    seen.append((name, torch.stack([flat.mean(), flat.std(), zeros.mean(), _always(zeros)])))

            return hook

        leaves = [(name, leaf) for name, leaf in model.named_modules() if not list(leaf.children())]
        handles = [leaf.register_forward_hook(keep(name)) for name, leaf in leaves]
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad():
                model(probe)
        finally:
            model.train(was_training)
            for handle in handles:
                handle.remove()
        for name, values in seen:
            told = dict(zip(("mean", "deviation", "zeros", "dead"), values.tolist(), strict=True))
            self.rows.append({"epoch": epoch, "layer": name, **told})


def _always(zeros: Tensor) -> Tensor:
    """The share of units, along axis 1, that are zero for every sample and place."""
    places = [axis for axis in range(zeros.ndim) if axis != 1]
    return zeros.amin(places).mean() if zeros.ndim > 1 else zeros.mean()
