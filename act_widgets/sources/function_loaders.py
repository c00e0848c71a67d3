"""Open functions of TensorFlow: ``tf.function``, ``ConcreteFunction``, a signature of a SavedModel."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import InputError, ModelError, listed, nearest, said
from .inputs import Spec
from .libraries import is_layer
from .loader import Loader
from .raw_graph import RawGraph, raw_graph
from .trace import TENSOR

_USUAL = "serving_default"
_FLOATS = (tf.float32, tf.float64)


class ConcreteLoader(Loader):
    """A function that was traced already."""

    def __init__(self, concrete: Any, name: str = "") -> None:
        super().__init__(name or _short(concrete.name))
        self._concrete = weakref.ref(concrete)

    def made(self, asked: Any) -> RawGraph:  # noqa: ARG002
        """Read the function's graph."""
        return raw_of(self._concrete(), self.name)


class FunctionLoader(Loader):
    """A ``tf.function``: its Python is traced anew, so that its own traces stay as they are."""

    def __init__(self, function: Any) -> None:
        super().__init__(_short(getattr(function, "__name__", "function")))
        self._function: Any = weakref.ref(function)
        self._refused: set[str] = set()

    def asked(self, given: Any) -> Any:
        """Return the arguments that the function is traced for: specs in the structure of its call.

        They are for batches of any size, where the function can be traced so, and of the precision that is
        given, or of the other where the function takes only that.
        """
        function = self._function()
        if given is None or function.input_signature is not None:
            return None
        stated = _arguments(function.python_function, keras.tree.map_structure(_spec_of, given))
        first: InputError | None = None
        failed: list[str] = []
        for asked in _ways(stated):
            if repr(asked) not in self._refused:
                try:
                    self.raw(asked)
                except InputError as error:
                    first = first or error
                    failed.append(repr(asked))
                else:
                    self._refused.update(failed)
                    return asked
        assert first is not None
        raise first

    def made(self, asked: Any) -> RawGraph:
        """Trace the function."""
        function = self._function()
        if asked is None:
            return raw_of(self._known(function), self.name)
        args, kwargs = asked
        try:
            concrete = _private(function).get_concrete_function(*args, **kwargs)
        except Exception as error:
            raise InputError(
                f"The function '{self.name}' can't be traced for these inputs. Received: {_text(asked)}. "
                f"Expected: what a call of it accepts. It said: {said(error)}"
            ) from error
        return raw_of(concrete, self.name)

    def _known(self, function: Any) -> Any:
        """Return what the function was traced to without inputs."""
        if function.input_signature is not None:
            return _private(function).get_concrete_function()
        known = function._list_all_concrete_functions()
        if len(known) == 1:
            return known[0]
        raise InputError(
            f"The function '{self.name}' states no inputs. Received: none, and {len(known)} traces of it. "
            "Expected: an example batch, or tf.function(input_signature=[...])."
        )


def raw_of(concrete: Any, name: str) -> RawGraph:
    """Return the graph of a concrete function."""
    outer = list(concrete.captured_inputs)
    count = len(concrete.inputs) - len(outer)
    given, inner = concrete.inputs[:count], concrete.inputs[count:]
    if not given or any(t.dtype in (tf.resource, tf.variant) for t in given):
        raise ModelError(
            f"The function '{name}' takes no tensors. Received: {[t.name for t in given]}. "
            "Expected: a function of a batch."
        )
    structure = keras.tree.map_structure(_mark, concrete.structured_outputs)
    marks = sum(leaf is TENSOR for leaf in keras.tree.flatten(structure))
    if not marks or marks != len(concrete.outputs):
        raise ModelError(
            f"The function '{name}' does not return dense tensors alone. Received: "
            f"{concrete.structured_outputs!r:.200}. Expected: one or more tensors."
        )
    captured = {t.name: o for t, o in zip(inner, outer, strict=True)}
    handles = {id(o) for o in outer}
    return raw_graph(
        concrete.graph.as_graph_def(),
        captured,
        specs=tuple(_spec(t) for t in given),
        needs_all=True,
        variables=tuple(v for v in concrete.graph.variables if id(getattr(v, "handle", None)) in handles),
        outputs=tuple(t.name for t in concrete.outputs),
        structure=structure,
        arguments=_stated(concrete, [t.op.name for t in given]),
    )


def signature_of(loaded: Any, signature: str | None, path: str) -> Any:
    """Return one signature of a loaded SavedModel.

    Raises
    ------
    InputError, ModelError
        If there is no such signature, or none at all, or several and none is the usual one.
    """
    known = dict(loaded.signatures)
    if not known:
        raise ModelError(
            f"The SavedModel '{path}' has no signatures. Expected: one saved by model.export(path), or by "
            "tf.saved_model.save(module, path, signatures=...)."
        )
    chosen = signature or (_USUAL if _USUAL in known else next(iter(known)))
    if chosen not in known or (signature is None and chosen != _USUAL and len(known) > 1):
        raise InputError(
            f"The SavedModel '{path}' has {len(known)} signature{'' if len(known) == 1 else 's'}. Received: "
            f"signature={signature!r}. Expected: one of {listed(nearest(str(signature), known, len(known)))}."
        )
    return known[chosen]


def _private(function: Any) -> Any:
    return tf.function(function.python_function, input_signature=function.input_signature)


def _arguments(function: Any, given: Any) -> tuple[tuple, dict[str, Any]]:
    """Return how a function is called with what is given.

    A dictionary of its arguments' names is given by name, a list to a function that must have several
    arguments one by one, anything else as a single argument.
    """
    # A layer takes anything, and hands it on to its `call`.
    parameters = inspect.signature(function.call if is_layer(function) else function).parameters
    if isinstance(given, Mapping) and given and set(given) <= set(parameters):
        return (), dict(given)
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    placed = [p for p in parameters.values() if p.kind in plain]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    required = sum(p.default is p.empty for p in placed)
    takes_several = takes_any or (len(placed) > 1 and required != 1)
    if isinstance(given, list | tuple) and takes_several:
        return tuple(given), {}
    return (given,), {}


def _spec_of(leaf: Any) -> tf.TensorSpec:
    if isinstance(leaf, tf.Tensor | tf.Variable):
        return tf.TensorSpec(leaf.shape, leaf.dtype)
    array = np.asarray(leaf)
    if array.dtype.kind not in "biufcOSU":
        raise InputError(f"Inputs must be arrays. Received: {leaf!r:.80} of type {type(leaf).__name__}.")
    return tf.TensorSpec(array.shape, tf.string if array.dtype.kind in "OSU" else tf.as_dtype(array.dtype))


def _ways(stated: Any) -> list[Any]:
    """Return for what a function may be traced, so that a batch can be fed to it: the best first."""
    precisions = [stated, *(keras.tree.map_structure(partial(_of_precision, p), stated) for p in _FLOATS)]
    ways = [w for p in precisions for w in (keras.tree.map_structure(_of_any_size, p), p)]
    return list({repr(way): way for way in ways}.values())


def _of_precision(dtype: tf.DType, spec: tf.TensorSpec) -> tf.TensorSpec:
    return tf.TensorSpec(spec.shape, dtype) if spec.dtype in _FLOATS else spec


def _text(asked: Any) -> str:
    specs = [leaf for leaf in keras.tree.flatten(asked) if isinstance(leaf, tf.TensorSpec)]
    return ", ".join(f"{spec.shape} {spec.dtype.name}" for spec in specs)


def _of_any_size(spec: tf.TensorSpec) -> tf.TensorSpec:
    return tf.TensorSpec([None, *spec.shape[1:]], spec.dtype) if spec.shape.rank else spec


def _spec(tensor: Any) -> Spec:
    shape = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return Spec(tensor.op.name, shape, tensor.dtype.name)


def _stated(concrete: Any, places: list[str]) -> dict[str, Any]:
    """Return by the name of each argument the placeholders that stand for it, in its structure."""
    args, kwargs = concrete.structured_input_signature or ((), {})  # one that was cut out states none
    stated = dict(zip(concrete.function_type.parameters, args, strict=False)) | kwargs
    given = {name: arg for name, arg in stated.items() if _is_specs(arg)}
    if sum(len(tf.nest.flatten(arg)) for arg in given.values()) != len(places):
        return {}  # of ragged and other tensors that are made of several
    left = iter(places)
    return {name: tf.nest.map_structure(lambda _: next(left), arg) for name, arg in given.items()}


def _is_specs(argument: Any) -> bool:
    return all(isinstance(leaf, tf.TypeSpec) for leaf in tf.nest.flatten(argument))


def _mark(leaf: Any) -> Any:
    return TENSOR if isinstance(leaf, tf.TensorSpec | tf.Tensor) else leaf


def _short(name: Any) -> str:
    """Return a function's name without what TensorFlow puts around it."""
    name = name.decode() if isinstance(name, bytes) else str(name)
    head, _, number = name.removeprefix("__inference_").rpartition("_")
    return head if head and number.isdigit() else name
