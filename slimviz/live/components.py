"""One run that times the components of teacher and slim, in turns, on this machine's CPU.

Each round times every network twice: whole and untouched, and with its components timed on a private copy, so that it
can be said by how much the sum of the parts differs from the whole.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pruning.study import Study
from slimviz.live import answers
from slimviz.live.networks import Network, computing
from slimviz.live.others_at_work import OthersAtWork
from slimviz.live.run import FEWEST_ROUNDS, SPEED_ROUNDS, SPEED_SECONDS, Step, conditions, in_turns


class ComponentRun:
    """Teacher and slim at one batch size and length; made-up texts.

    Args:
        study: whose networks they are.
        networks: on the CPU; the teacher first, where it is there.
        batch: texts a batch.
        length: tokens a text.
    """

    def __init__(self, study: Study, networks: Sequence[Network], batch: int, length: int) -> None:
        self.study, self.networks, self.batch, self.length = study, tuple(networks), batch, length
        self._others: OthersAtWork | None = None
        self._stop = threading.Event()
        self._guard = threading.Lock()  # around what follows
        self._rounds: list[list[dict[str, float]]] = []  # seconds by network

    def stop(self) -> None:
        """Have `steps` end after the round in hand."""
        self._stop.set()

    def steps(self) -> Iterator[Step]:
        """Do the work, a round at a time; the first one also makes room, and is not recorded."""
        from pruning.measure.components import TimedComponents
        from pruning.measure.speed import made_up

        self._others = OthersAtWork()
        with computing():
            timed = [TimedComponents(network) for network in self.networks]
            inputs = [made_up(network, self.batch, self.length) for network in self.networks]
        began = time.monotonic()
        for number in range(SPEED_ROUNDS + 1):
            if self._stop.is_set():
                return
            done: list[dict[str, float]] = [{} for _ in self.networks]
            with computing():
                for index in in_turns(number, len(self.networks)):
                    whole = answers.forward(self.networks[index], inputs[index])[1]
                    parts, with_clocks = timed[index].seconds(inputs[index])
                    done[index] = {"whole": whole, "with_clocks": with_clocks, **parts}
            if number:
                with self._guard:
                    self._rounds.append(done)
            yield Step(number / SPEED_ROUNDS, f"timing: round {number} of {SPEED_ROUNDS}")
            if number >= FEWEST_ROUNDS and time.monotonic() - began > SPEED_SECONDS:
                return

    def rows(self) -> list[dict[str, Any]]:
        """One flat row a network: median milliseconds of the whole pass and of each component; empty before a round."""
        with self._guard:
            rounds = list(self._rounds)
        if not rounds:
            return []
        found = conditions(self._others, "cpu")

        def median_ms(index: int, part: str) -> float:
            return 1000 * float(np.median([row[index][part] for row in rounds]))

        return [
            {
                "study": str(self.study.folder),
                "network": network.variant.name,
                "batch": self.batch,
                "length": self.length,
                "rounds": len(rounds),
                **found,
                **{f"{part}_ms": median_ms(index, part) for part in rounds[0][index]},
            }
            for index, network in enumerate(self.networks)
        ]
