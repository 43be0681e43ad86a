"""The errors SlimViz raises on purpose: one root, one child per kind of cause.

A message says what is wrong, where, and what was expected, in one line. The command line prints it and exits with 2;
the dashboard shows it and goes on with what is intact.
"""


class SlimVizError(Exception):
    """Root of every error that SlimViz raises on purpose."""


class ConfigError(SlimVizError, ValueError):
    """A setting is unknown or out of range."""


class DataError(SlimVizError):
    """Examples cannot be read, or are not what the task needs."""


class BackboneError(SlimVizError):
    """A backbone cannot be loaded, or is not a BERT encoder."""


class SelectionError(SlimVizError):
    """Masks do not fit the network, or a budget cannot be met."""


class TrainingError(SlimVizError):
    """Training cannot start, go on or save its state."""


class MeasureError(SlimVizError):
    """A measurement cannot be taken here."""


class StoreError(SlimVizError):
    """A study folder is missing, incomplete, damaged or in the way."""
