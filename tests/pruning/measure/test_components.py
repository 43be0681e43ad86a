from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from pruning import slimbert
from pruning.bert.counts import Component
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import Masks, Site
from pruning.compress.shrink import shrink
from pruning.measure.components import TIMED, TimedComponents, word_embedder
from pruning.measure.network import Network

PAUSE = 0.02  # seconds, twenty times what a whole tiny network takes


def slim_of(bert: Any, **masks: bool) -> Any:
    shape = bert_shape(bert)
    kept = Masks.full(shape)
    for site, value in masks.items():
        kept = kept.with_site(Site(site), Masks.full(shape, value)[Site(site)])
    weights = shrink(read_weights(bert), shape, kept, rank=3)
    kind = {"id2label": {0: "no", 1: "yes"}, "problem_type": "single_label_classification"}
    return slimbert.from_weights(weights, **kind, original=shape).eval()  # type: ignore[arg-type]


def slow_down(module: Any, name: str = "forward") -> None:
    call = getattr(module, name)

    def slow(*arguments: Any, **named: Any) -> Any:
        time.sleep(PAUSE)
        return call(*arguments, **named)

    setattr(module, name, slow)


PLACES: dict[Component, tuple[Callable[[Any], tuple[Any, ...]], Callable[[Any], tuple[Any, ...]]]] = {
    Component.WORDS: (lambda m: (m.bert.embeddings.word_embeddings,), lambda m: (m.slimbert.embeddings.projection,)),
    Component.POSITIONS: (lambda m: (m.bert.embeddings.LayerNorm,), lambda m: (m.slimbert.embeddings.norm,)),
    Component.ATTENTION_LINEAR: (
        lambda m: (m.bert.encoder.layer[1].attention.self.key,),
        lambda m: (m.slimbert.layers[1].attention.projection,),
    ),
    Component.ATTENTION: (
        lambda m: (m.bert.encoder.layer[0].attention.self,),
        lambda m: (m.slimbert.layers[0].attention, "context"),
    ),
    Component.FFN: (lambda m: (m.bert.encoder.layer[0].output.dense,), lambda m: (m.slimbert.layers[0].ffn.inner,)),
    Component.POOLER: (lambda m: (m.bert.pooler,), lambda m: (m.slimbert.pooler,)),
    Component.HEAD: (lambda m: (m.classifier,), lambda m: (m.classifier,)),
}


@pytest.mark.parametrize("part", TIMED)
@pytest.mark.parametrize("kind", ["teacher", "slim"])
def test_what_is_slow_is_found_in_its_component(tiny_bert: Any, kind: str, part: Component) -> None:
    model = tiny_bert if kind == "teacher" else slim_of(tiny_bert)
    inputs = {"input_ids": torch.ones(2, 5, dtype=torch.long), "attention_mask": torch.ones(2, 5, dtype=torch.long)}
    slow_down(*PLACES[part][kind == "slim"](model))
    timed = TimedComponents(Network(model, None, 16))
    taken, whole = min((timed.seconds(inputs) for _ in range(3)), key=lambda pair: pair[1])
    assert set(taken) == set(TIMED)
    assert taken[part] >= PAUSE
    assert sum(taken.values()) <= whole
    assert taken[part] > sum(taken.values()) / 2


@pytest.mark.parametrize("kind", ["teacher", "slim", "no heads"])
def test_a_private_copy_answers_alike_and_leaves_the_shared_network_alone(tiny_bert: Any, kind: str) -> None:
    masks = {"attention_context": False} if kind == "no heads" else {}
    model = tiny_bert if kind == "teacher" else slim_of(tiny_bert, **masks)
    inputs = {"input_ids": torch.arange(10).view(2, 5), "attention_mask": torch.ones(2, 5, dtype=torch.long)}
    before = {id(module): set(vars(module)) for module in model.modules()}
    timed = TimedComponents(Network(model, None, 16))
    taken, _ = timed.seconds(inputs)
    assert {id(module): set(vars(module)) for module in model.modules()} == before
    assert all(
        mine is theirs for mine, theirs in zip(model.parameters(), timed.network.model.parameters(), strict=True)
    )
    assert not {id(module) for module in model.modules()} & {id(module) for module in timed.network.model.modules()}
    with torch.inference_mode():
        assert torch.equal(model(**inputs).logits, timed.network.model(**inputs).logits)
    assert (taken[Component.ATTENTION] == 0) == (kind == "no heads")


def test_word_embeddings_may_be_given_in_place_of_ids(tiny_bert: Any) -> None:
    ids = torch.tensor([[2, 7, 9, 3]])
    for model in (tiny_bert, slim_of(tiny_bert)):
        embeddings = word_embedder(model)(ids)
        assert embeddings.shape[:2] == ids.shape
        with torch.no_grad():
            assert torch.equal(model(inputs_embeds=embeddings).logits, model(input_ids=ids).logits)
