"""What makes a study this one: the name that the same command finds again, and what must not change under that name."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from descent import door, trials
from descent.errors import UsageError
from hydra_plugins.descent_sweeper._search_space import Parameter
from hydra_plugins.descent_sweeper._study import differences, read_plan

# What may differ from one sitting to the next: how much, how long, by whom, and how it is called.
FREE: tuple[str, ...] = (*trials.SWEEP_KEYS, "name", "tags", "tracking", "resume", "checkpoint", "dry_run", "threads")
FREE += ("loader.workers", "hydra", "outputs", "seed", "space.n_trials", "register")
BOUND = ("space=",)  # a space file may bring more than its space
SAMPLER_FREE = ("choice", "allowed", "patience", "min_improvement", "target", "start", "refit")
MUST, MAY = ("space", "fixed", "objective", "seed"), ("sampler", "pruner")


def facts_of(
    settings: Any,
    parameters: Sequence[Parameter],
    fixed: Sequence[Override],
    primary: Sequence[str] = (),
    race: Any = None,
) -> dict[str, str]:
    """Plain texts, kept beside the study and compared with those of a later command."""
    words = [str(override.input_line) for override in fixed]
    words += ["=".join(pair) for pair in zip(("--config-path", "--config-name"), primary, strict=False)]
    kept = sorted(word for word in words if word.startswith(BOUND) or not is_free(word, FREE))
    sweep = settings.sweep
    space = {one.name: ": ".join([one.key, " ".join([one.role, one.described]).strip()]) for one in parameters}
    return {
        "space": json.dumps(space if race is None else {**space, "race": race.described()}),
        "fixed": json.dumps(kept),
        "objective": json.dumps(_objective(settings)),
        "sampler": _described(sweep["search"], SAMPLER_FREE),
        "pruner": _described(sweep["pruner"], ("choice", "allowed")),
        "seed": json.dumps([settings.seed]),
    }


def _objective(settings: Any) -> list[str]:
    several = settings.sweep["aims"] or []
    return [" ".join(aim) for aim in several] or [settings.objective, settings.direction]


def _described(group: dict[str, Any], free: Sequence[str]) -> str:
    return " ".join([group["choice"], *(f"{key}={value}" for key, value in group.items() if key not in free)])


def name_of(facts: dict[str, str]) -> str:
    """A study's name where it is given none."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
    return f"{facts['sampler'].split(' ')[0]}-{digest}"


def is_free(word: str, free: Sequence[str]) -> bool:
    """Whether an override sets one of these keys, or something below one of them."""
    key = word.lstrip("+~").partition("=")[0]
    return any(key == one or key.startswith(f"{one}.") for one in free)


def refuse_another(directory: Path, name: str, facts: dict[str, str]) -> dict[str, Any] | None:
    """What the study of that name was begun with; UsageError where that was another search."""
    earlier = read_plan(directory)
    if earlier is None:
        return None
    for fact in MUST:
        if earlier["facts"][fact] != facts[fact]:
            change = _change(earlier["facts"][fact], facts[fact])
            line = f"study: got {name}, which has another {fact}: {change}"
            raise UsageError(door.shortened(line, "; choose another name"))
    before, now = (one["sampler"].split(" ")[0] for one in (earlier["facts"], facts))
    if now == "grid" != before:
        raise UsageError(f"search: got grid, allowed what draws: study {name} was begun with {before}")
    return earlier


def changes(earlier: dict[str, Any], facts: dict[str, str]) -> list[str]:
    """What has changed that may, a line each."""
    old = earlier["facts"]
    return [f"note: {fact} {old[fact]} → {facts[fact]} from here on" for fact in MAY if old[fact] != facts[fact]]


def _change(old: str, new: str) -> str:
    before, after = json.loads(old), json.loads(new)
    if isinstance(before, dict):
        return "; ".join(differences(before, after)) or "its order"
    gone, come = [one for one in before if one not in after], [one for one in after if one not in before]
    return f"{' '.join(map(str, gone)) or 'nothing'} → {' '.join(map(str, come)) or 'nothing'}"
