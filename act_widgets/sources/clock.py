"""Time each call of a model while it is called eagerly."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import tensorflow as tf

from . import eager
from .inputs import Inputs
from .protocol import Timed
from .recorder import Recorder


class Stopwatch(Recorder):
    """Takes the time of each call of one eager pass; keeps no tensor.

    What the recorder itself does between the calls is taken off the time of the calls around it.

    Parameters
    ----------
    model : layer
        The model that is called.

    Attributes
    ----------
    seconds : dict of str to float
        By the call's address, inner calls included; the model's own is empty.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.follows = False
        self._stack[-1].listens = False
        self.seconds: dict[str, float] = {}
        self._own = 0.0
        self._on_gpu = on_gpu()

    def call(self, operation: Any, original: Callable, args: tuple, kwargs: dict) -> Any:
        """Make the call between two looks at the clock."""
        self._finish()
        entered, inside = perf_counter(), 0.0

        def timed(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            before, start = self._own, perf_counter()
            outputs = original(*args, **kwargs)
            self._finish()
            inside = perf_counter() - start
            self.seconds[self._stack[-1].address] = inside - (self._own - before)
            return outputs

        outputs = super().call(operation, timed, args, kwargs)
        self._own += perf_counter() - entered - inside
        return outputs

    def note(self, name: str, kind: str, tensor: Any) -> Any:  # noqa: ARG002 nothing is kept
        """Go on with the tensor."""
        return tensor

    def _keep(self, address: str, operation: Any, outputs: Any, axis_of: Any) -> Any:  # noqa: ARG002
        return outputs

    def _finish(self) -> None:
        """Wait for the GPU; on the CPU an eager call returns when its work is done."""
        if self._on_gpu:
            tf.test.experimental.sync_devices()


def on_gpu() -> bool:
    """Whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))


def timed(model: Any, inputs: Inputs, training: bool) -> Timed:
    """Call the model once, eagerly, with a clock at each call."""
    watch = Stopwatch(model)
    eager.call(model, inputs, watch, training)
    # The cells of recurrent layers are called once for each step, and are no calls of the graph.
    seconds = {call.address: watch.seconds[call.address] for call in watch.calls}
    return Timed(seconds, watch.seconds[""], f"called eagerly on {'GPU' if watch._on_gpu else 'CPU'}")
