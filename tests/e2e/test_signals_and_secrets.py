"""What a signal does to a grid and to a run's end, and where a secret must not be seen: real processes."""

import pytest

from reference import forked

SECRET = "hunter22x"


@pytest.fixture(scope="module")
def stopped_grid(tmp_path_factory):
    """The first point gets a SIGINT after its fourth minibatch."""
    root = tmp_path_factory.mktemp("grid")
    sender = "trainer.callbacks=[{_target_: reference.lightning_callbacks.SendsSignal, number: 2, after: 3}]"
    answer = forked.train(root, ["-m", "tracking=none", "seed=0,1,2", sender])
    return answer.returncode, answer.stdout, answer.stderr


def test_a_signal_ends_the_whole_grid(stopped_grid):
    code, out, err = stopped_grid
    assert code == 130
    assert "[2/3]" not in out
    assert "SIGINT" in err and len(err.splitlines()) == 1


def test_the_grids_table_is_still_shown(stopped_grid):
    assert "1 runs in" in stopped_grid[1]


@pytest.fixture(scope="module")
def secretive(tmp_path_factory):
    root = tmp_path_factory.mktemp("secretive")
    server = f"tracking.uri='http://user:{SECRET}@127.0.0.1:1'"
    words = ["-m", "epochs=1", "seed=0", "tracking=server", server, f"+tags.api_key={SECRET}"]
    return root, forked.train(root, words)


def test_a_store_that_is_away_stops_nothing(secretive):
    assert secretive[1].returncode == 0
    assert "make sync" in secretive[1].stderr


def test_the_screen_does_not_tell(secretive):
    assert SECRET not in secretive[1].stdout + secretive[1].stderr


def test_the_disk_does_not_tell(secretive):
    files = [path for path in secretive[0].rglob("*") if path.is_file()]
    assert any(path.name == "multirun.yaml" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
