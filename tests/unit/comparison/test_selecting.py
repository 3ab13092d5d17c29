"""Which stored runs a folder that keeps a sweep means."""

import pytest

from descent.comparison.selecting import of_names
from descent.errors import DataError, UsageError
from descent.tracking.reading import Stored


def run(id, digest, status="FINISHED", **tags):
    return Stored(id, id, status, 0, {}, {"training_sha256": digest * 64, **tags}, {}, 1)


def kept(folder, *cells):
    (folder / "trials.csv").write_text("number,training\n" + "".join(f"{n},{one}\n" for n, one in enumerate(cells)))
    return str(folder)


def test_a_sweep_s_trainings_are_found_by_their_digests(tmp_path):
    newest_first = [run("again", "a"), run("other", "x"), run("b", "b"), run("cut", "a", "RUNNING"), run("a", "a")]
    found = of_names(newest_first, [kept(tmp_path, "a" * 16, "", f"{'b' * 16} {'a' * 16}")])
    assert [one.id for one in found] == ["b", "a"]


@pytest.mark.parametrize(("cells", "line"), [(("a" * 16, "c" * 16), "1 of its 2 trainings are not"), ((), "has none")])
def test_a_sweep_whose_trainings_are_not_all_there_is_one_line(cells, line, tmp_path):
    with pytest.raises(DataError, match=line) as refusal:
        of_names([run("a", "a"), run("c", "c", "RUNNING")], [kept(tmp_path, *cells)])
    assert "dvc repro -f sweep" in str(refusal.value) and len(str(refusal.value)) <= 200


def test_a_sweep_s_own_folder_means_the_runs_in_it(tmp_path, monkeypatch):
    places = {"a": "sweep/0", "b": "sweep/1/0", "c": "sweep-2/0", "d": "."}
    runs = [run(name, name, run_directory=str(tmp_path / place)) for name, place in places.items()]
    (tmp_path / "sweep").mkdir()
    monkeypatch.chdir(tmp_path)
    for given in ("sweep", str(tmp_path / "sweep"), "./sweep"):
        assert [one.id for one in of_names(runs, [given])] == ["a", "b"]
    with pytest.raises(UsageError, match="runs: got sweep-2"):
        of_names(runs, ["sweep-2"])
