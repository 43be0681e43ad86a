"""SlimViz's backend: prune BERT for a task by neural slimming. Importing it loads neither torch nor transformers."""

__version__ = "0.1.0"
