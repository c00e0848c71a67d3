"""Processes that are killed while they record: ``python -m tests.killed FOLDER ROUNDS TRAININGS``.

For each round and kind of writer a process of its own writes into a folder of its own, and is killed at some
moment; so is each training. The output tells for each the last step that it had finished before.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import keras
import tensorflow as tf  # noqa: F401 once for all that are killed

import act_widgets as aw

from . import records
from .trainings import data, network
from .writers import WRITERS

LAYERS = tuple(f"layer{index}" for index in range(6))
# A process is killed within the writing of so many steps, after it has finished a step that is drawn too.
SOON = 2.0


def write(kind: str, folder: Path, finished: Callable[[int], None]) -> None:
    """Write records by hand, as fast as possible."""
    made = [records.record(step, LAYERS) for step in range(8)]
    writer = WRITERS[kind](folder)
    writer.open(records.about(LAYERS))
    for step in count():
        writer.write(replace(made[step % 8], step=step))
        finished(step)


def train(folder: Path, finished: Callable[[int], None]) -> None:
    """Train a model with every writer at once."""

    class Tells(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            finished(0)

        def on_train_batch_end(self, batch, logs=None):
            finished(batch + 1)

    x, y = data()
    writers = [make(folder / kind) for kind, make in WRITERS.items()]
    recorder = aw.Recorder(x[:5], every=1, share=None, writers=writers, targets=y[:5], on_write_error="stop")
    x, y = x.repeat(1000, 0), y.repeat(1000, 0)
    network().fit(x, y, batch_size=16, verbose=0, callbacks=[recorder, Tells()])


def written(folder: Path) -> int:
    """Return how many bytes the files in a folder have, of those that are there."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # it was put in another one's place
                total += (Path(place) / name).stat().st_size
    return total


def killed(work: Callable[[Callable[[int], None]], None], folder: Path, enough: int) -> int:
    """Kill `work`, which writes to a folder, in a process of its own, somewhere after so many finished steps.

    Return the last one.
    """
    read, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            work(lambda step: os.write(told, b"%d\n" % step))
        finally:
            os._exit(1)
    os.close(told)
    heard = b""
    while heard.count(b"\n") < enough and (more := os.read(read, 1 << 16)):
        heard += more
    so_far = written(folder)
    further = random.uniform(0, SOON) * so_far / max(1, enough)
    while written(folder) < so_far + further:
        pass
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it ended by itself, with {status}"
    while more := os.read(read, 1 << 16):
        heard += more
    os.close(read)
    return int(heard.splitlines()[-1]) if heard else -1


def main(folder: str, rounds: str, trainings: str) -> None:
    """Kill so many processes of each kind."""
    random.seed(0)
    finished: dict[str, list[int]] = {}
    for kind in WRITERS:
        places = [Path(folder) / kind / str(number) for number in range(int(rounds))]
        works = [partial(write, kind, place) for place in places]
        pairs = zip(works, places, strict=True)
        finished[kind] = [killed(work, place, random.randint(0, 5)) for work, place in pairs]
    places = [Path(folder) / "training" / str(number) for number in range(int(trainings))]
    finished["training"] = [killed(partial(train, place), place, random.randint(1, 6)) for place in places]
    sys.stdout.write(json.dumps(finished))


if __name__ == "__main__":
    main(*sys.argv[1:])
