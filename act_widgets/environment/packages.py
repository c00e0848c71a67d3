"""Which packages are installed where Python looks, and which of them do not fit."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from .problem import Problem, pip

OWN = "act-widgets"
# What is worth telling, in this order, whether or not it is required.
TOLD = (
    "tensorflow",
    "keras",
    "tf-keras",
    "numpy",
    "ipywidgets",
    "jupyterlab-widgets",
    "bqplot",
    "bqscales",
    "anywidget",
    "traitlets",
    "pillow",
    "cmap",
    "graphlay",
    "ipykernel",
    "ipython",
    "scikit-learn",
)
# Packages that unpack into the folder `tensorflow`, whatever their name.
_A_TENSORFLOW = re.compile(r"tensorflow|tf-nightly|.*-tensorflow")
# Modules that a package loads under another name than its own.
_MODULES = {"tf-keras": "tf_keras", "pillow": "PIL", "ipython": "IPython", "scikit-learn": "sklearn"}


def normal(name: str) -> str:
    """Return a package's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Installed:
    """The packages that Python finds, each as it is found first.

    Attributes
    ----------
    found : dict of str to list of Distribution
        By normalised name, in the order of ``sys.path``.
    """

    def __init__(self) -> None:
        self.found: dict[str, list[Distribution]] = {}
        for item in distributions():
            name = item.metadata["Name"]
            if name:  # a folder that an interrupted installation left has none
                self.found.setdefault(normal(name), []).append(item)

    def version(self, name: str) -> str:
        """Return a package's version; empty if it is not there."""
        items = self.found.get(normal(name))
        return items[0].version if items else ""

    def folder(self, item: Distribution) -> str:
        """Return where a package lies."""
        return str(item.locate_file(""))

    def tensorflows(self) -> list[Distribution]:
        """Return every package that brings the module ``tensorflow``."""
        named = [items[0] for name, items in self.found.items() if _A_TENSORFLOW.match(name)]
        return [item for item in named if _brings_tensorflow(item)]


def _brings_tensorflow(item: Distribution) -> bool:
    record = item.read_text("RECORD")
    if record is not None:
        return any(line.startswith("tensorflow/__init__.py") for line in record.splitlines())
    return "tensorflow" in (item.read_text("top_level.txt") or "").split()


def versions(installed: Installed) -> dict[str, str]:
    """Return the versions of what is worth telling, by name; TensorFlow under the name it has here."""
    told = {name: installed.version(name) for name in TOLD}
    for item in installed.tensorflows():
        told[normal(item.metadata["Name"])] = item.version
    return {name: version for name, version in told.items() if version}


def requirements() -> dict[str, tuple[SpecifierSet, bool]]:
    """Return the versions that fit, by name, and whether the package is needed in any case."""
    try:
        lines = distribution(OWN).requires or []
    except PackageNotFoundError:  # used from a folder, not installed
        lines = []
    wanted: dict[str, tuple[SpecifierSet, bool]] = {}
    for line in lines:
        item = Requirement(line)
        always = item.marker is None or item.marker.evaluate({"extra": ""})
        if always or "extra" in str(item.marker):
            wanted.setdefault(normal(item.name), (item.specifier, always))
    return wanted


def problems(installed: Installed) -> Iterator[Problem]:
    """Yield what does not fit, the worst first."""
    yield from _two_tensorflows(installed)
    yield from _wrong_versions(installed)
    yield from _twice(installed)
    yield from _changed_since(installed)


def _two_tensorflows(installed: Installed) -> Iterator[Problem]:
    by_folder: dict[str, list[Distribution]] = {}
    for item in installed.tensorflows():
        by_folder.setdefault(installed.folder(item), []).append(item)
    for folder, items in by_folder.items():
        if len(items) < 2:
            continue
        names = sorted(normal(item.metadata["Name"]) for item in items)
        both = " and ".join(f"{n} {installed.version(n)}" for n in names)
        kept = next((n for n in names if n != "tensorflow"), names[0])
        yield Problem(
            f"{len(names)} builds of TensorFlow lie in one folder, and have overwritten one another's files: "
            f"{both}, in {folder}.",
            "\n".join(
                [
                    pip(f"uninstall -y {' '.join(names)}"),
                    pip(f"install --no-deps {kept}=={installed.version(kept)}"),
                ]
            ),
            f"Restart the kernel. (To keep {' or '.join(n for n in names if n != kept)} instead, install "
            "that one in the second line.)",
        )


def _wrong_versions(installed: Installed) -> Iterator[Problem]:
    other = next((normal(item.metadata["Name"]) for item in installed.tensorflows()), "tensorflow")
    for required, (fits, is_needed) in requirements().items():
        name = other if required == "tensorflow" else required
        version = installed.version(name)
        if not version and is_needed:
            yield Problem(f"{name} is not installed.", pip(f'install "{name}{fits}"'))
        elif version and not fits.contains(version, prereleases=True):
            found = f"{name} {version} is installed; act_widgets is made for {name}{fits}."
            yield Problem(found, pip(f'install "{name}{fits}"'))


def _twice(installed: Installed) -> Iterator[Problem]:
    for name in (*TOLD, OWN):
        items = installed.found.get(name, [])
        if len({item.version for item in items}) > 1:
            places = "; ".join(f"{item.version} in {installed.folder(item)}" for item in items)
            yield Problem(
                f"{name} is installed more than once, and the first one is used: {places}.",
                "\n".join([pip(f"uninstall -y {name}")] * len(items) + [pip(f"install {name}")]),
            )


def _changed_since(installed: Installed) -> Iterator[Problem]:
    """Yield packages that were exchanged after this process had loaded them."""
    for name in TOLD:
        module = sys.modules.get(_MODULES.get(name, normal(name).replace("-", "_")))
        loaded, there = getattr(module, "__version__", ""), versions(installed).get(name, "")
        if loaded and there and _differ(loaded, there):
            yield Problem(
                f"{name} {there} is installed, but this kernel has loaded {name} {loaded} before that.",
                "Restart the kernel.",
                "Nothing needs to be installed.",
            )


def _differ(one: str, other: str) -> bool:
    try:
        return Version(Version(one).public) != Version(Version(other).public)
    except InvalidVersion:
        return False
