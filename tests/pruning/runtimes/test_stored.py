"""A stored profile says what it is of, and what its networks take on disk in each runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pruning.export import Trial, Wanted, write_export
from pruning.measure.network import Network
from pruning.record_files import write_record
from pruning.runtimes import onnx_runtime, stored
from pruning.runtimes.profile import profile
from pruning.runtimes.rows import Profile
from pruning.runtimes.stored import StoredProfile, read_profile, read_profiles, sizes_on_disk
from pruning.variants import FLOAT, INT8, TEACHER, Variant
from tests.pruning.runtimes.conftest import SMALL
from tests.pruning.runtimes.test_profile import QUICK

NOTHING = Profile(rows=(), best=(), alike=(), scores=None, texts="nothing", texts_sha256="0" * 64, missing={})


def kept(found: Profile = NOTHING) -> StoredProfile:
    return StoredProfile(
        study="sst2",
        task="sst2",
        variant=SMALL.name,
        weights={"backbone": "1" * 64},
        command="python -m pruning profile sst2",
        commit=None,
        date="2025-01-02T03:04:05+00:00",
        hardware="made-up processor",
        libraries={"torch": "2.13.0"},
        bfloat16=(),
        sizes=(),
        profile=found,
    )


def test_what_was_found_is_read_back_as_it_was(
    tmp_path: Path, networks: dict[Variant, Network], trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtimes = ("torch", "onnx-int8") if onnx_runtime.IN_INT8.missing() is None else ("torch",)
    found = profile(networks, trial, replace(QUICK, runtimes=runtimes, is_scored=True))
    assert len(found.scores or ()) == 2 * len(runtimes)
    write_record(tmp_path / "b.json", kept(found))
    assert read_profile(tmp_path / "b.json") == kept(found)
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "README.md").write_text("no profile")
    monkeypatch.setattr(stored, "PROFILES", tmp_path)
    profiles, (problem,) = read_profiles()
    assert profiles == (kept(found),)
    assert problem == f"{tmp_path}/a.json: not a stored profile: Object missing required field study"
    assert read_profiles([]) == ((), ())
    monkeypatch.setattr(stored, "PROFILES", tmp_path / "missing")
    assert read_profiles() == ((), ())


def test_bytes_are_those_of_the_exported_files(tmp_path: Path, networks: dict[Variant, Network], trial: Trial) -> None:
    if onnx_runtime.FLOAT32.missing() is not None:
        pytest.skip(str(onnx_runtime.FLOAT32.missing()))
    found = profile(networks, trial, replace(QUICK, runtimes=("torch", "onnx", "onnx-int8")))
    sizes = sizes_on_disk(networks, found, {TEACHER: 1234, SMALL: None})
    by_name = {(size.network, size.runtime): size.bytes for size in sizes}
    assert len(by_name) == len(sizes) == 6
    assert (by_name["teacher", "torch"], by_name[SMALL.name, "torch"]) == (1234, None)
    for variant, network in networks.items():
        for runtime, precision in (("onnx", FLOAT), ("onnx-int8", INT8)):
            folder = tmp_path / f"{variant}-{runtime}"
            write_export(network.model, network.tokenizer, folder, wanted=Wanted("onnx", precision, trial))
            expected = sum((folder / name).stat().st_size for name in ("model.onnx", "tokenizer.json"))
            assert by_name[variant.name, runtime] == expected
        assert by_name[variant.name, "onnx-int8"] < by_name[variant.name, "onnx"]


def test_runtimes_without_a_form_of_their_own_read_torch_s_files() -> None:
    assert {name for name, runtime in stored.RUNTIMES.items() if runtime.size is None} == {
        "torch", "compiled", "bfloat16"
    }  # fmt: skip
    assert {name for name, runtime in stored.RUNTIMES.items() if runtime.then is not None} == {"compiled", "bfloat16"}
