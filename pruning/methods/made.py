"""What a method yields: a network, or what it leaves of the teacher, which is trained again as all are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pruning.measure.network import Network
from pruning.methods.shared import Shared
from pruning.methods.steps import Step, retrain, solve
from pruning.selection.budget import Budget
from pruning.training.recover import Manner, Recovered


@dataclass(frozen=True)
class Chosen:
    """What a method leaves of the teacher's units, cut and not yet trained.

    Attributes:
        step: the cut network.
        method: whose choice it is.
        is_solved: whether its output matrices are solved by least squares, where the study does that.
        manner: of its training; None for the default method's.
        note: see `Made`.
        history: what training before the cut reported.
    """

    step: Step
    method: str
    is_solved: bool = False
    manner: Manner | None = None
    note: str = ""
    history: tuple[dict[str, Any], ...] = ()

    def solved(self, shared: Shared) -> Step | None:
        """The same with its output matrices solved; None where they are not."""
        wanted = self.is_solved and "least_squares" in shared.context.config.stages
        return solve(shared, self.step, self.method) if wanted else None

    def recovered(self, shared: Shared, solved: Step | None, seed: int | None) -> Recovered:
        """The same, or what solving left of it, trained again."""
        return retrain(shared, solved or self.step, seed, self.method, self.manner)


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


def make_chosen(
    choose: Callable[[Shared, Budget, int | None], Chosen], shared: Shared, budget: Budget, seed: int | None
) -> Made:
    """The network that a choice of units ends with: cut, solved where it is to be, trained again."""
    chosen = choose(shared, budget, seed)
    recovered = chosen.recovered(shared, chosen.solved(shared), seed)
    return made_of(recovered, chosen.note, list(chosen.history))
