"""Writing survives crashes, full disks, collisions and bad contents; nothing stored before is lost.

Run as a script, this file is the writer that is killed or that finds the disk full.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pruning.config import with_settings
from pruning.data.tasks import get_task
from pruning.errors import StoreError
from pruning.study import (
    Document,
    Identity,
    Split,
    Study,
    StudyContents,
    atomic,
    check_destination,
    free_name,
    list_studies,
    load_factors,
    verify,
    write_study,
)
from pruning.variants import TEACHER, slim
from tests.factories.study_contents import SHAPE, made_contents

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", ["SST2", ".hidden", "-x", "a b", "ümlaut", "a" * 101, "a\nb", "_x"])
def test_names_that_are_refused(studies: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a study's name"):
        write_study(studies / name, made_contents(tmp_path))
    assert not studies.exists()


def attempts(folder: Path, contents: StudyContents) -> list[Callable[[], Any]]:
    """Storing a study, and asking beforehand whether it could be."""
    identity = Identity.of(contents.document)
    return [
        lambda: write_study(folder, contents, overwrite=True),
        lambda: check_destination(folder, identity, overwrite=True),
    ]


def other_training_data(document: Document) -> Document:
    provenance = document.provenance
    data = provenance.data.replace(train=Split(5, "e" * 64))
    return document.replace(provenance=provenance.replace(data=data))


OTHERS: list[tuple[Callable[[Document], Document], str]] = [
    (lambda d: d.replace(config=d.config.replace(seed=1)), "config.seed 0 there, 1 here"),
    (lambda d: d.replace(config=with_settings(d.config, {"slim.epochs": 3})), "config.slim.epochs 0 there, 3 here"),
    (lambda d: d.replace(backbone=d.backbone.replace(sha256="d" * 64)), "backbone"),
    (lambda d: d.replace(task=get_task("cola")), 'task "sst2" there, "cola" here'),
    (other_training_data, "training data"),
]


@pytest.mark.parametrize(("change", "said"), OTHERS, ids=[said for _, said in OTHERS])
def test_another_study_is_never_overwritten(
    tmp_path: Path, stored: Path, change: Callable[[Document], Document], said: str
) -> None:
    before = (stored / "study.json").read_bytes()
    contents = made_contents(tmp_path)
    for attempt in attempts(stored, replace(contents, document=change(contents.document))):
        with pytest.raises(StoreError) as caught:
            attempt()
        assert said in str(caught.value)
        assert "such as 'sst2-2'" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert (stored / "study.json").read_bytes() == before
    assert verify(stored) == []


def test_a_backbones_folder_is_remembered_by_its_name_alone(tmp_path: Path, stored: Path) -> None:
    """Fault 14: the path that was typed says nothing elsewhere, and is no part of what the study is."""
    contents = made_contents(tmp_path, backbone="/home/someone/tiny")
    check_destination(stored, Identity.of(contents.document), overwrite=True)
    write_study(stored, contents, overwrite=True)
    assert "/home" not in (stored / "study.json").read_text()


def test_the_same_study_is_replaced_only_when_asked(tmp_path: Path, stored: Path) -> None:
    newer = made_contents(tmp_path, date="2026-01-01T00:00:00+00:00")
    with pytest.raises(StoreError, match="stored there already"):
        write_study(stored, newer)
    check_destination(stored, Identity.of(newer.document), overwrite=True)
    study = write_study(stored, newer, overwrite=True)
    assert study.document.provenance.date.startswith("2026")
    assert [path.name for path in stored.parent.iterdir()] == ["sst2"]


def test_a_replacement_keeps_what_others_put_there(tmp_path: Path, stored: Path) -> None:
    (stored / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"holds 'notes\.txt', no part of the study"):
        write_study(stored, made_contents(tmp_path), overwrite=True)
    assert (stored / "notes.txt").read_text() == "mine"


def test_what_is_no_study_is_never_overwritten(tmp_path: Path, studies: Path) -> None:
    parts = made_contents(tmp_path)
    (studies / "home").mkdir(parents=True)
    (studies / "home" / "thesis.txt").write_text("years of work")
    (studies / "file").write_text("x")
    (studies / "link").symlink_to(studies / "home", target_is_directory=True)
    for name in ("home", "file", "link"):
        with pytest.raises(StoreError, match="is in the way"):
            write_study(studies / name, parts, overwrite=True)
    assert (studies / "home" / "thesis.txt").read_text() == "years of work"
    (studies / "empty").mkdir()
    assert write_study(studies / "empty", parts).name == "empty"


def test_free_name(stored: Path) -> None:
    assert free_name(stored.parent, "cola") == "cola"
    assert free_name(stored.parent, "sst2") == "sst2-2"
    (stored.parent / "sst2-2").mkdir()
    (stored.parent / f".sst2-3.{atomic.MOVED_ASIDE}-12").mkdir()
    assert free_name(stored.parent, "sst2") == "sst2-4"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = made_contents(tmp_path)
    (tmp_path / "file").write_text("x")
    for attempt in attempts(tmp_path / "file" / "sst2", contents):
        with pytest.raises(StoreError, match=r"sst2: .* cannot be stored.*: (Not a directory|File exists)"):
            attempt()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # rather than folder modes, which do not stop root
    for attempt in attempts(tmp_path / "locked" / "sst2", contents):
        with pytest.raises(StoreError, match="Permission denied"):
            attempt()


SPOILT: list[tuple[Callable[[StudyContents], StudyContents], str]] = [
    (lambda parts: spoil_file(parts, "optimizer.pt"), "optimizer.pt"),
    (lambda parts: spoil_file(parts, ".secret.json"), ".secret.json"),
    (lambda parts: replace(parts, weights={slim("60"): parts.weights[TEACHER] / "none"}), "holds no files"),
    (lambda parts: replace(parts, weights={}), "said to be shipped, but no weights are listed"),
    (lambda parts: replace(parts, weights={**parts.weights, slim("12"): parts.weights[TEACHER]}), "to no variant"),
    (lambda parts: replace(parts, document=parts.document.replace(floor={})), "metric 'accuracy' is missing"),
    (lambda parts: replace(parts, history=[{"stage": "slim", "loss": object()}]), "expected plain values"),
    (lambda parts: replace(parts, history=[{"loss": 1.0}]), "a line is not an object with a stage"),
    (lambda parts: replace(parts, selections={"37.5": parts.selections["37.5"]}), "'60/hidden' is missing"),
]


def spoil_file(parts: StudyContents, name: str) -> StudyContents:
    (parts.weights[TEACHER] / name).write_bytes(b"x")
    return parts


@pytest.mark.parametrize(("spoil", "said"), SPOILT, ids=[said for _, said in SPOILT])
def test_an_invalid_study_is_not_stored(
    tmp_path: Path, stored: Path, spoil: Callable[[StudyContents], StudyContents], said: str
) -> None:
    with pytest.raises(StoreError) as caught:
        write_study(stored, spoil(made_contents(tmp_path)), overwrite=True)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in stored.parent.iterdir()] == ["sst2"]
    assert verify(stored) == []


def test_a_replacement_that_was_cut_short_is_readable_and_put_right(tmp_path: Path, stored: Path) -> None:
    aside = stored.rename(stored.parent / f".sst2.{atomic.MOVED_ASIDE}-00000000000000000001")
    (half := stored.parent / f".sst2.{atomic.IN_WORK}-00000000000000000002").mkdir()
    (study,) = list_studies([stored.parent])
    assert isinstance(study, Study)
    assert study.name == "sst2"
    assert load_factors(study).shape == SHAPE
    assert verify(stored) == []
    with pytest.raises(StoreError, match="stored there already"):
        write_study(stored, made_contents(tmp_path))
    assert stored.is_dir()
    assert not aside.exists()
    assert not half.exists()


def test_hidden_folders_of_a_study_with_a_longer_name_are_left_alone(tmp_path: Path, stored: Path) -> None:
    other = stored.parent / f".sst2.{atomic.IN_WORK}-x.{atomic.IN_WORK}-12"
    other.mkdir()
    write_study(stored, made_contents(tmp_path), overwrite=True)
    assert other.is_dir()


CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.fsync")


class Fault:
    """Strike at the n-th change to the disk: kill the process, or fail as a full disk does (once, or from then on)."""

    def __init__(self, strike: int, kind: str) -> None:
        self.strike, self.kind, self.seen = strike, kind, 0
        os.fsync = self.on_fsync
        sys.addaudithook(self.on_event)

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not is_write and event not in CHANGES:
            return
        self.seen += 1
        if self.seen == self.strike and self.kind == "kill":
            os._exit(9)
        is_growth = is_write or event in ("os.mkdir", "os.fsync")
        if (self.kind == "fail" and self.seen == self.strike) or (
            self.kind == "full" and self.seen >= self.strike and is_growth
        ):
            raise OSError(errno.ENOSPC, "No space left on device")

    def on_fsync(self, handle: int) -> None:
        if self.kind == "kill" and self.seen + 1 == self.strike and os.fstat(handle).st_size > 1:
            with suppress(OSError):  # a folder cannot be cut
                os.ftruncate(handle, os.fstat(handle).st_size // 2)  # what had not reached the disk is gone
        self.on_event("os.fsync", ("", handle))


def strike_everywhere(scratch: Path, kind: str, is_replacement: bool) -> None:
    """Write a study once per change that writing makes to the disk, striking there; print a line each."""
    os.fsync = lambda handle: None  # the power stays on here, and a busy disk takes its time
    template = scratch / "template" / "sst2"
    write_study(template, made_contents(scratch))
    newer = made_contents(scratch, date="2026-01-01T00:00:00+00:00")
    strike = 0
    while True:
        strike += 1
        parent = scratch / f"{kind}-{strike}"
        parent.mkdir()
        if is_replacement:
            shutil.copytree(template, parent / "sst2")
        child = os.fork()
        if child == 0:
            fault = Fault(strike, kind)
            try:
                write_study(parent / "sst2", newer, overwrite=True)
                os._exit(0 if fault.seen < strike else 3)
            except StoreError as error:
                os._exit(2 if "\n" not in str(error) else 4)
            except BaseException:
                os._exit(5)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        listed = list_studies([parent])
        dates = [s.document.provenance.date[:4] if isinstance(s, Study) else s.reason for s in listed]
        problems = verify(parent / "sst2") if listed else []
        left = [path.name for path in parent.iterdir() if path.name != "sst2"]
        report = {"code": code, "dates": dates, "problems": problems, "left": left}
        report["again"] = write_study(parent / "sst2", newer, overwrite=True).document.provenance.date[:4]
        report["left_again"] = [path.name for path in parent.iterdir() if path.name != "sst2"]
        print(json.dumps(report), flush=True)
        shutil.rmtree(parent)
        if code == 0:
            return


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("kind", "is_replacement"),
    [("kill", True), ("kill", False), ("fail", True), ("full", True)],
    ids=["kill a replacement", "kill a new one", "fail once", "disk full"],
)
def test_struck_at_any_moment_the_old_study_or_the_new_one_is_there(
    tmp_path: Path, kind: str, is_replacement: bool
) -> None:
    command = [sys.executable, __file__, str(tmp_path), kind, str(int(is_replacement))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) > 20
    allowed = [["2025"], ["2026"]] if is_replacement else [[], ["2026"]]
    for report in reports:
        assert report["code"] in ((9, 0) if kind == "kill" else (2, 3, 0)), report
        assert report["dates"] in allowed, report
        assert report["problems"] == [], report
        assert (report["again"], report["left_again"]) == ("2026", []), report
        # A writer that lived says truly whether it stored the study (2: it did not), and tidies up.
        if report["code"] != 9:
            assert report["dates"] == (allowed[0] if report["code"] == 2 else ["2026"]), report
        if kind == "full" and report["code"] == 2:
            assert report["left"] == [], report
    assert {tuple(report["dates"]) for report in reports} == {tuple(dates) for dates in allowed}
    if kind == "kill":
        left = {name.partition("-")[0] for report in reports for name in report["left"]}
        assert left == ({".sst2.partial", ".sst2.replaced"} if is_replacement else {".sst2.partial"})


if __name__ == "__main__":
    strike_everywhere(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "1")
