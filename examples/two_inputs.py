"""The six update rules on one sigmoid unit of two inputs, side by side.

python examples/two_inputs.py             into docs/pictures/two_inputs.png
python examples/two_inputs.py out.png epochs=5
"""

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from runs import asked, drawn, trained

RULES = {
    "gd": ["optimizer=gd"],
    "sgd, one sample": ["optimizer=sgd", "batch_size=1"],
    "mini-batch of 32": ["optimizer=sgd"],
    "momentum": ["optimizer=momentum"],
    "adagrad": ["optimizer=adagrad"],
    "adam": ["optimizer=adam"],
}


def main():
    figure, (losses, ways) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for name, overrides in RULES.items():
        run = trained(["experiment=two_inputs", *overrides, *asked()])
        curve = run.history["val/loss"]
        losses.plot(np.arange(1, len(curve) + 1), curve, label=name)
        ways.plot(run.way[:, 0], run.way[:, 1], linewidth=0.8, label=name)
        ways.plot(*run.way[-1, :2], "ko", markersize=3)
    losses.set(xlabel="pass", ylabel="val/loss", xscale="log")
    ways.set(xlabel="w1", ylabel="w2")
    losses.legend(fontsize=8)
    drawn(figure, "two_inputs")


if __name__ == "__main__":
    main()
