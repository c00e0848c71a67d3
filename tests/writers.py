"""Every writer of files, and what reads its files again step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import act_widgets as aw

WRITERS: Mapping[str, Callable[[Path], Any]] = {
    "npy": aw.NpyLog,
    "zarr": aw.ZarrLog,
    "tf1": lambda folder: aw.EventFiles(folder, format="tf1"),
    "tf2": aw.EventFiles,
}


def events(folder: Path) -> dict[int, Any]:
    """Return the events of a run by step; TensorFlow checks the sum of each."""
    import tensorflow as tf

    found: dict[int, Any] = {}
    for path in sorted(folder.glob("*tfevents*")):
        reader = tf.compat.v1.train.summary_iterator(str(path))
        try:
            for event in reader:
                if event.summary.value:
                    found[event.step] = event
        except tf.errors.DataLossError as error:
            # What was being written when the process ended is no event yet.
            if "truncated record" not in str(error):
                raise
    return found
