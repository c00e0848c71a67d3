"""What a recorder takes of a training, side by side with the same training without it.

``python benchmarks/recording.py`` prints how much longer trainings take that are recorded at every step:
two of the same network make their steps in turns, one with a recorder and one without.
"""

from __future__ import annotations

import gc
import resource
import tempfile
import threading
from pathlib import Path
from time import perf_counter
from typing import Any

import keras
import numpy as np

import act_widgets as aw

SHARE = 0.05


def digits(images: np.ndarray) -> keras.Model:
    """A small convolutional network."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def mobile_net(images: np.ndarray) -> keras.Model:
    """A deep network of 154 layers."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(input_shape=images.shape[1:], weights=None, classes=10)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


class Turns:
    """Lets several trainings make their steps in turns, and takes the time of each one's.

    So both meet the same machine at every moment: two trainings one after the other do not.
    """

    def __init__(self, count: int) -> None:
        self._free = [threading.Semaphore(int(place == 0)) for place in range(count)]
        self.steps: list[list[float]] = [[] for _ in range(count)]

    def around(self, place: int, callbacks: list[keras.callbacks.Callback]) -> list[Any]:
        """Return the callbacks of one training, between those that wait for its turn and end it."""

        def begin(batch: int, logs: Any) -> None:  # noqa: ARG001 what Keras tells is not needed
            self._free[place].acquire()
            self.steps[place].append(-perf_counter())

        def end(batch: int, logs: Any) -> None:  # noqa: ARG001
            self.steps[place][-1] += perf_counter()
            self._free[(place + 1) % len(self._free)].release()

        call = keras.callbacks.LambdaCallback
        return [call(on_train_batch_begin=begin), *callbacks, call(on_train_batch_end=end)]


def beside(name: str, make: Any, size: int, samples: int, epochs: int) -> None:
    """Print how much longer the steps of a training take that is recorded at every step."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, size, size, 3 if size > 28 else 1)).astype("float32")
    y = rng.integers(0, 10, samples)
    with tempfile.TemporaryDirectory() as folder:
        # Half of the time that it counts passes while it waits for the other training.
        recorder = aw.Recorder(x[:4], every=1, targets=y[:4], writers=f"{folder}/log", share=SHARE / 2)
        turns = Turns(2)
        told = {"batch_size": 32, "epochs": epochs, "verbose": 0, "shuffle": False}
        both = [
            threading.Thread(
                target=make(x).fit, args=(x, y), kwargs={**told, "callbacks": turns.around(place, own)}
            )
            for place, own in enumerate(([], [recorder]))
        ]
        for training in both:
            training.start()
        for training in both:
            training.join()
    # The first step of each traces its model.
    without, recorded = np.array(turns.steps)[:, 1:]
    print(
        f"{name:14s} {len(without):,} steps, {without.sum():.1f} s without, {recorded.sum():.1f} s with: "
        f"{recorded.sum() / without.sum() - 1:+.1%}, of the second half "
        f"{_half(recorded) / _half(without) - 1:+.1%}; the median step "
        f"{np.median(recorded) / np.median(without) - 1:+.1%}\n{'':15s}{recorder.report()}"
    )


def _half(steps: np.ndarray) -> float:
    return steps[len(steps) // 2 :].sum()


def memory(steps: int = 5000) -> None:
    """Print how resident memory grows over many steps."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 12, 12, 1)).astype("float32"), rng.integers(0, 10, 32)
    model = digits(x)
    recorder = aw.Recorder(x[:4], every=1, targets=y[:4], share=None, max_bytes=1 << 23)
    model.fit(x, y, epochs=500, verbose=0, callbacks=[recorder])
    gc.collect()
    before = _resident()
    model.fit(x, y, epochs=steps, verbose=0, callbacks=[recorder])
    gc.collect()
    after = _resident()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"memory over {steps:,} recorded steps: {before:.0f} MB before, {after:.0f} MB after "
        f"({after / before - 1:+.1%}), peak {peak:.0f} MB; {len(recorder.steps)} records kept"
    )


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    beside("small network", digits, 12, 3200, 40)
    beside("MobileNetV2", mobile_net, 96, 320, 20)
    memory()
