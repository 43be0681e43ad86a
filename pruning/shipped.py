"""Where what ships lies (studies, probe sets, profiles, rivals' numbers): beside the code in a checkout, or in it."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
INSTALLED = PACKAGE / "assets"  # where a wheel puts them; a checkout has no such folder


def is_installed(package: Path = PACKAGE) -> bool:
    """Whether this is an installed copy; otherwise it runs from a checkout."""
    return (package / "assets").is_dir()


def shipped(kind: str, package: Path = PACKAGE) -> Path:
    """Folder of what ships of a kind ("studies", "probe", "profiles" or "rivals"), which may be missing.

    The folder inside the package comes first: beside an installed package lie others, and one of them may be called
    "assets", too.
    """
    parent = package if is_installed(package) else package.parent
    return parent / "assets" / kind
