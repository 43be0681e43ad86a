"""How long each component of a network takes: its methods timed on a private copy that shares the weights alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from pruning.bert.counts import Component
from pruning.measure.logits import timed_forward
from pruning.measure.network import Network

TIMED = tuple(part for part in Component if part is not Component.SEGMENTS)  # one with the positions


class TimedComponents:
    """A network whose components are timed; the one that it was made from is left as it is.

    Times are read by a clock around each component's methods, so they hold on the CPU alone, where a call is over once
    it returns. Reading the clock takes a little time itself, which the pass as a whole pays for.

    Args:
        network: teacher or slim network, on the CPU.
    """

    def __init__(self, network: Network) -> None:
        self.network = network.apart()
        self._spent: dict[tuple[int, str], float] = defaultdict(float)
        self._parts = []
        for part, sign, module, name in _calls(self.network.model):
            key = (id(module), name)
            if key not in {known for _, _, known in self._parts}:
                self._time(module, name, key)
            self._parts.append((part, sign, key))

    def seconds(self, inputs: Mapping[str, Any]) -> tuple[dict[Component, float], float]:
        """Seconds that each component took of one forward pass, and the whole pass; hold `TIMING_LOCK` around it."""
        self._spent.clear()
        _, whole = timed_forward(self.network, inputs)
        taken = dict.fromkeys(TIMED, 0.0)
        for part, sign, key in self._parts:
            taken[part] += sign * self._spent[key]
        return {part: max(0.0, value) for part, value in taken.items()}, whole

    def _time(self, module: Any, name: str, key: tuple[int, str]) -> None:
        call, spent = getattr(module, name), self._spent

        def timed(*arguments: Any, **named: Any) -> Any:
            start = perf_counter()
            result = call(*arguments, **named)
            spent[key] += perf_counter() - start
            return result

        setattr(module, name, timed)


def word_embedder(model: Any) -> Callable[[Any], Any]:
    """What turns token ids into the word embeddings that a network takes as `inputs_embeds`, of either kind of network.

    Its argument is (batch, tokens) ids, its result (batch, tokens, hidden).
    """
    return next(getattr(module, name) for part, _, module, name in _calls(model) if part is Component.WORDS)


def _calls(model: Any) -> Any:
    if getattr(model.config, "model_type", None) == "slimbert":
        from pruning.slimbert.components import component_calls
    else:
        from pruning.bert.model import component_calls
    return component_calls(model)
