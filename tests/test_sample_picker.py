"""Every kind of sample has a thumbnail that tells it from the others, a page of them at a time."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

import act_widgets as aw
from act_widgets.rendering.photos import Photos

from .cards import send
from .screen import alert_of, text_of

SIDE = 72
RANDOM = np.random.default_rng(0)
BATCHES = {
    "grey": RANDOM.random((2, 8, 8, 1), "float32"),
    "colour, uint8": RANDOM.integers(0, 256, (2, 8, 8, 3)).astype("uint8"),
    "colour, 0 to 255": RANDOM.integers(0, 256, (2, 8, 8, 3)).astype("float32"),
    "colour, -1 to 1": RANDOM.uniform(-1, 1, (2, 8, 8, 3)).astype("float32"),
    "four channels": RANDOM.random((2, 8, 8, 4), "float32"),
    "two channels": RANDOM.random((2, 8, 8, 2), "float32"),
    "channels first": RANDOM.random((2, 3, 8, 8), "float32"),
    "no channels": RANDOM.random((2, 8, 8), "float32"),
    "wide": RANDOM.random((2, 4, 40, 3), "float32"),
    "sequence": RANDOM.normal(size=(2, 30, 6)).astype("float32"),
    "tokens": RANDOM.integers(0, 500, (2, 24)),
    "vector": RANDOM.normal(size=(2, 5)).astype("float32"),
    "text": np.array([["the cat"], ["a dog that barks"]], object),
    "volume": RANDOM.random((2, 6, 8, 8, 1), "float32"),
    "film": RANDOM.random((2, 4, 8, 8, 3), "float32"),
    "long sequence": RANDOM.normal(size=(2, 200, 2)).astype("float32"),
}


@pytest.mark.parametrize("kind", BATCHES)
def test_thumbnails_of_every_kind_differ_and_fill_a_part_that_can_be_seen(kind):
    batch = BATCHES[kind]
    photos = Photos(batch, stated=False, count=2)
    one, other = (photos.thumbnail(i, SIDE) for i in range(2))
    assert one.shape == other.shape == (SIDE, SIDE, 3)
    assert one.dtype == np.uint8
    rows = np.flatnonzero((one != one[0, 0]).any((1, 2)))
    assert np.ptp(rows) >= 6
    assert (one != other).any(-1).mean() > 0.03


@pytest.mark.parametrize("steps", [30, 96, 2000])
def test_time_goes_across_the_thumbnail_of_a_sequence(steps):
    rising = np.repeat(np.linspace(0, 1, steps, dtype=np.float32)[None, :, None], 2, 2)
    drawn = Photos(rising, stated=False, count=1).thumbnail(0, SIDE)
    middle = drawn[SIDE // 2, :, 0].astype(int)
    assert (np.diff(middle) >= 0).all()
    assert middle[0] < 10
    assert middle[-1] > 245


@pytest.mark.parametrize(("kind", "scale"), [("colour, uint8", 1), ("colour, 0 to 255", 1), ("grey", 255)])
def test_a_thumbnail_has_the_brightness_of_its_picture(kind, scale):
    picture = BATCHES[kind][1].astype(float) * scale
    drawn = Photos(BATCHES[kind], stated=False, count=2).thumbnail(1, SIDE)
    cells = drawn[4::9, 4::9].astype(float)
    assert np.abs(cells - np.broadcast_to(picture, cells.shape)).max() <= 0.51


@pytest.mark.parametrize("colours", [1, 3, 4])
def test_channels_first_is_the_same_picture(colours):
    last = RANDOM.random((1, 8, 9, colours), "float32")
    thumbnails = [
        Photos(given, stated=False, count=1).thumbnail(0, SIDE) for given in (last, np.moveaxis(last, -1, 1))
    ]
    np.testing.assert_array_equal(*thumbnails)


def flat_model(*shape: int) -> keras.Model:
    given = keras.Input(shape, name="given")
    return keras.Model(given, layers.Dense(3, name="out")(layers.Flatten()(given)))


def test_of_a_thousand_samples_a_page_is_drawn_at_a_time():
    asked: list[int] = []

    class Pictures(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    shown = Pictures(np.full((8, 8), i / 1000, "float32") for i in range(1000))
    session = aw.Session(flat_model(4), np.ones((1000, 4), "float32"), display=shown)
    picker = aw.SamplePicker(session)
    assert set(asked) == set(range(12))
    asked.clear()
    send(picker._slider, 999)
    assert session.selection.sample == 999
    assert set(asked) == set(range(996, 1000))
    assert picker.array.shape == (4, SIDE, SIDE, 3)
    assert "999 of 1000" in text_of(picker._heading.value)
    picker.close()


def test_numbers_that_are_no_picture_have_no_brightness():
    picker = aw.SamplePicker(aw.Session(flat_model(24), BATCHES["tokens"].astype("float32")))
    assert "brightness" not in text_of(picker._heading.value)
    picker.close()


def test_a_batch_of_one_and_several_inputs_are_shown():
    a, b = keras.Input((8, 8, 1), name="a"), keras.Input((3,), name="b")
    model = keras.Model([a, b], layers.Dense(2)(layers.Concatenate()([layers.Flatten()(a), b])))
    picture = BATCHES["grey"][:1]
    picker = aw.SamplePicker(aw.Session(model, [picture, np.ones((1, 3), "float32")]))
    assert picker._slider.disabled
    assert alert_of(picker) == ""
    np.testing.assert_array_equal(picker.array[0], Photos(picture, stated=False, count=1).thumbnail(0, SIDE))
    picker.close()
