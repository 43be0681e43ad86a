"""The linear layers of a slim network's encoder, by name."""

from __future__ import annotations

from torch import nn

from pruning.slimbert.network import SlimBertForSequenceClassification


def encoder_linears(network: SlimBertForSequenceClassification) -> dict[str, nn.Linear]:
    """All linear layers of the encoder by their names in the network; what layers share once."""
    modules = network.slimbert.layers.named_modules(prefix="slimbert.layers")
    return {name: module for name, module in modules if isinstance(module, nn.Linear)}
