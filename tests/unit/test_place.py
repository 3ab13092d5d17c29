"""What a run's directory says, what is put aside, and whose directory is not written to."""

import json
from dataclasses import replace

import pytest

from descent import place
from descent.errors import UsageError
from descent.identity import Identity
from descent.rules import LONGEST_LINE

WHO = Identity({"lr": 0.1}, 20, {"engine.py": "1"}, "data", "2", "cpu")


@pytest.fixture
def run(tmp_path, composed):
    return place.begin(tmp_path, composed("lr=0.5", "name=mine", "resume=never"))


def test_a_run_begins_with_a_name_of_its_own(run, tmp_path):
    said = json.loads((tmp_path / "run.json").read_text())
    assert len(said["local_id"]) == 32 and int(said["local_id"], 16) >= 0
    assert (said["name"], said["overrides"]) == ("mine", ["lr=0.5", "name=mine"])
    assert (said["state"], said["resumed"], said["identity"]) == ("unfinished", 0, None)


def test_what_is_kept_is_read_again(run, tmp_path):
    kept = run.kept(identity=WHO, threads=2, resumed=3, extended_from=(10, 20))
    assert place.read(tmp_path) == kept
    assert kept == replace(run, identity=WHO, threads=2, resumed=3, extended_from=(10, 20))


def test_no_run_is_none(tmp_path):
    assert place.read(tmp_path) is None
    assert place.read(tmp_path / "nowhere") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "3", '{"identity": null}', '{"identity": {"x": 1}}', "\x00"])
def test_a_damaged_one_is_a_line(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(place.Damaged) as refusal:
        place.read(tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path / 'run.json'}: damaged (")


@pytest.mark.parametrize(
    ("content", "also", "is_blank"),
    [("", (), True), ("", ("history.json",), True), ("", ("results.json",), True), ("{", (), False)],
)
def test_a_file_without_content_is_blank_as_long_as_nothing_would_be_lost(tmp_path, content, also, is_blank):
    (tmp_path / "run.json").write_text(content)
    for name in also:
        (tmp_path / name).touch()
    assert place.is_blank(tmp_path) is is_blank


def test_it_is_not_blank_with_checkpoints(tmp_path):
    (tmp_path / "run.json").touch()
    (tmp_path / "checkpoints").mkdir()
    assert not place.is_blank(tmp_path)


def test_it_is_finished_when_its_results_are_there(run, tmp_path):
    done = run.kept(state="finished")
    assert not done.finished
    (tmp_path / "results.json").touch()
    assert done.finished and not run.finished


def test_a_secret_of_the_command_line_is_not_kept(tmp_path, composed):
    place.begin(tmp_path, composed("tags={api_key:hunter22x}"))
    assert "hunter22x" not in (tmp_path / "run.json").read_text()


@pytest.mark.parametrize(
    "files", [[], ["run.json"], ["run.json", "mine"], ["owner.json"], [".owner.lock"], [".run.json.1.part"]]
)
def test_ours_is_written_to(tmp_path, files):
    for name in files:
        (tmp_path / name).touch()
    place.refuse_foreign(tmp_path, "hydra.run.dir")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(files)


@pytest.mark.parametrize("files", [["mine"], [".bashrc"], ["owner.json", "mine"], ["results.json"]])
def test_somebody_elses_is_not(tmp_path, files):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(UsageError) as refusal:
        place.refuse_foreign(tmp_path / ".", "hydra.run.dir")
    assert str(refusal.value).startswith(f"hydra.run.dir: got {tmp_path}, which has files and no run.json")


def test_a_long_name_is_still_a_line(tmp_path):
    deep = tmp_path / ("d" * 200)
    (deep / "mine").mkdir(parents=True)
    with pytest.raises(UsageError) as refusal:
        place.refuse_foreign(deep, "hydra.sweep.dir", "multirun.yaml")
    assert len(str(refusal.value)) <= LONGEST_LINE and "no multirun.yaml" in str(refusal.value)


def test_an_earlier_run_is_put_aside_whole(run, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "a.pt").write_text("state")
    (tmp_path / "owner.json").touch()
    aside = place.set_aside(tmp_path, run.local_id)
    assert aside == tmp_path / "earlier" / run.local_id
    assert sorted(path.name for path in tmp_path.iterdir()) == ["earlier", "owner.json"]
    assert (aside / "checkpoints" / "a.pt").read_text() == "state"
    assert place.read(aside).local_id == run.local_id


def test_putting_aside_may_be_cut_short_anywhere(run, tmp_path, monkeypatch):
    """As long as one file is left, run.json is: the next start knows the directory as ours and goes on moving."""
    for name in "abc":
        (tmp_path / name).touch()
    rename, done = place.Path.rename, []

    def cut_short(self, target):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(self.name)
        return rename(self, target)

    monkeypatch.setattr(place.Path, "rename", cut_short)
    with pytest.raises(KeyboardInterrupt):
        place.set_aside(tmp_path, run.local_id)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "earlier", "run.json"]
    aside = place.set_aside(tmp_path, run.local_id)
    assert sorted(path.name for path in aside.iterdir()) == ["a", "b", "c", "run.json"]


@pytest.mark.parametrize(("more", "left"), [([], []), (["mine"], ["mine", "run.json"])])
def test_a_refused_run_is_forgotten_where_nothing_else_is(run, tmp_path, more, left):
    for name in more:
        (tmp_path / name).touch()
    place.forget(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == left
