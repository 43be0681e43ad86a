"""Criteria that say how much a unit matters, and the type of what they find."""
