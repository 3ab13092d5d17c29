"""Lightning's words become ours."""

from argparse import Namespace

import pytest

from descent.tracking.logger import DescentLogger
from descent.tracking.records import Metrics, Params
from descent.tracking.run import Run


class Remembering(Run):
    def __init__(self):
        super().__init__("a name", "abc")
        self.records = []

    def append(self, record):
        self.records.append(record)


@pytest.fixture
def run():
    return Remembering()


def test_what_has_an_epoch_is_logged_at_that_epoch(run):
    DescentLogger(run).log_metrics({"train/loss": 0.5, "epoch": 3}, step=120)
    assert isinstance(run.records[0], Metrics)
    assert (run.records[0].values, run.records[0].step) == ({"train/loss": 0.5}, 3)


def test_what_has_none_is_logged_at_its_step(run):
    DescentLogger(run).log_metrics({"lr-SGD": 0.1}, step=120)
    assert run.records[0].step == 120


def test_hyperparameters_are_params(run):
    logger = DescentLogger(run)
    logger.log_hyperparams({"lr": 0.1})
    logger.log_hyperparams(Namespace(depth=3))
    assert [record.values for record in run.records] == [{"lr": "0.1"}, {"depth": "3"}]
    assert isinstance(run.records[0], Params)


def test_name_and_version_are_the_runs(run):
    logger = DescentLogger(run)
    assert (logger.name, logger.version, logger.save_dir, logger.experiment) == ("a name", "abc", None, run)
