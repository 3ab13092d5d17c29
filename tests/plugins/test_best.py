"""The best trial once more: what goes wrong in it ends the search as it would end an ordinary run."""

import signal
from types import SimpleNamespace

import pytest

from descent import trials
from descent.errors import DataError, Interrupted
from hydra_plugins.descent_sweeper import _best


@pytest.fixture
def study(tmp_path):
    trial = SimpleNamespace(number=3, user_attrs={}, state=None)
    return SimpleNamespace(trials=lambda: [trial], point_of=lambda one: {"lr": "0.1"}, directory=tmp_path)


PLAN = SimpleNamespace(
    directions=["maximize"],
    search_knobs={"refit": False},
    overrides=["threads=1", "lr=1"],
    parent="p",
    searchpath=[],
    primary=[],
)


@pytest.mark.parametrize(
    ("fault", "code", "line"),
    [
        (RuntimeError("CUDA error: unspecified launch failure"), 1, "RuntimeError: CUDA error"),
        (DataError("data: gone"), 3, "data: gone"),
        (Interrupted(signal.SIGTERM), 143, "interrupted by SIGTERM; the same command goes on"),
        (KeyboardInterrupt(), 130, "interrupted by SIGINT; the same command goes on"),
    ],
)
def test_one_line_and_the_right_code(study, monkeypatch, capsys, fault, code, line):
    def fails(best):
        assert (best.overrides, best.tested, best.whole) == (["threads=1", "lr=0.1"], True, True)
        raise fault

    monkeypatch.setattr(_best, "best_of", lambda found, direction: found[0])
    monkeypatch.setattr(trials, "run", fails)
    with pytest.raises(SystemExit) as end:
        _best.train(study, PLAN, None)
    assert end.value.code == code
    assert len(said := capsys.readouterr().err.strip().splitlines()) == 1 and line in said[0]
