"""One image file as bytes of [channels, height, width]."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from descent.data.faults import fault
from descent.errors import DataError

# What is read, by suffix; PIL is not asked to try anything else, for some of its readers start programs.
FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".pgm": "PPM",
    ".png": "PNG",
    ".ppm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
GREY, DEEP = ("1", "L", "LA"), ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
MOST_PIXELS = 1 << 26  # 67 million: 200 MB of colour
ORIENTATION, ON_ITS_SIDE = 0x0112, range(5, 9)  # the EXIF tag, and its values that swap width and height

T = TypeVar("T")
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it logs of a damaged file, it raises as well


class Header(NamedTuple):
    """What is known of an image before its pixels are unpacked."""

    height: int
    width: int
    channels: int


def is_picture(file: Path) -> bool:
    """By its name."""
    return file.suffix.lower() in FORMATS


def header_of(file: Path) -> Header:
    """Size as it is seen, and 1 channel for grey or 3."""
    return _with(file, lambda image: _header(file, image))


def pixels_of(file: Path, channels: int) -> Tensor:
    """The image upright, grey or in colour; what is transparent lies on black."""
    return _with(file, lambda image: _pixels(image, channels))


def _header(file: Path, image: Image.Image) -> Header:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise fault(file, f"{width}x{height} pixels", f"allowed {MOST_PIXELS:,} in all: make it smaller")
    if image.mode in DEEP:
        raise fault(file, f"more than 8 bits a channel (mode {image.mode})", "convert it to 8")
    if image.getexif().get(ORIENTATION) in ON_ITS_SIDE:
        width, height = height, width
    return Header(height, width, 1 if image.mode in GREY else 3)


def _pixels(image: Image.Image, channels: int) -> Tensor:
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "black"), upright.convert("RGBA"))
    pixels = np.array(upright.convert("L" if channels == 1 else "RGB"))
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], channels)).permute(2, 0, 1)


def _with(file: Path, read: Callable[[Image.Image], T]) -> T:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which have our own limit, and of odd metadata
            with Image.open(file, formats=[FORMATS[file.suffix.lower()]]) as image:
                return read(image)
    except Image.DecompressionBombError:
        raise fault(file, "far too many pixels", f"allowed {MOST_PIXELS:,}: make it smaller or remove it") from None
    except UnidentifiedImageError:
        kind = FORMATS[file.suffix.lower()]
        raise fault(file, f"no {kind} image, or its beginning is damaged", "mend, rename or remove it") from None
    except DataError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise fault(file, f"unreadable ({error.strerror})", "mend its permissions or link, or remove it") from None
        raise fault(file, f"damaged ({error})", "mend or remove it") from None
    except Exception as error:  # PIL's readers raise what a damaged byte leads them to
        raise fault(file, f"damaged ({type(error).__name__}: {error})", "mend or remove it") from None
