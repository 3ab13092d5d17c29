"""Images of another size or with other channels, tables of fewer columns: what the common knobs do to samples."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from descent.data.knobs import Knobs
from descent.data.source import Source
from descent.rules import near, refuse

BLOCK = 4096  # images at a time
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in what the eye takes for brightness (ITU-R BT.601)

Change = Callable[[Tensor], Tensor]


def shaped(source: Source, knobs: Knobs) -> Source:
    """The samples as the knobs want them, bytes still as bytes."""
    if knobs.channels is not None:
        source = _changed(source, lambda images: with_channels(images, int(knobs.channels or 0)))
    if knobs.resize is not None:
        size = knobs.resize if isinstance(knobs.resize, list) else [knobs.resize, knobs.resize]
        source = _changed(source, lambda images: resized(images, size))
    if knobs.features is not None:
        source = _with_features(source, knobs.features)
    return source


def resized(images: Tensor, size: Sequence[int]) -> Tensor:
    """Images of [height, width], bilinear and antialiased; bytes are rounded to bytes."""
    if list(images.shape[-2:]) == list(size):
        return images
    blocks = torch.split(images, BLOCK)
    return torch.cat([_resized(block, list(size)) for block in blocks])


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Grey repeated three times, or the luma of colours; bytes are rounded to bytes."""
    have = images.shape[1]
    if have == channels:
        return images
    if have == 1:
        return images.repeat(1, channels, 1, 1)
    if have != 3:
        raise refuse("dataset.channels", channels, f"null for images of {have} channels")
    return torch.cat([_luma(block) for block in torch.split(images, BLOCK)])


def _resized(images: Tensor, size: list[int]) -> Tensor:
    pixels = interpolate(images.float(), size, mode="bilinear", align_corners=False, antialias=True)
    return _as(images, pixels)


def _luma(images: Tensor) -> Tensor:
    weights = torch.tensor(LUMA).view(3, 1, 1)
    return _as(images, (images.float() * weights).sum(1, keepdim=True))


def _as(images: Tensor, pixels: Tensor) -> Tensor:
    if images.dtype != torch.uint8:
        return pixels
    return pixels.round().clamp(0, 255).to(torch.uint8)


def _with_features(source: Source, features: Sequence[int | str]) -> Source:
    numbers = [_column(feature, source) for feature in features]
    if len(set(numbers)) < len(numbers):
        raise refuse("dataset.features", list(features), "each column once")
    columns = tuple(source.columns[number] for number in numbers) if source.columns else ()
    if source.encode is not None:
        return replace(source, columns=columns)  # chosen before they are encoded
    return replace(_changed(source, lambda rows: rows[:, numbers].contiguous()), columns=columns)


def _column(feature: int | str, source: Source) -> int:
    """The column's number; a name goes before a number that looks the same."""
    columns = source.columns
    if str(feature) in columns:
        return columns.index(str(feature))
    count = len(columns) or source.inputs.shape[1]
    if isinstance(feature, int) and feature < count:
        return feature
    allowed = f"0 to {count - 1}" + (f" or {' '.join(columns)}" if columns else "")
    raise refuse("dataset.features", feature, allowed, near(str(feature), columns))


def _changed(source: Source, change: Change) -> Source:
    """Every input changed, those of the other parts as well."""
    test, val = ((change(part[0]), part[1]) if part else None for part in (source.test, source.val))
    return replace(source, inputs=change(source.inputs), test=test, val=val)
