"""A profile as a file: what was found, of exactly which weights, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pruning.measure.network import Network
from pruning.record_files import read_record, read_records
from pruning.records import Count, Record, Sha256, Text, Typed
from pruning.runtimes.registry import RUNTIMES
from pruning.runtimes.rows import Profile
from pruning.shipped import shipped
from pruning.variants import Variant

SCHEMA = 1
WHAT = "a stored profile"  # in messages
PROFILES = shipped("profiles")


class Size(Record, frozen=True, kw_only=True):
    """What a network takes on disk.

    Attributes:
        network: the variant's name.
        runtime: that reads it.
        bytes: of weights and tokenizer in the form that the runtime reads; None where the study does not tell.
    """

    network: Text
    runtime: Text
    bytes: Count | None


class StoredProfile(Record, frozen=True, kw_only=True):
    """A profile with its origin.

    Attributes:
        schema: version of this layout.
        study: its name.
        task: its task's.
        variant: the small network's name.
        weights: of teacher and small network, as `Study.weights_sha256` has them: the profile is of no others.
        command: what was typed.
        commit: of the code; "+" at its end where files were changed since; None outside a checkout.
        date: ISO 8601, UTC.
        hardware: one line.
        libraries: name -> version.
        bfloat16: the processor's instructions for it, as torch finds them.
        sizes: by network and runtime.
        profile: what was found; its rows say with how many threads.
    """

    schema: Literal[1] = SCHEMA
    study: Text
    task: Text
    variant: Text
    weights: dict[Text, Sha256]
    command: Typed
    commit: Text | None
    date: Text
    hardware: Text
    libraries: dict[Text, Text]
    bfloat16: tuple[Text, ...]
    sizes: tuple[Size, ...]
    profile: Profile


def sizes_on_disk(
    networks: Mapping[Variant, Network], found: Profile, in_torch: Mapping[Variant, int | None]
) -> tuple[Size, ...]:
    """What each network takes on disk in each runtime that it was timed in.

    Args:
        networks: that were timed.
        found: when they were.
        in_torch: bytes of their files in the study, which runtimes without a form of their own read as well.
    """
    timed = dict.fromkeys((row.network, row.runtime) for row in found.rows)
    by_name = {variant.name: variant for variant in networks}
    sizes = []
    for name, runtime in timed:
        variant, size = by_name[name], RUNTIMES[runtime].size
        taken = in_torch[variant] if size is None else size(networks[variant])
        sizes.append(Size(network=name, runtime=runtime, bytes=taken))
    return tuple(sizes)


def read_profile(path: Path) -> StoredProfile:
    """A stored profile, every value checked; StoreError, one line, where it is none."""
    return read_record(path, StoredProfile, WHAT)


def read_profiles(paths: Iterable[Path] | None = None) -> tuple[tuple[StoredProfile, ...], tuple[str, ...]]:
    """Profiles of these files, by default of those that ship, and a line for each that cannot be read."""
    found = sorted(PROFILES.glob("*.json")) if paths is None else paths
    return read_records(found, StoredProfile, WHAT)
