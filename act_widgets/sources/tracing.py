"""Trace one call of a Keras model: nothing is computed, and every tensor gets its address."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from ..errors import ModelError, said
from .eager import input_names, input_taps
from .inputs import Inputs
from .intercept import intercept
from .recorder import INSIDE, Recorder
from .state import untouched
from .subgraph import reached
from .trace import TENSOR, Trace

# What `tf.vectorized_map` feeds the body of its loop with; the body itself is never run.
_LOOP_INDEX = "PlaceholderWithDefault"


def trace_model(model: Any, inputs: Inputs, batch: int | None, training: bool) -> Trace:
    """Trace one call of the model for a batch size, or for any; nothing is computed.

    Raises
    ------
    ModelError
        If the model's call does not work without values.
    """
    try:
        return _trace(model, inputs, batch, training)
    except Exception as error:
        raise ModelError(f"The model '{model.name}' can't be traced. It said: {said(error)}") from error


def _trace(model: Any, inputs: Inputs, batch: int | None, training: bool) -> Trace:
    found: dict[str, Any] = {}

    def call(*leaves: Any) -> list[Any]:
        recorder = found["recorder"] = Recorder(model, tf.compat.v1.get_default_graph())
        with untouched(model), intercept(recorder, model):
            outputs = inputs.call(model, recorder.given([], leaves), training)
            recorder.list_uncalled()
        outputs = keras.tree.map_structure(_tensor_of_variable, outputs)
        found["structure"] = keras.tree.map_structure(_without_tensor, outputs)
        return [tf.identity(leaf) for leaf in keras.tree.flatten(outputs) if isinstance(leaf, tf.Tensor)]

    specs = [tf.TensorSpec((batch, *a.shape[1:]), tf.as_dtype(a.dtype)) for a in inputs.arrays]
    # wrap_function rather than tf.function: no automatic control dependencies.
    function = tf.compat.v1.wrap_function(call, specs)
    recorder: Recorder = found.pop("recorder")
    placeholders = list(function.graph.inputs)[: len(specs)]
    names = input_names(model)
    inside = reached(function.graph, [op for op in function.graph.get_operations() if op.type == _LOOP_INDEX])
    for address in [a for a, tensor in recorder.tensors.items() if tensor.op.name in inside]:
        del recorder.tensors[address], recorder.taps[address]
        recorder.unreachable[address] = INSIDE
    return Trace(
        graph=function.graph,
        inputs=placeholders,
        names=names,
        tensors=dict(zip(names, placeholders, strict=False)) | recorder.tensors,
        taps=input_taps(names, inputs) | recorder.taps,
        calls=recorder.calls,
        outputs=list(function.structured_outputs),
        output_structure=found["structure"],
        unreachable=recorder.unreachable,
        captured={inner.name: outer for outer, inner in function.graph.captures},
    )


def _tensor_of_variable(leaf: Any) -> Any:
    return keras.ops.convert_to_tensor(leaf) if isinstance(leaf, tf.Variable | keras.Variable) else leaf


def _without_tensor(leaf: Any) -> Any:
    """Return a mark for a tensor, and what else a model may return as it is."""
    if isinstance(leaf, tf.RaggedTensor | tf.SparseTensor):
        raise TypeError(f"a {type(leaf).__name__} can't be cut from a graph")
    return TENSOR if isinstance(leaf, tf.Tensor) else leaf
