"""`python src/compare.py by=…` on a store whose runs are known, and on runs that were trained."""

import html
import json
import re
import shlex
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from reference.searched import EVIL
from reference.stored import add, opened, stocked

PROJECT = Path(__file__).parents[2]
COMPARE = PROJECT / "src" / "compare.py"
ADAM, SGD, LION = (
    [0.97, 0.975, 0.98, 0.972, 0.978],
    [0.95, 0.953, 0.961, 0.949, 0.957],
    [0.971, 0.973, 0.981],
)


@pytest.fixture(scope="module")
def store_root(tmp_path_factory):
    """Adam and sgd over five seeds, lion over three; and runs that may not count."""
    root = stocked(tmp_path_factory.mktemp("store"))
    store = opened(root)
    for seed, value in enumerate(ADAM):
        parent = {"role": "child", "arm": "a", "made": "a"}
        known = {"test/accuracy": value, "time/milliseconds_per_step": 2.0}
        add(store, known, tags=parent, seed=seed, name="first", curve=[0.9, 0.95, value])
    for seed, value in enumerate(SGD):
        add(store, {"test/accuracy": value}, tags={"arm": "b"}, optimizer="sgd", lr=0.1, seed=seed, curve=[0.8, 0.9])
    for seed, value in enumerate(LION):
        hostile = {"tags": {"made": EVIL, "git_commit": "0123456789abcdef", "command": EVIL}, "name": EVIL}
        add(store, {"test/accuracy": value}, optimizer="lion", lr=0.0001, seed=seed + 20, **hostile)
    add(store, {"test/accuracy": 0.5}, tags={"role": "parent"})
    study = add(store, {"test/accuracy": 0.1}, tags={"role": "study"}, name="search")
    trial = {"mlflow.parentRunId": study}
    add(store, {"best/val/accuracy": 0.9}, tags=trial, optimizer="sgd", lr=0.3, seed=7)
    add(store, {"best/val/accuracy": 0.8}, tags=trial, lr=0.3, seed=7)
    add(store, {"best/val/accuracy": 0.7}, tags={**trial, "trial_state": "PRUNED"}, lr=0.4, seed=7)
    add(store, {"test/accuracy": 0.99}, optimizer="sgd", dataset="iris")
    add(store, {"test/accuracy": 0.99}, optimizer="sgd", epochs=50)
    add(store, {}, optimizer="sgd", seed=5, status="FAILED")
    add(store, {}, optimizer="sgd", seed=6, status="RUNNING")
    for _ in range(2):
        add(store, {"test/accuracy": 0.96}, tags={"weights_sha256": "same"}, optimizer="rprop", seed=3)
    return root


@pytest.fixture
def compared(store_root, monkeypatch, run_here):
    """`compared("by=optimizer")`: the script's answer there."""
    monkeypatch.setenv("DESCENT_ROOT", str(store_root))
    monkeypatch.setenv("COLUMNS", "160")
    return lambda line: run_here(shlex.split(line), COMPARE)


def cells(answer, name):
    [row] = [line.split() for line in answer.out.splitlines() if re.match(rf"\s*{name} +\d", line)]
    return row


@pytest.mark.parametrize(("name", "values"), [("adam", ADAM), ("sgd", SGD), ("lion", LION)])
def test_the_table_has_the_figures(compared, name, values):
    row = cells(compared("by=optimizer metric=test/accuracy dataset=digits"), name)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert row[1:6] == [str(len(values)), f"{np.mean(values):.4g}", f"{low:.4g}", "to", f"{high:.4g}"]
    assert row[6:9] == [f"{np.std(values, ddof=1):.4g}", f"{np.median(values):.4g}", f"{max(values):.4g}"]


def test_parents_do_not_count_and_repeated_commands_count_once(compared):
    answer = compared("by=optimizer metric=test/accuracy dataset=digits")
    assert cells(answer, "adam")[1] == "5" and cells(answer, "rprop")[1] == "1"
    assert "1 left out: the same to the bit as one that counts" in answer.out


@pytest.mark.parametrize(
    "reason",
    [
        "1 left out: dataset iris, not digits",
        "1 left out: epochs 50, not 20",
        "1 left out: failed",
        "1 left out: still running",
        "1 left out: pruned",
        "2 left out: no test/accuracy",
    ],
)
def test_what_is_left_out_is_said_with_its_reason(compared, reason):
    assert reason in compared("by=optimizer metric=test/accuracy").out.splitlines()


def test_a_difference_is_said_with_its_numbers(compared):
    answer = compared("by=optimizer metric=test/accuracy optimizer=adam,sgd")
    expected = stats.ttest_rel(ADAM, SGD)
    interval = expected.confidence_interval()
    [line] = [line for line in answer.out.splitlines() if line.startswith("adam is better than sgd:")]
    assert f"{np.mean(ADAM) - np.mean(SGD):+.4g} (95% {interval.low:.4g} to {interval.high:.4g})" in line
    assert "over 5 pairs" in line and ("p < 0.001" in line) == (expected.pvalue < 0.001)
    assert "adam is better than the other" in answer.out


def test_what_cannot_be_said_is_not(compared):
    answer = compared("by=optimizer metric=test/accuracy optimizer=adam,lion")
    assert "adam and lion: no difference was found, and so small a one is out of reach; +0 (95%" in answer.out
    assert "over 5 and 3 runs" in answer.out
    answer = compared("by=optimizer metric=test/accuracy optimizer=adam,rprop")
    assert "adam and rprop: not enough runs to say (5 and 1 runs); two of each are the least" in answer.out


def test_a_margin_tells_what_is_alike(compared):
    answer = compared("by=optimizer metric=test/accuracy optimizer=adam,lion margin=0.05")
    assert "adam and lion are alike" in answer.out


def test_what_comes_with_a_group_is_said(compared):
    answer = compared("by=optimizer metric=test/accuracy optimizer=adam,sgd")
    assert "besides optimizer the groups differ in lr (0.001, 0.1)" in answer.out


def test_by_a_tag_and_by_a_number(compared):
    assert cells(compared("by=tags.arm metric=test/accuracy"), "a")[1] == "5"
    assert cells(compared("by=lr metric=test/accuracy lr=1e-3,1e-1"), "0.001")[1] == "6"


def test_by_two_keys(compared):
    assert cells(compared("by=optimizer,tags.arm metric=test/accuracy"), "sgd b")[2] == "5"


def test_the_trials_of_a_study(compared):
    answer = compared("by=optimizer study=search")
    assert answer.code == 0, answer.err
    assert cells(answer, "sgd")[1:3] == ["1", "0.9"] and cells(answer, "adam")[1:3] == ["1", "0.8"]
    assert "best/val/accuracy by optimizer" in answer.out and "1 left out: pruned" in answer.out


def test_named_runs(compared):
    answer = compared("by=seed runs=first metric=test/accuracy")
    assert answer.code == 0, answer.err
    assert [cells(answer, str(seed))[1] for seed in range(5)] == ["1"] * 5


REFUSED = [
    ("", "by: got nothing, allowed what the groups differ in; set by=optimizer, or two runs with runs=a,b", 2),
    ("by=optimizer code=true", "code: got true, allowed nothing with by=…", 2),
    ("runs=a,b metric=test/loss", "metric: got test/loss, allowed nothing without by=…", 2),
    ("runs=a,b cod=true", "cod: got true, allowed nothing without by=…; did you mean code?", 2),
    ("by=optimzer", "by: got optimzer, no run has that; did you mean optimizer?", 2),
    ("by=optimizer datast=digits", "datast: no run has that; did you mean dataset?", 2),
    ("by=optimizer metrc=x", "metrc: no run has that; did you mean metric?", 2),
    ("by=optimizer dataset=digts", "dataset: got digts, allowed digits | iris; did you mean digits?", 2),
    ("by=optimizer dataset=iris epochs=50", "without the last there is epochs=20", 2),
    ("by=optimizer metric=test/acuracy", "did you mean test/accuracy?", 2),
    ("by=optimizer optimizer=adam metric=test/accuracy", "by: got optimizer, but all 5 runs have adam", 3),
    ("by=optimizer metric=test/accuracy epochs=50", "by: got optimizer, but all 1 runs have sgd", 3),
    ("by=dataset metric=test/accuracy", "are not comparable: data of iris, not of digits", 3),
    ("by=optimizer study=serch", "study: got serch, allowed search; did you mean search?", 2),
    ("by=optimizer runs=nobody", "runs: got nobody, allowed ids (8 characters are enough) or names; the newest:", 2),
    ("by=optimizer margin=-1", "margin: got -1, allowed float (0, inf)", 2),
    ("by=optimizer target=0.9 baseline=adam", "baseline: got adam, allowed nothing with target=…", 2),
    ("by=optimizer report=true", "report: got true, allowed nothing without study=…; save=<folder>", 2),
    ("by=optimizer over=dataset", "over: got dataset, allowed with target=… or baseline=…", 2),
    ("by=optimizer over=optimizer target=0.9", "over: got optimizer, allowed other keys than by=…", 2),
    ("by=optimizer over=datast target=0.9", "over: got datast, no run has that; did you mean dataset?", 2),
    ("by=optimizer over=dataset target=0.9 margin=1", "margin: got 1.0, allowed nothing with over=…", 2),
    ("by=optimizer metric=test/accuracy baseline=adm", "did you mean adam?", 2),
    ("by=optimizer metric=test/loss", "metric: got test/loss, allowed what the runs have", 2),
    ("by=optimizer direction=up", "direction: got up, allowed minimize | maximize | auto", 2),
    ("by=optimizer by=lr", "by: got by=lr, allowed each key once", 2),
    ("by=,", "by: got nothing, allowed names with commas between", 2),
    ("by=optimizer runs=,", "runs: got nothing, allowed names with commas between", 2),
    ("by=optimizer lr=1 lr=2", "lr: got lr=2, allowed each key once", 2),
    ("by=optimizer tracking.experiment=other", "experiment other, yet", 3),
    ("by=optimizer seed=6", "runs: none of 1 has a result: 1 still running", 3),
]


@pytest.mark.parametrize(("line", "says", "code"), REFUSED, ids=[line for line, _, _ in REFUSED])
def test_what_cannot_be_answered_is_one_line(compared, line, says, code):
    answer = compared(line)
    assert answer.code == code, answer.err
    assert answer.out == "" and len(answer.err.splitlines()) == 1 and len(answer.err.strip()) <= 200
    assert says in answer.err


def test_where_nothing_is_nothing_is_made(run_here, tmp_path):
    answer = run_here(["by=optimizer"], COMPARE)
    assert answer.code == 3 and answer.err.startswith("runs: there are none in")
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved(compared, tmp_path):
    line = f"by=optimizer metric=test/accuracy optimizer=adam,sgd save={tmp_path}/out"
    assert compared(line).code == 0
    folder = tmp_path / "out"
    assert {path.name for path in folder.iterdir()} == {"table.md", "comparison.json", "report.html", "plots"}
    pictures = {path.stem for path in (folder / "plots").iterdir()}
    assert pictures == {"distributions", "differences", "chances", "curves"}
    assert "| adam | 5 | 0.975 |" in (folder / "table.md").read_text()
    told = json.loads((folder / "comparison.json").read_text())
    assert told["groups"]["adam"]["mean"] == pytest.approx(np.mean(ADAM)) and told["pairs"][0]["ahead"] == "adam"
    assert "milliseconds_per_step" not in told["groups"]["adam"] and "runs" not in told["groups"]["adam"]
    pixels = np.asarray(Image.open(folder / "plots" / "distributions.png").convert("RGB")).reshape(-1, 3)
    dots, means = [0, 114, 178], [213, 94, 0]
    assert all((np.abs(pixels.astype(int) - ink).sum(axis=1) < 40).any() for ink in (dots, means))
    first, page = (folder / "comparison.json").read_bytes(), (folder / "report.html").read_bytes()
    assert compared(f"{line} costs=true").code == 0
    told = json.loads((folder / "comparison.json").read_text())
    assert told["groups"]["adam"]["milliseconds_per_step"] == 2.0 and len(told["groups"]["adam"]["runs"]) == 5
    assert compared(line).code == 0 and (folder / "comparison.json").read_bytes() == first
    assert (folder / "report.html").read_bytes() == page  # nothing in it but what the runs and the command say


def test_the_page_says_what_was_asked_and_found_and_by_which_commands(compared, tmp_path):
    answer = compared(f"by=tags.made metric=test/accuracy dataset=digits save={tmp_path}")
    assert answer.code == 0, answer.err
    page = (tmp_path / "report.html").read_text()
    said = html.unescape(page)
    assert "<h1>test/accuracy by tags.made (larger is better)</h1>" in page
    assert f"{EVIL} has the best mean, but it cannot be told apart from a." in said
    assert f"python src/compare.py by=tags.made metric=test/accuracy dataset=digits save={tmp_path}" in said
    assert ">01234567</td>" in page
    assert EVIL not in page and "<" not in (tmp_path / "table.md").read_text()


def test_a_studys_page_goes_to_its_run(compared, store_root):
    answer = compared("by=optimizer study=search report=true")
    assert answer.code == 0, answer.err
    store = opened(store_root)
    [study] = store.client.search_runs([store.experiment_id], "tags.role = 'study'")
    kept = {file.path for file in store.client.list_artifacts(study.info.run_id, "comparison")}
    assert {"comparison/report.html", "comparison/table.md", "comparison/plots"} <= kept
    note = study.data.tags["mlflow.note.content"]
    assert "Which of adam, sgd has the larger best/val/accuracy" in note
    assert "    python src/compare.py by=optimizer study=search report=true" in note
    assert compared("by=optimizer study=search report=true").code == 0  # anew, not once more
    assert store.client.get_run(study.info.run_id).data.tags["mlflow.note.content"] == note


def test_of_two_studies_of_a_name_one_is_chosen_before_anything_is_written(tmp_path, monkeypatch, run_here):
    root = stocked(tmp_path)
    store = opened(root)
    studies = [add(store, {}, tags={"role": "study"}, name="twice") for _ in range(2)]
    for study, optimizer in product(studies, ("adam", "sgd")):
        for seed in range(2):
            below = {"mlflow.parentRunId": study}
            add(store, {"best/val/accuracy": 0.9}, tags=below, optimizer=optimizer, seed=seed, curve=[0.5, 0.9])
    monkeypatch.setenv("DESCENT_ROOT", str(root))
    answer = run_here(["by=optimizer", "study=twice", "report=true", f"save={tmp_path}/out"], COMPARE)
    assert answer.code == 2 and answer.err.startswith("study: got twice, allowed the id of one with report=true: ")
    assert not (tmp_path / "out").exists()
    words = ["by=optimizer", f"study={studies[0]}", "report=true", "over=dataset", "target=0.99", "seed=0"]
    never = run_here(words, COMPARE)  # with nothing to draw
    assert never.code == 0 and "No group has come to the target on any workload" in never.out


@pytest.fixture(scope="module")
def workloads_root(tmp_path_factory):
    """Adam comes to 0.9 on both datasets, on iris after sgd; a third dataset has adam alone."""
    root = stocked(tmp_path_factory.mktemp("workloads"))
    store = opened(root)
    epochs = {("adam", "digits"): 1, ("sgd", "digits"): 2, ("adam", "iris"): 1, ("sgd", "iris"): 0, ("adam", "wine"): 0}
    for (optimizer, dataset), reached in epochs.items():
        for seed in range(2):
            curve = [0.5] * reached + [0.95] * (4 - reached)
            add(store, {"test/accuracy": 0.9}, optimizer=optimizer, dataset=dataset, seed=seed, curve=curve)
    return root


def test_groups_are_ranked_over_workloads(workloads_root, monkeypatch, run_here, tmp_path):
    monkeypatch.setenv("DESCENT_ROOT", str(workloads_root))
    monkeypatch.setenv("COLUMNS", "160")
    answer = run_here(["by=optimizer", "over=dataset", "target=0.9", f"save={tmp_path}/out"], COMPARE)
    assert answer.code == 0, answer.err
    told = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert told["targets"] == {"digits": "val/accuracy 0.9", "iris": "val/accuracy 0.9"}
    assert told["groups"]["adam"]["epochs"] == {"digits": 2.0, "iris": 2.0}
    assert [told["groups"][name]["rank"] for name in ("adam", "sgd")] == [1.5, 1.5]
    [row] = [line.split() for line in answer.out.splitlines() if re.match(r" *adam +\d", line)]
    assert row == ["adam", "2", "2", "50%", "100%", "1.5", "50%"]
    single = run_here(["by=optimizer", "over=dataset", "target=0.9", "seed=0"], COMPARE)
    assert "not enough runs to say how sure that is" in single.out and "probability" not in single.out
    assert "wine left out: by: got optimizer, but all 2 runs have adam" in answer.out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Performance profiles" in page and (tmp_path / "out" / "plots" / "profile-epochs.png").is_file()


def test_how_soon_runs_come_to_a_target(compared, tmp_path):
    answer = compared(f"by=optimizer metric=test/accuracy optimizer=adam,sgd target=0.95 save={tmp_path}/out")
    assert answer.code == 0, answer.err
    [adam] = [line.split() for line in answer.out.splitlines() if re.match(r" *adam .* of ", line)]
    [sgd] = [line.split() for line in answer.out.splitlines() if re.match(r" *sgd .* of ", line)]
    assert adam[1:7] == ["5", "of", "5", "2", "64", "2000"] and sgd[1:5] == ["0", "of", "5", "never"]
    assert "adam is sooner there than sgd: 2 and never epochs in the median, p = 0.0079 by ranks" in answer.out
    told = json.loads((tmp_path / "out" / "comparison.json").read_text())["target"]
    assert told["curve"] == "val/accuracy" and told["groups"]["sgd"] == {
        "reached": 0,
        "of": 5,
        "epochs": None,
        "steps": None,
        "samples": None,
        "multiply-adds": None,
    }
    assert "| sgd | 0 of 5 | never |" in (tmp_path / "out" / "table.md").read_text()


def test_a_group_sets_the_target(compared):
    answer = compared("by=optimizer metric=test/accuracy optimizer=adam,sgd baseline=sgd")
    assert "val/accuracy 0.9" in answer.out
    refused = compared("by=optimizer optimizer=adam,sgd metric=test/accuracy baseline=sdg")
    assert refused.code == 2 and "baseline: got sdg, allowed adam | sgd; did you mean sgd?" in refused.err


def test_trained_runs_are_compared(run_here, root):
    for optimizer in ("adam", "sgd"):
        answer = run_here([f"optimizer={optimizer}", "seeds=2", "epochs=1", "model.hidden=[8]", "tracking.model=false"])
        assert answer.code == 0, answer.err
    answer = run_here(["by=optimizer"], COMPARE)
    assert answer.code == 0, answer.err
    assert "test/accuracy by optimizer" in answer.out and "over 2 pairs" in answer.out
    assert "ms/step" in answer.out and "MB" in answer.out
