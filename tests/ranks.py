"""Models whose layers have every number of axes, each with a batch that fits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from .zoo import Pair, batch, shaken, tokens


def _answer(given: Any, y: Any, flat: Any = None) -> Any:
    y = (flat or layers.Flatten(name="flat"))(y)
    return shaken(keras.Model(given, layers.Dense(3, activation="softmax", name="out")(y)))


def vectors(units: int = 12) -> Pair:
    given = keras.Input((5,), name="numbers")
    y = layers.Dense(units, activation="tanh", name="wide")(given)
    return _answer(given, layers.Dropout(0.5, name="drop")(y), layers.ReLU(name="flat")), batch(2, 5)


def flat_picture() -> Pair:
    """A picture without a channel axis, as beginners feed it."""
    given = keras.Input((28, 28), name="digit")
    return _answer(given, layers.Rescaling(0.5, name="scaled")(given)), batch(2, 28, 28)


def recurrent() -> Pair:
    given = keras.Input((40, 3), name="steps")
    y = layers.LSTM(6, return_sequences=True, name="lstm")(given)
    y = layers.LayerNormalization(name="norm")(y)
    return _answer(given, layers.GRU(4, name="gru")(y), layers.ReLU(name="flat")), waves(2, 40, 3)


def waves(*shape: int) -> np.ndarray:
    steps = np.linspace(0, 12, shape[1])[:, None] * np.arange(1, shape[2] + 1)
    return (np.sin(steps) + 0.1 * batch(*shape)).astype("float32")


def signal(length: int = 60, channels: int = 8) -> Pair:
    given = keras.Input((length, 2), name="signal")
    y = layers.Conv1D(channels, 5, padding="same", name="conv")(given)
    y = layers.ReLU(name="relu")(y)
    pool = layers.GlobalAveragePooling1D(name="flat")
    return _answer(given, layers.MaxPooling1D(2, name="pool")(y), pool), waves(2, length, 2)


def embedded_words() -> Pair:
    given = keras.Input((7,), dtype="int32", name="words")
    y = layers.Embedding(9, 5, name="embed")(given)
    return _answer(given, layers.Dense(4, name="mix")(y)), tokens(2, 7)


def picture() -> Pair:
    given = keras.Input((12, 10, 3), name="image")
    y = layers.Conv2D(6, 3, padding="same", name="conv")(given)
    return _answer(given, layers.ReLU(name="relu")(y)), batch(2, 12, 10, 3)


def channels_first() -> Pair:
    """The first layer says where the channels are; a convolution in that order needs a GPU."""
    given = keras.Input((3, 12, 10), name="image")
    y = layers.UpSampling2D(2, data_format="channels_first", name="larger")(given)
    y = layers.GlobalAveragePooling2D(data_format="channels_first", keepdims=True, name="mean")(y)
    return _answer(given, y), batch(2, 3, 12, 10)


def volume() -> Pair:
    given = keras.Input((8, 6, 5, 1), name="scan")
    y = layers.Conv3D(4, 3, padding="same", name="conv")(given)
    y = layers.ReLU(name="relu")(y)
    return _answer(given, layers.MaxPooling3D(2, name="pool")(y)), batch(2, 8, 6, 5, 1)


def film() -> Pair:
    given = keras.Input((6, 9, 8, 1), name="film")
    y = layers.ConvLSTM2D(3, 3, padding="same", return_sequences=True, name="convlstm")(given)
    y = layers.TimeDistributed(layers.Conv2D(2, 3, name="conv"), name="frames")(y)
    return _answer(given, layers.BatchNormalization(name="norm")(y)), batch(2, 6, 9, 8, 1)


def film_of_volumes() -> Pair:
    given = keras.Input((3, 4, 6, 5, 1), name="film")
    y = layers.TimeDistributed(layers.Conv3D(2, 3, padding="same", name="conv"), name="scans")(given)
    return _answer(given, layers.ReLU(name="relu")(y)), batch(2, 3, 4, 6, 5, 1)


@keras.saving.register_keras_serializable("tests")
class ClassToken(layers.Layer):
    """Puts a learned token before the others, and adds what tells their places."""

    def build(self, shape: Any) -> None:
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")
        self.places = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), name="places")

    def call(self, x: Any) -> Any:
        token = keras.ops.repeat(self.token, keras.ops.shape(x)[0], 0)
        return keras.ops.concatenate([token, x], 1) + self.places


def vision_transformer(side: int = 32, patch: int = 4, blocks: int = 1) -> Pair:
    given = keras.Input((side, side, 3), name="image")
    y = layers.Conv2D(16, patch, strides=patch, name="patch")(given)
    y = layers.Reshape(((side // patch) ** 2, 16), name="in_a_row")(y)
    y = ClassToken(name="with_class")(y)
    for block in range(blocks):
        last = f"_{block}" if blocks > 1 else ""
        seen = layers.LayerNormalization(name=f"norm{last}")(y)
        seen = layers.MultiHeadAttention(4, 4, name=f"heads{last}")(seen, seen)
        y = layers.Add(name=f"sum{last}")([y, seen])
        y = layers.Dense(16, activation="gelu", name=f"mix{last}")(y)
    first = layers.Lambda(lambda tokens: tokens[:, 0], name="flat")
    return _answer(given, y, first), scene(2, side)


def scene(count: int, side: int) -> np.ndarray:
    """Return pictures of a bright disc on a slope."""
    down, across = np.mgrid[0:side, 0:side] / side
    pictures = []
    for index in range(count):
        disc = np.hypot(down - 0.35, across - 0.4 - 0.2 * index) < 0.2
        pictures.append(np.stack([down, disc, across], -1))
    return np.array(pictures, "float32")


def decoder() -> Pair:
    """Words look at themselves, masked and causal, and at steps."""
    words, steps = keras.Input((7,), dtype="int32", name="words"), keras.Input((5, 4), name="steps")
    y = layers.Embedding(9, 8, mask_zero=True, name="embed")(words)
    y = layers.MultiHeadAttention(2, 3, name="self")(y, y, use_causal_mask=True)
    y = layers.MultiHeadAttention(3, 4, name="cross")(y, steps)
    model = _answer([words, steps], y, layers.GlobalAveragePooling1D(name="flat"))
    given = tokens(2, 7)
    given[:, 5:] = 0
    return model, [given, batch(2, 5, 4)]


RANKS: dict[str, Callable[[], Pair]] = {
    build.__name__: build
    for build in (
        vectors,
        flat_picture,
        recurrent,
        signal,
        embedded_words,
        picture,
        channels_first,
        volume,
        film,
        film_of_volumes,
        vision_transformer,
        decoder,
    )
}
