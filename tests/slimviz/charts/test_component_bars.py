from __future__ import annotations

import pytest

from pruning.study import Study
from slimviz.charts.component_bars import component_bars
from slimviz.frames.anatomy import anatomy_frame
from slimviz.frames.tidy import only
from slimviz.theme import PALETTES


@pytest.mark.parametrize("theme", PALETTES)
def test_slim_stands_in_front_of_its_teacher(studies: dict[str, Study], theme: str) -> None:
    study, palette = studies["sst2"], PALETTES[theme]
    for slim, layers in ((study.selections["10"].network, 3), (None, 2)):
        costs = only(anatomy_frame(study.shape.network(), slim, 32, 1), "cost", ["flops"])
        spec = component_bars(costs, "FLOPs", palette).to_dict()
        colours = [layer["mark"]["color"] for layer in spec["layer"]]
        assert (
            colours == [palette.teacher, palette.slim, palette.text]
            if layers == 3
            else [
                palette.teacher,
                palette.text,
            ]
        )
        (rows,) = spec["datasets"].values()
        assert len(rows) == 8
