"""A search that never was, with every kind of thing that a page shows of one, and hostile words in it."""

import math

import numpy as np

from descent.pages import search, surrogates
from descent.pages.studies import Dimension, Study, Try

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)> & \"quoted\" 'too' $a_b$ %{x}"
SPACE = (Dimension("lr", log=True), Dimension("width"), Dimension("kind", ("$a_b$", EVIL)), Dimension("kind=a/p"))


def searched(count: int = 40, objectives: int = 1) -> search.Search:
    """Trials that finished, were pruned and failed, and what a surrogate believes."""
    random = np.random.default_rng(0)
    tries = tuple(_try(number, objectives, random) for number in range(count))
    names, ways = ("val/accuracy", "model/parameters"), ("maximize", "minimize")
    study = Study(names[:objectives], ways[:objectives], SPACE, tries, {"lr": 0.7, "width": 0.3})
    at = np.linspace(0, 1, 9)
    along = surrogates.Belief(SPACE[:1], (10 ** (3 * at - 3),), at, 0.1 + at, at**2)
    both = (np.add.outer(at, at) for _ in range(3))
    over = surrogates.Belief(SPACE[:2], (10 ** (3 * at - 3), 1 + 7 * at), *both)
    return search.Search("tpe-1", study, f"python src/train.py -m {EVIL}", EVIL, [("x", EVIL)], [EVIL], [along, over])


def _try(number: int, objectives: int, random: np.random.Generator) -> Try:
    point = {"lr": 10 ** random.uniform(-3, 0), "width": int(random.integers(1, 9)), "kind": EVIL}
    point |= {"kind=a/p": random.random()} if number % 3 == 0 else {}
    state = "failed" if number % 11 == 5 else "pruned" if number % 4 == 3 else "finished"
    value = 1.0 + math.log10(point["lr"]) / 10 + random.random() / 50
    values = (value, 100.0 * point["width"])[:objectives] if state == "finished" else ()
    curve = [(epoch, value * (1 - 0.5**epoch)) for epoch in range(8 if state == "finished" else 3)]
    return Try(number, state, values, point, f"kind={EVIL}", curve if state != "failed" else (), EVIL)
