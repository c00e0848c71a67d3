"""Work that can't be ended once it has begun, done aside: who waits for it may leave at any time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from .partial import Partial

T = TypeVar("T")

# Seconds between two looks whether it is done, and between two tellings how long it takes.
_LOOK, _TELL = 0.1, 5
# Two: work that nobody waits for any more must not keep the next one waiting.
_POOL = ThreadPoolExecutor(2, thread_name_prefix="act_widgets aside")


def done_aside(work: Callable[[], T], words: str) -> Generator[Partial, None, T]:
    """Yield as long as `work` runs in another thread, and return what it gives.

    Who stops asking drops the result. Work that has not begun by then never begins; what has goes on to its
    end unseen.
    """
    began = time.monotonic()
    running = _POOL.submit(work)
    try:
        while not wait([running], _LOOK).done:
            gone = int(time.monotonic() - began) // _TELL * _TELL
            yield Partial(math.nan, f"{words} · {gone} s so far" if gone else words)
    finally:
        running.cancel()
    return running.result()
