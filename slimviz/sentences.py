"""The sentence above each chart, computed from the frame that the chart draws (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from slimviz.theme import layer_title, listing, percent_text, times_text


def overview_headline(rows: pd.DataFrame, percent: str) -> str:
    """What the slim networks of one budget keep, on average, and how much faster they are."""
    known = rows[rows["retention"].notna()]
    if known.empty:
        return f"No study has results at {percent}% of its teacher's parameters yet."
    retention = percent_text(known["retention"].mean())
    above = known["retention_above_floor"].dropna()
    floor = f" ({percent_text(above.mean())} of what lies above the floor)" if len(above) else ""
    faster = known["speedup_32"].dropna()
    speed = f", and answers {times_text(faster.mean())} as fast at batch 32" if len(faster) else ""
    if len(known) == 1:
        row = known.iloc[0]
        return (
            f"At {percent}% of its teacher's parameters, the slim network for {row['title']} keeps {retention} of "
            f"the teacher's {row['metric']}{floor}{speed}."
        )
    speed = speed.replace("answers", "answer")
    return (
        f"At {percent}% of their teachers' parameters, the {len(known)} slim networks keep {retention} of their "
        f"teachers' scores on average{floor}{speed}."
    )


def budget_sentence(rows: pd.DataFrame, title: str) -> str:
    """How a study's retention falls with the budget, and which budgets ship weights."""
    known = rows[rows["retention"].notna()]
    if known.empty:
        return f"{title} has no results yet."
    kept = listing([f"{percent_text(r)} at {p}%" for r, p in zip(known["retention"], known["percent"], strict=True)])
    shipped = [f"{percent}%" for percent in rows.loc[rows["ships_weights"], "percent"]]
    weights = f"weights are stored at {listing(shipped)}" if shipped else "no weights are stored"
    return f"{title} keeps {kept} of its teacher's {known.iloc[0]['metric']}; {weights}."


def map_sentence(survival: pd.DataFrame) -> str:
    """Where a small map's units went."""
    layers = survival.dropna(subset=["layer"])
    cut = layers[layers["share"] < 1]
    if cut.empty:
        return "Nothing was cut."
    by_site = cut.groupby("title", sort=False)[["kept", "total"]].sum()
    parts = [f"{100 * kept / total:.0f} of {_inline(str(title))}" for title, (kept, total) in by_site.iterrows()]
    return f"Units left, in percent: {listing(parts)}."


def layer_sentence(layers: pd.DataFrame, site_titles: Sequence[str]) -> str:
    """How many units are left, and which layers lost most and least."""
    kept, total = int(layers["kept"].sum()), int(layers["total"].sum())
    if not total or not site_titles:
        return "Every unit of every layer is left: this selection may not cut any layer's units."
    sites = listing([_inline(title) for title in site_titles])
    share = f"{percent_text(kept / total)} of the {total:,} units open to cutting ({sites}) are left"
    if kept == 0:
        return f"No unit is left ({sites})."
    if layers["share"].nunique() == 1:
        return f"{share}, as many in every layer."
    worst, best = layers.loc[layers["share"].idxmin()], layers.loc[layers["share"].idxmax()]
    return (
        f"{share}; {layer_title(int(worst['layer']) - 1)} lost most ({percent_text(1 - worst['share'])}), "
        f"{layer_title(int(best['layer']) - 1)} least ({percent_text(1 - best['share'])})."
    )


def site_sentence(sites: pd.DataFrame) -> str:
    """Which sub-layers lost how much, and which were left whole."""
    cut = sites[sites["removed"] > 0].sort_values("removed", ascending=False)
    whole = [_inline(title) for title in sites.loc[sites["removed"] == 0, "title"]]
    if cut.empty:
        return "No sub-layer lost a unit."
    lost = [f"{_inline(t)} lost {percent_text(r)}" for t, r in zip(cut["title"], cut["removed"], strict=True)]
    rest = f"; {listing(whole)} {'is' if len(whole) == 1 else 'are'} whole" if whole else ""
    sentence = f"{listing(lost)} of its units{rest}." if len(lost) == 1 else f"{listing(lost)} of their units{rest}."
    return sentence[0].upper() + sentence[1:]


def strip_sentence(units: pd.DataFrame, layer: int) -> str:
    """What is left of one layer, and how many units the colours place on the wrong side."""
    if units.empty:
        return f"{layer_title(layer).capitalize()}: this criterion ranks no units."
    parts = []
    for title, group in units.groupby("title", sort=False):
        parts.append(f"{int(group['kept'].sum()):,} of {len(group):,} {_inline(str(title))}")
    against = int((units["kept"] != (units["relative"] >= 0)).sum())
    note = f" {against:,} units are coloured against their fate: heads come and go whole." if against else ""
    return f"{layer_title(layer).capitalize()} keeps {listing(parts)} units.{note}"


def heads_sentence(heads: pd.DataFrame, percent: str) -> str:
    """How many heads each task keeps, and how many they share."""
    kept = heads.pivot(index=["layer", "head"], columns="study", values="kept").astype(bool)
    total, studies = kept.shape
    if studies == 1:
        return f"At {percent}% of the parameters, {int(kept.to_numpy().sum())} of {total} heads survive."
    counts = kept.sum()
    least, most = int(counts.min()), int(counts.max())
    spread = f"{least} to {most}" if least != most else str(least)
    everywhere, nowhere = int(kept.all(axis=1).sum()), int((~kept).all(axis=1).sum())
    return (
        f"At {percent}% of the parameters each task keeps {spread} of {total} heads; "
        f"{_heads(everywhere)} in every task shown, {_heads(nowhere, 'survives', 'survive')} in none."
    )


def _heads(count: int, one: str = "survives", many: str = "survive") -> str:
    return f"1 head {one}" if count == 1 else f"{count or 'no'} heads {many}"


def head_map_sentence(heads: pd.DataFrame) -> str:
    """What one map shows."""
    kept = int(heads["kept"].sum())
    against = int((heads["kept"] != (heads["relative"] >= 0)).sum())
    note = f", {against} coloured against their fate" if against else ""
    return f"{kept} of {len(heads)} kept{note}"


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


def difference_sentence(difference: pd.DataFrame, first: str, second: str) -> str:
    """How many heads two tasks keep together and apart, and where they differ most."""
    marks = difference["mark"].value_counts()
    most = difference.loc[difference["difference"].abs().idxmax()]
    towards = first if most["difference"] > 0 else second
    return (
        f"{first} and {second} keep {int(marks.get('', 0))} heads in common, {first} alone {int(marks.get('A', 0))}, "
        f"{second} alone {int(marks.get('B', 0))}; they differ most at layer {most['layer']}, head {most['head']}, "
        f"which matters more to {towards}."
    )


def similarity_sentence(pairs: pd.DataFrame, what: str) -> str:
    """The most and the least alike pair of one measure."""
    apart = pairs[pairs["order_first"] < pairs["order_second"]]
    if apart.empty:
        return "One task alone: nothing to compare."
    most, least = apart.loc[apart["value"].idxmax()], apart.loc[apart["value"].idxmin()]
    text = f"{most['first_title']} and {most['second_title']} are most alike in {what} ({most['value']:.2f})"
    if len(apart) == 1:
        return f"{most['first_title']} and {most['second_title']}: {what} {most['value']:.2f}."
    return f"{text}, {least['first_title']} and {least['second_title']} least ({least['value']:.2f})."


def _inline(title: str) -> str:
    """A title inside a sentence: "FFN hidden" keeps its capitals, "Attention context" does not."""
    return title if title[:2].isupper() else title[0].lower() + title[1:]
