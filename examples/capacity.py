"""Depth and width of an mlp against how well it fits, how well it generalises, and how fast it gets there.

python examples/capacity.py               into docs/pictures/capacity.png
python examples/capacity.py out.png epochs=5
"""

from collections import defaultdict

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from runs import asked, drawn, trained

DEPTHS, WIDTHS = (1, 2, 4), (2, 4, 8, 16, 32, 64, 128, 256)


def main():
    figure, panels = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    rows = defaultdict(list)
    for depth in DEPTHS:
        for width in WIDTHS:
            run = trained(["experiment=capacity", f"model.depth={depth}", f"model.width={width}", *asked()])
            train, val = run.history["train/loss"], run.history["val/loss"]
            rows[depth].append((run.parameters, train[-1], val[-1], val[-1] - train[-1], 1 + int(np.argmin(val))))
    for depth, values in rows.items():
        size, train, val, gap, best = np.array(values).T
        panels[0].plot(size, train, f"C{depth}:", label=f"train, depth {depth}")
        panels[0].plot(size, val, f"C{depth}-", label=f"val, depth {depth}")
        panels[1].plot(size, gap, f"C{depth}o-", markersize=3)
        panels[2].plot(size, best, f"C{depth}o-", markersize=3)
    for axes, title in zip(
        panels, ("loss at the end", "gap: val - train", "epoch of the lowest val/loss"), strict=True
    ):
        axes.set(xscale="log", xlabel="parameters", title=title)
    panels[0].set_yscale("log")
    panels[0].legend(fontsize=7)
    drawn(figure, "capacity")


if __name__ == "__main__":
    main()
