"""What a method yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pruning.measure.network import Network
from pruning.methods.shared import Shared
from pruning.training.recover import Recovered


@dataclass(frozen=True)
class Made:
    """A network that a method made.

    Attributes:
        model: in eval mode, on the CPU, weights rounded as they would be stored. One with zeros in matrices of the old
            size says so by its zeros alone: what they save is counted, whoever made it.
        tokenizer: its own.
        history: what all training that was the method's own reported; the teacher's is not.
        note: what a reader of its numbers must know, such as a budget that the method cannot reach.
        kernels: name -> the same network as another kernel runs it, to be timed beside the dense one.
        runs: what answers and is timed, where that is not `model` itself but the same in smaller numbers.
        int8: names of `model`'s tensors that `runs` stores in a byte a value.
    """

    model: Any
    tokenizer: Any
    history: list[dict[str, Any]]
    note: str = ""
    kernels: Mapping[str, Any] = field(default_factory=dict)
    runs: Any = None
    int8: frozenset[str] = frozenset()

    @property
    def steps(self) -> int:
        """Batches that its training took."""
        last: dict[str, int] = {}
        for entry in self.history:
            last[entry["stage"]] = max(last.get(entry["stage"], 0), int(entry["step"]))
        return sum(last.values())

    def network(self, shared: Shared) -> Network:
        """Ready to answer."""
        running = self.model if self.runs is None else self.runs
        return Network(running, self.tokenizer, shared.context.config.max_length)


def made_of(recovered: Recovered, note: str = "", earlier: list[dict[str, Any]] | None = None) -> Made:
    """What training left, as a method's result.

    Args:
        recovered: the network.
        note: see `Made`.
        earlier: what the method's training before that reported.
    """
    return Made(recovered.model, recovered.tokenizer, [*(earlier or []), *recovered.history], note)
