"""A dense network -> a smaller one: shrink, quantise."""
