"""Every knob of a study, its default and the reason for it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from pruning.bert.shapes import Site
from pruning.errors import ConfigError
from pruning.selection.select import Budget, SelectionSettings

PRECISIONS = ("auto", "float32", "bfloat16")
TEACHERS = ("adapter", "full")


@dataclass(frozen=True)
class StudyConfig:
    """Settings of one study. Epoch counts of 0 stand for "by the number of training rows" (see `resolve`).

    Attributes:
        backbone: "all-MiniLM-L6-v2" (embedded), a hub id, or a folder with a BERT encoder.
        seed: of initial weights, batch order, dropout.
        max_length: longest text in tokens; the slim network keeps that many positions.
        train_rows: at most so many training examples, drawn with the seed; 0 for all.
        precision: "bfloat16" halves a training step where the processor has the instructions; "auto" asks it.
        batch_size: examples a step (and process, where there are several); 0 for 64 from 20,000 rows on, 32 below.
        teacher: "adapter" (low-rank, a megabyte or two to ship) or "full" fine-tuning.
        adapter_rank: rank of the adapter's matrices; 16 kept at least 99% of full fine-tuning on CoLA, MRPC, STS-B and
            SST-2. RTE needed 32 and a lower rate to keep 97%.
        teacher_epochs: passes over the training rows.
        teacher_rate: learning rate of the adapter (the head shares it).
        full_rate: learning rate of full fine-tuning.
        sites: where slim layers are attached.
        penalty: "log" (SlimBERT), "l1" or "l0".
        penalty_weight: lambda; SlimBERT's 1e-4.
        slim_epochs: passes with slim layers.
        slim_rate: learning rate of the weights while slimming (SlimBERT's 2e-5 order).
        alpha_rate: learning rate of the factors; SlimBERT's 1e-3 order, larger because fewer steps are taken.
        criterion: whose factors rank the units.
        budgets: total densities to cut to, each recovered from the same slimmed network.
        ship: budgets whose weights are stored; the others store numbers only.
        selection: see `SelectionSettings`.
        recover_epochs: passes of distillation after the cut; above 20% density a quarter as many, for less was lost.
        recover_rate: peak learning rate of recovery; small networks want a large one (5e-4 in the prototype).
        temperature: of the softened labels in distillation.
        logits_weight: weight of the distance to the teacher's logits.
        hidden_weight: weight of the distance to the teacher's hidden states; layers are matched one to one, each
            distance divided by the variance of the teacher's states in that layer. 10 did best of 0.3, 1, 3 and 10 on
            held-out SST-2 training rows (accuracy 0.915, 0.9153, 0.919, 0.920 after 2 epochs on 20,000 rows at 10%).
        task_weight: weight of the labels' own loss while distilling.
        weight_decay: AdamW's.
        warmup_share: share of steps with a rising learning rate; then it falls linearly to zero.
        checkpoint_steps: steps between checkpoints.
        cache_bytes: most disk for the teacher's hidden states; above it recovery does without them.
        transfer: GLUE tasks whose training texts, without their labels, recovery follows the teacher on as well; for
            tasks with few rows of their own.
        transfer_rows: at most so many of these texts.
    """

    backbone: str = "all-MiniLM-L6-v2"
    seed: int = 0
    max_length: int = 128
    train_rows: int = 0
    precision: str = "auto"
    batch_size: int = 0
    teacher: str = "adapter"
    adapter_rank: int = 16
    teacher_epochs: int = 0
    teacher_rate: float = 1e-3
    full_rate: float = 5e-5
    sites: tuple[Site, ...] = tuple(Site)
    penalty: str = "log"
    penalty_weight: float = 1e-4
    slim_epochs: int = 0
    slim_rate: float = 5e-5
    alpha_rate: float = 5e-3
    criterion: str = "alpha"
    budgets: tuple[float, ...] = (0.5, 0.25, 0.1, 0.05)
    ship: tuple[float, ...] = (0.1,)
    selection: SelectionSettings = field(default_factory=SelectionSettings)
    recover_epochs: int = 0
    recover_rate: float = 5e-4
    temperature: float = 2.0
    logits_weight: float = 1.0
    hidden_weight: float = 10.0
    task_weight: float = 0.5
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    checkpoint_steps: int = 200
    cache_bytes: int = 12_000_000_000
    transfer: tuple[str, ...] = ()
    transfer_rows: int = 30_000

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        for site in set(self.sites) - set(Site):
            raise ConfigError(f"sites: {site!r} is unknown, expected some of {', '.join(Site)}")
        object.__setattr__(self, "sites", tuple(Site(site) for site in self.sites))
        object.__setattr__(self, "budgets", tuple(sorted({float(b) for b in self.budgets}, reverse=True)))
        object.__setattr__(self, "ship", tuple(float(b) for b in self.ship if float(b) in self.budgets))
        for name, allowed in (("precision", PRECISIONS), ("teacher", TEACHERS), ("penalty", ("log", "l1", "l0"))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} {getattr(self, name)!r}: expected one of {', '.join(allowed)}")
        for name in ("seed", "batch_size", "train_rows", "teacher_epochs", "slim_epochs", "recover_epochs"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} {getattr(self, name)}: expected 0 or more")
        for name in ("adapter_rank", "checkpoint_steps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: expected at least 1")
        if not 8 <= self.max_length <= 512:
            raise ConfigError(f"max_length {self.max_length}: expected 8 to 512 tokens")
        if self.selection.positions != self.max_length:
            object.__setattr__(self, "selection", dataclasses.replace(self.selection, positions=self.max_length))
        for budget in self.budgets:
            Budget("total_density", budget)
        if not self.budgets:
            raise ConfigError("budgets: none given, expected at least one total density such as 0.1")

    def resolve(self, rows: int) -> StudyConfig:
        """Fill in epoch counts that were left to the number of training rows."""
        # Fixed beforehand, the same for all tasks of a size; never chosen on a validation split. Factors start at 1 and
        # need some 1,000 steps to tell units apart: after 240 steps (RTE, 3 epochs) not one of them was near 0.
        if rows >= 20_000:
            teacher, slim, recover = (2, 1, 8) if rows >= 50_000 else (3, 2, 12)
        else:
            teacher, slim, recover = 6, 3 if rows >= 5_000 else 10, 30
        return dataclasses.replace(
            self,
            batch_size=self.batch_size or (64 if rows >= 20_000 else 32),
            teacher_epochs=self.teacher_epochs or teacher,
            slim_epochs=self.slim_epochs or slim,
            recover_epochs=self.recover_epochs or recover,
        )

    def recovery_epochs(self, budget: float) -> int:
        """Epochs of recovery at a budget."""
        return self.recover_epochs if budget <= 0.2 else max(1, self.recover_epochs // 4)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as stored with the study."""
        values = dataclasses.asdict(self)
        values["sites"] = [site.value for site in self.sites]
        values["selection"] = self.selection.to_json()
        for name in ("budgets", "ship", "transfer"):
            values[name] = list(values[name])
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> StudyConfig:
        """The inverse of `to_json`; unknown keys are refused."""
        unknown = set(values) - {f.name for f in dataclasses.fields(cls)}
        if unknown:
            raise ConfigError(f"study configuration: unknown keys {', '.join(sorted(unknown))}")
        values = dict(values)
        if "selection" in values:
            try:
                values["selection"] = SelectionSettings(**values["selection"])
            except (TypeError, ValueError) as error:
                raise ConfigError(f"study configuration: selection: {error}") from None
        for name in ("sites", "budgets", "ship", "transfer"):
            if name in values:
                values[name] = tuple(values[name])
        return cls(**values)


PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    # Minutes on two cores: a look at the whole path, not a result to quote.
    "quick": {
        "train_rows": 2000,
        "teacher_epochs": 1,
        "slim_epochs": 1,
        "recover_epochs": 2,
        "budgets": (0.1,),
    },
}


def percent_name(budget: float) -> str:
    """A budget as variants are named: 0.1 -> "10", 0.025 -> "2.5"."""
    return f"{100 * budget:.4g}"
