"""Files that a dataset is read from and that are not there: known before anything heavy is imported."""

from contextlib import suppress
from pathlib import Path

from descent.config import Config, located, project_root, workspace_root
from descent.data import known
from descent.data.faults import refuse_no_file, refuse_no_folder

PREPARED = "data/prepared"


def refuse_absent(config: Config) -> None:
    """DataError in one line; what was prepared before, or may be downloaded, need not be there."""
    own = located(config.dataset).settings
    if own.get("download") or _is_prepared(config) or not str(config.dataset.target).startswith("descent.data."):
        return
    name = own.get("name", config.dataset.choice)
    with suppress(PermissionError):  # who reads it will say so
        if name in known.SETS:
            known.refuse_absent(name, Path(own["root"]))
        elif "path" in own:
            refuse_no_file(Path(own["path"]))
        elif "root" in own:
            refuse_no_folder(Path(own["root"]))


def _is_prepared(config: Config) -> bool:
    """Whether it may be: what lies there is looked at when it is read."""
    wanted = config.dataset.settings["cache"]
    if wanted in (None, "auto"):
        return wanted is not None and (project_root() / PREPARED / config.dataset.choice).exists()
    return (workspace_root() / str(wanted)).exists()
