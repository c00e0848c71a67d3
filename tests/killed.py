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
import time
from collections.abc import Callable
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
# Seconds within which a process is killed, after it has finished a step that is drawn too.
SOON = 0.06


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


def killed(work: Callable[[Callable[[int], None]], None], enough: int) -> int:
    """Kill `work` in a process of its own a moment after so many finished steps; return the last one."""
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
    time.sleep(random.uniform(0, SOON))  # the moment itself is what is tested
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
        finished[kind] = [killed(work, random.randint(0, 5)) for work in works]
    places = [Path(folder) / "training" / str(number) for number in range(int(trainings))]
    finished["training"] = [killed(partial(train, place), random.randint(1, 6)) for place in places]
    sys.stdout.write(json.dumps(finished))


if __name__ == "__main__":
    main(*sys.argv[1:])
