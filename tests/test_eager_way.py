"""A model that can be traced, called anew for each question instead: both ways give the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets.reading.batches import by_unit
from act_widgets.sources import open_source
from act_widgets.sources.inputs import Inputs
from act_widgets.sources.libraries import weights_of
from act_widgets.sources.other_weights import shuffled
from act_widgets.sources.protocol import BackwardPass
from act_widgets.sources.replay import Replay
from act_widgets.sources.trace import Trace
from act_widgets.testing import difference
from tests.some import some
from tests.zoo import ZOO, batch, build, shaken

from . import kinds

CLOSE = 1e-4
HALF = 3e-2


class BothWays:
    """A model of a name, traced and called."""

    def __init__(self, name: str) -> None:
        self._open(*(build(name) if name in ZOO else kinds.build(name)))

    @classmethod
    def of(cls, model: Any, x: Any) -> BothWays:
        made = cls.__new__(cls)
        made._open(model, x)
        return made

    def _open(self, model: Any, x: Any) -> None:
        self.source = open_source(model)
        self.inputs: Inputs = self.source.read_inputs(x)
        self.source.build(self.inputs)
        self.traced = self.source.traces.trace(self.inputs)
        self.called = Replay(self.source.model, False, "It is called on purpose.")

    @property
    def close(self) -> float:
        kinds_of_numbers = {tap.dtype for tap in self.called.seen(self.inputs).taps.values()}
        return HALF if kinds_of_numbers & {"float16", "bfloat16"} else CLOSE

    def gradients(self, rule: str) -> list[dict[str, np.ndarray]]:
        output = self.called.forward(self.inputs, []).main_output
        mask = np.zeros(by_unit(output).shape, np.float32)
        mask[:, 0], mask[:, -1] = 2, -1
        taps = self.called.seen(self.inputs).taps
        wanted = [a for a, tap in taps.items() if tap.is_float and a in self.traced.taps]
        asked = BackwardPass(mask, wanted, rule=rule)
        return [dict(way.gradients(self.inputs, {}, asked).values) for way in (self.traced, self.called)]

    def shuffled(self, seed: int) -> Replay:
        """Return the model as it is called with the values of its weights in another order."""
        values = shuffled(self.source.model, seed)
        weights = {id(w): w for w in weights_of(self.source.model)}
        return self.called.with_weights([(w, values[i]) for i, w in weights.items() if i in values])


def same(one: dict[str, Any], other: dict[str, Any], close: float) -> None:
    assert one.keys() == other.keys()
    far = {a: difference(other[a], one[a]) for a in one if not difference(other[a], one[a]) <= close}
    assert not far


# With ReLUs of every writing, in layers, in activations, in functions, in parts of other models.
OF_KINDS = (
    "words_forwards_and_backwards",
    "sparse_and_ragged",
    "layers_in_lists_and_dicts",
    "part_of_another_network",
    "function_in_a_layer",
    "operations_of_both_libraries",
    "custom_gradient",
    "raw_variables",
    "mixed_bfloat16",
)


@pytest.mark.parametrize("name", some([*(name for name in ZOO if name != "recurrent"), *OF_KINDS], 4))
def test_rules_and_other_weights_give_the_same_both_ways(name):
    ways = BothWays(name)
    assert isinstance(ways.traced, Trace)
    seen = ways.called.seen(ways.inputs)
    assert (seen.gates, seen.inner_gates) == (ways.traced.gates, ways.traced.inner_gates)
    for rule in ("guided", "deconvnet"):
        same(*ways.gradients(rule), ways.close)

    traced = ways.source.shuffled(ways.inputs, 4).traces.trace(ways.inputs).forward(ways.inputs, None)
    called = ways.shuffled(4).forward(ways.inputs, None)
    shared = traced.values.keys() & called.values.keys()
    same({a: traced.values[a] for a in shared}, {a: called.values[a] for a in shared}, ways.close)
    same({"output": traced.main_output}, {"output": called.main_output}, ways.close)


class Gate(keras.layers.Layer):
    """Applies what it is given."""

    def __init__(self, gate: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gate = gate

    def call(self, x: Any) -> Any:
        return self.gate(x)


# What is no ReLU: the other side of the maximum is computed, or another number.
GATES: dict[str, tuple[Callable[[Any], Any], tuple[int, int]]] = {
    "relu": (tf.nn.relu, (1, 0)),
    "relu6": (keras.ops.relu6, (1, 0)),
    "zero first": (lambda y: tf.maximum(0.0, y), (1, 0)),
    "zero of NumPy": (lambda y: tf.maximum(y, np.float32(0)), (1, 0)),
    "a list of zeros": (lambda y: tf.maximum([0.0] * 4, y), (1, 0)),
    "zeros like it": (lambda y: keras.ops.maximum(keras.ops.zeros_like(y), y), (1, 0)),
    "many zeros": (lambda y: tf.maximum(y, tf.zeros(4)), (1, 0)),
    "leaky": (lambda y: tf.maximum(y, 0.1 * y), (0, 0)),
    "another number": (lambda y: tf.maximum(y, -0.2), (0, 0)),
    "computed zeros": (lambda y: tf.maximum(y, 0.0 * y), (0, 0)),
    "compiled by the author": (tf.function(lambda y: tf.nn.relu(y) * 2.0), (1, 0)),
    "compiled by a library": (tf.function(tf.nn.relu), (0, 1)),
    "in a branch": (lambda y: tf.cond(tf.reduce_sum(y) > -1e9, lambda: tf.nn.relu(y), lambda: y), (0, 1)),
    "in a loop": (lambda y: tf.map_fn(tf.nn.relu, y), (0, 1)),
}


@pytest.mark.parametrize("gate", some(GATES, 3))
def test_the_same_operations_are_relus(gate):
    function, counts = GATES[gate]
    x = keras.Input((5,), name="numbers")
    y = Gate(function, name="gate")(keras.layers.Dense(4, name="first")(x))
    model = shaken(keras.Model(x, keras.layers.Dense(3, name="out")(y)))
    ways = BothWays.of(model, batch(6, 5))
    for way in (ways.traced, ways.called.seen(ways.inputs)):
        # In a loop that runs, those of each time count.
        assert (way.gates, min(way.inner_gates, 1)) == counts
    for rule in ("guided", "deconvnet"):
        traced, called = ways.gradients(rule)
        same(traced, called, CLOSE)
        plain, _ = ways.gradients("")
        changes = difference(called["numbers"], plain["numbers"]) > 1e-3
        assert changes == (counts[0] > 0)


@pytest.mark.parametrize("name", ["concrete_function", "from_a_saved_model"])
def test_weights_that_a_function_holds_are_never_left_as_they_are_in_silence(name):
    ways = BothWays(name)
    with pytest.raises(aw.ModelError, match=r"read by a compiled function.*It is called on purpose"):
        ways.shuffled(4).seen(ways.inputs)
