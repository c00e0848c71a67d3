"""Small models of every build, each with a batch that fits it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import act_widgets as aw

Pair = tuple[Any, Any]


def batch(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def tokens(*shape: int, vocabulary: int = 9, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, vocabulary, size=shape).astype("int32")


def shaken(model: Any, seed: int = 1) -> Any:
    """Give every weight a value of its own: biases of zero and variances of one would hide faults."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.dtype == "float32":
            values = rng.normal(0, 0.5, weight.shape)
            weight.assign(np.abs(values) + 0.5 if weight.name == "moving_variance" else values)
    return model


@cache
def digits() -> tuple[Any, np.ndarray, tuple[str, ...]]:
    """The sample model, its first five pictures and its labels; not to be changed."""
    model, images, labels = aw.samples.digits()
    return model, images[:5], labels


def sequential_never_built() -> Pair:
    stack = [layers.Conv2D(3, 3, name="conv"), layers.ReLU(name="relu"), layers.Flatten(name="flat")]
    return keras.Sequential([*stack, layers.Dense(4, name="out")], name="seq"), batch(3, 6, 6, 2)


def functional_sum() -> Pair:
    x = keras.Input((6, 6, 2), name="image")
    a = layers.Conv2D(3, 3, padding="same", activation="relu", name="left")(x)
    b = layers.Conv2D(3, 1, name="right")(x)
    y = layers.Dropout(0.5, name="drop")(a + b)
    y = layers.BatchNormalization(name="bn")(y)
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    return shaken(keras.Model(x, layers.Dense(4, activation="softmax", name="out")(y))), batch(3, 6, 6, 2)


def nested_two_deep() -> Pair:
    inner_in = keras.Input((6, 6, 2))
    inner = keras.Model(inner_in, layers.Conv2D(3, 3, name="conv")(inner_in), name="inner")
    middle_in = keras.Input((6, 6, 2))
    middle = keras.Model(middle_in, layers.ReLU(name="relu")(inner(middle_in)), name="middle")
    x = keras.Input((6, 6, 2), name="image")
    y = layers.GlobalAveragePooling2D(name="gap")(middle(x))
    return shaken(keras.Model(x, layers.Dense(4, activation="softmax", name="out")(y))), batch(3, 6, 6, 2)


class Subclassed(keras.Model):
    """Raw TensorFlow operations, and one layer called twice."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(2, 3, padding="same", name="conv")
        self.block = keras.Sequential(
            [layers.Conv2D(3, 1, name="mix"), layers.ReLU(name="relu")], name="block"
        )
        self.head = layers.Dense(4, name="head")

    def call(self, x: Any) -> Any:
        x = tf.nn.relu(self.conv(x))
        x = tf.sin(self.conv(x)) + 0.5 * x
        return tf.nn.softmax(self.head(tf.reduce_mean(self.block(x), [1, 2])))


def subclassed() -> Pair:
    return Subclassed(name="own"), batch(3, 6, 6, 2)


def shared_layer() -> Pair:
    tower = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(3, 3, name="conv"), layers.ReLU(name="relu")], name="tower"
    )
    a, b = keras.Input((6, 6, 1), name="first"), keras.Input((6, 6, 1), name="second")
    both = layers.Concatenate(name="both")([tower(a), tower(b)])
    y = layers.GlobalAveragePooling2D(name="gap")(both)
    model = keras.Model([a, b], layers.Dense(3, activation="softmax", name="out")(y))
    return shaken(model), [batch(3, 6, 6, 1), batch(3, 6, 6, 1, seed=1)]


def dict_to_dict() -> Pair:
    image, number = keras.Input((6, 6, 1), name="image"), keras.Input((2,), name="number")
    maps = layers.Conv2D(3, 3, name="conv")(image)
    y = layers.Concatenate(name="both")([layers.GlobalAveragePooling2D(name="gap")(maps), number])
    outputs = {
        "maps": layers.ReLU(name="relu")(maps),
        "kind": layers.Dense(4, activation="softmax", name="kind")(y),
        "age": layers.Dense(1, name="age")(y),
    }
    model = keras.Model({"image": image, "number": number}, outputs)
    return shaken(model), {"number": batch(3, 2), "image": batch(3, 6, 6, 1, seed=1)}


def recurrent() -> Pair:
    x = keras.Input((5, 3), name="steps")
    y, h, c = layers.LSTM(4, return_sequences=True, return_state=True, name="lstm")(x)
    y = layers.Bidirectional(layers.GRU(2, name="gru"), name="both_ways")(y)
    y = layers.Concatenate(name="joined")([y, h, c])
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 5, 3)


def attention() -> Pair:
    x = keras.Input((5, 4), name="steps")
    seen = layers.MultiHeadAttention(2, 3, name="heads")(x, x)
    y = layers.LayerNormalization(name="norm")(layers.Add(name="sum")([x, seen]))
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 5, 4)


def with_lambda() -> Pair:
    x = keras.Input((6, 6, 1), name="image")
    y = layers.Lambda(lambda t: tf.abs(t) * 2, name="twice")(layers.Conv2D(2, 3, name="conv")(x))
    y = layers.Flatten(name="flat")(y)
    return shaken(keras.Model(x, layers.Dense(3, name="out")(y))), batch(3, 6, 6, 1)


def mixed_precision() -> Pair:
    policy = keras.DTypePolicy("mixed_float16")
    x = keras.Input((6, 6, 1), name="image")
    y = layers.Conv2D(3, 3, activation="relu", dtype=policy, name="conv")(x)
    y = layers.GlobalAveragePooling2D(dtype=policy, name="gap")(y)
    y = layers.Dense(4, dtype=policy, name="scores")(y)
    y = layers.Activation("softmax", dtype="float32", name="out")(y)
    return shaken(keras.Model(x, y)), batch(3, 6, 6, 1)


def tokens_with_mask() -> Pair:
    x = keras.Input((5,), dtype="int32", name="words")
    y = layers.Embedding(9, 4, mask_zero=True, name="embed")(x)
    y = layers.LSTM(3, name="lstm")(y)
    words = tokens(3, 5)
    words[0, 3:] = 0
    words[1, 1:] = 0
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), words


def one_unit() -> Pair:
    x = keras.Input((6, 6, 1), name="image")
    y = layers.Conv2D(3, 3, activation="relu", name="conv")(x)
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    return shaken(keras.Model(x, layers.Dense(1, activation="sigmoid", name="out")(y))), batch(3, 6, 6, 1)


def regression() -> Pair:
    x = keras.Input((6, 6, 1), name="image")
    y = layers.Flatten(name="flat")(layers.Conv2D(3, 3, activation="tanh", name="conv")(x))
    return shaken(keras.Model(x, layers.Dense(2, name="out")(y))), batch(3, 6, 6, 1)


def segmentation() -> Pair:
    x = keras.Input((6, 6, 1), name="image")
    y = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    y = layers.Conv2D(3, 1, activation="softmax", name="classes")(y)
    return shaken(keras.Model(x, y)), batch(3, 6, 6, 1)


def convolution_1d() -> Pair:
    x = keras.Input((8, 2), name="signal")
    y = layers.Conv1D(3, 3, activation="relu", name="conv")(x)
    y = layers.GlobalAveragePooling1D(name="gap")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 8, 2)


def convolution_3d() -> Pair:
    x = keras.Input((4, 5, 6, 1), name="volume")
    y = layers.Conv3D(2, 2, activation="relu", name="conv")(x)
    y = layers.GlobalAveragePooling3D(name="gap")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 4, 5, 6, 1)


def time_distributed() -> Pair:
    x = keras.Input((4, 6, 6, 1), name="film")
    y = layers.TimeDistributed(layers.Conv2D(2, 3, name="conv"), name="frames")(x)
    y = layers.Flatten(name="flat")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 4, 6, 6, 1)


class Compiled(keras.Model):
    """A call that its author compiled, with a loop over a tensor's size."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(2, 3, padding="same", name="conv")
        self.head = layers.Dense(3, name="head")

    @tf.function
    def call(self, x: Any) -> Any:
        y = self.conv(x)
        if tf.reduce_sum(tf.ones_like(x)) > 0.0:
            y = y * 2.0
        return tf.nn.softmax(self.head(tf.reduce_mean(y, [1, 2])))


def compiled() -> Pair:
    return Compiled(name="own"), batch(3, 6, 6, 1)


class Patches(keras.layers.Layer):
    """Positions are embedded once for all samples, as in vision transformers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project = layers.Dense(4, name="project")
        self.places = layers.Embedding(5, 4, name="places")

    def call(self, x: Any) -> Any:
        return self.project(x) * self.places(keras.ops.expand_dims(keras.ops.arange(5), 0))


def positions_shared_by_samples() -> Pair:
    x = keras.Input((5, 3), name="patches")
    y = Patches(name="encode")(x)
    y = layers.GlobalAveragePooling1D(name="pool")(layers.Dense(4, activation="relu", name="mix")(y))
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 5, 3)


ZOO: dict[str, Callable[[], Pair]] = {
    build.__name__: build
    for build in (
        sequential_never_built,
        functional_sum,
        nested_two_deep,
        subclassed,
        shared_layer,
        dict_to_dict,
        recurrent,
        attention,
        with_lambda,
        mixed_precision,
        tokens_with_mask,
        one_unit,
        regression,
        segmentation,
        convolution_1d,
        convolution_3d,
        time_distributed,
        compiled,
        positions_shared_by_samples,
    )
}


def build(name: str, seed: int = 0) -> Pair:
    keras.utils.set_random_seed(seed)
    return ZOO[name]()


def arrays_of(nest: Any) -> list[np.ndarray]:
    return [np.asarray(keras.ops.convert_to_numpy(leaf)) for leaf in keras.tree.flatten(nest)]


def gradient_of(session: Any, layer: str, sample: int, target: int) -> np.ndarray:
    """Return the gradient of a class's score with respect to a layer, for one sample."""
    values = session.attribution("saliency", layer=layer, sample=sample, target=target).values[0]
    return values.reshape(session.activation(layer)[sample].shape)
