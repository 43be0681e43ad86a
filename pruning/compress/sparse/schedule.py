"""When zeros come: at once, or gradually, by the cubic schedule of Zhu and Gupta 2017 ("To prune, or not to prune")."""

from __future__ import annotations

from typing import ClassVar

from pruning.errors import ConfigError
from pruning.records import Positive, Record, Share


class Schedule(Record, frozen=True):
    """When a training makes zeros, and how many by then.

    The density goes from 1 to the target d at equal distances, ``d + (1 - d) * (1 - k / times)^3`` after the k-th time:
    much at first, while there is much to spare, and little at the end.

    Attributes:
        times: how often weights are set to zero.
        begin: share of the steps before the first time.
        end: share of the steps before the last time; those that follow train what is left.
    """

    label: ClassVar[str] = "schedule "

    times: Positive
    begin: Share = 0.0
    end: Share = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.begin > self.end or (self.times == 1 and self.begin != self.end):
            raise ConfigError(f"schedule: {self.times} times from {self.begin:g} to {self.end:g}, expected an order")

    def densities(self, target: float) -> tuple[float, ...]:
        """The density after each time; the last one is the target itself."""
        falling = [target + (1 - target) * (1 - time / self.times) ** 3 for time in range(1, self.times)]
        return (*falling, target)

    def events(self, steps: int, target: float) -> dict[int, float]:
        """Step -> the density when it begins. Where there are fewer steps than times, a step's last one counts.

        Args:
            steps: of the whole training.
            target: density at the end.
        """
        first, last = self.begin * steps, min(self.end * steps, steps - 1)
        apart = (last - first) / max(1, self.times - 1)
        return {int(first + time * apart): density for time, density in enumerate(self.densities(target))}

    def density_at(self, step: int, steps: int, target: float) -> float:
        """The density while a step is taken."""
        return min((density for event, density in self.events(steps, target).items() if event <= step), default=1.0)
