"""Numbers read off a noisy curve."""

import numpy as np

Curve = np.ndarray
AT_END = 10  # the last tenth of a curve is its end


def smooth(curve: Curve) -> Curve:
    """A running median over a tenth of the curve, three epochs at least: it follows a fall and ignores a spike."""
    width = max(3, len(curve) // AT_END) | 1
    half = width // 2
    return np.array([np.median(curve[max(0, at - half) : at + half + 1]) for at in range(len(curve))])


def end(curve: Curve) -> float:
    """Where it ends."""
    return float(np.median(curve[-max(1, len(curve) // AT_END) :]))


def drift(curve: Curve) -> tuple[float, float]:
    """How much a straight line through it falls from end to end, and how many of its standard errors that is."""
    at = np.arange(len(curve))
    if len(curve) < 3:
        return float(curve[0] - curve[-1]), 0.0
    slope, start = np.polyfit(at, curve, 1)
    fall = -slope * (len(curve) - 1)
    rest = curve - (start + slope * at)
    spread = np.sqrt((rest**2).sum() / (len(curve) - 2) / ((at - at.mean()) ** 2).sum()) * (len(curve) - 1)
    return float(fall), float(abs(fall) / spread) if spread > 0 else float("inf")


def last_part(curve: Curve, share: float) -> Curve:
    """Its last epochs, three at least."""
    return curve[-max(3, round(share * len(curve))) :]


def roughness(curve: Curve) -> float:
    """The typical change from one epoch to the next that the next one takes back, over the second half's level."""
    half = curve[len(curve) // 2 :]
    if len(half) < 3:
        return 0.0
    bends = np.abs(half[:-2] - 2 * half[1:-1] + half[2:]) / np.sqrt(
        6
    )  # a straight line has none; noise has its deviation
    return float(np.median(bends) / max(np.median(half), 1e-12) / 0.6745)
