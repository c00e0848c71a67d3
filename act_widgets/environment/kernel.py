"""What runs this code, and what shows its widgets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .problem import Problem, pip

VS_CODE, COLAB, KAGGLE, VOILA, JUPYTER = "VS Code", "Colab", "Kaggle", "Voila", "Jupyter server"
# Environment variables that tell which program started the kernel.
_SIGNS = {
    "COLAB_RELEASE_TAG": COLAB,
    "KAGGLE_KERNEL_RUN_TYPE": KAGGLE,
    "VSCODE_PID": VS_CODE,
    "VSCODE_CWD": VS_CODE,
    "JPY_PARENT_PID": JUPYTER,
    "JPY_SESSION_NAME": JUPYTER,
}
# Of what those programs need, beside what is installed.
ADVICE = {
    VS_CODE: 'If views stay blank: set "jupyter.widgetScriptSources": ["jsdelivr.com", "unpkg.com"] in the '
    "settings of VS Code, and reload its window.",
    COLAB: "Before the first view: from google.colab import output; output.enable_custom_widget_manager()",
}


def kernel() -> Any:
    """Return the Jupyter kernel that runs this code; None outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None)


def front_end(environment: Mapping[str, str] = os.environ) -> str:
    """Return what started the kernel, as far as it left a sign; else an empty string."""
    if environment.get("SERVER_SOFTWARE", "").startswith("voila"):
        return VOILA
    return next((name for sign, name in _SIGNS.items() if environment.get(sign)), "")


def has_subshells(running: Any) -> bool:
    """Whether the kernel can answer while a cell runs."""
    return "kernel subshells" in running.kernel_info.get("supported_features", ())


def facts() -> dict[str, str]:
    """Return what is known of the kernel."""
    running = kernel()
    if running is None:
        return {"kernel": "none"}
    told = {
        "kernel": f"{type(running).__module__}.{type(running).__name__}",
        "answers while a cell runs": "yes" if has_subshells(running) else "no",
    }
    where = front_end()
    return told | ({"started by": where} if where else {})


def problems() -> Iterator[Problem]:
    """Yield what keeps this kernel from showing widgets or reading models."""
    running = kernel()
    if running is None:
        yield Problem(
            "This is no Jupyter kernel: nothing can show a widget here. Numbers and pictures work.",
            pip('install "act-widgets[lab]"') + f"\n{sys.executable} -m jupyterlab",
            "Open a notebook there.",
        )
    elif not has_subshells(running):
        yield Problem(
            "This kernel answers nobody while a cell runs: views stand still until it ends.",
            pip('install "ipykernel>=7"'),
            "Restart the kernel. JupyterLab 4.4 or newer is needed too.",
        )
    backend, source = keras_backend()
    if backend != "tensorflow":
        yield Problem(
            f"Keras works on {backend}, by {source}; act_widgets reads models on TensorFlow.",
            'import os; os.environ["KERAS_BACKEND"] = "tensorflow"',
            "Restart the kernel, and run this line before anything imports Keras.",
        )


def keras_backend() -> tuple[str, str]:
    """Return what Keras computes with, and what says so."""
    loaded = sys.modules.get("keras")
    if loaded is not None and hasattr(loaded, "config"):
        return loaded.config.backend(), "what this kernel has loaded"
    if backend := os.environ.get("KERAS_BACKEND"):
        return backend, "the environment variable KERAS_BACKEND"
    path = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        return json.loads(path.read_text("utf-8"))["backend"], str(path)
    except (OSError, ValueError, KeyError):
        return "tensorflow", "default"
