"""Names for models: who becomes the champion, how one is found by its name, and what it answers when it is served."""

import csv
import json
import os
import re
import shutil
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

from descent import processes
from descent.registering import paired
from reference.stored import stocked

PROJECT = Path(__file__).parents[2]
EVALUATE = PROJECT / "src" / "evaluate.py"
SMALL = ["model.hidden=[8]", "epochs=1", "tracking.pictures=false"]


def registered(answer):
    [line] = [line for line in answer.out.splitlines() if line.startswith("registered:")]
    return line


@pytest.fixture
def client(tmp_path):
    stocked(tmp_path)
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


def table_of_two_kinds(file):
    """Some categories and words are so rare that few rows do not show them."""
    random = np.random.default_rng(0)
    with file.open("w") as stream:
        stream.write("place,size,said,kind\n")
        for number in range(120):
            place = f"p{int(random.exponential(4))}"
            word = f"w{number % 7} w{int(random.exponential(9))} " + ("yes" if number % 2 else "no")
            stream.write(f"{place},{number % 5 + (number % 2)},{word},{'ab'[number % 2]}\n")


def accuracy_of(directory):
    return json.loads((directory / "results.json").read_text())["metrics"]["test/accuracy"]


TABLES = {
    "table": ["dataset.ignore=[said]", "model.hidden=[8]"],
    "text": ["dataset.text=said", "dataset.length=8", "model=lstm", "model.hidden=8"],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TABLES)
def test_each_model_reads_the_test_samples_in_its_own_encoding(kind, run_here, tmp_path):
    table_of_two_kinds(tmp_path / "t.csv")
    words = [
        "dataset=csv",
        f"dataset.path={tmp_path}/t.csv",
        "dataset.target=kind",
        *TABLES[kind],
        "tracking.pictures=false",
    ]
    words += ["dataset.test_fraction=0.3", "batch_size=8", "register=t"]
    few = run_here([*words, "dataset.fraction=0.3", "epochs=3", f"hydra.run.dir={tmp_path}/runs/few"])
    assert few.code == 0, few.err
    many = run_here([*words, "epochs=3", f"hydra.run.dir={tmp_path}/runs/many"])
    assert many.code == 0, many.err
    encodings = [json.loads((tmp_path / "runs" / name / "encoding.json").read_text()) for name in ("few", "many")]
    assert encodings[0] != encodings[1]
    ahead = accuracy_of(tmp_path / "runs/many") - accuracy_of(tmp_path / "runs/few")
    assert f"accuracy {ahead:+.4f} (" in registered(many) and "over version 1 on 36 test samples" in registered(many)


def test_without_a_test_split_nothing_is_judged(run_here, tmp_path, client):
    for seed in (0, 1):
        words = ["dataset=iris", *SMALL, "dataset.test_fraction=0", "register=iris", f"seed={seed}"]
        answer = run_here([*words, f"hydra.run.dir={tmp_path}/runs/{seed}"])
    assert "version 2 does not become the champion: without a test split there is nothing" in registered(answer)
    assert registered(answer).endswith("; force=true moves it")
    assert client.get_model_version_by_alias("iris", "champion").version == 1


@pytest.mark.slow
def test_a_champion_that_cannot_be_asked_stays(run_here, tmp_path, client):
    words = ["dataset=iris", *SMALL, "register=iris"]
    assert run_here([*words, f"hydra.run.dir={tmp_path}/runs/0"]).code == 0
    version = client.get_model_version_by_alias("iris", "champion")
    model = client.get_logged_model(version.source.removeprefix("models:/"))
    shutil.rmtree(model.artifact_location.removeprefix("file://"))
    answer = run_here([*words, "seed=1", f"hydra.run.dir={tmp_path}/runs/1"])
    assert answer.code == 0 and "version 2 does not become the champion: version 1 cannot be asked: " in registered(
        answer
    )
    assert len(registered(answer)) <= 260


def test_a_follower_registers_nothing(composed, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert composed("register=digits", *processes.follower_overrides()).register is None


@pytest.mark.slow
def test_two_registrations_at_once_leave_the_better_one_in_front(run_here, tmp_path, client):
    for name, words in {"poor": SMALL, "good": ["epochs=6", "model.hidden=[64]", "tracking.pictures=false"]}.items():
        assert run_here([*words, f"hydra.run.dir={tmp_path}/runs/{name}"]).code == 0
    commands = [
        [sys.executable, str(EVALUATE), f"run={tmp_path}/runs/{name}", "register=digits"] for name in ("poor", "good")
    ]
    both = [
        subprocess.Popen(one, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for one in commands
    ]
    told = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], told
    assert sum("the first of its name" in out for out, _ in told) == 1
    assert len(client.search_model_versions("name = 'digits'")) == 2
    good = client.get_run(client.get_model_version_by_alias("digits", "champion").run_id)
    assert good.data.tags["run_directory"] == str(tmp_path / "runs/good")


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
    (tmp_path / "elsewhere").mkdir()
    words = ["dataset=breast_cancer", *SMALL, "register=table", f"hydra.run.dir={tmp_path}/runs/table"]
    assert run_here(words, place=tmp_path / "elsewhere").code == 0
    assert list((tmp_path / "elsewhere").iterdir()) == [] and "MLFLOW_TRACKING_URI" not in os.environ
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
