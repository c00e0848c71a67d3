"""Read a Keras model: eagerly for the first look, from one trace for every later question."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ..errors import InputError, ModelError
from ..keys import Tap
from ..model_graph import Graph
from .edges import read_graph
from .inputs import Inputs, example_inputs, read_inputs
from .intercept import intercept
from .protocol import Reading, main_output
from .recorder import Recorder
from .state import untouched
from .trace import Trace, as_array, trace_model
from .weights import WeightWatch

_traces: weakref.WeakKeyDictionary[Any, tuple[dict[tuple, Trace], list[weakref.ref]]] = (
    weakref.WeakKeyDictionary()
)
_called: weakref.WeakSet[Any] = weakref.WeakSet()
_watches: weakref.WeakKeyDictionary[Any, WeightWatch] = weakref.WeakKeyDictionary()
_tracing = threading.RLock()


class KerasSource:
    """A Keras model behind the reading protocol.

    Traces are shared by everything that reads the same model, one per input signature, and go
    with the model.

    Parameters
    ----------
    model : keras.Layer
        Any model or layer. It is called in inference mode, and left as it was.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    def read_inputs(self, given: Any) -> Inputs:
        """Check inputs and return them as arrays."""
        return read_inputs(given, self.model)

    def example_inputs(self) -> Inputs:
        """Return zeros of the shapes that the model states."""
        return example_inputs(self.model)

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None = None) -> Reading:
        """Run the model once: compiled if its trace is there already, else eagerly."""
        trace = self._known_trace(inputs)
        return self._eager(inputs, wanted) if trace is None else self._compiled(trace, inputs, wanted)

    def activation(self, inputs: Inputs, known: Mapping[str, np.ndarray]) -> str | None:
        """Return what follows the scores that gradients explain, if they are not the output."""
        return self.trace(inputs).checked_activation(inputs, known)

    def gradients(
        self, inputs: Inputs, wanted: Sequence[str], mask: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return gradients of the masked scores; what the scores do not depend on is left out."""
        fixed = self._state_sizes() - {inputs.size}
        if fixed:
            raise ModelError(
                f"The model '{self.name}' takes only batches of {fixed.pop()}, and gradients are computed "
                f"for each sample alone. Received: a batch of {inputs.size}. Expected: a model without "
                "stateful recurrent layers."
            )
        return self.trace(inputs).gradients(inputs, wanted, mask, known)

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Return the outputs with `value` in place of one activation."""
        trace = self.trace(inputs)
        flat = trace.resume(inputs, address, value, known)
        return _reading(trace.taps, {}, _packed(trace, flat), trace.unreachable)

    def explained(self, inputs: Inputs) -> frozenset[str]:
        """Return the addresses that the scores depend on."""
        return self.trace(inputs).explained

    def forget(self) -> None:
        """Drop the model's traces."""
        with _tracing:
            _traces.pop(self.model, None)

    def weights_version(self) -> int:
        """Return a number that goes up when the model's weights changed."""
        with _tracing:
            return _watches.setdefault(self.model, WeightWatch()).version(self.model.weights)

    def graph(self, inputs: Inputs) -> Graph:
        """Return calls and edges."""
        return read_graph(self.trace(inputs), self.name)

    def trace(self, inputs: Inputs) -> Trace:
        """Return the trace for inputs of this signature, made at the first use."""
        with _tracing:
            trace = self._known_trace(inputs)
            if trace is None:
                self._build(inputs)
                trace = trace_model(self.model, inputs)
                names = self._input_names()
                trace.tensors = dict(zip(names, trace.inputs, strict=False)) | trace.tensors
                trace.taps = _input_taps(names, inputs) | trace.taps
                traces, _ = _traces[self.model] = self._known_traces(), self._parts()
                traces[inputs.signature, trace.batch] = trace
            return trace

    def _state_sizes(self) -> set[int]:
        """Return the batch sizes that recurrent layers keep their state for."""
        loops = [layer for layer in self.model._flatten_layers() if isinstance(layer, keras.layers.RNN)]
        states = keras.tree.flatten([loop.states for loop in loops if loop.stateful and loop.states])
        return {state.shape[0] for state in states}

    def _known_trace(self, inputs: Inputs) -> Trace | None:
        """Return the trace for any batch size, or else the one for this size."""
        known = self._known_traces()
        return known.get((inputs.signature, None)) or known.get((inputs.signature, inputs.size))

    def _known_traces(self) -> dict[tuple, Trace]:
        with _tracing:
            traces, parts = _traces.get(self.model, ({}, []))
            now = self._parts()
            same = len(parts) == len(now) and all(a() is b() for a, b in zip(parts, now, strict=True))
            return traces if same else {}

    def _parts(self) -> list[weakref.ref]:
        """Return what a trace is made of: it is stale once a layer or weight was exchanged."""
        return [weakref.ref(part) for part in (*self.model._flatten_layers(), *self.model.weights)]

    def _input_names(self) -> list[str]:
        """Return the names of the outermost model's own input layers, in their order."""
        layers = getattr(self.model, "layers", ())
        own = {layer.name for layer in layers if isinstance(layer, keras.layers.InputLayer)}
        names = [tensor._keras_history.operation.name for tensor in self.model.inputs] if own else []
        return [name for name in names if name in own]

    def _build(self, inputs: Inputs) -> None:
        """Create the variables of a model that was never called, as its first call would.

        Layers that inference does not use stay as they are.
        """
        if self.model in _called or all(layer.built for layer in self.model._flatten_layers()):
            return
        if isinstance(self.model, keras.Sequential) and len(inputs.arrays) == 1:
            self.model.build((None, *inputs.arrays[0].shape[1:]))
        if not all(layer.built for layer in self.model._flatten_layers()):
            # All samples: a recurrent state is created for this many.
            with untouched(self.model), intercept(Recorder()):
                self._call(inputs)
        _called.add(self.model)

    def _call(self, inputs: Inputs) -> Any:
        packed = inputs.pack([keras.ops.convert_to_tensor(a) for a in inputs.arrays])
        try:
            return self.model(packed, training=False)
        except Exception as error:
            shapes = ", ".join(f"{a.shape} {a.dtype}" for a in inputs.arrays)
            raise InputError(
                f"The model '{self.name}' failed when called on these inputs. Received: {shapes}. "
                f"Expected: what model(inputs, training=False) accepts. It said: {error}"
            ) from error

    def _eager(self, inputs: Inputs, wanted: Sequence[str] | None) -> Reading:
        self._build(inputs)
        recorder = Recorder()
        with untouched(self.model), intercept(recorder):
            outputs = self._call(inputs)
        names = self._input_names()
        taps = _input_taps(names, inputs) | recorder.taps
        tensors = dict(zip(names, inputs.arrays, strict=False)) | recorder.tensors
        values = {a: _value(tensors[a]) for a in (taps if wanted is None else wanted)}
        return _reading(taps, values, keras.tree.map_structure(_value, outputs), recorder.unreachable)

    def _compiled(self, trace: Trace, inputs: Inputs, wanted: Sequence[str] | None) -> Reading:
        addresses = list(trace.taps if wanted is None else wanted)
        arrays = trace.forward(inputs, addresses)
        values = dict(zip(addresses, arrays, strict=False))
        outputs = _packed(trace, arrays[len(addresses) :])
        return _reading(trace.taps, values, outputs, trace.unreachable)


def _packed(trace: Trace, flat: Sequence[np.ndarray]) -> Any:
    """Return flat outputs in the structure that the model returns."""
    rest = iter(flat)
    return keras.tree.map_structure(lambda made: next(rest) if made else None, trace.output_structure)


def _reading(
    taps: dict[str, Tap], values: dict[str, np.ndarray], outputs: Any, unreachable: dict[str, str]
) -> Reading:
    flat = [output for output in keras.tree.flatten(outputs) if output is not None]
    main = flat[main_output([output.ndim for output in flat])]
    return Reading(taps, values, outputs, main, unreachable)


def _value(tensor: Any) -> Any:
    return tensor if tensor is None or isinstance(tensor, np.ndarray) else as_array(tensor)


def _input_taps(names: Sequence[str], inputs: Inputs) -> dict[str, Tap]:
    return {
        name: Tap(name, "InputLayer", (None, *array.shape[1:]), array.dtype.name, call=name)
        for name, array in zip(names, inputs.arrays, strict=False)
    }


def is_keras(model: Any) -> bool:
    """Whether `model` can be read here."""
    return isinstance(model, keras.Layer)


def load_keras(path: str) -> Any:
    """Load a model file, not compiled."""
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ModelError(
            f"No Keras model could be loaded. Received: path '{path}'. "
            "Expected: a .keras or .h5 file, its custom classes imported before. "
            f"Keras said: {error}"
        ) from error
