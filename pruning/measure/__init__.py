"""Metrics and intervals, logits, cost, latency, memory."""
