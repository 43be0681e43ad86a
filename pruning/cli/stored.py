"""The study that a user names, and its networks as far as they are here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pruning.cli.printing import say
from pruning.errors import ConfigError, DataError, MeasureError, MissingError, quoted
from pruning.measure.network import Network
from pruning.variants import TEACHER, Variant


def study_folder(name: str) -> Path | None:
    """The folder that a user means by a path or by a study's name; None where there is none."""
    from pruning.study.read import study_folders

    named = [Path(name)] if "/" in name else [Path(name), *(folder / name for folder in study_folders())]
    return next((folder for folder in named if _is_folder(folder)), None)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long to be one
        return False


def find_study(name: str) -> Any:
    """A study by its folder or its name.

    Raises:
        DataError: there is none.
        StoreError: it cannot be read.
    """
    from pruning.study.read import read_study

    folder = study_folder(name)
    if folder is None:
        raise DataError(f"study {quoted(name, 200)}: no such folder and no study of that name, expected one of `list`")
    return read_study(folder)


def load_networks(
    study: Any, named: Sequence[str] | None, device: str, teacher: str | None = None
) -> dict[Variant, Network]:
    """The networks that are named, or all whose weights are stored.

    Where none is named, one that cannot be had here (the teacher's backbone may be on another machine) is left out with
    a line on standard error; a damaged one never is.

    Args:
        study: that stores them.
        named: variants' names; None for all.
        device: where they shall compute.
        teacher: folder of a teacher that the study only names; None to look where it may be.

    Raises:
        MeasureError: a variant has no weights stored.
        SlimVizError: weights are damaged, or nothing can be loaded.
    """
    from pruning.study.networks import load_network, names_teacher, stored_variants

    if teacher is not None and not names_teacher(study):
        raise ConfigError(f"study {study.name}: holds its teacher itself, expected no --teacher")
    at = None if teacher is None else Path(teacher)
    known = {variant.name: variant for variant in stored_variants(study)}
    if named is not None:
        for name in named:
            if name not in known:
                expected = ", ".join(known) or "(none is)"
                raise MeasureError(
                    f"study {study.name}: no weights of {quoted(name)} are stored, expected one of {expected}"
                )
        chosen = dict.fromkeys(named)
        return {known[name]: load_network(study, known[name], device=device, teacher=at) for name in chosen}
    networks: dict[Variant, Network] = {}
    missing = [] if TEACHER.name in known else [f"study {study.name}: its weights are missing"]
    for variant in known.values():
        try:
            networks[variant] = load_network(study, variant, device=device, teacher=at)
        except MissingError as error:
            if at is not None:
                raise
            missing.append(f"{error}; --teacher says where it is now" if names_teacher(study) else str(error))
    if not networks:
        raise MeasureError(f"study {study.name}: no network is here: {'; '.join(missing)}")
    for reason in missing:
        say(f"without the teacher: {reason}")
    return networks
