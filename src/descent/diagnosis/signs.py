"""What can be the matter with a training: each sign a rule over the evidence that gives its numbers, or nothing.

Thresholds are shares: of the loss of knowing nothing for losses, of the error of knowing nothing for errors.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from descent.diagnosis.curves import drift, end, last_part, roughness, smooth
from descent.diagnosis.evidence import SHORTEST, Evidence

Numbers = dict[str, float]


@dataclass(frozen=True)
class Sign:
    """`rule` says in words what `found` computes: numbers where it holds, None where it does not."""

    name: str
    rule: str
    found: Callable[[Evidence], Numbers | None]
    is_rest: bool = False  # said only where nothing else explains it


def _exploding(evidence: Evidence) -> Numbers | None:
    norms = evidence.norms[np.isfinite(evidence.norms)]
    if len(norms) < 2:
        return None
    usual, largest = float(np.median(norms[: max(1, len(norms) // 4)])), float(norms.max())
    grown = largest / max(usual, 1e-12)
    return {"largest norm": largest, "times the first": grown} if grown > 30 and largest > 10 else None


def _diverging(evidence: Evidence) -> Numbers | None:
    train = evidence.train
    if evidence.diverged:
        return {"steps": float(len(evidence.steps))}
    if len(train) < SHORTEST:
        return None
    least, last = float(smooth(train).min()), end(train)
    is_growing = last > 1.5 * least and last > 1.2 * evidence.chance and last > train[0]
    return {"loss at the end": last, "least loss": least} if is_growing else None


def _lr_too_high(evidence: Evidence) -> Numbers | None:
    train, chance = evidence.train, evidence.chance
    if not len(train):
        return None
    first = evidence.steps[: max(1, len(evidence.steps) // len(train))]
    peak, last = float(first.max()) / chance if len(first) else 0.0, end(train) / chance
    overshoots = peak > 3 and last > 0.1
    jitters = len(train) >= SHORTEST and last > 0.25 and roughness(train) > 0.1 and _is_flat(train)
    if not overshoots and not jitters:
        return None
    return {"peak of the first epoch": peak, "loss at the end": last, "roughness": roughness(train)}


def _dead(evidence: Evidence) -> Numbers | None:
    rows = [row for row in evidence.layers if "layer" in row]
    if not rows or evidence.errors.get("train", 1.0) < 0.05:
        return None
    last = max(row["epoch"] for row in rows)
    shares = [row["dead"] for row in rows if row["epoch"] == last and "dead" in row]
    return {"dead units of a layer": max(shares)} if shares and max(shares) > 0.5 else None


def _vanishing(evidence: Evidence) -> Numbers | None:
    rows = [row for row in evidence.layers if str(row.get("parameter", "")).endswith("weight")]
    if not rows or not len(evidence.train):
        return None
    first = min(row["epoch"] for row in rows)
    norms = [row["gradient_norm"] for row in rows if row["epoch"] == first]
    ratio = min(norms) / max(norms) if max(norms) > 0 else 0.0
    is_learning = end(evidence.train) < 0.3 * evidence.chance
    return None if ratio > 1e-3 or is_learning else {"least over largest gradient norm": ratio}


def _lr_too_low(evidence: Evidence) -> Numbers | None:
    train = evidence.train
    if len(train) < SHORTEST:
        return None
    fall, last = 1 - end(train) / train[0], end(train) / evidence.chance
    third = max(2, len(train) // 3)
    early, late = _pace(train[: third + 1]), _pace(train[-third - 1 :])
    is_steady = late > 0.25 * early > 0 and drift(train)[1] > 4
    return {"fall": fall, "loss at the end": last} if is_steady and last > 0.6 and fall < 0.4 else None


def _unstable(evidence: Evidence) -> Numbers | None:
    train = evidence.train
    if len(train) < SHORTEST:
        return None
    floor = np.maximum(train[:-1], 0.05 * evidence.chance)
    jumps = int((np.diff(train) > 0.5 * floor).sum())
    return {"jumps": float(jumps)} if jumps >= max(2, 0.04 * len(train)) else None


def _label_noise(evidence: Evidence) -> Numbers | None:
    train, val, chance = evidence.train, evidence.val, evidence.chance
    if evidence.settings.get("dataset", {}).get("task") == "regression" or min(len(train), len(val)) < SHORTEST:
        return None
    if len(val) != len(train):
        return None
    lowest = int(smooth(val).argmin())
    least, then = float(smooth(val)[lowest]) / chance, float(smooth(train)[lowest]) / chance
    rises, memorised = end(val) / chance / least - 1, 1 - end(train) / chance / then
    together = least - then
    if least < 0.3 or together > 0.12 or rises < 0.15 or memorised < 0.25:
        return None
    return {"least validation loss": least, "gap there": together, "rise after it": rises}


def _over_fitting(evidence: Evidence) -> Numbers | None:
    if not len(evidence.val):
        return None
    numbers = {"gap of the error": evidence.gap, "gap of the loss": evidence.loss_gap, "rise": 0.0}
    if len(evidence.val) >= SHORTEST:
        least, last = float(smooth(evidence.val).min()), end(evidence.val)
        rise = (last - least) / evidence.chance
        numbers["rise"] = rise if last > 1.15 * least else 0.0
    over = numbers["gap of the error"] > 0.1 or numbers["gap of the loss"] > 0.15 or numbers["rise"] > 0.05
    return numbers if over else None


def _still_improving(evidence: Evidence) -> Numbers | None:
    watched, chance = evidence.watched, evidence.chance
    if len(watched) < 2:
        return None
    part = last_part(watched, 0.3)
    fall, certainty = drift(part)
    level = max(float(np.median(part)), 0.02 * chance)
    is_falling = fall / level > 0.06 and fall / chance > 0.005 and (certainty > 3 or len(watched) < SHORTEST)
    is_lowest = smooth(watched).argmin() >= 0.8 * len(watched) - 1
    return {"fall in the last part": fall / level} if is_falling and is_lowest else None


def _under_fitting(evidence: Evidence) -> Numbers | None:
    error = evidence.errors.get("train", end(evidence.train) / evidence.chance if len(evidence.train) else 0.0)
    allowed = 0.5 if evidence.settings.get("dataset", {}).get("task") == "regression" else 0.15
    return {"error on training data": error, "gap of the error": evidence.gap} if error > allowed else None


def _saturated(evidence: Evidence) -> Numbers | None:
    watched = evidence.watched
    if len(watched) < 10:
        return None
    curve, last = smooth(watched), end(watched)
    all_of_it = max(float(watched[0]), evidence.chance) - last
    there = int((curve <= last + 0.02 * all_of_it).argmax())
    share = (there + 1) / len(watched)
    return {"epochs needed": float(there + 1), "share of all": share} if share <= 0.25 and all_of_it > 0 else None


def _pace(curve: np.ndarray) -> float:
    return float(drift(curve)[0] / max(1, len(curve) - 1))


def _is_flat(curve: np.ndarray) -> bool:
    fall, _ = drift(last_part(curve, 0.5))
    return fall < 0.15 * float(np.median(last_part(curve, 0.5)))


# The first that holds is the verdict: causes before what follows from them.
SIGNS = (
    Sign("exploding gradients", "the gradient's norm grows to more than 30 times that of the first epochs", _exploding),
    Sign("diverging", "the training loss ends above where it began", _diverging),
    Sign(
        "lr too high", "the loss overshoots chance threefold in the first epoch, or stays high and rough", _lr_too_high
    ),
    Sign("dead ReLUs", "more than half of a layer's units answer zero to every sample", _dead),
    Sign("vanishing gradients", "a layer's gradient is a thousandth of another's, and little is learnt", _vanishing),
    Sign("lr too low", "the training loss falls steadily and slowly, and is still near chance", _lr_too_low),
    Sign("unstable", "the training loss jumps up by half, more than once", _unstable),
    Sign(
        "label noise suspected",
        "validation stops improving at a high loss while training has no lead yet, then training memorises",
        _label_noise,
    ),
    Sign("over-fitting", "training is far ahead of validation, or validation gets worse again", _over_fitting),
    Sign("still improving", "the loss falls until the last epoch", _still_improving),
    Sign("under-fitting", "the error on the training data itself stays large", _under_fitting, is_rest=True),
    Sign("saturated early", "nothing is gained after the first quarter of the epochs", _saturated, is_rest=True),
)
