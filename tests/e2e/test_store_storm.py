"""Several processes start at once on a store that does not exist yet, and a real server is spoken to."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import descent
from descent.errors import EnvironmentFault
from descent.tracking.run import open_run
from descent.tracking.store import Destination, open_store

ONE_RUN = """
import sys
from pathlib import Path
from descent.tracking.run import open_run
from descent.tracking.store import Destination
import mlflow.store.tracking.sqlalchemy_store
print("ready", flush=True)
sys.stdin.readline()
with open_run(Destination("local", None, "descent", Path(sys.argv[1])), name="storm", tags={}) as run:
    run.params({"lr": 0.1})
    run.metrics({"loss": 1.0}, 0)
"""


def storm(root, processes):
    """All have imported what they need before the first of them opens the store."""
    command = [sys.executable, "-c", ONE_RUN, str(root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = str(Path(descent.__file__).parents[1])
    children = [subprocess.Popen(command, env=environment, **pipes) for _ in range(processes)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    said = [child.communicate(timeout=120)[1] for child in children]
    assert [child.returncode for child in children] == [0] * processes, said
    assert said == [""] * processes
    with sqlite3.connect(root / "mlflow.db") as connection:
        query = "SELECT count(*) FROM runs WHERE status = 'FINISHED' AND name = 'storm'"
        assert connection.execute(query).fetchone() == (processes,)
        assert connection.execute("SELECT count(*) FROM metrics").fetchone() == (processes,)
        assert connection.execute("SELECT count(*) FROM experiments WHERE name = 'descent'").fetchone() == (1,)


def test_four_processes_make_one_store(tmp_path):
    storm(tmp_path, 4)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(10))
def test_they_do_every_time(tmp_path, attempt):
    storm(tmp_path, 4)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real tracking server on the loopback. Yields its address and a way to stop it."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **settings}, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(address, process, folder / "log")
        yield address, process
    finally:
        stop(process)


def wait_until_healthy(address, process, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)  # polls another process; nothing is ordered by it
    pytest.fail(log.read_text())


def stop(process):
    """The server's worker is a child of its own: the whole session goes, by its number."""
    if process.poll() is None:
        os.killpg(process.pid, 15)
        process.wait(30)


@pytest.mark.slow
def test_a_server_takes_a_run_and_its_loss_is_said(server, tmp_path, capfd):
    address, process = server
    destination = Destination("server", address, "descent", tmp_path)
    with open_run(destination, name="remote", tags={"arm": "a"}) as run:
        run.params({"lr": 0.1})
        run.series("loss", range(1500), 0)
        run.text("hello", "notes/hello.txt")
        run.dataset("digits", "1", "training", "scikit-learn", {})
    client = open_store(destination).client
    stored = client.get_run(run.id)
    assert (stored.info.status, stored.data.params, stored.data.tags["arm"]) == ("FINISHED", {"lr": "0.1"}, "a")
    assert stored.data.metrics == {"step/loss": 1499.0}
    assert [file.path for file in client.list_artifacts(run.id, "notes")] == ["notes/hello.txt"]
    assert run.where.startswith(address)
    capfd.readouterr()

    with open_run(destination, name="orphan", tags={}) as orphan:
        stop(process)
        orphan.metrics({"loss": 1.0}, 0)
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1
    assert "connection refused" in said[0]
    with pytest.raises(EnvironmentFault, match="connection refused"):
        open_store(destination)
    assert list(tmp_path.iterdir()) == []
