"""Read a model's layer calls by other means than the package, to compare the two.

The package exchanges `Layer.__call__` on the class. Here `call` and `quantized_call` of every layer
of one model are exchanged on the instance, so that a layer whose parent calls `.call` is seen too.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import act_widgets as aw

Change = tuple[str, int, Callable[[Any], Any]]


@dataclass(frozen=True)
class Record:
    """One call of a layer.

    `path` leads there from the outermost model, by names; `labels` name the values, '' the first;
    `others` name what is no dense tensor.
    """

    name: str
    kind: str
    values: tuple[np.ndarray, ...]
    path: str = ""
    labels: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class Records(list[Record]):
    """The calls in the order in which they ended, and what the model returned."""

    outputs: Any = None


@dataclass
class Comparison:
    """What became of a comparison.

    Attributes
    ----------
    taps : int
        Tensors that the package reads, operations and inputs included.
    compared : int
        How many of them were compared.
    difference : float
        The largest absolute difference, divided by the largest magnitude of its tensor.
    worst : str
        Where.
    missing : list of str
        What was found here and the package neither reads nor calls unreachable.
    not_found : list of str
        What the package reads of layers and was not found here.
    """

    taps: int
    compared: int = 0
    difference: float = 0.0
    worst: str = ""
    missing: list[str] = field(default_factory=list)
    not_found: list[str] = field(default_factory=list)


# --- reading ---


def read(model: Any, inputs: Any, change: Change | None = None) -> Records:
    """Return the calls of one eager pass; `change` is a layer, which of its calls, and a function."""
    listener = _Listener(change)
    with listening(model, inputs, listener):
        listener.records.outputs = model(_tensors(inputs), training=False)
    return listener.records


def gradients(model: Any, inputs: Any, unit: int, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return each call's gradient of the summed score of a unit, None where it has no part in it.

    The score is the logit where Keras marked one, and its mean over positions. A name is that of a
    layer, or its path.
    """
    listener = _Listener(watch=True)
    with tf.GradientTape() as listener.tape, listening(model, inputs, listener):
        score = tf.reduce_sum(_scores(model(_tensors(inputs), training=False))[:, unit])
    found = {name: [t for path, t in listener.watched if _is_called(path, name)] for name in names}
    flat = listener.tape.gradient(score, [t for tensors in found.values() for t in tensors])
    rest = iter(flat)
    return {name: [_dense(next(rest)) for _ in tensors] for name, tensors in found.items()}


def _scores(outputs: Any) -> Any:
    """Return the scores of the first output of shape (batch, units), else of the first."""
    leaves = [leaf for leaf in keras.tree.flatten(outputs) if leaf is not None]
    output = next((leaf for leaf in leaves if leaf.shape.rank == 2), leaves[0])
    scores = getattr(output, "_keras_logits", output)
    scores = scores[:, None] if scores.shape.rank == 1 else scores
    return tf.reduce_mean(scores, list(range(1, scores.shape.rank - 1)))


def _dense(gradient: Any) -> np.ndarray | None:
    return None if gradient is None else _array(tf.convert_to_tensor(gradient))


class _Listener:
    """Writes down the calls of one pass."""

    def __init__(self, change: Change | None = None, watch: bool = False) -> None:
        self.records = Records()
        self.watched: list[tuple[str, Any]] = []
        self.tape: Any = None
        self._change = change
        self._watch = watch
        self._seen = 0
        self._stack: list[Any] = []

    def listen(self, layer: Any, call: Callable) -> Callable:
        def listened(*args: Any, **kwargs: Any) -> Any:
            given = keras.tree.flatten((args, kwargs))
            if any(isinstance(leaf, keras.KerasTensor) for leaf in given):
                return call(*args, **kwargs)
            self._stack.append(layer)
            path = "/".join(one.name for one in self._stack)
            try:
                outputs = call(*args, **kwargs)
            finally:
                self._stack.pop()
            return self._note(layer, path, outputs)

        return listened

    def _note(self, layer: Any, path: str, outputs: Any) -> Any:
        if not all(hasattr(t, "numpy") for t in keras.tree.flatten(outputs) if isinstance(t, tf.Tensor)):
            return outputs
        outputs = self._exchanged(path, outputs)
        values, labels, others = [], [], []
        for way, leaf in keras.tree.flatten_with_path(outputs):
            label = _label(way)
            if isinstance(leaf, tf.Tensor):
                values.append(_array(leaf))
                labels.append(label)
            elif leaf is not None:
                others.append(label)
        kind = type(layer).__name__
        self.records.append(Record(layer.name, kind, tuple(values), path, tuple(labels), tuple(others)))
        return outputs

    def _exchanged(self, path: str, outputs: Any) -> Any:
        """Return the outputs with the first tensor changed or watched."""
        leaves = keras.tree.flatten(outputs)
        floats = [i for i, t in enumerate(leaves) if isinstance(t, tf.Tensor) and t.dtype.is_floating]
        if self._watch and floats:
            first = floats[0]
            leaves[first] = _marked(tf.identity(leaves[first]), leaves[first])
            self.tape.watch(leaves[first])
            self.watched.append((path, leaves[first]))
        elif self._change and _is_called(path, self._change[0]):
            self._seen += 1
            if self._seen - 1 != self._change[1]:
                return outputs
            first = next(i for i, leaf in enumerate(leaves) if isinstance(leaf, tf.Tensor))
            leaves[first] = _marked(tf.identity(self._change[2](leaves[first])), leaves[first])
        else:
            return outputs
        return keras.tree.pack_sequence_as(outputs, leaves)


@contextlib.contextmanager
def listening(model: Any, inputs: Any, listener: _Listener) -> Iterator[None]:
    """Let a listener hear of every layer; then restore the layers and everything in variables."""
    if not all(layer.built for layer in model._flatten_layers()):
        with keras.StatelessScope():
            model(_tensors(inputs), training=False)
    heard = [
        (layer, name, layer.__dict__.get(name))
        for layer in model._flatten_layers(include_self=False)
        for name in ("call", "quantized_call")
        if hasattr(layer, name)
    ]
    compiled = not tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    for layer, name, _ in heard:
        layer.__dict__[name] = listener.listen(layer, getattr(layer, name))
    try:
        with put_back(model):
            yield
    finally:
        tf.config.run_functions_eagerly(not compiled)
        for layer, name, before in heard:
            layer.__dict__.pop(name) if before is None else layer.__dict__.update({name: before})


@contextlib.contextmanager
def put_back(model: Any) -> Iterator[None]:
    """Restore everything in variables; Keras does not list recurrent states among a model's."""
    states = [getattr(layer, "states", None) or [] for layer in model._flatten_layers()]
    states = [state for state in keras.tree.flatten(states) if state is not None]
    kept = [(variable, variable.numpy()) for variable in [*model.variables, *states]]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def _is_called(path: str, name: str) -> bool:
    return path == name or path.rsplit("/", 1)[-1] == name


def _label(way: tuple) -> str:
    """Return the name of an output by its place: a first one in a list has none."""
    return ".".join(str(step) for step in way if step != 0)


def _tensors(inputs: Any) -> Any:
    return keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)


def _array(tensor: Any) -> np.ndarray:
    small = tensor.dtype in (tf.float16, tf.bfloat16)
    return np.asarray((tf.cast(tensor, tf.float32) if small else tensor).numpy())


def _marked(copy: Any, tensor: Any) -> Any:
    """Return the copy with what Keras notes on a tensor itself."""
    for mark in ("_keras_mask", "_keras_logits"):
        if hasattr(tensor, mark):
            setattr(copy, mark, getattr(tensor, mark))
    return copy


# --- comparing ---


def compare(model: Any, inputs: Any, traced: bool = False) -> Comparison:
    """Compare what the package reads, eagerly or from its trace, with what is read here."""
    if traced:
        aw.graph(model, inputs)
    session = aw.Session(model, inputs)
    captured = aw.capture(model, inputs)
    found = Comparison(len(captured))
    ours: dict[str, list[dict[str, np.ndarray]]] = defaultdict(list)
    calls: dict[str, dict[str, np.ndarray]] = {}
    call_of = {address: session.tap(address).call for address in session.layers}
    for address, value in captured.items():
        call = call_of.get(address, address)
        if call not in calls and "~" not in call.rsplit("/", 1)[-1]:
            ours[_plain(call)].append(calls.setdefault(call, {}))
        calls.setdefault(call, {})[address] = value
    unreachable = {_plain(address) for address in session.unreachable}
    counts: Counter[str] = Counter()
    for record in read(model, inputs):
        path = _plain(record.path)
        known = {path, *(f"{path}:{label}" for label in record.labels)} & unreachable
        nth = counts[path]
        counts[path] += bool(record.values)
        if record.values and nth < len(ours[path]):
            _compare_call(found, ours[path][nth], record, nth)
        elif not known:
            found.missing += [_address(record.path, nth, label) for label in record.labels]
        named = {_plain(_address(path, 0, label)) for label in record.others}
        found.missing += sorted(named - unreachable)
    layers = model._flatten_layers(include_self=False)
    names = {layer.name for layer in layers if not isinstance(layer, keras.layers.InputLayer)}
    for path, several in ours.items():
        if path.rsplit("/", 1)[-1] in names:
            found.not_found += [address for call in several[counts[path] :] for address in call]
    return found


def _compare_call(found: Comparison, taps: dict[str, np.ndarray], record: Record, nth: int) -> None:
    for label, (address, ours), theirs in zip(record.labels, taps.items(), record.values, strict=False):
        difference = _difference(ours, theirs)
        found.compared += 1
        if difference > found.difference:
            found.difference, found.worst = difference, f"{address} ({label})" if label else address
    found.missing += [_address(record.path, nth, label) for label in record.labels[len(taps) :]]


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape or ours.dtype.kind != theirs.dtype.kind:
        return np.inf
    if theirs.dtype.kind not in "fc":
        return 0.0 if np.array_equal(ours, theirs) else np.inf
    if not np.array_equal(np.isfinite(ours), np.isfinite(theirs)):
        return np.inf
    finite = np.isfinite(theirs)
    magnitude = np.abs(theirs[finite]).max(initial=0)
    return float(np.abs(ours - theirs)[finite].max(initial=0) / (magnitude or 1))


def _plain(address: str) -> str:
    """Return an address without operations and without which call it is."""
    parts = [re.sub(r"(#\d+)+(?=$|:)", "", part) for part in address.split("/") if not part.startswith("~")]
    return "/".join(parts)


def _address(path: str, nth: int, label: str) -> str:
    return path + (f"#{nth + 1}" if nth else "") + (f":{label}" if label else "")
