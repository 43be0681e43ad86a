"""The whole method, in order: one study from raw examples to networks that are trained, cut, measured and stored.

    teacher -> [slim] -> importance -> heads gated off -> (choose -> shrink -> [least squares] -> [recover]) a budget
        -> measure -> store

What stands in brackets is done where `StudyConfig.stages` names it; what stays is `StudyConfig.method`'s choice.
Every stage leaves its result under the run folder, in a folder named by all that it depends on (see `stages`); the same
call goes on where it was interrupted. Of several processes all train, the main one writes (see `training.processes`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from pruning.config import LatencySettings, StudyConfig, with_settings
from pruning.data import StudyData
from pruning.errors import ConfigError, SelectionError
from pruning.export.bound import in_onnx
from pruning.files import written_aside
from pruning.importance.factors import ImportanceFactors
from pruning.measure.ablation import Ablated, Ablation
from pruning.measure.answers import answered
from pruning.measure.environment import environment
from pruning.measure.gating import CHOICE_ROWS, Ground, ablate, drawn_apart, head_importance
from pruning.measure.latency_table import latency_table
from pruning.measure.network import Network
from pruning.methods.registry import study_method
from pruning.methods.shared import learn_shared
from pruning.records import to_plain
from pruning.report import PrunedNetwork, Run, identity_of, store_run
from pruning.selection.budgets import BUDGET_KINDS
from pruning.selection.latency import ONNX_INT8, TORCH, LatencyTable
from pruning.selection.table import smallest_network
from pruning.stages import Stages
from pruning.study.study import Study
from pruning.study.write import check_destination
from pruning.training import processes
from pruning.training.context import Context
from pruning.training.prepare import check_budgets, dense_shape, inputs_of, prepare, untrained_factors
from pruning.training.slim import Slimmed
from pruning.training.start import Start

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
    study_method(config)
    context = in_ratios(prepare(config, data, start=start, device=device, quiet=quiet), runs, say)
    if processes.is_main():
        check_destination(folder, identity_of(context), overwrite)
    run = make_networks(context, runs, say)
    return store_run(run, folder, command=command, overwrite=overwrite, say=say) if processes.is_main() else None


def stages_of(context: Context, runs: Path, say: Say = lambda line: None) -> Stages:
    """The stages of a study's run."""
    return Stages(runs / context.task.name, inputs_of(context), say)


def in_ratios(context: Context, runs: Path, say: Say = lambda line: None) -> Context:
    """Budgets in milliseconds as shares of what the teacher takes by the table measured here; others as they are.

    Raises:
        ConfigError: the teacher is no slower than that, or ONNX Runtime is wanted and cannot be had.
        SelectionError: no network is so fast.
    """
    config = context.config
    latency = measure_latency(context, stages_of(context, runs, say)) if config.milliseconds else None
    if latency is None:
        return context
    untrained = untrained_factors(context)
    teacher = untrained.shape.network()
    dense, least = map(latency.milliseconds, (teacher, smallest_network(untrained, config.selection)))
    for wanted in config.milliseconds:
        if wanted >= dense:
            raise ConfigError(f"budget of {wanted:g} ms: the teacher takes {dense:.3g} ms here, expected less")
        if wanted < least:
            raise SelectionError(
                f"budget of {wanted:g} ms: the fastest network takes {least:.3g} ms here, expected at least that"
            )
    ratios = {latency.share(wanted, teacher): wanted for wanted in config.milliseconds}
    for ratio, wanted in ratios.items():
        say(f"{wanted:g} ms are {ratio:.2%} of the teacher's {dense:.3g} ms here")
    return replace(context, config=with_settings(config, {"budgets": tuple(ratios), "ship": tuple(ratios)}))


def make_networks(context: Context, runs: Path, say: Say = lambda line: None) -> Run:
    """The method itself: every network of a study, in memory, ready to be measured."""
    config = context.config
    choose = study_method(config).chooser()
    stages = stages_of(context, runs, say)
    latency = measure_latency(context, stages)
    check_budgets(context, latency)

    shared = learn_shared(context, stages, latency)
    with stages.enter("ablation", {"ablation_rows": config.ablation_rows}, shared.ranking) as gating:
        ablations = find_ablations(context, shared.teacher.model, shared.slimmed, shared.factors, gating.folder)

    networks = []
    earlier: tuple[dict[str, Any], ...] = ()  # the same at all budgets
    for budget in config.all_budgets:
        chosen = choose(shared, budget, None)
        earlier = chosen.history
        solved = chosen.solved(shared)
        seeds = (None, *config.recover.seeds_at(budget.value)) if "recover" in config.stages else ()
        recovered = {seed: chosen.recovered(shared, solved, seed) for seed in seeds}
        cut = chosen.step.cut
        networks.append(PrunedNetwork(config.method, cut, cut.tokenizer(context), solved and solved.cut, recovered))
    processes.part()
    return Run(
        context,
        shared.teacher,
        shared.slimmed,
        earlier,
        shared.factors,
        ablations,
        latency,
        tuple(networks),
        stages.seconds,
    )


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
    here, device, wanted = environment(), context.torch_device, context.config.latency
    where = {"device": device, "hardware": here.hardware, "threads": here.threads}
    if wanted != LatencySettings():  # what was measured before there was a choice stays found
        where["latency"] = wanted
    bind = None
    if wanted.runtime != TORCH:
        if device != "cpu":
            raise ConfigError(f"latency.runtime {wanted.runtime}: computes on the CPU, not on {device}")
        bind = partial(in_onnx, is_int8=wanted.runtime == ONNX_INT8)
    with stages.enter("latency", where) as timing:
        path = timing.folder / "latency.json"
        with processes.main_first():
            if not path.is_file():
                with written_aside(path) as aside:
                    table = latency_table(dense_shape(context), device=device, bind=bind, **to_plain(wanted))
                    aside.write_bytes(msgspec.json.encode(table))
    return msgspec.json.decode(path.read_bytes(), type=LatencyTable)
