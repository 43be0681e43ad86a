"""Networks written for others to load, one module a format; a new one is a file and a line here.

A format's module has what `ExportFormat` names. Formats can be listed without torch.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from pruning.errors import ConfigError
from pruning.export.destination import check_destination, put_whole
from pruning.export.parity import Parity, Trial, trial_of
from pruning.export.wanted import DEFAULT, Wanted

FORMATS = {
    DEFAULT: "pruning.export.hub_folder",
    "onnx": "pruning.export.onnx_folder",
}


class ExportFormat(Protocol):
    """What a format's module has.

    Attributes:
        SUMMARY: what can be done with the folder, for ``--help``.
        PRECISIONS: what a network may compute in.
        NEEDS: packages that writing needs beside SlimViz's own.
        REQUIREMENTS: the file that names them.
        TRIES: whether what is written is tried at once, on texts that have to be given.
    """

    SUMMARY: str
    PRECISIONS: tuple[str, ...]
    NEEDS: tuple[str, ...]
    REQUIREMENTS: str
    TRIES: bool

    def write(self, network: Any, tokenizer: Any, folder: Path, wanted: Wanted) -> None:
        """Write everything but the card into an empty folder.

        Raises:
            SlimVizError: the format has no place for such a network or tokenizer.
        """
        ...

    def tried(self, folder: Path) -> Parity | None:
        """How a folder that was written answered beside the network itself; None where formats try nothing."""
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


def check_wanted(wanted: Wanted) -> ExportFormat:
    """The format that is wanted.

    Raises:
        ConfigError: there is none of that name, or not in that precision, or packages are missing that it needs.
    """
    chosen = format_of(wanted.export_format)
    if wanted.precision not in chosen.PRECISIONS:
        raise ConfigError(f"format {wanted.export_format}: writes no {wanted.precision}, expected --format onnx")
    for package in chosen.NEEDS:
        try:
            import_module(package)
        except ImportError:
            raise ConfigError(
                f"format {wanted.export_format}: {package} is missing, expected pip install -r {chosen.REQUIREMENTS}"
            ) from None
    return chosen


def write_export(
    network: Any,
    tokenizer: Any,
    folder: Path | str,
    *,
    card: str | None = None,
    is_pair: bool = False,
    wanted: Wanted | None = None,
) -> Path:
    """Write a network and its tokenizer for others to load, whole or not at all.

    Args:
        network: a `SlimBertForSequenceClassification`, or a plain `BertForSequenceClassification`.
        tokenizer: its own; fast, WordPiece.
        folder: not there yet, or empty.
        card: the folder's ``README.md``; by default one that says what can be seen of the network.
        is_pair: whether it reads pairs of texts; only a card made here says so.
        wanted: format and precision; formats that try what they write need texts for it.

    Returns:
        The folder, absolute.

    Raises:
        ConfigError: as `check_wanted`, or the folder holds something.
        SlimVizError: the format has no place for such a network or tokenizer, or what was written answers otherwise.
    """
    wanted = wanted or Wanted()
    chosen, folder = check_wanted(wanted), check_destination(folder)
    if card is None:
        card = chosen.card(network, chosen.loading(network, folder.name, is_pair=is_pair))
    with put_whole(folder) as aside:
        chosen.write(network, tokenizer, aside, wanted)
        parity = chosen.tried(aside)
        account = "" if parity is None else f"\nThis folder was {parity}.\n"
        (aside / "README.md").write_text(card + account, encoding="utf-8")
        for file in aside.iterdir():  # weights are written for their owner alone
            file.chmod((aside / "README.md").stat().st_mode)
    return folder


__all__ = [
    "DEFAULT",
    "FORMATS",
    "ExportFormat",
    "Parity",
    "Trial",
    "Wanted",
    "check_destination",
    "check_wanted",
    "format_of",
    "trial_of",
    "write_export",
]
