"""Several processes start at once on a store that does not exist yet."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import descent

ONE_RUN = """
import sys
from pathlib import Path
from descent.tracking.run import open_run
from descent.tracking.destination import Destination
from descent.tracking.courier import courier
courier.start()
root = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
with open_run(Destination("local", None, "descent", root), root / sys.argv[2], name="storm", tags={}) as run:
    run.params({"lr": 0.1})
    run.metrics({"loss": 1.0}, 0)
"""


def storm(root, processes):
    """All have imported what they need before the first of them opens the store."""
    command = [sys.executable, "-c", ONE_RUN, str(root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = str(Path(descent.__file__).parents[1])
    children = [subprocess.Popen([*command, str(number)], env=environment, **pipes) for number in range(processes)]
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
