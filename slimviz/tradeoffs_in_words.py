"""Sentences on what networks score against what they cost, as Trade-offs shows it (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pruning.data.tasks import Task
from slimviz.frames.axes import Axis, best_within, frontiers, place, score_text
from slimviz.frames.budgets import default_budget
from slimviz.frames.measured import TEACHER_KEY, Point
from slimviz.theme import FAMILY_TITLES, budget_title, listing, milliseconds_text

RIVALS = "python -m pruning sweep benchmarks/rivals.toml"


def point_title(point: Point) -> str:
    """A network as printed: "SlimViz at 10%"; a teacher has no budget."""
    budget = point.first.budget
    return f"{point.method.title} at {budget_title(budget)}" if budget else point.method.title


def headline(points: Sequence[Point], axis: Axis, measure: str, task: Task, title: str) -> str:
    """What the chart says: smaller matrices against zeros where both are there, else what nothing beats.

    Args:
        points: drawable, teachers among them.
        axis: the lower one.
        measure: the upright one.
        task: theirs.
        title: the study's.
    """
    if all(point.method.is_teacher for point in points):
        return f"No network chosen of {title} has both a score and a cost on these axes."
    if versus := _families(points, axis, measure, task, title):
        return versus
    unbeaten = frontiers(points, axis, measure)
    what = f"nothing as cheap beats {sum(map(len, unbeaten.values()))} of {len(points)} networks"
    said = f"{title} by {measure_words(task, measure)}: {what}"
    ends = next(iter(unbeaten.values()))
    if len(unbeaten) > 1:
        return f"{said}, each on the machine that timed it."
    if len(ends) == 1:
        return f"{said}: {_named(ends[0], axis, measure, task)}."
    first, last = (_named(point, axis, measure, task) for point in (ends[0], ends[-1]))
    return f"{said}, from {first} to {last}."


def measure_words(task: Task, measure: str) -> str:
    """The upright axis inside a sentence: "accuracy", "share of MCC kept"."""
    title = task.metric_title()
    metric = title if title[:2].isupper() or title[0] not in "AC" else title[0].lower() + title[1:]
    return {"metric": metric, "kept": f"share of {metric} kept"}.get(measure, f"share of {metric} kept above the floor")


def _families(points: Sequence[Point], axis: Axis, measure: str, task: Task, title: str) -> str | None:
    """The best of smaller matrices and the best of zeros at one budget; None where one of them is missing.

    A sweep's networks are compared with each other alone, where it has both: what a study was trained on, and for how
    long, is its own.
    """
    swept = [point for point in points if point.is_swept]
    fair = _best_by_family(swept, axis, measure)
    best = fair or _best_by_family(points, axis, measure)
    if not best:
        return None
    said = [
        f"the best of {FAMILY_TITLES[point.method.family]} is {_named(point, axis, measure, task)}" for point in best
    ]
    terms = " in the sweep, on one teacher" if fair else ""
    budget = budget_title(best[0].first.budget or "")
    return f"{title} at {budget}{terms}, by {measure_words(task, measure)}: {listing(said)}."


def _best_by_family(points: Sequence[Point], axis: Axis, measure: str) -> list[Point]:
    """The best network of smaller matrices and that of zeros, at a budget that both have; none where there is none."""
    by_family = [
        [point for point in points if point.method.family == family and point.first.budget]
        for family in ("structural", "unstructured")
    ]
    shared = set.intersection(*({point.first.budget or "" for point in group} for group in by_family))
    if not shared:
        return []
    budget = default_budget(sorted(shared))
    alike = ([point for point in group if point.first.budget == budget] for group in by_family)
    return [max(group, key=lambda point: place(point, axis, measure)[1]) for group in alike]


def _named(point: Point, axis: Axis, measure: str, task: Task) -> str:
    cost, score = place(point, axis, measure)
    name = "the teacher" if point.method.key == TEACHER_KEY else point_title(point)
    return f"{name} ({score_text(task, measure, score)}, {axis.phrase(cost)})"


def within_budget(points: Sequence[Point], axis: Axis, measure: str, task: Task, most: float) -> list[str]:
    """The best network within a milliseconds budget, a sentence a machine.

    Args:
        points: drawable.
        axis: of milliseconds.
        measure: what is best by it.
        task: theirs.
        most: the budget, in milliseconds.
    """
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.machine or "a machine that is not named", []).append(point)
    what = "one text" if axis.batch == 1 else f"a batch of {axis.batch} texts"
    said = []
    for machine, group in groups.items():
        best, where = best_within(group, axis, measure, most), f"for {what} on {machine}"
        if best is None:
            fastest = min(group, key=lambda point: place(point, axis, measure)[0])
            said.append(
                f"Nothing here answers within {milliseconds_text(most)} {where}; the fastest is "
                f"{_named(fastest, axis, measure, task)}."
            )
        else:
            name = _named(best, axis, measure, task)
            said.append(f"Within {milliseconds_text(most)} {where}, the best is {name}.")
    return said


def machines_sentence(points: Sequence[Point]) -> str | None:
    """Where milliseconds come from several machines, that they do not compare; None where from one."""
    machines = list(dict.fromkeys(filter(None, (point.machine for point in points))))
    if len(machines) < 2:
        return None
    return (
        f"These milliseconds come from {len(machines)} different measurements and do not compare across them: "
        f"{listing(machines)}. Each has its own steps and its own best network."
    )


def swept_times_sentence(points: Sequence[Point], axis: Axis) -> str | None:
    """What a sweep's milliseconds are; None where there are none."""
    if not axis.batch or not any(point.is_swept for point in points):
        return None
    return (
        "Milliseconds of the sweep: each network was timed in turns with its teacher, and is drawn at its share of "
        "what the teacher takes in the median over all such turns."
    )


def teachers_sentence(points: Sequence[Point], measure: str, task: Task) -> str | None:
    """Where networks have teachers that score otherwise, that the metric alone does not compare; None elsewhere."""
    teachers = [point for point in points if point.method.is_teacher]
    if measure != "metric" or len(teachers) < 2:
        return None
    scores = [f"{point.method.title} {score_text(task, measure, point.score(measure))}" for point in teachers]
    return f"Not all networks have the same teacher ({listing(scores)}): the share kept is of each one's own."


def steps_sentence(points: Sequence[Point]) -> str | None:
    """Where a sweep trained networks of one method for more steps than others; None elsewhere."""
    by_method: dict[str, dict[int, list[str]]] = {}
    for point in sorted(points, key=lambda point: point.cost("parameters") or 0):
        if point.first.budget and point.first.steps is not None:
            budgets = by_method.setdefault(point.method.key, {})
            budgets.setdefault(point.first.steps, []).append(budget_title(point.first.budget))
    found = max(by_method.values(), key=len, default={})
    if len(found) < 2:
        return None
    told = [f"{steps:,} at {listing(budgets)}" for steps, budgets in found.items()]
    return (
        f"Steps of training differ with the budget in the sweep ({', '.join(told)}), so a line may fall where its "
        "network grows."
    )


def missing_sentence(missing: Sequence[Point], axis: Axis) -> str | None:
    """Which chosen networks have no place on the axis; None where all have one."""
    titles = list(dict.fromkeys(point.method.title for point in missing if not point.method.is_teacher))
    if not titles:
        return None
    count = sum(not point.method.is_teacher for point in missing)
    why = "not timed" if axis.batch else "without a place on this axis"
    return f"Not drawn, since {why}: {count} of the networks chosen ({listing(titles)})."


def published_sentence(count: int, fitting: int, measure: str, title: str) -> str | None:
    """What published figures there are, and what may be read off them; None where there are none.

    Args:
        count: published for this task.
        fitting: how many of them count what the lower axis shows, by the task's own metric.
        measure: the upright axis.
        title: the task's.
    """
    if not count:
        return None
    if not fitting:
        return f"No published figure for {title} fits this axis; all {count} are in the table below."
    fit = f"{fitting} of {count} published figures for {title} {'fits' if fitting == 1 else 'fit'} this axis"
    where = "" if measure == "kept" else " and can be drawn where the upright one is the share kept"
    theirs = (
        "of another network (BERT-base) and other training, so shares of its score, not scores to hold against ours"
    )
    return f"{'' if where else '◇ '}{fit}{where}: {theirs}."


def rivals_sentence(compared: int, left_out: int, title: str) -> str | None:
    """That other methods were not run, or that some results cannot be compared; None where all is there.

    Args:
        compared: results of a sweep that are on the page.
        left_out: results of another backbone, or scored on other rows.
        title: the task's.
    """
    if left_out:
        results = "1 result is" if left_out == 1 else f"{left_out} results are"
        return f"Of other methods for {title}, {results} left out: made from another backbone, or scored on other rows."
    return (
        None if compared else f"Other methods have not been run for {title} yet; this runs those that its file names:"
    )


def letters_of(chosen: Sequence[str]) -> Mapping[str, str]:
    """The letter of each network on the card, by its name; "AB" for one that stands on both sides."""
    found: dict[str, str] = {}
    for letter, name in zip("AB", chosen, strict=True):
        found[name] = found.get(name, "") + letter
    return found
