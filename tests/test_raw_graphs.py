"""Raw graphs of TensorFlow: functions, SavedModels, frozen graphs, sessions, read as Keras models are.

Numbers are checked against ``Session.run``, the Keras model that was exported, and ``tf.GradientTape``.
"""

from __future__ import annotations

from collections import OrderedDict

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw
from act_widgets import testing
from act_widgets.errors import InputError, LayerKindError, ModelError, UnknownLayerError
from tests.cards import settle
from tests.zoo import batch, shaken

tf1 = tf.compat.v1
IMAGES = batch(3, 8, 8, 3)
RATE = 0.5


@pytest.fixture(scope="module")
def model():
    x = keras.Input((8, 8, 3), name="image")
    y = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    y = layers.GlobalAveragePooling2D(name="gap")(layers.BatchNormalization(name="bn")(y))
    return shaken(keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y), name="small"))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "small"
    model.export(path, verbose=False)
    return path


@pytest.fixture(scope="module")
def session():
    """A classifier as people wrote it for TensorFlow 1, loss and optimizer in the same graph."""
    graph = tf.Graph()
    with graph.as_default():
        tf1.set_random_seed(1)
        image = tf1.placeholder(tf.float32, [None, 8, 8, 3], name="image")
        label = tf1.placeholder(tf.int32, [None], name="label")
        rate = tf1.placeholder(tf.float32, [], name="rate")
        with tf1.variable_scope("conv1"):
            kernel = tf1.get_variable("kernel", [3, 3, 3, 4])
            x = tf.nn.bias_add(tf.nn.conv2d(image, kernel, 1, "SAME"), tf1.get_variable("bias", [4]))
            x = tf.nn.relu(x) * rate
        with tf1.variable_scope("head"):
            weights = tf1.get_variable("weights", [4, 3], use_resource=False)
            logits = tf.matmul(tf.reduce_mean(x, [1, 2]), weights, name="logits")
        tf.nn.softmax(logits, name="probabilities")
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits))
        tf1.train.GradientDescentOptimizer(0.5).minimize(loss, name="train")
        init = tf1.global_variables_initializer()
    graph.finalize()
    session = tf1.Session(graph=graph)  # not entered: its graph would be the default one
    session.run(init)
    yield session
    session.close()


@pytest.fixture(scope="module")
def frozen(session, tmp_path_factory):
    path = tmp_path_factory.mktemp("frozen") / "classifier.pb"
    definition = session.graph.as_graph_def()
    values = {
        node.name: session.run(f"{node.name}{'/Read/ReadVariableOp' if node.op == 'VarHandleOp' else ''}:0")
        for node in definition.node
        if node.op in {"VarHandleOp", "VariableV2"}
    }
    made = tf1.GraphDef(versions=definition.versions)
    for node in definition.node:
        if node.name.startswith(("gradients", "train", "init")) or "Assign" in node.op:
            continue
        copy = made.node.add()
        copy.CopyFrom(node)
        if (node.name in values and node.op == "VariableV2") or node.op == "ReadVariableOp":
            name = node.name if node.op == "VariableV2" else node.input[0]
            copy.Clear()
            copy.name, copy.op = node.name, "Const"
            copy.attr["dtype"].type = tf.float32.as_datatype_enum
            copy.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[name]))
    kept = [node for node in made.node if node.op != "VarHandleOp"]
    del made.node[:]
    made.node.extend(node for node in kept if "IsInitialized" not in node.name and "group" not in node.name)
    path.write_bytes(made.SerializeToString())
    return path


@pytest.fixture(scope="module")
def function(model):
    return tf.function(lambda image: model(image))  # noqa: PLW0108 not the model itself


FED = {"image": IMAGES, "rate": RATE}


@pytest.fixture
def case(request, session, function):
    cases = {
        "function": lambda: (function, IMAGES),
        "concrete": lambda: (function.get_concrete_function(tf.TensorSpec([None, 8, 8, 3])), IMAGES),
        "saved": lambda: (request.getfixturevalue("saved"), {"image": IMAGES}),
        "frozen": lambda: (request.getfixturevalue("frozen"), FED),
        "session": lambda: ((session.graph, session), FED),
    }
    return cases[request.param]()


@pytest.mark.parametrize("case", ["function", "concrete", "saved", "frozen", "session"], indirect=True)
def test_every_kind_of_graph_keeps_the_contract(case):
    checks = testing.check_model(*case)
    assert set(checks) == {testing.name_of(check) for check in testing.CHECKS}


@pytest.mark.parametrize("case", ["frozen", "session"], indirect=True)
def test_every_operation_holds_what_the_session_computes(case, session):
    made = aw.capture(*case)
    assert {"conv1/Conv2D", "conv1/BiasAdd", "conv1/Relu", "head/logits", "probabilities"} <= set(made)
    assert not [name for name in made if "kernel" in name or "Identity" in name or "shape" in name]
    for name, value in made.items():
        expected = session.run(f"{name}:0", {"image:0": IMAGES, "rate:0": RATE})
        np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=name)


def test_a_saved_model_shows_the_operations_of_the_model_that_was_exported(saved, model):
    made = aw.capture(saved, IMAGES)
    conv = next(name for name in made if name.endswith("/convolution"))
    assert "PartitionedCall" not in conv
    expected = aw.capture(model, IMAGES)
    np.testing.assert_allclose(made["Softmax"], model(IMAGES), atol=1e-6)
    np.testing.assert_allclose(made["Mean"], expected["gap"], atol=1e-5)
    kernel, bias = model.get_layer("conv").get_weights()
    np.testing.assert_allclose(made[conv] + bias, tf.nn.conv2d(IMAGES, kernel, 1, "VALID") + bias, atol=1e-5)
    np.testing.assert_allclose(aw.Session(saved, IMAGES).outputs()["output_0"], model(IMAGES), atol=1e-6)


def test_grad_cam_of_an_exported_model_is_that_of_the_model(saved, model):
    layer = next(name for name in aw.capture(saved, IMAGES) if name.endswith("batchnorm/add_1"))
    made = aw.attribute(saved, IMAGES, layer=layer, target=1)
    expected = aw.attribute(model, IMAGES, layer="bn", target=1)
    assert (made.scores, expected.scores) == ("logits", "logits")
    assert np.ptp(expected.maps) > 0
    np.testing.assert_allclose(made.maps, expected.maps, atol=1e-5)


def test_gradients_of_a_function_are_those_of_a_tape(function, model):
    made = aw.attribute(function, IMAGES, "gradient_x_input", target=2, scores="probabilities")
    x = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        score = model(x)[:, 2]
    np.testing.assert_allclose(made.values, tape.gradient(score, x) * x, atol=1e-6)


def test_a_silenced_channel_gives_what_the_session_computes_from_it(session):
    opened = aw.Session(session, FED)
    value = np.array(opened.activation("conv1/Relu"))
    value[..., 2] = 0
    expected = session.run("probabilities:0", {"image:0": IMAGES, "rate:0": RATE, "conv1/Relu:0": value})
    np.testing.assert_allclose(opened.edit("conv1/Relu", 2), expected, atol=1e-6)
    assert np.abs(expected - opened.outputs()).max() > 1e-4


def test_the_users_graph_is_left_alone_inside_its_own_block(session):
    graph = session.graph
    before = len(graph.get_operations())
    with graph.as_default():
        opened = aw.Session(session, {graph.get_tensor_by_name("image:0"): IMAGES, "rate": RATE})
        opened.attribution("grad_cam", layer="conv1/Relu", target=0)
        assert tf1.get_default_graph() is graph
    assert len(graph.get_operations()) == before
    assert graph.finalized


def test_operations_that_are_added_later_are_seen_by_the_next_reader():
    graph = tf.Graph()
    with graph.as_default():
        x = tf1.placeholder(tf.float32, [None, 4], name="x")
        y = tf.tanh(x, name="first")
    with tf1.Session(graph=graph) as session:
        assert list(aw.capture(session, batch(2, 4))) == ["x", "first"]
        with graph.as_default():
            tf.square(y, name="second")
        assert list(aw.capture(session, batch(2, 4))) == ["x", "first", "second"]


def test_what_the_session_learns_is_noticed(session):
    opened = aw.Session(session, FED)
    before = opened.outputs()
    assert not opened.stale
    for _ in range(2):  # once for the old values, once for the copies that followed
        session.run("train", {"image:0": IMAGES, "rate:0": RATE, "label:0": [0, 1, 2]})
        assert opened.stale
        after = session.run("probabilities:0", {"image:0": IMAGES, "rate:0": RATE})
        np.testing.assert_allclose(opened.outputs(), after, atol=1e-6)
    assert np.abs(after - before).max() > 1e-4


def test_outputs_are_what_nothing_reads_among_what_can_be_computed(session):
    assert aw.Session(session, FED).outputs().shape == (3, 3)
    labelled = aw.capture(session, FED | {"label": np.array([0, 1, 2])})
    assert any("SparseSoftmax" in name for name in labelled)
    assert not any("SparseSoftmax" in name for name in aw.capture(session, FED))


def test_a_variable_that_changes_is_seen_in_a_function_and_never_in_a_frozen_graph(frozen):
    scale = tf.Variable(2.0)
    opened = aw.Session(tf.function(lambda x: x * scale), batch(2, 4))
    before = opened.outputs()
    scale.assign(3.0)
    assert opened.stale
    np.testing.assert_allclose(opened.outputs(), before * 1.5, rtol=1e-6)
    assert not aw.Session(frozen, FED).stale


class Signatures(tf.Module):
    def __init__(self):
        self.weight = tf.Variable(tf.ones((4, 2)))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="features")])
    def score(self, features):
        return {"score": tf.nn.softmax(features @ self.weight)}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="features")])
    def double(self, features):
        return {"twice": features * 2.0}


def test_a_signature_is_chosen_by_name(tmp_path):
    module = Signatures()
    tf.saved_model.save(module, tmp_path, signatures={"score": module.score, "double": module.double})
    x = batch(2, 4)
    session = aw.Session(tmp_path, x, signature="double")
    np.testing.assert_allclose(session.outputs()["twice"], 2 * x)
    assert "aw.Session(model, inputs, signature='double')" in aw.LayerPicker(session).code()
    assert "MatMul" in {n.kind for n in aw.graph(tmp_path, signature="score").nodes}
    for wrong in ("scores", None):
        with pytest.raises(InputError, match=r"'score', 'double'|'double', 'score'"):
            aw.capture(tmp_path, x, signature=wrong)


def test_a_saved_model_of_tensorflow_1_has_its_names_and_values(tmp_path):
    graph = tf.Graph()
    with graph.as_default():
        x = tf1.placeholder(tf.float32, [None, 4], name="Placeholder_7")
        other = tf1.placeholder(tf.float32, [None, 4], name="A")
        weight = tf1.get_variable("weight", [4, 3], use_resource=False)
        y = tf.nn.softmax(tf.matmul(x, weight, name="logits") - tf.reduce_sum(other, 1, keepdims=True))
        init = tf1.global_variables_initializer()
        with tf1.Session(graph=graph) as session:
            session.run(init)
            tf1.saved_model.simple_save(session, str(tmp_path / "old"), {"b": x, "c": other}, {"classes": y})
            value = session.run(weight)
    given = {"b": batch(2, 4), "c": batch(2, 4, seed=1)}
    opened = aw.Session(tmp_path / "old", given)
    np.testing.assert_allclose(opened.activation("logits"), given["b"] @ value, atol=1e-6)
    np.testing.assert_allclose(opened.outputs()["classes"].sum(1), 1, atol=1e-6)


def test_operations_are_grouped_by_scope(session):
    graph = aw.graph(session, FED)
    nodes = {node.address: node for node in graph.nodes}
    assert (nodes["conv1"].kind, nodes["conv1"].tap, nodes["conv1"].parent) == ("Scope", "conv1/mul", "")
    assert nodes["conv1/Conv2D"].parent == "conv1"
    assert (nodes["conv1/Conv2D"].kind, nodes["conv1/Conv2D"].parameters) == ("Conv2D", 3 * 3 * 3 * 4)
    assert nodes["conv1"].parameters == 3 * 3 * 3 * 4 + 4
    assert {(edge.source, edge.target) for edge in graph.edges} == {
        ("image", "conv1/Conv2D"),
        ("conv1/Conv2D", "conv1/BiasAdd"),
        ("conv1/BiasAdd", "conv1/Relu"),
        ("conv1/Relu", "conv1/mul"),
        ("conv1/mul", "head/Mean"),
        ("head/Mean", "head/logits"),
        ("head/logits", "probabilities"),
    }
    order = list(nodes)
    assert order.index("conv1") > order.index("conv1/mul")
    assert aw.graph(session).to_dot().startswith("digraph")


def test_a_tensor_that_somebody_named_is_there_by_its_name():
    def call(x):
        return tf.identity(tf.identity(tf.tanh(x)) * 2.0, name="doubled") + 1.0

    x = batch(2, 4)
    made = aw.capture(tf.function(call), x)
    assert list(made) == ["x", "Tanh", "mul", "doubled", "add"]
    np.testing.assert_allclose(made["doubled"], 2 * np.tanh(x), rtol=1e-5)


def test_an_exported_recurrent_model_has_the_gradients_of_the_model(tmp_path):
    ids = keras.Input((7,), dtype="int32", name="ids")
    y = layers.LSTM(4)(layers.Embedding(9, 5, name="embedding")(ids))
    model = keras.Model(ids, layers.Dense(3, activation="softmax")(y))
    model.export(tmp_path, verbose=False)
    tokens = np.random.default_rng(0).integers(0, 9, (3, 7))
    opened = aw.Session(tmp_path, tokens)
    found = opened.attribution("gradient_x_input", layer="GatherV2", target=1).values
    expected = aw.attribute(model, tokens, "gradient_x_input", layer="embedding", target=1).values
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert any("while" in name for name in opened.unreachable)


def test_a_gradient_that_a_layer_writes_itself_is_that_of_its_operations():
    x = batch(2, 4)
    made = aw.attribute(tf.function(tf.nn.silu), x, "gradient_x_input", target=0).values
    value = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(value)
        score = tf.nn.silu(value)[:, 0]
    np.testing.assert_allclose(made[..., 0], tape.gradient(score, value) * x, atol=1e-6)


def test_an_operation_that_is_named_as_its_scope_stands_for_it():
    weights = tf.ones((4, 2))
    graph = aw.graph(tf.function(lambda x: tf.tensordot(x, weights, 1, name="dot")), batch(2, 3, 4))
    nodes = {node.address: node for node in graph.nodes}
    assert (nodes["dot"].kind, nodes["dot"].tap, nodes["dot"].parameters) == ("Reshape", "dot", 8)
    assert nodes["dot/MatMul"].parent == "dot"
    assert list(nodes)[-1] == "dot"


def test_a_scope_counts_each_of_its_weights_once(saved, model):
    graph = aw.graph(saved)
    nodes = {node.address.rpartition("/")[2]: node for node in graph.nodes}
    assert nodes["bn_1"].parameters == model.get_layer("bn").count_params()
    outermost = [node for node in graph.nodes if not node.parent]
    assert sum(node.parameters for node in outermost) == model.count_params()


def test_a_function_that_is_called_twice_shows_both_calls():
    @tf.function
    def block(x):
        with tf.name_scope("block"):
            return tf.nn.relu(x - 1.0)

    x = batch(2, 4)
    made = aw.capture(tf.function(lambda x: block(block(x) + 2.0)), x)
    relus = [value for name, value in made.items() if name.endswith("block/Relu")]
    once = np.maximum(x - 1, 0)
    np.testing.assert_allclose(relus, [once, np.maximum(once + 1, 0)], rtol=1e-6)


def test_branches_and_loops_are_listed_with_the_reason_and_gradients_pass_them():
    def call(x):
        y = tf.cond(tf.reduce_sum(x) > 1e9, lambda: x * 2.0, lambda: tf.sin(x))
        return tf.while_loop(lambda i, z: i < 3, lambda i, z: (i + 1, z * x), [0, y])[1]

    x = batch(2, 4)
    opened = aw.Session(tf.function(call), x)
    np.testing.assert_allclose(opened.outputs(), np.sin(x) * x**3, rtol=1e-5)
    inside = [name for name in opened.unreachable if name.endswith(("/Sin", "/mul", "/Mul"))]
    assert len(inside) >= 2
    assert all("loop" in opened.unreachable[name] for name in inside)
    made = opened.attribution("saliency", target=0).values
    slope = np.cos(x) * x**3 + np.sin(x) * 3 * x**2
    np.testing.assert_allclose(made[:, 0, 0], slope[:, 0], rtol=1e-4)


@pytest.fixture(scope="module")
def old_flow():
    """A graph with a branch and a loop as TensorFlow 1 wrote them, between two layers."""
    tf1.disable_control_flow_v2()
    try:
        graph = tf.Graph()
        with graph.as_default():
            x = tf1.placeholder(tf.float32, [None, 4], name="x")
            before = tf.tanh(x, name="before")
            y = tf1.cond(tf.reduce_sum(x) > 1e9, lambda: before * 2.0, lambda: tf.sin(before))
            y = tf1.while_loop(lambda i, z: i < 2, lambda i, z: (i + 1, z * 2.0), [0, y])[1]
            tf.multiply(tf.multiply(y, y, name="behind"), 3.0, name="out")
    finally:
        tf1.enable_control_flow_v2()
    session = tf1.Session(graph=graph)
    yield session
    session.close()


def test_old_branches_and_loops_are_read_and_their_gradients_refused(old_flow):
    x = batch(2, 4)
    opened = aw.Session(old_flow, x)
    behind = (4 * np.sin(np.tanh(x))) ** 2
    np.testing.assert_allclose(opened.outputs(), 3 * behind, rtol=1e-5)
    assert any(name.endswith("/Sin") for name in opened.unreachable)
    np.testing.assert_allclose(opened.activation("before"), np.tanh(x), rtol=1e-5)
    made = opened.attribution("gradient_x_input", layer="behind", target=1)
    np.testing.assert_allclose(made.values[:, 1, 0], 3 * behind[:, 1], rtol=1e-5)
    with pytest.raises(LayerKindError, match=r"'before'.*TensorFlow 1"):
        opened.attribution("gradient_x_input", layer="before", target=1)


def test_what_lies_before_an_old_loop_says_so_in_a_measure_and_costs_one_pass(old_flow):
    opened = aw.Session(old_flow, batch(2, 4))
    for name in ("gradient", "relevance"):
        measured = opened.measure(name)
        assert "behind" in measured.values
        assert all("loop or branch as TensorFlow 1" in measured.missing[a] for a in ("x", "before"))
    for _ in range(2):
        with pytest.raises(LayerKindError, match=r"'before'.*TensorFlow 1"):
            opened.attribution("gradient_x_input", layer="before", target=opened.top_class(0))
    assert opened.stats()["backward_passes"] == 1


def test_a_table_of_a_session_is_refused_and_read_from_a_saved_model(tmp_path):
    graph, words = tf.Graph(), np.array(["b", "z"])
    with graph.as_default(), tf1.Session(graph=graph) as session:
        x = tf1.placeholder(tf.string, [None], name="words")
        entries = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
        found = tf.lookup.StaticHashTable(entries, -1, name="table").lookup(x, name="found")
        length = tf.strings.length(x, name="length")
        y = tf.add(tf.cast(found, tf.float32), tf.cast(length, tf.float32), name="out")
        session.run(tf1.tables_initializer())
        tf1.saved_model.simple_save(
            session, str(tmp_path / "m"), {"words": x}, {"y": y}, legacy_init_op=tf1.tables_initializer()
        )
        (tmp_path / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
        for given in (session, tmp_path / "frozen.pb"):
            with pytest.raises(ModelError, match=r"'table', read by 'found.*SavedModel.*tables_init"):
                aw.capture(given, {"words": words})
    np.testing.assert_array_equal(aw.Session(tmp_path / "m", words).outputs()["y"], [3, 0])


def test_a_function_takes_its_arguments_by_name_and_by_place():
    def call(left, right, scale=2.0):
        return tf.add(left, right, name="sum") * scale

    a, b = batch(2, 4), batch(2, 4, seed=1)
    function = tf.function(call)
    for given in ([a, b], (a, b), {"left": a, "right": b}):
        np.testing.assert_allclose(aw.Session(function, given).outputs(), 2 * (a + b), rtol=1e-6)
    assert list(aw.capture(function, [a, b]))[:3] == ["left", "right", "sum"]
    assert function.experimental_get_tracing_count() == 0
    nested = aw.Session(tf.function(lambda parts: parts["a"] - parts["b"]), {"a": a, "b": b})
    np.testing.assert_allclose(nested.outputs(), a - b, rtol=1e-6)
    nested.inputs = {key: 2 * part for key, part in nested.inputs.items()}
    np.testing.assert_allclose(nested.outputs(), 2 * (a - b), rtol=1e-6)


def two_inputs(structure):
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    y = layers.Dense(3)(layers.Subtract()([left, right]))
    return keras.Model({"left": left, "right": right} if structure is dict else [left, right], y)


@pytest.mark.parametrize("structure", [list, dict])
def test_a_function_of_a_model_takes_what_the_model_takes(structure):
    model, a, b = two_inputs(structure), batch(2, 4), batch(2, 4, seed=1)
    own = {"right": b, "left": a} if structure is dict else [a, b]
    expected = model(own)
    opened = aw.Session(tf.function(model), own)
    np.testing.assert_allclose(opened.outputs(), expected, atol=1e-6)
    assert type(opened.inputs) is structure
    np.testing.assert_allclose(aw.Session(tf.function(model), {"inputs": own}).outputs(), expected, atol=1e-6)
    with_switch = tf.function(lambda inputs, training=False: model(inputs, training=training))
    np.testing.assert_allclose(aw.Session(with_switch, own).outputs(), expected, atol=1e-6)


def test_arguments_that_nest_are_given_by_name_and_by_place():
    def call(zeta, alpha, *, beta):
        return zeta["b"] - 2 * zeta["a"] * alpha + 3 * beta[0] * beta[1]

    a, b, c = batch(2, 4), batch(2, 4, seed=1), batch(2, 4, seed=2)
    expected = b - 2 * a * c + 3 * a * c
    for zeta in ({"a": a, "b": b}, {"b": b, "a": a}, OrderedDict(b=b, a=a)):
        opened = aw.Session(tf.function(call), {"zeta": zeta, "beta": (a, c), "alpha": c})
        np.testing.assert_allclose(opened.outputs(), expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(opened.inputs["zeta"]["b"], b)
    by_place = tf.function(lambda zeta, alpha: call(zeta, alpha, beta=(alpha, alpha)))
    made = aw.Session(by_place, [{"b": b, "a": a}, c]).outputs()
    np.testing.assert_allclose(made, b - 2 * a * c + 3 * c * c, rtol=1e-5, atol=1e-6)


def test_a_traced_function_says_which_structure_it_takes():
    spec = tf.TensorSpec([None, 4])
    traced = tf.function(lambda parts, scale: parts["b"] - parts["a"] * scale).get_concrete_function(
        {"b": spec, "a": spec}, spec
    )
    a, b, c = batch(2, 4), batch(2, 4, seed=1), batch(2, 4, seed=2)
    np.testing.assert_allclose(
        aw.Session(traced, {"scale": c, "parts": {"b": b, "a": a}}).outputs(), b - a * c, rtol=1e-5, atol=1e-6
    )
    takes = r"\{'b': \(batch, 4\) float32, 'a': \(batch, 4\) float32\} \('parts'\)"
    for wrong in ({"scale": c, "parts": [b, a]}, {"scale": c, "parts": {"b": b}}, {"scale": c}, [a, b]):
        with pytest.raises(InputError, match=takes):
            aw.capture(traced, wrong)


def test_a_function_that_needs_its_batch_size_gets_it():
    function = tf.function(lambda x: x * np.arange(x.shape[0] * 4).reshape(-1, 4).astype("float32"))
    for size in (2, 3):
        x = batch(size, 4)
        expected = x * np.arange(size * 4).reshape(-1, 4)
        np.testing.assert_allclose(aw.Session(function, x).outputs(), expected, rtol=1e-6)


def test_a_batch_of_another_size_leaves_the_reader_of_the_first_alone():
    function = tf.function(lambda x: tf.exp(x) * np.ones((x.shape[0], 4), "float32"))
    session = aw.Session(function, batch(2, 4), cache_bytes=1)  # nothing is kept
    reader, x = session.reader, session.inputs
    session.inputs = batch(3, 4)
    np.testing.assert_allclose(session.outputs(), np.exp(session.inputs), rtol=1e-6)
    np.testing.assert_allclose(reader.outputs(), np.exp(x), rtol=1e-6)


def product_with(weight):
    return tf.function(lambda x: tf.matmul(x, weight))


def test_a_function_is_read_in_the_precision_that_it_takes():
    x = np.random.default_rng(0).normal(size=(3, 4))
    weights = {kind: tf.Variable(np.ones((4, 2), kind) / 3) for kind in ("float32", "float64")}
    for kind, weight in weights.items():
        product = product_with(weight)
        for given in ("float32", "float64"):
            opened = aw.Session(product, x.astype(given))
            assert opened.activation("MatMul").dtype == kind
            expected = x.astype(given).astype(kind) @ weight.numpy()
            np.testing.assert_allclose(opened.outputs(), expected, rtol=1e-12 if kind == "float64" else 1e-6)
            slopes = opened.attribution("gradient_x_input", target=0).values
            np.testing.assert_allclose(slopes[..., 0], x / 3, rtol=1e-5)
    double = tf.function(lambda x: 2 * x)
    for given in ("float32", "float64"):
        made = aw.Session(double, x.astype(given)).outputs()
        assert made.dtype == double(x.astype(given)).dtype == given
    with pytest.raises(InputError, match=r"Received: \(None, 4\) float64"):
        aw.capture(tf.function(lambda x: tf.concat([x, ["a"]], 0)), x)


def test_numbers_and_text_go_in_as_they_are():
    words = np.array(["a", "bcd", "ef"])
    np.testing.assert_array_equal(
        aw.capture(tf.function(tf.strings.length), words)["StringLength"], [1, 3, 2]
    )
    table = tf.Variable(batch(9, 4))
    tokens = np.array([[1, 2, 8], [0, 3, 3]])
    made = aw.Session(tf.function(lambda ids: tf.reduce_mean(tf.gather(table, ids), axis=1)), tokens)
    np.testing.assert_allclose(made.outputs(), table.numpy()[tokens].mean(1), atol=1e-6)


def test_a_function_that_states_its_inputs_needs_none_for_its_graph():
    stated = tf.function(tf.tanh, input_signature=[tf.TensorSpec([None, 4])])
    assert [n.kind for n in aw.graph(stated).nodes] == ["Placeholder", "Tanh"]
    traced = tf.function(lambda x: tf.tanh(x))  # noqa: PLW0108 a function that states nothing
    with pytest.raises(InputError, match="example batch"):
        aw.graph(traced)
    traced(batch(2, 4))
    assert [n.kind for n in aw.graph(traced).nodes] == ["Placeholder", "Tanh"]


def test_reading_a_function_writes_nothing():
    counter = tf.Variable(0.0)

    @tf.function
    def counts(x):
        counter.assign_add(1.0)
        return tf.tanh(x)

    x = batch(2, 4)
    np.testing.assert_allclose(aw.capture(counts, x)["Tanh"], np.tanh(x), rtol=1e-5)
    assert counter.numpy() == 0


def test_shuffled_weights_are_others_and_the_own_ones_stay(session, frozen):
    for opened in (aw.Session(session, FED), aw.Session(frozen, FED)):
        before = opened.outputs()
        shuffled = opened.shuffled(1)
        assert np.abs(shuffled.outputs() - before).max() > 1e-4
        np.testing.assert_array_equal(opened.outputs(), before)


def test_the_explorer_opens_on_a_session(session):
    explorer = aw.explore(session, FED)
    assert explorer.selection.layer == "conv1/mul"
    assert explorer.session.layers[0] == "image"
    explorer.selection.layer = "conv1/Relu"
    assert explorer.png().startswith(b"\x89PNG")
    explorer.close()


def test_inputs_that_do_not_fit_say_what_does(session, frozen):
    with pytest.raises(InputError, match=r"no input 'imege'. Nearest: 'image'"):
        aw.capture(session, {"imege": IMAGES})
    with pytest.raises(InputError, match=r"takes 3 inputs.*'label'"):
        aw.capture(session, IMAGES)
    with pytest.raises(InputError, match=r"\(8, 8, 3\).*inputs\[None\]"):
        aw.capture(frozen, {"image": IMAGES[0], "rate": RATE})
    with pytest.raises(InputError, match="same for all samples"):
        aw.capture(frozen, {"image": IMAGES, "rate": [0.1, 0.2]})
    with pytest.raises(ModelError, match="Nothing in 'classifier' is computed from 'label' alone"):
        aw.capture(frozen, {"label": np.array([1])})
    with pytest.raises(UnknownLayerError, match="Nearest: 'conv1/Conv2D'"):
        aw.capture(session, FED, "conv1/Conv2")


def test_a_view_names_as_much_of_an_operation_as_no_other_has():
    x = batch(2, 4)

    def call(x):
        for block in ("first", "second"):
            with tf.name_scope(block):
                x = tf.nn.relu(x) * 2.0
        return tf.tanh(x)

    session = aw.Session(tf.function(call), x)
    view = aw.Histogram(session)
    for layer, name in (("first/Relu", "first/Relu"), ("second/mul", "second/mul"), ("Tanh", "Tanh")):
        session.selection.layer = layer
        settle(session)
        assert f">{name} · " in view._heading.value
    view.close()


def test_what_is_no_graph_says_what_would_be(session, tmp_path, model):
    (tmp_path / "bad.pb").write_bytes(b"\x00nothing")
    (tmp_path / "folder").mkdir()
    fresh = tf.Graph()
    with fresh.as_default():
        tf1.placeholder(tf.float32, [None, 2], name="x") * tf1.get_variable("w", [2])
    unfrozen = tmp_path / "unfrozen.pb"
    unfrozen.write_bytes(fresh.as_graph_def().SerializeToString())
    x = batch(2, 2)
    for given, words in (
        (tmp_path / "bad.pb", "No graph could be read"),
        (tmp_path / "none.pb", "No graph could be read"),
        (tmp_path / "folder", "No SavedModel could be loaded"),
        (unfrozen, "not frozen"),
        (fresh, r"the pair \(graph, session\)"),
        ((fresh, session), "that of another graph"),
        (tf1.Session(graph=fresh), "no values yet"),
        (tf.function(lambda x: None), "does not return dense tensors"),
        (3, "no model that can be read"),
    ):
        with pytest.raises(ModelError, match=words):
            aw.capture(given, x)
    with pytest.raises(InputError, match="Only a SavedModel has signatures"):
        aw.capture(model, IMAGES, signature="x")
    with pytest.raises(InputError, match="A graph runs as it was made"):
        aw.capture(session, FED, training=True)


def test_every_session_on_the_same_variables_sees_them_change():
    graph = tf.Graph()
    with graph.as_default():
        x = tf1.placeholder(tf.float32, [None, 2], name="x")
        weight = tf1.get_variable("weight", [], use_resource=True)
        tf.identity(x * weight, name="y")
        with tf1.Session(graph=graph) as running:
            weight.load(3.0, running)
            first, second = (aw.Session(running, np.ones((1, 2), "float32")) for _ in range(2))
            assert first.outputs().sum() == second.outputs().sum() == 6
            weight.load(15.0, running)
            first.refresh()
            assert second.stale
            assert first.outputs().sum() == second.outputs().sum() == 30


def test_flops_of_a_scope_are_those_of_its_operations_or_not_known():
    @tf.function(input_signature=[tf.TensorSpec([1, 7, 3], name="x")])
    def function(x):
        with tf.name_scope("plain"):
            gram = tf.matmul(x, x, transpose_a=True)
        with tf.name_scope("looped"):
            summed = tf.scan(lambda total, row: total + row @ row, gram)
        return gram + summed

    flops = aw.Session(function, batch(1, 7, 3)).measure("flops")
    assert flops.values["plain"] == 2 * 3 * 3 * 7
    assert "looped" in flops.missing
    assert "inside loops" in flops.missing["looped"]


def test_a_placeholder_that_states_no_shape_takes_a_batch(tmp_path):
    graph = tf.Graph()
    with graph.as_default():
        tf.nn.relu(tf1.placeholder(tf.float32, name="x"), name="y")
    definition = graph.as_graph_def()
    del definition.node[0].attr["shape"]
    path = tmp_path / "frozen.pb"
    path.write_bytes(definition.SerializeToString())
    np.testing.assert_array_equal(aw.capture(str(path), -np.ones((2, 4), "float32"))["y"], 0)


def test_text_at_the_end_has_sizes_and_no_scores():
    session = aw.Session(tf.function(lambda x: tf.as_string(tf.argmax(x, -1))), batch(2, 4))
    assert session.measure("bytes").total
