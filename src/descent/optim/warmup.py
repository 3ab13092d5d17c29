"""A linear warm-up in front of any schedule."""

from collections.abc import Mapping
from typing import Any

from descent.optim.schedules import Schedule

# Knobs that stand beside a scheduler's own.
KNOBS = {"warmup", "warmup_interval"}


class WarmUp(Schedule):
    """Step t of the first W has the factor (t + 1) / (W + 1) of what the schedule begins with; then it begins.

    W is `length` epochs or steps, and an epoch has `epoch_steps`. What an epoch measures while the rate still rises
    tells the schedule nothing.
    """

    def __init__(self, after: Schedule, length: int, unit: str, epoch_steps: int) -> None:
        self.after, self.epoch_steps = after, epoch_steps
        self.steps = length * (epoch_steps if unit == "epoch" else 1)
        self.interval = "step"
        self._warm = False

    def factor(self, position: int, total: int) -> float:
        steps, scale = self.steps, self.epoch_steps if self.after.interval == "epoch" else 1
        left = max(total - steps, 1)
        self._warm = position + 1 >= steps
        if position < steps:
            return self.after.factor(0, -(-left // scale)) * (position + 1) / (steps + 1)
        return self.after.factor((position - steps) // scale, -(-left // scale))

    def epoch_end(self, metrics: Mapping[str, float]) -> None:
        if self._warm:
            self.after.epoch_end(metrics)

    def state_dict(self) -> dict[str, Any]:
        return {"warm": self._warm, "after": self.after.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._warm = state["warm"]
        self.after.load_state_dict(state["after"])


def warmed_up(schedule: Schedule, settings: Mapping[str, Any], epoch_steps: int) -> Schedule:
    """The schedule itself where no warm-up is asked for."""
    length = settings.get("warmup", 0)
    return WarmUp(schedule, length, settings["warmup_interval"], epoch_steps) if length else schedule
