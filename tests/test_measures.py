"""What each call of a model holds, costs and gives: against closed forms, NumPy and Keras's own numbers."""

from __future__ import annotations

import contextlib
import io
from time import perf_counter

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets.measures import MEASURES

from . import kinds, zoo
from .test_untraceable import Decides
from .zoo import batch, shaken

layers = keras.layers
MODELS = ("nested_two_deep", "shared_layer", "subclassed", "dict_to_dict")
CLOSE = {"rel": 1e-4}


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def sessions():
    """A session on each model, made when it is first asked for."""
    made = {}

    def session(name):
        if name not in made:
            made[name] = aw.Session(*zoo.build(name))
        return made[name]

    return session


@pytest.fixture(scope="module")
def decides():
    model, x = Decides(), batch(3, 6, 6, 1)
    model(x)
    return aw.Session(shaken(model), x)


@pytest.fixture(autouse=True)
def few_passes(monkeypatch):
    monkeypatch.setattr("act_widgets.measures.timing._SECONDS", 1e-9)


def holds_none(session):
    holding = {node.parent for node in session.graph.nodes}
    return [node.address for node in session.graph.nodes if node.address not in holding]


# --- all of them ---


@pytest.mark.parametrize("name", MODELS)
def test_every_call_has_a_number_or_a_reason(sessions, name):
    session = sessions(name)
    nodes = [node.address for node in session.graph.nodes]
    for measure in MEASURES:
        measured = session.measure(measure, 1)
        assert measured.name == measure and measured.words
        assert set(measured.values) | set(measured.missing) == set(nodes)
        assert not set(measured.values) & set(measured.missing)
        assert [address for address in nodes if address in measured.values] == list(measured.values)
        assert np.isfinite(list(measured.values.values())).all()
        assert all(measured.missing.values())


def test_the_menu():
    assert list(MEASURES) == [
        "parameters",
        "bytes",
        "time",
        "flops",
        "sparsity",
        "dead",
        "gradient",
        "relevance",
    ]
    assert {name for name, m in MEASURES.items() if m.per_target} == {"gradient", "relevance"}
    assert {name for name, m in MEASURES.items() if m.per_sample} == {"sparsity", "gradient", "relevance"}


def test_no_such_measure_or_sample(sessions):
    with pytest.raises(aw.InputError, match=r"no measure 'flop'\. Expected: 'flops'"):
        sessions("nested_two_deep").measure("flop")
    with pytest.raises(aw.InputError, match="No sample 3"):
        sessions("nested_two_deep").measure("bytes", 3)


# --- parameters ---


@pytest.mark.parametrize("name", [*MODELS, "recurrent", "attention", "time_distributed"])
def test_parameters_are_those_of_keras(sessions, name):
    session = sessions(name)
    measured = session.measure("parameters")
    model = session.source.model
    assert measured.total == model.count_params()
    for layer in model.layers:
        if layer.name in measured.values and not isinstance(layer, layers.InputLayer):
            assert measured.values[layer.name] == layer.count_params()


def test_a_shared_layer_counts_once(sessions):
    measured = sessions("shared_layer").measure("parameters")
    assert (
        measured.values["tower/conv"] == measured.values["tower#2/conv"] == measured.values["tower#2"] == 30
    )
    assert measured.total == 30 + 3 * 6 + 3


def test_weights_that_no_call_shows_are_in_the_total():
    session = aw.Session(*kinds.build("raw_variables"))
    measured = session.measure("parameters")
    assert measured.total == session.source.model.count_params()


# --- bytes ---


@pytest.mark.parametrize("name", [*MODELS, "recurrent", "mixed_precision"])
def test_bytes_are_those_of_the_arrays(sessions, name):
    session = sessions(name)
    activations = session.reader.activations()
    half = {address for address, tap in session.reader.taps.items() if tap.dtype == "float16"}
    expected: dict[str, float] = {}
    for address, tap in session.reader.taps.items():
        size = activations[address][0].nbytes / (2 if address in half else 1)
        expected[tap.call] = expected.get(tap.call, 0) + size
    values = session.measure("bytes").values
    assert {address: values[address] for address in expected} == expected
    assert bool(half) == (name == "mixed_precision")


def test_bytes_by_hand(sessions):
    measured = sessions("recurrent").measure("bytes")
    assert measured.values["lstm"] == 4 * (5 * 4 + 4 + 4), "the sequence and both states"
    assert measured.total == sum(measured.values[address] for address in holds_none(sessions("recurrent")))


def test_an_input_without_a_name_has_a_size(sessions):
    assert sessions("subclassed").measure("bytes").values["input"] == 6 * 6 * 2 * 4


# --- FLOPs ---


def test_flops_of_convolutions_and_dense_layers():
    x = keras.Input((17, 14, 3), name="image")
    y = layers.Conv2D(6, (5, 3), strides=2, name="conv")(x)
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="depthwise")(y)
    y = layers.Flatten(name="flat")(y)
    model = keras.Model(x, layers.Dense(4, name="out")(y))
    measured = aw.Session(model, batch(3, 17, 14, 3)).measure("flops")
    rows, columns = 7, 6
    conv = 2 * 5 * 3 * 3 * 6 * rows * columns + 6 * rows * columns
    depthwise = 2 * 3 * 3 * 12 * (rows - 2) * (columns - 2)
    dense = 2 * (12 * 5 * 4) * 4 + 4
    expected = {"conv": conv, "depthwise": depthwise, "flat": 0, "out": dense}
    assert dict(measured.values) == expected
    assert measured.total == sum(expected.values())
    assert measured.missing == {"image": "it is given to the model, not computed"}


def test_sums_of_products_count_as_products_of_matrices():
    x = keras.Input((5, 4), name="steps")
    y = layers.EinsumDense("abc,cde->abde", (None, 2, 3), name="dense")(x)
    y = layers.Lambda(lambda t: tf.einsum("...tde,...sde->...dts", t, t), name="product")(y)
    measured = aw.Session(keras.Model(x, y), batch(2, 5, 4)).measure("flops")
    assert measured.values["dense"] == 2 * 5 * 4 * (2 * 3)
    assert measured.values["product"] == 2 * (2 * 5 * 5) * 3


def test_flops_are_those_of_the_public_profiler(sessions):
    session = sessions("nested_two_deep")
    function = tf.function(lambda x: session.source.model(x, training=False))
    graph = function.get_concrete_function(tf.TensorSpec((1, 6, 6, 2))).graph
    profiler = tf.compat.v1.profiler
    builder = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    with contextlib.redirect_stdout(io.StringIO()):
        profile = profiler.profile(graph, cmd="op", options=builder.with_empty_output().build())
    measured = session.measure("flops")
    assert measured.total == profile.total_float_ops
    assert (
        measured.values["middle"] == measured.values["middle/inner"] == measured.values["middle/inner/conv"]
    )
    assert "counts none of its operations: Relu" in measured.missing["middle/relu"]
    assert "no count for Relu (1 ×)" in measured.words


def test_flops_of_each_call_of_a_shared_layer_and_of_what_lies_between_layers(sessions):
    measured = sessions("subclassed").measure("flops")
    conv = 2 * 3 * 3 * 2 * 2 * 36 + 2 * 36
    assert measured.values["conv"] == measured.values["conv#2"] == conv
    within = sum(measured.values[name] for name in ("conv", "conv#2", "block", "head"))
    raw = 2 * 72 + 36 * 3 + 5 * 4  # 0.5 * x and +, the mean over positions, softmax
    assert measured.total == within + raw


def test_what_runs_in_a_loop_is_not_counted_and_said(sessions):
    measured = sessions("recurrent").measure("flops")
    for address in ("lstm", "both_ways", "both_ways/forward_gru"):
        assert "it runs While" in measured.missing[address]
    assert measured.total is None and "There is no total" in measured.words
    # Behind the loop sizes are those of a run; a softmax takes five for each number.
    assert measured.values["out"] == 2 * 12 * 3 + 3 + 5 * 3


def test_flops_of_a_fixed_batch():
    model, x = kinds.build("layers_of_no_batch")
    session = aw.Session(model, x)
    assert f"a batch of {len(x)}" in session.measure("flops").words


# --- time ---


def test_times_add_up_to_that_of_the_whole_pass():
    stack = [layers.Conv2D(24, 5, padding="same", name=f"conv_{i}") for i in range(5)]
    inner = keras.Sequential([keras.Input((64, 64, 24)), *stack[1:]], name="inner")
    x = keras.Input((64, 64, 24), name="image")
    model = keras.Model(x, layers.GlobalMaxPooling2D(name="pool")(inner(stack[0](x))))
    session = aw.Session(model, batch(1, 64, 64, 24))
    inputs, alone = session.reader.inputs, holds_none(session)
    given, wholes, sums = tf.constant(inputs.arrays[0]), [], []
    # The quickest of several passes, in turns: other processes only make a pass slower.
    for count in range(1, 61):
        begun = perf_counter()
        model(given, training=False)
        wholes.append(perf_counter() - begun)
        timed = session.source.timed(inputs)
        sums.append(sum(timed.seconds.get(address, 0) for address in alone))
        assert sums[-1] < timed.whole
        assert timed.seconds["inner"] >= sum(timed.seconds[f"inner/conv_{i}"] for i in range(1, 5))
        if count >= 7 and min(sums) / min(wholes) == pytest.approx(1, abs=0.2):
            break
    assert min(sums) / min(wholes) == pytest.approx(1, abs=0.2)


def test_the_slow_layer_takes_the_time():
    x = keras.Input((48, 48, 16), name="image")
    y = layers.Conv2D(64, 7, padding="same", name="slow")(layers.ReLU(name="quick")(x))
    session = aw.Session(keras.Model(x, layers.GlobalMaxPooling2D(name="pool")(y)), batch(2, 48, 48, 16))
    measured = session.measure("time")
    assert max(measured.values, key=measured.values.get) == "slow"
    assert measured.total > measured.values["slow"] > 3 * measured.values["quick"] > 0
    assert measured.words == "Median of 3 passes of one sample, called eagerly on CPU; inner calls included."
    assert measured.missing == {"image": "it is given to the model, not computed"}


def test_time_is_measured_once_until_the_weights_change(sessions):
    session = aw.Session(*zoo.build("functional_sum"))
    before = session.stats()["forward_passes"]
    first = session.measure("time")
    assert session.stats()["forward_passes"] == before + 1 + 3
    assert session.measure("time") == first
    session.source.model.get_layer("out").bias.assign_add(np.ones(4))
    assert session.measure("time") != first


def test_progress_and_a_stop_between_passes():
    session = aw.Session(*zoo.build("functional_sum"))
    heard = []

    def stop(share, words):
        heard.append(words)
        raise Stopped

    with pytest.raises(Stopped):
        session.measure("time", on_progress=stop)
    assert heard == ["pass 1"]
    shares = []
    session.measure("time", on_progress=lambda share, words: shares.append(share))
    assert len(shares) == 3 and shares == sorted(shares) and shares[-1] == 1


def test_timing_leaves_the_model_as_it_was():
    model, x = zoo.build("functional_sum")
    session = aw.Session(model, x)
    before, weights = keras.Layer.__call__, model.get_weights()
    session.measure("time")
    assert keras.Layer.__call__ is before
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)


# --- zeros ---


@pytest.mark.parametrize("name", ["nested_two_deep", "shared_layer", "subclassed"])
def test_zeros_are_those_of_the_activations(sessions, name):
    session = sessions(name)
    measured = session.measure("sparsity", 1)
    activations = aw.capture(session.source.model, session.inputs)
    for node in session.graph.nodes:
        array = activations[node.tap][1] if node.tap else session.inputs[1]
        assert measured.values[node.address] == pytest.approx(100 * np.mean(array == 0))
    arrays = [activations[a][1] if a in activations else session.inputs[1] for a in holds_none(session)]
    zeros, count = sum((a == 0).sum() for a in arrays), sum(a.size for a in arrays)
    assert measured.total == pytest.approx(100 * zeros / count)


@pytest.mark.parametrize("budget", [None, 2000])
def test_dead_channels_are_those_that_no_sample_wakes(budget):
    x = keras.Input((6, 6, 2), name="image")
    y = layers.Conv2D(4, 3, name="conv")(x)
    y = layers.ReLU(name="relu")(y)
    model = keras.Model(x, layers.GlobalMaxPooling2D(name="pool")(y))
    kernel = np.zeros((3, 3, 2, 4), np.float32)
    kernel[1, 1, 0, 2] = 1  # alive where one sample has a positive pixel
    model.get_layer("conv").set_weights([kernel, np.array([-1, 1, 0, 0], np.float32)])
    images = -np.abs(batch(5, 6, 6, 2))
    images[4, 3, 3, 0] = 1
    session = aw.Session(model, images, cache_bytes=budget)
    values = session.measure("dead").values
    # conv: -1 everywhere, 1 everywhere, the input, 0 everywhere.
    assert values == {"image": 0, "conv": 25, "relu": 50, "pool": 50}
    session.inputs = images[:4]
    assert session.measure("dead").values["relu"] == 75


def test_sizes_and_zeros_need_few_passes_of_what_was_not_kept():
    model, x = zoo.build("nested_two_deep")
    session = aw.Session(model, x, cache_bytes=2000)
    session.top_class(0)
    before = session.stats()["forward_passes"]
    session.measure("sparsity")
    assert session.stats()["forward_passes"] <= before + 1


# --- gradients ---


def test_gradients_by_hand(sessions):
    session = sessions("nested_two_deep")
    model, sample, target = session.source.model, 1, 2
    session.selection.target = target
    weights = model.get_layer("out").kernel.numpy()[:, target]
    maps = session.activation("middle")[sample]
    slope = np.broadcast_to(weights / 16, (4, 4, 3))
    size, part = session.measure("gradient", sample), session.measure("relevance", sample)
    assert size.values["middle"] == pytest.approx(np.sqrt((slope**2).mean()), **CLOSE)
    assert part.values["middle"] == pytest.approx((slope * maps).sum(), **CLOSE)
    behind = slope * (maps > 0)
    before = session.activation("middle/inner/conv")[sample]
    assert size.values["middle/inner/conv"] == pytest.approx(np.sqrt((behind**2).mean()), **CLOSE)
    assert part.values["middle/inner"] == pytest.approx((behind * before).sum(), **CLOSE)
    assert size.missing == part.missing == {"out": "the score does not depend on its first output"}
    assert "class 2 (logits), sample 1" in size.words
    session.selection.target = None


def test_gradients_of_a_subclassed_model_by_a_tape(sessions):
    session = sessions("subclassed")
    model, sample = session.source.model, 2
    image = tf.constant(session.inputs[sample : sample + 1])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        first = model.conv(image)
        y = tf.nn.relu(first)
        second = model.conv(y)
        maps = model.block(tf.sin(second) + 0.5 * y)
        score = model.head(tf.reduce_mean(maps, [1, 2]))[0, session.top_class(sample)]
    tensors = {"input": image, "conv": first, "conv#2": second, "block": maps}
    size, part = session.measure("gradient", sample), session.measure("relevance", sample)
    for address, tensor in tensors.items():
        slope = tape.gradient(score, tensor).numpy()
        assert size.values[address] == pytest.approx(np.sqrt((slope**2).mean()), **CLOSE)
        assert part.values[address] == pytest.approx((slope * tensor.numpy()).sum(), **CLOSE, abs=1e-5)


def test_one_backward_pass_serves_all(sessions):
    session = aw.Session(*zoo.build("nested_two_deep"))
    session.measure("gradient")
    session.measure("relevance")
    assert session.stats()["backward_passes"] == 1
    small = aw.Session(*zoo.build("nested_two_deep"), cache_bytes=2000)
    small.measure("gradient")
    assert small.stats()["backward_passes"] == 1


def test_what_is_not_finite_is_missing_and_not_nan():
    model, x = zoo.build("nested_two_deep")
    x[0] = np.nan
    measured = aw.Session(model, x).measure("relevance", 0)
    assert measured.missing["image"] == "it is not finite"
    assert np.isfinite(list(measured.values.values())).all()


# --- a model that no graph can hold ---


def test_a_model_that_decides_by_values(decides):
    flops = decides.measure("flops")
    assert not flops.values and flops.total is None
    assert flops.words.endswith("this model has none. The model 'decides' can't be traced.")
    assert flops.missing["conv"] == "it is in no graph whose operations could be counted"
    assert decides.measure("parameters").total == decides.source.model.count_params()
    assert set(decides.measure("time").values) >= {"conv", "drop", "head"}
    assert decides.measure("bytes").values["conv"] == 4 * 4 * 2 * 4
    conv = decides.activation("conv")[1]
    weights = decides.source.model.head.kernel.numpy()[:, decides.top_class(1)]
    slope = 2 * weights / 16 * (conv > 0)
    assert decides.measure("gradient", 1).values["conv"] == pytest.approx(np.sqrt((slope**2).mean()), **CLOSE)


class Chooses(keras.Model):
    def __init__(self):
        super().__init__(name="chooses")
        self.up, self.down = layers.Dense(3, name="up"), layers.Dense(3, name="down")
        self.head = layers.Dense(2, name="head")

    def call(self, x):
        return self.head(self.up(x) if float(tf.reduce_sum(x)) > 0 else self.down(x))


def test_a_layer_that_is_not_called_for_a_sample():
    model, x = Chooses(), np.full((2, 300), 2, np.float32)
    model(x), model(-x)
    x[1] = -1
    session = aw.Session(model, x, cache_bytes=300_000)  # a block for each sample
    for name in ("bytes", "sparsity", "gradient"):
        assert "up" in session.measure(name, 0).values
    assert session.measure("sparsity", 1).missing["up"] == "it is not called for these samples"
    assert session.measure("gradient", 1).missing["up"] == "the score does not depend on its first output"
    assert "up" in session.measure("dead").values
    np.testing.assert_allclose(session.reader.sample_activation("up", 0), model.up(x)[0], rtol=1e-5)
    for ask in (lambda: session.activation("up"), lambda: session.reader.sample_activation("up", 1)):
        with pytest.raises(aw.LayerKindError, match=r"'up', not called for sample 1\."):
            ask()
