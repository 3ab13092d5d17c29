"""MLflow's own UI over a small store whose study was compared: what its pages show."""

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from reference.stored import add, opened

COMPARE = Path(__file__).parents[2] / "src" / "compare.py"
SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
VALUES = {"adam": [0.971, 0.975, 0.982, 0.972, 0.978], "sgd": [0.951, 0.953, 0.963, 0.949, 0.957]}

PICTURE = "[...document.images].some((one) => one.src.includes('get-artifact') && one.naturalWidth > 100)"  # is drawn


def compared(root: Path) -> tuple[str, list[str]]:
    """A study of two optimizers over five seeds, with the page of its comparison; ids of its run and of the trials'."""
    store = opened(root)
    started = int(1000 * time.time())
    study = add(store, {"best/val/accuracy": 0.982}, tags={"role": "study"}, name="optimizers", started=started)
    trials = []
    for optimizer, values in VALUES.items():
        for seed, value in enumerate(values):
            curve = [value * (1 - 0.5 ** (epoch + 1)) for epoch in range(10)]
            tags, name = {"mlflow.parentRunId": study, "arm": optimizer}, f"mlp/{optimizer}/digits seed={seed}"
            own = {"curve": curve, "optimizer": optimizer, "seed": seed, "started": started}
            trials.append(add(store, {"best/val/accuracy": value}, tags=tags, name=name, **own))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(None):
        patch.setenv("DESCENT_ROOT", str(root))
        patch.setattr(sys, "argv", [str(COMPARE), "by=optimizer", "study=optimizers", "report=true"])
        runpy.run_path(str(COMPARE), run_name="__main__")
    return study, trials


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of the UI on this store."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", root / "ui.log"
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{root}/mlflow.db"]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=root, env={**os.environ, **SETTINGS}, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 120
        while not _answers(address):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)  # polls another process; nothing is ordered by it
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=1):
            return True
    except OSError:
        return False


def page_of(address: str, run: str) -> str:
    return f"{address}/#/experiments/1/runs/{run}"


def comparing(address: str, runs: list[str]) -> str:
    named = "&".join(f"{key}={quote(json.dumps(value))}" for key, value in {"runs": runs, "experiments": ["1"]}.items())
    return f"{address}/#/compare-runs?{named}"


def says(*texts: str) -> str:
    """All of these stand on the page."""
    return " && ".join(f"document.body && document.body.innerText.includes({json.dumps(text)})" for text in texts)
