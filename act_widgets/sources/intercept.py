"""Let one thread see every layer call of a model, without touching the model.

``Layer.__call__`` and ``Operation.__call__`` are exchanged on the classes (Python looks
``__call__`` up on the type, so an instance can't be patched) while at least one recorder is
active. The recorder itself lives in a context variable: calls made by other threads, such as a
running ``fit``, go straight through.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Protocol

import keras
import tensorflow as tf
from keras.src.backend.common.global_state import get_global_attribute
from keras.src.backend.common.name_scope import name_scope
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.utils import backend_utils
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import execute
from tensorflow.python.framework import func_graph

from .exchange import Exchange, exchange, restore
from .libraries import is_layer, is_legacy, layer_classes, sublayers


class CallListener(Protocol):
    """What is told of each call."""

    is_settled: bool
    """Whether the model was called before, so that this call makes no variables."""

    def call(self, operation: Any, original: Callable, args: tuple, kwargs: dict) -> Any:
        """Make the call, and return what the caller is to receive."""

    def allow(self, layer: Any) -> None:
        """Raise a `ModelError` if this layer must not be called: the call would build it."""

    def is_direct(self, layer: Any) -> bool:
        """Whether ``layer.call`` runs without its ``__call__``, on a layer of the model."""

    follows: bool
    """Whether it is told of operations too."""

    def operation(self, kind: str, given: Sequence[Any], outputs: Any) -> Any:
        """Hear of an operation, and return the outputs that its caller is to receive."""

    def has_recorded(self, outputs: Sequence[Any]) -> bool:
        """Whether a gradient of these outputs was recorded that is to count."""

    def apart(self) -> AbstractContextManager[None]:
        """Run inside what a graph would hold in functions of their own: branches, bodies of loops."""

    def fold(self, name: str, make: Callable, args: tuple, kwargs: dict) -> Any:
        """Make one of what a function computes that calls the author's own code, perhaps again and again."""

    def note(self, name: str, kind: str, tensor: Any) -> Any:
        """Keep what the call under way computes without a layer, and return what it is to go on with."""


_listener: ContextVar[CallListener | None] = ContextVar("act_widgets_listener", default=None)
_PLAIN = (tf.Tensor, bool, type(None))
_COMPILED = type(tf.function(lambda: None))
_MASK, _WEIGHTS = "AttentionMask", "AttentionWeights"


def _layer_call(original: Callable) -> Callable:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = _listener.get()
        if listener is None or _is_symbolic(args, kwargs):
            return original(self, *args, **kwargs)
        listener.allow(self)
        return listener.call(self, original, args, {} if _is_known(kwargs, self) else kwargs)

    return __call__


def _is_known(kwargs: dict, layer: Any) -> bool:
    """Whether a layer is told nothing but what it finds in the call around it, in a tenth of the time."""
    # None is no mode: Keras hands it on, where the layer's own default would stand without it.
    if len(kwargs) != 1 or kwargs.get("training") is None or is_legacy(layer):
        return False
    # An argument without a default must be given, whatever the call around it is told.
    told = layer._call_signature.parameters.get("training")
    if told is not None and told.default is told.empty:
        return False
    around = get_global_attribute("current_call_ctx")
    return around is not None and around.get_value("training") is kwargs["training"]


def _operation_call(original: Callable) -> Callable:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = _listener.get()
        # A layer's own __call__ ends here too, by super(): it was already seen.
        if listener is None or is_layer(self) or _is_symbolic(args, kwargs):
            return original(self, *args, **kwargs)
        return listener.call(self, original, args, kwargs)

    return __call__


def _direct_call(original: Any) -> Callable:
    """Return what sees a parent run a layer's ``call`` itself, as `TimeDistributed` does."""

    @functools.wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = _listener.get()
        bound = original.__get__(self, type(self))
        if listener is None or not listener.is_direct(self) or in_symbolic_scope():
            return bound(*args, **kwargs)
        return listener.call(self, lambda _, *a, **k: bound(*a, **k), args, kwargs)

    return call


def _compiled_call(original: Callable) -> Callable:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        function = self.python_function
        libraries = getattr(function, "__module__", "").startswith(("keras.", "tensorflow."))
        listener = _listener.get()
        if listener is None or libraries:
            return original(self, *args, **kwargs)
        # Traced inside our stateless scope, the user's compiled function would keep that trace
        # for good and never update its state again: run its Python body instead.
        run = tf.autograph.to_graph(function) if _in_graph() else function
        return listener.fold(getattr(function, "__name__", ""), run, args, kwargs)

    return __call__


def _masked_attention(original: Callable) -> Callable:
    """Return what sees the mask of a layer whose attention weights stay inside one fused operation."""
    signature = inspect.signature(original)

    def _compute_attention(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = _listener.get()
        if listener is None or _is_symbolic(args, kwargs):
            return original(self, *args, **kwargs)
        given = signature.bind(self, *args, **kwargs).arguments
        mask = given.get("attention_mask")
        mask = None if mask is None else keras.ops.convert_to_tensor(mask)
        if given.get("use_causal_mask"):  # the operation makes this one itself
            causal = self._compute_causal_mask(given["query"], given["value"])
            listener.note("mask", _MASK, causal if mask is None else keras.ops.logical_and(mask, causal))
        elif mask is not None:
            given["attention_mask"] = listener.note("mask", _MASK, mask)
        return original(**given)

    return _compute_attention


def _weighing_attention(original: Callable) -> Callable:
    """Return what sees the weights of a layer that may keep them to itself."""

    def _apply_scores(self: Any, *args: Any, **kwargs: Any) -> Any:
        listener = _listener.get()
        output, weights = original(self, *args, **kwargs)
        if listener is not None and not _is_symbolic(args, kwargs):
            listener.note("weights", _WEIGHTS, weights)
        return output, weights

    return _apply_scores


def _in_graph() -> bool:
    return not tf.executing_eagerly()


def _is_symbolic(args: tuple, kwargs: dict) -> bool:
    if all(isinstance(given, _PLAIN) for given in (*args, *kwargs.values())):
        return False  # most calls: no nest to look into
    leaves = keras.tree.flatten((args, kwargs))
    return any(isinstance(leaf, keras.KerasTensor) for leaf in leaves)


def _opened_scope(original: Callable) -> Callable:
    def _open_name_scope(self: Any) -> Any:
        listener = _listener.get()
        if listener is not None and listener.is_settled and not _in_graph():
            return name_scope(self.name, caller=self)  # without TensorFlow's, which names only variables
        scope = original(self)
        if listener is not None and _in_graph():
            # Keras allows any text as a layer's name; a graph's scopes allow few characters.
            scope._tf_name_scope = tf.name_scope(_allowed(scope.name))
        return scope

    return _open_name_scope


def _allowed(name: str) -> str:
    """Return a layer's name with the characters that TensorFlow takes in a scope."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return name if name[:1].isalnum() else f"layer{name}"


def _eager_as_ever(original: Callable) -> Callable:
    """Keep preprocessing layers from casting their inputs in a graph, which they do not in an eager call."""

    def in_tf_graph() -> bool:
        return _listener.get() is None and original()

    return in_tf_graph


def _silent(original: Callable) -> Callable:
    """Return what keeps the losses of a running training out of our reach, and ours out of theirs."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, *args, **kwargs) if _listener.get() is None else None

    return method


def _folded(name: str, original: Callable) -> Callable:
    @functools.wraps(original)
    def folded(*args: Any, **kwargs: Any) -> Any:
        listener = _listener.get()
        if listener is None:
            return original(*args, **kwargs)
        with nullcontext() if name in _UNROLLED else listener.apart():
            return listener.fold(name, original, args, kwargs)

    return folded


def _run_operation(original: Callable) -> Callable:
    def TFE_Py_FastPathExecute(context: Any, kind: str, name: Any, *given: Any) -> Any:  # noqa: N802
        outputs = original(context, kind, name, *given)
        listener = _listener.get()
        return outputs if listener is None else listener.operation(kind, given, outputs)

    return TFE_Py_FastPathExecute


def _run_slowly(original: Callable) -> Callable:
    def execute(op_name: Any, num_outputs: int, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = original(op_name, num_outputs, inputs, *args, **kwargs)
        listener = _listener.get()
        kind = op_name.decode() if isinstance(op_name, bytes) else str(op_name)
        return outputs if listener is None else listener.operation(kind, inputs, outputs)

    return execute


def _recorded(original: Callable) -> Callable:
    def record_gradient(op_name: str, inputs: Any, attrs: Any, outputs: Any) -> None:
        listener = _listener.get()
        if listener is None or not listener.has_recorded(outputs):
            original(op_name, inputs, attrs, outputs)

    return record_gradient


def _built_operation(original: Callable) -> Callable:
    def _create_op_internal(self: Any, op_type: str, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        built = original(self, op_type, inputs, *args, **kwargs)
        listener = _listener.get()
        if listener is not None:
            listener.operation(op_type, list(inputs), built.outputs)
        return built

    return _create_op_internal


_FOLDED = {
    tf: (
        *("case", "cond", "foldl", "foldr", "map_fn", "numpy_function", "py_function", "scan", "switch_case"),
        *("vectorized_map", "while_loop"),
    ),
    keras.ops: (
        *("associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorized_map", "while_loop"),
    ),
}


# Of these a graph holds each step by itself.
_UNROLLED = {"associative_scan"}


def _followed() -> Iterator[Exchange]:
    """Yield the functions that run or build operations, and those that call back the code they are given."""
    yield Exchange(pywrap_tfe, "TFE_Py_FastPathExecute", _run_operation)
    yield Exchange(execute, "execute", _run_slowly)
    yield Exchange(execute, "record_gradient", _recorded)
    yield Exchange(func_graph.FuncGraph, "_create_op_internal", _built_operation)
    for library, names in _FOLDED.items():
        yield from (Exchange(library, name, functools.partial(_folded, name)) for name in names)


def _exchanges(model: Any) -> Iterator[Exchange]:
    """Yield each method or function to exchange, and what wraps it."""
    yield Exchange(keras.Operation, "__call__", _operation_call)
    yield Exchange(_COMPILED, "__call__", _compiled_call)
    yield Exchange(keras.Layer, "_open_name_scope", _opened_scope)
    yield Exchange(backend_utils, "in_tf_graph", _eager_as_ever)
    yield Exchange(keras.layers.MultiHeadAttention, "_compute_attention", _masked_attention)
    yield Exchange(keras.layers.GroupQueryAttention, "_compute_attention", _masked_attention)
    yield Exchange(keras.layers.Attention, "_apply_scores", _weighing_attention)
    for base in layer_classes():
        yield Exchange(base, "__call__", _layer_call)
        yield Exchange(base, "_clear_losses", _silent)
        yield Exchange(base, "add_loss", _silent)
    if not is_legacy(model):  # Keras 2 converts the source of `call`, and finds ours
        owners = (_owner_of_call(kind) for kind in {type(layer) for layer in sublayers(model)})
        yield from (Exchange(owner, "call", _direct_call) for owner in set(owners))


def _owner_of_call(kind: type) -> type:
    return next(base for base in kind.__mro__ if "call" in vars(base))


@contextmanager
def intercept(listener: CallListener, model: Any) -> Iterator[None]:
    """Send every layer and operation call of this thread to `listener` while it calls `model`."""
    exchanges = [*_exchanges(model), *(_followed() if listener.follows else ())]
    exchange(exchanges)
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
        restore(exchanges)
