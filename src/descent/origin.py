"""What trials are made from: the code, file by file, and the data."""

from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig


@dataclass(frozen=True)
class Origin:
    """`code` has a digest per file, `data` is one digest."""

    code: dict[str, str]
    data: str


def origin_of(composed: Sequence[DictConfig]) -> Origin:
    """Of the trials of a search whose configurations are like these; the first one's data."""
    from descent import assembly
    from descent.door import typed
    from descent.identity import custom_code, package_code

    configs = [typed(one) for one in composed]
    code = package_code()
    for config in configs:
        code = {**code, **custom_code(config.settings)}
    return Origin(code, assembly.load(configs[0]).digest)
