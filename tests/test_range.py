"""A range of values lights up exactly the numbers in it, in every view, and nothing else changes."""

from __future__ import annotations

import io
import math

import keras
import numpy as np
import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import layers
from PIL import Image

import act_widgets as aw
from act_widgets.rendering import charts
from act_widgets.rendering.palettes import GROUND, palette
from act_widgets.rendering.pictures import Picture, Scale
from act_widgets.rendering.veil import lit, lit_pieces, veil_over
from act_widgets.widgets.worker import worker_of

from .ranks import RANKS, recurrent, vectors, vision_transformer, volume
from .screen import alert_of, text_of

BLUE, ORANGE, PALE = (43, 140, 196), (213, 94, 0), (196, 196, 196)
FINITE = st.floats(-1e6, 1e6)
BOTH = ("FeatureMaps", "ChannelView")

pytestmark = pytest.mark.filterwarnings("ignore:Layer '.*' .* was passed an input with a mask")


def shown(values: np.ndarray, *kinds: str) -> tuple:
    """Return a session whose layer `same` holds these values, ``(1, ...)``, and views of it."""
    x = keras.Input(values.shape[1:], name="given")
    same = layers.Lambda(lambda t: t + 0, name="same")(x)
    session = aw.Session(keras.Model(x, layers.Dense(2)(layers.Flatten()(same))), values)
    session.selection.layer = "same"
    return session, *(getattr(aw, kind)(session) for kind in kinds)


def steps(rows: int = 4, columns: int = 5, channels: int = 3) -> np.ndarray:
    """Return maps of whole numbers from 0 on: each once."""
    return np.arange(rows * columns * channels, dtype="float32").reshape(1, rows, columns, channels)


def rgb(view) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(view.png())).convert("RGB"))


def brush(histogram, *drawn: float) -> None:
    """Draw a range in the chart, as the page tells it."""
    histogram._brush.selected = np.array(drawn) if drawn else None


def at_cells(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the pixels of each cell of a map that fills a picture, ``(rows, columns, pixels, 3)``."""
    height, width = picture.shape[0] // rows, picture.shape[1] // columns
    whole = picture[: rows * height, : columns * width].reshape(rows, height, columns, width, 3)
    return whole.swapaxes(1, 2).reshape(rows, columns, -1, 3)


def are_as_before(before: np.ndarray, after: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return which cells of a map have kept their colour, ``(rows, columns)``; the others are striped."""
    changed = (at_cells(before, rows, columns) != at_cells(after, rows, columns)).any(-1).mean(-1)
    assert ((changed == 0) | (changed > 0.7)).all(), changed
    return changed == 0


# --- what is lit ---


@given_any(
    arrays.arrays("float32", st.integers(0, 30), elements=st.floats(width=32)),
    st.tuples(FINITE, FINITE).map(sorted),
)
def test_a_number_is_lit_if_it_lies_between_the_ends(values, chosen):
    expected = [math.isfinite(v) and chosen[0] <= v <= chosen[1] for v in values.tolist()]
    assert lit(values, tuple(chosen)).tolist() == expected


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float16", "float64"])
def test_any_kind_of_number_is_compared_as_it_is(dtype):
    values = np.array([0, 1], dtype)
    assert lit(values, (0.5, 1e9)).tolist() == [False, True]
    assert lit(values, (-1e9, 0.99999999)).tolist() == [True, False]
    assert lit(values, (1, 1)).tolist() == [False, True]


def test_a_number_is_not_rounded_before_it_is_compared():
    tenth = np.array([0.1], "float32")  # 0.100000001490116...
    assert not lit(tenth, (0, 0.1)).any()
    assert lit(tenth, (0, float(tenth[0]))).all()


@given_any(
    arrays.arrays("float32", st.integers(1, 30), elements=st.floats(-9, 9, width=32) | st.just(math.nan)),
    st.tuples(st.floats(-10, 10), st.floats(-10, 10)).map(sorted),
)
def test_pieces_of_a_line_go_through_the_lit_numbers_and_half_a_step_further(values, chosen):
    x, y = lit_pieces(values, tuple(chosen))
    places = np.flatnonzero(lit(values, tuple(chosen)))
    np.testing.assert_array_equal(x[1::4], places)
    np.testing.assert_array_equal(y[1::4], values[places].astype(float))
    np.testing.assert_array_equal(x[0::4], np.maximum(places - 0.5, 0))
    np.testing.assert_array_equal(x[2::4], np.minimum(places + 0.5, len(values) - 1))
    between = np.arange(len(y)) % 4 == 3
    assert np.isfinite(x).all()
    np.testing.assert_array_equal(np.isnan(y), between)


def test_a_veil_leaves_the_ground_and_what_is_lit():
    indices = np.array([[0, 200], [GROUND, 9]], np.uint8)
    veil = veil_over(Picture(indices, "viridis"), np.array([[False, True], [True, True]]), 4, 8)
    is_clear = veil.indices == 0
    assert is_clear.tolist() == [[True] * 4 + [False] * 4] * 2 + [[True] * 4 + [False] * 4] * 2
    white = np.full((4, 8, 3), 255, np.uint8)
    np.testing.assert_array_equal((veil.over(white) == 255).all(2), is_clear)
    decoded = np.asarray(Image.open(io.BytesIO(veil.png())).convert("RGBA"))
    np.testing.assert_array_equal(decoded[..., 3] == 0, is_clear)
    np.testing.assert_allclose(
        veil.over(white), 255 + (decoded[..., :3] - 255.0) * decoded[..., 3:] / 255, atol=1
    )


# --- the state ---


def test_a_range_is_two_numbers_or_none():
    session, *_ = shown(steps())
    selection, seen = session.selection, []
    selection.observe(lambda change: seen.append(change["new"]), "value_range")
    for value in ((0, 1), [0.5, 0.5], np.array([-1, 2], "float32"), (np.int8(3), np.float16(4)), None):
        selection.value_range = value
    assert seen == [(0.0, 1.0), (0.5, 0.5), (-1.0, 2.0), (3.0, 4.0), None]
    assert all(type(end) is float for ends in seen[:-1] for end in ends)


@pytest.mark.parametrize(
    "value",
    [
        (1, 0),
        (0, math.nan),
        (0, math.inf),
        (-math.inf, 0),
        (1,),
        (1, 2, 3),
        (),
        3,
        "01",
        ("0", "1"),
        (0, None),
        (0, 10**400),
        np.zeros((2, 2)),
        np.array(1.0),
    ],
    ids=repr,
)
def test_what_is_no_range_raises_and_changes_nothing(value):
    session, grid = shown(steps(), "FeatureMaps")
    session.selection.value_range = (1, 2)
    with pytest.raises(aw.InputError, match=r"(?s)value_range=.*Expected: two finite numbers"):
        session.selection.value_range = value
    assert session.selection.value_range == (1, 2)
    assert alert_of(grid) == ""


def test_another_layer_clears_it_before_any_view_looks_and_nothing_else_does():
    session, grid = shown(np.concatenate([steps(), steps() + 1]), "FeatureMaps")
    selection, seen = session.selection, []
    selection.value_range = (1, 2)
    selection.channel, selection.sample = 2, 1
    session.inputs = steps()
    assert selection.value_range == (1, 2)
    selection.observe(lambda change: seen.append(selection.value_range), "layer")
    selection.layer = "given"
    assert seen == [None] and selection.value_range is None
    assert text_of(grid._lit.value) == ""


# --- pictures ---


@pytest.mark.parametrize("colours", ["viridis", "cividis", "magma", "gray"])
@pytest.mark.parametrize("chosen", [(7, 31.5), (0, 0), (59, 59), (-5, -1), (-5, 99), (30.2, 30.8)])
def test_exactly_the_pixels_in_the_range_keep_their_colours(colours, chosen):
    values = steps()
    session, grid, large = shown(values, "FeatureMaps", "ChannelView")
    grid.colours, grid.scale = colours, "per layer"
    session.selection.channel = 1
    before, before_large = rgb(grid), rgb(large)
    session.selection.value_range = chosen
    expected = (values >= chosen[0]) & (values <= chosen[1])
    after, page = rgb(grid), grid._grid
    zoom = after.shape[0] // page.mosaic.shape[0]
    for channel in range(3):
        top, left = (n * zoom for n in page.mosaic.corner(channel))
        tile = np.s_[top : top + page.mosaic.height * zoom, left : left + page.mosaic.width * zoom]
        same = are_as_before(before[tile], after[tile], 4, 5)
        np.testing.assert_array_equal(same, expected[0, ..., channel])
    same = are_as_before(before_large, rgb(large), 4, 5)
    np.testing.assert_array_equal(same, expected[0, ..., 1])
    count = int(expected.sum())
    assert f"{count} of 60 values in 3 channels, {count / 60:.1%}" in text_of(grid._lit.value)
    count = int(expected[..., 1].sum())
    assert f"{count} of 20 values in channel 1, {count / 20:.1%}" in text_of(large._lit.value)
    session.selection.value_range = None
    np.testing.assert_array_equal(rgb(grid), before)
    np.testing.assert_array_equal(rgb(large), before_large)
    assert text_of(grid._lit.value) == text_of(large._lit.value) == ""


def test_nan_and_infinity_are_never_lit():
    values = steps()
    values[0, 0, :, 0] = [math.nan, math.inf, -math.inf, 5, 6]
    session, grid, large, histogram = shown(values, "FeatureMaps", "ChannelView", "Histogram")
    before = rgb(large)
    session.selection.value_range = (-1e30, 1e30)
    same = are_as_before(before, rgb(large), 4, 5)
    np.testing.assert_array_equal(same, np.isfinite(values[0, ..., 0]))
    assert "57 of 60" in text_of(grid._lit.value)
    assert "17 of 20" in text_of(histogram._lit.value)


def test_over_the_input_the_photo_is_dimmed_with_the_map():
    session, large = shown(np.repeat(steps(channels=1), 3, -1), "ChannelView")
    large.ground = "over the input"
    before = rgb(large)
    session.selection.value_range = (3, 8)
    expected = (steps(channels=1)[0, ..., 0] >= 3) & (steps(channels=1)[0, ..., 0] <= 8)
    np.testing.assert_array_equal(are_as_before(before, rgb(large), 4, 5), expected)
    assert large._surface.ground and len(large._surface.scene["placed"]) == 2  # map and veil


def test_of_several_values_in_one_pixel_the_one_that_is_drawn_and_read_decides():
    values = np.zeros((1, 1200, 1200, 1), "float32")
    values[0, ::2, ::2] = 1
    values[0, 101, 101] = 3
    session, large = shown(values, "ChannelView")
    session.selection.value_range = (2, 4)
    ((row, column),) = np.argwhere(lit(large._shown_map.fine, (2, 4)))
    assert large._shown_map.picture.indices[row, column] == 253
    assert "1 of 1,440,000 values in channel 0, less than 0.1%" in text_of(large._lit.value)
    session.selection.value_range = (0, 0.5)
    assert not lit(large._shown_map.fine, (0, 0.5)).any()  # each pixel shows a 1 or the 3
    assert "1,079,999 of 1,440,000" in text_of(large._lit.value)


def test_the_colour_bar_is_dimmed_where_the_map_is():
    session, grid = shown(steps(), "FeatureMaps")
    session.selection.value_range = (14.75, 44.25)
    assert "aw-veil" not in grid._bar.value  # each map has a scale of its own
    grid.scale = "per layer"
    assert "left:0;right:75.00%" in grid._bar.value and "left:75.00%;right:0" in grid._bar.value
    bar = charts.colour_bar("viridis", Scale(0, 59), ("0", "59"), (14.75, 44.25))
    plain = charts.colour_bar("viridis", Scale(0, 59), ("0", "59"))
    same = (bar == plain).all((0, 2))
    left, right = (np.flatnonzero(~same)[i] for i in (0, -1))
    share = (np.flatnonzero(same[left : right + 1])[[0, -1]] - 0.0) / (right - left)
    np.testing.assert_allclose(share, [0.25, 0.75], atol=0.01)


# --- other ranks ---


def test_bars_outside_are_pale():
    session, grid, one = shown(
        np.array([[-3, -1, 0, 1, 2, 4, math.nan]], "float32"), "FeatureMaps", "ChannelView"
    )
    session.selection.value_range = (-1, 2)
    picture = rgb(grid)
    for unit, colour in ((0, PALE), (1, ORANGE), (3, BLUE), (4, BLUE), (5, PALE)):
        box = grid._grid.box(unit)
        tile = picture[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)].reshape(
            -1, 3
        )
        colours = {tuple(c) for c in np.unique(tile, axis=0).tolist()} & {PALE, ORANGE, BLUE}
        assert colours == {colour}, unit
    assert "4 of 7 values in 7 units, 57.1%" in text_of(grid._lit.value)
    session.selection.channel = 5
    strokes = rgb(one)
    columns = [np.flatnonzero((strokes == colour).all(2).any(0)) for colour in (PALE, BLUE, ORANGE)]
    assert columns[0].max() < columns[1].min() and columns[1].max() < columns[2].min()
    assert "4 of 7 values in 7 units" in text_of(one._lit.value)


def test_lines_are_bold_inside_and_pale_outside():
    values = np.array([0, 1, 2, 3, 2, 1, math.nan, 3], "float32")[None, :, None].repeat(2, 2)
    session, grid, view = shown(values, "FeatureMaps", "ChannelView")
    session.axes["same"] = "time × channels"
    grid.sequences = "lines"
    chart = view._chart
    assert not chart._lit.visible
    session.selection.value_range = (1.5, 3)
    assert chart._lit.visible
    np.testing.assert_array_equal(chart._lit.x[1::4], [2, 3, 4, 7])
    np.testing.assert_array_equal(chart._lit.y[1::4], [2, 3, 2, 3])
    pale = chart._line.colors
    picture, tile = rgb(grid), grid._grid.box(0)
    shown_tile = picture[int(tile.y) : int(tile.y + tile.height), int(tile.x) : int(tile.x + tile.width)]
    step = (np.arange(8) + 0.5) * shown_tile.shape[1] / 8
    has = [(shown_tile[:, step.astype(int)] == colour).all(2).any(0) for colour in (BLUE, PALE)]
    assert has[0][:6].tolist() == [False, False, True, True, True, False]
    assert has[1][:6].tolist() == [True, True, False, False, False, True]
    assert "8 of 16 values in 2 channels" in text_of(grid._lit.value)
    assert "4 of 8 values in channel 0" in text_of(view._lit.value)
    before = rgb(view)
    session.selection.value_range = None
    assert not chart._lit.visible and chart._line.colors != pale
    assert not np.array_equal(rgb(view), before)


def test_of_a_volume_the_slice_is_counted_where_a_slice_is_drawn():
    session = aw.Session(*volume())
    session.selection.layer = "conv"
    grid, histogram = aw.FeatureMaps(session), aw.Histogram(session)
    values = session.activation("conv")[0]
    low, high = np.quantile(values, [0.4, 0.8]).tolist()
    session.selection.value_range = (low, high)
    inside = (values >= low) & (values <= high)
    for depth in (1, 6):
        session.axes.move("depth", depth)
        said = text_of(grid._lit.value)
        assert f"{inside[depth].sum():,} of {inside[depth].size:,} values" in said
        assert f"depth {depth}" in said
    assert f"{inside[..., 0].sum():,} of {inside[..., 0].size:,} values" in text_of(histogram._lit.value)


def test_where_attention_is_drawn_its_weights_are_counted_and_lit():
    session = aw.Session(*vision_transformer())
    session.selection.layer = "heads"
    grid, histogram = aw.FeatureMaps(session), aw.Histogram(session)
    weights = session.attention("heads")[0]
    session.axes.move("heads", 2)
    assert histogram.array.sum() == weights[2].size
    assert histogram._ends == (weights[2].min(), weights[2].max())
    assert "head 2" in text_of(histogram._heading.value)
    histogram.scope = "layer"
    assert histogram.array.sum() == weights.size
    session.selection.value_range = (float(np.quantile(weights, 0.9)), 1)
    count = (weights >= session.selection.value_range[0]).sum()
    for view in (grid, histogram):
        assert f"{count:,} of {weights.size:,} values" in text_of(view._lit.value)
    session.axes["heads"] = "tokens × features"
    assert histogram.array.sum() == session.activation("heads")[0].size


@pytest.mark.parametrize("name", RANKS)
def test_every_layer_takes_a_range_and_runs_the_model_no_more(name):
    session = aw.Session(*RANKS[name]())
    views = [aw.FeatureMaps(session), aw.ChannelView(session), aw.Histogram(session)]
    for layer in session.layers:
        session.selection.layer = layer
        session.selection.channel = session.reader.channels(layer) - 1
        assert worker_of(session).wait()
        done, before = session.stats()["forward_passes"], [view.png() for view in views]
        session.selection.value_range = (views[2]._ends[0] - 1, float(np.mean(views[2]._ends)))
        assert [alert_of(view) for view in views] == ["", "", ""], layer
        assert all("Lit: " in text_of(view._lit.value) for view in views)
        assert all(view.png() != picture for view, picture in zip(views[2:], before[2:], strict=True))
        assert session.stats()["forward_passes"] == done
    for view in views:
        view.close()


# --- the histogram ---


def test_a_range_that_is_drawn_is_that_of_every_view():
    session, grid, histogram = shown(steps(), "FeatureMaps", "Histogram")
    histogram.scope = "layer"
    assert histogram._ends == (0, 59)
    brush(histogram, 9.5, 20.25)
    assert session.selection.value_range == (9.5, 20.25)
    assert list(histogram._range.chosen) == [9.5, 20.25]
    assert "11 of 60 values in all channels, 18.3%" in text_of(histogram._lit.value)
    assert "11 of 60 values in 3 channels" in text_of(grid._lit.value)
    brush(histogram)
    assert session.selection.value_range is None
    assert list(histogram._range.chosen) == []


def test_a_range_drawn_to_the_border_holds_the_last_value():
    values = steps() / 7
    session, histogram = shown(values, "Histogram")
    histogram.scope = "layer"
    brush(histogram, -0.3, float(values.max()) - 1e-3)
    assert session.selection.value_range == (0, values.max())
    assert "60 of 60 values in all channels, 100.0%" in text_of(histogram._lit.value)


def test_a_range_from_elsewhere_moves_the_brush_and_the_fields():
    session, histogram = shown(steps(), "Histogram")
    session.selection.value_range = (30, 1000)
    np.testing.assert_array_equal(histogram._brush.selected, [30, histogram._ends[1]])
    assert list(histogram._range.chosen) == [30, 1000]
    session.selection.value_range = (900, 1000)  # nothing of it is in the chart
    assert histogram._brush.selected is None
    assert "0 of 20 values in channel 0, 0.0%" in text_of(histogram._lit.value)
    session.selection.value_range = (30, 40)
    session.selection.layer = "given"
    assert histogram._brush.selected is None and list(histogram._range.chosen) == []


def test_the_brush_is_left_alone_where_the_pointer_holds_it():
    session, histogram = shown(steps(), "Histogram")
    brush(histogram, 12.0, 56.99)
    assert session.selection.value_range == (12, 57)
    np.testing.assert_array_equal(histogram._brush.selected, [12.0, 56.99])


def test_fields_choose_a_range_and_a_wrong_one_is_told_once():
    session, histogram = shown(steps(), "Histogram")
    histogram._range.set_state({"chosen": [3, 9.5]})
    assert session.selection.value_range == (3, 9.5)
    histogram._range.set_state({"chosen": [30, 9.5]})
    assert "the lower one first" in alert_of(histogram)
    assert session.selection.value_range == (3, 9.5)
    histogram._range.set_state({"chosen": [30, 39.5]})
    assert alert_of(histogram) == "" and session.selection.value_range == (30, 39.5)
    histogram._range.set_state({"chosen": []})
    assert session.selection.value_range is None


def test_a_range_computes_nothing_anew():
    session, *views = shown(steps(), "FeatureMaps", "ChannelView", "Histogram")
    results = [view._results.latest[1].result for view in views]
    told = [view._surface.scene["placed"][0] for view in views[:2]]
    for low in range(5):
        session.selection.value_range = (low, 20)
    assert all(view._results.latest[1].result is result for view, result in zip(views, results, strict=True))
    assert [view._surface.scene["placed"][0] for view in views[:2]] == told


# --- given away ---


@pytest.mark.parametrize("kind", ["FeatureMaps", "ChannelView", "Histogram"])
@pytest.mark.parametrize(("model", "layer"), [(volume, "conv"), (recurrent, "lstm"), (vectors, "wide")])
def test_code_and_still_pictures_have_the_range(kind, model, layer):
    pair = model()
    session = aw.Session(*pair)
    session.selection.layer = layer
    view = getattr(aw, kind)(session)
    plain, code = view.still(), view.code()
    ends = aw.Histogram(session)._ends
    session.selection.value_range = (ends[0], sum(ends) / 3)
    still = view.still()
    assert still.shape[0] > plain.shape[0]  # how much is lit is said below
    names = {"model": pair[0], "inputs": pair[1]}
    exec(view.code(), names)
    assert names["session"].selection.value_range == session.selection.value_range
    assert names["view"].png() == view.png()
    np.testing.assert_array_equal(names["view"].still(), still)
    session.selection.value_range = None
    assert view.code() == code
    np.testing.assert_array_equal(view.still(), plain)


def test_the_picture_of_a_histogram_shows_the_range_behind_the_bars():
    counts, edges = np.array([4, 0, 0, 0]), np.linspace(0, 4, 5)
    plain = charts.histogram(counts, edges, log=False)
    drawn = charts.histogram(counts, edges, (1, 2), log=False)
    columns = np.flatnonzero((drawn != plain).any((0, 2)))
    width = plain.shape[1] - 16 - 64
    np.testing.assert_allclose(columns[[0, -1]], [64 + width / 4, 64 + width / 2], atol=1)
    np.testing.assert_array_equal(charts.histogram(counts, edges, (7, 9), log=False), plain)


def test_the_palette_of_the_lit_is_the_palette_of_the_map():
    """Nothing is recoloured: each lit cell has the colour that its value has in the colour map."""
    session, grid = shown(steps(), "FeatureMaps")
    grid.scale = "per layer"
    session.selection.value_range = (20, 40)
    picture, page = rgb(grid), grid._grid
    zoom = picture.shape[0] / page.mosaic.shape[0]
    for value in range(20, 41):
        (row,), (column,), (channel,) = np.nonzero(steps()[0] == value)
        top, left = page.mosaic.corner(int(channel))
        y = (top + (row + 0.5) * page.mosaic.height / 4) * zoom
        x = (left + (column + 0.5) * page.mosaic.width / 5) * zoom
        assert tuple(picture[int(y), int(x)]) == tuple(palette("viridis")[int(value / 59 * 253 + 0.5)])
