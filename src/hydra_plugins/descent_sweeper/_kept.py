"""What a pipeline keeps of a grid or a search: the best point with what it came to, and a row for each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from descent import door, trials


def keep(
    config: Any, rows: Sequence[Mapping[str, Any]], best: int | None, run: Path | None, directories: Sequence[Path]
) -> None:
    """Rows have `number`, `state`, `objective` and the point; `best` is the best one's number, `run` its directory.

    Which runs they are of is said by digests of the trainings: the rows' `directories` are nothing elsewhere.
    """
    if config.outputs is None:
        return
    finished = [row for row in rows if row["state"] == "COMPLETE" and isinstance(row["objective"], float)]
    told: dict[str, Any] = {"trials": len(rows), "finished": len(finished)}
    for one in (row for row in finished if row["number"] == best):
        point = {key: _number(value) for key, value in one.items() if key not in ("state", "number", "objective")}
        told |= {"number": best, "objective": one["objective"], "point": point}
        told |= trials.results_of(run or Path())
    made = map(trials.trainings_of, directories)
    trials.write_sweep(
        config, told, [{**row, trials.TRAINING: " ".join(one)} for row, one in zip(rows, made, strict=True)]
    )


def row(number: int, state: str, values: Sequence[float], point: Mapping[str, Any]) -> dict[str, Any]:
    """Several objectives are told in one cell: which of them is the best nobody says."""
    objective = values[0] if len(values) == 1 else " ".join(map(repr, values))
    return {"number": number, "state": state, "objective": objective, **point}


def point_of(words: Sequence[str]) -> dict[str, str]:
    """Of a grid, from its overrides."""
    return {key: value for key, _, value in (door.mask(word).partition("=") for word in words)}


def _number(value: Any) -> Any:
    for kind in (int, float):
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return value
