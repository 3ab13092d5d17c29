"""The diffs of this machine's runs, each once, named by their digest: in the user's own folder, for them alone to read.

A diff that is found here was made by a run on this machine, so it may be executed. It is kept as it is: masking would
make another program of it.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from descent.durable import write_durably

FOLDER = "descent/patches"


def folder() -> Path:
    """`$XDG_STATE_HOME/descent/patches`, by default under `~/.local/state`."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(state) / FOLDER


def keep(diff: str, digest: str) -> None:
    """Nothing where it stands there already, or cannot: a run is not stopped by its own souvenir."""
    file = folder() / digest
    if not diff or file.exists():
        return
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(file, diff.encode("utf-8", "surrogateescape"))
        file.chmod(0o600)


def kept(digest: str) -> bytes | None:
    """The diff with that digest; None where it is not this machine's, or is no longer what it was."""
    if digest == hashlib.sha256(b"").hexdigest():
        return b""
    if not digest.isalnum():
        return None
    try:
        content = (folder() / digest).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None
