"""How a training gets on: how large its minibatches are, epoch by epoch, and how many steps that makes."""

import math
from itertools import pairwise

from descent.data.loading import Feed
from descent.optim.batch_growth import Growth


class Pace:
    """Of one epoch at a time: its feed, minibatches and steps, the steps before it, and those of the whole training.

    `total` supposes that nothing grows but what is known to; where plateaus decide it falls as they come.
    """

    def __init__(self, feed: Feed, growth: Growth, rows: int, epochs: int) -> None:
        self._feed, self._growth, self._rows, self._epochs = feed, growth, rows, epochs
        most = rows // feed.accumulate  # a step sees no more than the split
        largest = most if growth.largest == "full" else min(growth.largest, most)
        self._largest = max(feed.batch_size, largest // feed.devices * feed.devices)
        self.begin(0, 0)

    def begin(self, epoch: int, before: int) -> None:
        """The epoch begins after so many steps of the ones before it."""
        self.before = before
        self.feed = self._feed.at(self.size(self._growth.times(epoch)))
        self.batches, self.steps = self.feed.batches(self._rows), self.feed.steps(self._rows)
        self.rate = (self.feed.batch_size / self._feed.batch_size) ** self._growth.power  # of lr
        known = [milestone for milestone in self._growth.milestones if epoch < milestone < self._epochs]
        ends = [*sorted({epoch, *known}), max(epoch, self._epochs)]
        self.total = before + sum(
            (end - start) * self._feed.at(self.size(self._growth.times(start))).steps(self._rows)
            for start, end in pairwise(ends)
        )

    def size(self, times: int) -> int:
        """Of minibatches that have grown so many times: whole samples, as many for each device."""
        start, factor, devices = self._feed.batch_size, self._growth.factor, self._feed.devices
        if times == 0 or self._largest == start:
            return start
        enough = math.log(self._largest / start) / math.log(factor)
        grown = self._largest if times >= enough else start * factor**times
        return max(start, int(grown * (1 + 1e-12)) // devices * devices)  # 100 * 1.15 is 114.99999999999999

    def sizes(self) -> list[int]:
        """All that minibatches can come to, the last one of an epoch aside."""
        return list(dict.fromkeys(map(self.size, self._growth.reached(self._epochs))))

    def metrics(self) -> dict[str, float]:
        """What is recorded of an epoch: the size, where it can change."""
        return {"train/batch_size": float(self.feed.batch_size)} if len(self._growth.reached(self._epochs)) > 1 else {}
