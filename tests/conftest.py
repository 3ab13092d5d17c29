"""What every test may ask for: a root of its own, a checked configuration, and a command with its answer."""

import logging
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from descent import sections
from descent.config import Config
from reference.composed import config_of
from reference.remembering import remembering

PROJECT = Path(__file__).parents[1]
TRAIN = PROJECT / "src" / "train.py"
# Files that begin first, so that the processes that share a suite end together: those whose longest test is longest.
LONG = [
    "study_storm", "killed_and_tracked", "reproduce", "kill_and_resume", "searches", "diagnosis", "results", "pipeline",
    "races", "calibration_on_runs", "bad_commands", "search", "docs", "workers", "tracked_runs", "benchmarks",
    "registry", "compare_groups", "store_storm", "groups", "disk_full", "repeats", "engine_state", "evaluate", "store",
]  # fmt: skip
LEFT_BEHIND = ("MLFLOW_TRACKING_URI", "DESCENT_DEBUG", "HYDRA_FULL_ERROR")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.stem.removeprefix("test_"), len(LONG)))


@dataclass(frozen=True)
class Answer:
    """What a command came back with."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    """Whatever is written goes here: never to the project, never to the user's store."""
    for name in LEFT_BEHIND:
        monkeypatch.setenv(name, "")  # so that it is taken back too where the test itself, or MLflow in it, sets it
        monkeypatch.delenv(name)
    monkeypatch.setenv("DESCENT_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True, scope="session")
def state(tmp_path_factory):
    """What runs keep for the user, such as the diffs they were made from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True, scope="session")
def remembered():
    with remembering():
        yield


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Hydra and others put handlers on the root logger, over streams that a test's end closes."""
    before = list(logging.root.handlers), logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = before


@pytest.fixture(scope="session")
def composed() -> Callable[..., Config]:
    """`composed("optimizer=sgd", "lr=1")`: the configuration as a command line would make it."""
    return config_of


@pytest.fixture
def run_command(tmp_path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """`run_command(["lr=1"])`: src/train.py in a process of its own, from another working directory."""

    def run(arguments: list[str], env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(TRAIN), *arguments]
        settings = {**os.environ, **(env or {})}
        return subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def run_here(tmp_path, monkeypatch, capfd) -> Callable[..., Answer]:
    """`run_here(["lr=1"])`: the same script without the price of a process; twenty times faster."""

    def run(arguments: list[str], script: Path = TRAIN, place: Path = tmp_path) -> Answer:
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", [str(script), *arguments])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")  # set by the entry point; put back when the test ends
        capfd.readouterr()
        code = 0
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            GlobalHydra.instance().clear()
            sections.asked([])  # as a new process has it
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return run
