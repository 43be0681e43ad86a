"""What is no BERT that can be pruned gets one line with what can; what is one gets none."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import BertConfig
from transformers.activations import ACT2FN

from pruning.bert import support
from pruning.bert.support import biases_left_out, unsupported, unsupported_classifier

BERT = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}
NO_BERT = "expected a BERT encoder (model_type 'bert')"
REFUSED: list[tuple[dict[str, Any], str]] = [
    *(
        ({"model_type": kind}, f"of type {kind!r}, {NO_BERT}")
        for kind in ("roberta", "distilbert", "deberta-v2", "albert", "electra", "modernbert", "xlm-roberta", None, 3)
    ),
    ({"is_decoder": True}, f"of type 'bert decoder', {NO_BERT}"),
    ({"add_cross_attention": True}, f"with cross-attention, {NO_BERT}"),
    ({"position_embedding_type": "relative_key_query"}, "positions of type 'relative_key_query', expected 'absolute'"),
    ({"hidden_act": "prelu"}, "activation 'prelu', expected one of gelu, "),
    ({"hidden_act": ["gelu"]}, "activation ['gelu'], expected one of gelu, "),
    ({"hidden_act": "no such thing"}, "activation 'no such thing', expected one of gelu, "),
    ({"hidden_size": 30, "num_attention_heads": 4}, "4 heads in a hidden size of 30, expected a multiple of the heads"),
    ({"pruned_heads": {"0": [1]}}, "heads were removed from some layers (pruned_heads), expected as many in every "),
    ({"quantization_config": {"quant_method": "gptq"}}, "quantised weights (quantization_config), expected plain ones"),
]
NO_CLASSIFIER = "expected a classifier of texts (BertForSequenceClassification)"
NO_CLASSIFIERS: list[tuple[dict[str, Any], str]] = [
    ({"architectures": ["BertForTokenClassification"]}, "a network that labels tokens ('BertForTokenClassification')"),
    ({"architectures": ["BertForQuestionAnswering"]}, "a network that marks answers in a text ("),
    ({"architectures": ["BertForMultipleChoice"]}, "a network that chooses between texts ("),
    ({"architectures": ["BertForMaskedLM"]}, "a network that fills in words ('BertForMaskedLM')"),
    ({"architectures": ["BertModel"]}, "an encoder without a classifier ('BertModel')"),
    ({"architectures": ["Their\nOwn"]}, "another network ("),
    ({"architectures": [{}]}, "another network ({})"),
    ({"architectures": "BertModel"}, "an encoder without a classifier ("),
]


@pytest.mark.parametrize(("settings", "said"), REFUSED)
def test_encoders(settings: dict[str, Any], said: str) -> None:
    for check in (unsupported, unsupported_classifier):
        found = check(BERT | settings)
        assert found is not None
        assert found.startswith(said)
        assert "\n" not in found


@pytest.mark.parametrize(("settings", "said"), NO_CLASSIFIERS)
def test_networks_that_classify_no_texts(settings: dict[str, Any], said: str) -> None:
    assert unsupported(BERT | settings) is None  # its encoder can be fine-tuned
    found = unsupported_classifier(BERT | settings)
    assert found is not None
    assert found.startswith(said)
    assert found.endswith(NO_CLASSIFIER)
    assert "\n" not in found


def test_several_labels_at_once() -> None:
    found = unsupported_classifier(BERT | {"problem_type": "multi_label_classification"})
    assert found is not None
    assert found.endswith("expected one label or one score")


@pytest.mark.parametrize(
    "config",
    [
        BERT,
        {"model_type": "bert"},
        BERT | {"position_embedding_type": None, "hidden_act": "silu", "type_vocab_size": 1},
        BERT | {"hidden_size": 30, "num_attention_heads": 3, "problem_type": "regression"},
        BertConfig(architectures=["BertForSequenceClassification"]).to_dict(),
    ],
)
def test_what_is_supported(config: dict[str, Any]) -> None:
    assert unsupported(config) is None
    assert unsupported_classifier(config) is None


def test_activations_are_those_without_weights_of_their_own() -> None:
    assert set(support.ACTIVATIONS) <= set(ACT2FN)
    assert not any(list(ACT2FN[name].parameters()) for name in support.ACTIVATIONS)
    others = set(ACT2FN) - set(support.ACTIVATIONS) - {"xielu"}  # which says on standard error that it is slow
    assert all(list(ACT2FN[name].parameters()) for name in others)


def test_biases_that_no_layer_has() -> None:
    query = {f"bert.encoder.layer.{layer}.attention.self.query.bias" for layer in range(12)}
    others = {"bert.embeddings.LayerNorm.bias", "bert.encoder.layer.0.output.LayerNorm.bias", "classifier.bias"}
    assert biases_left_out({*query, "bert.pooler.dense.bias", *others}, 12) == {*query, "bert.pooler.dense.bias"}
    assert biases_left_out(sorted(query)[1:], 12) == set()  # damage
    assert biases_left_out([], 12) == set()
