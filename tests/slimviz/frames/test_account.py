from __future__ import annotations

from pruning.study import Checksum, Study
from slimviz.frames import account


def test_provenance_names_all_that_a_number_rests_on(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    rows = dict(account.provenance_rows(study))
    document = study.document
    assert document.provenance.data.train.sha256[:12] in rows["Training data"]
    assert document.provenance.data.validation.sha256[:12] in rows["Scored on"]
    assert document.backbone.sha256[:12] in rows["Backbone"]
    assert rows["Made"] == f"2025-01-02, commit {document.provenance.commit}, seed 0"
    assert "made-up processor, 2 threads; training in float32" in rows["Computed on"]
    assert "adapter of rank" in rows["Teacher"]
    assert "Further texts" not in rows  # there were none


def test_minutes_of_stages_add_up(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    provenance = study.document.provenance.replace(seconds={"teacher": 600.0, "recover-10": 1800.0})
    timed = Study(study.folder, study.document.replace(provenance=provenance))
    assert account.stage_sentence(timed) == "40 minutes in 2 stages; recovery at 10% took most (75%)."
    assert account.stage_rows(timed)[1] == {"Stage": "Recovery at 10%", "Minutes": "30.0"}
    bare = Study(study.folder, study.document.replace(provenance=provenance.replace(seconds={})))
    assert account.stage_sentence(bare) == "How long it took was not recorded."


def test_settings_are_spelled_as_the_command_line_does(studies: dict[str, Study]) -> None:
    rows = {row["Setting"]: row["Value"] for row in account.setting_rows(studies["sst2"])}
    config = studies["sst2"].document.config
    assert rows["recover.rate"] == str(config.recover.rate)
    assert rows["slim.sites"].split(", ")[0] == "hidden"
    assert rows["recover.transfer"] == "none"


def test_files_are_told_apart_by_word_and_shape(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    first, second, *others = study.document.files
    checked = [
        Checksum(first, study.document.files[first].sha256, study.document.files[first].sha256),
        Checksum(second, study.document.files[second].sha256, "0" * 64),
        *(Checksum(path, study.document.files[path].sha256, None, "no such file") for path in others),
    ]
    rows = account.file_rows(study, checked)
    assert [row[""] for row in rows] == [account.SAME, account.OTHER, *[account.GONE] * len(others)]
    assert account.checked_sentence(checked, ["a", "b"]).startswith(f"1 of {len(rows)} files are what was stored; 2 pr")
    assert "" not in account.file_rows(study)[0]


def test_tables_hold_every_result_and_speed(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    table = account.result_table(study)
    assert [row["variant"] for row in table] == [str(result.variant) for result in study.results]
    assert [row["metrics.accuracy"] for row in table] == [result.metrics["accuracy"] for result in study.results]
    assert [row["median_ms"] for row in account.speed_table(study)] == [row.median_ms for row in study.document.speed]
