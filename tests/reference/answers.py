"""A real server on this machine that answers well and badly, by the path that is asked for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAYS = ("good", "truncated", "corrupt", "longer", "missing", "hanging", "silent", "moved", "garbled", "unsized")


class Answers(ThreadingHTTPServer):
    """`content` under /good/<name>, and what can become of it under the other ways."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.asked: list[str] = []
        self.over = threading.Event()

    def at(self, way: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{way}/file.gz"


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_GET(self) -> None:
        way = self.path.split("/")[1]
        self.server.asked.append(way)
        content = self.server.content
        if way == "missing":
            self.send_error(404)
        elif way == "moved":
            self.send_response(302)
            self.send_header("Location", self.server.at("good"))
            self.end_headers()
        elif way == "silent":
            self.server.over.wait()
        elif way == "garbled":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
        else:
            self._send(way, content)

    def _send(self, way: str, content: bytes) -> None:
        sent = {"corrupt": content[:-1] + bytes([content[-1] ^ 1]), "longer": content + b"more"}.get(way, content)
        self.send_response(200)
        if way != "unsized":
            self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent[: len(sent) // 2] if way in ("truncated", "hanging") else sent)
        self.wfile.flush()
        if way == "hanging":
            self.server.over.wait()
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Nothing is printed."""


@contextmanager
def answering(content: bytes) -> Iterator[Answers]:
    server = Answers(content)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
