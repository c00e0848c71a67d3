from __future__ import annotations

import cmap
import numpy as np
import pytest

from act_widgets.model_graph import Graph
from act_widgets.rendering.graph_layout import lay_out
from act_widgets.rendering.graph_picture import paint, with_scale
from act_widgets.rendering.graph_svg import describe
from act_widgets.rendering.graph_tones import Tones, quantity
from act_widgets.rendering.layer_families import contrast

from .test_graph_layout import chain, nested

INPUT = {"x": "it is what the model is given"}


def tones_of(graph: Graph, **values: float) -> Tones:
    known = {name.replace("__", "/"): value for name, value in values.items()}
    return Tones(graph, "time", "ms", known, INPUT)


def hexadecimal(name: str, *places: int) -> list[str]:
    table = (cmap.Colormap(name).lut(254)[:, :3] * 255).round().astype(int)
    return ["#{:02x}{:02x}{:02x}".format(*table[place]) for place in places]


def test_a_linear_scale_runs_from_nought_to_the_highest() -> None:
    tones = tones_of(chain(), a=0.0, b=10.0, c=20.0)
    assert [tones.fill(a) for a in "ac"] == hexadecimal("viridis", 0, 253)
    scale = tones.scale()
    assert [text for _, text in scale["ticks"]] == ["0", "10", "20"]
    assert "logarithmic" not in scale["title"]
    assert scale["title"].startswith("time, ms")


def test_values_over_more_than_three_powers_of_ten_have_a_logarithmic_scale_that_says_so() -> None:
    tones = tones_of(chain(), a=0.1, b=10.0, c=1000.0)
    assert "logarithmic scale" in tones.scale()["title"]
    assert [text for _, text in tones.scale()["ticks"]] == ["0.1", "10", "1,000"]
    middle = [int(tones.fill("b")[i : i + 2], 16) for i in (1, 3, 5)]
    halves = [[int(h[i : i + 2], 16) for i in (1, 3, 5)] for h in hexadecimal("viridis", 126, 127)]
    assert middle in halves
    assert not tones_of(chain(), a=1.0, b=10.0, c=999.0).is_logarithmic


def test_values_of_both_signs_have_nought_in_the_middle() -> None:
    tones = tones_of(chain(), a=-1.0, b=0.5, c=4.0)
    assert [text for _, text in tones.scale()["ticks"]] == ["-4", "0", "4"]
    assert tones.fill("c") == hexadecimal("colorbrewer:RdBu_r", 253)[0]
    assert tones.ranking == ("c", "a", "b")


def test_what_has_no_value_is_striped_and_says_why() -> None:
    tones = tones_of(chain(), a=1.0, b=float("nan"))
    picture = describe(lay_out(chain()), tones)
    assert {n["address"]: n["blank"] for n in picture["nodes"]} == {
        "x": True,
        "a": False,
        "b": True,
        "c": True,
    }
    facts = {n["address"]: dict(n["facts"]) for n in picture["nodes"]}
    assert facts["x"]["time"] == INPUT["x"]
    assert facts["a"]["time"] == "1 ms"
    assert "time no value" in picture["nodes"][3]["label"]
    assert picture["legend"] == [{"text": "no value", "fill": ""}]


def test_a_closed_group_shows_the_worst_inside_and_the_ranking_knows_no_groups() -> None:
    tones = tones_of(nested(), g__a=1.0, g__h__b=5.0, g__h__c=2.0, g__d=3.0, g=11.0, y=4.0)
    assert tones.ranking == ("g/h/b", "y", "g/d", "g/h/c", "g/a")
    assert tones.range == (0.0, 5.0)
    assert tones.fill("g") == tones.fill("g/h") == tones.fill("g/h/b")
    assert ("time", "11 ms") in tones.facts("g")
    assert ("highest inside", "5 ms, g/h/b") in tones.facts("g")


@pytest.mark.parametrize("values", [(1.0, 2.0, 3.0), (-3.0, 0.0, 3.0)])
def test_names_can_be_read_on_every_colour(values: tuple[float, ...]) -> None:
    tones = tones_of(chain(), **dict(zip("abc", values, strict=True)))
    assert min(contrast(tones.fill(a), tones.ink(a)) for a in "xabc") >= 4.5


def test_nothing_measured_and_equal_values_are_drawn() -> None:
    assert tones_of(chain()).ranking == ()
    assert [text for _, text in tones_of(chain()).scale()["ticks"]] == ["0", "0", "0"]
    assert len({tones_of(chain(), a=2.0, b=2.0).fill(a) for a in "ab"}) == 1


def test_a_painted_graph_has_the_colours_and_their_meaning() -> None:
    tones = tones_of(chain(), a=0.0, b=10.0, c=20.0)
    drawing = lay_out(chain())
    painted = paint(drawing, tones=tones)
    (box,) = [box for box in drawing.boxes if box.node.address == "c"]
    colour = painted[round(box.y) + 4, round(box.x) + 4]
    assert "#{:02x}{:02x}{:02x}".format(*colour) == tones.fill("c")
    whole = with_scale(painted, tones)
    assert whole.shape[0] > painted.shape[0]
    np.testing.assert_array_equal(whole[: painted.shape[0], : painted.shape[1]], painted)


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (3_538_984, "", "3.54 M"),
        (150_528, "bytes", "151 kB"),
        (0.0123, "ms", "0.0123 ms"),
        (0.0, "", "0"),
        (2.5e9, "FLOPs", "2.5 GFLOPs"),
        (1e-7, "", "1e-7"),
    ],
)
def test_quantities_are_short(value: float, unit: str, words: str) -> None:
    assert quantity(value, unit) == words
