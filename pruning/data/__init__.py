"""Tasks, examples and where they come from, columns to checked labels, examples to batches of token ids."""
