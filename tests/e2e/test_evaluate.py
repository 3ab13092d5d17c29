"""`python src/evaluate.py` on runs that were trained for it: what it measures, and what it refuses."""

import json
import os
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error, precision_recall_fscore_support

from descent.vocabulary import METRICS
from e2e.evaluated import EVALUATE, data_of, report_of, rows_of, trained

RUNS = ("digits", "better", "table", "binary", "numbers", "wide", "several", "named", "sequence")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("project"), *RUNS)


@pytest.fixture
def evaluate(project, run_here, monkeypatch):
    def run(*words):
        monkeypatch.setenv("DESCENT_ROOT", str(project))
        return run_here(list(words), EVALUATE)

    return run


@pytest.mark.parametrize("name", ["better", "table", "binary", "numbers", "named", "sequence"])
def test_the_metrics_are_those_that_the_run_reported(name, project, evaluate):
    answer = evaluate(f"run={name}")
    assert answer.code == 0, answer.err
    told = json.loads((project / "runs" / name / "results.json").read_text())["metrics"]
    got = report_of(project, name)["metrics"]
    known = {key for key in got if f"test/{key}" in told}
    task = "regression" if name == "numbers" else "classification"
    assert known == set(METRICS[task]) - (set() if name in ("better", "numbers") else {"top5"})
    for key in known:
        assert got[key] == pytest.approx(told[f"test/{key}"], rel=1e-5, abs=1e-7), key


def test_every_split_is_told_apart(project, evaluate):
    for split, rows in (("train", 160), ("val", 20), ("test", 20)):
        assert evaluate("run=table", f"split={split}").code == 0
        report = report_of(project, "table", split)
        assert report["samples"] == rows == sum(row["support"] for row in report["classes"])


def test_probabilities_are_those_of_the_logged_model(project, evaluate, tmp_path):
    inputs = data_of("digits").test.inputs.numpy()
    np.save(tmp_path / "new.npy", inputs)
    answer = evaluate("run=digits", f"predict={tmp_path}/new.npy", f"out={tmp_path}/out.csv")
    assert (answer.code, answer.out) == (0, f"180 rows predicted: {tmp_path}/out.csv\n"), answer.err
    rows = rows_of(tmp_path / "out.csv")
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    stored = json.loads((project / "runs" / "digits" / "outbox" / "shipped.json").read_text())["run_id"]
    try:
        model = mlflow.pyfunc.load_model(f"runs:/{stored}/model")
    finally:
        mlflow.set_tracking_uri(None)  # else other tests' runs go there too
    expected = model.predict(inputs.astype(np.float32))
    got = np.array([[float(row[f"p_{digit}"]) for digit in range(10)] for row in rows])
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert [row["predicted"] for row in rows] == [str(one) for one in expected.argmax(1)]
    assert [row["row"] for row in rows] == [str(one + 1) for one in range(180)]


def test_classes_are_scikit_learns_of_those_probabilities(project, evaluate, tmp_path):
    data = data_of("digits")
    np.save(tmp_path / "new.npy", data.test.inputs.numpy())
    evaluate("run=better", f"predict={tmp_path}/new.npy", f"out={tmp_path}/out.csv")
    guesses = [int(row["predicted"]) for row in rows_of(tmp_path / "out.csv")]
    evaluate("run=better")
    expected = precision_recall_fscore_support(data.test.targets, guesses, labels=range(10), zero_division=0)
    rows = rows_of(project / "runs" / "better" / "evaluate" / "test" / "classes.csv")
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose([float(row[name]) for row in rows], values, atol=1e-12)
    assert [row["class"] for row in rows] == [str(one) for one in range(10)]


def test_it_is_part_of_the_run_s_record(project, evaluate):
    assert evaluate("run=digits").code == 0
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    stored = json.loads((project / "runs" / "digits" / "outbox" / "shipped.json").read_text())["run_id"]
    run = client.get_run(stored)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["evaluate/test/f1"] == pytest.approx(run.data.metrics["test/f1"], rel=1e-5)
    assert {"evaluate/latency_ms/batch_1", "evaluate/latency_ms/batch_128", "evaluate/megabytes"} <= set(
        run.data.metrics
    )
    files = {Path(item.path).name for item in client.list_artifacts(stored, "evaluate/test")}
    assert files == {"classes.csv", "confusion.png", "mistakes.png", "report.json"}
    assert "confusion.png" in {item.path for item in client.list_artifacts(stored)}


def test_nothing_is_tracked_of_a_run_that_was_not(project, evaluate):
    answer = evaluate("run=table")
    assert "run: not tracked" in answer.out and not (project / "runs" / "table" / "outbox").exists()
    assert not (project / "runs" / "table" / "owner.json").exists()


def test_the_worst_mistakes_of_a_table_are_rows_with_their_features(project, evaluate):
    evaluate("run=table")
    data, rows = data_of("table"), rows_of(project / "runs" / "table" / "evaluate" / "test" / "mistakes.csv")
    chances = [float(row["probability"]) for row in rows]
    assert chances == sorted(chances, reverse=True)
    for row in rows:
        at = int(row["row"])
        assert data.test.targets[at] == int(row["true"]) != int(row["predicted"])
        np.testing.assert_allclose([float(row[f"x{one}"]) for one in range(6)], data.test.inputs[at], rtol=1e-6)


def test_the_worst_mistakes_of_numbers_have_the_largest_errors(project, evaluate):
    evaluate("run=numbers")
    rows = rows_of(project / "runs" / "numbers" / "evaluate" / "test" / "mistakes.csv")
    errors = [float(row["error"]) for row in rows]
    assert errors == sorted(errors, reverse=True) and len(rows) == 20
    assert float(rows[0]["error"]) == pytest.approx(
        max(abs(float(rows[0][f"true_{at}"]) - float(rows[0][f"predicted_{at}"])) for at in range(2))
    )


@pytest.mark.parametrize(("name", "linear"), [("table", "logistic"), ("numbers", "ridge")])
def test_baselines_are_measured_beside_the_run(name, linear, project, evaluate):
    answer = evaluate(f"run={name}", "baseline=true")
    assert answer.code == 0, answer.err
    found, data = report_of(project, name)["baselines"], data_of(name)
    assert list(found) == [linear, "forest"] and linear in answer.out
    from sklearn.linear_model import LogisticRegression, Ridge

    mean, deviation = data.train.inputs.double().mean(0), data.train.inputs.double().std(0, correction=0)
    train, test = ((part.inputs.double() - mean) / deviation for part in (data.train, data.test))
    if name == "table":
        guesses = LogisticRegression(max_iter=500).fit(train, data.train.targets).predict(test)
        assert found[linear]["accuracy"] == accuracy_score(data.test.targets, guesses)
    else:
        guesses = Ridge().fit(train, data.train.targets).predict(test)
        assert found[linear]["mae"] == pytest.approx(mean_absolute_error(data.test.targets, guesses), rel=1e-4)


def test_a_run_in_double_precision_without_other_splits(project, evaluate):
    assert evaluate("run=wide", "split=train").code == 0
    assert evaluate("run=wide").err == "split: got test, allowed train; this run held out no other\n"


def test_json_keeps_what_was_measured(project, evaluate, tmp_path):
    assert evaluate("run=table", f"json={tmp_path}/report.json").code == 0
    assert json.loads((tmp_path / "report.json").read_text()) == report_of(project, "table")


def test_the_best_is_of_those_with_the_newest_s_data_and_objective(project, evaluate, tmp_path):
    root = tmp_path / "other"
    for name in ("digits", "better", "table"):
        shutil.copytree(project / "runs" / name, root / "runs" / name)
    digits, better = (json.loads((root / "runs" / name / "results.json").read_text()) for name in ("digits", "better"))
    assert better["objective"] > digits["objective"]
    os.remove(root / "runs" / "table" / "run.json")  # noqa: PTH107
    from descent.finding import best_run

    assert best_run(root).name == "better"
    shutil.copytree(project / "runs" / "table", root / "runs" / "again")
    assert best_run(root).name == "table"


def test_one_of_several_is_evaluated_by_its_directory_or_its_id(project, evaluate):
    answer = evaluate("run=several")
    first = project / "runs" / "several" / "0"
    assert answer.code == 2 and "run: several is several trainings, 0 1; run=" in answer.err
    assert evaluate(f"run={first}").code == 0
    local_id = json.loads((first.parent / "1" / "run.json").read_text())["local_id"]
    assert evaluate(f"run={local_id[:8]}").code == 0
    told = json.loads((first / "results.json").read_text())["metrics"]["test/accuracy"]
    assert report_of(project, "several/0")["metrics"]["accuracy"] == pytest.approx(told)


# What has changed since


@pytest.fixture
def copied(project, tmp_path):
    """A copy of the run `table` that may be damaged."""
    return Path(shutil.copytree(project / "runs" / "table", tmp_path / "copy"))


def edit(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def other_data(run):
    edit(run / "run.json", identity={**json.loads((run / "run.json").read_text())["identity"], "data": "0" * 64})


DAMAGES = {
    "data": (other_data, 3, "the data has changed since this run was trained"),
    "gone": (lambda run: (run / "weights.safetensors").unlink(), 3, "weights.safetensors: not there"),
    "torn": (lambda run: (run / "weights.safetensors").write_bytes(b"x" * 40), 3, "weights.safetensors: damaged"),
    "other": (lambda run: edit(run / "results.json", weights_sha256="0"), 3, "not the weights that this run reported"),
    "results": (lambda run: (run / "results.json").write_text("{"), 3, "results.json: damaged"),
    "unfinished": (lambda run: edit(run / "run.json", state="unfinished"), 2, "allowed a finished run; resume="),
    "place": (lambda run: (run / "run.json").write_text("{"), 2, "run.json: damaged"),
}


@pytest.mark.parametrize(("damage", "code", "says"), DAMAGES.values(), ids=list(DAMAGES))
def test_a_run_that_is_not_as_it_was_is_refused(damage, code, says, copied, evaluate):
    damage(copied)
    answer = evaluate(f"run={copied}")
    assert answer.code == code and says in answer.err, answer.err
    assert len(answer.err.splitlines()) == 1 and len(answer.err) <= 201


def test_settings_of_today_do_not_count(copied, evaluate):
    """What was composed then stands in the run's directory; without that its overrides are composed anew."""
    shutil.rmtree(copied / ".hydra")
    assert evaluate(f"run={copied}").code == 0


BAD = [
    ("", "run: got nothing, allowed a text; set run=…"),
    ("latest", "latest: got latest, allowed key=value"),
    ("rn=latest", "rn: unknown key; allowed run model register force split baseline device json"),
    ("run=", "run: got '', allowed a text"),
    ("run=lastest", "run: got lastest, allowed best | latest | a run's id, name or directory; did you mean latest?"),
    ("run=bset", "run: got bset, allowed best | latest | a run's id, name or directory; did you mean best?"),
    ("run=tabel", "run: got tabel, allowed best | latest | a run's id, name or directory; did you mean table?"),
    ("run=deadbeef", "run: got deadbeef, allowed best | latest"),
    ("run=/nowhere/at/all", "run: got /nowhere/at/all, allowed best | latest"),
    ("run=/tmp", "run: got /tmp, allowed a run's directory; there is no run.json in it"),
    ("run=several", "run: several is several trainings, 0 1"),
    ("run=table run=digits", "run: got run=digits, allowed each key once"),
    ("run=table split=tset", "split: got tset, allowed test | val | train; did you mean test?"),
    ("run=table baseline=yes", "baseline: got yes, allowed true | false"),
    ("run=table device=gpu", "device: got gpu, allowed auto | cpu | cuda; did you mean cuda?"),
    ("run=table json=/nowhere/x.json", "json: got /nowhere/x.json, allowed a file in a directory that exists"),
    ("run=table json=/tmp", "json: got /tmp, allowed a file"),
    ("run=table out=x.csv", "out: got x.csv, allowed a file with predict=…"),
    ("run=table predict=a.csv split=val", "split: got val, allowed nothing with predict=…"),
    ("run=table predict=a.csv baseline=true", "baseline: got true, allowed nothing with predict=…"),
    ("run=table predict=a.csv json=b.json", "json: got b.json, allowed nothing with predict=…"),
    ("run=table predict=a.csv out=a.csv", "out: got a.csv, allowed another file than predict=…"),
    ("run=table predict=a.csv out=/nowhere/b.csv", "out: got /nowhere/b.csv, allowed a file in a directory"),
    ("run=wide split=val", "split: got val, allowed train"),
    ("run=table --baseline", "--baseline: got --baseline, allowed key=value; did you mean baseline?"),
]


@pytest.mark.parametrize(("line", "says"), BAD, ids=[line for line, _ in BAD])
def test_a_wrong_command_is_one_line(line, says, evaluate, tmp_path):
    answer = evaluate(*line.split())
    assert answer.code == 2 and answer.err.startswith(says) and answer.out == "", answer.err
    assert len(answer.err.splitlines()) == 1 and len(answer.err) <= 201
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_to_be_predicted_is_a_matter_of_data(evaluate):
    answer = evaluate("run=table", "predict=nothing.csv")
    assert (answer.code, answer.err) == (3, "nothing.csv: no such file or folder\n")


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_the_help_names_every_key(word, evaluate):
    answer = evaluate(word)
    assert answer.code == 0 and "python src/evaluate.py run=latest" in answer.out
    for key in ("run", "split", "baseline", "device", "json", "predict", "out"):
        assert f"\n  {key} " in answer.out
