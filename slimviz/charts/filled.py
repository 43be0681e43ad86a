"""Charts that are written once and filled with rows at every run.

Altair takes tens of milliseconds to write down a small layered chart, and a page has up to fifteen of them at every
click; only their rows differ. A chart's module keeps what it has written, by all that it depends on besides the rows
(`functools.lru_cache`), with `alt.NamedData` in their place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

MOST_WRITTEN = 32  # charts of a kind that are kept written down
Written = Mapping[str, Any]


def written(chart: alt.LayerChart | alt.Chart) -> Written:
    """A chart as Vega-Lite without altair's own width and height, unchecked; with named data, to be filled."""
    description = chart.to_dict(validate=False)
    description.pop("config", None)
    return description


@dataclass(frozen=True, eq=False)
class Filled:
    """A chart as it was written before, and the rows that it draws now.

    Attributes:
        written: see there; shared with other charts, so never changed.
        rows: by the name of the data.
    """

    written: Written
    rows: Mapping[str, pd.DataFrame]

    def with_frames(self) -> dict[str, Any]:
        """Vega-Lite for `st.vega_lite_chart`, which takes frames as they are."""
        return {**self.written, "datasets": dict(self.rows)}

    def to_dict(self) -> dict[str, Any]:
        """Vega-Lite as JSON can hold it, compared with its schema, as altair's own charts give it."""
        return self.in_altair().to_dict()

    def in_altair(self) -> alt.LayerChart:
        """The same as a chart of altair's, for files."""
        plain = {name: json.loads(str(rows.to_json(orient="records"))) for name, rows in self.rows.items()}
        return alt.LayerChart.from_dict({**self.written, "datasets": plain}, validate=False)


Drawable = alt.LayerChart | Filled
