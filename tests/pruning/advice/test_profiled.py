"""Options that come from stored profiles: of these weights, these rows, and no other ones."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pruning.advice import Limits, Option, options_of, rank
from pruning.data.tasks import get_task
from pruning.runtimes.stored import StoredProfile
from pruning.study import Study, read_study
from tests.factories.profiles import FOUND, made_profile
from tests.factories.study_document import edit
from tests.factories.synthetic_study import bert_shape, write_study

SHAPE = bert_shape(get_task("sst2"), layers=2, heads=2, head_size=16, ffn=64)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return read_study(write_study(tmp_path_factory.mktemp("studies"), "sst2", shape=SHAPE, budgets=("50", "10")))


def found(study: Study, *profiles: StoredProfile) -> dict[tuple[str, str], Option]:
    options = options_of(study, "sst2", "pruning", profiles)
    by_name = {(option.variant.name, option.runtime): option for option in options}
    assert len(by_name) == len(options)  # one option a network and runtime
    return by_name


IN_TORCH = [("teacher", "torch"), ("slim-50", "torch"), ("slim-10", "torch")]


def test_every_runtime_that_was_scored_is_an_option(study: Study) -> None:
    without, options = found(study), found(study, made_profile(study))
    assert list(without) == IN_TORCH
    assert set(options) - set(IN_TORCH) == {
        ("teacher", "onnx-int8"),
        ("slim-10", "bfloat16"),
        ("slim-10", "onnx"),
        ("slim-10", "onnx-int8"),
    }
    int8, rows = options["slim-10", "onnx-int8"], study.document.provenance.data.validation.rows
    assert (int8.score, int8.correct, int8.count) == (0.88, round(0.88 * rows), rows)
    assert int8.lost == pytest.approx(2.0)
    assert int8.interval is not None
    assert int8.interval.low == pytest.approx(-0.03)
    assert (int8.size_bytes, int8.memory_bytes) == (3_000_000, None)
    assert int8.floor == options["slim-10", "torch"].floor
    timed = int8.time(1, 32)
    assert timed is not None
    assert (timed.median_ms, timed.machine) == (0.8, "profiled processor, 2 threads")
    assert int8.command == "pruning export sst2 --variant slim-10 --format onnx --int8 --to sst2-slim-10-onnx-int8"
    bfloat16 = options["slim-10", "bfloat16"]
    assert (bfloat16.command, bfloat16.then) == (without["slim-10", "torch"].command, "model.to(torch.bfloat16)")
    assert not options["teacher", "onnx-int8"].is_reference
    assert options["teacher", "torch"].is_reference


def test_scores_in_torch_are_the_study_s_and_milliseconds_the_profile_s_where_it_has_them(study: Study) -> None:
    without, options = found(study), found(study, made_profile(study))
    for key in IN_TORCH:
        assert options[key].replace(times=()) == without[key].replace(times=())
    slim, before = options["slim-10", "torch"], without["slim-10", "torch"]
    assert [time.median_ms for time in slim.times if (time.batch, time.length) == (1, 32)] == [2.0]
    assert slim.time(32, 32) == before.time(32, 32)
    assert len(slim.times) == len(before.times)
    assert options["slim-50", "torch"] == without["slim-50", "torch"]


def test_other_weights_are_never_meant(study: Study, tmp_path: Path) -> None:
    profile = made_profile(study)
    other = read_study(write_study(tmp_path, "sst2", name="other", shape=SHAPE, budgets=("50", "10")))
    assert len(found(other, profile)) == 7  # a copy under another name has the same weights

    def again(document: dict, name: str) -> None:
        document["files"][name]["sha256"] = "a" * 64

    for name in ("slim-10/model.safetensors", "teacher/adapter_model.safetensors"):
        assert name in profile.weights
        folder = write_study(tmp_path / name.split("/")[0], "sst2", shape=SHAPE, budgets=("50", "10"))
        edit(folder, lambda document, name=name: again(document, name))
        assert list(found(read_study(folder), profile)) == IN_TORCH
        assert found(read_study(folder), profile) == found(read_study(folder))
    folder = write_study(tmp_path / "backbone", "sst2", shape=SHAPE, budgets=("50", "10"))
    edit(folder, lambda document: document["backbone"].update(sha256="b" * 64))
    assert list(found(read_study(folder), profile)) == IN_TORCH
    assert list(found(study, profile.replace(weights={}))) == IN_TORCH
    assert list(found(study, profile.replace(variant="slim-50"))) == IN_TORCH


def test_what_was_not_scored_on_the_study_s_rows_is_timed_in_torch_alone(study: Study) -> None:
    profile = made_profile(study)
    others = profile.profile.replace(texts_sha256="c" * 64)
    for one in (made_profile(study, is_scored=False), profile.replace(profile=others)):
        options = found(study, one)
        assert list(options) == IN_TORCH
        timed = options["slim-10", "torch"].time(1, 32)
        assert timed is not None
        assert timed.median_ms == 2.0


def test_int8_fits_where_torch_does_not(study: Study) -> None:
    options = options_of(study, "sst2", "pruning", [made_profile(study)])
    limits = Limits(ms=1, mb=10)
    (ranked,) = rank(options_of(study, "sst2", "pruning"), limits, "pruning")
    assert ranked.fitting == ()
    (ranked,) = rank(options, limits, "pruning")
    assert [(one.variant.name, one.runtime) for one in ranked.fitting] == [("slim-10", "onnx-int8")]
    reasons = {(one.option.variant.name, one.option.runtime): one.reasons[0].text for one in ranked.others}
    assert reasons["slim-10", "torch"] == "2 ms, at most 1 asked"
    (ranked,) = rank(options, Limits(ms=1, memory_mb=1000), "pruning")  # nobody measured memory there
    assert ranked.fitting == ()


def test_at_its_floor_it_fits_nowhere_in_any_runtime(study: Study) -> None:
    low = {**FOUND, "slim-10": {"torch": (2.0, 0.89, 1), "onnx-int8": (0.1, 0.4, 1)}}
    (ranked,) = rank(options_of(study, "sst2", "pruning", [made_profile(study, low)]), Limits(ms=1), "pruning")
    kinds = {(one.option.variant.name, one.option.runtime): one.reasons[0].kind for one in ranked.others}
    assert kinds["slim-10", "onnx-int8"] == "floor"


def test_profiles_of_several_machines_are_one_option_with_the_times_of_each(study: Study) -> None:
    first, second = made_profile(study), made_profile(study, hardware="second processor", threads=1)
    options = found(study, first, second, first)
    machines = ["profiled processor, 2 threads", "second processor, 1 thread", "profiled processor, 2 threads"]
    assert [time.machine for time in options["slim-10", "onnx-int8"].times] == machines
    (ranked,) = rank(options.values(), Limits(), "pruning")
    listed = [option for option in ranked.fitting if (option.variant.name, option.runtime) == ("slim-10", "onnx-int8")]
    assert [[time.machine for time in option.times] for option in listed] == [[machines[0]], [machines[1]]]


def test_a_runtime_that_is_not_known_here_is_no_option(study: Study) -> None:
    profile = made_profile(study)
    content = msgspec.json.encode(profile).replace(b'"onnx-int8"', b'"tvm"')
    options = found(study, msgspec.json.decode(content, type=StoredProfile))
    assert {runtime for _, runtime in options} == {"torch", "bfloat16", "onnx"}


def test_weights_that_are_not_stored_have_no_export(study: Study, tmp_path: Path) -> None:
    folder = write_study(tmp_path, "sst2", shape=SHAPE, budgets=("50", "10"))
    profile = made_profile(read_study(folder))
    for file in (folder / "slim-10").iterdir():
        file.unlink()
    option = found(read_study(folder), profile)["slim-10", "onnx-int8"]
    assert not option.is_stored
    assert option.command == "pruning run --task sst2 --ship 0.1 --output my-studies"
