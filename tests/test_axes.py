"""What the axes of an activation are, and what is drawn of it: by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import act_widgets as aw
from act_widgets.keys import Tap
from act_widgets.rendering.axes import ATTENTION, Axes, one_of, read_axes
from act_widgets.rendering.roles import choices, guess
from act_widgets.tokens import Grid

from .ranks import RANKS
from .some import some
from .zoo import ZOO, build

# --- what is drawn ---


def counted(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


def drawn(words: str, activation: np.ndarray, grid: Grid | None = None, **places: int) -> np.ndarray:
    axes = read_axes(words, grid)
    return axes.drawn(axes.spread(activation), places)


def test_vectors_are_numbers_side_by_side():
    assert drawn("units", counted(4)).tolist() == [0, 1, 2, 3]


def test_sequences_have_a_line_for_each_channel():
    assert drawn("time × channels", counted(3, 2)).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert drawn("channels × time", counted(2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_pictures_have_a_map_for_each_channel():
    values = counted(2, 3, 4)
    np.testing.assert_array_equal(drawn("height × width × channels", values)[1], values[..., 1])
    np.testing.assert_array_equal(drawn("channels × height × width", values)[1], values[1])


def test_of_volumes_and_films_one_slice_is_drawn():
    values = counted(5, 2, 3, 4)
    slices = drawn("depth × height × width × channels", values, depth=4)
    np.testing.assert_array_equal(slices[3], values[4, :, :, 3])
    both = drawn("time channels depth height width", counted(2, 3, 4, 5, 6), time=1, depth=3)
    np.testing.assert_array_equal(both, counted(2, 3, 4, 5, 6)[1, :, 3])
    assert read_axes("time channels depth height width").sliders == ("time", "depth")


def test_a_picture_without_channels_is_one_map():
    values = counted(3, 4)
    np.testing.assert_array_equal(drawn("height × width", values), values[None])
    assert not read_axes("height × width").has_channels


def test_tokens_are_folded_without_those_that_have_no_place():
    tokens = counted(7, 2)
    maps = drawn("patches × features", tokens, Grid(1, 2, 3))
    assert maps[0].tolist() == [[2, 4, 6], [8, 10, 12]]
    axes = read_axes("patches features", Grid(1, 2, 3))
    assert axes.remark == "6 patches lie as 2 × 3 · 1 token before them left out"
    films = counted(2, 7, 3)
    later = drawn("time × patches × features", films, Grid(1, 2, 3), time=1)
    np.testing.assert_array_equal(later[2], films[1, 1:, 2].reshape(2, 3))


def test_attention_has_a_map_for_each_head_or_for_each_query_a_picture_of_its_keys():
    weights = counted(2, 5, 5)
    np.testing.assert_array_equal(drawn("heads × queries × keys", weights), weights)
    seen = drawn("heads × queries × patches", weights, Grid(1, 2, 2), queries=3)
    assert seen[1].tolist() == weights[1, 3, 1:].reshape(2, 2).tolist()


def test_heads_beside_features_have_a_slider():
    values = counted(5, 2, 3)
    lines = drawn("tokens × heads × features", values, heads=1)
    np.testing.assert_array_equal(lines, values[:, 1].T)


@given(
    st.permutations(["time", "depth", "height", "width", "channels"]), st.integers(0, 2), st.integers(0, 2)
)
def test_in_any_order_the_same_is_drawn(order, time, depth):
    usual = ["time", "depth", "height", "width", "channels"]
    values = counted(3, 3, 2, 4, 5)
    turned = values.transpose([usual.index(role) for role in order])
    maps = drawn(" ".join(order), turned, time=time, depth=depth)
    expected = values[time, depth]
    is_turned = order.index("width") < order.index("height")
    np.testing.assert_array_equal(maps, expected.transpose((2, 1, 0) if is_turned else (2, 0, 1)))


@pytest.mark.parametrize(
    ("words", "shape", "lengths"),
    [
        ("time × channels", (5, 9), {"time": 9}),
        ("time × depth × channels", (5, 4, 9), {"time": 4, "depth": 9}),
        ("units", (5,), {}),
    ],
)
def test_how_long_axes_are(words, shape, lengths):
    assert read_axes(words).lengths(shape) == lengths


def test_axes_are_written_in_several_ways():
    expected = Axes(("time", "height", "width", "channels"))
    for words in (
        "time × height × width × channels",
        "time x height x width x channels",
        "time height,width channels",
    ):
        assert read_axes(words) == expected
    assert str(expected) == "time × height × width × channels"
    assert read_axes("patches features", Grid(0, 2, 2)).words == "patches (2 × 2) × features"
    assert Axes(("heads", "queries", "keys"), of=ATTENTION).words == "attention: heads × queries × keys"


@pytest.mark.parametrize("words", ["time × time", "patches × features"])
def test_axes_that_make_no_sense_are_refused(words):
    with pytest.raises(aw.InputError, match="Expected"):
        read_axes(words)


def test_one_index_has_a_name():
    roles = ["channels", "height", "queries", "time", "depth", "columns", "keys"]
    assert [one_of(role) for role in roles] == ["channel", "row", "query", "time", "depth", "column", "key"]


# --- what they are ---


def taps(*layers: tuple[str, tuple[int, ...]], axis: int = -1) -> list[Tap]:
    return [
        Tap(f"layer{i}", kind, (None, *shape), "float32", axis, f"layer{i}")
        for i, (kind, shape) in enumerate(layers)
    ]


def guessed(at: int, *layers: tuple[str, tuple[int, ...]]) -> str:
    model = taps(*layers)
    return str(guess(model[at], model))


def test_a_layer_tells_what_its_axes_are():
    assert guessed(0, ("Dense", (5,))) == "units"
    assert guessed(0, ("LSTM", (7, 5))) == "time × channels"
    assert guessed(0, ("Embedding", (7, 5))) == "tokens × features"
    assert guessed(0, ("Conv2D", (7, 5, 3))) == "height × width × channels"
    assert guessed(0, ("Conv3D", (4, 7, 5, 3))) == "depth × height × width × channels"
    assert guessed(0, ("ConvLSTM2D", (4, 7, 5, 3))) == "time × height × width × channels"
    assert guessed(0, ("ConvLSTM1D", (4, 7, 3))) == "time × positions × channels"
    assert guessed(0, ("Cumulate", (2, 3, 4, 5, 6, 7))) == "axis1 × axis2 × axis3 × height × width × channels"


def test_neighbours_tell_what_a_layer_does_not():
    steps = ("InputLayer", (9, 3)), ("LayerNormalization", (9, 3)), ("GRU", (4,))
    assert guessed(0, *steps) == guessed(1, *steps) == "time × channels"
    assert guessed(0, ("InputLayer", (9, 3)), ("Dense", (9, 4)), ("Flatten", (36,))) == "positions × channels"
    kept = ("InputLayer", (9, 3)), ("LayerNormalization", (9, 3)), ("GRU", (9, 4)), ("Dense", (9, 2))
    assert {guessed(i, *kept) for i in range(4)} == {"time × channels"}
    # The nearer one before counts: words are embedded, then read in time.
    mixed = ("Embedding", (9, 4)), ("Dropout", (9, 4)), ("LSTM", (9, 4)), ("Dense", (9, 4))
    assert [guessed(i, *mixed) for i in range(4)] == ["tokens × features"] * 2 + ["time × channels"] * 2


def test_what_is_made_flat_at_once_is_a_picture():
    assert guessed(0, ("InputLayer", (28, 28)), ("Flatten", (784,))) == "height × width"
    assert (
        guessed(1, ("InputLayer", (28, 28)), ("Rescaling", (28, 28)), ("Reshape", (28, 28, 1)))
        == "height × width"
    )
    assert guessed(0, ("InputLayer", (28, 28)), ("LSTM", (28, 5)), ("Flatten", (140,))) == "time × channels"
    assert guessed(0, ("InputLayer", (30, 4)), ("Flatten", (120,))) == "positions × channels"


def test_channels_are_where_the_layer_has_them():
    (first,) = taps(("Conv2D", (3, 8, 9)), axis=1)
    assert str(guess(first, [first])) == "channels × height × width"


def test_tokens_of_a_picture_are_folded_but_steps_of_time_are_not():
    (dense,), (lstm,) = taps(("Dense", (17, 8))), taps(("LSTM", (17, 8)))
    assert guess(dense, [dense], Grid(1, 4, 4)) == read_axes("patches × features", Grid(1, 4, 4))
    assert str(guess(lstm, [lstm], Grid(1, 4, 4))) == "time × channels"


def test_what_is_offered_starts_with_the_guess_and_fits():
    shape = (17, 8)
    offered = choices(read_axes("time × channels"), shape)
    assert offered[0] == read_axes("time × channels")
    assert len(set(offered)) == len(offered)
    assert read_axes("patches × features", Grid(1, 4, 4)) in offered
    assert all(len(axes.roles) == 2 for axes in offered)
    with_keys = choices(offered[0], shape, keys=17)
    assert Axes(("heads", "queries", "patches"), Grid(1, 4, 4), ATTENTION) in with_keys


@pytest.mark.parametrize("name", some([*RANKS, *ZOO], 3))
def test_of_every_layer_something_is_drawn_and_channels_are_what_the_layer_calls_so(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of masks that end
        model, x = RANKS[name]() if name in RANKS else build(name)
        session = aw.Session(model, x)
    for layer in session.layers:
        axes, tap = session.axes[layer], session.tap(layer)
        assert axes in session.axes.choices(layer)
        shape = session.activation(layer).shape[1:]
        for offer in session.axes.choices(layer):
            if offer.of == ATTENTION:
                continue
            pictures = offer.spread(counted(*shape))
            lengths = offer.lengths(pictures.shape)
            plane = offer.drawn(pictures, dict.fromkeys(offer.sliders, 0))
            assert plane.shape == (len(pictures), *(lengths[role] for role in offer.plane))
        if axes.has_channels:
            assert tap.channel_axis % len(tap.shape) == axes.spread_axis + 1


def layers_of(session: aw.Session) -> dict[str, Any]:
    return {layer: session.axes[layer].words for layer in session.layers}


def test_a_vision_transformer():
    axes = layers_of(aw.Session(*RANKS["vision_transformer"]()))
    assert axes["patch"] == "height × width × channels"
    assert axes["with_class"] == axes["mix"] == "patches (8 × 8) × features"
    assert axes["heads/query"] == "tokens × heads × features"
    assert axes["heads"] == "attention: heads × queries × keys"
    assert axes["out"] == "units"


def test_words_that_look_at_steps():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = layers_of(aw.Session(*RANKS["decoder"]()))
    assert axes["embed"] == "tokens × features"
    assert axes["self/~mask"] == "queries × keys"
    assert axes["cross"] == "attention: heads × queries × keys"
