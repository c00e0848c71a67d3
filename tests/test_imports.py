"""The direction of imports, and what `import act_widgets` loads."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

from .fresh import ROOT, run_fresh

HEAVY = {"tensorflow", "keras", "sklearn", "scipy", "pandas", "dask", "matplotlib", "skimage"}
HEAVY |= {"zarr", "fsspec", "tensorboard", "prometheus_client"}

MODULES = """
import json, sys
import act_widgets
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_imports_point_the_right_way():
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_package_loads_nothing_heavy():
    done = run_fresh(MODULES)
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(json.loads(done.stdout))
