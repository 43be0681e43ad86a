"""What a network costs: parameters, densities, floating-point operations, bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pruning.bert.counts import FLOP_LENGTH, count_flops, count_parameters
from pruning.bert.shapes import NetworkShape
from pruning.records import Count, Density, NonNegative, Positive, Record, Share


class Parameters(Record, frozen=True):
    """Stored parameters by component, and their sum."""

    embeddings: Count
    encoder: Count
    pooler: Count
    head: Count
    total: Positive

    @classmethod
    def of(cls, shape: NetworkShape) -> Parameters:
        """What a network of these widths stores."""
        counted = count_parameters(shape)
        return cls(counted.embeddings, counted.encoder, counted.pooler, counted.head, counted.total)


class Flops(Record, frozen=True):
    """Floating-point operations of one text of so many tokens."""

    length: Positive
    total: Count


class Costs(Record, frozen=True, kw_only=True):
    """What a network of given widths costs, counted; names as in a study's results.

    Attributes:
        parameters: stored, padding included.
        total_density: of the teacher's.
        encoder_density: of the teacher's encoder.
        flops: of one text.
        flop_ratio: to the teacher's.
    """

    parameters: Parameters
    total_density: Density
    encoder_density: Share
    flops: Flops
    flop_ratio: NonNegative


def costs(shape: NetworkShape, dense: NetworkShape) -> Costs:
    """What a network costs beside the dense one that it was cut from."""
    counted, whole = Parameters.of(shape), Parameters.of(dense)
    flops = count_flops(shape, FLOP_LENGTH)
    return Costs(
        parameters=counted,
        total_density=counted.total / whole.total,
        encoder_density=counted.encoder / whole.encoder,
        flops=Flops(FLOP_LENGTH, flops),
        flop_ratio=flops / count_flops(dense, FLOP_LENGTH),
    )


def saved_tensors(model: Any) -> dict[str, Any]:
    """Tensors that ``save_pretrained`` saves, by name, shared ones once."""
    seen: dict[Any, tuple[str, Any]] = {}
    for name, tensor in model.state_dict().items():
        # Tensors without elements all live at address 0.
        place = (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else name
        seen.setdefault(place, (name, tensor))
    return dict(seen.values())


def parameters_by_numel(model: Any) -> int:
    """Parameters of what is saved: `numel` of the floating-point tensors, the oracle of `count_parameters`."""
    return sum(tensor.numel() for tensor in saved_tensors(model).values() if tensor.is_floating_point())


def index_buffers(model: Any) -> tuple[int, int]:
    """Index buffers that are saved beside the parameters: how many integers they hold, and their bytes."""
    tensors = [tensor for tensor in saved_tensors(model).values() if not tensor.is_floating_point()]
    return sum(tensor.numel() for tensor in tensors), sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def flops_by_torch(model: Any, batch: int, length: int) -> int:
    """Floating-point operations of one forward pass, as torch counts them: the oracle of `count_flops`.

    Matrix products only. The attention runs under the math kernel, because the counter finds nothing in the fused one
    on a CPU.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    ids = torch.zeros(batch, length, dtype=torch.long, device=next(model.parameters()).device)
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
        model(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids))
    return counter.get_total_flops()


def size_on_disk(folder: Path | str) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
