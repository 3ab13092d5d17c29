"""Plain values as YAML that Hydra reads back as they were: as OmegaConf would write it, but by libyaml."""

from typing import Any

import yaml

from descent.tracking.secrets import is_number

_Emitter: Any = getattr(yaml, "CDumper", yaml.Dumper)  # a PyYAML without libyaml has the slow one alone

MOST_ENTRIES = 500
_entries: dict[str, str] = {}


class _Dumper(_Emitter):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        """A value that occurs twice is written twice."""
        return True


def yaml_of(value: Any) -> str:
    """Keys stay in their order, interpolations as they are."""
    return "".join(map(_entry, value.items())) if isinstance(value, dict) and value else _dumped(value)


def _entry(item: tuple[Any, Any]) -> str:
    """Of a mapping; from one run of a process to its next nearly all of them are the same."""
    as_python = repr(item)
    if as_python not in _entries:
        if len(_entries) >= MOST_ENTRIES:
            _entries.clear()
        _entries[as_python] = _dumped(dict([item]))
    return _entries[as_python]


def _dumped(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False)
    return text


def _text(dumper: Any, value: str) -> Any:
    """Quoted where a reader of Hydra's would take it for a number: YAML itself knows `1e-3` as text."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="'" if is_number(value) else None)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(tuple, _Dumper.represent_list)
