"""A file from a real server: whole and as published, or not there at all."""

import hashlib
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from descent.data.downloading import download
from descent.errors import DataError
from reference.answers import answering
from reference.tiny_sets import noise

CONTENT = noise(200_000).tobytes()
MD5 = hashlib.md5(CONTENT).hexdigest()
PATIENCE = 0.3  # seconds


@pytest.fixture
def server():
    with answering(CONTENT) as one:
        yield one


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "set" / "file.gz"


def beside(file):
    return [one.name for one in file.parent.iterdir()]


def nothing_left(file):
    return not file.parents[1].exists()


def get(file, *addresses, content=CONTENT):
    download(addresses, file, size=len(content), md5=MD5, silence=PATIENCE)


@pytest.mark.parametrize("way", ["good", "moved", "unsized"])
def test_what_is_published_arrives(server, file, way):
    get(file, server.at(way))
    assert file.read_bytes() == CONTENT
    assert beside(file) == [file.name]


BAD = {
    "truncated": "it ended at byte 100000 of 200000",
    "unsized": "it ended at byte 200000 of 200001",
    "corrupt": f"published {MD5[:8]}…",
    "longer": "more than the published 200000 bytes came",
    "missing": "the server answered 404",
    "hanging": "no byte came in 0.3 s",
    "silent": "no byte came in 0.3 s",
    "garbled": "no network (",
}


@pytest.mark.parametrize(("way", "says"), BAD.items())
def test_what_is_not_as_published_leaves_nothing(server, file, way, says):
    content = CONTENT + b"." if way == "unsized" else CONTENT
    with pytest.raises(DataError) as refusal:
        get(file, server.at(way), content=content)
    line = str(refusal.value)
    assert says in line
    assert line.endswith("put it there by hand, or try again")
    assert "\n" not in line
    assert len(line) <= 200
    assert nothing_left(file)


def test_an_address_where_nobody_listens(file):
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        with pytest.raises(DataError, match=r"no network \(Connection refused\); put it there by hand"):
            get(file, f"http://127.0.0.1:{port.getsockname()[1]}/file.gz")
    assert nothing_left(file)


def test_a_folder_that_was_there_stays(server, file):
    file.parent.mkdir(parents=True)
    with pytest.raises(DataError):
        get(file, server.at("missing"))
    assert beside(file) == []


def test_the_next_address_is_tried(server, file):
    get(file, server.at("truncated"), server.at("missing"), server.at("good"), server.at("corrupt"))
    assert file.read_bytes() == CONTENT
    assert server.asked == ["truncated", "missing", "good"]


def test_the_last_of_several_causes_is_told(server, file):
    with pytest.raises(DataError, match="2 addresses, the last: the server answered 404"):
        get(file, server.at("corrupt"), server.at("missing"))


def test_what_a_killed_process_has_left_is_written_over(server, file):
    file.parent.mkdir(parents=True)
    (file.parent / ".file.gz.part").write_bytes(CONTENT * 2)
    get(file, server.at("good"))
    assert file.read_bytes() == CONTENT
    assert beside(file) == [file.name]


def test_many_at_once_download_once(server, file):
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(get, file, server.at("good")) for _ in range(6)]:
            done.result()
    assert server.asked == ["good"]
    assert file.read_bytes() == CONTENT
    assert beside(file) == [file.name]


def test_many_at_once_fail_alone_and_leave_nothing(server, file):
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(get, file, server.at(way)) for way in ("corrupt", "missing", "good", "truncated")]
    failures = [one.exception() for one in tries]
    assert failures[2] is None
    assert {type(failure) for failure in failures} <= {DataError, type(None)}
    assert beside(file) == [file.name]
