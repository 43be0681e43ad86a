"""The whole method, in order: one study from raw examples to networks that are trained, cut, measured and stored.

    teacher -> [slim] -> importance -> heads gated off -> (select -> shrink -> [least squares] -> [recover]) a budget
        -> measure -> store

What stands in brackets is done where `StudyConfig.stages` names it.
Every stage leaves its result under the run folder, in a folder named by all that it depends on (see `stages`); the same
call goes on where it was interrupted. Of several processes all train, the main one writes (see `training.processes`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from pruning.bert import vocabulary
from pruning.bert.backbones import load_backbone
from pruning.bert.model import bert_shape
from pruning.bert.neighbours import neighbours
from pruning.compress import least_squares
from pruning.compress.cut import shrunk_network
from pruning.config import StudyConfig
from pruning.data import Examples, StudyData, encode, joined
from pruning.data.alter import altered
from pruning.files import written_aside
from pruning.importance.factors import ImportanceFactors
from pruning.importance.gather import gather_factors
from pruning.importance.gradients import EXAMPLES
from pruning.importance.registry import CRITERIA
from pruning.measure.ablation import Ablated, Ablation
from pruning.measure.answers import answered
from pruning.measure.environment import environment
from pruning.measure.gating import CHOICE_ROWS, Ground, ablate, drawn_apart, head_importance
from pruning.measure.latency_table import latency_table
from pruning.measure.network import Network
from pruning.report import PrunedNetwork, Run, identity_of, store_run
from pruning.selection.budgets import BUDGET_KINDS
from pruning.selection.latency import LatencyTable
from pruning.selection.select import select
from pruning.slimbert import round_to_half
from pruning.stages import Stage, Stages
from pruning.study.arrays import decode_factors, encode_factors
from pruning.study.study import Study
from pruning.study.write import check_destination
from pruning.training import processes
from pruning.training.context import Context
from pruning.training.prepare import check_budgets, dense_shape, inputs_of, prepare
from pruning.training.recover import Cut, Lessons, recover, recovery_name, recovery_settings
from pruning.training.slim import Slimmed, slim, slimming_settings
from pruning.training.start import Start
from pruning.training.teacher import Teacher, train_teacher
from pruning.training.teacher_cache import cache_answers, hidden_bytes

Say = Callable[[str], None]


def run_study(
    config: StudyConfig,
    data: StudyData,
    folder: Path,
    *,
    runs: Path,
    command: str,
    start: Start | None = None,
    device: str | None = None,
    quiet: bool = False,
    overwrite: bool = False,
    say: Say = lambda line: None,
) -> Study | None:
    """Make a study: train, cut, measure and store its networks; see the module's first lines.

    Args:
        config: settings; epoch counts of 0 are filled in by the number of training rows.
        data: task and examples.
        folder: the study's folder; its name becomes the study's.
        runs: folder for checkpoints and stage results; may be deleted afterwards.
        command: what the user typed, for provenance.
        start: another task's teacher that this one's starts from, if any.
        device: "cpu" to stay off accelerators, otherwise one is picked up by itself.
        quiet: no progress bars.
        overwrite: replace a stored study of the same identity.
        say: called with a line a step.

    Returns:
        The study as stored; None in every process but the main one.
    """
    context = prepare(config, data, start=start, device=device, quiet=quiet)
    if processes.is_main():
        check_destination(folder, identity_of(context), overwrite)
    run = make_networks(context, runs, say)
    return store_run(run, folder, command=command, overwrite=overwrite, say=say) if processes.is_main() else None


def make_networks(context: Context, runs: Path, say: Say = lambda line: None) -> Run:
    """The method itself: every network of a study, in memory, ready to be measured."""
    config, task = context.config, context.task
    stages = Stages(runs / task.name, inputs_of(context), say)
    latency = measure_latency(context, stages)
    check_budgets(context, latency)

    with stages.enter("teacher", teaching_settings(context)) as teaching:
        teacher = train_teacher(context, teaching.folder)
    slimmed, uncut, made = None, teacher.model, teaching
    if "slim" in config.stages:
        slimmed, made = slim_teacher(context, stages, teacher, teaching)
        uncut = slimmed.model
    if not context.quiet:
        say("importance: gradients of some hundred texts, then what removing each unit costs")
    with stages.enter("importance", importance_settings(config), made) as ranking:
        factors = find_importance(context, teacher.model, slimmed, ranking.folder)
    with stages.enter("ablation", {"ablation_rows": config.ablation_rows}, ranking) as gating:
        ablations = find_ablations(context, teacher.model, slimmed, factors, gating.folder)

    others = other_texts(context) if "recover" in config.stages else None
    networks = []
    for budget in config.all_budgets:
        selection = select(factors, budget, config.selection, config.criterion, latency)
        cut = Cut(budget, selection, shrunk_network(task, uncut, factors, selection, config.selection.general_share))
        solved, recovered, earlier = None, {}, [made, ranking]
        if "least_squares" in config.stages:
            settings = {"least_squares": config.least_squares}
            with stages.enter(f"least-squares-{budget.name}", settings, *earlier) as solving:
                solved = solve_outputs(context, teacher.model, cut)
            earlier.append(solving)
        if "recover" in config.stages:
            lessons, learning = ask_teacher(context, stages, teacher, teaching, others)
            for seed in (None, *config.recover.seeds_at(budget.value)):
                seeded = context.with_seed(seed)
                name, settings = recovery_name(seeded, cut), recovery_settings(seeded, cut)
                with stages.enter(name, settings, *earlier, learning) as recovering:
                    recovered[seed] = recover(seeded, solved or cut, lessons, recovering.folder)
        tokenizer = vocabulary.cut_tokenizer(context.tokenizer, selection.pieces, positions=selection.positions)
        networks.append(PrunedNetwork(cut, tokenizer, solved, recovered))
    processes.part()
    return Run(context, teacher, slimmed, factors, ablations, latency, tuple(networks), stages.seconds)


def slim_teacher(context: Context, stages: Stages, teacher: Teacher, teaching: Stage) -> tuple[Slimmed, Stage]:
    """The slimmed teacher. Slimming reads its logits alone, which are the same with hidden states and without."""
    lessons, _ = ask_teacher(context, stages, teacher, teaching)
    with stages.enter("slim", slimming_settings(context.config), teaching) as slimming:
        return slim(context, teacher.model, lessons.answers, slimming.folder), slimming


def solve_outputs(context: Context, teacher: Any, cut: Cut) -> Cut:
    """A cut network with its output matrices solved on training texts, rounded as it would be stored."""
    settings, hidden = context.config.least_squares, cut.selection.masks.hidden
    texts = drawn_apart(context.data.train, settings.texts, context.config.seed)
    encoded = encode(context.tokenizer, texts, context.config.max_length)
    model, _ = least_squares.solved(
        teacher, cut.model, encoded, ridge=settings.ridge, hidden=None if hidden.all() else hidden
    )
    round_to_half(model)
    return replace(cut, model=model)


def teaching_settings(context: Context) -> dict[str, Any]:
    """All that the teacher depends on besides the run's inputs."""
    begun = {} if context.start is None else {"start": context.start.sha256}
    rounded = {"keep_teacher": context.config.keep_teacher} if context.has_given_teacher else {}
    return {"teacher": context.config.teacher, **begun, **rounded}


def ask_teacher(
    context: Context, stages: Stages, teacher: Teacher, teaching: Stage, more: Examples | None = None
) -> tuple[Lessons, Stage]:
    """The teacher's answers on the training texts and more, with its hidden states where there is room for them."""
    name = "cache" if more is None else "transfer-cache"
    examples = context.data.train if more is None else joined(context.data.train, more)
    encoded = context.texts if more is None else encode(context.tokenizer, examples, context.config.max_length)
    states, width = teacher.model.config.num_hidden_layers + 1, teacher.model.config.hidden_size
    hidden = hidden_bytes(encoded, states, width) <= context.config.recover.cache_bytes
    with stages.enter(name, {"texts": examples.sha256, "hidden": hidden}, teaching) as asking:
        answers = cache_answers(context, teacher.model, encoded, asking.folder, hidden=hidden)
    return Lessons(examples, encoded, answers), asking


def other_texts(context: Context) -> Examples | None:
    """What recovery follows the teacher on besides training texts: other tasks' texts, altered copies of its own."""
    others, copies = context.data.transfer, context.config.recover.altered
    if not copies:
        return others
    near = neighbours(load_backbone(context.backbone, context.task, context.config.seed), context.tokenizer)
    own = altered(context.data.train, near, copies, context.config.seed)
    return own if others is None else joined(others, own)


def importance_settings(config: StudyConfig) -> dict[str, Any]:
    """All that importance depends on besides the network; a new criterion starts the stage anew."""
    return {"criteria": list(CRITERIA), "examples": EXAMPLES, "general_share": config.selection.general_share}


def find_importance(context: Context, teacher: Any, slimmed: Slimmed | None, folder: Path) -> ImportanceFactors:
    """The stage: all criteria there are, piece counts, the table's spectrum and the pooler's importance."""
    path = folder / "factors.safetensors"
    with processes.main_first():
        if not path.is_file():
            factors = gather_factors(
                teacher,
                None if slimmed is None else slimmed.model,
                context.tokenizer,
                context.texts,
                is_regression=context.task.is_regression,
                general_share=context.config.selection.general_share,
                seed=context.config.seed,
            )
            with written_aside(path) as aside:
                aside.write_bytes(encode_factors(factors))
    return decode_factors(path.read_bytes(), bert_shape(teacher))


def find_ablations(
    context: Context, teacher: Any, slimmed: Slimmed | None, factors: ImportanceFactors, folder: Path
) -> tuple[Ablation, ...]:
    """The stage: what heads gated off by each criterion cost, on rows to choose one by and on others to report."""
    rows, path = context.config.ablation_rows, folder / "ablations.json"
    with processes.main_first():
        if not path.is_file():
            measured: list[Ablation] = []
            if rows:
                choice, report = ablation_grounds(context, rows)
                if not choice.examples.is_labelled:
                    asked = Network(teacher, context.tokenizer, context.config.max_length).on(context.torch_device)
                    choice = replace(choice, examples=answered(context.task, asked, choice.examples))
                cases: list[tuple[Ablated, Any, Ground]] = [
                    ("teacher", teacher, choice),
                    ("teacher", teacher, report),
                ]
                if slimmed is not None:
                    cases.append(("slimmed", slimmed.model, report))
                for which, model, ground in cases:
                    network = Network(model, context.tokenizer, context.config.max_length).on(context.torch_device)
                    with tqdm(desc=f"heads off, {ground.split}", unit="set", disable=context.quiet) as bar:
                        measured.append(ablate(network, which, head_importance(factors), ground, _on(bar)))
                    model.cpu()
            with written_aside(path) as aside:
                aside.write_bytes(msgspec.json.encode(measured))
    return msgspec.json.decode(path.read_bytes(), type=tuple[Ablation, ...])


def _on(bar: Any) -> Callable[[int, int], None]:
    """Progress as a bar shows it."""

    def tell(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return tell


def ablation_grounds(context: Context, rows: int) -> tuple[Ground, Ground]:
    """Training rows to choose a criterion by, rather none that gradients were taken on; rows to report on."""
    task, seed, precision = context.task, context.config.seed, context.precision
    report, train = next(iter(context.data.validation.values())), context.data.train
    choice = drawn_apart(train, min(rows, CHOICE_ROWS), seed)
    return (
        Ground(task, "train", choice, seed, random_orders=0, precision=precision),
        Ground(task, task.validation[0], drawn_apart(report, rows), precision=precision),
    )


def measure_latency(context: Context, stages: Stages) -> LatencyTable | None:
    """The stage: milliseconds of sub-layers on this run's device, where budgets are counted in them."""
    if not BUDGET_KINDS[context.config.budget_kind].needs_latency:
        return None
    here, device = environment(), context.torch_device
    with stages.enter("latency", {"device": device, "hardware": here.hardware, "threads": here.threads}) as timing:
        path = timing.folder / "latency.json"
        with processes.main_first():
            if not path.is_file():
                with written_aside(path) as aside:
                    aside.write_bytes(msgspec.json.encode(latency_table(dense_shape(context), device=device)))
    return msgspec.json.decode(path.read_bytes(), type=LatencyTable)
