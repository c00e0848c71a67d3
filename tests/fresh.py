"""Python in a process of its own, with the settings that a user has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Ended = TypeVar("Ended")

ROOT = Path(__file__).parents[1]
# What tests or a machine set and a user does not.
TUNED = ("TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")


def run_fresh(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run some code with other environment variables beside those that are there."""
    inherited = {k: v for k, v in os.environ.items() if k not in TUNED and not k.startswith("COV")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=inherited | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@contextmanager
def two_at_a_time(runs: Mapping[str, Callable[[], Ended]]) -> Iterator[dict[str, Future[Ended]]]:
    """Start processes that most of their time wait for one core; each test asks for its own result."""
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(run) for name, run in runs.items()}
        pool.shutdown(cancel_futures=True)
