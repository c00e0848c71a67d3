"""Read a raw graph of TensorFlow: every question is answered from its trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from ..errors import InputError, said
from ..model_graph import Graph
from .answering import Answering
from .clock import on_gpu
from .costs import counted
from .graph_inputs import FedInputs, example_fed, read_fed
from .inputs import Inputs
from .loader import Loader
from .op_graph import read_op_graph, scopes_of
from .op_kinds import PASS_ON
from .protocol import BackwardPass, Counted, Gradients, Moment, Reading, Timed, TrainingListener
from .raw_graph import RawGraph
from .recorder import Call
from .trace import Trace
from .traces import agree

_BLOCKED = (
    "it would pass a loop or branch as TensorFlow 1 writes them, and TensorFlow takes no gradient through "
    "one that was read from a file or a session"
)
_LINEAR = {"BiasAdd", "MatMul", "BatchMatMulV2", "Add", "AddV2", "Conv2D"}


class GraphSource(Answering):
    """A graph of TensorFlow operations behind the reading protocol.

    Parameters
    ----------
    model : object
        What the user gave. It is kept alive, and left as it was.
    loader : Loader
        How it is read.
    """

    training = False

    def __init__(self, model: Any, loader: Loader) -> None:
        self.model = model
        self.loader = loader
        self._latest: tuple[RawGraph, FedInputs] | None = None

    @property
    def name(self) -> str:
        """The graph's name."""
        return self.loader.name

    @property
    def input_names(self) -> Sequence[str]:
        """The names of the placeholders that batches are fed to."""
        return self._latest[1].names if self._latest else ()

    @property
    def is_indivisible(self) -> bool:
        """Whether the samples of a batch must be read together: the graph was made for so many."""
        if self._latest is None:
            return False
        raw, inputs = self._latest
        return any(spec.name in inputs.names and spec.shape and spec.shape[0] for spec in raw.specs)

    @property
    def ends_linear(self) -> bool:
        """Whether the main output is what a linear operation gives."""
        tensor = self.answers(self._latest[1]).main if self._latest else None
        while tensor is not None and tensor.op.type in PASS_ON:
            tensor = tensor.op.inputs[0]
        return tensor is not None and tensor.op.type in _LINEAR

    def read_inputs(self, given: Any) -> Inputs:
        """Check inputs and return them as arrays."""
        asked = self.loader.asked(given)
        return self._noted(asked, read_fed(given, self.loader.raw(asked), self.name))

    def example_inputs(self) -> Inputs:
        """Return zeros of the shapes that the graph states."""
        asked = self.loader.asked(None)
        return self._noted(asked, example_fed(self.loader.raw(asked), self.name))

    def _noted(self, asked: Any, inputs: FedInputs) -> FedInputs:
        noted = replace(inputs, asked=asked)
        self._latest = self.loader.raw(asked), noted
        return noted

    def answers(self, inputs: Inputs) -> Trace:
        """Return the trace for inputs of this signature."""
        assert isinstance(inputs, FedInputs)
        return self.loader.trace(self._raw(inputs), inputs)

    def _raw(self, inputs: FedInputs) -> RawGraph:
        return self.loader.raw(inputs.asked)

    def build(self, inputs: Inputs) -> None:
        """Forget a graph that was added to, and learn what it does not state: the number of some axes."""
        self.loader.look()
        trace = self.answers(inputs)
        unknown = [a for a, t in trace.tensors.items() if t.shape.rank is None and not trace.taps[a].shape]
        if unknown:
            for address, value in self.forward(inputs, unknown).values.items():
                shape = (None,) * value.ndim
                trace.taps[address] = replace(trace.taps[address], shape=shape)

    def mixes(self, sample: Inputs, output: np.ndarray) -> bool:
        """Return whether the first sample alone gives another output than in its batch."""
        return not agree(self.forward(sample, []).main_output, output)

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None = None) -> Reading:
        """Run the graph once, compiled."""
        with self.running(inputs):
            return self.answers(inputs).forward(inputs, wanted)

    def refused(self, inputs: Inputs, error: BaseException) -> InputError:
        """Return the error for inputs that the graph fails on."""
        return InputError(
            f"The graph '{self.name}' failed when run on these inputs. Received: {inputs.kinds}. "
            f"It said: {said(error)}"
        )

    def gradients(self, inputs: Inputs, known: Mapping[str, np.ndarray], asked: BackwardPass) -> Gradients:
        """Return the masked scores and their gradients, but for what lies before an old loop or branch."""
        trace = self.answers(inputs)
        before = trace.blocked(asked.score)
        blocked = {a: _BLOCKED for a in asked.wanted if a in before}
        rest = [address for address in asked.wanted if address not in blocked]
        made = super().gradients(inputs, known, replace(asked, wanted=rest))
        return made._replace(blocked={**made.blocked, **blocked})

    def shuffled(self, inputs: Inputs, seed: int) -> GraphSource:
        """Return the graph with the values of each weight array in another order; it stays as it is."""
        return ShuffledGraph(self, inputs, seed)

    def forget(self) -> None:
        """Read the graph anew at the next question."""
        self.loader.forget()

    def weights_version(self) -> int:
        """Return a number that goes up when variables changed."""
        return self.loader.version()

    def at_rest(self) -> AbstractContextManager[None]:
        """Return what holds nothing: the training of a raw graph is not followed."""
        return nullcontext()

    def moments(self) -> tuple[Moment, ...]:
        """Return nothing: no training is followed."""
        return ()

    def follow(self, listener: TrainingListener) -> Callable[[], None]:  # noqa: ARG002
        """Return what ends nothing: no training is followed."""
        return lambda: None

    def timed(self, inputs: Inputs) -> Timed:
        """Run the whole graph once: operations of a compiled graph have no time of their own."""
        start = perf_counter()
        self.forward(inputs, [])
        return Timed({}, perf_counter() - start, f"compiled, on {'GPU' if on_gpu() else 'CPU'}")

    def flops(self, inputs: Inputs) -> Counted:
        """Return how many floating-point operations a pass takes; a scope takes what is in it."""
        trace = self.answers(inputs)
        places = {call.address: list(call.operations or ()) for call in trace.calls}
        for call in trace.calls:
            for scope in scopes_of(call.address):
                places.setdefault(scope, []).extend(call.operations or ())
        calls = [Call(address, "", "", 0, made) for address, made in places.items() if made]
        return counted(trace, inputs, calls)

    def graph(self, inputs: Inputs) -> Graph:
        """Return operations and edges."""
        return read_op_graph(self.answers(inputs), self.name)


class ShuffledGraph(GraphSource):
    """A graph as it would be with its weights shuffled.

    Parameters
    ----------
    origin : GraphSource
        The graph as it is.
    inputs : Inputs
        What it is read on.
    seed : int
        Of the order.
    """

    def __init__(self, origin: GraphSource, inputs: Inputs, seed: int) -> None:
        super().__init__(origin.model, origin.loader)
        self._latest = origin._latest
        self._seed = seed
        self._own: tuple[Any, Any, Trace] | None = None
        self.answers(inputs)

    def answers(self, inputs: Inputs) -> Trace:
        """Return the graph's trace, reading shuffled weights."""
        assert isinstance(inputs, FedInputs)
        trace = super().answers(inputs)
        version = self.loader.version()
        if self._own is None or self._own[0] is not trace or self._own[1] != version:
            with context.eager_mode():
                captured, self._kept = _shuffled(trace.captured, self._raw(inputs), self._seed)
            self._own = trace, version, trace.with_variables(captured)
        return self._own[2]


def _shuffled(captured: Mapping[str, Any], raw: RawGraph, seed: int) -> tuple[dict[str, Any], list[Any]]:
    """Return what a graph holds, its weights shuffled, and the variables that must be kept for it."""
    rng = np.random.default_rng(seed)
    by_handle = {id(v.handle): v for v in raw.variables if v.dtype.is_floating}
    weights = set(map(id, raw.captured.values()))  # not what the user set
    made: dict[str, Any] = {}
    variables: dict[int, tf.Variable] = {}
    for name, value in captured.items():
        if id(value) in by_handle:
            origin = by_handle[id(value)]
            if id(value) not in variables:
                variables[id(value)] = tf.Variable(_mixed(origin.numpy(), rng), dtype=origin.dtype)
            made[name] = variables[id(value)].handle
        elif value.dtype.is_floating and id(value) in weights:
            made[name] = tf.constant(_mixed(value.numpy(), rng), value.dtype)
        else:
            made[name] = value
    return made, list(variables.values())


def _mixed(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(values.reshape(-1)).reshape(values.shape)
