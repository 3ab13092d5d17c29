"""What the README promises of the shipped settings: five seeds each, trained anew."""

import re
import sys
from pathlib import Path

import pytest
from sklearn.linear_model import Ridge

from descent.assembly import load
from descent.door import compose, typed

PROJECT = Path(__file__).parents[2]
sys.path.append(str(PROJECT / "benchmarks"))
from results import WANTED, measured  # noqa: E402


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return {name: measured(name, 5, None, tmp_path_factory.mktemp(name)) for name in WANTED}


@pytest.mark.slow
@pytest.mark.parametrize("name", WANTED)
def test_an_experiment_reaches_what_is_wanted(found, name):
    metric, least = WANTED[name]
    assert found[name][metric].n == 5
    assert found[name][metric].mean >= least


@pytest.mark.slow
def test_diabetes_is_as_good_as_ridge_regression(found):
    data = load(typed(compose(["experiment=diabetes"])))
    train, test = data.train, data.test
    ridge = Ridge(alpha=1e-3).fit(train.inputs.numpy(), train.targets.numpy())
    assert abs(found["diabetes"]["test/r2"].mean - ridge.score(test.inputs.numpy(), test.targets.numpy())) < 0.03


def test_the_readme_tells_of_every_experiment_and_keeps_to_what_is_wanted():
    rows = re.findall(r"^\| (\w+) \| (test/\w+) \| ([\d.]+) \|", (PROJECT / "README.md").read_text(), re.MULTILINE)
    assert {name for name, _, _ in rows} == set(WANTED)
    for name, metric, mean in rows:
        assert metric == WANTED[name][0]
        assert float(mean) >= WANTED[name][1]
