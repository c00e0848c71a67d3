"""What reading a model costs in memory. Linux only: peaks are read from ``/proc``.

Run it by ``make bench``.
"""

from __future__ import annotations

import gc
import re
import sys
from multiprocessing import get_context
from pathlib import Path

SAMPLES = 8
PICKS = 2000


def memory(field: str) -> int:
    """Return bytes of resident memory now (``VmRSS``) or at its peak (``VmHWM``)."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def measure(name: str) -> None:
    """Print what one model costs; in a process of its own, so that nothing is left of another."""
    import keras
    import numpy as np

    import act_widgets as aw

    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None)
    rng = np.random.default_rng(0)
    warm = aw.Session(model, rng.random((1, 224, 224, 3), np.float32))
    del warm
    images = rng.random((SAMPLES, 224, 224, 3), np.float32)
    gc.collect()

    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    session = aw.Session(model, images, cache_bytes=4 << 30)
    kept = session.stats()["cache_bytes"]
    peak = memory("VmHWM") - before
    print(f"{name}: peak of a first look at {SAMPLES} samples / activations kept {peak / kept:.2f}")
    print(f"{name}: the activations of {SAMPLES} samples {kept / 1e6:,.0f} MB")

    for layer in session.layers:
        session.activation(layer)
    before = memory("VmRSS")
    for pick in range(PICKS):
        session.activation(session.layers[pick % len(session.layers)])
    print(f"{name}: {PICKS} picks over all layers add {memory('VmRSS') / before - 1:.2%}")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or ["MobileNetV2", "EfficientNetV2B0", "ResNet50"]:
        process = get_context("spawn").Process(target=measure, args=(chosen,))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)
