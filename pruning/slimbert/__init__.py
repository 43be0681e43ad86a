"""The shrunk BERT as a `transformers` architecture; importing this package registers it with the Auto classes.

import pruning.slimbert
from transformers import pipeline
classify = pipeline("text-classification", "assets/studies/sst2/slim-10")
"""

from pruning.slimbert.build import dense_from_bert, from_bert, from_weights
from pruning.slimbert.config import SlimBertConfig, shape_of
from pruning.slimbert.linears import encoder_linears
from pruning.slimbert.network import SlimBertForSequenceClassification, SlimBertModel
from pruning.slimbert.saving import parameter_count, round_to_half, save_slim

__all__ = [
    "SlimBertConfig",
    "SlimBertForSequenceClassification",
    "SlimBertModel",
    "dense_from_bert",
    "encoder_linears",
    "from_bert",
    "from_weights",
    "parameter_count",
    "round_to_half",
    "save_slim",
    "shape_of",
]
