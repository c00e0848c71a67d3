"""What a model's own code computes without a layer: values, gradients and edits by hand; other threads."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops
from tensorflow.python import pywrap_tfe

import act_widgets as aw
from act_widgets.sources import open_source
from tests import kinds
from tests.zoo import batch, shaken

from .zoo import gradient_of

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


class Block(layers.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = layers.Dense(4, name="first")
        self.second = layers.Dense(4, name="second")

    def call(self, x):
        y = x + ops.relu(self.first(x))
        return ops.tanh(y + self.second(y))


class Network(keras.Model):
    """One residual block; its output and its input side by side, their mean over five steps, and scores."""

    def __init__(self) -> None:
        super().__init__(name="network")
        self.block = Block(name="block")
        self.head = layers.Dense(3, name="head")

    def call(self, x):
        return self.head(ops.mean(tf.concat([self.block(x), x], -1), axis=1))


@pytest.fixture
def network():
    model, x = Network(), batch(3, 5, 4)
    model(x)
    return shaken(model), x


def dense(layer, x):
    kernel, bias = (variable.numpy() for variable in layer.weights)
    return x @ kernel + bias


def by_hand(model, x, edited="", scale=1.0):
    """Return all that the network computes, in NumPy, one of them scaled."""
    found = {}

    def keep(address, value):
        found[address] = value * scale if address == edited else value
        return found[address]

    first = keep("block/first", dense(model.block.first, x))
    y = keep("block/~add", x + keep("block/~relu", np.maximum(first, 0)))
    z = keep("block/~add#2", y + keep("block/second", dense(model.block.second, y)))
    both = keep("~concat", np.concatenate([keep("block", np.tanh(z)), x], -1))
    keep("head", dense(model.head, keep("~mean", both.mean(1))))
    return found


# --- what is listed, and its numbers ---


def test_values(network):
    model, x = network
    session = aw.Session(model, x)
    expected = by_hand(model, x)
    assert session.layers == ("block/first", "block/~relu", "block/~add", "block/second", "block/~add#2",
                              "block", "~concat", "~mean", "head")  # fmt: skip
    for traced in (False, True):
        for address in session.layers:
            np.testing.assert_allclose(session.activation(address), expected[address], **CLOSE)
        assert len(session.graph.nodes) == 10, "this traces the model"
        session = aw.Session(model, x) if not traced else session


def test_gradients(network):
    model, x = network
    session = aw.Session(model, x)
    values = by_hand(model, x)
    y = tf.constant(values["block/~add"])
    with tf.GradientTape() as tape:
        tape.watch(y)
        z = y + model.block.second(y)
        tape.watch(z)
        both = tf.concat([tf.tanh(z), x], -1)
        tape.watch(both)
        score = model.head(tf.reduce_mean(both, 1))[1, 2]
    expected = tape.gradient(score, [y, z, both])
    for address, slope in zip(("block/~add", "block/~add#2", "~concat"), expected, strict=True):
        np.testing.assert_allclose(gradient_of(session, address, 1, 2), slope[1], **CLOSE)


@pytest.mark.parametrize("address", ["block/~relu", "block/~add", "block/~add#2", "~concat", "~mean"])
def test_edits(network, address):
    model, x = network
    session = aw.Session(model, x)
    edited = by_hand(model, x, address, 0.5)["head"]
    assert np.abs(edited - session.outputs()).max() > 1e-2
    np.testing.assert_allclose(session.edit(address, scale=0.5), edited, **CLOSE)


def test_nodes_stand_in_their_block_and_cost_what_they_compute(network):
    model, x = network
    session = aw.Session(model, x)
    nodes = {node.address: node for node in session.graph.nodes}
    assert (nodes["block/~add"].parent, nodes["block/~add"].kind) == ("block", "Add")
    assert (nodes["~concat"].parent, nodes["~concat"].kind) == ("", "Concat")
    flops = session.measure("flops").values
    assert flops["block/~add"] == flops["block/~add#2"] == 5 * 4, "of one sample"
    assert flops["~concat"] == 0
    assert "block/~add" in session.measure("bytes").values
    assert "call around it" in session.measure("time").missing["block/~add"]


def test_maps_default_to_the_last_entry_with_positions():
    model, x = kinds.called(kinds.Around(lambda y: tf.nn.relu(y + 0.1)), batch(3, 6, 6, 1))
    session = aw.Session(model, x)
    assert session.selection.layer == "~relu"
    assert session.attribution(target=1).maps.shape[1:] == (6, 6)


def test_channels_lie_where_they_lay():
    class First(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.pool = layers.MaxPooling2D(2, data_format="channels_first", name="pool")

        def call(self, x):
            y = ops.relu(self.pool(x) * 2.0)
            return ops.transpose(y, (0, 2, 3, 1)) + 0.0

    model = keras.Sequential([keras.Input((3, 6, 6)), First(name="first"), layers.Flatten(name="flat")])
    source = open_source(model)
    taps = source.forward(source.read_inputs(batch(2, 3, 6, 6))).taps
    axes = {tap.address: tap.channel_axis for tap in taps.values()}
    assert axes["first/~multiply"] == axes["first/~relu"] == axes["first/pool"] == 1
    assert axes["first/~transpose"] == axes["first"] == -1


def test_layers_keep_their_numbers_beside_operations_of_the_same_name():
    def do(x: Any) -> Any:
        y = ops.add(x, 1.0)
        y = layers.Add()([y, x])
        return layers.Add()([ops.add(y, 2.0), x])

    session = aw.Session(*kinds.called(kinds.Around(do), batch(2, 6, 6, 1)))
    taps = {node.address: node for node in session.graph.nodes}
    made = [a for a in taps if a.startswith("~add")]
    assert sorted(made) == ["~add", "~add#2", "~add#3", "~add#4"]
    np.testing.assert_allclose(session.activation("~add"), 2 * session.activation("conv") + 1, **CLOSE)
    np.testing.assert_allclose(session.activation("~add#3"), session.activation("conv") + 1, **CLOSE)


def test_what_nothing_depends_on_is_neither_listed_nor_kept():
    made = []

    def do(x: Any) -> Any:
        wasted = ops.exp(x)
        made.append(weakref.ref(wasted))
        del wasted
        y = ops.tanh(x)
        made.append(made[-1]() is None)
        ops.sum(y)
        return y

    model, x = kinds.called(kinds.Around(do), batch(2, 6, 6, 1))
    made.clear()
    assert aw.Session(model, x).layers == ("conv", "~tanh", "~mean", "head")
    assert made[1]


# --- side by side with others ---


def test_everything_of_the_libraries_is_put_back(network):
    watched = [(pywrap_tfe, "TFE_Py_FastPathExecute"), (tf, "cond"), (ops, "while_loop")]
    before = [getattr(owner, name) for owner, name in watched]
    model, x = network
    aw.capture(model, x)
    aw.graph(model, x)
    with pytest.raises(aw.InputError):
        aw.capture(model, batch(3, 5, 7))
    assert [getattr(owner, name) for owner, name in watched] == before


def test_a_model_of_the_libraries_alone_is_not_listened_to():
    seen = []
    before = pywrap_tfe.TFE_Py_FastPathExecute

    def look(x: Any) -> Any:
        seen.append(pywrap_tfe.TFE_Py_FastPathExecute is before)
        return x * 2.0

    model, x = kinds.classifier(layers.Lambda(look, name="twice"))
    seen.clear()
    assert aw.Session(model, x).layers == ("image", "conv", "twice", "gap", "out")
    assert seen == [True]


def trained(model, x, while_training):
    """Train in another thread until the function returns; return its weights after the first ten steps."""
    kept, stop = [], threading.Event()

    def train() -> None:
        model.compile("sgd", "mse", run_eagerly=True)
        while len(kept) < 10 or not stop.is_set():
            model.train_on_batch(x, np.zeros((len(x), 3), np.float32))
            kept.append([weight.copy() for weight in model.get_weights()])

    thread = threading.Thread(target=train)
    thread.start()
    while_training()
    stop.set()
    thread.join()
    return kept[9]


def test_another_thread_trains_meanwhile(network):
    model, x = network
    alone = aw.capture(model, x)
    other = [Network() for _ in range(2)]
    for one in other:
        one(x)
        one.set_weights(model.get_weights())
    looks = []

    def look() -> None:
        for _ in range(5):
            open_source(model).forget()
            looks.append(aw.capture(model, x))
            aw.graph(model, x)

    beside = trained(other[0], x, look)
    for ours, theirs in zip(beside, trained(other[1], x, lambda: None), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for found in looks:
        assert list(found) == list(alone)
        for address, values in found.items():
            np.testing.assert_allclose(values, alone[address], **CLOSE)


def test_two_models_are_looked_at_at_once_by_two_threads():
    pairs = [kinds.build("loops_over_values"), kinds.build("residual_blocks")]
    expected = [list(aw.capture(*pair)) for pair in pairs]
    found: list[list] = [[], []]

    def look(index: int) -> None:
        for _ in range(5):
            found[index].append(list(aw.capture(*pairs[index])))
            found[index].append([a for a in expected[index] if aw.graph(*pairs[index])])

    threads = [threading.Thread(target=look, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, lists in enumerate(found):
        assert lists == [expected[index]] * 10


# --- Keras 2 ---


def test_of_keras_2():
    import tf_keras

    class Sums(tf_keras.layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.mix = tf_keras.layers.Dense(4, name="mix")

        def call(self, x):
            return tf.tanh((x + self.mix(tf.nn.relu(x))) * 2.0)

    model, x = tf_keras.Sequential([Sums(name="sums"), tf_keras.layers.Dense(2, name="head")]), batch(3, 4)
    model(x)
    session = aw.Session(model, x)
    assert session.layers == ("sums/~relu", "sums/mix", "sums/~add", "sums/~multiply", "sums", "head")
    added = x + model.layers[0].mix(np.maximum(x, 0)).numpy()
    np.testing.assert_allclose(session.activation("sums/~add"), added, **CLOSE)
    edited = model.layers[1](np.tanh(added)).numpy()
    np.testing.assert_allclose(session.edit("sums/~add", scale=0.5), edited, **CLOSE)
