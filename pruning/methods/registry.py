"""Methods that a teacher can be made small by, one module each; a new one is a file and a line here.

Names can be looked up without torch. A module has ``make(shared, budget, seed) -> Made``: the same trained teacher,
factors and answers for all of them (see `shared.Shared`), the same number of steps (see `steps.retrain`), and a seed of
its own draws and training, None for the study's.

A method that leaves zeros in matrices of the old size cuts to `room.base` (all units, the default's word table), and
names what chooses them in its `Manner`; a further way to choose is a line of `compress.sparse`, which are all methods
here. What zeros save is counted from the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from pruning.compress.sparse import SPARSE_METHODS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pruning.methods.made import Made
    from pruning.methods.shared import Shared
    from pruning.selection.budget import Budget

Family = Literal["structural", "unstructured", "other"]


@dataclass(frozen=True)
class Method:
    """What there is to know of a method before it is at work.

    Attributes:
        name: as variants and sweeps spell it.
        module: where it is.
        family: "structural" (smaller matrices), "unstructured" (zeros in matrices of the old size), or "other".
        title: for people.
        options: of the module's ``make``, where it has several methods.
    """

    name: str
    module: str
    family: Family
    title: str
    options: dict[str, Any] = field(default_factory=dict)

    def load(self) -> Callable[[Shared, Budget, int | None], Made]:
        """Its ``make``."""
        return partial(import_module(self.module).make, **self.options)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("slim", "pruning.methods.slim", "structural", "SlimViz"),
        Method("slimbert", "pruning.methods.slimbert", "structural", "SlimBERT as its authors ran it"),
        Method("kwon", "pruning.methods.kwon", "structural", "Fisher, rearranged, least squares (Kwon et al.)"),
        Method("magnitude", "pruning.methods.magnitude", "structural", "Magnitude of units"),
        Method("head-gradient", "pruning.methods.head_gradient", "structural", "Head gradient (Michel et al.)"),
        Method("layers", "pruning.methods.layers", "structural", "Top layers dropped"),
        Method("random", "pruning.methods.random_units", "structural", "Random units"),
        Method("small-dense", "pruning.methods.small_dense", "structural", "Small dense BERT, distilled"),
        *(
            Method(sparse.name, "pruning.methods.sparse", "unstructured", sparse.title, {"name": sparse.name})
            for sparse in SPARSE_METHODS.values()
        ),
        Method("slim-quantised", "pruning.methods.quantised", "structural", "SlimViz, int8", {"pruned": True}),
        Method("decomposition", "pruning.methods.decomposition", "other", "Matrices decomposed (DRONE, SVD-LLM)"),
        Method("shared-layers", "pruning.methods.one_layer", "other", "One layer for all (ALBERT)"),
        Method("quantised", "pruning.methods.quantised", "other", "Nothing cut, int8", {"pruned": False}),
    )
}
