"""The direction of imports, and what `import act_widgets` costs."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

from .fresh import ROOT, run_fresh

HEAVY = {"tensorflow", "keras", "sklearn", "scipy", "pandas", "dask", "matplotlib", "skimage"}
HEAVY |= {"zarr", "fsspec", "tensorboard", "prometheus_client"}
SECONDS = 0.5

MEASURE = """
import json, sys, time
before = time.perf_counter()
import act_widgets
seconds = time.perf_counter() - before
print(json.dumps({"seconds": seconds, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def import_in_a_fresh_process() -> dict:
    done = run_fresh(MEASURE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_imports_point_the_right_way():
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_package_loads_nothing_heavy():
    assert not HEAVY & set(import_in_a_fresh_process()["modules"])


def test_importing_the_package_is_quick():
    best = min(import_in_a_fresh_process()["seconds"] for _ in range(3))
    assert best < SECONDS
