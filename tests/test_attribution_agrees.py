"""Every attribution method against tests/independent_attribution.py, on models taken apart by hand.

A model is given twice: to the package as it is, and to the reference as two functions, `head` from
the inputs to a layer's activation and `tail` from there to the logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw

from . import independent_attribution as by_hand
from .independent_attribution import DECONVNET, GUIDED, PLAIN, Gates, convolve, multiply
from .some import some
from .zoo import batch, shaken

SIZES = (1, 2, 5)
CLASS = 1


@dataclass(frozen=True)
class TakenApart:
    """A model that gives probabilities, and the two halves of its way to the logits.

    `head` takes the inputs (a list, the image first) and the gates; `tail` takes the activation of
    `layer`, the inputs and the gates.
    """

    model: Any
    layer: str
    inputs: list[np.ndarray]
    head: Callable[[list[Any], Gates], Any]
    tail: Callable[[Any, list[Any], Gates], Any]

    @property
    def given(self) -> Any:
        return self.inputs if len(self.inputs) > 1 else self.inputs[0]

    @property
    def image(self) -> np.ndarray:
        return self.inputs[0]

    @property
    def activation(self) -> Any:
        return self.head(self.inputs, PLAIN)

    def of_layer(self, target: Any, scores: str = "logits", gates: Gates = PLAIN) -> by_hand.Score:
        return lambda maps: chosen(self.tail(maps, self.inputs, gates), target, scores)

    def of_image(self, target: Any, scores: str = "logits", gates: Gates = PLAIN) -> by_hand.Score:
        def score(image: Any) -> Any:
            inputs = [image, *self.inputs[1:]]
            return chosen(self.tail(self.head(inputs, gates), inputs, gates), target, scores)

        return score

    def predicted(self) -> np.ndarray:
        return self.tail(self.activation, self.inputs, PLAIN).numpy().argmax(-1)


def chosen(logits: Any, target: Any, scores: str) -> Any:
    """Each sample's score of its own class, or of the one class of all."""
    logits = tf.cast(logits, tf.float32)
    rows = tf.nn.softmax(logits) if scores == "probabilities" else logits
    return tf.gather(rows, np.broadcast_to(target, rows.shape[:1]), batch_dims=1)


# --- models ---


def undecided(model: Any) -> Any:
    """Weights that leave every class a probability worth comparing."""
    kernel = shaken(model).get_layer("out").kernel
    kernel.assign(0.1 * kernel.value)
    return model


def sequential(size: int, dtype: str) -> TakenApart:
    conv1 = layers.Conv2D(4, 3, activation="relu", dtype=dtype, name="conv1")
    pool = layers.MaxPooling2D(2, dtype=dtype, name="pool")
    conv2 = layers.Conv2D(5, 3, dtype=dtype, name="conv2")
    relu = layers.ReLU(dtype=dtype, name="relu")
    dense = layers.Dense(6, activation="tanh", dtype=dtype, name="dense")
    out = layers.Dense(3, activation="softmax", dtype=dtype, name="out")
    flat = layers.Flatten(dtype=dtype, name="flat")
    model = keras.Sequential([keras.Input((12, 10, 2)), conv1, pool, conv2, relu, flat, dense, out])

    def head(inputs: Any, gates: Gates) -> Any:
        return gates.relu(convolve(conv1, inputs[0]))

    def tail(maps: Any, inputs: Any, gates: Gates) -> Any:
        y = flat(gates.relu(convolve(conv2, pool(maps))))
        return multiply(out, tf.tanh(multiply(dense, y)))

    return TakenApart(shaken(model), "conv1", [batch(size, 12, 10, 2)], head, tail)


def residual(size: int, dtype: str) -> TakenApart:
    """The left branch can be gone around by the right one; behind the sum stands a relu6."""
    x = keras.Input((8, 9, 2), name="image")
    left = layers.Conv2D(4, 3, padding="same", dtype=dtype, name="left")
    norm = layers.BatchNormalization(dtype=dtype, name="norm")
    relu = layers.Activation("relu", dtype=dtype, name="relu")
    second = layers.Conv2D(4, 3, padding="same", dtype=dtype, name="second")
    right = layers.Conv2D(4, 1, activation="relu", dtype=dtype, name="right")
    relu6 = layers.ReLU(max_value=6, dtype=dtype, name="relu6")
    mean = layers.GlobalAveragePooling2D(dtype=dtype, name="mean")
    out = layers.Dense(3, dtype=dtype, name="out")
    y = layers.Add(dtype=dtype, name="sum")([second(relu(norm(left(x)))), right(x)])
    y = layers.Softmax(dtype="float32", name="last")(out(mean(relu6(y))))
    model = shaken(keras.Model(x, y), 38)

    def head(inputs: Any, gates: Gates) -> Any:
        return gates.relu(norm(convolve(left, inputs[0]), training=False))

    def tail(maps: Any, inputs: Any, gates: Gates) -> Any:
        y = convolve(second, maps) + gates.relu(convolve(right, inputs[0]))
        return multiply(out, mean(gates.relu6(y)))

    return TakenApart(model, "relu", [batch(size, 8, 9, 2)], head, tail)


def nested(size: int, dtype: str) -> TakenApart:
    inner_x = keras.Input((8, 8, 3), dtype="float32" if dtype == "float32" else "float16")
    conv = layers.Conv2D(4, 3, dtype=dtype, name="conv")
    relu = layers.ReLU(dtype=dtype, name="relu")
    inner = keras.Model(inner_x, relu(conv(inner_x)), name="inner")
    x = keras.Input((8, 8, 2), name="image")
    stem = layers.Conv2D(3, 3, padding="same", activation="relu", dtype=dtype, name="stem")
    flat = layers.Flatten(dtype=dtype, name="flat")
    out = layers.Dense(3, activation="softmax", dtype=dtype, name="out")
    model = undecided(keras.Model(x, out(flat(inner(stem(x))))))

    def head(inputs: Any, gates: Gates) -> Any:
        return convolve(conv, gates.relu(convolve(stem, inputs[0])))

    def tail(maps: Any, inputs: Any, gates: Gates) -> Any:
        return multiply(out, flat(gates.relu(maps)))

    return TakenApart(model, "inner/conv", [batch(size, 8, 8, 2)], head, tail)


class Own(keras.Model):
    """A plain Python `call`, with operations of TensorFlow between the layers."""

    def __init__(self, dtype: str) -> None:
        super().__init__(name="own")
        self.conv = layers.Conv2D(4, 3, padding="same", dtype=dtype, name="conv")
        self.deep = layers.Conv2D(3, 3, dtype=dtype, name="deep")
        self.out = layers.Dense(3, dtype=dtype, name="out")

    def call(self, x: Any) -> Any:
        y = tf.nn.relu(self.conv(x))
        y = tf.nn.relu6(self.deep(2 * y)) ** 2
        return tf.nn.softmax(self.out(tf.reduce_max(y, [1, 2])))


def subclassed(size: int, dtype: str) -> TakenApart:
    model, x = Own(dtype), batch(size, 8, 8, 2)
    model(x)
    shaken(model)

    def head(inputs: Any, gates: Gates) -> Any:
        return convolve(model.conv, inputs[0])

    def tail(maps: Any, inputs: Any, gates: Gates) -> Any:
        y = gates.relu6(convolve(model.deep, 2 * gates.relu(maps))) ** 2
        return multiply(model.out, tf.reduce_max(y, [1, 2]))

    return TakenApart(model, "conv", [x], head, tail)


def shared(size: int, dtype: str, call: int) -> TakenApart:
    """One convolution called twice, the second time on what the first time gave."""
    x = keras.Input((9, 8, 3), name="image")
    conv = layers.Conv2D(3, 3, padding="same", dtype=dtype, name="conv")
    relu = layers.ReLU(dtype=dtype, name="relu")
    flat = layers.Flatten(dtype=dtype, name="flat")
    out = layers.Dense(3, activation="softmax", dtype=dtype, name="out")
    model = undecided(keras.Model(x, out(flat(relu(conv(relu(conv(x))))))))

    def first(inputs: Any, gates: Gates) -> Any:
        return convolve(conv, inputs[0])

    def again(maps: Any, gates: Gates) -> Any:
        return convolve(conv, gates.relu(maps))

    def end(maps: Any, gates: Gates) -> Any:
        return multiply(out, flat(gates.relu(maps)))

    image = [batch(size, 9, 8, 3)]
    if call == 1:
        return TakenApart(model, "conv", image, first, lambda a, i, g: end(again(a, g), g))
    return TakenApart(model, "conv#2", image, lambda i, g: again(first(i, g), g), lambda a, i, g: end(a, g))


def image_and_vector(size: int, dtype: str) -> TakenApart:
    x, facts = keras.Input((8, 8, 1), name="image"), keras.Input((3,), name="facts")
    conv = layers.Conv2D(4, 3, dtype=dtype, name="conv")
    mean = layers.GlobalAveragePooling2D(dtype=dtype, name="mean")
    relu = layers.ReLU(dtype=dtype, name="relu")
    dense = layers.Dense(5, activation="relu", dtype=dtype, name="dense")
    both = layers.Concatenate(dtype=dtype, name="both")
    out = layers.Dense(3, activation="softmax", dtype=dtype, name="out")
    y = out(dense(both([mean(relu(conv(x))), facts])))
    model = shaken(keras.Model([x, facts], y), 44)

    def head(inputs: Any, gates: Gates) -> Any:
        return convolve(conv, inputs[0])

    def tail(maps: Any, inputs: Any, gates: Gates) -> Any:
        pooled = mean(gates.relu(maps))
        y = tf.concat([pooled, tf.cast(inputs[1], pooled.dtype)], 1)
        return multiply(out, gates.relu(multiply(dense, y)))

    return TakenApart(model, "conv", [batch(size, 8, 8, 1), batch(size, 3, seed=1)], head, tail)


def digits(size: int, dtype: str) -> TakenApart:
    """The trained sample: two plain blocks, then two with a shortcut; explained at the last sum."""
    model, images, _ = aw.samples.digits()
    layer = model.get_layer

    def normalised(x: Any, block: str, part: str = "") -> Any:
        return layer(f"{block}_bn{part}")(convolve(layer(f"{block}_conv{part}"), x), training=False)

    def added(x: Any, block: str, gates: Gates) -> Any:
        y = normalised(gates.relu(normalised(x, block, "1")), block, "2")
        return y + (convolve(layer("block3_shortcut"), x) if block == "block3" else x)

    def head(inputs: Any, gates: Gates) -> Any:
        y = gates.relu(normalised(inputs[0], "stem"))
        y = gates.relu(normalised(y, "block1"))
        return added(gates.relu(added(y, "block2", gates)), "block3", gates)

    def tail(maps: Any, inputs: Any, gates: Gates) -> Any:
        return multiply(layer("predictions"), layer("gap")(gates.relu(maps)))

    return TakenApart(model, "block3_add", [images[:size]], head, tail)


MODELS: dict[str, Callable[[int, str], TakenApart]] = {
    "sequential": sequential,
    "residual": residual,
    "nested": nested,
    "subclassed": subclassed,
    "first call": lambda size, dtype: shared(size, dtype, 1),
    "second call": lambda size, dtype: shared(size, dtype, 2),
    "image and vector": image_and_vector,
    "digits": digits,
}


@cache
def taken_apart(name: str, size: int, dtype: str = "float32") -> TakenApart:
    keras.utils.set_random_seed(0)
    return MODELS[name](size, dtype)


@cache
def session(name: str, size: int, dtype: str = "float32") -> Any:
    apart = taken_apart(name, size, dtype)
    return aw.Session(apart.model, apart.given)


models_and_sizes = pytest.mark.parametrize(
    ("name", "size"), some([(name, size) for name in MODELS for size in SIZES], 2)
)


# --- the same numbers ---

CAMS: dict[str, Callable[..., by_hand.Explained]] = {
    "grad_cam": by_hand.grad_cam,
    "grad_cam_pp": by_hand.grad_cam_pp,
    "layer_cam": by_hand.layer_cam,
}
GRADIENTS: dict[str, tuple[Callable[..., by_hand.Explained], Gates]] = {
    "saliency": (by_hand.saliency, PLAIN),
    "gradient_x_input": (by_hand.gradient_x_input, PLAIN),
    "guided_backprop": (by_hand.guided_backprop, GUIDED),
    "deconvnet": (by_hand.deconvnet, DECONVNET),
}
METHODS = [*CAMS, "score_cam", *GRADIENTS, "occlusion"]


def reference(apart: TakenApart, method: str, target: Any) -> by_hand.Explained:
    """What `method` says with its own scores, at the hand's layer for maps, else at the image."""
    if method in CAMS:
        return CAMS[method](apart.of_layer(target), apart.activation)
    if method in GRADIENTS:
        explain, gates = GRADIENTS[method]
        return explain(apart.of_image(target, gates=gates), apart.image)
    score = apart.of_image(target, "probabilities")
    if method == "score_cam":
        return by_hand.score_cam(score, apart.activation, apart.image)
    return by_hand.occlusion(score, apart.image, **PATCHES)


PATCHES: dict[str, int] = {"patch": 2, "stride": 1}


def asked(apart: TakenApart, method: str) -> dict[str, Any]:
    if method == "occlusion":
        return PATCHES
    return {"layer": apart.layer} if method in (*CAMS, "score_cam") else {}


def assert_agrees(found: Any, expected: by_hand.Explained, share: float = 1e-4, least: float = 0.0) -> None:
    for name in ("values", "maps"):
        a, b = getattr(found, name), getattr(expected, name)
        assert a.shape == b.shape and a.dtype == np.float32 and np.abs(b).max() > 0, name
        np.testing.assert_allclose(a, b, rtol=share, atol=max(share * np.abs(b).max(), least), err_msg=name)


@pytest.mark.parametrize("method", METHODS)
@models_and_sizes
def test_every_method_agrees(name, size, method):
    apart = taken_apart(name, size)
    found = session(name, size).attribution(method, target=CLASS, **asked(apart, method))
    assert found.method == method
    assert found.scores == ("probabilities" if method in ("score_cam", "occlusion") else "logits")
    assert_agrees(found, reference(apart, method, CLASS))


@pytest.mark.parametrize("method", METHODS)
def test_without_a_target_each_sample_is_explained_for_its_own_class(method):
    apart = taken_apart("residual", 5)
    predicted = apart.predicted()
    assert len(set(predicted)) > 1
    found = session("residual", 5).attribution(method, **asked(apart, method))
    assert found.target == tuple(predicted)
    assert_agrees(found, reference(apart, method, predicted))


@pytest.mark.parametrize("method", METHODS)
def test_one_sample_of_a_session_is_its_row_of_the_batch(method):
    apart = taken_apart("image and vector", 5)
    found = session("image and vector", 5).attribution(method, target=CLASS, sample=3, **asked(apart, method))
    expected = reference(apart, method, CLASS)
    assert_agrees(found, by_hand.Explained(expected.values[3:4], expected.maps[3:4]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["sequential", "residual", "image and vector"])
def test_half_precision_agrees_as_far_as_it_can(name, method):
    """Half precision has 11 bits: one rounding is 1/2048, and a gradient is made of dozens.

    What is lost by hiding is a difference of two probabilities, however small it is.
    """
    apart = taken_apart(name, 2, "mixed_float16")
    found = session(name, 2, "mixed_float16").attribution(method, target=CLASS, **asked(apart, method))
    least = 2 / 2048 if method == "occlusion" else 0.0
    assert_agrees(found, reference(apart, method, CLASS), share=1e-2, least=least)


@pytest.mark.parametrize("method", [*CAMS, "score_cam"])
def test_signed_maps_keep_what_speaks_against_the_class(method):
    apart = taken_apart("nested", 2)
    found = session("nested", 2).attribution(method, target=CLASS, layer=apart.layer, signed=True)
    maps = apart.activation
    if method == "score_cam":
        expected = by_hand.score_cam(apart.of_image(CLASS, "probabilities"), maps, apart.image, signed=True)
    else:
        expected = CAMS[method](apart.of_layer(CLASS), maps, signed=True)
    # Behind the layer stands a ReLU: where its gradient is not zero the activation is positive.
    assert found.signed and (found.maps.min() < 0) == (method != "layer_cam")
    assert_agrees(found, expected)


@pytest.mark.parametrize("method", [*CAMS, *GRADIENTS])
@pytest.mark.parametrize("name", ["sequential", "subclassed"])
def test_gradients_of_a_probability(name, method):
    apart = taken_apart(name, 2)
    found = session(name, 2).attribution(method, target=CLASS, scores="probabilities", **asked(apart, method))
    if method in CAMS:
        expected = CAMS[method](apart.of_layer(CLASS, "probabilities"), apart.activation)
    else:
        explain, gates = GRADIENTS[method]
        expected = explain(apart.of_image(CLASS, "probabilities", gates), apart.image)
    assert found.scores == "probabilities"
    assert_agrees(found, expected)


@pytest.mark.parametrize("method", ["score_cam", "occlusion"])
def test_losses_of_a_logit(method):
    apart = taken_apart("residual", 2)
    found = session("residual", 2).attribution(method, target=CLASS, scores="logits", **asked(apart, method))
    score = apart.of_image(CLASS)
    if method == "score_cam":
        expected = by_hand.score_cam(score, apart.activation, apart.image)
    else:
        expected = by_hand.occlusion(score, apart.image, **PATCHES)
    assert found.scores == "logits"
    assert_agrees(found, expected)


@pytest.mark.parametrize("method", [*GRADIENTS, "occlusion"])
@pytest.mark.parametrize("name", ["residual", "nested", "second call"])
def test_a_layer_inside_stands_for_the_input(name, method):
    """The shortcut around the layer stays as it is: only the activation is varied."""
    apart = taken_apart(name, 2)
    maps = np.asarray(apart.activation)
    params: dict[str, Any] = {**PATCHES, "scores": "logits", "fill": 0.25} if method == "occlusion" else {}
    found = session(name, 2).attribution(method, target=CLASS, layer=apart.layer, **params)
    if method == "occlusion":
        expected = by_hand.occlusion(apart.of_layer(CLASS), maps, **PATCHES, fill=0.25)
    else:
        explain, gates = GRADIENTS[method]
        expected = explain(apart.of_layer(CLASS, gates=gates), maps)
    assert found.layer == apart.layer
    assert_agrees(found, expected)


@pytest.mark.parametrize("method", ["saliency", "gradient_x_input", "guided_backprop", "deconvnet"])
def test_the_vector_beside_the_image_has_values_of_its_own(method):
    apart = taken_apart("image and vector", 5)
    explain, gates = GRADIENTS[method]

    def score(vector: Any) -> Any:
        return chosen(apart.tail(apart.activation, [apart.image, vector], gates), CLASS, "logits")

    found = session("image and vector", 5).attribution(method, target=CLASS, layer="facts")
    assert found.maps.shape == (5, 3) and found.values.shape == (5, 3, 1)
    assert_agrees(found, explain(score, apart.inputs[1]))


def test_the_two_calls_of_a_shared_layer_differ():
    maps = [
        session(name, 2).attribution("layer_cam", target=CLASS, layer=layer).maps
        for name, layer in (("first call", "conv"), ("first call", "conv#2"))
    ]
    assert np.abs(maps[0] - maps[1]).max() > 0.1 * np.abs(maps[0]).max()


# --- the same integrals ---


@pytest.mark.parametrize(
    ("name", "baseline"),
    [
        ("sequential", 0.0),
        ("sequential", 0.5),
        ("residual", 0.0),
        ("residual", "array"),
        ("subclassed", 0.5),
        ("image and vector", 0.0),
        ("image and vector", "array"),
    ],
)
def test_integrated_gradients_agree_with_a_fine_sum(name, baseline):
    """At the finest bound. ReLUs make the gradient jump: each value may be off by its own little share."""
    apart = taken_apart(name, 2)
    start = batch(*apart.image.shape[1:], seed=7) / 2 if baseline == "array" else baseline
    expected = by_hand.integrated_gradients(apart.of_image(CLASS), apart.image, start)
    found = session(name, 2).attribution(
        "integrated_gradients", target=CLASS, baseline=start, bound=1e-4, steps=1024
    )
    assert found.signed
    assert_agrees(found, expected, share=2e-2)


@models_and_sizes
def test_the_completeness_is_the_gap_between_the_sum_and_the_scores(name, size):
    apart = taken_apart(name, size)
    found = session(name, size).attribution("integrated_gradients", target=CLASS)
    score = apart.of_image(CLASS)
    whole = (score(apart.image) - score(np.zeros_like(apart.image))).numpy()
    gap = np.abs(found.values.reshape(size, -1).sum(1) - whole) / np.abs(whole)
    assert found.completeness.shape == (size,) and found.completeness.dtype == np.float32
    np.testing.assert_allclose(found.completeness, gap, atol=1e-4)
    assert (found.completeness <= 0.05).all()


def test_integrated_gradients_of_a_layer_inside():
    apart = taken_apart("residual", 2)
    maps = np.asarray(apart.activation)
    found = session("residual", 2).attribution(
        "integrated_gradients", target=CLASS, layer=apart.layer, bound=1e-4, steps=1024
    )
    assert_agrees(found, by_hand.integrated_gradients(apart.of_layer(CLASS), maps), share=2e-2)


# --- the same chances ---


def in_standard_errors(found: np.ndarray, expected: np.ndarray, *spreads: np.ndarray) -> np.ndarray:
    error = np.sqrt(sum(spread**2 for spread in spreads))
    assert (error > 0).all()
    return (found - expected) / error


@pytest.mark.parametrize("name", ["sequential", "residual", "image and vector"])
def test_smooth_gradients_are_drawn_from_the_same_distribution(name):
    """Two means of 400 gradients each differ by one standard error of their difference, on average."""
    apart = taken_apart(name, 2)
    mean, spread = by_hand.smooth_grad(apart.of_image(CLASS), apart.image, 400, 0.15, seed=1)
    found = session(name, 2).attribution("smooth_grad", target=CLASS, samples=400, noise=0.15, seed=2)
    assert found.spread.shape == found.values.shape and found.spread.dtype == np.float32
    z = in_standard_errors(found.values, mean, spread, found.spread)
    assert 0.8 < np.sqrt((z**2).mean()) < 1.2 and np.abs(z).max() < 6
    np.testing.assert_allclose(np.median(found.spread / spread), 1, atol=0.05)
    np.testing.assert_array_equal(found.maps, np.abs(found.values).max(-1))


@pytest.mark.parametrize(
    ("name", "fill"), [("sequential", 0.0), ("residual", 1.0), ("image and vector", 0.0)]
)
def test_rise_is_drawn_from_the_same_distribution(name, fill):
    apart = taken_apart(name, 2)
    score = apart.of_image(CLASS, "probabilities")
    mean, spread = by_hand.rise(score, apart.image, 400, 4, 0.4, fill, seed=1)
    found = session(name, 2).attribution(
        "rise", target=CLASS, masks=400, cells=4, keep=0.4, fill=fill, seed=2
    )
    assert found.scores == "probabilities" and not found.signed
    assert found.maps.shape == mean.shape and found.values.shape == (*mean.shape, 1)
    np.testing.assert_array_equal(found.values[..., 0], found.maps)
    z = in_standard_errors(found.maps, mean, np.sqrt(2) * spread)
    assert np.abs(z).max() < 5 and np.sqrt((z**2).mean()) < 2


@pytest.mark.parametrize(("method", "few"), [("smooth_grad", {"samples": 4}), ("rise", {"masks": 20})])
def test_a_seed_gives_the_same_numbers_again(method, few):
    ask = session("residual", 5).attribution
    first, again = (ask(method, target=CLASS, seed=3, **few) for _ in range(2))
    other = ask(method, target=CLASS, seed=4, **few)
    # A last bit may differ with the batches that the copies happen to be run in.
    np.testing.assert_allclose(again.values, first.values, rtol=1e-5, atol=1e-5 * np.abs(first.values).max())
    assert np.abs(first.values - other.values).max() > 0.01 * np.abs(first.values).max()
