"""BERT: shapes and counts, named weights, the only HF attribute paths, slim layers, backbones, vocabulary."""
