"""A study at one budget as one HTML file: pictures, numbers, origin, limits. Needs no server and no network (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pruning.errors import one_line
from pruning.importance.factors import ImportanceFactors
from pruning.selection.select import Selection
from pruning.study import Study
from slimviz import results_in_words, sentences, study_in_words, theme
from slimviz.charts import export
from slimviz.charts.ablation_curves import ablation_curves
from slimviz.charts.filled import Drawable
from slimviz.charts.head_map import head_map
from slimviz.charts.layer_bars import layer_bars
from slimviz.charts.network_picture import network_picture
from slimviz.charts.scales import RANK_BOUNDS
from slimviz.charts.site_bars import site_bars
from slimviz.frames import account
from slimviz.frames.ablation import band_frame, curve_frame
from slimviz.frames.budgets import budgets
from slimviz.frames.drawing import network_drawing
from slimviz.frames.heads import HeadStudy, criteria, head_frame, opening_criterion
from slimviz.frames.provenance import description_text
from slimviz.frames.results import Summary, study_title, summarise
from slimviz.frames.survival import layer_frame, open_sites, site_frame, survival_frame
from slimviz.frames.tidy import only

PALETTE = theme.LIGHT  # it may be printed
STYLE = f"""
body {{ font: 16px/1.5 system-ui, sans-serif; color: {PALETTE.text}; background: {PALETTE.background};
  max-width: 50rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }}
div.wide {{ overflow-x: auto; overflow-wrap: normal; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; }} h2 {{ font-size: 1.2rem; margin: 2rem 0 .4rem; }}
table {{ border-collapse: collapse; font-size: .85rem; width: 100%; }}
th, td {{ text-align: left; padding: .25rem .5rem; border-bottom: 1px solid {PALETTE.grid}; }}
figure {{ margin: 1rem 0; break-inside: avoid; }} figure svg {{ max-width: 100%; height: auto; }}
code {{ display: block; padding: .6rem; background: {PALETTE.surface}; }} small {{ color: {PALETTE.muted}; }}
"""


@dataclass(frozen=True)
class Contents:
    """What a report is made of, all of one study.

    Attributes:
        key: the study's.
        study: the study.
        budget: the budget shown.
        selection: at that budget.
        factors: importance factors.
    """

    key: str
    study: Study
    budget: str
    selection: Selection
    factors: ImportanceFactors

    @property
    def title(self) -> str:
        """The study as printed."""
        return study_title(self.key, self.study)


def report(contents: Contents) -> str:
    """The whole file. Equal contents give equal files: it holds no date of its own."""
    study, title = contents.study, contents.title
    row = summarise(contents.key, study, contents.budget)
    caution = results_in_words.teacher_sentence(title, row.teacher, row.floor)
    budget = theme.budget_words(contents.budget, "the teacher's")
    heading = f"{title} at {budget}"
    parts = [
        f"<h1>{escape(heading)}</h1>",
        _paragraph(description_text(study)),
        _paragraph(results_in_words.row_sentence(row)),
        _paragraph(caution) if caution and row.has_weak_teacher else "",
        _network(contents),
        _section("At every budget", _table(_budget_rows(contents))),
        _section("What the numbers mean", _definitions(study_in_words.meanings(study, row))),
        _section("Where neurons survived", _survivors(contents)),
        _section("Which heads matter", _heads(contents)),
        _section("Where the numbers come from", _origin(study)),
        _section("Where this ends", _list(escape(limit) for limit in study_in_words.limits(study, title))),
        _section("Files", _table(account.file_rows(study))),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)}: SlimViz</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _network(contents: Contents) -> str:
    drawing = network_drawing(contents.study.shape, contents.selection.shape, contents.selection.masks)
    return f"<figure>{network_picture(drawing, contents.title, PALETTE)}</figure>"


def _budget_rows(contents: Contents) -> list[dict[str, str]]:
    """A row a stored budget."""
    rows = [summarise(contents.key, contents.study, budget) for budget in budgets(contents.study)]
    return [_budget_row(row, contents.study.task.main_metric) for row in rows]


def _budget_row(row: Summary, metric: str) -> dict[str, str]:
    counts = f" ({theme.count_text(row.slim.correct, row.slim.count)})" if row.slim.correct is not None else ""
    return {
        "Kept": theme.budget_title(row.budget),
        row.metric: theme.metric_text(metric, row.slim.score) + counts,
        "Slim minus teacher, points (95%)": results_in_words.span(row),
        "Above floor": theme.kept_text(row.retention_above_floor),
        "Size": theme.bytes_text(row.slim.size_bytes),
        "Speed, batch 32": theme.times_text(row.speedup_32),
        "Speed, batch 1": theme.times_text(row.speedup_1),
    }


def _survivors(contents: Contents) -> str:
    selection, study = contents.selection, contents.study
    survival = survival_frame(selection.masks)
    sites = open_sites(selection.masks, study.selections[contents.budget].settings)
    layers = layer_frame(survival, sites, selection, study.shape.network())
    said = sentences.layer_sentence(layers, [theme.SITE_TITLES[site] for site in sites])
    drawn = _paragraph(said)
    if not sites:
        return drawn
    drawn += _figure("Units remaining by layer", layer_bars(layers, 0, PALETTE))
    shown = only(survival, "site", [site.value for site in sites])
    by_site = site_frame(shown, selection.cutoff)
    removed = site_bars(by_site, shown, PALETTE)
    return drawn + _paragraph(sentences.site_sentence(by_site)) + _figure("Units removed by sub-layer", removed)


def _heads(contents: Contents) -> str:
    """The map that the Heads page opens with, and whether it is true."""
    study = contents.study
    shown = HeadStudy(
        contents.key, contents.title, contents.factors, contents.selection.masks, study.head_criterion, study.ablation()
    )
    if not criteria([shown]):
        return _paragraph("No stored criterion ranks attention heads.")
    criterion = opening_criterion([shown])
    heads = head_frame([shown], criterion, "rank")
    name = theme.criterion_title(criterion)
    parts = [
        _paragraph(sentences.heads_sentence(heads, contents.budget)),
        _figure(f"Heads by {name}", head_map(heads, RANK_BOUNDS, None, PALETTE)),
        f"<small>Green: among the most important, as many as survive; pink: below; {theme.CUT_MARK}: cut.</small>",
    ]
    ablation = study.ablation()
    truth = sentences.truth_sentence(ablation, criterion)
    if ablation is not None and criterion in ablation.curves:
        metric = study.task.metric_title(ablation.metric)
        curves, band = curve_frame(ablation, criterion), band_frame(ablation)
        parts += [
            _paragraph(" ".join(filter(None, (truth, sentences.area_sentence(ablation, criterion))))),
            _figure("With ever more heads off", ablation_curves(curves, band, ablation.floor, metric, PALETTE)),
        ]
    return "".join(parts)


def _origin(study: Study) -> str:
    rows = [row for row in account.provenance_rows(study) if row[0] != account.FOLDER]  # a path of this machine
    rows.append(("Time", account.stage_sentence(study)))
    return f"{_definitions(rows)}<p>Made by</p><code>{escape(one_line(study.document.provenance.command))}</code>"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _definitions(pairs: Iterable[tuple[str, str]]) -> str:
    return _list(f"<b>{escape(word)}</b>: {escape(meaning)}" for word, meaning in pairs)


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row.values())}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(title: str, chart: Drawable) -> str:
    return f"<figure>{export.to_svg(export.standing_alone(chart, title, PALETTE))}</figure>"
