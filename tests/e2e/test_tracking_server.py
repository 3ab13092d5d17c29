"""A real tracking server that is away in every way it can be: training does not wait, and everything arrives once."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from descent.tracking import courier as module
from descent.tracking import waiting
from descent.tracking.courier import courier
from descent.tracking.destination import Destination
from descent.tracking.run import open_run
from descent.tracking.store import open_store
from descent.tracking.sync import sync

SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
EPOCHS = 50


class Server:
    """One store, served on one port, as often as it is started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        command += ["--artifacts-destination", str(self.folder / "files")]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **SETTINGS}, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_healthy()

    def kill(self) -> None:
        """Its worker is a child of its own: the whole session goes, by its number."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert self.process and self.process.poll() is None, (self.folder / "log").read_text()
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.2)  # polls another process; nothing is ordered by it
        pytest.fail((self.folder / "log").read_text())


class Broken(http.server.BaseHTTPRequestHandler):
    """Answers everything with 500."""

    def answer(self) -> None:
        self.send_error(500)

    do_GET = do_POST = do_PUT = do_PATCH = answer

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


@contextmanager
def answering_500(port):
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Broken) as broken:
        threading.Thread(target=broken.serve_forever, daemon=True).start()
        yield
        broken.shutdown()


@contextmanager
def never_answering(port):
    with socket.create_server(("127.0.0.1", port)):
        yield


@contextmanager
def refusing(port):
    yield


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server")
    yield server
    server.kill()


@pytest.fixture
def impatient(monkeypatch):
    """A process of its own that ships, for what it reads from the environment when it starts."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    monkeypatch.setattr(module, "courier", own := type(courier)())
    yield own
    if own._child:
        own._child.process.kill()
        own._child.process.wait()


def train(destination, between):
    """What a training does to its record, at once; `between` happens in the middle. Returns run and seconds waited."""
    directory = destination.root / "run"
    waited = -time.perf_counter()
    with open_run(destination, directory, name="remote", tags={"arm": "a"}, local_id="l0") as run:
        run.params({"lr": 0.1})
        run.dataset("digits", "1", "training", "scikit-learn", {})
        for epoch in range(EPOCHS):
            if epoch == EPOCHS // 2:
                waited += time.perf_counter()
                between(run)
                waited -= time.perf_counter()
            run.metrics({"train/loss": 1.0 / (epoch + 1)}, epoch)
        run.series("loss", range(1500), 0)
        run.text("hello", "notes/hello.txt")
    return run, waited + time.perf_counter()


def check(destination):
    """Everything has arrived, once."""
    store = open_store(destination)
    [run] = store.client.search_runs([store.experiment_id])
    assert (run.info.status, run.data.params, run.data.tags["arm"]) == ("FINISHED", {"lr": "0.1"}, "a")
    for key, steps in (("train/loss", EPOCHS), ("step/loss", 1500)):
        points = store.client.get_metric_history(run.info.run_id, key)
        assert sorted(point.step for point in points) == list(range(steps))
    assert len(run.inputs.dataset_inputs) == 1
    assert [file.path for file in store.client.list_artifacts(run.info.run_id, "notes")] == ["notes/hello.txt"]
    return run.info.run_id


def nothing(run):
    pass


def until_stored(run):
    deadline = time.monotonic() + 60
    while run.id is None and time.monotonic() < deadline:
        time.sleep(0.05)  # polls another process; nothing is ordered by it
    assert run.id is not None


def until_nothing_waits(root, but):
    deadline = time.monotonic() + 60
    while {entry.local_id for entry in waiting.entries(root)} != {but.local_id} and time.monotonic() < deadline:
        time.sleep(0.05)  # polls another process; nothing is ordered by it


@pytest.mark.parametrize("away", [refusing, never_answering, answering_500], ids=lambda way: way.__name__)
def test_a_server_that_is_away_delays_nothing_and_is_said(tmp_path, impatient, capfd, away):
    impatient.start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    destination = Destination("server", f"http://127.0.0.1:{port}", "descent", tmp_path)
    with away(port):
        with open_run(destination, tmp_path / "warm", name="warm", tags={}):
            pass  # its imports are not what is measured here
        capfd.readouterr()
        _, waited = train(destination, nothing)
    assert waited < 2 + 1  # the second is the machine's
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"tracking: {destination.uri}: ") and "make sync" in line


@pytest.mark.slow
@pytest.mark.parametrize("away", [refusing, never_answering, answering_500], ids=lambda way: way.__name__)
def test_a_server_that_comes_back_gets_everything_once(tmp_path, server, impatient, away):
    destination = Destination("server", server.address, "descent", tmp_path)
    with away(server.port):
        train(destination, nothing)
    server.start()
    assert [(sent.name, sent.waits) for sent in sync(tmp_path)] == [("remote", None)]
    check(destination)
    assert list(sync(tmp_path)) == []


@pytest.mark.slow
def test_a_server_that_is_killed_and_restarted_in_the_middle(tmp_path, server, impatient):
    server.start()
    destination = Destination("server", server.address, "descent", tmp_path)

    def restart(run):
        until_stored(run)
        server.kill()
        run.metrics({"other": 1.0}, 0)
        server.start()

    run, _ = train(destination, restart)
    list(sync(tmp_path))
    assert run.id == check(destination)


@pytest.mark.slow
def test_a_server_that_freezes_in_the_middle_and_comes_back(tmp_path, server, impatient):
    server.start()
    destination = Destination("server", server.address, "descent", tmp_path)

    def freeze(run):
        until_stored(run)
        os.killpg(server.process.pid, signal.SIGSTOP)

    _, waited = train(destination, freeze)
    assert waited < 2 + 1  # the second is the machine's
    os.killpg(server.process.pid, signal.SIGCONT)
    impatient._child.process.kill()
    impatient._child.process.wait()
    assert [sent.waits for sent in sync(tmp_path)] == [None]
    check(destination)


@pytest.mark.slow
def test_the_next_start_ships_what_is_left(tmp_path, server, impatient):
    destination = Destination("server", server.address, "descent", tmp_path)
    run, _ = train(destination, nothing)
    assert run.id is None
    server.start()
    with open_run(
        Destination("server", server.address, "other", tmp_path), tmp_path / "next", name="n", tags={}
    ) as later:
        until_stored(later)
        until_nothing_waits(tmp_path, but=later)
    check(destination)
