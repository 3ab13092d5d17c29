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
    lines = report.next_commands(composed(*given))
    assert lines
    for line in lines:
        words = [word for word in shlex.split(line)[2:] if word != "-m"]
        grid = next((word for word in words if word.startswith("lr=") and "," in word), None)
        plain = [word for word in words if word != grid]
        for rate in grid.removeprefix("lr=").split(",") if grid else ():
            composed(*plain, f"lr={rate}")
        composed(*plain)


def test_another_optimizer_finds_its_own_rate(composed):
    """The rate that was found is for the optimizer that it was found with."""
    run = composed("lr=find", "epochs=3").at(0.02)
    assert report.command(run, epochs="9") == "python src/train.py lr=0.02 epochs=9"
    assert report.command(run, optimizer="momentum") == "python src/train.py lr=find epochs=3 optimizer=momentum"
    assert report.command(composed("lr=0.1"), optimizer="momentum") == "python src/train.py optimizer=momentum"
