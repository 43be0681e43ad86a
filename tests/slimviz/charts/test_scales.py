from __future__ import annotations

import pytest

from slimviz.charts import scales
from slimviz.theme import DARK, LIGHT, PALETTES, Palette


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1.2, 0.8], (-1.2, 0.8)),
        ([-9, 9], (-3.0, 3.0)),
        ([0.01], (-0.3, 0.3)),
        ([], (-0.3, 0.3)),
        ([float("nan"), float("inf"), -2], (-2.0, 0.3)),
    ],
)
def test_bounds_are_common_and_never_degenerate(values: list[float], expected: tuple[float, float]) -> None:
    assert scales.importance_bounds(values) == pytest.approx(expected)


@pytest.mark.parametrize("palette", PALETTES.values(), ids=lambda palette: palette.name)
@pytest.mark.parametrize("bounds", [(-3.0, 0.3), (-0.3, 3.0), (-1.0, 1.0)])
def test_the_middle_colour_is_at_the_cut_off(palette: Palette, bounds: tuple[float, float]) -> None:
    scale = scales.importance_scale(bounds, palette).to_dict()
    middle = len(palette.importance) // 2
    assert scale["range"] == list(palette.importance)
    assert scale["domain"][middle] == 0
    assert scale["domain"] == sorted(scale["domain"])
    assert (scale["domain"][0], scale["domain"][-1]) == bounds
    assert scale["clamp"] is True
    stops = scales.plotly_importance_scale(bounds, palette)
    assert stops[0][0] == 0
    assert stops[-1][0] == pytest.approx(1)
    assert stops[middle] == (pytest.approx(-bounds[0] / (bounds[1] - bounds[0])), palette.importance[middle])


def test_pink_is_below_and_green_above() -> None:
    for palette in (LIGHT, DARK):
        low, high = palette.importance[1], palette.importance[-2]
        red, green = (int(low[place : place + 2], 16) for place in (1, 3))
        assert red > green
        red, green = (int(high[place : place + 2], 16) for place in (1, 3))
        assert green > red


def test_legend_ticks_say_how_far_from_the_cut_off() -> None:
    assert [word for _, word in scales.decade_ticks((-2.1, 1.0))] == ["÷100", "÷10", "cut-off", "×10"]
    assert [word for _, word in scales.decade_ticks((-0.3, 0.3))] == ["÷2", "cut-off", "×2"]
    by_rank = scales.importance_legend(scales.RANK_BOUNDS, LIGHT, scales.RANK_TICKS).to_dict()
    assert "most important" in by_rank["layer"][0]["encoding"]["x"]["axis"]["labelExpr"]
    spec = scales.importance_legend((-2.1, 1.0), LIGHT).to_dict()
    assert "cut-off" in spec["layer"][0]["encoding"]["x"]["axis"]["labelExpr"]
