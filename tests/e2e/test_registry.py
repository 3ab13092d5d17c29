"""Names for models: who becomes the champion, how one is found by its name, and what it answers when it is served."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from descent.registering import paired

PROJECT = Path(__file__).parents[2]
EVALUATE = PROJECT / "src" / "evaluate.py"
SMALL = ["model.hidden=[8]", "epochs=1", "tracking.pictures=false"]


def registered(answer):
    [line] = [line for line in answer.out.splitlines() if line.startswith("registered:")]
    return line


@pytest.fixture
def client(tmp_path):
    return mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")


def test_the_champion_moves_to_the_better_one_alone(run_here, tmp_path, client):
    first = run_here([*SMALL, "register=digits", f"hydra.run.dir={tmp_path}/runs/poor"])
    assert first.code == 0, first.err
    assert registered(first) == "registered: digits version 1 is the champion now: the first of its name"
    better = run_here(["epochs=6", "model.hidden=[64]", "register=digits", f"hydra.run.dir={tmp_path}/runs/good"])
    assert re.match(r"registered: digits version 2 is the champion now: accuracy \+0\.\d+ ", registered(better))
    worse = run_here([*SMALL, "seed=1", "register=digits", f"hydra.run.dir={tmp_path}/runs/worse"])
    assert "version 3 does not become the champion: accuracy -0." in registered(worse)
    assert client.get_model_version_by_alias("digits", "champion").version == 2
    again = run_here([f"run={tmp_path}/runs/good", "register=digits"], EVALUATE)
    assert registered(again) == "registered: digits version 2 is the champion already: the same run"
    forced = run_here([f"run={tmp_path}/runs/worse", "register=digits", "force=true"], EVALUATE)
    assert "version 3 is the champion now" in registered(forced)
    named = run_here(["model=digits@champion"], EVALUATE)
    numbered = run_here(["model=digits/3"], EVALUATE)
    assert named.code == numbered.code == 0
    report = tmp_path / "runs" / "worse" / "evaluate" / "test" / "report.json"
    assert json.loads(report.read_text())["samples"] == 180
    other = run_here([*SMALL, "dataset.split_seed=1", "register=digits", f"hydra.run.dir={tmp_path}/runs/other"])
    assert "made of other data or another split" in registered(other)
    assert len(client.search_model_versions("name = 'digits'")) == 4


def test_the_interval_of_a_paired_difference_is_scipys():
    differences = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 200, p=[0.1, 0.6, 0.3])
    mean, low, high = paired(differences)
    found = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((found.low, found.high)) and mean == pytest.approx(differences.mean())


@pytest.mark.slow
def test_the_winner_of_a_search_is_registered_and_no_other(run_here, client):
    answer = run_here(["-m", "search=random", "lr=0.001,0.01", "n_trials=2", *SMALL, "register=found"])
    assert answer.code == 0, answer.err
    [version] = client.search_model_versions("name = 'found'")
    assert client.get_run(version.run_id).data.tags["mlflow.runName"].startswith("best")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["register=a", "tracking=none"], "register: got a, allowed nothing with tracking=none; a registered model"),
        (["register=a", "tracking.model=false"], "register: got a, allowed nothing with tracking.model=false; a reg"),
        (["register=a", "seeds=2"], "register: got a, allowed one training; python src/evaluate.py register=… takes"),
        (["register=a/b"], "register: got a/b, allowed"),
    ],
)
def test_what_cannot_be_registered_is_refused_before_it_is_trained(run_here, tmp_path, words, line):
    answer = run_here(words)
    assert answer.code == 2 and answer.err.startswith(line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["model=nobody@champion"], "model: got nobody@champion, allowed a registered name; nothing is registered yet"),
        (["run=latest", "model=a@b"], "model: got a@b, allowed nothing with run=…; a model is that of its run"),
        (["run=latest", "force=true"], "force: got true, allowed with register=…; it decides about a champion"),
    ],
)
def test_a_wrong_request_is_one_line(run_here, tmp_path, words, line):
    answer = run_here(words, EVALUATE)
    assert (answer.code, answer.err.strip()) == (2, line)
    assert not list(tmp_path.iterdir())


def test_a_name_that_has_no_such_alias_or_version(run_here, tmp_path):
    run_here([*SMALL, "register=digits", f"hydra.run.dir={tmp_path}/runs/one"])
    for text in ("digits@best", "digits/7", "digits"):
        answer = run_here([f"model={text}"], EVALUATE)
        assert answer.err.strip() == f"model: got {text}, allowed digits@champion or digits/version of 1"
    answer = run_here(["model=digit@champion"], EVALUATE)
    assert answer.err.strip() == "model: got digit@champion, allowed a registered name; did you mean digits?"


def test_an_untracked_run_has_no_model_to_register(run_here, tmp_path):
    run_here([*SMALL, "tracking=none", f"hydra.run.dir={tmp_path}/runs/one"])
    answer = run_here(["run=latest", "register=digits"], EVALUATE)
    assert answer.code == 2 and answer.err.startswith("register: got tracking=none, allowed a run that is tracked")


def test_a_model_of_a_table_takes_arrays_and_data_frames_of_any_size(run_here, tmp_path, client):
    run_here(["dataset=breast_cancer", *SMALL, "register=table", f"hydra.run.dir={tmp_path}/runs/table"])
    version = client.get_model_version_by_alias("table", "champion")
    model = mlflow.pyfunc.load_model(client.get_logged_model(version.source.removeprefix("models:/")).artifact_location)
    rows = np.random.default_rng(0).random((7, 30), dtype=np.float32)
    every = model.predict(rows)
    assert every.shape == (7, 2) and np.allclose(every.sum(1), 1)
    np.testing.assert_allclose(model.predict(pd.DataFrame(rows)), every, atol=1e-6)
    np.testing.assert_allclose(model.predict(rows[:1]), every[:1], atol=1e-6)
    [column] = model.metadata.signature.inputs.inputs
    assert column.shape == (-1, 30) and column.type == np.dtype("float32")


SERVED = {
    "cnn": (["model=cnn", "model.filters=4", "epochs=1"], (1, 8, 8)),
    "lstm": (["model=lstm", "model.hidden=8", "epochs=1"], (1, 8, 8)),
    "table": (["dataset=breast_cancer", "model.hidden=[8]", "epochs=2"], (30,)),
}


def answers_of(port, samples):
    body = json.dumps({"inputs": samples.tolist()}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return np.array(json.load(response)["predictions"])


def wait_for(server, port):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("the server did not start")


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVED)
def test_a_served_model_gives_the_probabilities_of_evaluate(run_here, tmp_path, kind):
    words, shape = SERVED[kind]
    assert run_here([*words, f"register={kind}", f"hydra.run.dir={tmp_path}/runs/{kind}"]).code == 0
    samples = (np.random.default_rng(0).random((5, *shape)) * 16).astype(np.float32)
    np.save(tmp_path / "new.npy", samples)
    predicted = run_here([f"model={kind}@champion", f"predict={tmp_path}/new.npy", "out=predicted.csv"], EVALUATE)
    assert predicted.code == 0, predicted.err
    with (tmp_path / "predicted.csv").open() as stream:
        rows = [[float(row[name]) for name in row if name.startswith("p_")] for row in csv.DictReader(stream)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{kind}@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # mlflow starts uvicorn by its name
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(server, port)
        np.testing.assert_allclose(answers_of(port, samples), rows, atol=1e-6)
        np.testing.assert_allclose(answers_of(port, samples[:1]), rows[:1], atol=1e-6)
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)
