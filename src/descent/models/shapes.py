"""What is left of an image, layer by layer: one that would vanish is refused with the layer's name."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from descent.errors import UsageError
from descent.rules import refuse

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def side_of(input_shape: Sequence[int], model: str) -> int:
    """The shorter side of the images that a model of images gets."""
    if len(input_shape) != 3:
        raise UsageError(
            f"model: got {model}, allowed mlp for inputs of shape {list(input_shape)}, which are no images"
        )
    return min(input_shape[1:])


def refuse_kernel(side: int, kernel: int, layer: str) -> None:
    """A padded convolution keeps the size, but a kernel so wide has taps that see nothing but padding."""
    if kernel > 2 * side - 1:
        raise UsageError(
            f"model.kernel: got {kernel}, allowed 1 to {2 * side - 1} ({layer} sees images of side {side})"
        )


def pooled(side: int, pool: int, layer: str, fewer: str) -> int:
    """The side after pooling; at least one pixel must be left. `fewer` is the key that has fewer layers."""
    if side < pool:
        raise UsageError(f"model.pool: got {pool}, allowed 1 to {side} (pixels left at {layer}); use fewer {fewer}")
    return side // pool


def refuse_lone_sample(
    model: nn.Module, input_shape: Sequence[int], rows: int, sizes: Sequence[int], drop_last: bool
) -> None:
    """A minibatch of one, where batch norm would see a single value, at any of the sizes that minibatches come to."""
    lone = [size for size in sizes if size == 1 or (rows % size == 1 and not drop_last)]
    if lone and norms_single_values(model, input_shape):
        allowed = f"a size that leaves no minibatch of one to batch_norm ({rows} training samples)"
        grown = "" if lone[0] == sizes[0] else f"growth reaches {lone[0]}: "
        raise refuse("batch_size", sizes[0], allowed, f"{grown}change it or set loader.drop_last=true")


def norms_single_values(model: nn.Module, input_shape: Sequence[int]) -> bool:
    """Whether a batch norm sees one value of a channel in a sample: a minibatch of one has no deviation there."""
    seen: list[bool] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].numel() == inputs[0].shape[1])

    handles = [layer.register_forward_pre_hook(note) for layer in model.modules() if isinstance(layer, BATCH_NORMS)]
    was_training = model.training
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *input_shape))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return any(seen)
