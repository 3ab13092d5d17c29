"""Which of several processes this is: `torchrun` starts one per device, and the first one speaks and writes for all."""

import atexit
import os
import shutil
import tempfile

FOLLOWER_SETTINGS = ("hydra.output_subdir=null", "tracking=none", "register=null")


def rank() -> int:
    """0 for the process that speaks, and where there is only one."""
    return int(os.environ.get("RANK", "0"))


def started() -> int:
    """How many processes there are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def follower_overrides() -> list[str]:
    """What makes a process that is not the first one leave nothing behind."""
    if rank() == 0:
        return []
    directory = tempfile.mkdtemp(prefix="descent-follower-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return [*FOLLOWER_SETTINGS, f"hydra.run.dir={directory}"]
