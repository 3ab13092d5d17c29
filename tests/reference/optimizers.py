"""Every optimizer's rule in NumPy float64, written from its paper; one class each, one array at a time.

`step(w, g)` gives the new weight. Where torch departs from the paper, the class says so and does as torch does;
docs/optimizers.md lists those places.
"""

from typing import ClassVar

import numpy as np


class Rule:
    """Knobs as keywords; `t` counts steps from 1."""

    knobs: ClassVar[dict] = {}

    def __init__(self, lr, decay=0.0, **knobs):
        self.lr, self.decay, self.t = lr, decay, 0
        vars(self).update({**self.knobs, **knobs})

    def advance(self, w, g):
        self.t += 1
        return self.step(w, g + self.decay * w)

    def step(self, w, g):
        raise NotImplementedError


class Decoupled(Rule):
    """Decay that never meets the gradient (Loshchilov and Hutter 2019)."""

    def advance(self, w, g):
        self.t += 1
        return self.step(w - self.lr * self.decay * w, g)


class Descent(Rule):
    def step(self, w, g):
        return w - self.lr * g


class Momentum(Rule):
    """Polyak 1964; with `look_ahead` Nesterov 1983 in the form of Sutskever et al. 2013."""

    knobs: ClassVar[dict] = {"momentum": 0.9, "dampening": 0.0, "look_ahead": False}

    def step(self, w, g):
        self.v = g if self.t == 1 else self.momentum * self.v + (1 - self.dampening) * g
        return w - self.lr * (g + self.momentum * self.v if self.look_ahead else self.v)


class Adagrad(Rule):
    """Duchi et al. 2011: a sum of squared gradients."""

    knobs: ClassVar[dict] = {"start": 0.0, "eps": 1e-10, "lr_decay": 0.0}

    def step(self, w, g):
        self.total = (np.full_like(w, self.start) if self.t == 1 else self.total) + g**2
        return w - self.lr / (1 + (self.t - 1) * self.lr_decay) * g / (np.sqrt(self.total) + self.eps)


class Adadelta(Rule):
    """Zeiler 2012, algorithm 1."""

    knobs: ClassVar[dict] = {"rho": 0.9, "eps": 1e-6}

    def step(self, w, g):
        if self.t == 1:
            self.squares, self.deltas = np.zeros_like(w), np.zeros_like(w)
        self.squares = self.rho * self.squares + (1 - self.rho) * g**2
        delta = -np.sqrt(self.deltas + self.eps) / np.sqrt(self.squares + self.eps) * g
        self.deltas = self.rho * self.deltas + (1 - self.rho) * delta**2
        return w + self.lr * delta


class RMSprop(Rule):
    """Hinton 2012, lecture 6e; centred and with momentum as in Graves 2013."""

    knobs: ClassVar[dict] = {"alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centred": False}

    def step(self, w, g):
        if self.t == 1:
            self.square, self.mean, self.v = (np.zeros_like(w) for _ in range(3))
        self.square = self.alpha * self.square + (1 - self.alpha) * g**2
        self.mean = self.alpha * self.mean + (1 - self.alpha) * g
        spread = self.square - (self.mean**2 if self.centred else 0)
        self.v = self.momentum * self.v + g / (np.sqrt(spread) + self.eps)
        return w - self.lr * self.v


class Adam(Rule):
    """Kingma and Ba 2015, algorithm 1; `largest` is AMSGrad (Reddi et al. 2018)."""

    knobs: ClassVar[dict] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "largest": False}

    def moments(self, w, g):
        if self.t == 1:
            self.m, self.v, self.top = (np.zeros_like(w) for _ in range(3))
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        self.top = np.maximum(self.top, self.v)

    def step(self, w, g):
        self.moments(w, g)
        second = (self.top if self.largest else self.v) / (1 - self.beta2**self.t)
        return w - self.lr * self.m / (1 - self.beta1**self.t) / (np.sqrt(second) + self.eps)


class AdamW(Decoupled, Adam):
    pass


class NAdam(Adam):
    """Dozat 2016, with the schedule of momenta of its section 3 (base 0.96)."""

    knobs: ClassVar[dict] = {**Adam.knobs, "psi": 0.004, "product": 1.0}

    def step(self, w, g):
        self.moments(w, g)
        now, following = (self.beta1 * (1 - 0.5 * 0.96 ** (t * self.psi)) for t in (self.t, self.t + 1))
        self.product *= now
        first = following * self.m / (1 - self.product * following) + (1 - now) * g / (1 - self.product)
        return w - self.lr * first / (np.sqrt(self.v / (1 - self.beta2**self.t)) + self.eps)


class NAdamW(Decoupled, NAdam):
    pass


class RAdam(Adam):
    """Liu et al. 2020, algorithm 2; torch rectifies above 5 where the paper has 4, and adds eps to the square root."""

    def step(self, w, g):
        self.moments(w, g)
        ahead = self.m / (1 - self.beta1**self.t)
        longest = 2 / (1 - self.beta2) - 1
        length = longest - 2 * self.t * self.beta2**self.t / (1 - self.beta2**self.t)
        if length <= 5:
            return w - self.lr * ahead
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return w - self.lr * np.sqrt(rectified * (1 - self.beta2**self.t)) * ahead / (np.sqrt(self.v) + self.eps)


class RAdamW(Decoupled, RAdam):
    pass


class Adamax(Rule):
    """Kingma and Ba 2015, algorithm 2; torch adds eps to |g| inside the maximum, the paper has none."""

    knobs: ClassVar[dict] = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

    def step(self, w, g):
        if self.t == 1:
            self.m, self.u = np.zeros_like(w), np.zeros_like(w)
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.u = np.maximum(self.beta2 * self.u, np.abs(g) + self.eps)
        return w - self.lr / (1 - self.beta1**self.t) * self.m / self.u


class AveragedDescent(Rule):
    """Polyak and Juditsky 1992 with the rate lr / (1 + lambda lr t)^alpha, t one step behind as torch has it."""

    knobs: ClassVar[dict] = {"lambd": 1e-4, "alpha": 0.75, "t0": 1e6}

    def step(self, w, g):
        rate = self.lr / (1 + self.lambd * self.lr * (self.t - 1)) ** self.alpha
        w = (1 - self.lambd * rate) * w - rate * g
        late = max(1, self.t - 1 - self.t0)
        self.average = w if late == 1 else self.average + (w - self.average) / late
        return w


class Rprop(Rule):
    """Riedmiller and Braun 1993 without backtracking of the weights (iRprop- of Igel and Huesken 2000)."""

    knobs: ClassVar[dict] = {"shrink": 0.5, "grow": 1.2, "shortest": 1e-6, "longest": 50.0}

    def step(self, w, g):
        if self.t == 1:
            self.before, self.size = np.zeros_like(w), np.full_like(w, self.lr)
        turned = g * self.before
        factor = np.where(turned > 0, self.grow, np.where(turned < 0, self.shrink, 1.0))
        self.size = np.clip(self.size * factor, self.shortest, self.longest)
        self.before = np.where(turned < 0, 0.0, g)
        return w - self.size * np.sign(self.before)


class Adafactor(Decoupled):
    """Shazeer and Stern 2018, algorithms 4 and 5; torch bounds the squares from below, the paper adds eps1 to g^2."""

    knobs: ClassVar[dict] = {"forget": -0.8, "d": 1.0, "smallest": 1e-3, "eps": np.finfo(float).eps}

    def advance(self, w, g):
        self.size = max(self.smallest, np.sqrt((w**2).mean()))  # of the weight before its decay
        return super().advance(w, g)

    def step(self, w, g):
        keep, square = 1 - self.t**self.forget, g**2
        if w.ndim == 1:
            self.v = square if self.t == 1 else keep * self.v + (1 - keep) * square
            estimate = self.v
        else:
            rows, columns = square.mean(1), square.mean(0)
            self.rows = rows if self.t == 1 else keep * self.rows + (1 - keep) * rows
            self.columns = columns if self.t == 1 else keep * self.columns + (1 - keep) * columns
            estimate = np.outer(self.rows, self.columns) / self.rows.mean()
        update = g / np.sqrt(np.maximum(estimate, self.eps**2))
        update = update / max(1.0, np.sqrt((update**2).mean()) / self.d)
        return w - self.size * min(self.lr, 1 / np.sqrt(self.t)) * update


class Lion(Decoupled):
    """Chen et al. 2023, algorithm 2."""

    knobs: ClassVar[dict] = {"beta1": 0.9, "beta2": 0.99}

    def step(self, w, g):
        m = np.zeros_like(w) if self.t == 1 else self.m
        self.m = self.beta2 * m + (1 - self.beta2) * g
        return w - self.lr * np.sign(self.beta1 * m + (1 - self.beta1) * g)


class Muon(Decoupled):
    """Jordan et al. 2024, with lr scaled as in Liu et al. 2025; what is no matrix steps by AdamW."""

    knobs: ClassVar[dict] = {"momentum": 0.95, "look_ahead": True, "rounds": 5}

    def advance(self, w, g):
        if w.ndim == 2:
            return super().advance(w, g)
        self.other = getattr(self, "other", None) or AdamW(self.lr, self.decay)
        return self.other.advance(w, g)

    def step(self, w, g):
        self.v = g if self.t == 1 else self.momentum * self.v + g
        direction = g + self.momentum * self.v if self.look_ahead else self.v
        return w - self.lr * 0.2 * np.sqrt(max(w.shape)) * orthogonalised(direction, self.rounds)


def orthogonalised(x, rounds):
    """The quintic Newton-Schulz iteration; the product makes it in bfloat16."""
    x = x / np.linalg.norm(x)
    for _ in range(rounds):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


def lbfgs(point, gradient, steps, lr, history=10):
    """Nocedal 1980: the two-loop recursion, without a line search; the first step is no longer than lr in sum."""
    pairs, g = [], gradient(point)
    for number in range(steps):
        q, used = g.copy(), []
        for s, y in reversed(pairs):
            used.append((s @ q) / (s @ y))
            q -= used[-1] * y
        q *= (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1]) if pairs else 1.0
        for (s, y), alpha in zip(pairs, reversed(used), strict=True):
            q += (alpha - (y @ q) / (s @ y)) * s
        length = lr * (min(1.0, 1 / np.abs(g).sum()) if number == 0 else 1.0)
        following = point - length * q
        fresh = gradient(following)
        if (following - point) @ (fresh - g) > 1e-10:
            pairs = [*pairs, (following - point, fresh - g)][-history:]
        point, g = following, fresh
    return point
