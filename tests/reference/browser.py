"""A real headless Chromium, spoken to over a pipe: what a page draws, complains of and asks the network for."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 120  # until a page shows what it is waited for
INSTALL = "this test needs Chromium: `make browser`, or DESCENT_NO_BROWSER=1 to leave it out and be told so"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]


@dataclass
class Seen:
    """What was seen of one page."""

    complaints: list[str] = field(default_factory=list)  # errors and warnings of the console
    requests: list[str] = field(default_factory=list)  # addresses beside the page's own


class Browser:
    """One browser, one page at a time."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest, self._last, self._session = to, back, b"", 0, ""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.seen = Seen()
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.ask(f"{domain}.enable")

    def open(self, file: Path, width: int, scheme: str = "light") -> Seen:
        """Load a file at a width and wait until its script says that everything is drawn."""
        self.seen = Seen()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._loaded = False
        self.ask("Page.navigate", url=file.as_uri())
        while not self._loaded:
            self._take()
        drawn = "new Promise((done) => { const look = () => document.documentElement.dataset.drawn === undefined && "
        drawn += "document.getElementById('charts') ? requestAnimationFrame(look) : done(1); look(); })"
        self.value(drawn)
        return self.seen

    def visit(self, address: str, width: int, until: str) -> None:
        """Load an address of a server and wait until an expression holds there, two minutes at most."""
        self.seen = Seen()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=address)
        waits = f"const end = Date.now() + {SECONDS * 1000}; const look = () => ({until}) ? done(1) : "
        waits += "Date.now() > end ? fail(document.body.innerText.slice(0, 500)) : setTimeout(look, 100);"
        self.value(f"new Promise((done, fail) => {{ {waits} look(); }})")

    def value(self, expression: str) -> Any:
        """What an expression comes to in the page."""
        said = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def picture(self, file: Path) -> None:
        """The whole page as it looks."""
        said = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(said["data"]))

    def ask(self, method: str, **params: Any) -> Any:
        self._last += 1
        order = {"id": self._last, "method": method, "params": params}
        order |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(order).encode() + b"\0")
        while True:
            said = self._take()
            if said.get("id") == self._last:
                assert "error" not in said, said
                return said["result"]

    def _take(self) -> Any:
        while b"\0" not in self._rest:
            more = os.read(self._back, 1 << 20)
            assert more, "the browser has gone"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\0")
        said = json.loads(line)
        self._note(said.get("method", ""), said.get("params", {}))
        return said

    def _note(self, method: str, params: Any) -> None:
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            self.seen.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.seen.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.seen.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            address = params["request"]["url"]
            if not address.startswith(("file:", "data:", "blob:")):
                self.seen.requests.append(address)


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium, as it is installed on this machine; the line to install it where it is not."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if not program and os.environ.get("DESCENT_NO_BROWSER"):
        pytest.skip("DESCENT_NO_BROWSER is set and there is no Chromium here")
    assert program, INSTALL
    (read_to, to), (back, write_back) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        script = f'exec 3<&{read_to} 4>&{write_back}; exec "$0" "$@"'
        command = ["bash", "-c", script, program, *FLAGS, f"--user-data-dir={home}", "about:blank"]
        process = subprocess.Popen(command, pass_fds=(read_to, write_back), stderr=subprocess.DEVNULL)
        os.close(read_to)
        os.close(write_back)
        try:
            yield Browser(to, back)
        finally:
            process.terminate()
            process.wait()
            os.close(to)
            os.close(back)
