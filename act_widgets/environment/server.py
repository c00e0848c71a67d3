"""The Jupyter server that shows the widgets: it often lives in another environment than the kernel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from .kernel import JUPYTER, VOILA, front_end
from .problem import Problem, pip

# Of a front end: the oldest version that shows the views, and from which on they answer while a cell runs.
FRONT_ENDS = {"jupyterlab": (">=4.2", ">=4.4"), "notebook": (">=7.2", ">=7.4"), "voila": (">=0.5.8", "")}
# What each extension of the page draws, and the package that brings it.
EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": ("widgets of any kind", "jupyterlab_widgets"),
    "bqplot": ("histograms and curves", "bqplot"),
    "bqscales": ("the axes of histograms and curves", "bqscales"),
    "anywidget": ("feature maps, overlays, lists and the model graph", "anywidget"),
}
_SECONDS = 60
# Runs in the server's own Python, whatever its version and packages.
_ASK = """
import json, os, sys
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
try:
    from jupyter_core.paths import jupyter_config_path, jupyter_path
    data, config = jupyter_path(), jupyter_config_path()
except ImportError:
    data, config = [os.path.join(sys.prefix, "share", "jupyter")], []
print(json.dumps({
    "prefix": sys.prefix,
    "data": data,
    "settings": config + [os.path.join(sys.prefix, "share", "jupyter", "lab", "settings")],
    "versions": {name: version(name) for name in sys.argv[1:]},
}))
"""


@dataclass(frozen=True)
class Server:
    """What a Python environment offers to pages.

    Attributes
    ----------
    python : str
        Its interpreter.
    is_found : bool
        Whether it is that of a server which runs and has started this kernel; else it is the kernel's own.
    prefix : str
        Its folder.
    versions : dict of str to str
        Of front ends and of packages that bring extensions; empty for those that it lacks.
    extensions : dict of str to str
        Versions of the extensions that are there.
    disabled : frozenset of str
        Names of extensions that are switched off.
    """

    python: str
    is_found: bool
    prefix: str
    versions: dict[str, str]
    extensions: dict[str, str]
    disabled: frozenset[str] = field(default_factory=frozenset)

    @property
    def front_ends(self) -> dict[str, str]:
        """The front ends that it has, with their versions."""
        return {name: self.versions[name] for name in FRONT_ENDS if self.versions.get(name)}


def find() -> Server:
    """Return the environment of the server that started this kernel, or the kernel's own."""
    python = _python_of_server() if front_end() in {JUPYTER, VOILA} else ""
    return look_into(python or sys.executable, is_found=bool(python))


def look_into(python: str, is_found: bool) -> Server:
    """Return what the environment of an interpreter offers to pages."""
    names = [*FRONT_ENDS, *(package for _, package in EXTENSIONS.values())]
    done = subprocess.run(
        [python, "-c", _ASK, *names], capture_output=True, text=True, check=True, timeout=_SECONDS
    )
    said = json.loads(done.stdout)
    extensions = {name: _extension_version(name, said["data"]) for name in EXTENSIONS}
    disabled: set[str] = set()
    for folder in said["settings"]:
        for path in (Path(folder) / "labconfig" / "page_config.json", Path(folder) / "page_config.json"):
            disabled |= _disabled(_json_of(path))
    there = {name: version for name, version in extensions.items() if version}
    return Server(python, is_found, said["prefix"], said["versions"], there, frozenset(disabled))


def facts(server: Server) -> dict[str, str]:
    """Return what is known of the server's environment."""
    owner = "of the server that started this kernel" if server.is_found else "of this kernel"
    told = {f"environment {owner}": server.prefix}
    told |= dict(server.front_ends)
    return told | {f"extension {name}": version for name, version in server.extensions.items()}


def problems(server: Server, own: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what keeps pages of the server from drawing the views.

    Parameters
    ----------
    server : Server
    own : mapping of str to str
        Versions of the kernel's packages, by normalised name.
    """
    if not server.front_ends:
        return  # it serves no pages: another environment does, and nothing is known of that
    for name, (draws, package) in EXTENSIONS.items():
        if name not in server.extensions:
            yield Problem(
                f"The page lacks the extension {name}, which draws {draws}: {server.prefix} has none.",
                pip(f"install {_like(package, own)}", server.python),
                "Restart the server, and reload the page.",
            )
        elif name in server.disabled:
            yield Problem(
                f"The extension {name}, which draws {draws}, is switched off.",
                f"{server.python} -m jupyter labextension enable {name}",
                "Reload the page.",
            )
    yield from _old_front_ends(server)
    yield from _other_versions(server, own)


def _old_front_ends(server: Server) -> Iterator[Problem]:
    for name, version in server.front_ends.items():
        oldest, answering = FRONT_ENDS[name]
        if Version(version) not in SpecifierSet(oldest):
            found = f"{name} {version} does not show the views; they need {name}{oldest}."
            wanted = answering or oldest
        elif answering and Version(version) not in SpecifierSet(answering):
            found = f"{name} {version} sends nothing to the kernel while a cell runs: views stand still then."
            wanted = answering
        else:
            continue
        yield Problem(
            found,
            pip(f'install "{name}{wanted}"', server.python),
            "Restart the server, and reload the page.",
        )


def _other_versions(server: Server, own: Mapping[str, str]) -> Iterator[Problem]:
    for _, package in EXTENSIONS.values():
        here, there = own.get(package.replace("_", "-"), ""), server.versions.get(package, "")
        if here and there and Version(here).release[:2] != Version(there).release[:2]:
            yield Problem(
                f"The kernel has {package} {here}, the server {there}: the page may not know what comes.",
                pip(f"install {package}=={here}", server.python),
                "Restart the server, and reload the page.",
            )


def _like(package: str, own: Mapping[str, str]) -> str:
    version = own.get(package.replace("_", "-"), "")
    return f"{package}=={version}" if version else package


def _python_of_server() -> str:
    """Return the interpreter of the nearest process above this one that serves Jupyter; empty if none is."""
    try:
        import psutil
    except ImportError:  # ipykernel brings it
        return ""
    try:
        for process in psutil.Process().parents():
            program, *words = process.cmdline() or [""]
            if any("jupyter" in word or "voila" in word for word in words):
                return shutil.which(program, path=process.environ().get("PATH")) or ""
    except psutil.Error:  # a process of somebody else: nothing is known of it
        return ""
    return ""


def _json_of(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _extension_version(name: str, folders: Sequence[str]) -> str:
    """Return the version of an extension in the first folder that has it; empty if none has."""
    paths = [Path(folder) / "labextensions" / name / "package.json" for folder in folders]
    return next((_json_of(path).get("version", "unknown") for path in paths if path.is_file()), "")


def _disabled(settings: Mapping[str, Any]) -> set[str]:
    found = settings.get("disabledExtensions", {})
    if isinstance(found, dict):
        return {name for name, is_off in found.items() if is_off}
    return set(found)
