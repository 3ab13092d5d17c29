"""Which run somebody means."""

import pytest

from descent import place
from descent.errors import UsageError
from descent.finding import find_run, runs_under, way_on


@pytest.fixture
def runs(tmp_path, composed):
    """Five runs: two of one name, one of a multirun, one put aside, one that cannot be read."""
    made = {}
    for key, path, name in [
        ("first", "runs/2026-01-01/10-one", "one"),
        ("second", "runs/2026-01-02/10-twin", "twin"),
        ("third", "runs/2026-01-03/10-twin", "twin"),
        ("point", "sweeps/2026-many/3", "many"),
        ("aside", "runs/2026-01-01/10-one/earlier/x", "old"),
    ]:
        directory = tmp_path / path
        directory.mkdir(parents=True)
        made[key] = place.begin(directory, composed(f"name={name}"))
    damaged = tmp_path / "runs" / "2026-01-04" / "10-bad"
    damaged.mkdir(parents=True)
    (damaged / "run.json").write_text("{")
    return made


def test_all_but_those_put_aside_and_unreadable(runs, tmp_path):
    assert {run.local_id for run in runs_under(tmp_path)} == {
        runs[key].local_id for key in ("first", "second", "third", "point")
    }


@pytest.mark.parametrize("key", ["first", "second", "point"])
@pytest.mark.parametrize("length", [8, 20, 32])
def test_by_id(runs, tmp_path, key, length):
    assert find_run(runs[key].local_id[:length], tmp_path) == runs[key]


def test_by_directory(runs, tmp_path, monkeypatch):
    assert find_run(str(runs["first"].directory), tmp_path / "elsewhere") == runs["first"]
    monkeypatch.chdir(tmp_path)
    assert find_run("sweeps/2026-many/3", tmp_path / "elsewhere") == runs["point"]


def test_a_study_is_its_best(tmp_path, composed):
    study = tmp_path / "sweeps" / "tpe-1"
    study.mkdir(parents=True)
    (study / "study.json").write_text("{}")
    with pytest.raises(UsageError, match="a search trains its best when it ends"):
        find_run(str(study), tmp_path, key="run")
    (study / "best").mkdir()
    best = place.begin(study / "best", composed("name=best"))
    assert find_run(str(study), tmp_path, key="run") == best


def test_one_that_was_put_aside_by_its_directory(runs, tmp_path):
    assert find_run(str(runs["aside"].directory), tmp_path) == runs["aside"]


def test_by_name(runs, tmp_path):
    assert find_run("many", tmp_path) == runs["point"]


def test_the_latest(runs, tmp_path):
    assert find_run("latest", tmp_path) == runs["point"]


def test_by_the_stores_id(runs, tmp_path):
    known = {runs["second"].directory: "m-1"}
    assert find_run("m-1", tmp_path, known.get) == runs["second"]


def refused(text, root):
    with pytest.raises(UsageError) as refusal:
        find_run(text, root)
    return str(refusal.value)


def test_a_name_that_two_have(runs, tmp_path):
    line = refused("twin", tmp_path)
    assert line.startswith("resume: got twin, allowed one run's id; 2 have that name or id: ")
    assert runs["second"].local_id[:8] in line and runs["third"].local_id[:8] in line


def test_a_prefix_that_is_too_short_is_no_id(runs, tmp_path):
    assert refused(runs["first"].local_id[:7], tmp_path).startswith("resume: got ")


@pytest.mark.parametrize(
    ("text", "offered"),
    [("atuo", "auto"), ("nevr", "never"), ("lastest", "latest"), ("man", "many"), ("on", "one")],
)
def test_what_comes_close(runs, tmp_path, text, offered):
    assert refused(text, tmp_path).endswith(f"; did you mean {offered}?")


def test_what_is_unknown_is_told_the_newest(runs, tmp_path):
    assert f"; the newest: {runs['point'].local_id[:8]} many, " in refused("x" * 8, tmp_path)


def test_where_there_is_no_run(tmp_path):
    assert refused("something", tmp_path).endswith("; there is no run yet")
    assert refused("latest", tmp_path).endswith("; there is no run yet")


def test_a_directory_without_a_run(tmp_path):
    assert refused(str(tmp_path), tmp_path).endswith("; there is no run.json in it")


def test_a_damaged_one_that_is_named(runs, tmp_path):
    assert "run.json: damaged" in refused(str(tmp_path / "runs" / "2026-01-04" / "10-bad"), tmp_path)


@pytest.mark.parametrize("key", ["first", "point"])
def test_the_way_on_leads_to_the_run(runs, tmp_path, key):
    word = way_on(runs[key].directory, tmp_path).removesuffix(" goes on with it").removeprefix("resume=")
    assert word == runs[key].local_id[:8]
    assert find_run(word, tmp_path) == runs[key]


def test_the_way_on_to_a_run_elsewhere_is_its_directory(runs, tmp_path):
    assert way_on(runs["first"].directory, tmp_path / "other") == f"resume={runs['first'].directory} goes on with it"
    assert way_on(tmp_path, tmp_path) == ""


def test_a_repeat_is_meant_by_its_id_or_directory_alone(runs, tmp_path, composed):
    directory = runs["point"].directory / "0"
    directory.mkdir()
    repeat = place.begin(directory, composed("name=many"), runs["point"].local_id)
    assert repeat in runs_under(tmp_path)
    assert find_run(repeat.local_id, tmp_path) == find_run(str(directory), tmp_path) == repeat
    assert find_run("latest", tmp_path) == find_run("many", tmp_path) == runs["point"]
    with pytest.raises(UsageError) as refusal:
        find_run("no-such-run", tmp_path)
    assert repeat.local_id[:8] not in str(refusal.value)
