"""Faults that careful readers of the engine found, each with the numbers that it got wrong."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets import testing
from act_widgets.sources import open_source
from act_widgets.sources.replay import Replay
from act_widgets.sources.trace import Trace
from tests.zoo import batch, shaken

from .zoo import gradient_of

layers = keras.layers
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def two_dense() -> keras.Model:
    stack = [keras.Input((4,)), layers.Dense(3, name="a", activation="relu"), layers.Dense(2, name="b")]
    return shaken(keras.Sequential(stack))


# --- a trace is true to the model as it is now ---


def change_activation(model: keras.Model) -> None:
    model.layers[0].activation = keras.activations.tanh


def add_layer(model: keras.Model) -> None:
    model.add(layers.ReLU(name="last"))


def quantize(model: keras.Model) -> None:
    model.quantize("int8")


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have a `quantize`")
@pytest.mark.parametrize("change", [change_activation, add_layer, quantize])
def test_an_exchanged_part_is_seen_by_the_next_look(change):
    model, x = two_dense(), batch(3, 4)
    assert aw.graph(model, x).nodes
    change(model)
    np.testing.assert_allclose(aw.Session(model, x).outputs(), model(x), **CLOSE)
    assert "last" in aw.capture(model, x) or change is not add_layer


def test_statistics_adapted_again_are_seen():
    x, norm = batch(3, 4), layers.Normalization(name="norm")
    norm.adapt(x)
    model = keras.Sequential([keras.Input((4,)), norm, layers.Dense(2)])
    session = aw.Session(model, x)
    assert session.graph.nodes
    norm.adapt(x * 10 + 5)
    assert session.stale
    np.testing.assert_allclose(session.activation("norm"), norm(x), **CLOSE)


def test_a_call_that_counts_itself_is_traced_once():
    class Counts(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, name="dense")
            self.calls = 0

        def call(self, x):
            self.calls += 1
            return self.dense(x)

    model, x = Counts(), batch(2, 4)
    source = open_source(model)
    inputs = source.read_inputs(x)
    trace = source.traces.trace(inputs)
    aw.capture(model, x)
    assert source.traces.trace(inputs) is trace


def test_training_keeps_the_trace():
    model, x = two_dense(), batch(4, 4)
    source = open_source(model)
    inputs = source.read_inputs(x)
    trace = source.traces.trace(inputs)
    model.compile("adam", "mse")
    model.fit(x, np.ones((4, 2)), verbose=0)
    model.evaluate(x, np.ones((4, 2)), verbose=0)
    model.predict(x, verbose=0)
    assert source.traces.trace(inputs) is trace


class OneOrMore(keras.Model):
    """Decides by the size of the batch, which a trace for any size does not see."""

    def __init__(self):
        super().__init__()
        self.a, self.d = layers.Dense(4, name="a"), layers.Dense(2, name="d")

    def call(self, x):
        y = self.a(x)
        return self.d(y * 100.0 if x.shape[0] == 1 else y)


def test_a_call_that_decides_by_the_size_of_the_batch():
    model, x = OneOrMore(), batch(3, 4)
    model(x)
    for rows in (x, x[:1], x):
        session = aw.Session(model, rows)
        assert session.graph.nodes
        np.testing.assert_allclose(aw.Session(model, rows).outputs(), model(rows), **CLOSE)
        np.testing.assert_allclose(session.edit("a", scale=1.0), model(rows), **CLOSE)


@pytest.mark.parametrize("name", ["_m", "-m", "模型", "élan", "<b>", "a b"])
def test_odd_names_are_traced(name):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name=name)
    source = open_source(model)
    assert isinstance(source.traces.trace(source.read_inputs(batch(2, 4))), Trace)


# --- models that decide by values ---


class Forks(keras.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Conv2D(4, 3, name="a"), layers.Conv2D(4, 3, name="b")
        self.d = layers.Dense(2, name="d")

    def call(self, x):
        branch = self.a if float(tf.reduce_sum(x)) > 0 else self.b
        return self.d(tf.reduce_mean(branch(x), [1, 2]))


def test_each_input_has_the_graph_of_its_own_branch():
    model, x = Forks(), np.ones((1, 6, 6, 1), np.float32)
    model(x)
    model(-x)
    for given, branch in ((x, "a"), (-x, "b"), (x, "a")):
        assert aw.attribute(model, given).layer == branch
        nodes = [node.address for node in aw.graph(model, given).nodes]
        assert nodes == ["input", branch, "~reduce_mean", "d"]
    session = aw.Session(model, x)
    session.inputs = -x
    assert session.selection.layer == "b"
    assert session.unreachable == {"a": "the model does not call it for these inputs"}


def test_samples_of_two_branches_read_one_by_one():
    model, x = Forks(), np.ones((1, 6, 6, 1), np.float32)
    model(x)
    model(-x)
    session = aw.Session(model, np.concatenate([x, -x]), cache_bytes=1)
    with pytest.raises(aw.UnknownLayerError, match="decides by values"):
        session.activation("a")


def test_what_is_kept_is_not_called_again():
    runs = []

    class Counts(Forks):
        def call(self, x):
            runs.append(1)
            return super().call(x)

    model, x = Counts(), np.ones((1, 6, 6, 1), np.float32)
    session = aw.Session(model, x)
    session.attribution(sample=0, layer="a", target=0)
    seen = len(runs)
    session.attribution(sample=0, layer="a", target=0)
    session.predictions(0)
    assert len(runs) == seen


# --- weights ---


def test_predictions_follow_the_weights():
    model, x = two_dense(), batch(3, 4)
    session = aw.Session(model, x)
    session.silenced = ("a", (0,))
    model.layers[0].kernel.assign(model.layers[0].kernel * 0.1)
    model.layers[1].kernel.assign(model.layers[1].kernel * 100)
    np.testing.assert_allclose(session.predictions(0), model(x)[0], **CLOSE)
    hidden = model.layers[0](x).numpy() * [0, 1, 1]
    np.testing.assert_allclose(session.silenced_predictions(0), model.layers[1](hidden)[0], **CLOSE)


def test_weights_that_change_during_the_first_pass_are_noticed():
    class Steps(keras.Model):
        """Stands for a training in another thread: the step falls into the look."""

        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, name="dense")
            self.step = False

        def call(self, x):
            y = self.dense(x)
            if self.step:
                self.step = False
                self.dense._kernel._value.assign(self.dense._kernel._value * 5.0)
            return y

    model, x = Steps(), batch(3, 4)
    model(x)
    model.step = True
    session = aw.Session(model, x)
    assert session.stale
    np.testing.assert_allclose(session.activation("dense"), model.dense(x), **CLOSE)


def test_variables_of_tensorflow_and_recurrent_states_are_watched():
    class Scales(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.v = tf.Variable(2.0)

        def call(self, x):
            return x * self.v

    scale = Scales(name="scale")
    model, x = keras.Sequential([keras.Input((4,)), scale, layers.Dense(2)]), batch(3, 4)
    session = aw.Session(model, x)
    assert not session.stale
    scale.v.assign(5.0)
    assert session.stale
    np.testing.assert_allclose(session.activation("scale"), 5 * x, **CLOSE)

    steps = keras.Input(batch_shape=(3, 5, 2))
    model, x = keras.Model(steps, layers.LSTM(4, stateful=True)(steps)), batch(3, 5, 2)
    session = aw.Session(model, x)
    model(x)
    assert session.stale


# --- batches ---


def test_gradients_kept_in_training_mode_are_counted_in_full():
    x = keras.Input((16, 16, 1))
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, padding="same", name="conv")(x))
    model = keras.Model(x, layers.Dense(3)(y))
    session = aw.Session(model, batch(8, 16, 16, 1), training=True)
    for sample in range(8):
        session.attribution(sample=sample, layer="conv", target=0)
    held = [a for a in session.reader.cache._store.arrays.values() if isinstance(a, np.ndarray)]
    assert all(a.base is None or a.base.nbytes <= a.nbytes for a in held if a.dtype == np.float32 and a.size)


def test_a_model_of_one_batch_size_is_explained_whole():
    x = keras.Input((6, 6, 1), batch_size=2)
    y = keras.ops.reshape(layers.Conv2D(2, 3, name="conv")(x), (2, -1))
    model = shaken(keras.Model(x, layers.Dense(3, name="out")(y)))
    data = batch(2, 6, 6, 1)
    attribution = aw.attribute(model, data, layer="conv", target=1)
    weights = model.get_layer("out").kernel.numpy()[:, 1].reshape(4, 4, 2)
    by_hand = np.maximum((weights.mean((0, 1)) * model.get_layer("conv")(data).numpy()).sum(-1), 0)
    np.testing.assert_allclose(attribution.maps, by_hand, **CLOSE)


def test_gradients_of_a_model_that_mixes_samples_are_those_in_the_batch():
    class Mixes(layers.Layer):
        def call(self, x):
            return x / (1 + tf.abs(tf.reduce_mean(x, 0, keepdims=True)))

    x = keras.Input((4,))
    mixed = Mixes(name="mixed")
    model = shaken(keras.Model(x, layers.Dense(2, name="out")(mixed(layers.Dense(4, name="dense")(x)))))
    data = batch(3, 4)
    dense = tf.constant(model.get_layer("dense")(data))
    with tf.GradientTape() as tape:
        tape.watch(dense)
        score = model.get_layer("out")(mixed(dense))[1, 0]
    expected = tape.gradient(score, dense)[1]
    gradient = gradient_of(aw.Session(model, data), "dense", 1, 0)
    np.testing.assert_allclose(gradient, expected, **CLOSE)


# --- unusual models ---


def test_a_user_class_called_rnn():
    class RNN(keras.Model):
        def __init__(self):
            super().__init__()
            self.lstm, self.dense = layers.LSTM(3, name="lstm"), layers.Dense(2, name="dense")

        def call(self, x):
            return self.dense(self.lstm(x[:, :, None]))

    assert aw.Session(RNN(), batch(2, 4)).layers == ("~get_item", "lstm", "dense")


def test_a_model_with_a_call_method_of_its_own():
    class Prepares(keras.Model):
        def __init__(self):
            super().__init__()
            self.pre, self.dense = layers.Rescaling(0.5, name="pre"), layers.Dense(2, name="dense")

        def __call__(self, x, **kwargs):
            return super().__call__(self.pre(x), **kwargs)

        def call(self, x):
            return self.dense(x)

    model, x = Prepares(), batch(2, 4)
    model(x)
    session = aw.Session(model, x)
    np.testing.assert_allclose(session.activation("pre"), x / 2, **CLOSE)
    assert session.layers == ("pre", "dense")
    assert {(e.source, e.target) for e in session.graph.edges} == {("input", "pre"), ("pre", "dense")}


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_outputs_that_are_no_tensors(traced):
    class Tells(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, name="dense")

        def call(self, x):
            return {"y": self.dense(x), "n": 3, "word": "yes"}

    model, x = Tells(), batch(2, 4)
    model(x)
    session = aw.Session(model, x)
    if traced:
        assert session.graph.nodes
        session = aw.Session(model, x)
    outputs = session.outputs()
    assert (outputs["n"], outputs["word"]) == (3, "yes")
    np.testing.assert_allclose(outputs["y"], model.dense(x), **CLOSE)


def test_a_model_that_changes_under_the_session():
    model, x = two_dense(), batch(3, 4)
    session = aw.Session(model, x, labels=["u", "v"])
    session.selection.layer, session.selection.target = "b", 1
    model.pop()
    assert session.outputs().shape == (3, 3)
    assert (session.selection.layer, session.labels) == ("a", None)
    model.add(layers.Dense(5, name="c"))
    assert session.outputs().shape == (3, 5)
    assert session.class_name(4) == "class 4"


@pytest.mark.parametrize(
    "bad",
    [keras.Input((4,)), tf.ragged.constant([[1.0], [2.0, 3.0]]), tf.sparse.from_dense([[1.0, 0.0]])],
    ids=["symbolic", "ragged", "sparse"],
)
def test_inputs_that_hold_no_dense_values(bad):
    with pytest.raises(aw.InputError, match="dense tensors that hold values"):
        aw.capture(two_dense(), bad)


def test_an_edit_of_no_channels_changes_nothing():
    model, x = two_dense(), batch(3, 4)
    session = aw.Session(model, x)
    np.testing.assert_allclose(session.edit("a", []), session.outputs(), **CLOSE)


def test_a_layer_alone_says_that_there_is_nothing_inside():
    for ask in (aw.capture, aw.Session):
        with pytest.raises(aw.ModelError, match="nothing inside"):
            ask(layers.Dense(3, name="alone"), batch(2, 4))


class Suppresses(keras.Model):
    """Keeps the best boxes, by an operation of TensorFlow that has no gradient."""

    def __init__(self, by_value: bool) -> None:
        super().__init__(name="detector")
        self.conv = layers.Conv2D(5, 2, strides=2, name="conv")
        self.scale = layers.Rescaling(2.0, name="scale")
        self.by_value = by_value

    def call(self, x):
        y = tf.reshape(tf.sigmoid(self.conv(x)), [-1, 9, 1, 5])
        if self.by_value and float(tf.reduce_max(y)) > 1:
            return y
        kept = tf.image.combined_non_max_suppression(y[..., :4], y[:, :, 0, 4:], 3, 3)
        return self.scale(kept.nmsed_boxes)


@pytest.mark.parametrize(("by_value", "way"), [(False, Trace), (True, Replay)])
def test_an_operation_without_a_gradient_is_named_and_what_lies_behind_it_is_explained(by_value, way):
    model, x = Suppresses(by_value), batch(2, 6, 6, 1)
    session = aw.Session(model, x)
    assert isinstance(session.source.traces.trace(session.reader.inputs), way)
    for layer in ("conv", None):
        with pytest.raises(aw.LayerKindError, match=r"'CombinedNonMaxSuppression'.*'occlusion'"):
            session.attribution("saliency", layer=layer)
    np.testing.assert_allclose(session.attribution("saliency", layer="scale").values[0].sum(), 1, **CLOSE)
    assert "CombinedNonMaxSuppression" in session.measure("gradient").missing["conv"]
    assert session.attribution("occlusion", patch=3).maps.shape == (2, 6, 6)
    testing.check_model(model, x)
