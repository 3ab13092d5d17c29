"""How often a comparison of so many runs finds a difference that is there, and how many runs find it."""

import math

import numpy as np
import numpy.typing as npt
from scipy import special

ALPHA = 0.05
POWER = 0.8
MOST = 10_000
POINTS = 201  # of each integral, between equally likely parts
Floats = npt.NDArray[np.float64]


def power(
    difference: float, deviations: tuple[float, float], n: int, alpha: float = ALPHA, *, paired: bool = False
) -> float:
    """The chance that two groups of n (or n pairs) show a true difference, exactly for normal ones.

    `deviations` are the groups'; of pairs the first one is that of their differences.
    """
    if n < 2:
        return 0.0
    if paired or deviations[0] == deviations[1] == 0:
        error, degrees = deviations[0] / math.sqrt(n), n - 1
        border = float(special.stdtrit(degrees, 1 - alpha / 2))
        return float(_found(difference, error, degrees, np.array([border]))[0])
    return float(_found(difference, *_welch_borders(deviations, n, alpha)).mean())


def _welch_borders(deviations: tuple[float, float], n: int, alpha: float) -> tuple[float, int, Floats]:
    """Welch's test as Student's of 2n - 2 degrees of freedom, whose border depends on what the deviations come to.

    The first variance's share of both is a draw of its own (a Beta), apart from their sum (a chi square), so that given
    the share the statistic is a t. Without that the power of a few runs comes out too high.
    """
    degrees = 2 * n - 2
    shares = special.betaincinv((n - 1) / 2, (n - 1) / 2, _midpoints())
    first, second = (s**2 * part / (n * (n - 1)) for s, part in zip(deviations, (shares, 1 - shares), strict=True))
    together = first + second  # of a chi square of one
    own = (n - 1) * together**2 / (first**2 + second**2)
    error = math.sqrt((deviations[0] ** 2 + deviations[1] ** 2) / n)
    return error, degrees, special.stdtrit(own, 1 - alpha / 2) * np.sqrt(degrees * together) / error


def _found(difference: float, error: float, degrees: int, borders: Floats) -> Floats:
    """The chance that a statistic of such a difference is beyond each border, on either side."""
    if error == 0:
        return np.full(len(borders), 1.0 if difference else 0.0)
    centre = abs(difference) / error
    # Given what the deviation comes to, it is normal: SciPy's noncentral t breaks down for many degrees of freedom.
    drawn = np.sqrt(2 * special.gammaincinv(degrees / 2, _midpoints()) / degrees)
    reach = borders[:, None] * drawn
    found: Floats = (special.ndtr(centre - reach) + special.ndtr(-centre - reach)).mean(axis=1)
    return found


def _midpoints() -> Floats:
    points: Floats = (np.arange(POINTS) + 0.5) / POINTS
    return points


def runs_needed(
    difference: float,
    deviations: tuple[float, float],
    alpha: float = ALPHA,
    wanted: float = POWER,
    *,
    paired: bool = False,
) -> int | None:
    """The fewest runs of each group (or pairs) that find such a difference with that chance; None: 10,000 do not."""

    def enough(n: int) -> bool:
        return power(difference, deviations, n, alpha, paired=paired) >= wanted

    if difference == 0 or not enough(MOST):
        return None
    low, high = 1, 2
    while not enough(high):
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
