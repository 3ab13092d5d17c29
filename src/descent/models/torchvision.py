"""Any classifier of torchvision's, with our head, our channels and, where a local file is given, its weights."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models

from descent.errors import DataError, UsageError
from descent.models.initialisation import initialise
from descent.models.shapes import side_of
from descent.rules import LONGEST_LINE, cut, near, refuse

# Heads in the middle, for training on large images: left out, in the model and in a file of weights.
AUXILIARY = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
# Files of DenseNet's weights are older than its layers' names.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)")

Build = Callable[[int], nn.Module]


def classifier(
    input_shape: Sequence[int], outputs: int, name: str, weights: str | None = None, init: str = "default"
) -> nn.Module:
    """The model by its name in torchvision; images too small for it are refused before a weight is made."""
    build = _builder(name, input_shape)
    if weights and init != "default":
        raise refuse("model.init", init, "default with model.weights, which say how weights start")
    _refuse_collapse(build, name, input_shape, outputs)
    model = build(outputs)
    initialise(model, init)
    if weights:
        _load(model, _read(weights), weights, name, head=_head(build, name))
    return model


def names() -> list[str]:
    """The classifiers that the installed torchvision has."""
    return list(models.list_models(module=models))


def _builder(name: str, input_shape: Sequence[int]) -> Build:
    """From a number of outputs to the model, its first convolution reading our channels."""
    if name not in names():
        raise refuse("model.name", name, "a classifier of torchvision", near(name, names()) or "such as resnet18")
    side = side_of(input_shape, name)
    settings: dict[str, Any] = {}
    if name in AUXILIARY:
        settings = {"aux_logits": False, "init_weights": True}
    elif name.startswith("vit_"):
        settings = {"image_size": side}
    elif name.startswith("maxvit_"):
        settings = {"input_size": tuple(input_shape[1:])}

    def build(outputs: int) -> nn.Module:
        model: nn.Module = models.get_model(name, weights=None, num_classes=outputs, **settings)
        path, first = _first_convolution(model)
        if input_shape[0] != first.in_channels:
            model.set_submodule(path, _with_channels(first, input_shape[0]))
        return model

    return build


def _first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d]:
    return next((path, layer) for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d))


def _with_channels(layer: nn.Conv2d, channels: int) -> nn.Conv2d:
    return nn.Conv2d(
        channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        bias=layer.bias is not None,
    )


def _refuse_collapse(build: Build, name: str, input_shape: Sequence[int], outputs: int) -> None:
    """Build and call the model on torch's meta device, which has shapes and no numbers."""
    if name.startswith("regnet_"):
        return  # it computes its sizes with tensors, which have no numbers there; it only strides and cannot collapse
    entered = ["its input"]

    def note(path: str) -> Callable[..., None]:
        return lambda layer, inputs: entered.append(f"{path} ({type(layer).__name__})")

    with torch.device("meta"), torch.no_grad():
        try:
            model = build(outputs).eval()
            for path, layer in model.named_modules():
                if not list(layer.children()):
                    layer.register_forward_pre_hook(note(path))
            model(torch.empty(1, *input_shape))
        except (RuntimeError, ValueError, AssertionError) as error:
            shown = "x".join(map(str, input_shape))
            line = f"model.name: got {name} on images of {shown}, too small or odd for {entered[-1]}"
            raise UsageError(cut(f"{line}; take other sizes or another model ({error})", LONGEST_LINE)) from None


# Weights of a local file


def _read(file: str) -> dict[str, Tensor]:
    path = Path(file)
    if not path.is_file():
        raise refuse("model.weights", file, "null or a file with a state_dict")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # whatever the two readers meet in a damaged file
        raise DataError(cut(f"model.weights: {file} cannot be read: {error}", LONGEST_LINE)) from None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError(cut(f"model.weights: {file} holds no state_dict; save model.state_dict()", LONGEST_LINE))
    return {_OLD_DENSENET.sub(r"\1", key): value for key, value in state.items()}


def _head(build: Build, name: str) -> set[str]:
    """The weights whose shape depends on the number of outputs."""
    if name.startswith("regnet_"):
        return {"fc.weight", "fc.bias"}
    with torch.device("meta"):
        two, three = build(2).state_dict(), build(3).state_dict()
    return {key for key in two if two[key].shape != three[key].shape}


def _load(model: nn.Module, state: Mapping[str, Tensor], file: str, name: str, head: set[str]) -> None:
    """Every weight from the file, but a head for another number of classes, which keeps its start."""
    own = model.state_dict()
    first = f"{_first_convolution(model)[0]}.weight"
    taken: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(AUXILIARY.get(name, ())):
            continue
        if key not in own:
            raise _misfit(file, name, f"it has {key}")
        fitting = _rechannelled(value, own[key].shape[1]) if key == first else value
        if fitting.shape == own[key].shape:
            taken[key] = fitting
        elif key not in head:
            raise _misfit(file, name, f"{key} is {list(value.shape)}, not {list(own[key].shape)}")
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    if missing:
        raise _misfit(file, name, f"it lacks {missing[0]}")
    model.load_state_dict(taken, strict=False)


def _misfit(file: str, name: str, why: str) -> UsageError:
    return refuse("model.weights", file, f"a state_dict of {name}", why)


def _rechannelled(kernels: Tensor, channels: int) -> Tensor:
    """Kernels for other channels that answer to an image of equal channels as the given ones do."""
    given = kernels.shape[1] if kernels.ndim == 4 else channels
    if given == channels:
        return kernels
    return kernels.sum(1, keepdim=True).expand(-1, channels, -1, -1) / channels
