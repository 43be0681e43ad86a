"""Networks written for others to load, one module a format; a new one is a file and a line here.

A format's module has what `ExportFormat` names. Formats can be listed without torch.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from pruning.errors import ConfigError
from pruning.export.destination import check_destination, put_whole

DEFAULT = "transformers"
FORMATS = {
    DEFAULT: "pruning.export.hub_folder",
}


class ExportFormat(Protocol):
    """What a format's module has.

    Attributes:
        SUMMARY: what can be done with the folder, for ``--help``.
    """

    SUMMARY: str

    def write(self, network: Any, tokenizer: Any, folder: Path) -> None:
        """Write everything but the card into an empty folder.

        Raises:
            SlimVizError: the format has no place for such a network or tokenizer.
        """
        ...

    def loading(self, network: Any, name: str, *, is_pair: bool) -> str:
        """Markdown that says how a folder of that name is loaded."""
        ...

    def card(self, network: Any, loading: str) -> str:
        """Markdown for a network of which nothing is known but itself."""
        ...


def format_of(name: str) -> ExportFormat:
    """A format by name.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in FORMATS:
        raise ConfigError(f"format {name!r:.40}: expected one of {', '.join(FORMATS)}")
    return cast(ExportFormat, import_module(FORMATS[name]))


def write_export(
    network: Any,
    tokenizer: Any,
    folder: Path | str,
    *,
    card: str | None = None,
    is_pair: bool = False,
    export_format: str = DEFAULT,
) -> Path:
    """Write a network and its tokenizer for others to load, whole or not at all.

    Args:
        network: a `SlimBertForSequenceClassification`, or a plain `BertForSequenceClassification`.
        tokenizer: its own; fast, WordPiece.
        folder: not there yet, or empty.
        card: the folder's ``README.md``; by default one that says what can be seen of the network.
        is_pair: whether it reads pairs of texts; only a card made here says so.
        export_format: one of `FORMATS`.

    Returns:
        The folder, absolute.

    Raises:
        ConfigError: there is no such format, or the folder holds something.
        SlimVizError: the format has no place for such a network or tokenizer.
    """
    chosen, folder = format_of(export_format), check_destination(folder)
    if card is None:
        card = chosen.card(network, chosen.loading(network, folder.name, is_pair=is_pair))
    with put_whole(folder) as aside:
        chosen.write(network, tokenizer, aside)
        (aside / "README.md").write_text(card, encoding="utf-8")
        for file in aside.iterdir():  # weights are written for their owner alone
            file.chmod((aside / "README.md").stat().st_mode)
    return folder


__all__ = ["DEFAULT", "FORMATS", "ExportFormat", "check_destination", "format_of", "write_export"]
