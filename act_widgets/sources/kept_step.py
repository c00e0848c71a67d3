"""Keep of a training step what it was given: its batch, and the weights before it."""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .libraries import weights_of
from .running import trainer, when_over

# A training that was broken off lets go from another thread, perhaps while the next one begins.
_exchanging = threading.RLock()


class KeptStep:
    """Keeps the batch that a model's compiled training step is handed, and the weights before it.

    Only while it is followed, and only where one step is one call of it: with `steps_per_execution`
    above 1, over several devices, or in a loop of one's own, steps go through unseen. Several may follow
    one training.

    Attributes
    ----------
    data : nest of tf.Tensor or None
        The batch of the last step, as the model's `train_step` takes it.
    weights : list of tf.Tensor or None
        The values of the model's weights and seeds before the last step for which they were asked. They
        share memory with the variables until those change.
    age : int
        How many steps were made since then, as it is told by `made`.
    """

    def __init__(self) -> None:
        self.data: Any = None
        self.weights: Sequence[Any] | None = None
        self.age = 0
        self._model: Any = lambda: None
        self._step: _Step | None = None
        self._over: threading.Event | None = None

    def follow(self, model: Any) -> None:
        """Keep steps of a model, if its training step is made, until the function that trains ends."""
        self.let_go()
        self._model = weakref.ref(model)
        given = model.train_function
        if given is None:  # a loop of one's own: its batches go by unseen
            return
        with _exchanging:
            self._step = given if isinstance(given, _Step) else _Step(model, given)
            self._step.keepers = (*self._step.keepers, self)
            model.train_function = self._step
            self._over = over = threading.Event()
        # Of a training that is interrupted Keras tells no callback.
        when_over(trainer(self), over, lambda: self._let_go_of(over))

    def let_go(self) -> None:
        """Let go of what was kept; the last who does gives the model back its own training step."""
        with _exchanging:
            step, over = self._step, self._over
            self.data = self.weights = self._step = self._over = None
            if step is not None:
                step.let_go(self)
            if over is not None:
                over.set()

    def _let_go_of(self, training: threading.Event) -> None:
        with _exchanging:
            if self._over is training:
                self.let_go()

    def _weights(self) -> list[Any]:
        # With what its random numbers depend on, so that a step in training mode can be made again.
        return weights_of(self._model(), seeds=True)

    def look(self) -> None:
        """Hold the weights as they are, if steps are seen: the next one leaves what is held as it is."""
        if self._step is not None:
            self.weights = [tf.convert_to_tensor(weight) for weight in self._weights()]
            self.age = 0

    def values(self) -> dict[int, np.ndarray]:
        """Return what `look` saw, by the identity of the weights; nothing if it never looked."""
        weights = self._weights() if self.weights else []
        return {id(w): t.numpy() for w, t in zip(weights, self.weights or (), strict=False)}

    def unfinite(self) -> list[str]:
        """Return the paths of the weights that were not finite when `look` saw them."""
        weights, values = self._weights(), self.values()
        found = (w for w in weights if "float" in w.dtype and id(w) in values)
        return list(dict.fromkeys(w.path for w in found if not np.isfinite(values[id(w)]).all()))

    def inputs(self) -> Any:
        """Return what the model was called on in the last step, as arrays."""
        given = keras.utils.unpack_x_y_sample_weight(self.data)[0]
        return keras.tree.map_structure(keras.ops.convert_to_numpy, given)

    def begins(self) -> None:
        """Forget the batch of the step before; follow the model's training step anew if it was made anew."""
        model = self._model()
        if self._step is not None and model.train_function is not self._step:
            self.follow(model)
        self.data = None

    def made(self) -> None:
        """Count a step."""
        self.age += 1


class _Step:
    """What stands in for a model's training step: shows each batch to all who keep it, and makes the step.

    Attributes
    ----------
    inner : callable
        The model's own.
    keepers : tuple of KeptStep
        Who is shown the batches.
    """

    def __init__(self, model: Any, inner: Any) -> None:
        self.inner = inner
        self.keepers: tuple[KeptStep, ...] = ()
        self._model = weakref.ref(model)
        self._compiled: Any = None
        self._spec: Any = None

    def let_go(self, keeper: KeptStep) -> None:
        """Show one nothing more; with the last of them the model gets back its own."""
        self.keepers = tuple(other for other in self.keepers if other is not keeper)
        model = self._model()
        if not self.keepers and model is not None and model.train_function is self:
            model.train_function = self.inner

    def __call__(self, iterator: Any) -> Any:
        """Take the next batch, and make the model's own step with it."""
        if not self._may_take(iterator):
            return self.inner(iterator)
        return self._made(next(iterator), iterator.element_spec)

    def _made(self, data: Any, spec: Any) -> Any:
        for keeper in self.keepers:
            keeper.data = data
        model: Any = self._model()
        if model.run_eagerly:
            return self.inner(iter([data]))
        if self._spec != spec:
            self._spec = spec
            # As Keras traces it: for batches of any of these sizes at once.
            self._compiled = tf.function(self._one, input_signature=[spec], autograph=False)
        return self._compiled(data)

    def _one(self, data: Any) -> Any:
        return self.inner(iter([data]))

    def _may_take(self, iterator: Any) -> bool:
        """Whether the step may be handed a batch in place of the iterator."""
        model: Any = self._model()
        if not isinstance(iterator, tf.data.Iterator) or model.steps_per_execution != 1 or _is_own(model):
            return False
        return not any(isinstance(s, tf.OptionalSpec) for s in keras.tree.flatten(iterator.element_spec))


def _is_own(model: Any) -> bool:
    """Whether a model makes its training step in a way of its own, which may take iterators alone."""
    made, usual = type(model).make_train_function, keras.Model.make_train_function
    return inspect.unwrap(made) is not inspect.unwrap(usual)
