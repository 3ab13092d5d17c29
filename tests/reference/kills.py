"""A callback that kills its own process, once for each line of a plan."""

import os
import signal
from pathlib import Path

import psutil
import pytorch_lightning as pl

from descent.lifeline import starter_of_this


class Kills(pl.Callback):
    """Takes the plan's first line away and dies there: in `step 7` of its sitting, before the second `replace 2`.

    With `starter` it is the process that started it that dies, with `number` it is told so by another signal. It has no
    hook for batches, so that a chunk stays as large as it is without it.
    """

    def __init__(self, plan, starter=False, number=signal.SIGKILL):
        self.plan = Path(plan)
        self.number = number
        self.victim = starter_of_this if starter else psutil.Process

    def on_fit_start(self, trainer, module):
        lines = self.plan.read_text().splitlines() if self.plan.exists() else []
        if not lines:
            return
        self.plan.write_text("\n".join(lines[1:]))
        place, count = lines[0].split()
        holder = module.recipe.owner if place == "step" else os
        original, left = getattr(holder, place), [int(count)]

        def counted(*arguments, **named):
            left[0] -= 1
            if left[0] == 0:
                self.victim().send_signal(self.number)
            return original(*arguments, **named)

        setattr(holder, place, counted)
