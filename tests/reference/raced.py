"""A race that never was: two values on two workloads with results that are known, and hostile words in it."""

from descent.races.race import Knob, Race, Try

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)> & \"quoted\" 'too' $a_b$ %{x}"
LR, MOMENTUM = Knob("optimizer=a/lr", 1e-4, 1.0, log=True), Knob("optimizer=b/momentum", 0.5, 0.99)
KIND = Knob("kind", choices=("x", EVIL), kind="choice", when="optimizer=b")


def raced(points=4, repeats=3, lr_of_best=1e-2, momentum_of_best=0.75) -> Race:
    """`a` is better on one workload by 0.1, on the other by 0.01; one point of `b` has diverged."""
    tries = []
    for place, workload in enumerate(("one", EVIL)):
        for value, ahead in (("a", 0.1 - 0.09 * place), ("b", 0.0)):
            for k in range(points):
                tries.append(_searched(len(tries), workload, value, k, ahead, lr_of_best, momentum_of_best))
            best = tries[-points]
            for k in range(repeats):
                score = 0.8 + ahead + 0.01 * k
                curve = [(epoch, score - 0.5 ** (epoch + 1)) for epoch in range(6)]
                tries.append(Try(len(tries), workload, value, best.point, score, 1.0, True, score - 0.02, curve))
    kept = {"optimizer": "scientific a | b"}
    return Race("race-1", "val/accuracy", "maximize", ("one", EVIL), ("a", "b"), (LR, MOMENTUM, KIND), tries, points,
                repeats, f"python src/train.py -m {EVIL}", kept, ["model=mlp dataset=digits"])  # fmt: skip


def _searched(number, workload, value, k, ahead, lr, momentum):
    """The first point is the best, the others are worse one after the other."""
    share = (k + 0.5) / 4
    if value == "a":
        point = {LR.name: lr if k == 0 else 10 ** (-4 + 4 * share)}
    else:
        point = {MOMENTUM.name: momentum if k == 0 else 0.5 + 0.49 * share, "kind": "x" if k < 2 else EVIL}
    failed = value == "b" and k == 3 and workload == "one"
    objective = None if failed else 0.82 + ahead - 0.1 * k
    return Try(number, workload, value, point, objective, 1.0, shown=EVIL, cause="diverged" if failed else "")
