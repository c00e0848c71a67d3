"""A batch as the model's call takes it, checked against what the model expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ..errors import InputError, listed
from .input_arguments import arguments_of, in_arguments


class Spec(NamedTuple):
    """One input that a model states."""

    name: str
    """The input layer's: the tensor's own comes from a process-wide counter."""

    shape: Any
    """One size for each axis, None where it is free; None where the number of axes is not known."""

    dtype: str


@dataclass(frozen=True)
class Inputs:
    """A batch of inputs: flat arrays, and the structure they are packed in.

    Attributes
    ----------
    arrays : tuple of ndarray
        Each ``(batch, ...)``, in the order of ``keras.tree.flatten``.
    structure : list, tuple, dict or None
        A nest with None for each array, or None for a single array.
    are_arguments : bool
        Whether the structure's parts are arguments of the call one by one, by place or by name.
    """

    arrays: tuple[np.ndarray, ...]
    structure: Any = None
    are_arguments: bool = False

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.arrays[0])

    @property
    def kinds(self) -> str:
        """Shape and dtype of each array, for an error message."""
        return ", ".join(f"{a.shape} {a.dtype}" for a in self.arrays)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return sum(a.nbytes for a in self.arrays) // self.size

    @property
    def signature(self) -> tuple:
        """Dtype and shape without the batch axis of each array: what a trace is kept for."""
        return tuple((a.dtype.str, a.shape[1:]) for a in self.arrays) + (repr(self.structure),)

    def rows(self, start: int, stop: int) -> Inputs:
        """Return the samples from `start` up to `stop`."""
        return replace(self, arrays=tuple(a[start:stop] for a in self.arrays))

    def repeated(self, count: int) -> Inputs:
        """Return `count` copies of a single sample."""
        return replace(self, arrays=tuple(np.repeat(a, count, axis=0) for a in self.arrays))

    def replaced(self, index: int, rows: int | slice, values: np.ndarray) -> Inputs:
        """Return the batch with other values in some rows of one array."""
        array = self.arrays[index].copy()
        array[rows] = values[0] if isinstance(rows, int) else values
        return replace(self, arrays=(*self.arrays[:index], array, *self.arrays[index + 1 :]))

    def pack(self, leaves: Sequence[Any]) -> Any:
        """Return `leaves` in the structure that the model's call takes."""
        return keras.tree.pack_sequence_as(self.structure, list(leaves))

    def call(self, model: Any, leaves: Sequence[Any], training: bool) -> Any:
        """Call a model on `leaves`, and return what it returns."""
        given = self.pack(leaves)
        if not self.are_arguments:
            return model(given, training=training)
        if isinstance(given, dict):
            return model(**given, training=training)
        return model(*given, training=training)


def read_inputs(given: Any, model: Any) -> Inputs:
    """Return `given` as arrays that the model's call accepts.

    Raises
    ------
    InputError
        If nothing is given, the batch is empty, or a shape or dtype does not fit.
    """
    expected = expected_inputs(model)
    if given is None:
        raise InputError(
            "The model can only be read with inputs to run it on. Received: no inputs. "
            f"Expected: {_expected_text(expected)}, for example "
            "act_widgets.explore(model, images)."
        )
    arguments = arguments_of(model)
    given = in_arguments(given, arguments) if arguments else _structured(given, model)
    leaves = keras.tree.flatten(given)
    _check_count(leaves, expected)
    specs: list[Spec | None] = [*expected] or [None] * len(leaves)
    arrays = tuple(as_input_array(leaf, spec) for leaf, spec in zip(leaves, specs, strict=True))
    check_batch(arrays)
    for array, spec in zip(arrays, specs, strict=True):
        if spec is not None:
            _check_shape(array, spec)
    return Inputs(arrays, keras.tree.map_structure(lambda leaf: None, given), bool(arguments))


def _structured(given: Any, model: Any) -> Any:
    """Return inputs in the structure of the model: by name, or alone, where it takes a list."""
    structure = _input_structure(model)
    if isinstance(structure, list | tuple) and len(structure) == 1 and hasattr(given, "shape"):
        return [given]  # as in models from Keras 2 files
    by_name = isinstance(given, dict) and bool(given)
    if not by_name or structure is None or isinstance(structure, dict):
        return given
    names = [spec.name for spec in expected_inputs(model)]
    missing = [name for name in names if name not in given]
    if missing:
        raise InputError(
            f"An input is missing. Received: {listed(map(str, given))}. Expected: {listed(names)}."
        )
    ordered = [given[name] for name in names]
    return ordered if isinstance(structure, list | tuple) else ordered[0]


def example_inputs(model: Any) -> Inputs:
    """Return one sample of zeros in the shapes that the model states; unknown sizes are 32.

    Raises
    ------
    InputError
        If the model states no inputs, as subclassed models do not.
    """
    if not expected_inputs(model):
        raise InputError(
            "This model does not state the shape of its inputs. Received: no inputs. "
            "Expected: an example batch, as in act_widgets.graph(model, images)."
        )
    given = [zeros_of(spec) for spec in expected_inputs(model)]
    structure = _input_structure(model)
    packed = keras.tree.pack_sequence_as(structure, given) if structure is not None else given
    return read_inputs(packed[0] if structure is None and len(given) == 1 else packed, model)


def zeros_of(spec: Spec) -> np.ndarray:
    """Return one sample of zeros; unknown sizes are 32."""
    sizes = (1, *(32 if n is None else n for n in spec.shape[1:]))
    return np.full(sizes, "", object) if spec.dtype == "string" else np.zeros(sizes, spec.dtype)


def _input_structure(model: Any) -> Any:
    """Return the nest in which a model takes its inputs; None where it states none."""
    return getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None))


def expected_inputs(model: Any) -> list[Spec]:
    """Return what the model states of its inputs; an empty list where only a call can tell."""
    try:
        tensors = keras.tree.flatten(model.inputs or [])
    except AttributeError:  # a subclassed or unbuilt model states none
        return []
    return [_spec(tensor) for tensor in tensors]


def _spec(tensor: Any) -> Spec:
    maker = tensor._keras_history
    layer = maker.operation if hasattr(maker, "operation") else maker.layer
    return Spec(layer.name, tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype))


def _expected_text(expected: list[Spec]) -> str:
    if not expected:
        return "an array with the batch axis first"
    specs = [f"{shape_text((None, *spec.shape[1:]))} {spec.dtype} ('{spec.name}')" for spec in expected]
    return specs[0] if len(specs) == 1 else "a list, tuple or dict of " + ", ".join(specs)


def shape_text(shape: Sequence[int | None]) -> str:
    """Return a shape in words, the batch axis first."""
    sizes = ["batch" if i == 0 and n is None else "any" if n is None else str(n) for i, n in enumerate(shape)]
    return "(" + ", ".join(sizes) + ")"


def _check_count(leaves: list[Any], expected: list[Spec]) -> None:
    if not leaves or (expected and len(leaves) != len(expected)):
        raise InputError(
            f"The model takes {len(expected) or 'at least one'} input array"
            f"{'' if len(expected) == 1 else 's'}. Received: {len(leaves)}. "
            f"Expected: {_expected_text(expected)}. "
            "A list or tuple stands for several inputs; stack one input's samples with numpy.stack."
        )


def as_input_array(leaf: Any, spec: Spec | None) -> np.ndarray:
    """Return a copy of an input as a read-only array, or raise an `InputError` if its dtype does not fit."""
    array = leaf if isinstance(leaf, np.ndarray) else _to_numpy(leaf)
    wants_text = spec is not None and spec.dtype == "string"
    is_text = array.dtype.kind in "OSU"
    if array.dtype.kind not in "biufOSU" or (spec is not None and is_text != wants_text):
        raise InputError(
            f"Inputs of dtype {array.dtype} do not fit the model. Received: shape {array.shape}, "
            f"dtype {array.dtype}. Expected: {_expected_text([spec] if spec else [])} with "
            f"{'text' if wants_text else 'numbers'}."
        )
    # A copy: what was read stays true when the caller writes into the array later.
    own = array.astype(_call_dtype(array, spec), copy=True)
    own.flags.writeable = False
    return own


def _to_numpy(leaf: Any) -> np.ndarray:
    concrete = hasattr(leaf, "shape") and not isinstance(leaf, keras.KerasTensor)
    if isinstance(leaf, tf.Tensor | tf.RaggedTensor | tf.SparseTensor):
        concrete = isinstance(leaf, tf.Tensor) and hasattr(leaf, "numpy")
    if not concrete:
        is_dataset = isinstance(leaf, tf.data.Dataset)
        remedy = " A batch of a dataset: next(iter(dataset)), its labels left out." if is_dataset else ""
        raise InputError(
            f"Inputs must be arrays with the batch axis first. Received: {leaf!r:.80} of type "
            f"{type(leaf).__name__}. Expected: NumPy arrays or dense tensors that hold values.{remedy}"
        )
    return np.asarray(keras.ops.convert_to_numpy(leaf))


def _call_dtype(array: np.ndarray, spec: Spec | None) -> Any:
    """Return the dtype that Keras would convert the array to before the call."""
    if array.dtype.kind in "OSU":
        return object
    if spec is not None and spec.dtype in ("float32", "float64", "int32", "int64", "uint8", "bool"):
        return spec.dtype
    return keras.config.floatx() if array.dtype == np.float64 else array.dtype


def check_batch(arrays: tuple[np.ndarray, ...]) -> None:
    """Raise an `InputError` unless all arrays hold the same number of samples, at least one."""
    if any(a.ndim == 0 for a in arrays):
        raise InputError(
            "Inputs must have the batch axis first. Received: a single number. Expected: an array."
        )
    sizes = sorted({len(a) for a in arrays})
    if len(sizes) > 1:
        raise InputError(
            f"All inputs must hold the same number of samples. Received: batches of {sizes}. "
            "Expected: one size."
        )
    if sizes[0] == 0:
        raise InputError(
            f"The batch is empty. Received: shape {arrays[0].shape}. Expected: at least one sample."
        )


def _check_shape(array: np.ndarray, spec: Spec) -> None:
    # Keras takes any number of samples, also where a first call or `fit` left its own there.
    shape = (None, *spec.shape[1:])
    if _fits(array.shape, shape):
        return
    without_batch = _fits((1, *array.shape), shape)
    remedy = " The batch axis is missing: pass inputs[None]." if without_batch else ""
    raise InputError(
        f"Inputs of this shape do not fit the model. Received: {array.shape}. "
        f"Expected: {shape_text(shape)} for '{spec.name}'.{remedy}"
    )


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    # As Keras does, a last axis of size one may be missing or too many.
    if len(shape) == len(expected) - 1 and expected[-1] == 1:
        shape = (*shape, 1)
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    return len(shape) == len(expected) and all(
        e is None or n == e for n, e in zip(shape, expected, strict=True)
    )
