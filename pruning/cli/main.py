"""The command line: run, measure, predict, list, verify. Heavy libraries are imported only by the command at work."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pruning.errors import ConfigError, DataError, SlimVizError
from pruning.training import processes

USAGE_ERROR = 2
INTERRUPTED = 130
LARGEST_SEED = 2**32  # NumPy's global generator, which the Trainer seeds, takes no more

EPILOG = """\
Examples
  python -m pruning run --task sst2 --preset quick          a first look, in minutes
  python -m pruning run --task sst2 --data glue             the whole study, from parquet files in ./glue
  python -m pruning run --train-file reviews.csv --text review --label stars --regression
  python -m pruning measure assets/studies/sst2 --data glue  score and compare the stored networks again
  python -m pruning predict assets/studies/sst2 "A slow start, but what an ending."
  python -m pruning list --json
  python -m pruning verify

Interrupted? Type the same command again: it goes on where it was and ends with the same network.
Words: "total density" is stored parameters divided by the teacher's stored parameters, embeddings included.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        """One line, exit code 2."""
        command = self.prog.removeprefix("python -m pruning").strip()
        self.exit(_fail(f"{command}: {message}" if command else message))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code (2 for anything the user can put right, in one line)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = build_parser().parse_args(arguments)
    options.command_typed = "python -m pruning " + shlex.join(arguments)
    if processes.is_main():
        signal.signal(signal.SIGTERM, _terminate)
    elif options.action is not _run:
        return 0
    else:  # end at once and in silence when the launcher says so, even while waiting for the main process
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
    try:
        return options.action(options)
    except SlimVizError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted; the same command goes on where it was", INTERRUPTED)
    except BrokenPipeError:
        return 0
    except SafetensorError as error:  # what its writer raises where the disk is full
        return _fail(f"weights: {error}; expected free disk, and files that are whole")
    except RuntimeError as error:
        if processes.count() == 1 or not processes.lost_another(error):
            raise
        return _fail("another process of this run ended; the same command goes on where it was", 1)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or type(error).__name__}:{where}; expected a folder that can be written")


def _terminate(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _fail(message: str, code: int = USAGE_ERROR) -> int:
    which = "" if processes.is_main() else f"process {processes.number()}: "
    print(f"pruning: {which}{' '.join(message.split())}", file=sys.stderr)
    return code


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


# ---- the commands' options ---------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = _Parser(
        prog="python -m pruning",
        description="Prune BERT for a task by neural slimming; measure, use and check the studies.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)
    _run_options(_command(commands, "run", "make a study: teacher, slimming, cut, recovery, measurements", _run))
    _measure_options(_command(commands, "measure", "score a stored study's networks on labelled examples", _measure))
    _predict_options(_command(commands, "predict", "answer one text, or every line of a file", _predict))
    _list_options(_command(commands, "list", "list the studies found", _list))
    _verify_options(_command(commands, "verify", "check studies: schema, checksums, shapes, counts", _verify))
    return parser


def _command(commands: Any, name: str, summary: str, action: Any) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    command.set_defaults(action=action)
    return command


def _json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, logs on standard error"
    )


def _machine_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", default="auto", help='"cpu", "cuda", "cuda:1", "mps", or "auto": what is there')
    command.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads; 0: torch's own choice")


def _file_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--text", default="text", metavar="COLUMN", help="column of the (first) text in your file")
    command.add_argument("--pair", metavar="COLUMN", help="column of the second text, for pairs")
    command.add_argument("--label", default="label", metavar="COLUMN", help="column of the label")


def _run_options(command: argparse.ArgumentParser) -> None:
    task = command.add_argument_group("what to learn (a GLUE task, or your own file)")
    task.add_argument("--task", help="sst2, cola, mrpc, qqp, stsb, mnli, qnli, rte or wnli")
    task.add_argument(
        "--data", metavar="SOURCE", help='where GLUE is: "hub", or a folder; default: $SLIMVIZ_GLUE, else "hub"'
    )
    task.add_argument("--train-file", metavar="FILE", help="your own CSV, TSV, JSON lines or parquet")
    task.add_argument(
        "--validation-file", metavar="FILE", help="the same for reporting; without it a seeded tenth is held out"
    )
    _file_options(task)  # type: ignore[arg-type]  # a group takes arguments like a parser
    task.add_argument("--regression", action="store_true", help="the label is a score")
    task.add_argument("--name", help="name of the study; default: the task's, or the file's")
    how = command.add_argument_group("how")
    how.add_argument(
        "--backbone", default="all-MiniLM-L6-v2", help="embedded default, a hub id, or a folder with a BERT"
    )
    how.add_argument(
        "--budgets", type=_numbers, default=None, metavar="D,D", help="total densities to cut to, such as 0.1,0.05"
    )
    how.add_argument("--ship", type=_numbers, default=None, metavar="D,D", help="budgets whose weights are stored")
    how.add_argument("--preset", choices=("full", "quick"), default="full", help="quick: minutes, on 2000 rows")
    how.add_argument("--seed", type=int, default=0, help="of initial weights, batches and dropout")
    how.add_argument("--penalty", choices=("log", "l1", "l0"), default="log", help="what drives factors to zero")
    how.add_argument("--criterion", default="alpha", choices=("alpha", "taylor"), help="whose factors rank the units")
    how.add_argument("--teacher", choices=("adapter", "full"), default="adapter", help="how the teacher is fine-tuned")
    how.add_argument(
        "--transfer",
        type=lambda text: tuple(part for part in text.split(",") if part),
        metavar="TASK,TASK",
        help="GLUE tasks whose training texts, without labels, recovery learns from as well (from --data)",
    )
    how.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting of pruning/config.py, such as recover_epochs=10 or selection.round_to=8",
    )
    where = command.add_argument_group("where")
    where.add_argument("--output", default="studies", metavar="FOLDER", help="folder that the study's folder goes into")
    where.add_argument("--runs", default="runs", metavar="FOLDER", help="checkpoints; needed until the study is stored")
    where.add_argument("--overwrite", action="store_true", help="replace a stored study of the same configuration")
    where.add_argument("--quiet", action="store_true", help="no progress bars")
    _machine_options(command)
    _json_option(command)


def _measure_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("study", help="a study's folder, or the name of a bundled one")
    command.add_argument(
        "--data", metavar="SOURCE", help='"hub", "probe" or a folder; default: $SLIMVIZ_GLUE, else "hub"'
    )
    command.add_argument("--validation-file", metavar="FILE", help="your own labelled examples instead")
    _file_options(command)
    command.add_argument("--variant", action="append", metavar="NAME", help='"teacher", "slim-10"; default: all stored')
    _machine_options(command)
    _json_option(command)


def _predict_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("study", help="a study's folder, or the name of a bundled one")
    command.add_argument("sentence", nargs="?", help="a text to answer")
    command.add_argument("second", nargs="?", help="the second text of a pair")
    command.add_argument("--file", metavar="FILE", help="answer every row of a CSV, TSV, JSON lines or parquet file")
    command.add_argument("--text", default="text", metavar="COLUMN", help="column of the (first) text in the file")
    command.add_argument("--pair", metavar="COLUMN", help="column of the second text")
    command.add_argument("--variant", action="append", metavar="NAME", help="default: all stored")
    _machine_options(command)
    _json_option(command)


def _list_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--studies", metavar="FOLDER", help="look here; default: bundled ones and $SLIMVIZ_STUDIES")
    _json_option(command)


def _verify_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("studies", nargs="*", metavar="STUDY", help="names or folders; default: all that are found")
    _json_option(command)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers such as 0.1,0.05") from None


# ---- the commands ------------------------------------------------------------------------------------------------


def _prepare_machine(options: argparse.Namespace) -> str:
    """Set threads, check the device and return it; libraries' own chatter is switched off."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if processes.count() > 1:  # each stage's DDP would warn that it looks for unused parameters and finds none
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # peft asks transformers for a name that is about to change; nothing a user can act on.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if options.threads < 0:
        raise ConfigError(f"--threads {options.threads}: expected 0 or more")
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    from pruning.measure.networks import devices

    known = {device.name: device for device in devices()}
    name = "cuda:0" if options.device == "cuda" and "cuda:0" in known else options.device
    if name not in known or not known[name].available:
        reason = known[name].reason if name in known else "no such device"
        available = ", ".join(device.name for device in known.values() if device.available)
        raise ConfigError(f"--device {options.device}: {reason}, expected one of auto, {available}")
    return options.device


def _run(options: argparse.Namespace) -> int:
    from pruning.config import PRESETS, StudyConfig
    from pruning.study.write import check_destination

    if not 0 <= options.seed < LARGEST_SEED:
        raise ConfigError(f"--seed {options.seed}: expected 0 to {LARGEST_SEED - 1}")
    settings: dict[str, Any] = dict(PRESETS[options.preset])
    settings |= {
        "backbone": options.backbone,
        "seed": options.seed,
        "penalty": options.penalty,
        "criterion": options.criterion,
        "teacher": options.teacher,
    }
    if options.transfer:
        settings["transfer"] = options.transfer
    if options.budgets is not None:
        settings["budgets"] = options.budgets
    if options.ship is not None:
        settings["ship"] = options.ship
    config = with_settings(StudyConfig(**settings), options.set)
    if options.ship is None and not config.ship:
        config = dataclasses.replace(config, ship=(min(config.budgets),))
    for budget in options.ship or ():
        if budget not in config.budgets:
            expected = ", ".join(f"{known:g}" for known in config.budgets)
            raise ConfigError(f"--ship {budget:g}: is not among the budgets, expected some of {expected}")
    data, name, notice = _study_data(options, config)
    device = _prepare_machine(options)
    if device.startswith("cuda:") and device != "cuda:0":  # the Trainer takes the first that it sees
        index = device.removeprefix("cuda:")
        raise ConfigError(
            f"--device {device}: training takes the first GPU it sees, expected cuda with CUDA_VISIBLE_DEVICES={index}"
        )
    folder = Path(options.output) / name
    runs = Path(options.runs)
    for needed in (Path(options.output), runs):
        needed.mkdir(parents=True, exist_ok=True)

    from pruning.pipeline import identity, run_study
    from pruning.publish import publish

    check_destination(folder, identity(config, data), options.overwrite)
    if notice and processes.is_main():
        _say(notice)
    run = run_study(config, data, runs, device=device, quiet=options.quiet)
    if not processes.is_main():
        return 0
    study = publish(run, folder, command=options.command_typed, overwrite=options.overwrite, say=_say)
    opening = f"SLIMVIZ_STUDIES={shlex.quote(str(Path(options.output)))} streamlit run app.py"
    if options.json:
        print(json.dumps({"study": str(study.folder), "results": _finite(study.results), "open": opening}))
    else:
        _print_results(study.task, study.results)
    _say(f"Stored in {study.folder}. See it in the dashboard:")
    _say(f"  {opening}")
    return 0


def with_settings(config: Any, pairs: Sequence[str]) -> Any:
    """A `StudyConfig` with NAME=VALUE pairs put in; ConfigError for an unknown name or a value of another kind."""
    for pair in pairs:
        name, separator, text = pair.partition("=")
        target = config.selection if name.startswith("selection.") else config
        field = name.removeprefix("selection.")
        if not separator or field not in {f.name for f in dataclasses.fields(target)} or field == "selection":
            raise ConfigError(f"--set {pair}: unknown setting, expected NAME=VALUE with a NAME of pruning/config.py")
        old = getattr(target, field)
        try:
            kind = type(old)
            value: Any = tuple(part for part in text.split(",") if part) if kind is tuple else kind(text)
            if isinstance(value, (int, float)) and not 0 <= value < math.inf:
                raise ConfigError(f"--set {pair}: expected a number of 0 or more")
            changed = dataclasses.replace(target, **{field: value})
        except ValueError:
            raise ConfigError(f"--set {pair}: expected a value like {_shown(old)}") from None
        config = changed if target is config else dataclasses.replace(config, selection=changed)
    return config


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _study_data(options: argparse.Namespace, config: Any) -> tuple[Any, str, str]:
    """Examples, the study's name, and what to tell of them (a line, or nothing)."""
    from pruning.data import default_source, hold_out, load_examples, load_file, require_two_labels
    from pruning.data.study_data import StudyData
    from pruning.data.tasks import custom_task, get_task

    if bool(options.task) == bool(options.train_file):
        raise ConfigError("run: expected either --task NAME or --train-file FILE")
    if options.task:
        if options.validation_file or options.regression:
            raise ConfigError("run: --validation-file and --regression go with --train-file, not with --task")
        task, source = get_task(options.task), options.data or default_source()
        train = load_examples(task, "train", source)
        validation = {split: load_examples(task, split, source) for split in task.validation}
        transfer = _transfer(task, source, config)
        return StudyData(task, train, validation, _source_name(source), transfer), options.name or task.name, ""
    name = options.name or _file_name(options.train_file)
    columns = (options.text, options.pair, options.label)
    train, labels = load_file(options.train_file, *columns, regression=options.regression, training=True)
    text = (options.text,) if options.pair is None else (options.text, options.pair)
    task = custom_task(name, text, labels, label=options.label)
    notice = ""
    if options.validation_file:
        held_out, _ = load_file(options.validation_file, *columns, task=task)
    else:
        train, held_out = hold_out(train, config.seed)
        require_two_labels(train, labels)
        rows = len(train) + len(held_out)
        notice = f"no validation file: {len(held_out)} of {rows} rows held out with seed {config.seed}"
    transfer = _transfer(task, options.data or default_source(), config)
    source = f"file {Path(options.train_file).name}"
    return StudyData(task, train, {"validation": held_out}, source, transfer), name, notice


def _transfer(task: Any, source: str, config: Any) -> Any:
    from pruning.data.study_data import transfer_examples
    from pruning.data.tasks import get_task

    if not config.recover.transfer:
        return None
    others = [get_task(name) for name in config.recover.transfer]
    return transfer_examples(task, others, source, config.recover.transfer_rows, config.seed)


def _source_name(source: str) -> str:
    return source if source in ("hub", "probe") else f"folder {Path(source).name}"


def _file_name(path: str) -> str:
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in Path(path).stem.lower()).strip("-")
    return letters[:60] or "own"


def _study_folder(name: str) -> Path | None:
    """The folder that a user means by a path or by a study's name; None where there is none."""
    from pruning.study.read import study_folders

    named = [Path(name)] if "/" in name else [Path(name), *(folder / name for folder in study_folders())]
    return next((folder for folder in named if folder.is_dir()), None)


def _find_study(name: str) -> Any:
    from pruning.study.read import read_study

    folder = _study_folder(name)
    if folder is None:
        raise DataError(f"study {name!r}: no such folder and no study of that name, expected one of `list`")
    return read_study(folder)


def _measure(options: argparse.Namespace) -> int:
    from pruning.data import default_source, load_examples, load_file

    study = _find_study(options.study)
    task = study.task
    if options.validation_file:
        columns = (options.text, options.pair, options.label)
        examples, _ = load_file(options.validation_file, *columns, task=task)
        splits = {Path(options.validation_file).name: examples}
    else:
        source = options.data or default_source()
        names = task.validation if source != "probe" else task.validation[:1]
        splits = {name: load_examples(task, name, source) for name in names}
    device = _prepare_machine(options)

    from pruning.publish import score, stored_networks

    networks = stored_networks(study, options.variant)
    length = study.data["config"]["max_length"]
    seed = study.data["provenance"]["seed"]
    results = []
    for split, examples in splits.items():
        _say(f"{split}: {len(examples)} examples, {examples.origin}")
        results += score(task, networks, examples, split, seed, length, device=device)
    if options.json:
        print(json.dumps({"study": study.name, "results": _finite(results)}))
    else:
        _print_results(task, results)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from pruning.data import load_file, unlabelled

    study = _find_study(options.study)
    task = study.task
    if (options.sentence is None) == (options.file is None):
        raise ConfigError("predict: expected either a text or --file FILE")
    if options.file:
        examples, _ = load_file(options.file, options.text, options.pair, None)
    else:
        pairs = None if options.second is None else [options.second]
        examples = unlabelled([options.sentence], pairs, "command line")
    if task.is_pair != (examples.pairs is not None):
        raise DataError(f"study {study.name}: {task.title} reads {'pairs' if task.is_pair else 'single texts'}")
    device = _prepare_machine(options)

    from pruning.publish import answer, stored_networks

    answers = answer(
        task, stored_networks(study, options.variant), examples, study.data["config"]["max_length"], device
    )
    if options.json:
        print(json.dumps({"study": study.name, "answers": answers}, ensure_ascii=False))
        return 0
    for row in answers:
        print(row["text"] if "pair" not in row else f"{row['text']}  |  {row['pair']}")
        for variant, found in row["variants"].items():
            shown = f"{found['score']:.2f}" if task.is_regression else f"{found['label']} ({found['probability']:.1%})"
            print(f"  {variant:<10} {shown}")
    return 0


def _list(options: argparse.Namespace) -> int:
    from pruning.study.read import BrokenStudy, list_studies

    found = list_studies([Path(options.studies)] if options.studies else None)
    studies = [study for study in found if not isinstance(study, BrokenStudy)]
    broken = [study for study in found if isinstance(study, BrokenStudy)]
    for study in broken:
        _say(f"broken: {study.folder}: {study.reason}")
    if options.json:
        rows = [{"task": s.task.name, "path": str(s.folder), "variants": list(s.variants)} for s in studies]
        print(json.dumps({"studies": rows}))
        return 0
    if not studies:
        _say("no studies found; make one: python -m pruning run --task sst2 --preset quick")
    for study in studies:
        print(f"{study.name:<16} {study.task.title:<8} {study.folder}  {', '.join(study.variants)}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    from pruning.study.read import list_studies
    from pruning.study.verify import verify

    named = [_study_folder(name) or Path(name) for name in options.studies]
    folders = named or [study.folder for study in list_studies()]
    problems = {str(folder): verify(folder) for folder in folders}
    if options.json:
        print(json.dumps({"studies": [{"path": path, "problems": found} for path, found in problems.items()]}))
    for path, found in problems.items():
        if not options.json:
            print(f"{path}: {'clean' if not found else '; '.join(found)}")
    if not folders:
        _say("no studies found")
    return USAGE_ERROR if any(problems.values()) else 0


def _finite(value: Any) -> Any:
    """Numbers that are not finite become null: JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value


def _print_results(task: Any, results: Sequence[dict[str, Any]]) -> None:
    for row in results:
        scores = ", ".join(f"{task.metric_title(name)} {row['metrics'][name]:.4f}" for name in task.metrics)
        count = f"{row['correct']}/{row['count']}" if row["correct"] is not None else f"n={row['count']}"
        kept = f"  retention {row['retention']:.1%}" if row.get("retention") is not None else ""
        density = f"  total density {row['total_density']:.1%}" if "total_density" in row else ""
        print(f"{row['variant']:<12} {row['split']:<12} {scores}  ({count}){kept}{density}")
