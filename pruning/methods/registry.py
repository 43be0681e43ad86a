"""Methods that a teacher can be made small by, one module each; a new one is a file and a line here.

Names can be looked up without torch. A module has ``make(shared, budget, seed) -> Made``: the same trained teacher,
factors and answers for all of them (see `shared.Shared`), the same number of steps (see `steps.retrain`), and a seed of
its own draws and training, None for the study's. One that keeps some of the teacher's units in every layer, and nothing
else, has ``choose(shared, budget, seed) -> Chosen`` instead: a study can be made of that (``run --method``), for its
masks say all that was done. What the others make, a sweep measures.

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
from pruning.config import DEFAULT_METHOD, StudyConfig
from pruning.errors import ConfigError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from pruning.methods.made import Chosen, Made
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
        chooses_units: whether its module has ``choose``.
        keeps_all: whether it removes no parameter, so that its one budget is 1.
    """

    name: str
    module: str
    family: Family
    title: str
    options: dict[str, Any] = field(default_factory=dict)
    chooses_units: bool = False
    keeps_all: bool = False

    def load(self) -> Callable[[Shared, Budget, int | None], Made]:
        """What makes its network."""
        if self.chooses_units:
            return partial(import_module("pruning.methods.made").make_chosen, self.chooser())
        return partial(import_module(self.module).make, **self.options)

    def chooser(self) -> Callable[[Shared, Budget, int | None], Chosen]:
        """Its ``choose``."""
        return import_module(self.module).choose


def _chosen(name: str, module: str, title: str) -> Method:
    return Method(name, f"pruning.methods.{module}", "structural", title, chooses_units=True)


def _in_int8(of: str, family: Family, title: str) -> Method:
    return Method(f"{of}-quantised", "pruning.methods.quantised", family, title, {"of": of})


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _chosen("slim", "slim", "SlimViz"),
        _chosen("slimbert", "slimbert", "SlimBERT as its authors ran it"),
        _chosen("kwon", "kwon", "Fisher, rearranged, least squares (Kwon et al.)"),
        _chosen("magnitude", "magnitude", "Magnitude of units"),
        _chosen("head-gradient", "head_gradient", "Head gradient (Michel et al.)"),
        Method("layers", "pruning.methods.layers", "structural", "Top layers dropped"),
        _chosen("random", "random_units", "Random units"),
        Method("small-dense", "pruning.methods.small_dense", "structural", "Small dense BERT, distilled"),
        *(
            Method(sparse.name, "pruning.methods.sparse", "unstructured", sparse.title, {"name": sparse.name})
            for sparse in SPARSE_METHODS.values()
        ),
        _in_int8("slim", "structural", "SlimViz, int8"),
        _in_int8("obert", "unstructured", "Optimal BERT Surgeon, int8"),
        Method("decomposition", "pruning.methods.decomposition", "other", "Matrices decomposed (DRONE, SVD-LLM)"),
        Method("shared-layers", "pruning.methods.one_layer", "other", "One layer for all (ALBERT)"),
        Method("quantised", "pruning.methods.quantised", "other", "Nothing cut, int8", keeps_all=True),
    )
}
NEVER_SOLVED = ("slimbert", "head-gradient")  # what these leave is nothing before it is trained
STUDY_METHODS = tuple(method.name for method in METHODS.values() if method.chooses_units)


def study_method(config: StudyConfig) -> Method:
    """The method that a study of this configuration is made by.

    Raises:
        ConfigError: there is none of that name, it leaves what no study can hold, or the stages do not go with it.
    """
    name = config.method
    if name not in STUDY_METHODS:
        why = "leaves what a study cannot hold, which a sweep measures" if name in METHODS else "unknown"
        raise ConfigError(f"method {quoted(name)}: {why}; expected one of {', '.join(STUDY_METHODS)}")
    if name != DEFAULT_METHOD and "slim" in config.stages:
        raise ConfigError(f"method {name}: cuts the teacher as it is, expected no slim among the stages")
    if name in NEVER_SOLVED and "recover" not in config.stages:
        raise ConfigError(f"method {name}: solves no matrices, expected recover among the stages")
    return METHODS[name]
