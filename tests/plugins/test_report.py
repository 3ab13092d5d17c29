"""A study's report holds what its journal says, and the surrogate is the one that the sampler asks."""

import json
import math

import numpy as np
import pytest
import torch
from optuna.trial import TrialState, create_trial

from hydra_plugins.descent_sweeper._report import search_of, study_of, tell
from hydra_plugins.descent_sweeper._samplers import distribution
from hydra_plugins.descent_sweeper._search_space import parsed
from hydra_plugins.descent_sweeper._study import Queue
from hydra_plugins.descent_sweeper._surrogate import Surrogate
from hydra_plugins.descent_sweeper._worker import Plan

SPACE = [parsed("lr", "float [1e-4, 1] log"), parsed("kind", "a | b"), parsed("p", "float [0, 1] if kind=a")]


class Taken:
    """A run that keeps what it is given."""

    def __init__(self):
        self.files = []

    def artifact(self, path, folder="", *, masked=False):
        self.files.append((path.name, masked))

    def describe(self, markdown):
        self.described = markdown


def plan_of(directory, search="tpe", direction="maximize"):
    return Plan(
        directory=str(directory),
        parameters=[],
        overrides=["epochs=3"],
        search=search,
        search_knobs={"deterministic": False},
        pruner="none",
        pruner_knobs={"looks": 3, "after": "epochs"},
        stopping={},
        objectives=["val/accuracy"],
        directions=[direction],
        seed=0,
        parent="",
    )


def queue_of(directory, space, direction="maximize"):
    queue = Queue(directory, space)
    queue.create([direction])
    return queue


def add(queue, params, value=None, state=TrialState.COMPLETE, **attributes):
    kinds = {one.name: distribution(one) for one in queue.parameters if one.name in params}
    made = create_trial(state=state, value=value, params=params, distributions=kinds, user_attrs=attributes)
    queue.study.add_trial(made)


@pytest.fixture
def queue(tmp_path):
    found = queue_of(tmp_path, SPACE)
    add(found, {"lr": 0.1, "kind": "a", "p": 0.5}, 0.5)
    add(found, {"lr": 0.2, "kind": "b"}, 0.8)
    add(found, {"lr": 0.3, "kind": "b"}, state=TrialState.FAIL, cause="Diverged: api_key=abcdef0123456789")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "history.json").write_text(json.dumps({"val/accuracy": [[0, 0.4], [1, 0.8]]}))
    return found


def test_every_trial_is_told_as_it_ended(queue, tmp_path):
    tries = study_of(queue, plan_of(tmp_path)).tries
    assert [one.state for one in tries] == ["finished", "finished", "failed"]
    assert [one.values for one in tries] == [(0.5,), (0.8,), ()]
    assert tries[0].shown == "lr=0.1 kind=a p=0.5"
    assert list(tries[1].curve) == [(0, 0.4), (1, 0.8)]
    assert "abcdef" not in tries[2].cause


def test_seeds_of_a_trial_are_one_curve(queue, tmp_path):
    for number, values in enumerate(([0.1, 0.3], [0.3, 0.5])):
        (tmp_path / "0" / str(number)).mkdir(parents=True)
        history = {"val/accuracy": list(enumerate(values))}
        (tmp_path / "0" / str(number) / "history.json").write_text(json.dumps(history))
    curve = study_of(queue, plan_of(tmp_path)).tries[0].curve
    assert list(curve) == [(0, pytest.approx(0.2)), (1, pytest.approx(0.4))]


def test_the_page_and_the_pictures_go_to_the_run(queue, tmp_path, capsys):
    run = Taken()
    tell(run, queue, plan_of(tmp_path))
    assert run.files == [("report.html", True), ("plots", True)]
    assert "python src/train.py epochs=3 lr=0.2 kind=b" in (tmp_path / "report.html").read_text()
    assert capsys.readouterr().out == f"report: {tmp_path / 'report.html'}\n"


def test_a_study_without_a_finished_trial_says_so_in_a_line(tmp_path, capsys):
    found = queue_of(tmp_path, SPACE)
    add(found, {"lr": 0.1, "kind": "b"}, state=TrialState.FAIL)
    tell(Taken(), found, plan_of(tmp_path))
    assert capsys.readouterr().out == "no report: no trial has finished\n"
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_surrogate_is_the_samplers(tmp_path, direction):
    """Its expected improvement is Optuna's, which is a logarithm over standardised values."""
    from optuna._gp import acqf

    space = [parsed("lr", "float [1e-4, 1] log"), parsed("width", "int [1, 64]"), parsed("kind", "a | b")]
    found, random = queue_of(tmp_path, space, direction), np.random.default_rng(0)
    for _ in range(12):
        lr, width, kind = 10 ** random.uniform(-4, 0), int(random.integers(1, 65)), str(random.choice(["a", "b"]))
        add(found, {"lr": lr, "width": width, "kind": kind}, (math.log10(lr) + 2) ** 2 + width / 64)
    (belief, over_two) = search_of(found, plan_of(tmp_path, "gp", direction)).beliefs
    assert belief.dimensions[0].name == next(iter(search_of(found, plan_of(tmp_path)).study.importances))
    assert over_two.mean.shape == tuple(len(along) for along in over_two.places[::-1])
    trials = found.trials()
    known = Surrogate(space, trials, direction == "minimize", exact=False)
    scores = known._sign * np.array([one.value for one in trials])
    threshold = float(((scores - scores.mean()) / scores.std()).max())
    best = min(trials, key=lambda one: -known._sign * one.value)
    name = belief.dimensions[0].name
    places = known._places([{**best.params, name: type(best.params[name])(at)} for at in belief.places[0]])
    asked = acqf.LogEI(known._model, known._space, threshold=threshold)
    with torch.no_grad():
        theirs = np.exp(asked.eval_acqf(torch.from_numpy(places)).numpy()) * scores.std()
    assert belief.improvement == pytest.approx(theirs, rel=1e-3, abs=1e-4 * scores.std())
