"""Python in a process of its own, with the settings that a user has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
