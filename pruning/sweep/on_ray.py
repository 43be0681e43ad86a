"""A sweep on a Ray cluster: each worker an actor that makes one cell after another, wherever Ray finds room.

Needs ``pip install -r requirements-ray.txt`` and this package on every node, and folders of stages and results that all
nodes see. `RAY_ADDRESS` names the cluster; without it, Ray starts one on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from pruning.errors import ConfigError
from pruning.sweep.place import Place
from pruning.sweep.plan import Cell
from pruning.sweep.schedule import Outcome, Prepare, tried


class RayCrew:
    """Actors of a cluster.

    Args:
        place: where to work; its paths must mean the same on every node.
        prepare: see `Prepare`.

    Raises:
        ConfigError: if Ray is not installed.
    """

    def __init__(self, place: Place, prepare: Prepare) -> None:
        try:
            ray: Any = import_module("ray")
        except ImportError:
            raise ConfigError("sweep --engine ray: expected pip install -r requirements-ray.txt") from None
        self.ray, self.place, self.prepare = ray, place, prepare
        if not ray.is_initialized():
            own = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": place.workers * place.threads}
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", **own)
        needs: dict[str, Any] = {"num_cpus": place.threads}
        if place.device != "cpu":
            needs["num_gpus"] = 1
        self.actor = ray.remote(**needs)(Actor)

    def hire(self, number: int) -> RayWorker:
        """Start an actor."""
        return RayWorker(self.ray, self.actor.remote(self.place, self.prepare))

    def done(self, busy: Sequence[RayWorker]) -> list[RayWorker]:
        """Those whose answer is there, or whose actor is gone."""
        ready, _ = self.ray.wait([worker.answer for worker in busy], num_returns=1)
        return [worker for worker in busy if worker.answer in ready]


class RayWorker:
    """One actor, as the sweep sees it."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self.ray, self.actor = ray, actor
        self.answer: Any = None

    def send(self, cell: Cell) -> None:
        """See `Worker`."""
        self.answer = self.actor.make.remote(cell)

    def receive(self) -> Outcome | None:
        """See `Worker`."""
        with suppress(self.ray.exceptions.RayError):
            return self.ray.get(self.answer)
        return None

    def stop(self) -> None:
        """See `Worker`."""
        self.ray.kill(self.actor)


class Actor:
    """What runs on a node."""

    def __init__(self, place: Place, prepare: Prepare) -> None:
        os.environ["OMP_NUM_THREADS"] = str(place.threads)
        prepare()
        from pruning.sweep.cell import Workshop

        self.workshop = Workshop(place)

    def make(self, cell: Cell) -> Outcome:
        """Make a cell."""
        return tried(self.workshop.make, cell)

    def process(self) -> int:
        """Number of the process that it runs in."""
        return os.getpid()
