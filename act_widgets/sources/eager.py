"""Call a model eagerly and keep what is seen on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import InputError, ModelError, UnknownLayerError, listed, said
from ..keys import Tap
from .inputs import Inputs, expected_inputs
from .intercept import intercept
from .libraries import is_a
from .protocol import Reading, main_output, unnamed_inputs
from .recorder import Recorder
from .state import untouched

_TENSORS = (tf.Tensor, tf.Variable, keras.Variable)
_HALF = {"float16", "bfloat16"}


def call(
    model: Any,
    inputs: Inputs,
    recorder: Recorder,
    training: bool,
    values: Sequence[tuple[Any, Any]] = (),
) -> tuple[list[Any], Any]:
    """Call the model under the recorder's ears; return the input tensors and the outputs.

    Weights that are paired with other `values` are read as these.

    Raises
    ------
    InputError
        If the model fails on these inputs.
    """
    tensors = [keras.ops.convert_to_tensor(array) for array in inputs.arrays]
    try:
        with untouched(model, values), intercept(recorder, model):
            given = recorder.given(unnamed_inputs(input_names(model), len(tensors)), tensors)
            outputs = inputs.call(model, given, training)
            recorder.list_uncalled()
            return given, outputs
    except ModelError:
        raise
    except Exception as error:
        raise refused(model, inputs, training, error) from error


def refused(model: Any, inputs: Inputs, training: bool, error: BaseException) -> InputError:
    """Return the error for inputs that a model fails on."""
    return InputError(
        f"The model '{model.name}' failed when called on these inputs. Received: {inputs.kinds}. "
        f"Expected: what model(inputs, training={training}) accepts. It said: {said(error)}"
    )


def look(model: Any, inputs: Inputs, wanted: Sequence[str] | None, training: bool) -> Reading:
    """Return the tensors at `wanted`, or all, from one eager call."""
    recorder = Recorder(model, is_settled=getattr(model, "_called", False))
    _, outputs = call(model, inputs, recorder, training)
    return eager_reading(model, inputs, recorder, outputs, wanted)


def eager_reading(
    model: Any, inputs: Inputs, recorder: Recorder, outputs: Any, wanted: Sequence[str] | None
) -> Reading:
    """Return what an eager call gave, as arrays."""
    names = input_names(model)
    taps = input_taps(names, inputs) | recorder.taps
    tensors = dict(zip(names, inputs.arrays, strict=False)) | recorder.tensors
    missing = [] if wanted is None else [address for address in wanted if address not in taps]
    if missing:
        raise UnknownLayerError(
            f"The model '{model.name}' decides by values, and does not call {listed(missing)} for these "
            "samples. Look at them in a batch of their own."
        )
    values = {a: _value(tensors[a]) for a in (taps if wanted is None else wanted)}
    axes = tuple(
        axis_of(recorder, leaf) for leaf in keras.tree.flatten(outputs) if isinstance(leaf, _TENSORS)
    )
    return reading(taps, values, keras.tree.map_structure(_value, outputs), recorder.unreachable, axes)


def axis_of(recorder: Recorder, output: Any) -> int:
    """Return the axis that an output's layer states for its channels; -1 if none does."""
    made_by = (address for address, tensor in recorder.tensors.items() if tensor is output)
    return next((recorder.taps[address].channel_axis for address in made_by), -1)


def reading(
    taps: dict[str, Tap],
    values: dict[str, np.ndarray],
    outputs: Any,
    unreachable: dict[str, str],
    axes: tuple[int, ...],
) -> Reading:
    """Return a reading with its main output found.

    Raises
    ------
    ModelError
        If the model returns no dense tensor.
    """
    flat = [output for output in keras.tree.flatten(outputs) if isinstance(output, np.ndarray)]
    if not flat:
        raise ModelError(
            f"The model returns no dense tensor. Received: {outputs!r:.80}. "
            "Expected: at least one output that is a tensor."
        )
    return Reading(taps, values, outputs, flat[main_output([o.ndim for o in flat])], unreachable, axes)


def _value(leaf: Any) -> Any:
    """Return a tensor as an array; what else a model may return as it is."""
    leaf = keras.ops.convert_to_tensor(leaf) if isinstance(leaf, tf.Variable | keras.Variable) else leaf
    return as_array(leaf) if isinstance(leaf, tf.Tensor) else leaf


def as_array(tensor: Any) -> np.ndarray:
    """Return the tensor's values, read-only; without a copy where possible, half precision as float32."""
    kind = tensor.dtype.name  # comparing types of TensorFlow takes longer than all the rest
    if kind in _HALF:
        tensor = tf.cast(tensor, tf.float32)
    if kind == "string":
        array = np.array(tensor.numpy(), dtype=object)
    else:
        array = np.asarray(memoryview(tensor))
    array.flags.writeable = False
    return array


def input_names(model: Any) -> list[str]:
    """Return the names of the outermost model's own input layers, in their order."""
    own = {layer.name for layer in getattr(model, "layers", ()) if is_a(layer, "InputLayer")}
    return [name for name in (spec.name for spec in expected_inputs(model)) if name in own] if own else []


def input_taps(names: Sequence[str], inputs: Inputs) -> dict[str, Tap]:
    """Return what the inputs are, under the names of their layers."""
    return {
        name: Tap(name, "InputLayer", (None, *array.shape[1:]), array.dtype.name, call=name)
        for name, array in zip(names, inputs.arrays, strict=False)
    }
