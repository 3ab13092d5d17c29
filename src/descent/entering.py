"""The directory of a run or a multirun, claimed before Hydra writes to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from descent import outputs, ownership, place, resuming
from descent.config import Config
from descent.ownership import release as leave
from descent.ownership import release_all as leave_all

__all__ = ["leave", "leave_all", "point", "run", "sweep"]

SWEEP_FILE = "multirun.yaml"  # what Hydra and we call it


def run(composed: DictConfig, config: Config) -> bool:
    """Hold the directory of a single run, a new one where the clock names it; False where its run is finished."""
    with _as_in_a_job(composed):
        directory = Path(composed.hydra.run.dir)
    if _is_named_by_the_clock(composed.hydra.run):
        directory = ownership.made(directory)
        with read_write(composed.hydra), open_dict(composed.hydra):
            composed.hydra.run.dir = str(directory)
    entered = resuming.enter(config, directory)
    if entered.finished:
        outputs.write_run(config, entered.directory)
    return not entered.finished


def sweep(composed: DictConfig) -> Path:
    """Hold the directory of a multirun, a new one where the clock names it."""
    directory = Path(composed.hydra.sweep.dir)
    place.refuse_foreign(directory, "hydra.sweep.dir", SWEEP_FILE)
    if _is_named_by_the_clock(composed.hydra.sweep):
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir()
    ownership.claim(directory, "choose another place with hydra.sweep.dir=…")
    return directory


def point(config: Config, directory: Path) -> float | None:
    """Hold the directory of a multirun's job; the objective of its run where that is finished."""
    from descent import record

    entered = resuming.enter(config, directory)
    return record.objective_of(entered) if entered.finished else None


def _is_named_by_the_clock(node: DictConfig) -> bool:
    return "${now:" in str(cast(dict[str, Any], OmegaConf.to_container(node))["dir"])


@contextmanager
def _as_in_a_job(composed: DictConfig) -> Iterator[None]:
    """`${hydra:…}` means what it will mean once Hydra runs the job."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(composed)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before
