"""What the texts of a column mean: numbers, booleans, categories, and what is missing."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

MISSING = {"", "na", "nan", "null", "?"}
BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0, "y": 1.0, "n": 0.0}
INFINITE = {f"{sign}{word}" for sign in ("", "+", "-") for word in ("inf", "infinity")}
LARGEST = 3.4028234663852886e38  # of float32, which is what models read
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_PLAIN = re.compile(r"[0-9.eE+\-\n]*")  # of these characters float() reads what _NUMBER matches
_GROUPED = re.compile(r"[+-]?(\d{1,3}([,.' ]\d{3})+([.,]\d+)?|\d+,\d+)", re.ASCII)
WRITE = "write 1234.5 for numbers, with a point and without separators of thousands"


def is_missing(text: str) -> bool:
    """Whether a value is not there: empty, NA, NaN, null or ?, in any case."""
    return text.strip().casefold() in MISSING


def is_number(text: str) -> bool:
    """Whether it reads as a finite or infinite number, written with a decimal point."""
    stripped = text.strip()
    return bool(_NUMBER.fullmatch(stripped)) or stripped.casefold() in INFINITE


def number(text: str) -> float:
    """The number; ValueError says what is wrong with it."""
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped):
        value = float(stripped)
        if abs(value) <= LARGEST:
            return value
        raise ValueError(f"{stripped} is too large: at most 3.4e38")
    if stripped.casefold() in INFINITE:
        raise ValueError(f"{stripped} is not finite: leave it empty if it is missing")
    if _GROUPED.fullmatch(stripped):
        raise ValueError(f"{stripped} is no number: {WRITE}")
    raise ValueError(f"{stripped or 'nothing'} is no number")


def plain_numbers(texts: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """All of them at once where each is a number of a size that models can read, else None: then read one by one."""
    if not _PLAIN.fullmatch("\n".join(texts)):
        return None
    try:
        values = np.array([float(text) for text in texts])
    except ValueError:
        return None
    return values if (np.abs(values) <= LARGEST).all() else None


def missing_among(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which of them are missing."""
    missing = {text for text in set(texts) if is_missing(text)}
    return np.array([text in missing for text in texts]) if missing else np.zeros(len(texts), dtype=bool)


def boolean(text: str) -> float:
    """1 or 0; ValueError says what is wrong with it."""
    value = BOOLEANS.get(text.strip().casefold())
    if value is None:
        raise ValueError(f"{text.strip()} is neither true nor false, as all training rows are")
    return value


def kind_of(texts: Iterable[str]) -> str:
    """`number`, `boolean` or `category`, of values that are there."""
    found = list(texts)
    if plain_numbers(found) is not None or all(is_number(text) or _GROUPED.fullmatch(text.strip()) for text in found):
        return "number"  # grouped digits among them are refused when they are read
    if all(text.strip().casefold() in BOOLEANS for text in found):
        return "boolean"
    return "category"
