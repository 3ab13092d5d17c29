"""What the end of a run proposes are commands that can be given."""

import shlex

import pytest

from descent import report

RUNS = [
    [],
    ["optimizer=adam", "optimizer.betas=[0.8,0.9]", "lr=0.01"],
    ["model=linear"],
    ["model=lstm", "dataset=sequences", "seed=7"],
    ["model=resnet", "regularization=[sam]"],
    ["dataset=diabetes", "optimizer=lbfgs"],
    ["dataset.val_fraction=0", "optimizer=rprop"],
    ["experiment=batch_growth"],
    ["experiment=landscape"],
    ["trainer.check_val_every_n_epoch=5"],
]


@pytest.mark.parametrize("given", RUNS, ids=" ".join)
def test_what_is_proposed_composes(composed, given):
    for line in report.next_commands(composed(*given)):
        words = [word for word in shlex.split(line)[2:] if word != "-m"]
        grid = next((word for word in words if word.startswith("lr=") and "," in word), None)
        plain = [word for word in words if word != grid]
        for rate in grid.removeprefix("lr=").split(",") if grid else ():
            composed(*plain, f"lr={rate}")
        composed(*plain)
