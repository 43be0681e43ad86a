"""A network compiled by `torch.compile` for any batch and length, in float32; needs a C++ compiler."""

from __future__ import annotations

from pruning.errors import MeasureError, one_line
from pruning.measure.latency import using_threads
from pruning.measure.network import Network
from pruning.measure.speed import made_up
from pruning.runtimes.kind import Opened, Runtime
from pruning.runtimes.torch_eager import reads

TRIED = (2, 8)  # texts, tokens; for a single text it is compiled once more, and for one as long as there are positions
MOST_KINDS = 64  # networks, counts of threads, single texts or several: torch gives up at 8 of one class


def _opened(network: Network, threads: int) -> Opened:
    """Compiled at once, so that what fails fails here.

    Raises:
        MeasureError: it cannot be compiled here, whole; torch would go on uncompiled, and be timed as if it were not.
    """
    import torch
    from torch._dynamo import config

    config.recompile_limit = max(config.recompile_limit, MOST_KINDS)
    opened = reads(torch.compile(network.model, dynamic=True, fullgraph=True))
    try:
        with using_threads(threads), torch.inference_mode():
            opened(made_up(network, *TRIED))()
    except Exception as error:  # whatever tracing, code generation or the compiler raises
        inner = getattr(error, "inner_exception", error)  # where torch wraps what a compiler raises
        reason = one_line(str(inner).strip().split("\n")[0] or type(inner).__name__, 200)
        raise MeasureError(f"torch.compile: fails here ({reason}), expected a C++ compiler") from None
    return opened


RUNTIME = Runtime("compiled", "torch.compile", lambda: None, _opened, then="torch.compile(model)")
