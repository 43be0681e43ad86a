"""When zeros come, and how many by then."""

from __future__ import annotations

import pytest

from pruning.compress.sparse.schedule import Schedule
from pruning.errors import ConfigError


@pytest.mark.parametrize("target", [0.05, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("times", [1, 2, 8])
def test_densities_fall_by_the_cube_to_exactly_the_target(times: int, target: float) -> None:
    found = Schedule(times=times, end=0.0 if times == 1 else 0.7).densities(target)
    assert len(found) == times
    assert found[-1] == target
    for number, density in enumerate(found, 1):
        assert density == pytest.approx(target + (1 - target) * (1 - number / times) ** 3, abs=1e-12)


def test_events_lie_at_equal_distances_and_the_last_before_the_end() -> None:
    events = Schedule(times=4, begin=0.1, end=0.7).events(100, 0.1)
    assert list(events) == [10, 30, 50, 70]
    assert list(events.values()) == list(Schedule(times=4).densities(0.1))
    assert max(Schedule(times=4, end=1.0).events(100, 0.1)) == 99  # a step begins with it


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_short_trainings_reach_the_target_too(steps: int) -> None:
    schedule = Schedule(times=8)
    events = schedule.events(steps, 0.1)
    assert list(events.values())[-1] == 0.1
    assert all(0 <= step < steps for step in events)
    assert schedule.density_at(steps - 1, steps, 0.1) == 0.1


def test_the_density_of_a_step_is_that_of_the_last_event() -> None:
    schedule = Schedule(times=2, begin=0.2, end=0.6)
    found = [schedule.density_at(step, 10, 0.2) for step in range(10)]
    assert found == [1.0] * 2 + [0.2 + 0.8 / 8] * 4 + [0.2] * 4


def test_an_order_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^schedule: 3 times from 0\.8 to 0\.7, expected an order$"):
        Schedule(times=3, begin=0.8)
    with pytest.raises(ConfigError, match=r"1 times from 0 to 0\.7"):
        Schedule(times=1)
