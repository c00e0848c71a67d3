"""How graphs of TensorFlow are opened: what all ways have in common."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context

from .graph_inputs import FedInputs
from .op_trace import trace_operations
from .raw_graph import RawGraph
from .trace import Trace
from .weights import WeightWatch


class Loader:
    """Reads a raw model. One loader serves all that read the same model.

    Parameters
    ----------
    name : str
        The model's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.RLock()
        self._raws: dict[Hashable, RawGraph] = {}
        self._traces: dict[tuple, tuple[RawGraph, Trace]] = {}
        self._watch = WeightWatch()

    def asked(self, given: Any) -> Any:  # noqa: ARG002 most graphs are the same for all inputs
        """Return what decides which graph serves these inputs."""
        return None

    def made(self, asked: Any) -> RawGraph:
        """Read the graph."""
        raise NotImplementedError

    def look(self) -> None:
        """Forget what is known of a graph that was added to."""

    def raw(self, asked: Any) -> RawGraph:
        """Return the graph that serves what was asked for, read at the first use."""
        key = repr(asked)
        with self._lock, context.eager_mode():
            if key not in self._raws:
                self._raws[key] = self.made(asked)
            return self._raws[key]

    def trace(self, raw: RawGraph, inputs: FedInputs) -> Trace:
        """Return the graph as a trace for these inputs."""
        with self._lock, context.eager_mode():
            kept, trace = self._traces.get(inputs.signature, (None, None))
            if kept is not raw or trace is None:
                bound = {name: tf.constant(value) for name, value in inputs.settings.items()}
                trace = trace_operations(raw, inputs.names, bound, self.name)
                self._traces[inputs.signature] = raw, trace
            return trace

    def version(self) -> int:
        """Return a number that goes up when the variables changed."""
        with self._lock, context.eager_mode():
            live = {id(v): v for raw in self._raws.values() for v in raw.variables}
            return self._watch.version(list(live.values()), list)

    def forget(self) -> None:
        """Read everything anew at the next question."""
        with self._lock:
            self._raws.clear()
            self._traces.clear()
