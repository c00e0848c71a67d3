"""Keep of a training step what it was given: its batch, and the weights before it."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .libraries import weights_of


class KeptStep:
    """Stands before a model's compiled training step and keeps the batch that it is handed on.

    Only while it is followed, and only where one step is one call of it: with `steps_per_execution`
    above 1, or over several devices, steps go through unseen.

    Attributes
    ----------
    data : nest of tf.Tensor or None
        The batch of the last step, as the model's `train_step` takes it.
    weights : list of tf.Tensor or None
        The values of `weights_of` the model before the last step for which they were asked. They share
        memory with the variables until those change.
    age : int
        How many steps were made since then.
    """

    def __init__(self) -> None:
        self.data: Any = None
        self.weights: Sequence[Any] | None = None
        self.age = 0
        self._model: Any = lambda: None
        self._inner: Any = None
        self._compiled: Any = None
        self._spec: Any = None

    def follow(self, model: Any) -> None:
        """Begin to keep steps of a model whose training step is made and has not run."""
        self._model = weakref.ref(model)
        given = model.train_function
        # A training that was interrupted could not let go.
        self._inner = given.inner if isinstance(given, _Step) else given
        self.data = self.weights = self._compiled = self._spec = None
        model.train_function = _Step(self, self._inner)

    def let_go(self) -> None:
        """Give the model back its own training step; what was kept is let go of too."""
        model = self._model()
        if model is not None and isinstance(model.train_function, _Step):
            model.train_function = self._inner
        self.data = self.weights = self._compiled = None

    def look(self) -> None:
        """Hold the weights as they are: the next step leaves what is held as it is."""
        self.weights = [tf.convert_to_tensor(weight) for weight in weights_of(self._model())]
        self.age = 0

    def values(self) -> dict[int, np.ndarray]:
        """Return what `look` saw, by the identity of the weights."""
        weights = weights_of(self._model())
        return {id(w): t.numpy() for w, t in zip(weights, self.weights or (), strict=False)}

    def unfinite(self) -> list[str]:
        """Return the paths of the weights that were not finite when `look` saw them."""
        weights, values = weights_of(self._model()), self.values()
        found = (w for w in weights if "float" in w.dtype and id(w) in values)
        return list(dict.fromkeys(w.path for w in found if not np.isfinite(values[id(w)]).all()))

    def inputs(self) -> Any:
        """Return what the model was called on in the last step, as arrays."""
        given = keras.utils.unpack_x_y_sample_weight(self.data)[0]
        return keras.tree.map_structure(keras.ops.convert_to_numpy, given)

    def step(self, iterator: Any) -> Any:
        """Take the next batch, and make the model's own step with it."""
        model = self._model()
        self.age += 1
        self.data = None
        if not isinstance(iterator, tf.data.Iterator) or model.steps_per_execution != 1 or _is_own(model):
            return self._inner(iterator)
        if any(isinstance(s, tf.OptionalSpec) for s in keras.tree.flatten(iterator.element_spec)):
            return self._inner(iterator)
        self.data = next(iterator)
        if model.run_eagerly:
            return self._inner(iter([self.data]))
        if self._spec != iterator.element_spec:
            self._spec = iterator.element_spec
            # As Keras traces it: for batches of any of these sizes at once.
            self._compiled = tf.function(self._one, input_signature=[self._spec], autograph=False)
        return self._compiled(self.data)

    def _one(self, data: Any) -> Any:
        return self._inner(iter([data]))


def _is_own(model: Any) -> bool:
    """Whether a model makes its training step in a way of its own, which may take iterators alone."""
    made, usual = type(model).make_train_function, keras.Model.make_train_function
    return inspect.unwrap(made) is not inspect.unwrap(usual)


class _Step:
    """What stands in for a model's training step."""

    def __init__(self, kept: KeptStep, inner: Any) -> None:
        self._kept = kept
        self.inner = inner

    def __call__(self, iterator: Any) -> Any:
        return self._kept.step(iterator)
