"""Every setting of a study, one class a stage, each with its default and the reason for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from pruning.bert.penalties import PENALTIES
from pruning.bert.shapes import Site
from pruning.data import TASKS
from pruning.errors import ConfigError
from pruning.importance.registry import CRITERIA, UNIT_CRITERIA
from pruning.records import AboveZero, Count, Density, Positive, Rate, Record, Seed, Share, Weight, expectation, shown
from pruning.selection.budget import Budget
from pruning.selection.budgets import BUDGET_KINDS
from pruning.selection.latency import RUNTIMES, TORCH
from pruning.selection.settings import SelectionSettings

OptionalStage = Literal["slim", "least_squares", "recover"]
DEFAULT_METHOD = "slim"
SMALL_BUDGET = 0.2  # up to here most is lost and has to be learned again
Epochs = Annotated[int, Meta(ge=0, le=10_000)]  # 0: by the number of training rows


class TrainerSettings(Record, frozen=True):
    """What all training shares.

    Attributes:
        precision: "bfloat16" halves a training step where the processor has the instructions; "auto" asks it.
        batch_size: examples a step (and process, where there are several); 0 for 64 from 20,000 rows on, 32 below.
        weight_decay: AdamW's.
        warmup_share: share of steps with a rising learning rate; then it falls linearly to zero.
        checkpoint_steps: steps between checkpoints.
    """

    label: ClassVar[str] = "trainer."

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_size: Annotated[int, Meta(ge=0, le=65_536)] = 0
    weight_decay: Annotated[float, Meta(ge=0, le=10)] = 0.01
    warmup_share: Share = 0.1
    checkpoint_steps: Annotated[int, Meta(ge=1, le=1_000_000)] = 200


class TeacherSettings(Record, frozen=True):
    """How the backbone is fine-tuned.

    Attributes:
        tuning: "adapter" (low-rank, a megabyte or two to ship) or "full" fine-tuning; "none": the backbone comes with
            a fine-tuned head and is the teacher as it is.
        rank: of the adapter's matrices; 16 kept at least 99% of full fine-tuning on CoLA, MRPC, STS-B and SST-2. RTE
            needed 32 and a lower rate to keep 97%.
        epochs: passes over the training rows.
        rate: learning rate of the adapter (the head shares it).
        full_rate: learning rate of full fine-tuning.
    """

    label: ClassVar[str] = "teacher."

    tuning: Literal["adapter", "full", "none"] = "adapter"
    rank: Annotated[int, Meta(ge=1, le=4096)] = 16
    epochs: Epochs = 0
    rate: Rate = 1e-3
    full_rate: Rate = 5e-5


class DistillationSettings(Record, frozen=True):
    """What slimming and recovery learn from the teacher.

    Attributes:
        temperature: of the softened labels; 1 follows unseen texts closer than 2 (docs/experiments.md).
        logits_weight: weight of the distance to the teacher's logits.
        task_weight: weight of the labels' own loss. 0: a student that learns them too learns the training rows by
            heart, and strays from its teacher elsewhere.
    """

    label: ClassVar[str] = "distillation."

    temperature: Annotated[float, Meta(gt=0, le=100)] = 1.0
    logits_weight: Weight = 1.0
    task_weight: Weight = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.logits_weight and not self.task_weight:
            raise ConfigError("distillation.logits_weight and task_weight are both 0, expected something to learn from")


class SlimSettings(Record, frozen=True):
    """How importance factors are trained.

    Attributes:
        sites: where slim layers are attached.
        penalty: "log" (SlimBERT), "l1" or "l0".
        penalty_weight: lambda; SlimBERT's 1e-4.
        epochs: passes with slim layers.
        rate: learning rate of the weights while slimming (SlimBERT's 2e-5 order); a merged adapter's stay as they are.
        alpha_rate: learning rate of the factors; SlimBERT's 1e-3 order, larger because fewer steps are taken.
    """

    label: ClassVar[str] = "slim."

    sites: Annotated[tuple[Site, ...], Meta(min_length=1)] = tuple(Site)
    penalty: str = "log"
    penalty_weight: Weight = 1e-4
    epochs: Epochs = 0
    rate: Rate = 5e-5
    alpha_rate: Rate = 5e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_choice("slim.penalty", self.penalty, tuple(PENALTIES))
        _check_distinct("slim.sites", self.sites)


class RecoverSettings(Record, frozen=True):
    """How a cut network is trained again.

    Attributes:
        steps: batches of distillation after the cut; above 20% density a quarter as many, for less was lost. 0: by the
            number of training rows.
        epochs: passes over all examples instead, where it is not 0; above 20% density a quarter as many.
        own_share: of each batch; the rest are texts of other tasks, where there are some.
        last_share: of the steps, at the end, on own examples only.
        seeds: further seeds that budgets up to 20% density are recovered with as well, for their numbers' spread.
        rate: peak learning rate; small networks want a large one. Above 20% density a fifth of it: 5e-4 there undid
            what least squares had left (CoLA's development split, 50%: MCC 0.324, then 0.283; 0.335 with 1e-4).
        hidden_weight: weight of the distance to the teacher's hidden states; layers are matched one to one, each
            distance divided by the variance of the teacher's states in that layer. 10 did best of 0.3, 1, 3 and 10 on
            held-out SST-2 training rows (accuracy 0.915, 0.9153, 0.919, 0.920 after 2 epochs on 20,000 rows at 10%).
        cache_bytes: most disk for the teacher's hidden states; above it recovery does without them.
        transfer: GLUE tasks whose training texts, without their labels, recovery follows the teacher on as well; for
            tasks with few rows of their own.
        transfer_rows: at most so many of these texts.
        altered: so many altered copies of own texts, without their labels, that recovery follows the teacher on too.
    """

    label: ClassVar[str] = "recover."

    steps: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    epochs: Epochs = 0
    own_share: Annotated[float, Meta(gt=0, le=1)] = 0.34
    last_share: Share = 0.1
    seeds: tuple[Seed, ...] = ()
    rate: Rate = 5e-4
    hidden_weight: Weight = 10.0
    cache_bytes: Count = 12_000_000_000
    transfer: tuple[str, ...] = ()
    transfer_rows: Positive = 30_000
    altered: Annotated[int, Meta(ge=0, le=10_000_000)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.transfer:
            _check_choice("recover.transfer", name, tuple(TASKS))
        _check_distinct("recover.transfer", self.transfer)
        _check_distinct("recover.seeds", self.seeds)

    def epochs_at(self, budget: float) -> int:
        """Epochs of recovery at a budget."""
        return self.epochs if budget <= SMALL_BUDGET else max(1, self.epochs // 4)

    def steps_at(self, budget: float) -> int:
        """Steps of recovery at a budget."""
        return self.steps if budget <= SMALL_BUDGET else max(1, self.steps // 4)

    def rate_at(self, budget: float) -> float:
        """Peak learning rate of recovery at a budget."""
        return self.rate if budget <= SMALL_BUDGET else self.rate / 5

    def seeds_at(self, budget: float) -> tuple[Seed, ...]:
        """Further seeds of recovery at a budget."""
        return self.seeds if budget <= SMALL_BUDGET else ()


class LeastSquaresSettings(Record, frozen=True):
    """How a cut network's output matrices are solved anew, see `compress.least_squares`.

    Attributes:
        texts: training texts that they are solved on, drawn with the study's seed.
        ridge: what holds the matrices back, as a share of the mean square of what they read.
    """

    label: ClassVar[str] = "least_squares."

    texts: Positive = 1024
    ridge: Weight = 0.1


class LatencySettings(Record, frozen=True):
    """What milliseconds are counted for, where budgets are counted in them.

    Attributes:
        batch: texts at once.
        length: tokens a text.
        runtime: what computes, see `selection.latency.RUNTIMES`; ONNX Runtime needs requirements-onnx.txt.
    """

    label: ClassVar[str] = "latency."

    batch: Positive = 1
    length: Annotated[int, Meta(ge=4, le=512)] = 32
    runtime: str = TORCH

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_choice("latency.runtime", self.runtime, RUNTIMES)


class StudyConfig(Record, frozen=True):
    """Settings of one study. Epoch counts of 0 stand for "by the number of training rows" (see `resolve`).

    Attributes:
        backbone: "all-MiniLM-L6-v2" (embedded), a hub id, or a folder with a BERT encoder.
        seed: of initial weights, batch order, dropout.
        keep_teacher: whether a study stores the weights of a teacher that it did not train itself.
        teacher_from: name of the study whose teacher this one's starts from; "" for the bare backbone.
        max_length: longest text in tokens; the slim network keeps that many positions.
        train_rows: at most so many training examples, drawn with the seed; 0 for all.
        budget_kind: what the budgets are ratios of, see `selection.budget`.
        budgets: ratios to cut to, each recovered from the same slimmed network.
        ship: budgets whose weights are stored; the others store numbers only.
        milliseconds: limits that the budgets are made from once the machine is measured, see `pipeline.run_study`.
        latency: see `LatencySettings`.
        method: that chooses what stays, see `methods.registry`; "slim" is SlimViz's own, the others are its rivals.
        criterion: whose factors rank the units, where the method is SlimViz's own.
        stages: which of them a study goes through, besides training its teacher and cutting: "slim" (factors are
            trained before the cut), "least_squares" and "recover" (after it, in this order).
        ablation_rows: at most so many examples on which heads are gated off by each criterion; 0 leaves that out.
        trainer: what all training shares.
        teacher: see `TeacherSettings`.
        distillation: see `DistillationSettings`.
        slim: see `SlimSettings`.
        selection: see `SelectionSettings`; its `positions` follow `max_length`.
        least_squares: see `LeastSquaresSettings`.
        recover: see `RecoverSettings`.
    """

    backbone: Annotated[str, Meta(min_length=1, max_length=2000)] = "all-MiniLM-L6-v2"
    seed: Seed = 0
    keep_teacher: bool = False
    teacher_from: Annotated[str, Meta(max_length=100)] = ""
    max_length: Annotated[int, Meta(ge=8, le=512)] = 128
    train_rows: Count = 0
    budget_kind: str = "total_density"
    budgets: Annotated[tuple[Density, ...], Meta(min_length=1)] = (0.5, 0.25, 0.1, 0.05)
    ship: tuple[Density, ...] = (0.1, 0.05)
    milliseconds: tuple[AboveZero, ...] = ()
    latency: LatencySettings = msgspec.field(default_factory=LatencySettings)
    method: Annotated[str, Meta(pattern=r"^[a-z]+(?:-[a-z]+)*$", max_length=40)] = DEFAULT_METHOD
    criterion: str = "brain_surgeon"
    stages: tuple[OptionalStage, ...] = ("least_squares", "recover")
    ablation_rows: Count = 400
    trainer: TrainerSettings = msgspec.field(default_factory=TrainerSettings)
    teacher: TeacherSettings = msgspec.field(default_factory=TeacherSettings)
    distillation: DistillationSettings = msgspec.field(default_factory=DistillationSettings)
    slim: SlimSettings = msgspec.field(default_factory=SlimSettings)
    selection: SelectionSettings = msgspec.field(default_factory=SelectionSettings)
    least_squares: LeastSquaresSettings = msgspec.field(default_factory=LeastSquaresSettings)
    recover: RecoverSettings = msgspec.field(default_factory=RecoverSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_choice("budget_kind", self.budget_kind, tuple(BUDGET_KINDS))
        _check_choice("criterion", self.criterion, UNIT_CRITERIA)
        if self.selection.positions != self.max_length:
            raise ConfigError(
                f"selection.positions {self.selection.positions}: expected max_length's {self.max_length}; set that"
            )
        msgspec.structs.force_setattr(self, "budgets", tuple(sorted(set(self.budgets), reverse=True)))
        msgspec.structs.force_setattr(self, "ship", tuple(sorted(set(self.ship), reverse=True)))
        names = Counter(budget.name for budget in self.all_budgets)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ConfigError(f"budgets: two of them are called {twice[0]!r}, expected budgets further apart")
        if self.seed in self.recover.seeds:
            raise ConfigError(f"recover.seeds {shown(self.recover.seeds)}: expected others than seed {self.seed}")
        if self.teacher_from and self.has_given_teacher:
            raise ConfigError(f"teacher_from {self.teacher_from}: the teacher is not trained, expected none")
        for budget in self.ship:
            if budget not in self.budgets:
                expected = ", ".join(f"{known:g}" for known in self.budgets)
                raise ConfigError(f"ship {budget:g}: is not among the budgets, expected some of {expected}")
        if self.milliseconds and self.budget_kind != "latency_ratio":
            raise ConfigError(f"milliseconds: go with budget_kind latency_ratio, not with {self.budget_kind}")
        _check_distinct("milliseconds", self.milliseconds)
        self._check_stages()
        self._check_ranked_sites()

    def _check_stages(self) -> None:
        """A study ends with a network that is stored, and ranks units by what its stages find."""
        _check_distinct("stages", self.stages)
        if not {"least_squares", "recover"} & set(self.stages):
            raise ConfigError(f"stages {shown(self.stages)}: expected least_squares or recover among them")
        if CRITERIA[self.criterion].needs == "slimmed" and "slim" not in self.stages:
            raise ConfigError(f"criterion {self.criterion}: is what slimming finds, expected slim among the stages")

    def _check_ranked_sites(self) -> None:
        """What slimming finds ranks only units that have a factor; the other criteria find something for every unit."""
        cut = {*self.selection.sites, *([Site.HIDDEN] if self.selection.hidden_keep < 1 else [])}
        missing = [site.value for site in Site if site in cut and site not in self.slim.sites]
        if CRITERIA[self.criterion].needs == "slimmed" and missing:
            raise ConfigError(
                f"criterion {self.criterion}: units at {missing[0]} may be cut but get no factors, expected "
                f"{missing[0]} among slim.sites or not among selection.sites"
            )

    @property
    def has_given_teacher(self) -> bool:
        """Whether the backbone comes fine-tuned, by somebody else, and is the teacher itself."""
        return self.teacher.tuning == "none"

    @property
    def all_budgets(self) -> tuple[Budget, ...]:
        """The budgets with their kind, largest first."""
        return tuple(Budget(self.budget_kind, value) for value in self.budgets)

    def resolve(self, rows: int) -> StudyConfig:
        """Fill in batch size and epoch counts that were left to the number of training rows."""
        # Fixed beforehand, the same for all tasks of a size; never chosen on a validation split. Factors start at 1 and
        # need some 1,000 steps to tell units apart: after 240 steps (RTE, 3 epochs) not one of them was near 0.
        if rows >= 20_000:
            teacher, slim, recover = (2, 1, 4000) if rows >= 50_000 else (3, 2, 4000)
        else:
            # Below 1,000 rows each comes 16 times and more in 500 batches.
            teacher, slim, recover = 6, 3 if rows >= 5_000 else 10, 1500 if rows >= 1000 else 500
        return self.replace(
            trainer=self.trainer.replace(batch_size=self.trainer.batch_size or (64 if rows >= 20_000 else 32)),
            teacher=self.teacher.replace(epochs=self.teacher.epochs or teacher),
            slim=self.slim.replace(epochs=self.slim.epochs or slim),
            recover=self.recover.replace(steps=self.recover.steps or recover)
            if not self.recover.epochs
            else self.recover,
        )


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} {value!r:.40}: expected one of {', '.join(allowed)}")


def _check_distinct(name: str, values: Sequence[Any]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ConfigError(f"{name} {shown(values)}: names {shown(twice[:1])} twice, expected each once")


# Settings were flat up to schema 1; commands written then still work, and `upgrade` reads studies made then.
FLAT_NAMES = {
    **{name: f"trainer.{name}" for name in ("precision", "batch_size", "weight_decay", "warmup_share")},
    "checkpoint_steps": "trainer.checkpoint_steps",
    "teacher": "teacher.tuning",
    "adapter_rank": "teacher.rank",
    "teacher_epochs": "teacher.epochs",
    "teacher_rate": "teacher.rate",
    "full_rate": "teacher.full_rate",
    **{name: f"distillation.{name}" for name in ("temperature", "logits_weight", "task_weight")},
    **{name: f"slim.{name}" for name in ("sites", "penalty", "penalty_weight", "alpha_rate")},
    "slim_epochs": "slim.epochs",
    "slim_rate": "slim.rate",
    "recover_epochs": "recover.epochs",
    "recover_rate": "recover.rate",
    **{name: f"recover.{name}" for name in ("hidden_weight", "cache_bytes", "transfer", "transfer_rows")},
}


def with_settings(config: StudyConfig, values: Mapping[str, Any]) -> StudyConfig:
    """A configuration with some settings changed, all at once.

    `selection.positions` follows a new `max_length`, and what ships follows new budgets, unless they are given, too.

    Args:
        config: to start from.
        values: by dotted name ("seed", "teacher.rank"); a whole stage's settings may stand under its own name.

    Raises:
        ConfigError: an unknown name, or a value that its setting cannot take.
    """
    groups: dict[str, dict[str, Any]] = {}
    changes: dict[str, Any] = {}
    for name, value in values.items():
        group, field = (name, "") if isinstance(value, Record) else _place(name)
        if field:
            groups.setdefault(group, {})[field] = value
        else:
            changes[group] = value
    for group, fields in groups.items():
        changes[group] = changes.get(group, getattr(config, group)).replace(**fields)
    if "max_length" in changes and "positions" not in groups.get("selection", {}):
        changes["selection"] = changes.get("selection", config.selection).replace(positions=changes["max_length"])
    if "budgets" in changes and "ship" not in changes:
        known = tuple(budget for budget in config.ship if budget in changes["budgets"])
        changes["ship"] = known or tuple(sorted(changes["budgets"]))[:1]
    return config.replace(**changes)


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings as typed on a command line, each value in its setting's type; for `with_settings`.

    Args:
        pairs: "NAME=VALUE" with a dotted or flat name; a value of several parts is separated by commas.

    Raises:
        ConfigError: an unknown name, or a value that its setting cannot take.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator:
            raise ConfigError(f"--set {shown(pair)}: expected NAME=VALUE with a NAME of pruning/config.py")
        group, field = _place(name)
        owner = type(getattr(StudyConfig(), group)) if field else StudyConfig
        kind = next(known.type for known in msgspec.structs.fields(owner) if known.name == (field or group))
        is_list = isinstance(getattr(owner(), field or group), tuple)
        try:
            parts = [part.strip() for part in text.split(",") if part.strip()] if is_list else text.strip()
            value = msgspec.convert(parts, kind, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(f"--set {name}={shown(text)}: {expectation(error, kind)}") from None
        if values.setdefault(f"{group}.{field}" if field else group, value) != value:
            raise ConfigError(f"--set {name}={shown(text)}: is set twice, expected one value")
    return values


def _place(name: str) -> tuple[str, str]:
    """A setting's stage and field; its own name and "" for one of the whole study.

    Raises:
        ConfigError: if there is no such setting, or the name is a whole stage's.
    """
    group, _, field = FLAT_NAMES.get(name, name).partition(".")
    stage = getattr(StudyConfig(), group, None)
    fields = stage.__struct_fields__ if isinstance(stage, Record) else ("",)
    if group not in StudyConfig.__struct_fields__ or field not in fields:
        raise ConfigError(f"setting {shown(name)}: unknown, expected a NAME of pruning/config.py such as teacher.rank")
    return group, field


PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    # Minutes: nothing is trained but the teacher.
    "one-shot": {
        "stages": ("least_squares",),
        "criterion": "brain_surgeon",
        "selection.attention_preference": 1.0,
        "ablation_rows": 0,
    },
    # SlimBERT's own way: units ranked by the factors that slimming leaves.
    "slimming": {
        "stages": ("slim", "recover"),
        "criterion": "alpha",
        "selection.attention_preference": 2.0,
        "distillation.temperature": 2.0,
        "distillation.task_weight": 0.5,
    },
    # Minutes on two cores: a look at the whole path, not a result to quote.
    "quick": {
        "train_rows": 2000,
        "teacher.epochs": 1,
        "slim.epochs": 1,
        "recover.epochs": 2,
        "budgets": (0.1,),
        "ablation_rows": 100,
    },
}
