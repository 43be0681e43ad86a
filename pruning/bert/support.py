"""What of a ``config.json`` SlimViz cannot prune, each in one line that says why and what is expected.

Nothing is loaded or guessed: transformers itself ignores some settings that it once knew (relative positions, heads
removed), and would load another network than the one that was trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pruning.errors import quoted

CLASSIFIER = "BertForSequenceClassification"
# All of transformers' activations but those with weights of their own, which a slim network has no place for.
ACTIVATIONS = (
    *("gelu", "gelu_10", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "gelu_python_tanh"),
    *("gelu_accurate", "hardswish", "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6"),
    *("sigmoid", "silu", "sqrtsoftplus", "swish", "tanh"),
)
OTHER_HEADS = {
    "BertModel": "an encoder without a classifier",
    "BertForTokenClassification": "a network that labels tokens",
    "BertForQuestionAnswering": "a network that marks answers in a text",
    "BertForMultipleChoice": "a network that chooses between texts",
    "BertForMaskedLM": "a network that fills in words",
    "BertForPreTraining": "a network that fills in words",
    "BertForNextSentencePrediction": "a network that says which sentence is next",
    "BertLMHeadModel": "a network that goes on with a text",
}
LINEAR_BIAS = re.compile(
    r"(bert\.pooler\.dense|bert\.encoder\.layer\.(?P<layer>[0-9]+)\."
    r"(attention\.self\.(query|key|value)|attention\.output\.dense|intermediate\.dense|output\.dense))\.bias"
)


def unsupported(config: Mapping[str, Any]) -> str | None:
    """Why an encoder cannot be pruned, and what can; None where it can.

    Args:
        config: a parsed ``config.json``; what it leaves out has transformers' default.
    """
    kind, default = config.get("model_type"), {"hidden_act": "gelu", "position_embedding_type": "absolute"}
    settings = default | {name: value for name, value in config.items() if value is not None}
    if kind != "bert" or settings.get("is_decoder"):
        kind = kind if kind != "bert" else "bert decoder"
        return f"of type {quoted(kind)}, expected a BERT encoder (model_type 'bert')"
    if settings.get("add_cross_attention"):
        return "with cross-attention, expected a BERT encoder (model_type 'bert')"
    if settings["position_embedding_type"] != "absolute":
        return f"positions of type {quoted(settings['position_embedding_type'])}, expected 'absolute'"
    if settings["hidden_act"] not in ACTIVATIONS:
        return f"activation {quoted(settings['hidden_act'])}, expected one of {', '.join(ACTIVATIONS)}"
    hidden, heads = settings.get("hidden_size", 768), settings.get("num_attention_heads", 12)
    if isinstance(hidden, int) and isinstance(heads, int) and heads > 0 and hidden % heads:
        return f"{heads} heads in a hidden size of {hidden}, expected a multiple of the heads"
    if settings.get("pruned_heads"):
        return "heads were removed from some layers (pruned_heads), expected as many in every layer"
    if settings.get("quantization_config"):
        return "quantised weights (quantization_config), expected plain ones"
    return None


def unsupported_classifier(config: Mapping[str, Any]) -> str | None:
    """Why a fine-tuned classifier cannot be pruned, and what can; None where it can, as far as its config.json tells.

    Args:
        config: see `unsupported`.
    """
    reason = unsupported(config)
    if reason is not None:
        return reason
    named = config.get("architectures") or [CLASSIFIER]
    if not isinstance(named, list) or CLASSIFIER not in named:
        found = named[0] if isinstance(named, list) else named
        what = OTHER_HEADS.get(found, "another network") if isinstance(found, str) else "another network"
        return f"{what} ({quoted(found)}), expected a classifier of texts ({CLASSIFIER})"
    if config.get("problem_type") == "multi_label_classification":
        return "gives a text several labels (problem_type multi_label_classification), expected one label or one score"
    return None


def biases_left_out(missing: Iterable[str], layers: int) -> set[str]:
    """Which of a checkpoint's missing weights are biases of matrices that never had one, so that zeros stand for them.

    Args:
        missing: names that the checkpoint lacks.
        layers: of the network. A matrix that lacks its bias in some of them only is damaged.
    """
    by_kind: dict[str, set[str]] = {}
    for name in missing:
        match = LINEAR_BIAS.fullmatch(name)
        if match is not None:
            by_kind.setdefault(re.sub(r"\.[0-9]+\.", ".*.", name), set()).add(name)
    whole = [names for kind, names in by_kind.items() if len(names) == (layers if ".*." in kind else 1)]
    return set().union(*whole)
