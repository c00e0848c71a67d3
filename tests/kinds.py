"""Models of further kinds, each nasty in a way of its own, with a batch that fits it."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from act_widgets import testing

from .zoo import Pair, batch, shaken, tokens

KINDS: dict[str, Callable[[], Pair]] = {}

# What a model does on purpose against the contract.
_ROUNDS = "it rounds, and its gradient is that of the numbers before"
_OWN = "its author wrote another gradient"
_MIXES = "it mixes the samples of a batch in inference mode too"
EXEMPT = {
    "quantised_int8": (testing.gradients_are_slopes, _ROUNDS),
    "quantised_float8": (testing.gradients_are_slopes, _ROUNDS),
    "custom_gradient": (testing.gradients_are_slopes, _OWN),
    "ops_custom_gradient": (testing.gradients_are_slopes, _OWN),
    "ops_operations_of_all_sorts": (testing.gradients_are_slopes, "its author stops a gradient"),
    "layers_of_no_batch": (testing.a_sample_looks_the_same_alone, _MIXES),
    "training_forced_inside": (testing.a_sample_looks_the_same_alone, _MIXES),
}


def kind(make: Callable[[], Pair]) -> Callable[[], Pair]:
    KINDS[make.__name__] = make
    return make


def build(name: str, seed: int = 0) -> Pair:
    keras.utils.set_random_seed(seed)
    return KINDS[name]()


def called(model: Any, x: Any) -> Pair:
    """Build a model by calling it, then give it weights."""
    model(x)
    return shaken(model), x


def classifier(middle: Callable[[Any], Any], *shape: int, name: str | None = None) -> Pair:
    """Put something between a convolution and a softmax."""
    x = keras.Input(shape or (6, 6, 1), name="image")
    y = middle(layers.Conv2D(3, 3, padding="same", activation="relu", name="conv")(x))
    y = layers.GlobalAveragePooling2D(name="gap")(y)
    y = layers.Dense(4, activation="softmax", name="out")(y)
    return shaken(keras.Model(x, y, name=name)), batch(3, *(shape or (6, 6, 1)))


class Around(keras.Model):
    """A convolution, then what a function does with it and with the layers given, then a softmax."""

    def __init__(self, do: Callable[..., Any], inner: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(2, 3, padding="same", name="conv")
        self.inner = inner
        self.head = layers.Dense(3, activation="softmax", name="head")
        self.do = do

    def build(self, shape: Any) -> None:
        """Leave the layers to their first call: some can't be called without values."""

    def call(self, x: Any) -> Any:
        y = self.do(self.conv(x)) if self.inner is None else self.do(self.conv(x), self.inner)
        return self.head(ops.mean(y, axis=[1, 2]))


def around(do: Callable[..., Any], inner: Any = None) -> Pair:
    return called(Around(do, inner, name="own"), batch(3, 6, 6, 1))


class Does(layers.Layer):
    """A layer that does what a function says, with inner layers."""

    def __init__(self, do: Callable[..., Any], *inner: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.do = do
        self.inner = list(inner)

    def call(self, x: Any) -> Any:
        return self.do(x, *self.inner)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, x.dtype)


# --- dtypes ---


def of_dtype(dtype: str) -> Pair:
    def make(dtype: str) -> Any:
        x = keras.Input((6, 6, 1), name="image")
        y = layers.Conv2D(3, 3, activation="relu", dtype=dtype, name="conv")(x)
        y = layers.BatchNormalization(dtype=dtype, name="bn")(y)
        y = layers.GlobalAveragePooling2D(dtype=dtype, name="gap")(y)
        return keras.Model(x, layers.Dense(4, activation="softmax", dtype=dtype, name="out")(y))

    model = make(dtype)
    model.set_weights(shaken(make("float32")).get_weights())
    return model, batch(3, 6, 6, 1)


@kind
def bfloat16() -> Pair:
    return of_dtype("bfloat16")


@kind
def mixed_bfloat16() -> Pair:
    return of_dtype("mixed_bfloat16")


@kind
def float64() -> Pair:
    return of_dtype("float64")


def quantised(mode: str) -> Pair:
    words = keras.Input((5,), dtype="int32", name="words")
    y = layers.Embedding(9, 8, name="embed")(words)
    y = layers.EinsumDense("btc,cd->btd", (5, 8), name="mix")(y)
    y = layers.Dense(8, activation="relu", name="dense")(y)
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    model = shaken(keras.Model(words, layers.Dense(4, activation="softmax", name="out")(y)))
    for name in ("embed", "mix", "dense", "out"):
        model.get_layer(name).quantize(mode)
    return model, tokens(3, 5)


@kind
def quantised_int8() -> Pair:
    return quantised("int8")


@kind
def quantised_int4() -> Pair:
    return quantised("int4")


@kind
def quantised_float8() -> Pair:
    x = keras.Input((8,), name="features")
    y = layers.Dense(8, activation="relu", name="dense")(x)
    model = shaken(keras.Model(x, layers.Dense(4, activation="softmax", name="out")(y)))
    for name in ("dense", "out"):
        model.get_layer(name).quantize("float8")
    return model, batch(3, 8)


@kind
def outputs_of_many_dtypes() -> Pair:
    x = keras.Input((4,), name="features")
    y = layers.Dense(4, name="dense")(x)
    above = Does(lambda t: t > 0, name="above")(y)
    small = layers.Lambda(lambda t: tf.cast(t * 9, tf.uint8), name="bytes")(y)
    wave = layers.Lambda(lambda t: tf.signal.fft(tf.cast(t, tf.complex64)), name="wave")(y)
    scores = layers.Dense(3, activation="softmax", name="out")(y)
    return shaken(keras.Model(x, [scores, above, small, wave])), batch(3, 4)


# --- shapes ---


@kind
def channels_first() -> Pair:
    # No convolution: TensorFlow has none of this order for CPUs without oneDNN.
    first = {"data_format": "channels_first"}
    x = keras.Input((2, 6, 6), name="image")
    y = layers.BatchNormalization(axis=1, name="bn")(layers.ZeroPadding2D(1, name="pad", **first)(x))
    y = layers.Lambda(lambda t: tf.concat([t, tf.sin(t)], 1), name="more")(y)
    y = layers.MaxPooling2D(2, name="pool", **first)(y)
    y = layers.UpSampling2D(2, name="up", **first)(y)
    y = layers.GlobalAveragePooling2D(name="gap", **first)(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 2, 6, 6)


@kind
def convolutions_of_every_kind() -> Pair:
    x = keras.Input((8, 8, 2), name="image")
    y = layers.SeparableConv2D(4, 3, padding="same", name="separable")(x)
    y = layers.Conv2DTranspose(3, 3, strides=2, padding="same", name="transposed")(y)
    y = layers.GroupNormalization(3, name="groups")(layers.Cropping2D(1, name="crop")(y))
    y = layers.Resizing(6, 6, name="resize")(layers.SpatialDropout2D(0.3, name="drop")(y))
    y = layers.GlobalMaxPooling2D(name="gap")(layers.PReLU(name="prelu")(y))
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 8, 8, 2)


def any_picture(sizes: tuple[Any, ...]) -> Any:
    x = keras.Input(sizes, name="image")
    y = layers.Conv2D(3, 3, strides=2, activation="relu", name="conv")(x)
    y = layers.GlobalAveragePooling2D(keepdims=True, name="gap")(y)
    y = layers.Flatten(name="flat")(layers.Conv2D(4, 1, name="scores")(y))
    return shaken(keras.Model(x, layers.Softmax(name="out")(y)))


@kind
def sizes_unknown() -> Pair:
    return any_picture((None, None, 3)), batch(3, 9, 7, 3)


@kind
def time_unknown() -> Pair:
    x = keras.Input((None, 3), name="steps")
    y = layers.Conv1D(4, 2, padding="causal", name="conv")(x)
    y = layers.GRU(4, return_sequences=True, name="gru")(y)
    y = layers.GlobalMaxPooling1D(name="pool")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 5, 3)


@kind
def batch_size_fixed() -> Pair:
    x = keras.Input(batch_shape=(3, 4, 2), name="steps")
    y = layers.Flatten(name="flat")(layers.Dense(3, activation="relu", name="mix")(x))
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 4, 2)


@kind
def samples_and_steps_in_one_axis() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        rows = tf.reshape(x, [-1, *x.shape[2:]])
        return tf.reshape(inner(rows), tf.concat([tf.shape(x)[:2], [6, 2]], 0))

    return around(do, layers.Dense(2, activation="relu", name="each"))


@kind
def layers_of_no_batch() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        total, table = inner
        return x * total(tf.reduce_sum(x)[None]) + table(tf.range(2))[0]

    return around(do, [layers.Rescaling(0.01, name="total"), layers.Embedding(2, 2, name="table")])


@kind
def one_dimension_of_zero() -> Pair:
    return around(lambda x, inner: tf.concat([x, inner(x[:, :0])], 1), layers.ReLU(name="empty"))


# --- words and categories ---


WORDS = np.array([["a red dog"], ["the cat"], ["no"]], dtype=object)


def of_words(vectorise: Any, size: int = 12) -> Pair:
    x = keras.Input((1,), dtype="string", name="text")
    y = layers.Embedding(size, 4, name="embed")(vectorise(x))
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), WORDS


@kind
def text_vectorised() -> Pair:
    words = layers.TextVectorization(output_sequence_length=4, name="words")
    words.adapt(["a red dog", "the cat", "yes"])
    return of_words(words)


@kind
def text_vectorised_raggedly() -> Pair:
    words = layers.TextVectorization(output_sequence_length=4, name="words", vocabulary=["a", "cat"])

    def first(x: Any) -> Any:
        return words(tf.strings.reduce_join(tf.strings.split(x[:, 0]), axis=1, separator=" "))

    class Reads(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.words, self.embed = words, layers.Embedding(9, 3, name="embed")

        def call(self, x: Any) -> Any:
            return ops.softmax(ops.mean(self.embed(first(x)), axis=1))

    return called(Reads(), tf.constant(WORDS.tolist()))


@kind
def strings_looked_up() -> Pair:
    return of_words(layers.StringLookup(vocabulary=["no", "the cat"], name="lookup"))


@kind
def strings_hashed() -> Pair:
    return of_words(layers.Hashing(7, name="hash"))


@kind
def strings_told_as_bytes() -> Pair:
    model, _ = strings_looked_up()
    return model, np.array([[b"no"], [b"the cat"], [b"?"]])


@kind
def categories_of_ints() -> Pair:
    x = keras.Input((2,), dtype="int32", name="codes")
    y = layers.CategoryEncoding(9, output_mode="multi_hot", name="coded")(x)
    z = layers.IntegerLookup(vocabulary=[3, 5, 7], output_mode="count", name="lookup")(x)
    y = layers.Concatenate(name="both")([y, z])
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), tokens(3, 2)


@kind
def numbers_prepared() -> Pair:
    x = keras.Input((2,), name="numbers")
    adapted = layers.Normalization(name="normed")
    adapted.adapt(batch(9, 2, seed=3))
    bins = layers.Discretization(bin_boundaries=[-0.5, 0.5], name="bins")(x)
    both = layers.Concatenate(name="both")([adapted(x), layers.Rescaling(0.5, name="scaled")(bins)])
    crossed = layers.HashedCrossing(5, output_mode="one_hot", name="crossed")((bins[:, 0], bins[:, 1]))
    both = layers.Concatenate(name="all")([both, crossed])
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(both))), batch(3, 2)


@kind
def augmented() -> Pair:
    def middle(y: Any) -> Any:
        y = layers.RandomFlip(seed=1, name="flip")(y)
        y = layers.RandomRotation(0.2, seed=2, name="turn")(y)
        return layers.Pipeline([layers.RandomZoom(0.1, seed=3), layers.Rescaling(2.0)], name="pipeline")(y)

    return classifier(middle)


# --- names ---


NAMES = ("two words", "<b>bold<br>", 'it\'s "quoted"', "back\\slash", "größe 🙂", "a&amp;b", ".", " ", "-")


@kind
def odd_names() -> Pair:
    def middle(y: Any) -> Any:
        for name in NAMES:
            y = layers.Conv2D(2, 1, activation="tanh", name=name)(y)
        return y

    return classifier(middle, name="<model> 'of' \"all\"")


@kind
def names_like_numbered_calls() -> Pair:
    def middle(y: Any) -> Any:
        twice = layers.Conv2D(3, 1, activation="tanh", name="c")
        for layer in (layers.ReLU(name="c#2"), twice, twice, layers.ReLU(name="c:1"), layers.ReLU(name="0")):
            y = layer(y)
        return y

    return classifier(middle)


@kind
def same_name_twice() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return inner[1](inner[0](x))

    return around(do, [layers.Conv2D(2, 1, name="same"), layers.Conv2D(2, 3, padding="same", name="same")])


# --- Python that needs values, and TensorFlow's and Keras's own control flow ---


@kind
def decides_in_python() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return inner(x) if float(tf.reduce_sum(x)) > -1e9 else x

    return around(do, layers.ReLU(name="relu"))


@kind
def numpy_inside() -> Pair:
    return around(lambda x, inner: inner(tf.constant(np.sort(x.numpy(), axis=1))), layers.ReLU(name="relu"))


@kind
def loops_over_values() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        while float(tf.reduce_max(tf.abs(x))) > 0.2:
            x = 0.5 * tf.tanh(inner(x)) * tf.abs(x)
        return x

    return around(do, layers.Conv2D(2, 1, name="again"))


def mix() -> Any:
    """Return a layer with weights: Keras would make them in the trace of a compiled function."""
    dense = layers.Dense(2, name="mix")
    dense.build((None, 6, 6, 2))
    return dense


class HoldsFunction(layers.Layer):
    """Keeps a compiled function as an attribute."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mix = mix()
        self.step = tf.function(lambda x: tf.sin(self.mix(x)))

    def call(self, x: Any) -> Any:
        return self.step(x)


class CompiledCall(layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mix = mix()

    @tf.function
    def call(self, x: Any) -> Any:
        y = self.mix(x)
        for _ in tf.range(2):
            if tf.reduce_sum(y) > -1e9:
                y = self.mix(y) * 0.5
        return y


@kind
def function_in_a_layer() -> Pair:
    return around(lambda x, inner: inner(x), HoldsFunction(name="holds"))


@kind
def compiled_layer() -> Pair:
    return around(lambda x, inner: inner(x), CompiledCall(name="compiled"))


@kind
def compiled_by_xla() -> Pair:
    dense = mix()
    step = tf.function(lambda x: tf.sin(dense(x)), jit_compile=True)
    return around(lambda x, inner: step(x), dense)


@kind
def function_of_a_signature() -> Pair:
    dense = mix()
    step = tf.function(lambda x: dense(x) * 2.0, input_signature=[tf.TensorSpec((None, None, None, 2))])
    return around(lambda x, inner: step(x), dense)


@kind
def concrete_function() -> Pair:
    dense = mix()
    step = tf.function(lambda x: dense(x) * 2.0).get_concrete_function(tf.TensorSpec((None, 6, 6, 2)))
    return around(lambda x, inner: step(x), dense)


@kind
def tf_cond() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > -1e9, lambda: inner[0](x), lambda: inner[1](x))

    return around(do, [layers.Conv2D(2, 1, name="yes"), layers.Conv2D(2, 1, name="no")])


@kind
def tf_switch_case() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        index = tf.cast(tf.reduce_sum(x) < 1e9, tf.int32)
        return tf.switch_case(index, [lambda: inner[0](x), lambda: inner[1](x)])

    return around(do, [layers.Conv2D(2, 1, name="zero"), layers.Conv2D(2, 1, name="one")])


@kind
def tf_while() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(inner(y))), (0, x))[1]

    return around(do, layers.Conv2D(2, 1, name="step"))


@kind
def tf_map() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return tf.map_fn(lambda t: inner(t[None])[0], x)

    return around(do, layers.Conv2D(2, 1, name="each"))


@kind
def tf_vectorised_map() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return tf.vectorized_map(lambda t: inner(t[None])[0], x)

    return around(do, layers.Conv2D(2, 1, name="each"))


@kind
def tf_scan() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        rows = tf.scan(lambda s, t: tf.tanh(inner(t) + s), tf.transpose(x, [1, 0, 2, 3]))
        return tf.transpose(rows, [1, 0, 2, 3])

    return around(do, layers.Dense(2, name="step"))


@kind
def tf_py_function() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        y = tf.py_function(lambda t: inner(t) * 2.0, [x], tf.float32)
        return tf.ensure_shape(y, x.shape)

    return around(do, layers.Dense(2, name="hidden"))


@kind
def tf_numpy_function() -> Pair:
    def do(x: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(lambda t: np.sort(t, 1), [x], tf.float32), x.shape)

    return around(do)


@kind
def ops_cond() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return ops.cond(ops.sum(x) > -1e9, lambda: inner[0](x), lambda: inner[1](x))

    return around(do, [layers.Conv2D(2, 1, name="yes"), layers.Conv2D(2, 1, name="no")])


@kind
def ops_while() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return ops.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, ops.tanh(inner(y))), (0, x))[1]

    return around(do, layers.Conv2D(2, 1, name="step"))


@kind
def ops_scan() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        def step(carry: Any, t: Any) -> Any:
            carry = ops.tanh(inner(t) + carry)
            return carry, carry

        first = ops.zeros_like(x[:, 0])
        return ops.swapaxes(ops.scan(step, first, ops.swapaxes(x, 0, 1))[1], 0, 1)

    return around(do, layers.Dense(2, name="step"))


@kind
def ops_fori() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return ops.fori_loop(0, 3, lambda i, y: ops.tanh(inner(y)), x)

    return around(do, layers.Conv2D(2, 1, name="step"))


@kind
def ops_vectorised_map() -> Pair:
    return around(lambda x, inner: ops.vectorized_map(inner, x), layers.Dense(2, name="each"))


@kind
def ops_map() -> Pair:
    return around(lambda x, inner: ops.map(inner, x), layers.Dense(2, name="each"))


@kind
def ops_switch() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        return ops.switch(ops.cast(ops.sum(x) < 1e9, "int32"), [inner[0], inner[1]], x)

    return around(do, [layers.Conv2D(2, 1, name="zero"), layers.Conv2D(2, 1, name="one")])


@kind
def ops_operations_of_all_sorts() -> Pair:
    x = keras.Input((6, 4), name="steps")
    values, places = ops.top_k(x, 2)
    mean, variance = ops.moments(x, axes=[1])
    left, right = ops.split(ops.einsum("btc,btd->bcd", x, x), 2, axis=1)
    y = ops.concatenate([ops.mean(values, 1), mean, variance, left[:, 0], right[:, 1]], axis=-1)
    y = ops.where(y > 0, y, ops.stop_gradient(y))[:, 1:]
    y = layers.Dense(3, activation="softmax", name="out")(y)
    return shaken(keras.Model(x, [y, ops.cast(places, "float32")])), batch(3, 6, 4)


# --- recurrent ---


def frames() -> Any:
    x = keras.Input((6, 6, 1))
    y = layers.MaxPooling2D(2, name="pool")(layers.Conv2D(2, 3, activation="relu", name="conv")(x))
    return keras.Model(x, layers.Flatten(name="flat")(y), name="frame")


def film(steps: int | None) -> Pair:
    x = keras.Input((steps, 6, 6, 1), name="film")
    y = layers.TimeDistributed(frames(), name="frames")(x)
    y = layers.LSTM(3, name="lstm")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 4, 6, 6, 1)


@kind
def film_of_networks() -> Pair:
    return film(4)


@kind
def film_of_unknown_length() -> Pair:
    return film(None)


@kind
def film_masked() -> Pair:
    x = keras.Input((5, 2), name="steps")
    y = layers.Masking(name="mask")(x)
    y = layers.LSTM(3, name="lstm")(layers.TimeDistributed(layers.Dense(4, name="dense"), name="each")(y))
    steps = batch(3, 5, 2)
    steps[1, 3:] = 0
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), steps


def sequence(middle: Callable[[Any], Any], shape: tuple[Any, ...] = (5, 3)) -> Pair:
    x = keras.Input(shape, name="steps")
    y = layers.Flatten(name="flat")(middle(x))
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, *shape)


@kind
def both_ways() -> Pair:
    return sequence(layers.Bidirectional(layers.LSTM(2, return_sequences=True, name="lstm"), name="ways"))


@kind
def both_ways_apart() -> Pair:
    ways = layers.Bidirectional(layers.LSTM(2, return_state=True, name="lstm"), merge_mode=None, name="ways")
    return sequence(lambda x: layers.Concatenate(name="all")(ways(x)))


@kind
def stacked_cells() -> Pair:
    cells = [layers.LSTMCell(3, name="low"), layers.GRUCell(2, name="high")]
    cells = layers.StackedRNNCells(cells, name="cells")
    return sequence(layers.RNN(cells, return_sequences=True, name="rnn"))


@kind
def unrolled() -> Pair:
    return sequence(layers.LSTM(3, unroll=True, name="lstm"))


@kind
def backwards_with_dropout() -> Pair:
    return sequence(layers.GRU(3, go_backwards=True, recurrent_dropout=0.3, seed=1, name="gru"))


class OwnCell(layers.Layer):
    """A cell with a layer inside."""

    state_size = 3

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mix = layers.Dense(3, activation="tanh", name="mix")

    def build(self, shape: Any) -> None:
        self.mix.build((None, shape[-1] + 3))
        self.built = True

    def call(self, x: Any, states: Any) -> Any:
        y = self.mix(ops.concatenate([x, states[0]], axis=-1))
        return y, [y]


@kind
def own_cell() -> Pair:
    return sequence(layers.RNN(OwnCell(name="cell"), return_sequences=True, name="rnn"))


@kind
def cell_alone() -> Pair:
    cell = layers.LSTMCell(3, name="cell")

    class Steps(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.cell = cell

        def call(self, x: Any) -> Any:
            states = [ops.zeros_like(x[:, 0]), ops.zeros_like(x[:, 0])]
            for step in range(x.shape[1]):
                y, states = self.cell(x[:, step], states)
            return ops.softmax(y)

    return called(Steps(), batch(3, 4, 3))


@kind
def stateful() -> Pair:
    x = keras.Input(batch_shape=(3, 5, 3), name="steps")
    y = layers.LSTM(4, stateful=True, name="lstm")(x)
    model = shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y)))
    model(batch(3, 5, 3, seed=5))
    return model, batch(3, 5, 3)


@kind
def convolving_lstm() -> Pair:
    def middle(x: Any) -> Any:
        return layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True, name="lstm")(x)

    return sequence(middle, (3, 4, 4, 1))


@kind
def encoder_and_decoder() -> Pair:
    a, b = keras.Input((5, 3), name="source"), keras.Input((4, 3), name="so_far")
    _, h, c = layers.LSTM(4, return_state=True, name="encode")(a)
    y = layers.LSTM(4, return_sequences=True, name="decode")(b, initial_state=[h, c])
    y = layers.Dense(3, activation="softmax", name="out")(layers.Attention(name="attend")([y, y]))
    return shaken(keras.Model([a, b], y)), [batch(3, 5, 3), batch(3, 4, 3, seed=1)]


# --- attention ---


@kind
def attention_scores() -> Pair:
    x = keras.Input((5, 4), name="steps")
    heads = layers.MultiHeadAttention(2, 3, dropout=0.1, name="heads")
    y, scores = heads(x, x, return_attention_scores=True, use_causal_mask=True)
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    y = layers.Dense(3, activation="softmax", name="out")(y)
    return shaken(keras.Model(x, [y, scores])), batch(3, 5, 4)


@kind
def attention_of_other_kinds() -> Pair:
    def middle(x: Any) -> Any:
        y = layers.GroupQueryAttention(2, 4, 2, name="grouped")(x, x)
        y = layers.AdditiveAttention(name="additive")([y, x])
        y, scores = layers.Attention(name="plain")([y, x], return_attention_scores=True)
        return layers.Concatenate(name="both")([layers.RMSNormalization(name="norm")(y), scores])

    return sequence(middle, (5, 4))


@kind
def words_forwards_and_backwards() -> Pair:
    """One layer embeds words and, reversed, gives their scores."""
    x = keras.Input((5,), dtype="int32", name="words")
    embed = layers.ReversibleEmbedding(9, 4, name="embed")
    y = layers.Dense(4, activation="relu", name="mix")(embed(x))
    return shaken(keras.Model(x, embed(y, reverse=True))), tokens(3, 5)


# --- inputs and outputs ---


@kind
def nested_outputs() -> Pair:
    class Gives(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.parts = Parts(name="parts")
            self.head = layers.Dense(3, activation="softmax", name="head")

        def call(self, x: Any) -> Any:
            parts = self.parts(x)
            return {"scores": self.head(parts["deep"][1]["more"]), "parts": (parts, None, [parts["none"]])}

    class Parts(layers.Layer):
        def call(self, x: Any) -> Any:
            return {"none": None, "deep": (x + 1, {"more": x * 2, "less": [x - 1]}), "a": x}

    return called(Gives(), batch(3, 4))


Point = namedtuple("Point", ["x", "y"])


@kind
def named_tuples() -> Pair:
    class Turns(layers.Layer):
        def call(self, point: Any) -> Any:
            return Point(x=point.y + 1, y=point.x * 2)

    class Plane(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.turn = Turns(name="turn")
            self.head = layers.Dense(3, activation="softmax", name="head")

        def call(self, point: Any) -> Any:
            turned = self.turn(self.turn(point))
            return self.head(turned.x - turned.y)

    return called(Plane(), Point(batch(3, 4), batch(3, 4, seed=1)))


@dataclasses.dataclass
class Box:
    """What a layer may hand on in place of a tensor."""

    inside: Any
    size: int = 0


@kind
def dataclass_between_layers() -> Pair:
    class Packs(layers.Layer):
        def call(self, x: Any) -> Any:
            return Box(x * 2.0, 2)

    class Unpacks(layers.Layer):
        def call(self, x: Any, box: Any = None) -> Any:
            return x + box.inside

    def do(x: Any, inner: Any) -> Any:
        return inner[1](x, box=inner[0](x))

    return around(do, [Packs(name="pack"), Unpacks(name="unpack")])


@kind
def nested_dict_of_inputs() -> Pair:
    given = {
        "picture": keras.Input((6, 6, 1), name="picture"),
        "more": {"b": keras.Input((2,), name="z"), "a": (keras.Input((3,), name="a"),)},
    }
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Conv2D(3, 3, name="conv")(given["picture"]))
    y = layers.Concatenate(name="both")([y, given["more"]["b"], given["more"]["a"][0]])
    model = keras.Model(given, layers.Dense(3, activation="softmax", name="out")(y))
    more = {"b": batch(3, 2, seed=1), "a": (batch(3, 3, seed=2),)}
    return shaken(model), {"picture": batch(3, 6, 6, 1), "more": more}


@kind
def dict_of_inputs_to_a_subclass() -> Pair:
    class Reads(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.left, self.right = layers.Dense(3, name="left"), layers.Dense(3, name="right")

        def call(self, given: Any) -> Any:
            return ops.softmax(self.left(given["z"]) + self.right(given["a"]["deep"][0]))

    return called(Reads(), {"z": batch(3, 2), "a": {"deep": [batch(3, 4)]}})


@kind
def input_in_a_list() -> Pair:
    x = keras.Input((4,), name="features")
    y = layers.Dense(4, activation="relu", name="dense")(x)
    model = keras.Model([x], [layers.Dense(3, activation="softmax", name="out")(y)])
    return shaken(model), [batch(3, 4)]


@kind
def optional_input() -> Pair:
    x, more = keras.Input((4,), name="features"), keras.Input((4,), name="more", optional=True)

    class Adds(layers.Layer):
        def call(self, x: Any, more: Any = None) -> Any:
            return x if more is None else x + more

    y = layers.Dense(3, activation="softmax", name="out")(Adds(name="add")(x, more))
    return shaken(keras.Model([x, more], y)), [batch(3, 4), batch(3, 4, seed=1)]


@kind
def input_given_on() -> Pair:
    x = keras.Input((4,), name="features")
    y = layers.Dense(3, activation="softmax", name="out")(x)
    return shaken(keras.Model(x, [y, x, layers.Identity(name="same")(x)])), batch(3, 4)


@kind
def integer_pictures_resized() -> Pair:
    x = keras.Input((6, 8, 3), dtype="uint8", name="picture")
    y = layers.Rescaling(1 / 255, name="scale")(layers.Resizing(4, 5, name="resize")(x))
    y = layers.Dense(3, activation="softmax", name="out")(layers.Flatten(name="flat")(y))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 6, 8, 3)).astype("uint8")
    return shaken(keras.Model(x, y)), pictures


def takes_unused_inputs() -> bool:
    """Whether this version of Keras builds a model with an input that leads nowhere."""
    used, unused = keras.Input((1,)), keras.Input((1,))
    try:
        keras.Model([used, unused], used + 1.0)
    except ValueError:
        return False
    return True


def unused_input() -> Pair:
    x, unused = keras.Input((4,), name="features"), keras.Input((2,), name="unused")
    model = keras.Model([x, unused], layers.Dense(3, activation="softmax", name="out")(x))
    return shaken(model), [batch(3, 4), batch(3, 2)]


if takes_unused_inputs():
    kind(unused_input)


@kind
def returns_nothing() -> Pair:
    class Looks(layers.Layer):
        def call(self, x: Any) -> None:
            self.last = tuple(x.shape)

    def do(x: Any, inner: Any) -> Any:
        assert inner[0](x) is None
        return inner[1](x)

    return around(do, [Looks(name="look"), layers.ReLU(name="relu")])


@kind
def sparse_and_ragged() -> Pair:
    class Sparse(layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.sparse.from_dense(tf.nn.relu(x))

    class Dense(layers.Layer):
        def call(self, x: Any, sparse: Any = None) -> Any:
            return tf.reshape(tf.sparse.to_dense(sparse), tf.shape(x))

    class Ragged(layers.Layer):
        def call(self, x: Any) -> Any:
            return {"ragged": tf.RaggedTensor.from_tensor(x), "dense": x + 1.0}

    def do(x: Any, inner: Any) -> Any:
        sparse, dense, ragged = inner
        return ragged(dense(x, sparse=sparse(x)))["dense"]

    return around(do, [Sparse(name="sparse"), Dense(name="dense"), Ragged(name="ragged")])


@kind
def variable_returned() -> Pair:
    class Table(layers.Layer):
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(2,), name="table")

        def call(self, x: Any) -> Any:
            return self.table

    class Plain(layers.Layer):
        def call(self, x: Any) -> Any:
            return np.ones(2, "float32"), 3

    def do(x: Any, inner: Any) -> Any:
        ones, three = inner[1](x)
        return x * inner[0](x) * three + ones

    return around(do, [Table(name="table"), Plain(name="plain")])


# --- subclasses ---


@kind
def own_model_call() -> Pair:
    class Doubles(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.mix = layers.Dense(4, activation="relu", name="mix")
            self.head = OwnCall(3, name="head")

        def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
            return super().__call__(tf.convert_to_tensor(x) * 2.0, *args, **kwargs)

        def call(self, x: Any) -> Any:
            return ops.softmax(self.head(self.mix(x)))

    class OwnCall(layers.Dense):
        def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
            return super().__call__(x, *args, **kwargs) + 1.0

    return called(Doubles(), batch(3, 4))


@kind
def functional_with_own_call() -> Pair:
    class Net(keras.Model):
        def __init__(self) -> None:
            x = keras.Input((6, 6, 1), name="image")
            y = layers.Conv2D(3, 3, activation="relu", name="conv")(x)
            y = layers.GlobalAveragePooling2D(name="gap")(y)
            super().__init__(x, layers.Dense(3, activation="softmax", name="out")(y), name="own")

        def call(self, x: Any, training: Any = None, mask: Any = None) -> Any:
            return 1.0 - super().call(x * 2.0, training=training, mask=mask)

    return called(Net(), batch(3, 6, 6, 1))


@kind
def layers_in_lists_and_dicts() -> Pair:
    class Keeps(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            more = (layers.Dense(4, name="a1"), layers.ReLU(name="relu"))
            self.steps = [[layers.Dense(4, name="a0")], more]
            self.heads = {"one": layers.Dense(3, name="one"), "two": {"deep": layers.Dense(3, name="two")}}

        def call(self, x: Any) -> Any:
            for group in self.steps:
                for layer in group:
                    x = layer(x)
            return ops.softmax(self.heads["one"](x) + self.heads["two"]["deep"](x))

    return called(Keeps(), batch(3, 4))


@kind
def layers_out_of_sight() -> Pair:
    """Keras does not see layers inside an object of another class, nor a layer made in the call."""

    class Holder:
        def __init__(self) -> None:
            self.dense = layers.Dense(2, name="hidden", kernel_initializer="ones")
            self.dense.build((None, 2))

    def do(x: Any, inner: Any) -> Any:
        return layers.Activation("tanh", name="made")(layers.Flatten()(inner.dense(x)))[:, None, None]

    return around(do, Holder())


@kind
def sequential_inside_sequential_inside_subclass() -> Pair:
    inner = keras.Sequential([layers.Conv2D(2, 1, name="mix"), layers.ReLU(name="relu")], name="inner")
    conv = layers.Conv2D(2, 3, padding="same", name="conv")
    outer = keras.Sequential([inner, conv, inner], name="outer")
    return around(lambda x, block: block(x), outer)


@kind
def network_shared_three_times() -> Pair:
    x = keras.Input((6, 6, 2))
    y = layers.BatchNormalization(name="bn")(layers.Conv2D(2, 3, padding="same", name="conv")(x))
    y = layers.Add(name="sum")([x, layers.ReLU(name="relu")(y)])
    block = keras.Model(x, y, name="block")
    given = keras.Input((6, 6, 2), name="image")
    pooled = layers.GlobalAveragePooling2D(name="gap")(block(block(block(given))))
    model = keras.Model(given, layers.Dense(3, activation="softmax", name="out")(pooled))
    return shaken(model), batch(3, 6, 6, 2)


@kind
def part_of_another_network() -> Pair:
    whole, x = classifier(layers.BatchNormalization(name="bn"))
    layer = whole.get_layer
    return keras.Model(layer("conv").output, whole.output), layer("conv")(x).numpy()


@kind
def cloned() -> Pair:
    model, x = classifier(layers.BatchNormalization(name="bn"))
    return shaken(keras.models.clone_model(model)), x


@kind
def calls_itself() -> Pair:
    class Again(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.mix = layers.Conv2D(2, 1, name="mix")

        def call(self, x: Any, depth: int = 2) -> Any:
            y = ops.tanh(self.mix(x))
            return y if depth == 0 else self(y, depth=depth - 1)

    return around(lambda x, inner: inner(x), Again(name="again"))


@kind
def calls_the_call() -> Pair:
    """A parent that calls `.call` of its layers, which Keras's `__call__` never hears of."""

    def do(x: Any, inner: Any) -> Any:
        if not inner.built:
            inner.build(x.shape)
        return inner.call(x)

    stack = keras.Sequential([layers.Conv2D(2, 1, name="mix"), layers.ReLU(name="relu")], name="stack")
    return around(do, stack)


@kind
def calls_without_state() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        if not inner.built:
            inner.build(x.shape)
        trainable = [variable.value * 2.0 for variable in inner.trainable_variables]
        return inner.stateless_call(trainable, inner.non_trainable_variables, x)[0]

    return around(do, layers.BatchNormalization(name="bn"))


@kind
def failure_is_caught() -> Pair:
    class Fails(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.mix = mix()

        def call(self, x: Any) -> Any:
            self.mix(x)
            raise KeyError("not today")

    def do(x: Any, inner: Any) -> Any:
        try:
            return inner[0](x)
        except KeyError:
            return inner[1](x)

    return around(do, [Fails(name="fails"), layers.Conv2D(2, 1, name="instead")])


@kind
def another_thread_inside() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        made: list[Any] = []
        if not inner.built:
            return inner(x)
        thread = threading.Thread(target=lambda: made.append(inner(tf.constant(x.numpy()))))
        thread.start()
        thread.join()
        return made[0]

    return around(do, layers.Conv2D(2, 1, name="elsewhere"))


@kind
def own_build_and_arguments() -> Pair:
    class Masked(layers.Layer):
        supports_masking = True

        def build(self, shape: Any) -> None:
            self.mix = layers.Dense(shape[-1], name="mix")
            self.mix.build(shape)
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")
            super().build(shape)

        def call(self, x: Any, *, factor: float, training: Any = None, mask: Any = None) -> Any:
            x = self.mix(x) * self.scale * factor * (9.0 if training else 1.0)
            return x if mask is None else x * ops.cast(mask, x.dtype)[..., None]

    x = keras.Input((5,), dtype="int32", name="words")
    y = Masked(name="masked")(layers.Embedding(9, 3, mask_zero=True, name="embed")(x), factor=0.5)
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    words = tokens(3, 5)
    words[1, 2:] = 0
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), words


@kind
def training_forced_inside() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        drop, norm = inner
        return ops.tanh(norm(drop(x, training=False), training=True))

    return around(do, [layers.Dropout(0.5, name="drop"), layers.BatchNormalization(name="norm")])


# --- what is computed without a layer ---


class Residual(layers.Layer):
    """Two sums, each of what goes past a convolution and what comes out of it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.one = layers.Conv2D(2, 3, padding="same", dtype=self.dtype_policy, name="one")
        self.two = layers.Conv2D(2, 3, padding="same", dtype=self.dtype_policy, name="two")

    def call(self, x: Any) -> Any:
        y = x + self.one(ops.relu(x))
        return tf.nn.relu(y + self.two(y))


@kind
def residual_blocks() -> Pair:
    return around(lambda x, inner: inner[1](inner[0](x)), [Residual(name="first"), Residual(name="second")])


@kind
def residual_block_in_a_functional_model() -> Pair:
    return classifier(lambda y: Residual(name="block")(layers.Conv2D(2, 1, name="small")(y)))


@kind
def residual_block_in_mixed_precision() -> Pair:
    class Sums(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own", dtype="mixed_float16")
            self.block = Residual(name="block", dtype="mixed_float16")
            self.head = layers.Dense(3, dtype="mixed_float16", name="head")

        def call(self, x: Any) -> Any:
            y = self.block(x) * 0.5
            return ops.softmax(ops.cast(self.head(ops.mean(y, axis=[1, 2])), "float32"))

    return called(Sums(), batch(3, 6, 6, 2))


@kind
def operations_of_both_libraries() -> Pair:
    def do(x: Any) -> Any:
        y = tf.concat([x, -x, ops.gelu(x, approximate=False)], axis=-1)
        y = ops.transpose(ops.reshape(y, (-1, 36, 6)), (0, 2, 1))
        y = keras.activations.softmax(y) @ tf.ones((36, 4)) / 2.0 - abs(y[:, :, :4]) ** 2
        return ops.reshape(y, (-1, 4, 3, 2))

    return around(do)


@kind
def operations_of_several_outputs() -> Pair:
    def do(x: Any) -> Any:
        upper, _, lower = tf.split(x, 3, axis=1)
        mean, spread = tf.nn.moments(upper, [1, 2], keepdims=True)
        left, right = ops.split(lower - mean, 2, axis=2)
        return left * tf.sqrt(spread + 0.1) + right * tf.unstack(x, axis=1)[3][:, None, 3:]

    return around(do)


@kind
def operations_that_pass_on() -> Pair:
    """The sum is what an inactive dropout gives, and a tensor of another name."""

    def do(x: Any, inner: Any) -> Any:
        y = tf.identity(inner[0](x + 1.0))
        return inner[1](tf.stop_gradient(y) * 0.0 + y) + ops.cast(tf.ensure_shape(y, x.shape), "float32")

    return around(do, [layers.Dropout(0.5, name="drop"), layers.Activation("linear", name="same")])


@kind
def operations_in_loops() -> Pair:
    """Loops and branches without layers: a trace sees the branch, an eager call what it gives."""

    def do(x: Any) -> Any:
        _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.sin(y) + x), (0, x * 2.0))
        y = tf.cond(tf.reduce_sum(y) > 1e9, lambda: y * 2.0, lambda: y)
        last, rows = ops.scan(lambda c, row: (c + row, c * row), x[:, 0], ops.swapaxes(x, 0, 1))
        rows = tf.map_fn(lambda row: ops.tanh(row) * 2.0, ops.swapaxes(rows + last, 0, 1))
        return y + ops.fori_loop(0, 2, lambda _, z: z * 0.5, rows)

    return around(do)


@kind
def a_branch_under_another_name() -> Pair:
    """The branch passes on what it is given: an eager call runs no operation for it, a trace does."""
    branch = ops.cond
    return around(lambda x: branch(tf.reduce_sum(x) > 1e9, lambda: x * 2.0, lambda: x) + 1.0)


@kind
def operations_beside_the_call() -> Pair:
    """A mask and a penalty, which a layer computes before and after its call."""

    class Masks(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(activity_regularizer=lambda y: ops.sum(ops.abs(y)), **kwargs)

        def compute_mask(self, x: Any, mask: Any = None) -> Any:
            return ops.any(ops.not_equal(x, 0.0), axis=-1)

        def call(self, x: Any) -> Any:
            return ops.abs(x - 1.0)

    return around(lambda x, inner: inner(x * 2.0), Masks(name="masks"))


@kind
def operations_kept_in_an_object() -> Pair:
    """What is handed on in an object of its author's own is followed from where it is used again."""

    class Box:
        def __init__(self, content: Any) -> None:
            self.content = content

    class Unpacks(layers.Layer):
        def call(self, x: Any, box: Any = None) -> Any:
            return ops.sin(box.content * 2.0) + x

    def do(x: Any, inner: Any) -> Any:
        return inner(x, box=Box(x + 1.0))

    return around(do, Unpacks(name="unpack"))


# --- gradients, losses, state ---


@kind
def tape_inside() -> Pair:
    def do(x: Any, inner: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            energy = tf.reduce_sum(inner(x) ** 2)
        return x - 0.1 * tape.gradient(energy, x)

    return around(do, layers.Conv2D(2, 1, name="energy"))


@kind
def custom_gradient() -> Pair:
    @tf.custom_gradient
    def clipped(x: Any) -> Any:
        return tf.round(x), lambda upstream: tf.clip_by_value(upstream, -1.0, 1.0)

    return around(lambda x, inner: clipped(inner(x)), layers.Conv2D(2, 1, name="mix"))


@kind
def ops_custom_gradient() -> Pair:
    @ops.custom_gradient
    def halved(x: Any) -> Any:
        return x * 1.0, lambda *args, upstream=None: (upstream if upstream is not None else args[0]) / 2.0

    return around(lambda x, inner: halved(inner(x)), layers.Conv2D(2, 1, name="mix"))


@kind
def losses_inside() -> Pair:
    class Loses(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.mean = keras.metrics.Mean(name="mean")

        def call(self, x: Any) -> Any:
            self.add_loss(ops.sum(x))
            self.mean.update_state(x)
            return x

    def middle(y: Any) -> Any:
        y = layers.ActivityRegularization(0.1, name="small")(Loses(name="loses")(y))
        return layers.Conv2D(2, 1, activity_regularizer="l2", kernel_regularizer="l1", name="kept_small")(y)

    return classifier(middle)


@kind
def state_written_in_the_call() -> Pair:
    class Counts(layers.Layer):
        def build(self, shape: Any) -> None:
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

        def call(self, x: Any) -> Any:
            self.count.assign_add(1.0)
            return x * ops.minimum(self.count, 0.5)

    return classifier(Counts(name="counts"))


@kind
def raw_variables() -> Pair:
    """A weight that Keras does not know of."""
    raw = tf.Variable(batch(2, 2))
    return around(lambda x, inner: inner(x) @ raw, layers.ReLU(name="relu"))


@kind
def noise() -> Pair:
    def middle(y: Any) -> Any:
        y = layers.GaussianNoise(0.5, seed=1, name="noise")(y)
        y = layers.GaussianDropout(0.5, seed=2, name="dropout")(y)
        return layers.AlphaDropout(0.5, seed=3, name="alpha")(y)

    return classifier(middle)


@kind
def noise_also_at_inference() -> Pair:
    """The same noise each time, for its seed stands still when it is looked at."""

    class Samples(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.seeds = keras.random.SeedGenerator(5)

        def call(self, x: Any) -> Any:
            return x + keras.random.normal(ops.shape(x), seed=self.seeds)

    def middle(y: Any) -> Any:
        return Samples(name="samples")(y)

    return classifier(middle)


@kind
def spectral_norm() -> Pair:
    return classifier(layers.SpectralNormalization(layers.Conv2D(3, 3, name="inner"), name="spectral"))


@kind
def recomputed() -> Pair:
    with keras.RematScope("full"):
        dense = layers.Dense(3, activation="relu", name="dense")
    with keras.RematScope("activations"):
        some = layers.Conv2D(3, 3, activation="tanh", name="some")
    return classifier(lambda y: some(dense(y)))


@kind
def adapted_by_lora() -> Pair:
    x = keras.Input((5,), dtype="int32", name="words")
    y = layers.Embedding(9, 4, name="embed")(x)
    y = layers.Dense(4, activation="relu", name="dense")(y)
    y = layers.EinsumDense("btc,cd->btd", (5, 4), name="mix")(y)
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    model = keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))
    for name in ("embed", "dense", "mix"):
        model.get_layer(name).enable_lora(2)
    return shaken(model), tokens(3, 5)


@kind
def frozen_and_compiled() -> Pair:
    model, x = classifier(layers.BatchNormalization(name="bn"))
    model.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    model.predict(x, verbose=0)
    return model, x


@kind
def very_deep() -> Pair:
    x = keras.Input((4,), name="features")
    y = x
    for i in range(200):
        y = layers.Dense(4, activation="tanh", name=f"dense_{i}")(y)
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))), batch(3, 4)


@kind
def nested_forty_deep() -> Pair:
    inner: Any = layers.Dense(4, activation="tanh", name="core")
    for i in range(40):
        inner = keras.Sequential([inner], name=f"shell_{i}")
    return called(keras.Sequential([inner, layers.Dense(3, activation="softmax", name="out")]), batch(3, 4))


# --- from files ---


@keras.saving.register_keras_serializable("kinds")
class Scaled(layers.Layer):
    """A custom layer that is saved."""

    def __init__(self, factor: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), name="scale")

    def call(self, x: Any) -> Any:
        return x * self.scale * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def reloaded(ending: str) -> Pair:
    model, x = classifier(lambda y: layers.BatchNormalization(name="bn")(Scaled(3.0, name="scaled")(y)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{ending}"
        model.save(path)
        return keras.models.load_model(path), x


@kind
def from_a_keras_file() -> Pair:
    return reloaded(".keras")


@kind
def from_an_h5_file() -> Pair:
    return reloaded(".h5")


@kind
def from_a_saved_model() -> Pair:
    model, x = classifier(layers.ReLU(name="relu"))
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        served = layers.TFSMLayer(folder, call_endpoint="serve", name="served")
        return called(keras.Sequential([served, layers.Dense(2, activation="softmax", name="out")]), x)
