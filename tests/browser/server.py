"""One Jupyter server for the browser tests, with folders of its own and nothing of the user's."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
STOP_SECONDS = 30

# What would make a run depend on time, on the network or on the size of the window.
USER_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
}


class JupyterServer:
    """A ``jupyter lab`` process that also serves Notebook 7 and Voila where they are installed.

    Attributes
    ----------
    url : str
        Address of the server, ending in ``/``.
    token : str
        What the server asks of a client.
    notebooks : pathlib.Path
        Folder that the server shows.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.token = secrets.token_hex(16)
        self.url = ""
        self.notebooks = folder / "notebooks"
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> JupyterServer:
        """Start the server and wait until it answers."""
        self._write_settings()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab"],
                cwd=self.notebooks,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop the server and every kernel, gently first."""
        assert self._process is not None
        try:
            family = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            family = []
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for process in psutil.wait_procs(family, timeout=5)[1]:
            process.kill()

    def _environment(self) -> dict[str, str]:
        """Return the environment of the server and its kernels: the tests' own, less Jupyter's."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY_", "IPYTHON"))}
        names = {
            "IPYTHONDIR": "ipython",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        return {
            **kept,
            **{variable: str(self._folder / name) for variable, name in names.items()},
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }

    def _write_settings(self) -> None:
        self.notebooks.mkdir(parents=True)
        config = {
            "ServerApp": {
                "allow_root": True,
                "ip": "127.0.0.1",
                "open_browser": False,
                "port": _free_port(),
                "root_dir": str(self.notebooks),
                "terminals_enabled": False,
            },
            "IdentityProvider": {"token": self.token},
            "KernelManager": {"shutdown_wait_time": 2},
            "LabApp": {
                "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
                "expose_app_in_browser": True,
                "extension_manager": "readonly",
                "news_url": None,
            },
            "JupyterNotebookApp": {"expose_app_in_browser": True},
        }
        _write_json(self._folder / "config" / "jupyter_server_config.json", config)
        for name, settings in USER_SETTINGS.items():
            path = self._folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            _write_json(path, settings)

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        runtime = self._folder / "runtime"
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            # The server writes this file with the port that it really got.
            for path in runtime.glob(f"jpserver-{self._process.pid}.json"):
                if self._answers(path):
                    return
            try:
                code = self._process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"jupyter lab ended with code {code}:\n{self.log.read_text()}")
        raise TimeoutError(f"jupyter lab did not answer in {START_SECONDS} s:\n{self.log.read_text()}")

    def _answers(self, info: Path) -> bool:
        try:
            self.url = json.loads(info.read_text())["url"]
            request = urllib.request.Request(
                self.url + "api/status", headers={"Authorization": f"token {self.token}"}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except (json.JSONDecodeError, urllib.error.URLError, TimeoutError):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1))
