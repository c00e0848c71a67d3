"""What the page is sent to draw, and when."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
from PIL import Image

import act_widgets as aw
from act_widgets.rendering.palettes import palette
from act_widgets.rendering.pictures import finite_scale, quantised
from act_widgets.widgets.sprite import colours_of, neighbours, sprite_of
from act_widgets.widgets.worker import worker_of


class Screen:
    """The cards that follow the channel, and what they told the page since `forget`."""

    def __init__(self, digits, layer: str) -> None:
        model, images, _ = digits
        self.session = aw.Session(model, images[:3])
        self.session.selection.layer = layer
        self.slider = aw.ChannelSlider(self.session)
        self.grid, self.large = aw.FeatureMaps(self.session), aw.ChannelView(self.session)
        self.told: set[str] = set()
        for view in (self.grid, self.large):
            view._surface.observe(lambda change: self.told.add(change["name"]))
        self.settle()

    def settle(self) -> None:
        assert worker_of(self.session).wait()
        self.told.clear()

    def close(self) -> None:
        for view in (self.slider, self.grid, self.large):
            view.close()


@pytest.fixture
def screen(digits):
    opened = Screen(digits, "block2_relu2")
    yield opened
    opened.close()


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def drawn(surface, scene: dict) -> np.ndarray:
    """Return the pixels of the part of a picture that a scene shows, ``(height, width, 3) uint8``."""
    (item,) = scene["placed"]
    picture = decoded(surface.sheets[item["sheet"]])
    left, top, width, height = item["part"] or (0, 0, picture.shape[1], picture.shape[0])
    return picture[top : top + height, left : left + width]


def colours(values: np.ndarray) -> np.ndarray:
    scale = finite_scale(values)
    return palette(colours_of(scale))[quantised(values, scale)]


def test_another_channel_or_opacity_sends_no_picture(screen):
    for channel in (3, 23, 0):
        screen.session.selection.channel = channel
        assert screen.told == {"scene"}
    screen.large.ground = "over the input"
    assert "ground" in screen.told and "sheets" not in screen.told
    screen.told.clear()
    screen.large.opacity = 0.3
    assert screen.told == {"scene", "scenes"}
    screen.told.clear()
    screen.session.selection.channel = 5
    assert screen.told == {"scene"}
    screen.session.selection.sample = 1
    assert "sheets" in screen.told


@pytest.mark.parametrize("layer", ["block2_relu2", "block2_bn2"])
@pytest.mark.parametrize("order", ["index", "variance"])
def test_the_page_is_told_the_map_of_every_place_of_the_slider(digits, layer, order):
    screen = Screen(digits, layer)
    screen.session.selection.order = order
    screen.settle()
    channels = screen.session.ordered_channels(layer, 0).channels
    values = screen.session.activation(layer)[0]
    surface = screen.large._surface
    assert surface._slider is screen.slider._slider
    assert sorted(map(int, surface.scenes)) == list(range(len(channels)))
    for place, channel in enumerate(channels.tolist()):
        np.testing.assert_array_equal(
            drawn(surface, surface.scenes[str(place)]), colours(values[..., channel])
        )
        (frame,) = screen.grid._surface.scenes[str(place)]["frames"]
        assert frame == screen.grid._grid.box(channel)
    screen.close()


def test_a_hidden_channel_has_no_frame_wherever_the_slider_stands():
    given = keras.Input((6, 6, 1))
    conv = keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer="zeros", name="conv")
    model = keras.Model(given, keras.layers.GlobalAveragePooling2D()(conv(given)))
    conv.bias.assign([1.0, -1.0, 1.0, 1.0])
    screen = Screen((model, np.ones((3, 6, 6, 1), "float32"), None), "conv")
    screen.session.selection.channel = 1
    assert sorted(screen.grid._surface.scenes) == ["0", "1", "2", "3"]
    screen.session.selection.hide_dead = True
    screen.settle()
    for view in (screen.grid, screen.large):
        assert view._surface.scenes == {}
    assert screen.grid._surface.scene["frames"] == []
    screen.session.selection.channel = 2
    screen.settle()
    assert sorted(screen.grid._surface.scenes) == sorted(screen.large._surface.scenes) == ["0", "1", "2"]
    screen.close()


def test_a_drawing_follows_the_slider_that_is_there(screen):
    first, other, last = screen.slider, aw.ChannelSlider(screen.session), aw.ChannelSlider(screen.session)
    assert screen.grid._surface._slider is last._slider
    first.close()
    assert screen.grid._surface._slider is last._slider
    last.close()
    assert screen.grid._surface._slider is other._slider
    other.close()
    assert screen.grid._surface._slider is None
    assert screen.large._surface.comm is not None, "closing the slider closes no drawing"


def test_closing_a_drawing_leaves_the_slider(screen):
    screen.grid.close()
    assert screen.slider._slider.comm is not None


# --- sprites ---


@pytest.mark.parametrize(
    ("place", "count", "shape", "expected"),
    [
        (0, 200, (56, 56), range(64)),
        (70, 200, (56, 56), range(64, 128)),
        (199, 200, (56, 56), range(192, 200)),
        (5, 8, (224, 224), range(8)),
        (12, 64, (224, 224), range(10, 20)),
        (3, 64, (800, 800), range(3, 4)),
    ],
)
def test_as_many_maps_as_fit_are_sent_at_once(place, count, shape, expected):
    assert neighbours(place, count, shape) == expected


def test_each_map_of_a_sprite_has_its_own_range_and_sign():
    maps = np.stack(
        [np.arange(12.0).reshape(3, 4), np.linspace(-1, 3, 12).reshape(3, 4), np.full((3, 4), np.nan)]
    )
    sprite = sprite_of(maps, 64)
    assert sprite.places == range(64, 67)
    assert sprite.sheets[0] is sprite.sheets[2] and sprite.sheets[0] is not sprite.sheets[1]
    for place, values in zip(sprite.places, maps, strict=True):
        sheet, (left, top, width, height) = sprite.cut(place)
        cell = decoded(sheet.png)[top : top + height, left : left + width]
        np.testing.assert_array_equal(cell, colours(values))
