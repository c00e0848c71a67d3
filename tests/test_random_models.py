"""Random functional models: what is read equals what calling the layers one by one gives.

A plan is a few lines like ``t3 = conv_0(t1)``. From it the Keras model is built, and from it every
tensor is computed by hand, with the address, the edges and the scores that it must have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from keras import layers

import act_widgets as aw
from act_widgets.sources import open_source
from act_widgets.sources.protocol import BackwardPass

from .soak import TIMES
from .zoo import batch, shaken

EXAMPLES = 15 * TIMES
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

BATCH = 2
IMAGE, PIXEL, WIDE, VECTOR, LONG = (4, 4, 3), (1, 1, 3), (4, 4, 6), (3,), (6,)
LETTER = {IMAGE: "i", PIXEL: "p", WIDE: "w", VECTOR: "v", LONG: "l"}
KEYS = ("z", "a", "m", "b")  # out of order, as a user may have them


# --- layers and operations to choose from ---------------------------------------------------------


@keras.saving.register_keras_serializable("act_widgets_tests")
class Halves(layers.Layer):
    """Two outputs by name."""

    def call(self, x: Any) -> Any:
        return {"low": x[..., :3], "high": x[..., 3:]}


@keras.saving.register_keras_serializable("act_widgets_tests")
class Residual(layers.Layer):
    """One inner layer, called twice, and an operation that Keras does not see."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mix = layers.Dense(3, activation="tanh", name="mix")

    def build(self, shape: Any) -> None:
        self.mix.build(shape)

    def call(self, x: Any) -> Any:
        return x + self.mix(self.mix(x))


@keras.saving.register_keras_serializable("act_widgets_tests")
class Padded(layers.Layer):
    """Two operations that Keras makes on the fly."""

    def call(self, x: Any) -> Any:
        return pad_after(pad_before(x))


def pad_before(x: Any) -> Any:
    return keras.ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(1, 0)])


def pad_after(x: Any) -> Any:
    return keras.ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, 2)])


def stack(name: str) -> keras.Sequential:
    return keras.Sequential([layers.Dense(3, name="mix"), layers.Softmax(name="soft")], name=name)


LAYERS: dict[str, Callable[[str], Any]] = {
    "conv": lambda name: layers.Conv2D(3, 3, padding="same", activation="relu", name=name),
    "dense": lambda name: layers.Dense(3, name=name),
    "head": lambda name: layers.Dense(3, activation="softmax", name=name),
    "softmax": lambda name: layers.Softmax(name=name),
    "norm": lambda name: layers.BatchNormalization(name=name),
    "drop": lambda name: layers.Dropout(0.5, name=name),
    "relu": lambda name: layers.ReLU(name=name),
    "add": lambda name: layers.Add(name=name),
    "join": lambda name: layers.Concatenate(name=name),
    "pool": lambda name: layers.GlobalAveragePooling2D(name=name),
    "squeeze": lambda name: layers.GlobalAveragePooling2D(keepdims=True, name=name),
    "unflat": lambda name: layers.Reshape(PIXEL, name=name),
    "halves": lambda name: Halves(name=name),
    "padded": lambda name: Padded(name=name),
    "residual": lambda name: Residual(name=name),
    "stack": stack,
}
TAKES_A_LIST = {"add", "join"}

OPERATIONS: dict[str, Callable] = {
    "plus": lambda a, b: a + b,
    "minus": lambda a, b: a - b,
    "larger": keras.ops.maximum,
    "half": lambda a: a / 2.0,
    "tanh": keras.ops.tanh,
    "sigmoid": keras.ops.sigmoid,
    "flip": lambda a: a[..., ::-1],
    "first": lambda a: a[..., :3],
    "split": lambda a: keras.ops.split(a, 2, axis=-1),
}


class Rule(NamedTuple):
    kind: str
    takes: tuple
    gives: tuple


def rules() -> Iterator[Rule]:
    for shape, long in ((IMAGE, WIDE), (VECTOR, LONG)):
        for kind in ["norm", "drop", "residual", "stack", "softmax", "relu", "half", "tanh", "flip"]:
            yield Rule(kind, (shape,), (shape,))
        for kind in ("add", "plus", "minus", "larger"):
            yield Rule(kind, (shape, shape), (shape,))
        for kind in ("split", "halves"):
            yield Rule(kind, (long,), (shape, shape))
        yield Rule("first", (long,), (shape,))
        yield Rule("join", (shape, shape), (long,))
        yield Rule("padded", (shape,), (long,))
    for kind in ("dense", "head", "sigmoid"):
        yield Rule(kind, (VECTOR,), (VECTOR,))
    yield Rule("dense", (LONG,), (VECTOR,))
    yield Rule("conv", (IMAGE,), (IMAGE,))
    yield Rule("conv", (WIDE,), (IMAGE,))
    yield Rule("pool", (IMAGE,), (VECTOR,))
    yield Rule("pool", (WIDE,), (LONG,))
    yield Rule("squeeze", (IMAGE,), (PIXEL,))
    yield Rule("unflat", (VECTOR,), (PIXEL,))
    yield Rule("plus", (IMAGE, PIXEL), (IMAGE,))


RULES = tuple(rules())


# --- plans ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One call: of slot 0 or 1 of its model's own layers, or of slot 2, which all models share."""

    rule: Rule
    slot: int
    args: tuple[int, ...]

    @property
    def layer(self) -> str:
        own = "".join(LETTER[shape] for shape in self.rule.takes)
        return f"{self.rule.kind}_{own}{self.slot}"


@dataclass(frozen=True)
class ModelPlan:
    """Steps whose tensors are numbered on from the inputs; forms are one, list, tuple or dict."""

    inputs: tuple
    input_form: str
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    output_form: str

    @property
    def shapes(self) -> tuple:
        return (*self.inputs, *(shape for step in self.steps for shape in step.rule.gives))

    def rule(self, number: int) -> Rule:
        return Rule(f"m{number}", self.inputs, tuple(self.shapes[i] for i in self.outputs))

    def lines(self) -> Iterator[str]:
        yield f"({names(range(len(self.inputs)))}) = {self.input_form} of {self.inputs}"
        made = len(self.inputs)
        for step in self.steps:
            after = made + len(step.rule.gives)
            yield f"{names(range(made, after))} = {step.layer}({names(step.args)})"
            made = after
        yield f"return {self.output_form} of {names(self.outputs)}"


def names(numbers: Any) -> str:
    return ", ".join(f"t{number}" for number in numbers)


@dataclass(frozen=True)
class Plan:
    """Models that may call those before them; the last is the one that is read."""

    models: tuple[ModelPlan, ...]

    def __str__(self) -> str:
        texts = ["\n    ".join((f"m{i}:", *m.lines())) for i, m in enumerate(self.models)]
        return "\n" + "\n".join(texts) + "\n"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text(str(self))


@st.composite
def plans(draw: Any) -> Plan:
    models: list[ModelPlan] = []
    for _ in range(draw(st.sampled_from([1, 2, 3, 3, 3]))):
        models.append(draw(model_plans(tuple(m.rule(i) for i, m in enumerate(models)))))
    return Plan(tuple(models))


@st.composite
def model_plans(draw: Any, inner: tuple[Rule, ...]) -> ModelPlan:
    given = draw(st.lists(st.sampled_from([IMAGE, VECTOR]), min_size=1, max_size=2))
    first = inner[-1:] if draw(st.integers(0, 4)) else ()
    inputs = (*given, *(shape for rule in first for shape in sorted(set(rule.takes) - set(given))))
    shapes, steps = list(inputs), []

    def add(rule: Rule, slot: int = 0) -> None:
        steps.append(Step(rule, slot, tuple(draw(recent(shapes, shape)) for shape in rule.takes)))
        shapes.extend(rule.gives)

    for rule in first:
        add(rule)
    for _ in range(draw(st.integers(1, 7))):
        add(*draw(callables(shapes, steps, inner)))
    if VECTOR in shapes and draw(st.booleans()):
        add(Rule(draw(st.sampled_from(["head", "softmax", "sigmoid", "stack"])), (VECTOR,), (VECTOR,)))
    unused = set(range(len(shapes))) - {a for step in steps for a in step.args}
    others = draw(st.lists(st.sampled_from([*sorted(unused) * 3, *range(len(shapes))]), max_size=3))
    outputs = draw(st.permutations([len(shapes) - 1, *others]))
    return ModelPlan(inputs, draw(forms(inputs)), tuple(steps), tuple(outputs), draw(forms(outputs)))


def callables(shapes: list, steps: list[Step], inner: tuple[Rule, ...]) -> st.SearchStrategy:
    """Draw what is called next: something new, an inner model, or what was called before."""
    new = [(rule, slot) for rule in RULES for slot in (0, 1, 2)]
    nested = [(rule, 0) for rule in inner[::-1]]
    again = [(step.rule, step.slot) for step in steps if step.rule.kind not in OPERATIONS]
    possible = [[c for c in group if set(c[0].takes) <= set(shapes)] for group in (new, nested, again)]
    return st.one_of([st.sampled_from(group) for group in possible if group])


def recent(shapes: list, shape: tuple) -> st.SearchStrategy[int]:
    """Draw one of the last tensors of a shape: older ones would leave most calls unused."""
    return st.sampled_from([i for i, s in enumerate(shapes) if s == shape][:-4:-1])


def forms(items: Any) -> st.SearchStrategy[str]:
    return st.sampled_from(["one"] * (len(items) == 1) + ["list", "tuple", "dict"])


def packed(items: list, form: str) -> Any:
    if form == "one":
        return items[0]
    if form == "dict":
        return dict(zip(KEYS, items, strict=False))
    return items if form == "list" else tuple(items)


def unpacked(nest: Any) -> list:
    if isinstance(nest, dict):
        return list(nest.values())
    return list(nest) if isinstance(nest, list | tuple) else [nest]


# --- the model, built -----------------------------------------------------------------------------


@dataclass
class Built:
    """A model, what each of its steps calls, and under which name (None if its result is not used)."""

    plan: ModelPlan
    model: keras.Model
    callables: list[Any]
    names: list[str | None]


class World:
    """The models of a plan, with weights, and a batch for the last one."""

    def __init__(self, plan: Plan) -> None:
        keras.utils.set_random_seed(0)
        self.common: dict[str, Any] = {}
        self.built: list[Built] = []
        for number, model_plan in enumerate(plan.models):
            self.built.append(self.build(number, model_plan))
        self.outer = self.built[-1]
        self.model = shaken(self.outer.model)
        inputs = self.outer.plan.inputs
        self.arrays = [batch(BATCH, *shape, seed=seed) for seed, shape in enumerate(inputs)]
        self.x = packed(self.arrays, self.outer.plan.input_form)

    def build(self, number: int, plan: ModelPlan) -> Built:
        given = [keras.Input(shape, name=key) for key, shape in zip(KEYS, plan.inputs, strict=False)]
        tensors, own, callables, nodes = list(given), {}, [], []
        for step in plan.steps:
            call = self.callable(step, own)
            made = unpacked(applied(call, [tensors[a] for a in step.args], self.form_in(step)))
            tensors += made
            callables.append(call)
            nodes.append(made[0]._keras_history[:2])
        outputs = packed([tensors[i] for i in plan.outputs], plan.output_form)
        try:
            model = keras.Model(packed(given, plan.input_form), outputs, name=f"m{number}")
        except ValueError as error:  # of Keras before 3.13
            assume("not connected" not in str(error))
            raise
        called = names_in_order(model)
        return Built(plan, model, callables, [called.get((id(op), node)) for op, node in nodes])

    def callable(self, step: Step, own: dict[str, Any]) -> Any:
        kind = step.rule.kind
        if kind in OPERATIONS:
            return OPERATIONS[kind]
        if kind not in LAYERS:
            return self.built[int(kind[1:])].model
        shelf = self.common if step.slot == 2 else own
        if step.layer not in shelf:
            shelf[step.layer] = LAYERS[kind](step.layer)
        return shelf[step.layer]

    def form_in(self, step: Step) -> str:
        kind = step.rule.kind
        if kind in TAKES_A_LIST:
            return "list"
        return "several" if kind in LAYERS | OPERATIONS else self.built[int(kind[1:])].plan.input_form


def applied(call: Any, args: list, form: str, **kwargs: Any) -> Any:
    return call(*args, **kwargs) if form == "several" else call(packed(args, form), **kwargs)


def names_in_order(model: keras.Model) -> dict[tuple[int, int], str]:
    """Name the model's inner calls in the order in which Keras makes them."""
    counts: Counter = Counter()
    found = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            operation = node.operation
            counts[operation.name] += 1
            nth = counts[operation.name]
            index = operation._inbound_nodes.index(node)
            found[id(operation), index] = operation.name if nth == 1 else f"{operation.name}#{nth}"
    return found


# --- the model, by hand ---------------------------------------------------------------------------


class Value(NamedTuple):
    """A tensor, the call that it comes from, and the scores if it is a softmax or sigmoid of some."""

    tensor: Any
    source: str
    scores: Any = None


class ByHand:
    """Calls the layers one by one along the plan.

    `seen` is handed every address and tensor, and returns what the calls behind it are given.
    """

    def __init__(self, world: World, seen: Callable[[str, Any], Any] = lambda _, tensor: tensor) -> None:
        self.world = world
        self.seen = seen
        self.tensors: dict[str, Any] = {}
        self.edges: set[tuple[str, str]] = set()
        inputs = zip(KEYS, world.arrays, strict=False)
        given = [self.kept(key, tf.constant(array), None) for key, array in inputs]
        self.outputs = self.run(world.outer, "", given)

    def run(self, built: Built, folder: str, given: list[Value]) -> list[Value]:
        values: list[Any] = list(given)
        for step, call, name in zip(built.plan.steps, built.callables, built.names, strict=True):
            if name is None:
                values += [None] * len(step.rule.gives)
            else:
                args = [values[a] for a in step.args]
                values += self.step(step, call, f"{folder}{name}", args)
        return [values[i] for i in built.plan.outputs]

    def step(self, step: Step, call: Any, address: str, args: list[Value]) -> list[Value]:
        kind = step.rule.kind
        if kind in ("residual", "stack", "padded"):
            return self.chain(address, inner_calls(kind, call), args[0], total=kind == "residual")
        if kind in LAYERS | OPERATIONS:
            return self.leaf(call, address, args, self.world.form_in(step))
        built = self.world.built[int(kind[1:])]
        return self.group(address, self.run(built, f"{address}/", args), built.plan.output_form)

    def chain(self, address: str, calls: dict[str, Any], given: Value, total: bool) -> list[Value]:
        inner = [given]
        for name, call in calls.items():
            inner = self.leaf(call, f"{address}/{name}", inner)
        if total:
            return self.results(address, given.tensor + inner[0].tensor, [given, *inner], [None])
        return self.group(address, inner, "one")

    def leaf(self, call: Any, address: str, args: list[Value], form: str = "several") -> list[Value]:
        mode = {"training": False} if isinstance(call, layers.Layer) else {}
        made = applied(call, [a.tensor for a in args], form, **mode)
        return self.results(address, made, args, [scores_behind(call, args[0])] * len(unpacked(made)))

    def group(self, address: str, inner: list[Value], form: str) -> list[Value]:
        made = packed([value.tensor for value in inner], form)
        return self.results(address, made, inner, [value.scores for value in inner])

    def results(self, address: str, made: Any, args: list[Value], scores: list) -> list[Value]:
        self.edges |= {(arg.source, address) for arg in args}
        tensors = unpacked(made)
        if isinstance(made, dict):
            addresses = [f"{address}:{key}" for key in made]
        else:
            addresses = [f"{address}:{i}" if i else address for i in range(len(tensors))]
        return [
            self.kept(place, tensor, score, address)
            for place, tensor, score in zip(addresses, tensors, scores, strict=True)
        ]

    def kept(self, address: str, tensor: Any, scores: Any, call: str | None = None) -> Value:
        self.tensors[address] = tensor = self.seen(address, tensor)
        return Value(tensor, address if call is None else call, scores)

    @property
    def packed(self) -> Any:
        tensors = [value.tensor for value in self.outputs]
        form = self.world.outer.plan.output_form
        # Keras hands a list of one output over as that output.
        return tensors[0] if form != "dict" and len(tensors) == 1 else packed(tensors, form)

    def first_class(self) -> Any:
        """Return the sum over the batch of what gradients explain for class 0."""
        flat = keras.tree.flatten(packed(list(range(len(self.outputs))), self.world.outer.plan.output_form))
        ordered = [self.outputs[i] for i in flat]
        main = next((value for value in ordered if value.tensor.shape.rank == 2), ordered[0])
        scores = main.tensor if main.scores is None else main.scores
        positions = list(range(1, scores.shape.rank - 1))
        return tf.reduce_sum(tf.reduce_mean(scores, positions)[:, 0])


def inner_calls(kind: str, call: Any) -> dict[str, Any]:
    if kind == "residual":
        return {"mix": call.mix, "mix#2": call.mix}
    if kind == "padded":
        return {"~pad": pad_before, "~pad#2": pad_after}
    return {layer.name: layer for layer in call.layers}


def scores_behind(call: Any, given: Value) -> Any:
    """Return what the outputs of a call are the probabilities of, None if they are not."""
    if isinstance(call, layers.Softmax) or call is OPERATIONS["sigmoid"]:
        return given.tensor
    if isinstance(call, layers.Dropout):
        return given.scores
    if getattr(call, "activation", None) is keras.activations.softmax:
        return given.tensor @ call.kernel + call.bias
    return None


# --- the properties -------------------------------------------------------------------------------


def assert_close(read: Any, expected: Any, what: str) -> None:
    read, expected = np.asarray(read), np.asarray(expected)
    size = float(np.abs(expected).max()) if expected.size else 0.0
    np.testing.assert_allclose(read, expected, rtol=0, atol=1e-4 * size + 1e-6, err_msg=what, strict=True)


def assert_outputs(read: Any, expected: Any) -> None:
    keras.tree.assert_same_structure(read, expected)
    flat = zip(keras.tree.flatten(read), keras.tree.flatten(expected), strict=True)
    for number, (one, other) in enumerate(flat):
        assert_close(one, other, f"output {number}")


def assert_all_read(read: Any, expected: dict[str, Any]) -> None:
    assert set(read) == set(expected)
    for address, tensor in expected.items():
        assert_close(read[address], tensor, address)


@contextmanager
def unchanged(world: World) -> Iterator[None]:
    model = world.model

    def state() -> list:
        outputs = keras.tree.flatten(model(world.x, training=False))
        return [np.asarray(value).tobytes() for value in (*model.variables, *outputs)]

    before, config = state(), model.get_config()
    yield
    assert state() == before
    assert model.get_config() == config


@few
@given(plans())
def test_every_tensor_has_its_address_before_and_after_tracing_and_edges_are_those_of_the_plan(plan):
    world = World(plan)
    with unchanged(world):
        expected = ByHand(world)
        outputs = world.model(world.x, training=False)
        assert_outputs(expected.packed, outputs)
        assert_all_read(aw.capture(world.model, world.x), expected.tensors)
        assert_outputs(aw.Session(world.model, world.x).outputs(), outputs)
        read = aw.graph(world.model, world.x)
        assert_all_read(aw.capture(world.model, world.x), expected.tensors)
        assert_outputs(aw.Session(world.model, world.x).outputs(), outputs)
        assert aw.graph(world.model) == read
        assert {(edge.source, edge.target) for edge in read.edges} == expected.edges
        assert {node.tap for node in read.nodes} <= set(expected.tensors)
        calls = {address.split(":")[0] for address in expected.tensors}
        assert {node.address for node in read.nodes} == calls


@few
@given(
    plans(),
    st.sets(st.integers(0, 2), min_size=1).map(sorted),
    st.sampled_from([0.0, -1.0, 2.0]),
    st.integers(0, 9),
    st.sampled_from([None, 200]),
)
def test_an_edit_is_the_plan_with_one_tensor_changed(plan, channels, scale, start, cache_bytes):
    world = World(plan)
    with unchanged(world):
        # A small cache reads sample by sample, and knows hardly any other tensor.
        session = aw.Session(world.model, world.x, cache_bytes=cache_bytes)
        stride = -(-len(session.layers) // 5)
        for edited in session.layers[start % stride :: stride]:
            mask = np.ones(session.activation(edited).shape[-1], np.float32)
            mask[channels] = scale

            def changed(address, tensor, edited=edited, mask=mask):
                return tensor * mask if address == edited else tensor

            assert_outputs(session.edit(edited, channels, scale), ByHand(world, changed).packed)


def gradients_by_hand(world: World) -> dict[str, Any]:
    with tf.GradientTape() as tape:

        def watched(_, tensor):
            own = tf.identity(tensor)
            tape.watch(own)
            return own

        run = ByHand(world, watched)
        score = run.first_class()
    made = tape.gradient(score, run.tensors)
    return {address: gradient for address, gradient in made.items() if gradient is not None}


@few
@given(plans())
def test_gradients_are_those_of_a_tape(plan):
    world = World(plan)
    with unchanged(world):
        source = open_source(world.model)
        inputs = source.read_inputs(world.x)
        reading = source.forward(inputs)
        mask = np.zeros((BATCH, reading.main_output.shape[-1]), np.float32)
        mask[:, 0] = 1
        expected = gradients_by_hand(world)
        every_second = dict(list(reading.values.items())[::2])
        for known in ({}, every_second, reading.values):
            assert_all_read(
                source.gradients(inputs, known, BackwardPass(mask, list(reading.taps))).values, expected
            )
