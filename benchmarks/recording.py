"""What a recorder takes of a training, side by side with the same training without it.

``python benchmarks/recording.py`` prints how much longer trainings take that are recorded at every step:
two of the same network in turns, one with a recorder and one without, so that both meet the same machine.
"""

from __future__ import annotations

import gc
import resource
import tempfile
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


class Clock(keras.callbacks.Callback):
    """The time at which each step ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 it only takes time
        """Take the time."""
        self.ends.append(perf_counter())


def seconds(model: keras.Model, x: np.ndarray, y: np.ndarray, callbacks: list, epochs: int) -> float:
    """Return how long a training takes behind its first step."""
    clock = Clock()
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, shuffle=False, callbacks=[*callbacks, clock])
    return perf_counter() - clock.ends[0]


def beside(name: str, make: Any, size: int, samples: int, epochs: int, rounds: int) -> None:
    """Print how much longer a training takes that is recorded at every step."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, size, size, 3 if size > 28 else 1)).astype("float32")
    y = rng.integers(0, 10, samples)
    plain, recorded = make(x), make(x)
    with tempfile.TemporaryDirectory() as folder:
        recorder = aw.Recorder(x[:4], every=1, targets=y[:4], writers=f"{folder}/log", share=SHARE)
        seconds(plain, x[:64], y[:64], [], 1)
        times = [
            (seconds(plain, x, y, [], epochs), seconds(recorded, x, y, [recorder], epochs))
            for _ in range(rounds)
        ]
        without, with_it = np.array(times).sum(0)
        ratios = np.array(times)[:, 1] / np.array(times)[:, 0]
        print(
            f"{name:14s} {without:7.1f} s without, {with_it:7.1f} s with: + {with_it / without - 1:.1%} "
            f"(rounds {', '.join(f'{r - 1:+.1%}' for r in ratios)})\n{'':15s}{recorder.report()}"
        )


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
    beside("small network", digits, 12, 3200, 4, 5)
    beside("MobileNetV2", mobile_net, 96, 320, 1, 3)
    memory()
