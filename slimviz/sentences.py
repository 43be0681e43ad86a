"""The sentence above each chart, computed from the frame that the chart draws (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pruning.data.task import OF_ANSWERS
from pruning.measure.ablation import MARGIN
from slimviz import without_labels
from slimviz.frames.tidy import count_of, groups, records
from slimviz.theme import (
    budget_words,
    criterion_title,
    head_title,
    is_known,
    layer_title,
    listing,
    percent_text,
    score_text,
)

if TYPE_CHECKING:
    import pandas as pd

    from pruning.bert.shapes import NetworkShape
    from pruning.measure.ablation import Ablation
    from pruning.selection.latency import LatencyTable
    from pruning.selection.select import Selection
    from slimviz.frames.attention import Habits


def layer_sentence(layers: pd.DataFrame, site_titles: Sequence[str]) -> str:
    """How many units are left, and which layers lost most and least."""
    rows = records(layers)
    kept, total = sum(row["kept"] for row in rows), sum(row["total"] for row in rows)
    if not total or not site_titles:
        return "Every unit of every layer is left: this selection may not cut any layer's units."
    sites = listing([_inline(title) for title in site_titles])
    if kept == 0:
        return f"No unit is left ({sites})."
    share = f"{percent_text(kept / total)} of the {total:,} units open to cutting ({sites}) are left"
    worst, best = min(rows, key=lambda row: row["share"]), max(rows, key=lambda row: row["share"])
    if worst["share"] == best["share"]:
        return f"{share}, as many in every layer."
    return (
        f"{share}; {layer_title(worst['layer'] - 1)} lost most ({percent_text(1 - worst['share'])}), "
        f"{layer_title(best['layer'] - 1)} least ({percent_text(1 - best['share'])})."
    )


def site_sentence(sites: pd.DataFrame) -> str:
    """Which sub-layers lost how much, and which were left whole."""
    rows = records(sites)
    cut = sorted((row for row in rows if row["removed"] > 0), key=lambda row: -row["removed"])
    whole = [_inline(row["title"]) for row in rows if row["removed"] == 0]
    if not cut:
        return "No sub-layer lost a unit."
    lost = listing([f"{_inline(row['title'])} lost {percent_text(row['removed'])}" for row in cut])
    rest = f"; {listing(whole)} {'is' if len(whole) == 1 else 'are'} whole" if whole else ""
    sentence = f"{lost} of {'its' if len(cut) == 1 else 'their'} units{rest}."
    return sentence[0].upper() + sentence[1:]


def strip_sentence(units: pd.DataFrame, layer: int, *, by_rival: bool = False) -> str:
    """What is left of one layer, and how many units the colours place on the wrong side.

    Args:
        units: of the layer, see `unit_frame`.
        layer: from 0.
        by_rival: whether another method chose the units than the one whose importance is shown.
    """
    name = layer_title(layer).capitalize()
    if units.empty:
        return f"{name}: this criterion ranks no units."
    parts = [f"{count_of(part, 'kept'):,} of {len(part):,} {_inline(title)}" for title, part in groups(units, "title")]
    against = _against(units)
    reason = "heads are ranked first, then the units inside those that stay"
    reason = "another method chose them" if by_rival else reason
    note = f" {against:,} units are coloured against their fate: {reason}." if against else ""
    return f"{name} keeps {listing(parts)} units.{note}"


def heads_sentence(heads: pd.DataFrame, budget: str) -> str:
    """How many heads each task keeps, and how many they share."""
    by_study = [set(_kept_heads(part)) for _, part in groups(heads, "study")]
    total = len(heads) // len(by_study)
    if len(by_study) == 1:
        return f"At {budget_words(budget, 'the')}, {len(by_study[0])} of {total} heads survive."
    counts = sorted(map(len, by_study))
    spread = f"{counts[0]} to {counts[-1]}" if counts[0] != counts[-1] else str(counts[0])
    everywhere, somewhere = set.intersection(*by_study), set.union(*by_study)
    return (
        f"At {budget_words(budget, 'the')} each task keeps {spread} of {total} heads; "
        f"{_heads(len(everywhere))} in every task shown, {_heads(total - len(somewhere))} in none."
    )


def head_map_sentence(heads: pd.DataFrame) -> str:
    """What one map shows."""
    against = _against(heads)
    note = f", {against} coloured against their fate" if against else ""
    return f"{len(_kept_heads(heads))} of {len(heads)} kept{note}"


def truth_sentence(ablation: Ablation | None, criterion: str) -> str | None:
    """Whether a map is true: what the teacher keeps without the heads that it calls least important, beside chance."""
    if ablation is None or criterion not in ablation.curves:
        return None
    kept = ablation.kept_at_half(criterion)
    if kept is None:
        return None
    chance = [share for share in ablation.kept_at_half_at_random if share is not None]
    if ablation.metric in OF_ANSWERS:
        return without_labels.truth_sentence(ablation, kept, chance)
    kept, *chance = (
        max(0.0, share) for share in (kept, *chance)
    )  # of what lies above the floor, none can be lost twice
    beside = f"; in random orders {percent_text(min(chance), 0)} to {percent_text(max(chance), 0)}" if chance else ""
    return (
        f"Is it true? Without the half of the heads that come last here, the teacher keeps {percent_text(kept, 0)} of "
        f"what it has above its floor ({ablation.rows:,} {ablation.split.replace('_', ' ')} examples){beside}."
    )


def area_sentence(ablation: Ablation, criterion: str) -> str:
    """How far apart a criterion's curves are, beside those of the other stored criteria."""
    areas, best = ablation.areas, ablation.best
    own = f"The two curves of {criterion_title(criterion)} are {score_text(areas[criterion])} apart on average"
    if areas[criterion] >= areas[best]:
        return f"{own}, the most of the {len(areas)} criteria stored."
    better = ablation.better_than(criterion)
    who = {0: "none is", 1: "one is"}.get(len(better), f"{len(better)} are")
    margin = f"{percent_text(MARGIN, 0)} of the score with all heads"
    return (
        f"{own}; of the {len(areas)} criteria stored, {criterion_title(best)}'s are furthest apart "
        f"({score_text(areas[best])}), and {who} ahead by more than {margin}."
    )


def dna_sentence(dna: pd.DataFrame) -> str:
    """The heads that one task alone keeps, by task, as layer-head."""
    alone: dict[str, list[str]] = {}
    for row in records(dna):
        if row["keepers"] == 1:
            alone.setdefault(row["titles"], []).append(f"{row['layer']}-{row['head']}")
    if not alone:
        return "No task keeps a head that no other keeps."
    own = "; ".join(f"{title} {', '.join(places)}" for title, places in alone.items())
    return f"Kept by one task alone (layer-head): {own}."


def head_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Who keeps one head, and to whom it matters most."""
    keep = [row["title"] for row in rows if row["kept"]]
    cut = [row["title"] for row in rows if not row["kept"]]
    parts = [f"Kept by {listing(keep)}"] if keep else []
    if cut:
        parts.append(f"{'cut' if keep else 'Cut'} by {listing(cut)}")
    best = min(rows, key=lambda row: row["rank"])
    most = f"; highest rank in {best['title']} ({best['rank']} of {best['heads']})" if len(rows) > 1 else ""
    return f"{', '.join(parts)}{most}."


def pinned_sentence(row: Mapping[str, Any], budget: str, criterion: str) -> str:
    """What became of the head that a visitor pinned, in one task.

    Args:
        row: the head's, of `head_frame`.
        budget: as printed.
        criterion: as printed, whose rank is given.
    """
    fate = f"kept, {_units(row)}" if row["kept"] else "cut"
    place = head_title(row["layer"] - 1, row["head"] - 1)
    return (
        f"Pinned: {place}, {fate} in {row['title']} at {budget}; rank {row['rank']} of {row['heads']} by {criterion}."
    )


def _units(row: Mapping[str, Any]) -> str:
    """How much of a head is left: "whole", or "8 of 32 units"."""
    return "whole" if row["units"] == row["head_size"] else f"{row['units']} of {row['head_size']} units"


def difference_sentence(difference: pd.DataFrame, first: str, second: str) -> str:
    """How many heads two tasks keep together and apart, and where they differ most."""
    rows = records(difference)
    both, one, other = (sum(row["mark"] == mark for row in rows) for mark in ("", "A", "B"))
    kept = f"{first} and {second} keep {both} heads in common, {first} alone {one}, {second} alone {other}"
    most = max(rows, key=lambda row: abs(row["difference"]))
    if most["difference"] == 0:
        return f"{kept}; no head matters more to one than to the other."
    towards = first if most["difference"] > 0 else second
    return f"{kept}; they differ most at layer {most['layer']}, head {most['head']}, which matters more to {towards}."


def similarity_sentence(pairs: pd.DataFrame, what: str) -> str:
    """The most and the least alike pair of one measure."""
    apart = [row for row in records(pairs) if row["order_first"] < row["order_second"]]
    if not apart:
        return "One task alone: nothing to compare."
    most, least = max(apart, key=lambda row: row["value"]), min(apart, key=lambda row: row["value"])
    if len(apart) == 1:
        return f"{most['first_title']} and {most['second_title']}: {what} {most['value']:.2f}."
    return (
        f"{most['first_title']} and {most['second_title']} are most alike in {what} ({most['value']:.2f}), "
        f"{least['first_title']} and {least['second_title']} least ({least['value']:.2f})."
    )


def _kept_heads(heads: pd.DataFrame) -> list[tuple[int, int]]:
    columns = (heads[name].tolist() for name in ("layer", "head", "kept"))
    return [(layer, head) for layer, head, kept in zip(*columns, strict=True) if kept]


def _against(frame: pd.DataFrame) -> int:
    """How many are above the cut-off and cut, or below it and kept."""
    return int((frame["kept"].to_numpy() != (frame["relative"].to_numpy() >= 0)).sum())


def _heads(count: int) -> str:
    return "1 head survives" if count == 1 else f"{count or 'no'} heads survive"


def _inline(title: str) -> str:
    """A title inside a sentence: "FFN hidden" keeps its capitals, "Attention context" does not."""
    return title if title[:2].isupper() else title[0].lower() + title[1:]


def look_sentence(pieces: Sequence[str], is_mark: Sequence[bool], shares: Sequence[Sequence[float]]) -> str:
    """Where one head's attention goes in a text: how much to the marks around it, and the strongest look at a piece.

    Args:
        pieces: of the text, with its marks.
        is_mark: which are marks ([CLS], [SEP]); how they look is left out.
        shares: (looking, looked at).
    """
    looking = [number for number, mark in enumerate(is_mark) if not mark]
    to_marks = [sum(share for share, mark in zip(shares[i], is_mark, strict=True) if mark) for i in looking]
    share, i, j = max((shares[i][j], i, j) for i in looking for j in looking)
    marks = listing(list(dict.fromkeys(piece for piece, mark in zip(pieces, is_mark, strict=True) if mark)))
    at = "itself" if i == j else f"“{pieces[j]}”"
    share_of_marks = percent_text(sum(to_marks) / len(looking), 0)
    strongest = f"“{pieces[i]}” at {at} ({percent_text(share, 0)})"
    return f"{share_of_marks} of the pieces' attention goes to {marks}; the strongest look at a piece is {strongest}."


def habit_sentence(habits: Mapping[str, Habits], head: tuple[int, int]) -> str:
    """How widely a head looks in each network, and what the shares are of.

    Args:
        habits: by the network's title, on the same texts.
        head: layer and head from 0.
    """
    said = []
    for title, one in habits.items():
        bits = float(one.entropy[head])
        spread = f"{bits:.1f} of at most {one.most_entropy:.1f} bits" if is_known(bits) else "the head is gone"
        said.append(f"{title}: {spread}")
    texts = next(iter(habits.values())).texts
    return (
        f"Entropy of its attention: {'; '.join(said)}. Means over the pieces of {texts:,} texts, but for how [CLS] "
        "and [SEP] look. A piece that is looked at counts once, in the first row that fits."
    )


def limit_sentence(selection: Selection, dense: NetworkShape, table: LatencyTable, limit: float) -> str:
    """What fits a limit in milliseconds, and what that is of the teacher.

    Args:
        selection: what would stay.
        dense: the teacher's widths.
        table: that milliseconds are counted by.
        limit: milliseconds.
    """
    whole = table.milliseconds(dense)
    kept, all_heads = (sum(layer.heads for layer in shape.layers) for shape in (selection.shape, dense))
    units, all_units = (sum(layer.ffn for layer in shape.layers) for shape in (selection.shape, dense))
    texts = "1 text" if table.batch == 1 else f"{table.batch} texts"
    return (
        f"{texts} of {table.length} tokens: the teacher takes about {whole:.3g} ms here, so {limit:g} ms are "
        f"{percent_text(limit / whole)} of that. The {kept} most important of {all_heads} heads and {units:,} of "
        f"{all_units:,} FFN units would stay: {percent_text(selection.encoder_density)} of the layers' parameters, "
        f"about {table.milliseconds(selection.shape):.3g} ms."
    )
