"""A warp written the slow way: pixel by pixel, in NumPy float64, with matrices that are multiplied out."""

import math

import numpy as np


def rotation(degrees):
    sin, cos = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def shift(rows, columns):
    return np.array([[1, 0, rows], [0, 1, columns], [0, 0, 1.0]])


def shear(degrees):
    angle = math.radians(degrees)
    return np.array([[1, -math.sin(angle), 0], [0, math.cos(angle), 0], [0, 0, 1]])


def zoom(rows, columns):
    return np.diag([rows, columns, 1.0])


def centred(matrix, height, width):
    """The same about the image's centre, for coordinates that count from its first pixel."""
    middle = (height - 1) / 2, (width - 1) / 2
    return shift(*middle) @ matrix @ shift(-middle[0], -middle[1])


def warped(image, matrix):
    """Every pixel of the result is looked up in the source, between four neighbours; outside is the nearest pixel."""
    height, width = image.shape[-2:]
    whole = centred(matrix, height, width)
    out = np.empty(image.shape)
    for row in range(height):
        for column in range(width):
            at = whole @ [row, column, 1]
            y, x = min(max(at[0], 0.0), height - 1.0), min(max(at[1], 0.0), width - 1.0)
            top, left = math.floor(y), math.floor(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            upper = image[:, top, left] * (1 - x + left) + image[:, top, right] * (x - left)
            lower = image[:, bottom, left] * (1 - x + left) + image[:, bottom, right] * (x - left)
            out[:, row, column] = upper * (1 - y + top) + lower * (y - top)
    return out
