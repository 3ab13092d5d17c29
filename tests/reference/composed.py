"""What a command line composes, once a process: the same words always compose the same, and nobody changes it."""

from functools import cache

from omegaconf import DictConfig, OmegaConf

from descent import door
from descent.config import Config


@cache
def _composed(*overrides: str) -> DictConfig:
    made = door.compose(overrides)
    OmegaConf.set_readonly(made, True)
    return made


def config_of(*overrides: str) -> Config:
    """`config_of("optimizer=sgd", "lr=1")`: the configuration as a command line would make it."""
    return door.typed(_composed(*overrides))
