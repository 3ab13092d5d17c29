"""What a command line says of its sweep: taken out of the settings, for it is none of a trial's."""

from collections.abc import Mapping, Sequence
from typing import Any

from descent.rules import refuse

KNOBS: dict[str, Any] = {"n_trials": None, "timeout": None, "workers": 1, "study": None, "max_failures": None}
KNOBS |= {"storage": "journal"}
GROUPS = {"search": "none", "pruner": "none", "space": "none"}
Aims = Sequence[tuple[str, str]]  # several objectives with their directions
KEYS = (*KNOBS, *GROUPS, "sweep")


def taken(settings: dict[str, Any], choices: Mapping[str, Any], is_sweep: bool, aims: Aims = ()) -> dict[str, Any]:
    """The sweep's own settings, out of a run's; refused where there is no sweep that they could mean."""
    sweep = {key: settings.pop(key, default) for key, default in KNOBS.items()}
    for group, nothing in GROUPS.items():
        sweep[group] = {"choice": str(choices.get(group) or nothing), **settings.pop(group, {})}
    sweep["aims"] = list(aims) or None
    if aims and sweep["search"]["choice"] == "none":
        raise refuse("objective", [name for name, _ in aims], "one metric without search=…", "add -m search=tpe")
    if is_sweep:
        return sweep
    for key, default in {**KNOBS, **GROUPS}.items():
        if key == "space":
            continue  # its file may choose a model too: a run of one of its points says it
        given = sweep[key]["choice"] if key in GROUPS else sweep[key]
        if key == "search" and given == "race" and sweep["space"]["choice"] != "none":
            continue  # the space's file has chosen it: the same
        if given != default:
            raise refuse(key, given, "nothing without -m", "add -m to search, or leave it out")
    return sweep
