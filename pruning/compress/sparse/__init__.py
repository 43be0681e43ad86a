"""Zeros in whole matrices, chosen weight by weight: rivals of cutting units out. A new one is a file and a line here.

A method is what chooses the zeros, and when they come. Names can be looked up without torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pruning.compress.sparse.schedule import Schedule
from pruning.errors import ConfigError

if TYPE_CHECKING:
    from pruning.compress.sparse.sparsifier import Sparsifier, Texts

AT_ONCE = Schedule(times=1, end=0.0)
GRADUAL = Schedule(times=20)
RECOMPUTED = Schedule(times=8)  # each time takes a pass of gradients
LEARNED = Schedule(times=100, begin=0.1)  # scores have to tell weights apart before the first ones go


@dataclass(frozen=True)
class SparseMethod:
    """What there is to know of a method before it runs.

    Attributes:
        name: as settings and results spell it.
        title: for people.
        module: that chooses zeros; its `make(texts, **options)` gives a `Sparsifier`.
        schedule: when zeros come in training.
        options: of the module.
    """

    name: str
    title: str
    module: str
    schedule: Schedule
    options: dict[str, Any] = field(default_factory=dict)

    def sparsifier(self, texts: Texts) -> Sparsifier:
        """What chooses zeros, made anew for each network.

        Args:
            texts: to take gradients on, for methods that do.
        """
        return import_module(self.module).make(texts, **self.options)


_HERE = "pruning.compress.sparse"
SPARSE_METHODS: dict[str, SparseMethod] = {
    method.name: method
    for method in (
        SparseMethod(
            "sparse-magnitude", "Magnitude of weights, at once", f"{_HERE}.magnitude", AT_ONCE, {"ranking": "global"}
        ),
        SparseMethod(
            "sparse-magnitude-gradual",
            "Magnitude of weights, gradual",
            f"{_HERE}.magnitude",
            GRADUAL,
            {"ranking": "uniform"},
        ),
        SparseMethod("movement", "Movement", f"{_HERE}.movement", LEARNED, {"ranking": "uniform"}),
        SparseMethod("movement-global", "Movement, one threshold", f"{_HERE}.movement", LEARNED, {"ranking": "global"}),
        SparseMethod("obert", "Optimal BERT Surgeon", f"{_HERE}.obert", RECOMPUTED),
        SparseMethod("obert-fours", "Optimal BERT Surgeon, fours", f"{_HERE}.obert", RECOMPUTED, {"together": 4}),
    )
}


def sparse_method(name: str) -> SparseMethod:
    """A method by name.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in SPARSE_METHODS:
        raise ConfigError(f"sparse method {name!r:.40}: expected one of {', '.join(SPARSE_METHODS)}")
    return SPARSE_METHODS[name]
