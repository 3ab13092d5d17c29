"""A file from the network: whole and as published, or not there at all."""

import fcntl
import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from descent.data.faults import fault
from descent.durable import UNFINISHED, folder_made, sync_directory
from descent.errors import DataError

BLOCK = 1 << 16
SILENCE = 30.0  # seconds without a byte after which an address is given up


class _Unusable(Exception):
    """What an address answered, in a few words."""


def download(addresses: Sequence[str], file: Path, *, size: int, md5: str, silence: float = SILENCE) -> None:
    """The first address that answers with the published bytes is taken; DataError where none does.

    Written to a temporary file beside, of which several processes write one at a time; the others then find the file.
    """
    causes: list[str] = []
    with folder_made(file.parent), _part(file) as part:
        if file.exists():
            return
        for address in addresses:
            try:
                _write(address, part, size, md5, silence, file.name)
            except _Unusable as cause:
                causes.append(str(cause))
                continue
            Path(part.name).replace(file)
            sync_directory(file.parent)
            return
    raise _refused(file, causes)


def _refused(file: Path, causes: list[str]) -> DataError:
    several = f"{len(causes)} addresses, the last: " if len(causes) > 1 else ""
    return fault(file, f"cannot be downloaded: {several}{causes[-1]}", "put it there by hand, or try again")


@contextmanager
def _part(file: Path) -> Iterator[BinaryIO]:
    """The temporary file, held alone and gone in the end; one that a killed process has left is written over."""
    path = file.with_name(f".{file.name}{UNFINISHED}")
    with _held(path) as part:
        try:
            yield part
        finally:
            if _is_at(part, path):
                path.unlink()


def _held(path: Path) -> BinaryIO:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part = path.open("ab")
        except FileNotFoundError:
            continue  # another process's download has failed, and its folder is gone again
        fcntl.flock(part, fcntl.LOCK_EX)
        if _is_at(part, path):
            return part
        part.close()  # its holder has renamed or removed it


def _is_at(part: BinaryIO, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(part.fileno()), path.stat())
    return False


def _write(address: str, part: BinaryIO, size: int, md5: str, silence: float, name: str) -> None:
    part.truncate(0)
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with _progress(name, size) as advance:
        for block in _blocks(address, silence):
            done += len(block)
            if done > size:
                raise _Unusable(f"more than the published {size} bytes came")
            digest.update(block)
            part.write(block)
            advance(len(block))
    if done < size:
        raise _Unusable(f"it ended at byte {done} of {size}")
    if digest.hexdigest() != md5:
        raise _Unusable(f"MD5 {digest.hexdigest()[:8]}…, published {md5[:8]}…")
    part.flush()
    os.fsync(part.fileno())


def _blocks(address: str, silence: float) -> Iterator[bytes]:
    """What the network gives; its faults become ours, those of the disk do not."""
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "descent"})
        with urllib.request.urlopen(request, timeout=silence) as answer:
            while block := answer.read(BLOCK):
                yield block
    except urllib.error.HTTPError as error:
        raise _Unusable(f"the server answered {error.code} {error.reason}") from None
    except TimeoutError:
        raise _Unusable(f"no byte came in {silence:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise _Unusable(f"no answer came in {silence:g} s") from None
        raise _Unusable(f"no network ({getattr(reason, 'strerror', None) or reason})") from None


@contextmanager
def _progress(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=size)
        yield lambda count: bar.advance(task, count)
