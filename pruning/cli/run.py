"""``python -m pruning run --task sst2 --data glue``: a study, from examples to stored and measured networks."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from pruning.cli import machine
from pruning.cli.options import (
    PROGRAM,
    Command,
    add_columns,
    add_json,
    add_label,
    add_machine,
    file_name,
    numbers,
    path,
    study_name,
    words,
)
from pruning.cli.printing import results_json, say, show_json, show_results
from pruning.errors import ConfigError
from pruning.shipped import is_installed
from pruning.training import processes


def add_options(command: argparse.ArgumentParser) -> None:
    """What to learn, how, and where it goes."""
    from pruning.bert.penalties import PENALTIES
    from pruning.config import PRESETS, StudyConfig
    from pruning.importance.registry import UNIT_CRITERIA
    from pruning.methods.registry import METHODS, STUDY_METHODS
    from pruning.selection.budgets import BUDGET_KINDS
    from pruning.selection.latency import RUNTIMES

    default = StudyConfig()
    task = command.add_argument_group("what to learn (a GLUE task, or your own file)")
    task.add_argument("--task", type=path, help="sst2, cola, mrpc, qqp, stsb, mnli, qnli, rte or wnli")
    task.add_argument(
        "--data",
        type=path,
        metavar="SOURCE",
        help='where GLUE is: "hub", or a folder; default: $SLIMVIZ_GLUE, else "hub"',
    )
    task.add_argument("--train-file", type=path, metavar="FILE", help="your own CSV, TSV, JSON lines or parquet file")
    task.add_argument(
        "--validation-file",
        type=path,
        metavar="FILE",
        help="your own examples to report on; default: a tenth of the training file, drawn with the seed and held out",
    )
    add_columns(task)
    add_label(task, None, 'column of the label; default: "label", with --teacher none: its own answers are followed')
    task.add_argument("--regression", action="store_true", help="the label is a score")
    task.add_argument(
        "--name",
        type=study_name,
        help="name of the study; default: the task's, or the file's, and the method where that is a rival",
    )

    task.add_argument(
        "--teacher",
        type=path,
        metavar="MODEL",
        help="a BERT classifier that is fine-tuned already, a folder or a hub id: prune that one; labels are optional",
    )
    task.add_argument(
        "--keep-teacher",
        action="store_true",
        help="store its weights with the study (half precision), not its name alone",
    )

    how = command.add_argument_group("how")
    how.add_argument(
        "--backbone",
        type=path,
        help=f"the embedded backbone, a hub id, or a folder with a BERT encoder (default: {default.backbone})",
    )
    how.add_argument(
        "--budget-kind",
        choices=tuple(BUDGET_KINDS),
        default=default.budget_kind,
        help="what a budget limits, as a ratio to the teacher: stored parameters of the whole network or of the "
        "encoder's layers, FLOPs, or milliseconds as measured on this machine",
    )
    how.add_argument(
        "--budgets",
        type=numbers,
        metavar="R,R",
        help=f"ratios to cut to, each giving a slim network; default: {','.join(f'{b:g}' for b in default.budgets)}",
    )
    how.add_argument(
        "--budget-ms",
        type=numbers,
        metavar="MS,MS",
        help="milliseconds to cut to instead, as counted by a table that is measured on this machine first",
    )
    how.add_argument(
        "--batch", type=int, metavar="N", help=f"with --budget-ms: texts at once (default: {default.latency.batch})"
    )
    how.add_argument(
        "--length", type=int, metavar="N", help=f"with --budget-ms: tokens a text (default: {default.latency.length})"
    )
    how.add_argument(
        "--runtime",
        choices=RUNTIMES,
        help="with --budget-ms: what will compute; onnx and onnx-int8 need requirements-onnx.txt (default: torch)",
    )
    how.add_argument(
        "--ship", type=numbers, metavar="R,R", help="budgets whose weights are stored; default: 0.1 and 0.05"
    )
    how.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="full",
        help="quick: a first look in minutes, on 2,000 rows; one-shot: nothing is trained but the teacher; slimming: "
        "units are ranked by importance factors that are trained first, as SlimBERT does",
    )
    how.add_argument(
        "--seed", type=int, default=default.seed, help="seed of initial weights, order of examples and dropout"
    )
    rivals = "; ".join(f"{name}: {METHODS[name].title}" for name in STUDY_METHODS)
    how.add_argument(
        "--method",
        choices=STUDY_METHODS,
        help=f"what chooses the units that stay, on the same teacher and with the same training (default: "
        f"{default.method}). {rivals}. Other rivals are measured by sweep",
    )
    how.add_argument(
        "--penalty",
        choices=tuple(PENALTIES),
        help=f"what drives importance factors to zero, with --preset slimming; default: {default.slim.penalty}",
    )
    how.add_argument(
        "--criterion",
        choices=UNIT_CRITERIA,
        help=f"the importance that ranks the units; default: the preset's, else {default.criterion}",
    )
    how.add_argument(
        "--tuning",
        choices=("adapter", "full"),
        help=f"how the backbone is fine-tuned to be the teacher (default: {default.teacher.tuning})",
    )
    how.add_argument(
        "--teacher-from",
        type=path,
        metavar="STUDY",
        help="start the teacher from another study's (mnli helps tasks of few pairs), a name or a folder",
    )
    how.add_argument(
        "--transfer",
        type=words,
        metavar="TASK,TASK",
        help="GLUE tasks whose training texts, without labels, recovery learns from as well (from --data)",
    )
    how.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting of pruning/config.py, such as recover.epochs=10 or selection.round_to=8",
    )

    where = command.add_argument_group("where")
    where.add_argument(
        "--output", type=path, default="studies", metavar="FOLDER", help="folder that the study's own folder goes into"
    )
    where.add_argument(
        "--runs", type=path, default="runs", metavar="FOLDER", help="checkpoints; needed until the study is stored"
    )
    where.add_argument("--overwrite", action="store_true", help="replace a stored study of the same configuration")
    where.add_argument("--quiet", action="store_true", help="no progress bars")
    add_machine(command)
    add_json(command)


def run(options: argparse.Namespace) -> int:
    """Make the study, print its results and how to see it."""
    config = configuration(options)
    if options.teacher:
        config, data, name, notice = given_study(options, config)
    elif options.keep_teacher:
        raise ConfigError("run: --keep-teacher goes with --teacher, for a teacher that is trained is stored anyway")
    else:
        data, name, notice = study_data(options, config)
    start = None
    if options.teacher_from:
        start = find_start(options.teacher_from, data, options.data)
        config = config.replace(teacher_from=start.name)
    device = machine.prepare_training(options)
    output, runs = Path(options.output), Path(options.runs)
    for needed in (output, runs):
        needed.mkdir(parents=True, exist_ok=True)

    from pruning.pipeline import run_study
    from pruning.study.notes import notes

    if notice and processes.is_main():
        say(notice)
    study = run_study(
        config,
        data,
        output / name,
        runs=runs,
        command=options.command_typed,
        start=start,
        device=device,
        quiet=options.quiet,
        overwrite=options.overwrite,
        say=say,
    )
    if study is None:  # not the main process
        return 0
    opening = opening_command(options.program, output)
    if options.json:
        show_json({"study": str(study.folder), "results": results_json(study.results), "open": opening})
    else:
        show_results(study.task, study.results)
    for note in notes(study.document, study.name):
        say(note)
    say(f"Stored in {study.folder}. See it in the dashboard:")
    say(f"  {opening}")
    return 0


def opening_command(program: str, output: Path) -> str:
    """What shows a folder of studies in the dashboard, for who typed `program`; only a checkout has an `app.py`."""
    folder = shlex.quote(str(output))
    if program == PROGRAM and not is_installed():
        return f"SLIMVIZ_STUDIES={folder} streamlit run app.py"
    return f"{'slimviz' if program == PROGRAM else program} dashboard {folder}"


def configuration(options: argparse.Namespace) -> Any:
    """The settings that were typed, all checked at once.

    Raises:
        ConfigError: a setting is unknown, cannot have its value, or contradicts another one.
    """
    from pruning.config import DEFAULT_METHOD, PRESETS, StudyConfig, parse_settings, with_settings
    from pruning.methods.registry import study_method

    typed = {
        "backbone": options.backbone,
        "seed": options.seed,
        "budget_kind": options.budget_kind,
        "slim.penalty": options.penalty,
        "method": options.method,
        "criterion": options.criterion,
        "teacher.tuning": options.tuning,
        "recover.transfer": options.transfer,
        "budgets": options.budgets,
        "ship": options.ship,
        "latency.batch": options.batch,
        "latency.length": options.length,
        "latency.runtime": options.runtime,
    }
    if options.budget_ms:
        if options.budgets or options.ship:
            raise ConfigError("run: --budget-ms takes the place of --budgets and --ship, expected one or the other")
        typed |= {"milliseconds": options.budget_ms, "budget_kind": "latency_ratio"}
    elif given_latency := [name for name in ("batch", "length", "runtime") if getattr(options, name) is not None]:
        raise ConfigError(f"run: --{given_latency[0]} goes with --budget-ms")
    given = {name: value for name, value in typed.items() if value is not None}
    config = with_settings(StudyConfig(), PRESETS[options.preset] | given | parse_settings(options.set))
    if options.penalty and "slim" not in config.stages:
        raise ConfigError(f"--penalty {options.penalty}: nothing is slimmed, expected --preset slimming")
    if options.criterion and config.method != DEFAULT_METHOD:
        raise ConfigError(f"--criterion {options.criterion}: method {config.method} ranks units by its own")
    study_method(config)
    return config


def named_for(options: argparse.Namespace, name: str, config: Any) -> str:
    """A study's name: what was typed, else what it learned from, with its method where that is a rival."""
    from pruning.config import DEFAULT_METHOD

    return options.name or (name if config.method == DEFAULT_METHOD else f"{name}-{config.method}")


def study_data(options: argparse.Namespace, config: Any) -> tuple[Any, str, str]:
    """Examples, the study's name, and what to tell of them (a line, or nothing)."""
    from pruning.data import default_source, hold_out, load_file, require_two_labels
    from pruning.data.study_data import StudyData
    from pruning.data.tasks import custom_task, get_task

    if bool(options.task) == bool(options.train_file):
        raise ConfigError("run: expected either --task NAME or --train-file FILE")
    if options.task:
        if options.validation_file or options.regression:
            raise ConfigError("run: --validation-file and --regression go with --train-file, not with --task")
        task, source = get_task(options.task), options.data or default_source()
        return _glue_data(task, source, config), named_for(options, task.name, config), ""
    name = options.name or file_name(options.train_file)
    columns = (options.text, options.pair, options.label or "label")
    train, labels = load_file(options.train_file, *columns, regression=options.regression, training=True)
    text = (options.text,) if options.pair is None else (options.text, options.pair)
    task = custom_task(name, text, labels, label=columns[2])
    notice = ""
    if options.validation_file:
        held_out, _ = load_file(options.validation_file, *columns, task=task)
    else:
        train, held_out = hold_out(train, config.seed)
        require_two_labels(train, labels)
        rows = len(train) + len(held_out)
        notice = f"no validation file: {len(held_out)} of {rows} rows held out with seed {config.seed}"
    transfer = _transfer(task, options.data or default_source(), config, {"validation": held_out})
    source = f"file {Path(options.train_file).name}"
    data = StudyData(task, train, {"validation": held_out}, source, transfer)
    return data, named_for(options, name, config), notice


def given_study(options: argparse.Namespace, config: Any) -> tuple[Any, Any, str, str]:
    """Settings and examples of a study whose teacher is fine-tuned already; its name, and what to tell of it."""
    from pruning import given
    from pruning.bert.classifier import find_classifier
    from pruning.data import default_source, get_task, load_file, require_words

    fine_tuning = {"--backbone": options.backbone, "--tuning": options.tuning, "--teacher-from": options.teacher_from}
    for name, typed in (fine_tuning | {"--regression": options.regression}).items():
        if typed:
            raise ConfigError(f"run: {name} and --teacher exclude each other, for that teacher is taken as it is")
    if bool(options.task) == bool(options.train_file):
        raise ConfigError("run: expected either --task NAME or --train-file FILE")
    teacher = find_classifier(options.teacher, download=True)
    config = given.given_config(config, teacher).replace(keep_teacher=options.keep_teacher)
    told = []
    if teacher.backbone.is_pickled:
        told.append(f"{teacher.backbone.name}: its weights are a pickle; only plain tensors were read of it")
    if options.task:
        task, source = given.matched_task(get_task(options.task), teacher), options.data or default_source()
        return config, _glue_data(task, source, config), named_for(options, task.name, config), "; ".join(told)
    name = options.name or file_name(options.train_file)
    columns = (options.text, options.pair, options.label)
    text = (options.text,) if options.pair is None else (options.text, options.pair)
    task = given.given_task(teacher, name, text, options.label)
    how = {"task": task, "numbered": given.numbered(task)}
    train, _ = load_file(options.train_file, *columns, **how)
    require_words(train, text)
    held_out = load_file(options.validation_file, *columns, **how)[0] if options.validation_file else None
    data = given.given_data(task, train, held_out, f"file {Path(options.train_file).name}", config.seed)
    validation = next(iter(data.validation.values()))
    if held_out is None:
        told.append(f"no validation file: {len(validation)} of {len(train)} rows held out with seed {config.seed}")
    if options.label is None:
        told.append("no --label: the teacher's own answers are followed, and agreement with them is reported")
    transfer = _transfer(task, options.data or default_source(), config, data.validation)
    return config, replace(data, transfer=transfer), named_for(options, name, config), "; ".join(told)


def find_start(name: str, data: Any, source: str | None) -> Any:
    """The stored teacher to start from, if nothing of what will be reported on was among what it learned from.

    Raises:
        ConfigError: if it was, if that cannot be known, or if both tasks are drawn from the same sources.
    """
    from pruning.cli.stored import find_study
    from pruning.data import TASKS, default_source, load_examples
    from pruning.data.overlap import sentences, without_sentences
    from pruning.data.study_data import are_kin
    from pruning.training import start

    study = find_study(name)
    other = study.task
    if other.name not in TASKS:
        raise ConfigError(f"teacher-from {study.name}: learned from a file of its own, expected a study of a GLUE task")
    if other.name == data.task.name or are_kin(other.name, data.task.name):
        raise ConfigError(f"teacher-from {study.name}: {other.name}'s texts may be {data.task.name}'s evaluation data")
    learned = load_examples(other, "train", source or default_source())
    _, shared = without_sentences(learned, sentences(*data.validation.values()))
    if shared:
        raise ConfigError(
            f"teacher-from {study.name}: {shared} rows it learned from share a sentence with evaluation data"
        )
    return start.find_start(study.name, study.folder / "teacher")


def _glue_data(task: Any, source: str, config: Any) -> Any:
    from pruning.data import get_task, glue_data

    others = [get_task(name) for name in config.recover.transfer]
    return glue_data(task, source, transfer=others, transfer_rows=config.recover.transfer_rows, seed=config.seed)


def _transfer(task: Any, source: str, config: Any, validation: dict[str, Any]) -> Any:
    from pruning.data.study_data import transfer_beside
    from pruning.data.tasks import get_task

    others = [get_task(name) for name in config.recover.transfer]
    return transfer_beside(validation, task, others, source, config.recover.transfer_rows, config.seed)


COMMAND = Command("run", "make a study: teacher, slimming, cut, recovery, measurements", add_options, run, trains=True)
