"""Registers the sweeper as `hydra/sweeper=descent`. Hydra imports this at every start: nothing heavy here."""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore


@dataclass
class DescentSweeperConf:
    _target_: str = "hydra_plugins.descent_sweeper.sweeper.DescentSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="descent", node=DescentSweeperConf, provider="descent")
