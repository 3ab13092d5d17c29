"""Learning curves with known answers, from textbook shapes: exponential descent, noise, rises, spikes, plateaus."""

import math

import numpy as np

from descent.diagnosis.evidence import Evidence

CLASSES = 10
CHANCE = math.log(CLASSES)
STEPS = 20  # an epoch
KINDS = (
    "exploding gradients",
    "diverging",
    "lr too high",
    "dead ReLUs",
    "vanishing gradients",
    "lr too low",
    "unstable",
    "label noise suspected",
    "over-fitting",
    "still improving",
    "under-fitting",
    "saturated early",
    "healthy",
)


def planted(kind, seed):
    """A training with that fault and no other: 8 to 200 epochs; noise of up to 7 % of the loss, less near chance."""
    random = np.random.default_rng([KINDS.index(kind), seed])
    epochs = int(random.choice([8, 12, 20, 50, 200]))
    noise = random.uniform(0.0, 0.06)
    shape = SHAPES[kind](random, epochs)
    train, val = (noisy(shape[split], noise, random) for split in ("train", "val"))
    epochs = len(train)
    reported = int(val.argmin())
    losses = {"train": float(shape["train"][reported]), "val": float(shape["val"][reported])}
    per_step = np.repeat(train, STEPS) * np.exp(0.15 * random.standard_normal(epochs * STEPS))
    per_step[:STEPS] = np.linspace(CHANCE, train[0], STEPS)
    if "overshoot" in shape:
        per_step[1:STEPS] *= np.linspace(shape["overshoot"], 1.0, STEPS - 1)
    norms = shape.get("norms", random.uniform(0.3, 2) * np.exp(0.3 * random.standard_normal(epochs)))
    return Evidence(
        train=train,
        val=val,
        steps=per_step,
        norms=norms,
        chance=CHANCE,
        reported=reported,
        losses=losses,
        errors=shape.get("errors") or {split: min(1.0, loss / CHANCE) * 0.6 for split, loss in losses.items()},
        layers=shape.get("layers") or layers(random),
        settings={"dataset": {"task": "classification"}, "epochs": epochs, "lr": 0.01},
    )


def noisy(curve, noise, random):
    learnt = np.clip(1.2 - curve / CHANCE, 0.05, None)
    return curve * np.exp(noise * learnt * random.standard_normal(len(curve)))


def layers(random, ratio=0.3, dead=0.05):
    """Three layers' first gradients, geometrically from the last one's down to `ratio` of it; units that are dead."""
    gradients = [
        {"epoch": 0, "parameter": f"layers.{2 * place + 1}.weight", "gradient_norm": ratio ** (1 - place / 2)}
        for place in range(3)
    ]
    activations = [
        {"epoch": 8, "layer": f"layers.{2 * place}", "zeros": 0.5, "dead": dead * random.uniform(0.5, 1)}
        for place in range(3)
    ]
    activations[1]["dead"] = dead
    return [*gradients, *activations]


def descent(epochs, floor, share, start=CHANCE):
    """From `start` towards `floor` with a time constant of `share` of the epochs: means over epochs, values at ends."""
    constant = share * epochs
    along, ends = np.arange(epochs) + 0.5, np.arange(epochs) + 1.0
    return [floor + (start - floor) * np.exp(-at / constant) for at in (along, ends)]


def _healthy(random, epochs):
    floor = random.uniform(0.05, 0.2)
    train, val = descent(epochs, floor, random.uniform(0.1, 0.125))
    return {"train": train, "val": val + random.uniform(0.01, 0.08)}


def _saturated(random, epochs):
    floor = random.uniform(0.05, 0.2)
    epochs = max(epochs, 20)
    train, val = descent(epochs, floor, random.uniform(0.01, 0.04))
    return {"train": train, "val": val + random.uniform(0.01, 0.08)}


def _still_improving(random, epochs):
    train, val = descent(epochs, random.uniform(0.02, 0.1), random.uniform(0.3, 0.6))
    return {"train": train, "val": val + random.uniform(0.01, 0.05)}


def _under_fitting(random, epochs):
    train, val = descent(epochs, random.uniform(0.9, 1.7), random.uniform(0.05, 0.12))
    return {"train": train, "val": val + random.uniform(0.0, 0.05)}


def _over_fitting(random, epochs):
    train, val = descent(epochs, random.uniform(0.005, 0.05), random.uniform(0.1, 0.2))
    if random.random() < 0.5:  # validation stays far above
        return {"train": train, "val": val + random.uniform(0.5, 1.0) * (1 - np.exp(-np.arange(epochs) / epochs * 10))}
    after = np.clip(np.linspace(0, 1, epochs) - random.uniform(0.2, 0.4), 0, None)
    return {"train": train, "val": val + 0.15 + random.uniform(0.6, 1.5) * after}


def _label_noise(random, epochs):
    plateau, turn = random.uniform(1.2, 1.6), random.uniform(0.3, 0.45)
    train, val = descent(epochs, plateau, random.uniform(0.05, 0.1))
    after = np.clip(np.linspace(0, 1, epochs) - turn, 0, None) / (1 - turn)
    rise = random.uniform(0.6, 1.5)
    return {"train": train * (1 - random.uniform(0.6, 0.9) * after), "val": val * (1 + rise * after)}


def _unstable(random, epochs):
    train, val = descent(epochs, random.uniform(0.1, 0.3), random.uniform(0.1, 0.15))
    spikes = random.choice(np.arange(2, epochs, 2), max(3, epochs // 8), replace=False)
    factor = np.ones(epochs)
    factor[spikes] = random.uniform(2.5, 6, len(spikes))
    return {"train": train * factor, "val": val * factor}


def _lr_too_low(random, epochs):
    start, end = CHANCE, CHANCE * random.uniform(0.75, 0.97)
    line = np.linspace(start, end, epochs + 1)
    return {"train": (line[1:] + line[:-1]) / 2, "val": line[1:], "errors": {"train": 0.85, "val": 0.85}}


def _vanishing(random, epochs):
    level = CHANCE * random.uniform(0.85, 1.0)
    flat = np.full(epochs, level)
    found = layers(random, ratio=10.0 ** random.uniform(-8, -3.5))
    return {"train": flat, "val": flat, "layers": found, "errors": {"train": 0.9, "val": 0.9}}


def _dead(random, epochs):
    train, val = descent(epochs, CHANCE * random.uniform(0.4, 0.9), 0.1)
    return {"train": train, "val": val, "layers": layers(random, dead=random.uniform(0.6, 1.0))}


def _lr_too_high(random, epochs):
    level = CHANCE * random.uniform(0.3, 0.9)
    rough = level * np.exp(0.1 * random.standard_normal(epochs))
    return {"train": rough, "val": rough * random.uniform(0.95, 1.05), "overshoot": random.uniform(8, 50)}


def _diverging(random, epochs):
    train, _ = descent(epochs, 0.6, 0.1)
    after = np.clip(np.linspace(0, 1, epochs) - random.uniform(0.2, 0.4), 0, None)
    grown = train * np.exp(random.uniform(4, 6) * after)
    return {"train": grown, "val": grown}


def _exploding(random, epochs):
    train, val = descent(epochs, 0.5, 0.12)
    norms = random.uniform(0.5, 2) * np.exp(np.linspace(0, random.uniform(5, 12), epochs))
    return {"train": train, "val": val, "norms": norms}


SHAPES = {
    "exploding gradients": _exploding,
    "diverging": _diverging,
    "lr too high": _lr_too_high,
    "dead ReLUs": _dead,
    "vanishing gradients": _vanishing,
    "lr too low": _lr_too_low,
    "unstable": _unstable,
    "label noise suspected": _label_noise,
    "over-fitting": _over_fitting,
    "still improving": _still_improving,
    "under-fitting": _under_fitting,
    "saturated early": _saturated,
    "healthy": _healthy,
}
