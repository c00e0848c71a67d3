"""Every number of axes on the screen: what is drawn, read, clicked, and given as a picture."""

from __future__ import annotations

import io
import warnings

import keras
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from keras import layers
from PIL import Image

import act_widgets as aw
from act_widgets.rendering import plots
from act_widgets.rendering.palettes import DOWN, GROUND, NOT_FINITE, UP, ZERO
from act_widgets.rendering.pictures import Scale
from act_widgets.widgets.text import number
from act_widgets.widgets.worker import worker_of

from .cards import pick
from .ranks import RANKS, decoder, film, flat_picture, recurrent, signal, vectors, vision_transformer, volume
from .screen import alert_of, text_of
from .some import some
from .zoo import batch, shaken

CLOSE = {"rtol": 1e-5, "atol": 1e-6}
pytestmark = pytest.mark.filterwarnings("ignore:Layer '.*' .* was passed an input with a mask")


class Screen:
    """Feature maps and channel view of one layer, as a reader sees and leads them."""

    def __init__(self, pair, layer: str, **options) -> None:
        self.session = aw.Session(*pair)
        self.session.selection.layer = layer
        self.grid = aw.FeatureMaps(self.session, **options)
        self.view = aw.ChannelView(self.session)
        self.settle()

    def settle(self) -> None:
        assert worker_of(self.session).wait()

    @property
    def values(self) -> np.ndarray:
        return self.session.activation(self.session.selection.layer)[0]

    def box(self, picture: int):
        return self.grid._grid.box(picture)

    def mouse(self, view, event: str, x: float, y: float) -> None:
        view._surface._hear(view._surface, {"event": event, "at": [x, y]}, [])

    def click(self, picture: int) -> None:
        box = self.box(picture)
        self.mouse(self.grid, "click", box.x + box.width / 2, box.y + box.height / 2)

    def read(self, picture: int, *shares: float) -> str:
        """Return what is said of a place in a picture, given as shares of its height and width."""
        box, (down, across) = self.box(picture), ([0.5, *shares] if len(shares) < 2 else shares)[-2:]
        self.mouse(self.grid, "point", box.x + across * box.width, box.y + down * box.height)
        return text_of(self.grid._under.value)

    def read_large(self, down: float, across: float) -> str:
        width, height = self.view._surface.size
        self.mouse(self.view, "point", across * width, down * height)
        return text_of(self.view._under.value)

    def picture(self, view=None) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO((view or self.grid).png())).convert("RGB"))

    def shown(self) -> list[str]:
        """Return the sliders that are on the screen."""
        sliders = self.grid._axes.sliders.values()
        return [s.description for s in sliders if s.layout.display != "none"]


def is_shown(widget) -> bool:
    return widget.layout.display != "none"


def test_the_colour_bar_of_maps_of_both_signs_has_zero_in_its_middle():
    signed, positive = (Screen(volume(), layer).grid for layer in ("conv", "relu"))
    assert text_of(signed._bar.value).split() == ["each", "map's", "−max", "0", "+max"]
    assert text_of(positive._bar.value).split() == ["each", "map's", "lowest", "highest"]


# --- vectors ---


def test_a_vector_is_bars_up_and_down_from_zero():
    screen = Screen(vectors(), "wide")
    np.testing.assert_array_equal(screen.grid.array, screen.values)
    picture = screen.picture()
    for unit, value in enumerate(screen.values):
        box = screen.box(unit)
        left, right = int(box.x) + 2, int(box.x + box.width) - 3
        column = picture[int(box.y) : int(box.y + box.height), left:right].reshape(-1, 3)
        blue = (column == (43, 140, 196)).all(1).sum()
        red = (column == (213, 94, 0)).all(1).sum()
        assert (blue > red) == (value > 0)
        assert max(blue, red) / len(column) == pytest.approx(
            abs(value) / (2 * abs(screen.values).max()), abs=0.03
        )
    assert not is_shown(screen.grid._scale) and not is_shown(screen.grid._colours)


def test_a_thousand_bars_are_clicked_and_read_one_by_one():
    screen = Screen(vectors(1000), "wide")
    assert screen.grid._grid.pages == 1
    for unit in (0, 139, 140, 421, 999):
        assert screen.box(unit).width >= 4
        screen.click(unit)
        assert screen.session.selection.channel == unit
        assert screen.read(unit, 0.5) == f"unit {unit} · {number(screen.values[unit])}"
    screen.session.selection.layer = "numbers"
    assert screen.grid.array.shape == (5,)


def test_more_bars_come_in_pages():
    screen = Screen(vectors(1500), "wide")
    screen.session.selection.channel = 1400
    assert screen.grid._page.value == 2
    assert screen.grid.array.shape == (1500 - 1024,)
    assert "unit 1400" in screen.read(1400, 0.5)


def test_one_number_is_shown_among_those_of_its_layer():
    screen = Screen(vectors(), "wide")
    highest, lowest = int(screen.values.argmax()), int(screen.values.argmin())
    screen.session.selection.channel = highest
    assert screen.view.array.shape == () and screen.view.array == screen.values.max()
    assert text_of(screen.view._under.value) == f"{number(screen.values.max())} · 0 of 12 are higher"
    right = np.flatnonzero((screen.picture(screen.view) == (213, 94, 0)).all(2).any(0))
    screen.session.selection.channel = lowest
    assert "11 of 12 are higher" in text_of(screen.view._under.value)
    left = np.flatnonzero((screen.picture(screen.view) == (213, 94, 0)).all(2).any(0))
    assert left.max() < right.min()
    assert not is_shown(screen.view._way)


# --- sequences ---


def test_a_sequence_is_a_heat_map_with_a_row_for_each_channel():
    screen = Screen(recurrent(), "lstm")
    np.testing.assert_array_equal(screen.grid.array, screen.values.T)
    assert text_of(screen.grid._heading.value).endswith("lstm · 6 channels of 40")
    for channel, step in ((0, 0), (5, 39), (2, 17)):
        value = number(screen.values[step, channel])
        assert screen.read(channel, (step + 0.5) / 40) == f"channel {channel} · time {step} · {value}"
    screen.click(4)
    assert screen.session.selection.channel == 4
    np.testing.assert_array_equal(screen.view.array, screen.values[:, 4])


def test_a_sequence_is_also_lines():
    screen = Screen(recurrent(), "lstm", sequences="lines", scale="per layer")
    np.testing.assert_array_equal(screen.grid.array, screen.values.T)
    low, high = screen.values.min(), screen.values.max()
    assert f"From {min(low, -high):.3g} to" in text_of(screen.grid._bar.value)
    screen.click(3)
    assert screen.session.selection.channel == 3
    step = int(screen.values[:, 3].argmax())
    assert f"channel 3 · time {step} · {number(screen.values[step, 3])}" == screen.read(3, (step + 0.5) / 40)
    heat = screen.picture()
    screen.grid._sequences.value = "heat map"
    assert not np.array_equal(heat, screen.picture())


def test_the_chosen_channel_of_a_sequence_is_a_line_changed_in_place():
    screen = Screen(recurrent(), "lstm")
    chart = screen.view._chart
    assert chart.widget in screen.view._place.children and not is_shown(screen.view._surface.face)
    figure, line = chart.figure, chart._line
    for channel in (1, 5):
        screen.session.selection.channel = channel
        np.testing.assert_allclose(line.y, screen.values[:, channel], **CLOSE)
        np.testing.assert_array_equal(line.x, np.arange(40))
    assert chart._across.label == "time"
    assert screen.view._chart.figure is figure
    screen.session.selection.layer = "gru"
    assert is_shown(screen.view._surface.face) and chart.widget not in screen.view._place.children
    assert screen.view.array.shape == ()


def test_the_pointer_reads_the_nearest_value_of_a_line():
    screen = Screen(recurrent(), "lstm")
    screen.session.selection.channel = 2
    summary = text_of(screen.view._under.value)
    pointer = screen.view._chart.widget.children[1].state
    for x, step in ((23.4, 23), (23.6, 24), (-3.0, 0), (80.0, 39)):
        pointer._handle_custom_msg({"at": x}, [])
        said = f"channel 2 · time {step} · {number(screen.values[step, 2])}"
        assert text_of(screen.view._under.value) == said
    pointer._handle_custom_msg({"at": None}, [])
    assert text_of(screen.view._under.value) == summary
    # The chart is off the screen, and its last message comes late.
    screen.session.selection.layer = "gru"
    summary = text_of(screen.view._under.value)
    pointer._handle_custom_msg({"at": 1.0}, [])
    assert (text_of(screen.view._under.value), alert_of(screen.view)) == (summary, "")


def test_of_a_long_sequence_the_pointer_finds_the_peak_that_is_drawn():
    """Eleven steps share a column of a line; a single high one is seen, and read where it is."""
    given = keras.Input((6000, 2), name="signal")
    model = keras.Model(given, layers.GlobalAveragePooling1D(name="mean")(layers.ReLU(name="relu")(given)))
    x = np.zeros((1, 6000, 2), "float32")
    x[0, 4321, 1] = 5
    screen = Screen((model, x), "relu")
    for kind in ("heat map", "lines"):
        screen.grid._sequences.value = kind
        assert screen.read(1, 4321.5 / 6000) == "channel 1 · position 4321 · 5"
    box, picture = screen.box(1), screen.picture()
    column = picture[:, int(box.x + 4321 * box.width / 6000)]
    assert (column[int(box.y) : int(box.y) + 20] == (43, 140, 196)).all(1).any()


def test_hundreds_of_channels_of_thousands_of_steps():
    screen = Screen(signal(2000, 512), "relu")
    screen.session.selection.channel = 511
    assert screen.grid.array.shape == (64, 2000)
    np.testing.assert_array_equal(screen.grid.array[-1], screen.values[:, 511])
    assert screen.grid._grid.picture.indices.shape == (64, 560)
    assert screen.picture(screen.view).shape[2] == 3


# --- pictures, volumes, films ---


def test_a_picture_without_channels_is_one_map_that_chooses_nothing():
    screen = Screen(flat_picture(), "scaled")
    np.testing.assert_array_equal(screen.grid.array, screen.values[None])
    np.testing.assert_array_equal(screen.view.array, screen.values)
    assert screen.read(0, 3.5 / 28, 20.5 / 28) == f"row 3, column 20 · {number(screen.values[3, 20])}"
    screen.click(0)
    assert screen.session.selection.channel == 0
    assert screen.shown() == []


def test_a_volume_has_a_slider_for_its_slices():
    screen = Screen(volume(), "conv")
    assert screen.shown() == ["Depth"]
    slider = screen.grid._axes.sliders["depth"]
    assert (slider.min, slider.max, slider.value) == (0, 7, 4)
    slider.value = 6
    np.testing.assert_array_equal(screen.grid.array, np.moveaxis(screen.values[6], -1, 0))
    np.testing.assert_array_equal(screen.view.array, screen.values[6, :, :, 0])
    value = number(screen.values[6, 2, 4, 3])
    assert screen.read(3, 2.5 / 6, 4.5 / 5) == f"channel 3 · depth 6 · row 2, column 4 · {value}"
    screen.session.selection.channel = 3
    assert screen.read_large(2.5 / 6, 4.5 / 5) == f"channel 3 · depth 6 · row 2, column 4 · {value}"
    screen.session.selection.layer = "flat"
    assert screen.shown() == []


def test_a_film_has_a_slider_for_its_time_and_lies_over_the_frame_shown():
    screen = Screen(film(), "convlstm")
    assert screen.shown() == ["Time"]
    screen.view._way.value = "over the input"
    frames = []
    for time in (0, 5):
        screen.session.axes.move("time", time)
        photo = screen.view._shown_map.ground.rgb
        grey = screen.session.inputs[0, time, :, :, 0]
        assert photo.shape == (9, 8, 3)
        assert np.corrcoef(photo[..., 0].ravel(), grey.ravel())[0, 1] > 0.99
        frames.append(photo)
    assert not np.array_equal(*frames)


def test_two_sliders_where_two_axes_are_not_drawn():
    screen = Screen(RANKS["film_of_volumes"](), "scans")
    assert screen.shown() == ["Time", "Depth"]
    screen.session.axes.move("time", 2)
    screen.session.axes.move("depth", 1)
    np.testing.assert_array_equal(screen.view.array, screen.values[2, 1, :, :, 0])
    assert "channel 0 · time 2 · depth 1 · row 0, column 0" in screen.read(0, 0.01, 0.01)


# --- transformers ---


def test_tokens_are_folded_and_read_with_their_number():
    screen = Screen(vision_transformer(), "mix")
    np.testing.assert_array_equal(screen.view.array, screen.values[1:, 0].reshape(8, 8))
    value = number(screen.values[1 + 2 * 8 + 5, 7])
    assert screen.read(7, 2.5 / 8, 5.5 / 8) == f"feature 7 · row 2, column 5 (token 22) · {value}"
    screen.session.axes["mix"] = "tokens × features"
    np.testing.assert_array_equal(screen.view.array, screen.values[:, 0])
    assert is_shown(screen.view._chart.widget)


def test_attention_has_a_map_for_each_head_and_a_slider_for_the_chosen_one():
    screen = Screen(vision_transformer(), "heads")
    weights = screen.session.attention("heads")[0]
    np.testing.assert_array_equal(screen.grid.array, weights)
    np.testing.assert_array_equal(screen.view.array, weights[0])
    assert screen.shown() == ["Head"]
    screen.click(2)
    np.testing.assert_array_equal(screen.view.array, weights[2])
    assert screen.session.selection.channel == 0
    assert screen.view._axes.sliders["heads"].value == 2
    value = number(weights[1, 3, 60])
    assert screen.read(1, 3.5 / 65, 60.5 / 65) == f"head 1 · query 3, key 60 · {value}"
    assert "computed from its query and key; it has no mask" in text_of(screen.grid._axes._remark.value)
    assert screen.session.stats()["forward_passes"] == 1
    assert not is_shown(screen.view._way)  # queries lie nowhere in the input


def test_what_one_token_looks_at_lies_over_the_picture():
    screen = Screen(vision_transformer(), "heads")
    screen.session.axes["heads"] = "attention: heads × queries × patches (8 × 8)"
    screen.view._way.value = "over the input"
    assert screen.shown() == ["Head", "Query"]
    screen.grid._axes.sliders["queries"].value = 64
    screen.view._axes.sliders["heads"].value = 3
    weights = screen.session.attention("heads")[0, 3, 64, 1:].reshape(8, 8)
    np.testing.assert_array_equal(screen.view.array, weights)
    assert is_shown(screen.view._way)
    assert screen.view._shown_map.ground.rgb.shape == (32, 32, 3)
    assert f"head 3 · query 64 · row 1, column 0 (token 9) · {number(weights[1, 0])}" == screen.read_large(
        0.15, 0.05
    )


def test_the_output_of_attention_is_a_choice_away():
    screen = Screen(vision_transformer(), "heads")
    pick(screen.grid._axes.list, "patches (8 × 8) × features")
    np.testing.assert_array_equal(screen.view.array, screen.values[1:, 0].reshape(8, 8))
    screen.session.selection.channel = 5
    np.testing.assert_array_equal(screen.view.array, screen.values[1:, 5].reshape(8, 8))


def test_masked_attention_says_so_and_shows_nothing_where_nothing_may_be_seen():
    screen = Screen(decoder(), "self")
    weights = screen.grid.array
    assert not weights[:, np.triu_indices(7, 1)[0], np.triu_indices(7, 1)[1]].any()
    assert not weights[:, :, 5:].any() and not weights[:, 5:].any()
    np.testing.assert_allclose(weights[:, :5].sum(-1), 1, **CLOSE)
    assert "query, key and mask" in text_of(screen.grid._axes._remark.value)
    screen.session.selection.layer = "cross"
    assert screen.grid.array.shape == (3, 7, 5)
    screen.session.selection.layer = "self/~mask"
    assert screen.grid.array.dtype == bool and screen.grid.array.shape == (1, 7, 7)
    assert screen.read(0, 0.01, 0.99).endswith("query 0, key 6 · False")


# --- all of them ---


@pytest.mark.parametrize("name", some(RANKS, 2))
def test_every_layer_is_drawn_and_gives_a_picture(name):
    model, x = RANKS[name]()
    session = aw.Session(model, x)
    views = [aw.FeatureMaps(session), aw.ChannelView(session)]
    for layer in session.layers:
        session.selection.layer = layer
        session.selection.channel = session.reader.channels(layer) - 1
        for axes in session.axes.choices(layer):
            session.axes[layer] = axes
            assert worker_of(session).wait()
            assert [alert_of(view) for view in views] == ["", ""], (layer, axes.words)
            for view in views:
                assert view.png().startswith(b"\x89PNG")
            assert views[0].array.ndim == 1 + len(axes.plane)
            assert views[1].array.ndim == len(axes.plane)
    for view in views:
        view.close()


@pytest.mark.parametrize("words", ["units", "time × channels", "height × width", "time × height × channels"])
@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "int64", "float16", "nothing finite"])
def test_any_kind_of_number_is_drawn(words, kind):
    shape = {1: (6,), 2: (9, 6), 3: (4, 9, 6)}[len(words.split(" × "))]
    values = batch(1, *shape) * 100
    dtype = "float32" if kind == "nothing finite" else kind
    if kind == "nothing finite":
        values[:] = np.resize([np.nan, np.inf, -np.inf], values.shape)
    given = keras.Input(shape, dtype=dtype, name="given")
    out = layers.Flatten(name="flat")(
        layers.Lambda(lambda t: keras.ops.cast(t, "float32"), name="as_real")(given)
    )
    session = aw.Session(keras.Model(given, layers.Dense(2, name="out")(out)), values.astype(dtype))
    session.selection.layer = "given"
    session.axes["given"] = words
    screen = [aw.FeatureMaps(session), aw.FeatureMaps(session, sequences="lines"), aw.ChannelView(session)]
    for view in screen:
        assert alert_of(view) == ""
        assert view.png().startswith(b"\x89PNG")
    grid = screen[0]._grid
    box = grid.box(0)
    hit = grid.at(box.x + 1, box.y + 1)
    assert hit[0] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grid.drawn.point(*hit)


def test_whole_numbers_are_read_whole():
    given = keras.Input((3,), dtype="int32", name="words")
    vectors_of_words = layers.Embedding(50000, 2, name="embed")(given)
    model = keras.Model(given, layers.GlobalAveragePooling1D(name="mean")(vectors_of_words))
    screen = Screen((model, np.array([[12345, 7, 0]], "int32")), "words")
    assert screen.read(0, 0.5) == "unit 0 · 12345"


def test_closed_views_follow_no_axes():
    session = aw.Session(*volume())
    session.selection.layer = "conv"
    views = [aw.FeatureMaps(session), aw.ChannelView(session)]
    before = [view._heading.value for view in views]
    for view in views:
        view.close()
    session.axes.move("depth", 1)
    session.axes["conv"] = "channels × depth × height × width"
    assert [view._heading.value for view in views] == before


def test_closing_frees_charts_and_sliders():
    before = len(_instances)
    screen = Screen(recurrent(), "lstm")
    screen.session.selection.layer = "gru"
    screen.session.selection.layer = "norm"
    for view in (screen.grid, screen.view):
        view.close()
    other = Screen(film(), "convlstm")
    for view in (other.grid, other.view):
        view.close()
    assert len(_instances) == before


# --- tiles, by hand ---


def test_bars_by_hand():
    tiles = plots.bars(np.array([1.0, -1.0, 0.0, np.nan]), Scale(-1, 1), 5, 2)
    assert tiles[0, :, 0].tolist() == [UP, UP, ZERO, GROUND, GROUND]
    assert tiles[1, :, 0].tolist() == [GROUND, GROUND, ZERO, DOWN, DOWN]
    assert tiles[2, :, 0].tolist() == [GROUND, GROUND, ZERO, GROUND, GROUND]
    assert (tiles[3] == NOT_FINITE).all()


def test_lines_go_through_their_values_and_mark_what_is_not_finite():
    values = np.array([[0, 4, 4, 0, np.inf]], "float32")
    (tile,) = plots.lines(values, [Scale(0, 4)], 40, 50)
    highest = [int(np.flatnonzero(column == UP)[0]) for column in tile[:, [0, 12, 20]].T]
    assert highest[0] > 30 and highest[1] == highest[2] < 10
    assert (tile[:, 40] == NOT_FINITE).all()
    assert (plots.lines(np.full((1, 3), np.nan), [Scale(0, 1)], 8, 9) == NOT_FINITE).any()


def test_a_view_of_images_is_what_it_was():
    """The grid of an image layer holds each map cell for cell."""
    given = keras.Input((6, 5, 2), name="image")
    model = shaken(keras.Model(given, layers.Flatten(name="flat")(layers.Conv2D(3, 3, name="conv")(given))))
    screen = Screen((model, batch(1, 6, 5, 2)), "conv", scale="per layer")
    np.testing.assert_allclose(screen.grid.array, np.moveaxis(screen.values, -1, 0), **CLOSE)
    indices, mosaic = screen.grid._grid.picture.indices, screen.grid._grid.mosaic
    bound = np.abs(screen.values).max()
    for channel in range(3):
        top, left = mosaic.corner(channel)
        tile = indices[top : top + mosaic.height, left : left + mosaic.width]
        times = mosaic.height // 4
        expected = np.round((screen.values[..., channel] / bound + 1) / 2 * 253)
        np.testing.assert_allclose(tile[::times, ::times], expected, atol=1)


def test_of_what_is_larger_than_the_screen_the_peaks_are_drawn_and_read():
    """One bright row of 1000 would fall between the 560 pixels of the canvas."""
    given = keras.Input((1000, 900, 4), name="image")
    model = keras.Model(given, layers.GlobalAveragePooling2D(name="mean")(layers.ReLU(name="relu")(given)))
    x = np.zeros((1, 1000, 900, 4), "float32")
    x[0, 501, 703, 2] = 3
    screen = Screen((model, x), "relu")
    screen.session.selection.channel = 2
    assert screen.view.array.shape == (1000, 900)
    large, grid = screen.view._shown_map.picture.indices, screen.grid._grid
    ((row, column),) = np.argwhere(large == 253)
    place = "channel 2 · row 501, column 703 · 3"
    assert large.shape == (560, 504)
    assert screen.read_large((row + 0.5) / 560, (column + 0.5) / 504) == place
    top, left = grid.mosaic.corner(2)
    tile = grid.picture.indices[top : top + grid.mosaic.height, left : left + grid.mosaic.width]
    ((row, column),) = np.argwhere(tile == 253)
    assert max(grid.mosaic.shape) <= 1120
    assert screen.read(2, (row + 0.5) / tile.shape[0], (column + 0.5) / tile.shape[1]) == place
