"""A tiny teacher, a tiny network half as deep, and texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pruning import slimbert
from pruning.data.examples import Examples
from pruning.data.tasks import get_task
from pruning.export import Trial
from pruning.measure.network import Network
from pruning.variants import TEACHER, Variant

SMALL = Variant("slim", "10")


@pytest.fixture
def networks(make_bert: Callable[..., Any], tiny_tokenizer: Any) -> dict[Variant, Network]:
    small = slimbert.dense_from_bert(make_bert(seed=4, num_hidden_layers=1))
    return {
        TEACHER: Network(make_bert(seed=3), tiny_tokenizer, 32),
        SMALL: Network(small, tiny_tokenizer, 32),
    }


@pytest.fixture
def trial(tiny_examples: Examples) -> Trial:
    return Trial(get_task("sst2"), tiny_examples)
