"""Numbers become colours: scales, palettes, grids and photos, checked by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from act_widgets.rendering.palettes import (
    DIVERGING,
    GROUND,
    LEVELS,
    NOT_FINITE,
    NOT_FINITE_COLOUR,
    SEQUENTIAL,
    palette,
)
from act_widgets.rendering.photos import Photos
from act_widgets.rendering.pictures import (
    Mosaic,
    Picture,
    Scale,
    blended,
    enlarged,
    finite_scale,
    ground,
    laid,
    largest_at,
    lay_out,
    png_of,
    quantised,
    resampled,
)

FLOATS = st.floats(width=32)


def decoded(png: bytes, mode: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert(mode))


# --- scales ---


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0.0, 2.0, 4.0], 0, 4),
        ([1.0, 3.0], 1, 3),
        ([-3.0, -1.0], -3, -1),
        ([-1.0, 3.0], -3, 3),
        ([-5.0, 0.5], -5, 5),
        ([2.0, 2.0], 2, 2),
        ([np.nan, 1.0, np.inf, 2.0, -np.inf], 1, 2),
        ([np.nan, np.inf], 0, 1),
        ([], 0, 1),
    ],
)
def test_the_scale_of_values(values, low, high):
    scale = finite_scale(np.array(values, np.float32))
    assert (scale.low, scale.high) == (low, high)
    assert scale.signed == (low < 0 < high)


def test_the_scale_of_whole_numbers_and_truth_values():
    assert finite_scale(np.array([3, 200], np.uint8)) == Scale(3, 200)
    assert finite_scale(np.array([-2, 1], np.int64)) == Scale(-2, 2)
    assert finite_scale(np.array([True, False])) == Scale(0, 1)


def test_quantised_reaches_both_ends_and_the_middle():
    assert quantised(np.array([0.0, 0.5, 1.0], np.float32), Scale(0, 1)).tolist() == [0, 127, LEVELS - 1]
    assert quantised(np.array([-2.0, 0.0, 2.0], np.float32), Scale(-2, 2)).tolist() == [0, 127, LEVELS - 1]


def test_values_beyond_the_scale_take_the_colours_of_its_ends():
    assert quantised(np.array([-9.0, 9.0], np.float32), Scale(-1, 1)).tolist() == [0, LEVELS - 1]


def test_a_constant_map_is_one_colour_and_what_is_not_finite_is_told_apart():
    assert quantised(np.full((2, 2), 7.0), Scale(7, 7)).tolist() == [[0, 0], [0, 0]]
    found = quantised(np.array([np.nan, np.inf, -np.inf, 1.0], np.float32), Scale(0, 1))
    assert found.tolist() == [NOT_FINITE, NOT_FINITE, NOT_FINITE, LEVELS - 1]
    assert quantised(np.array([np.nan, 7.0]), Scale(7, 7)).tolist() == [NOT_FINITE, 0]


@settings(deadline=None)
@given(arrays(np.float32, st.integers(1, 20), elements=FLOATS))
def test_quantising_keeps_the_order_and_never_touches_the_ground(values):
    indices = quantised(values, finite_scale(values))
    finite = np.isfinite(values)
    assert (indices[~finite] == NOT_FINITE).all()
    assert (indices[finite] < LEVELS).all()
    order = np.argsort(values[finite], kind="stable")
    assert (np.diff(indices[finite][order].astype(int)) >= 0).all()


@settings(deadline=None)
@given(arrays(np.float32, st.integers(2, 20), elements=st.floats(-1e6, 1e6, width=32)))
def test_a_colour_tells_the_value_to_half_a_level(values):
    scale = finite_scale(values)
    step = (scale.high - scale.low) / (LEVELS - 1)
    back = scale.low + quantised(values, scale) * step
    exact = values.astype(float)  # a share of the smallest float32 is none
    assert (np.abs(back - exact) <= step * 0.501 + np.abs(exact).max() * 1e-5).all()


# --- palettes and PNG ---


@pytest.mark.parametrize("name", [*SEQUENTIAL, DIVERGING])
def test_a_png_decodes_to_the_colours_of_the_palette(name):
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    picture = Picture(indices, name)
    rgba = decoded(picture.png(), "RGBA")
    np.testing.assert_array_equal(rgba[..., :3], palette(name)[indices])
    np.testing.assert_array_equal(picture.rgb(), palette(name)[indices])
    np.testing.assert_array_equal(rgba[..., 3], np.where(indices == GROUND, 0, 255))
    assert tuple(rgba[15, 15, :3]) == NOT_FINITE_COLOUR


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_sequential_palettes_get_lighter(name):
    light = palette(name)[:LEVELS].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert light[-1] - light[0] > 120
    assert (np.diff(light) > -2).all()


def test_the_diverging_palette_is_lightest_at_zero_and_has_two_different_ends():
    colours = palette(DIVERGING)[:LEVELS].astype(int)
    assert colours[127].min() > 235
    assert colours[0, 2] > colours[0, 0] and colours[-1, 0] > colours[-1, 2]


def test_a_coloured_picture_survives_its_png():
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decoded(png_of(rgb), "RGB"), rgb)


def test_pictures_of_part_of_an_array_encode_too():
    indices = np.arange(64, dtype=np.uint8).reshape(8, 8)[::2, 1::3]
    png = Picture(indices, "gray").png()
    np.testing.assert_array_equal(decoded(png, "RGB"), palette("gray")[indices])


# --- grids ---

MOSAICS = st.builds(
    Mosaic,
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    gap=st.integers(0, 3),
)


@given(MOSAICS, st.data())
def test_a_point_in_a_tile_is_found_in_that_tile(mosaic, data):
    number = data.draw(st.integers(0, mosaic.rows * mosaic.columns - 1))
    y = data.draw(st.integers(0, mosaic.height - 1))
    x = data.draw(st.integers(0, mosaic.width - 1))
    top, left = mosaic.corner(number)
    part = data.draw(st.floats(0, 0.99))
    assert mosaic.tile_at(top + y + part, left + x + part) == (number, y, x)


@given(MOSAICS)
def test_every_pixel_belongs_to_one_tile_or_to_the_gap(mosaic):
    height, width = mosaic.shape
    hits = [mosaic.tile_at(y, x) for y in range(height) for x in range(width)]
    found = [hit for hit in hits if hit is not None]
    assert len(set(found)) == len(found) == mosaic.rows * mosaic.columns * mosaic.height * mosaic.width
    assert mosaic.tile_at(height + mosaic.gap, 0) is None
    assert mosaic.tile_at(0, width + mosaic.gap) is None


@pytest.mark.parametrize(("y", "x"), [(-1, 0), (0, -1), (-0.5, 0), (0, -0.5)])
def test_a_point_before_the_first_tile_is_in_none(y, x):
    assert Mosaic(2, 2, 3, 3).tile_at(y, x) is None


@given(st.integers(1, 600), st.integers(1, 60), st.integers(1, 60))
def test_a_grid_holds_all_tiles_and_no_empty_row(count, height, width):
    mosaic = lay_out(count, height, width)
    assert (mosaic.rows - 1) * mosaic.columns < count <= mosaic.rows * mosaic.columns


def test_square_tiles_make_about_a_square():
    mosaic = lay_out(64, 8, 8)
    assert (mosaic.rows, mosaic.columns) == (8, 8)
    assert mosaic.shape == (71, 71)
    assert lay_out(10, 4, 4, columns=5).rows == 2


def test_tiles_have_scales_of_their_own_and_ground_between():
    maps = np.array([[[0.0, 1.0]], [[0.0, 10.0]], [[5.0, 5.0]]])
    tiles = [quantised(m, finite_scale(m)) for m in maps]
    whole = laid(tiles, lay_out(3, 1, 2, columns=2))
    last = LEVELS - 1
    assert whole.tolist() == [
        [0, last, GROUND, 0, last],
        [GROUND] * 5,
        [0, 0, GROUND, GROUND, GROUND],
    ]


def test_enlarging_repeats_pixels():
    assert enlarged(np.array([[1, 2]]), 3).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
    assert enlarged(np.array([[1, 2]]), 1).tolist() == [[1, 2]]


def test_blending_goes_from_the_photo_to_the_heat():
    photo, heat = np.full((1, 1, 3), 100, np.uint8), np.full((1, 1, 3), 200, np.uint8)
    assert [int(blended(photo, heat, o)[0, 0, 0]) for o in (0, 0.25, 0.5, 1)] == [100, 125, 150, 200]
    white = np.full((1, 1, 3), 255, np.uint8)
    assert blended(white, white, 0.3).tolist() == white.tolist()


def test_only_the_map_has_a_hue_where_hues_tell_signs():
    photo = np.array([[[255, 0, 0], [0, 0, 255], [90, 90, 90]]], np.uint8)
    levels = [round(0.299 * 255), round(0.114 * 255), 90]
    assert ground(photo, DIVERGING).tolist() == [[[level] * 3 for level in levels]]
    assert ground(photo, SEQUENTIAL[0]).tolist() == photo.tolist()


# --- photos ---


def grey(low: float, high: float, dtype: type = np.float32) -> np.ndarray:
    return np.array([low, (low + high) / 2, high], dtype).reshape(1, 1, 3, 1)


@pytest.mark.parametrize(
    ("given", "levels", "words"),
    [
        (grey(0, 1), [0, 128, 255], "0 to 1"),
        (grey(0, 0.5), [0, 64, 128], "0 to 1"),
        (grey(0, 255), [0, 128, 255], "0 to 255"),
        (grey(0, 200, np.uint8), [0, 100, 200], "0 to 255"),
        (grey(-1, 1), [0, 128, 255], "-1 to 1"),
        (grey(-2, 2), [0, 128, 255], "-2 to 2, the range of the batch"),
        (grey(100, 300), [0, 128, 255], "100 to 300, the range of the batch"),
    ],
)
def test_inputs_are_shown_by_the_range_that_they_use(given, levels, words):
    photos = Photos(given, stated=False, count=1)
    assert photos[0].shape == (1, 3, 3)
    assert photos[0][0, :, 0].tolist() == levels
    assert photos.range_text == words


def test_the_range_is_that_of_the_batch_so_that_samples_compare():
    photos = Photos(np.concatenate([grey(-4, 0), grey(0, 4)]), stated=False, count=2)
    assert photos[0][0, :, 0].tolist() == [0, 64, 128]
    assert photos[1][0, :, 0].tolist() == [128, 191, 255]


def test_inputs_of_nan_or_one_value_are_shown_all_the_same():
    broken = np.array([np.nan, 0.0, 1.0], np.float32).reshape(1, 1, 3, 1)
    assert Photos(broken, stated=False, count=1)[0][0, 1:, 0].tolist() == [0, 255]
    assert Photos(np.full((1, 2, 2, 1), np.nan), stated=False, count=1)[0].shape == (2, 2, 3)
    assert Photos(np.full((1, 2, 2, 1), -7.0), stated=False, count=1)[0].max() == 0


def test_stated_pictures_are_shown_as_given():
    bytes_ = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    np.testing.assert_array_equal(Photos(bytes_, stated=True, count=1)[0], bytes_[0])
    floats = np.array([0.0, 0.5, 1.0]).reshape(1, 1, 3)
    assert Photos(floats, stated=True, count=1)[0][0, :, 0].tolist() == [0, 128, 255]
    sizes = [np.zeros((2, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)]
    photos = Photos(sizes, stated=True, count=2)
    assert (photos[0].shape, photos[1].shape) == ((2, 3, 3), (4, 5, 3))


def test_colours_before_height_and_width_are_moved_behind():
    colours = np.zeros((1, 3, 5, 6), np.float32)
    colours[:, 0] = 1
    photo = Photos(colours, stated=False, count=1)[0]
    assert photo.shape == (5, 6, 3)
    assert (photo == [255, 0, 0]).all()


@pytest.mark.parametrize("shape", [(1,), (1, 7), (1, 4, 5), (1, 4, 5, 2), (1, 2, 3, 4, 5)])
def test_inputs_that_are_no_pictures_are_shown_as_a_map(shape):
    numbers = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    photo = Photos(numbers, stated=False, count=1)[0]
    assert photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[-1] == 3


def test_text_is_shown_as_a_grey_square():
    photo = Photos(np.array([["a"], ["b"]], object), stated=False, count=2)[0]
    assert (photo == 128).all() and photo.shape[-1] == 3


def test_a_thumbnail_is_square_uncropped_and_sharp_when_enlarged():
    photo = np.zeros((1, 2, 4, 3), np.uint8)
    photo[0, :, :2] = 255
    small = Photos(photo, stated=True, count=1).thumbnail(0, 8)
    assert small.shape == (8, 8, 3)
    assert (small[:2] == 128).all() and (small[6:] == 128).all()
    assert (small[2:6, :4] == 255).all() and (small[2:6, 4:] == 0).all()


# --- what is larger than the screen ---


def test_of_cells_that_share_a_place_the_largest_in_size_stands_for_them():
    maps = np.array([[[1, -5, 2], [3, 4, 0]]], "float32")
    assert resampled(maps, [1, 3]).tolist() == [[[3, -5, 2]]]
    assert resampled(maps, [2, 1]).tolist() == [[[-5], [4]]]
    assert resampled(maps, [2, 3]) is maps
    assert resampled(maps, [4, 3]).tolist() == [[maps[0, 0].tolist()] * 2 + [maps[0, 1].tolist()] * 2]
    maps[0, 0, 0] = np.nan
    assert np.isnan(resampled(maps, [1, 1])).all()
    assert resampled(np.array([[True, False, False]]), [2]).tolist() == [[True, False]]


@given(arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=FLOATS), st.data())
def test_a_pixel_shows_the_number_that_is_read_under_it(values, data):
    sides = [data.draw(st.integers(1, 2 * n)) for n in values.shape]
    sides = [side if side < n else side // n * n for side, n in zip(sides, values.shape, strict=True)]
    shown = resampled(values[None], sides)[0]
    assert shown.shape == tuple(sides)
    pixel = [data.draw(st.integers(0, side - 1)) for side in sides]
    read = values[largest_at(values, pixel, sides)]
    assert (np.isnan(read) and np.isnan(shown[tuple(pixel)])) or abs(read) == abs(shown[tuple(pixel)])
