"""Verdicts on trainings with a planted fault, and on what a person gets to see of them."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

PROJECT = Path(__file__).parents[2]
DIAGNOSE = PROJECT / "src" / "diagnose.py"
NOISY = "dataset=csv dataset.path=noisy.csv dataset.target=digit"
TABLE = "dataset=synthetic dataset.shape=[100] dataset.classes=4 dataset.difficulty=0.8 dataset.val_fraction=0.3"
DEEP = "model.hidden=[64,64,64,64,64,64,64,64]"
# What is done to a training, and what has to be said of it first.
PLANTED = {
    "lr x 100": ("lr=0.1", "lr too high"),
    "lr / 1000": ("lr=1e-6", "lr too low"),
    "tiny data": ("dataset.fraction=0.05 epochs=30", "over-fitting"),
    "huge width": (f"{TABLE} dataset.samples=500 model.hidden=[4096] epochs=15", "over-fitting"),
    "no regularization": (f"{TABLE} dataset.samples=900 epochs=40", "over-fitting"),
    "labels at random": (f"{NOISY} model.hidden=[512,256] epochs=50 lr=5e-4", "label noise suspected"),
    "dead units": ("model.init=zeros", "dead ReLUs"),
    "deep sigmoid": (f"{DEEP} model.activation=sigmoid", "vanishing gradients"),
    "too few epochs": ("epochs=3 lr=3e-4", "still improving"),
    "nothing": ("", "healthy"),
}


def noisy_digits(share=0.4):
    """Digits of which so many have a label drawn at random."""
    data, random = load_digits(), np.random.default_rng(0)
    labels = data.target.copy()
    drawn = random.random(len(labels)) < share
    labels[drawn] = random.integers(0, 10, drawn.sum())
    names = ",".join([*(f"pixel{place}" for place in range(64)), "digit"])
    rows = [
        ",".join([*(f"{value:.0f}" for value in row), f"c{label}"])
        for row, label in zip(data.data, labels, strict=True)
    ]
    return "\n".join([names, *rows]) + "\n"


def verdict(directory):
    return json.loads((directory / "diagnosis.json").read_text())[0]


def loss_of(directory):
    """Of the reported weights on validation: finer than the accuracy of two hundred samples."""
    return json.loads((directory / "results.json").read_text())["metrics"]["best/val/loss"]


@pytest.mark.slow
def test_the_cause_is_named_and_the_first_proposal_helps(run_here, tmp_path):
    (tmp_path / "noisy.csv").write_text(noisy_digits())
    named, helped = {}, {}
    for name, (words, expected) in PLANTED.items():
        before, after = tmp_path / name / "before", tmp_path / name / "after"
        given = [*words.split(), "tracking=none", "threads=1"]
        assert run_here([*given, f"hydra.run.dir='{before}'"]).code == 0
        found = verdict(before)
        named[name] = found["sign"] == expected
        proposed = found["overrides"][0]
        kept = [word for word in given if word.split("=")[0] != proposed.split("=")[0]]
        assert run_here([*kept, proposed, f"hydra.run.dir='{after}'"]).code == 0
        results = [json.loads((place / "results.json").read_text()) for place in (before, after)]
        helped[name] = results[1]["objective"] > results[0]["objective"] or (
            results[1]["objective"] == results[0]["objective"] and loss_of(after) < loss_of(before)
        )
    assert all(named.values()), named
    assert sum(helped.values()) >= 8, helped


def test_a_run_ends_with_its_verdict(run_here, tmp_path):
    answer = run_here(["lr=0.1", "epochs=6", "tracking=none", f"hydra.run.dir={tmp_path}/runs/high"])
    [said] = [line for line in answer.out.splitlines() if line.startswith("verdict:")]
    assert said.startswith("verdict: lr too high: the loss overshoots")
    first = answer.out.split("next:")[1].strip().splitlines()[0]
    assert shlex.split(first)[2:] == ["epochs=6", "tracking=none", "lr=0.01"]
    again = run_here(["run=latest"], DIAGNOSE)
    assert (
        again.code == 0 and said in again.out and "try: python src/train.py epochs=6 tracking=none lr=0.01" in again.out
    )


def test_an_old_run_is_given_the_verdict_that_it_would_have_had(run_here, tmp_path):
    run_here(["epochs=5", "tracking=none", f"hydra.run.dir={tmp_path}/runs/old"])
    kept = tmp_path / "runs" / "old" / "diagnosis.json"
    fresh = run_here(["run=latest"], DIAGNOSE).out
    kept.unlink()
    assert run_here(["run=latest"], DIAGNOSE).out == fresh


def test_a_training_that_diverges_says_so_in_its_directory(run_here, tmp_path):
    answer = run_here(["optimizer=sgd", "lr=1000", "tracking=none", f"hydra.run.dir={tmp_path}/runs/far"])
    assert answer.code == 5
    assert verdict(tmp_path / "runs" / "far")["sign"] in ("diverging", "exploding gradients", "lr too high")


def test_a_verdict_is_a_tag(run_here, tmp_path):
    import mlflow

    run_here(["epochs=3", "lr=3e-4", f"hydra.run.dir={tmp_path}/runs/tagged"])
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    [run] = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert run.data.tags["diagnosis"] == "still improving"
    assert run.data.tags["diagnosis.try"] == "epochs=9 lr=0.0009"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "run: got nothing, allowed a text; set run=…"),
        (["run=nobody"], "run: got nobody, allowed best | latest | a run's id, name or directory; there is no run yet"),
        (["ran=latest"], "ran: unknown key; allowed run; did you mean run?"),
    ],
)
def test_a_wrong_request_is_one_line(run_here, words, line):
    answer = run_here(words, DIAGNOSE)
    assert answer.code == 2 and answer.err.strip() == line
