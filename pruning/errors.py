"""The errors SlimViz raises on purpose: one root, one child per kind of cause.

A message says what is wrong, where, and what was expected, in one line. The command line prints it and exits with 2;
the dashboard shows it and goes on with what is intact.
"""

LONGEST_MESSAGE = 1000


def one_line(text: object, limit: int = 300) -> str:
    """Text from outside made fit for a message: one line, no control characters, at most `limit` characters.

    What is too long loses its middle: a message ends with what was expected.
    """
    text = str(text)
    if len(text) > 8 * limit:  # nobody reads all of it, so neither does this
        text = f"{text[: 4 * limit]}...{text[-4 * limit :]}"
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= limit:
        return line
    end = (limit - 3) // 3
    return f"{line[: limit - 3 - end]}...{line[len(line) - end :]}"


def quoted(value: object, limit: int = 40) -> str:
    """A value from outside as messages repeat it: text in quotes, at most `limit` characters."""
    try:
        return one_line(repr(value), limit)
    except (ValueError, RecursionError):  # a number of thousands of digits, or lists in lists without end
        return f"a value of the kind {type(value).__name__}"


class SlimVizError(Exception):
    """Root of every error that SlimViz raises on purpose; its message is one printable line of bounded length."""

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message, LONGEST_MESSAGE))


class ConfigError(SlimVizError, ValueError):
    """A setting is unknown or out of range."""


class DataError(SlimVizError):
    """Examples cannot be read, or are not what the task needs."""


class BackboneError(SlimVizError):
    """A backbone cannot be loaded, or is not a BERT encoder."""


class MissingError(BackboneError):
    """A backbone is not on this machine; nothing that is here is damaged."""


class SelectionError(SlimVizError):
    """Masks do not fit the network, or a budget cannot be met."""


class TrainingError(SlimVizError):
    """Training cannot start, go on or save its state."""


class MeasureError(SlimVizError):
    """A measurement cannot be taken here."""


class StoreError(SlimVizError):
    """A study folder is missing, incomplete, damaged or in the way."""


class Stopped(MeasureError):
    """A measurement was asked to stop before it was done."""
