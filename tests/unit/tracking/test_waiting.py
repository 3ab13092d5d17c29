"""The list of what is still to be shipped."""

from descent.tracking import waiting
from descent.tracking.destination import Destination


def test_what_is_announced_is_listed_until_it_is_forgotten(tmp_path):
    destination = Destination("local", None, "descent", tmp_path)
    waiting.announce("a" * 32, tmp_path / "one" / "outbox", destination)
    waiting.announce("b" * 32, tmp_path / "two" / "outbox", destination)
    found = {entry.local_id: entry for entry in waiting.entries(tmp_path)}
    assert found["a" * 32].folder == tmp_path / "one" / "outbox"
    assert found["b" * 32].destination == destination
    waiting.forget("a" * 32, tmp_path)
    waiting.forget("a" * 32, tmp_path)
    assert [entry.local_id for entry in waiting.entries(tmp_path)] == ["b" * 32]


def test_a_root_where_nothing_waits(tmp_path):
    assert list(waiting.entries(tmp_path / "nowhere")) == []


def test_a_half_written_entry_is_not_one(tmp_path):
    waiting.announce("a" * 32, tmp_path / "outbox", Destination("local", None, "descent", tmp_path))
    folder = tmp_path / "mlruns" / ".waiting"
    (folder / ("b" * 32)).write_text('{"folder": ')
    (folder / "cc.123").write_text("")
    assert [entry.local_id for entry in waiting.entries(tmp_path)] == ["a" * 32]


def test_a_secret_is_not_kept_but_taken_from_whoever_has_it(tmp_path):
    secret = Destination("server", "http://ann:hunter2@host:5000", "descent", tmp_path)
    waiting.announce("a" * 32, tmp_path / "outbox", secret)
    [entry] = waiting.entries(tmp_path)
    written = (tmp_path / "mlruns" / ".waiting" / ("a" * 32)).read_text()
    assert "hunter2" not in written
    assert entry.reachable_from([]) is None
    assert entry.reachable_from([Destination("server", "http://b:c@elsewhere", "descent", tmp_path)]) is None
    other = Destination("server", secret.uri, "another", tmp_path)
    assert entry.reachable_from([other]) == secret
