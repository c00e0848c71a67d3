"""What the doctor finds: on distributions and environments that are really there, in folders of the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import act_widgets as aw
from act_widgets.environment import kernel, packages, server
from act_widgets.environment.packages import Installed
from act_widgets.environment.problem import Problem

from .screen import text_of

ROOT = Path(__file__).resolve().parents[1]


def install(
    site: Path, name: str, version: str, *, files: tuple[str, ...] = (), requires: tuple[str, ...] = ()
):
    """Make a folder as pip leaves it behind."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    needed = "".join(f"Requires-Dist: {line}\n" for line in requires)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    return folder


TENSORFLOW = ("tensorflow/__init__.py", "tensorflow/python/eager/context.py")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The only folder that packages are looked for in."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    return folder


def at_rest() -> list[Problem]:
    """Return what does not fit, but for what this process has loaded in its real versions."""
    return [p for p in packages.problems(Installed()) if "this kernel has loaded" not in p.what]


def found(problems) -> dict[str, Problem]:
    return {problem.what: problem for problem in problems}


def only(problems) -> Problem:
    (problem,) = problems
    return problem


# --- packages ---


def test_two_tensorflows_in_one_folder_are_told_with_the_commands_that_part_them(site):
    install(site, "tensorflow", "2.20.0", files=TENSORFLOW)
    install(site, "tensorflow_cpu", "2.21.0", files=TENSORFLOW)
    problem = only(at_rest())
    assert "tensorflow 2.20.0 and tensorflow-cpu 2.21.0" in problem.what
    assert str(site) in problem.what
    first, second = problem.fix.splitlines()
    assert first == f"{sys.executable} -m pip uninstall -y tensorflow tensorflow-cpu"
    assert second == f"{sys.executable} -m pip install --no-deps tensorflow-cpu==2.21.0"


@pytest.mark.parametrize("name", ["tensorflow-cpu", "tf-nightly", "intel-tensorflow", "tensorflow-intel"])
def test_one_tensorflow_of_any_name_is_well(site, name):
    install(site, name, "2.21.0", files=TENSORFLOW)
    # That of Windows is an empty box around another; so are the many helpers.
    install(site, "tensorflow", "2.21.0", files=("../../bin/toco",))
    install(site, "tensorflow-estimator", "2.15.0", files=("tensorflow_estimator/__init__.py",))
    install(site, "act-widgets", "0.1.0", requires=("tensorflow>=2.20",))
    assert at_rest() == []
    assert packages.versions(Installed())[name] == "2.21.0"


def test_versions_that_do_not_fit_are_told_by_what_the_package_requires(site):
    install(
        site,
        "act-widgets",
        "0.1.0",
        requires=(
            "graphlay<0.4,>=0.3.1",
            "keras>=3.12",
            "numpy>=2.0",
            "tensorflow>=2.20",
            "bqplot>=0.13",
            'scikit-learn>=1.3; extra == "samples"',
            'colorama; sys_platform == "win95"',
        ),
    )
    install(site, "graphlay", "0.4.1")
    install(site, "keras", "2.15.0")
    install(site, "numpy", "2.0.0rc1")
    install(site, "tensorflow-cpu", "2.16.2", files=TENSORFLOW)
    install(site, "scikit_learn", "1.2.0")
    problems = found(at_rest())
    assert [what.split(";")[0] for what in problems] == [
        "graphlay 0.4.1 is installed",
        "keras 2.15.0 is installed",
        "numpy 2.0.0rc1 is installed",
        "tensorflow-cpu 2.16.2 is installed",
        "bqplot is not installed.",
        "scikit-learn 1.2.0 is installed",
    ]
    fixes = [problem.fix for problem in problems.values()]
    assert fixes[0] == f'{sys.executable} -m pip install "graphlay<0.4,>=0.3.1"'
    assert fixes[3].endswith('"tensorflow-cpu>=2.20"')
    assert fixes[4].endswith('"bqplot>=0.13"')


def test_the_ranges_are_those_of_the_package_itself():
    wanted = packages.requirements()
    assert wanted["graphlay"][0].contains("0.3.1")
    assert not wanted["graphlay"][0].contains("0.4")
    assert wanted["tensorflow"][1]
    assert not wanted["scikit-learn"][1]  # an extra


def test_a_package_that_hides_another_is_told(site, tmp_path):
    other = tmp_path / "user"
    sys.path.append(str(other))
    install(site, "numpy", "2.1.0")
    install(other, "numpy", "1.26.0")
    problem = only(at_rest())
    assert f"2.1.0 in {site}; 1.26.0 in {other}" in problem.what
    assert problem.fix.count("uninstall -y numpy") == 2


def test_a_package_that_was_exchanged_under_a_running_kernel_is_told(site):
    loaded = np.__version__
    install(site, "numpy", loaded)
    assert list(packages.problems(Installed())) == []
    (site / f"numpy-{loaded}.dist-info").rename(site / "numpy-99.0.dist-info")
    (site / "numpy-99.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: numpy\nVersion: 99.0\n"
    )
    problem = only(packages.problems(Installed()))
    assert f"numpy 99.0 is installed, but this kernel has loaded numpy {loaded}" in problem.what
    assert problem.fix == "Restart the kernel."


def test_what_an_interrupted_installation_left_is_passed_by(site):
    (site / "~umpy-1.0.dist-info").mkdir()
    (site / "broken-1.0.dist-info").mkdir()
    assert list(packages.problems(Installed())) == []


# --- the server ---


def environment(folder: Path, versions: dict[str, str], extensions: dict[str, str]) -> str:
    """Make a virtual environment with packages and extensions; return its interpreter."""
    binaries = folder / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    python.symlink_to(os.path.realpath(sys.executable))
    home = Path(os.path.realpath(sys.executable)).parent
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for name, version in versions.items():
        install(site, name, version)
    for name, version in extensions.items():
        path = folder / "share" / "jupyter" / "labextensions" / name / "package.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"name": name, "version": version}))
    return str(python)


ALL = dict.fromkeys(server.EXTENSIONS, "1.2.3")
OWN = {"jupyterlab-widgets": "3.0.17", "bqplot": "0.13.1", "anywidget": "0.11.0"}


@pytest.fixture(autouse=True)
def no_paths_of_this_run(monkeypatch):
    for name in ("PYTHONPATH", "KERAS_HOME", "JPY_PARENT_PID", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)


def test_a_server_that_has_everything_is_well(tmp_path):
    python = environment(tmp_path / "server", {"jupyterlab": "4.6.0", "bqplot": "0.13.9"}, ALL)
    seen = server.look_into(python, is_found=True)
    assert seen.prefix == str(tmp_path / "server")
    assert seen.extensions == ALL
    assert list(server.problems(seen, OWN)) == []
    told = server.facts(seen)
    assert told["environment of the server that started this kernel"] == seen.prefix
    assert told["jupyterlab"] == "4.6.0"
    assert told["extension anywidget"] == "1.2.3"


def test_each_extension_that_the_server_lacks_is_told_with_the_version_to_install_there(tmp_path):
    python = environment(tmp_path / "my server", {"jupyterlab": "4.6.0"}, {"bqplot": "0.13.1"})
    problems = found(server.problems(server.look_into(python, is_found=True), OWN))
    assert len(problems) == 3
    (drawing,) = [problem for what, problem in problems.items() if "extension anywidget" in what]
    assert "feature maps" in drawing.what
    assert drawing.fix == f"'{python}' -m pip install anywidget==0.11.0"
    assert drawing.then == "Restart the server, and reload the page."


def test_an_extension_that_is_switched_off_is_told(tmp_path):
    python = environment(tmp_path, {"jupyterlab": "4.6.0"}, ALL)
    settings = tmp_path / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True)
    (settings / "page_config.json").write_text('{"disabledExtensions": {"bqplot": true, "anywidget": false}}')
    problem = only(server.problems(server.look_into(python, is_found=True), OWN))
    assert "extension bqplot" in problem.what
    assert problem.fix.endswith("labextension enable bqplot")


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("jupyterlab", "3.6.8", "does not show the views"),
        ("notebook", "6.5.7", "does not show the views"),
        ("jupyterlab", "4.3.0", "while a cell runs"),
    ],
)
def test_old_front_ends_are_told(tmp_path, name, version, words):
    python = environment(tmp_path, {name: version}, ALL)
    problem = only(server.problems(server.look_into(python, is_found=True), OWN))
    assert f"{name} {version}" in problem.what
    assert words in problem.what


def test_another_version_at_the_server_is_told(tmp_path):
    python = environment(tmp_path, {"jupyterlab": "4.6.0", "bqplot": "0.12.45", "anywidget": "0.11.2"}, ALL)
    problem = only(server.problems(server.look_into(python, is_found=True), OWN))
    assert "bqplot 0.13.1, the server 0.12.45" in problem.what
    assert problem.fix.endswith("pip install bqplot==0.13.1")


def test_an_environment_without_pages_is_not_blamed(tmp_path):
    python = environment(tmp_path, {}, {})
    assert list(server.problems(server.look_into(python, is_found=False), OWN)) == []


CHILD = """
import json, act_widgets as aw
report = aw.doctor()
print(json.dumps([report.facts["Page"], [problem.what for problem in report.problems]]))
"""
PARENT = """
import os, subprocess, sys
subprocess.run([sys.argv[1], "-c", sys.argv[2]], check=True, env={**os.environ, "PYTHONPATH": sys.argv[3]})
"""


def test_the_server_that_started_the_kernel_is_found_in_an_environment_of_its_own(tmp_path):
    python = environment(tmp_path / "server", {"jupyterlab": "4.6.0"}, {"anywidget": "0.11.0"})
    program = tmp_path / "server" / "bin" / "jupyter-lab"
    program.write_text(PARENT)
    done = subprocess.run(
        [python, str(program), sys.executable, CHILD, str(ROOT)],
        env={**os.environ, "JPY_PARENT_PID": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    page, problems = json.loads(done.stdout)
    assert page["environment of the server that started this kernel"] == str(tmp_path / "server")
    assert sum("The page lacks the extension" in what for what in problems) == 3


# --- the kernel ---


def printed(code: str, **variables: str) -> str:
    """Return what a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


def test_another_backend_of_keras_is_told(tmp_path):
    ask = "from act_widgets.environment import kernel; print(*kernel.keras_backend(), sep=' by ')"
    home = {"KERAS_BACKEND": "", "KERAS_HOME": str(tmp_path)}
    assert printed(ask, **home) == "tensorflow by default"
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert printed(ask, **home) == f"torch by {tmp_path / 'keras.json'}"
    assert printed(ask, KERAS_BACKEND="jax") == "jax by the environment variable KERAS_BACKEND"
    tell = "import act_widgets as aw; print(*aw.doctor().problems, sep='\\n')"
    said = printed(tell, KERAS_BACKEND="jax")
    assert "Keras works on jax, by the environment variable KERAS_BACKEND" in said
    assert 'os.environ["KERAS_BACKEND"] = "tensorflow"' in said
    assert "Keras works" not in printed(tell, KERAS_BACKEND="tensorflow")


@pytest.mark.parametrize(
    ("signs", "name"),
    [
        ({"COLAB_RELEASE_TAG": "x", "JPY_PARENT_PID": "1"}, "Colab"),
        ({"VSCODE_PID": "1", "JPY_PARENT_PID": "1"}, "VS Code"),
        ({"SERVER_SOFTWARE": "voila/0.5.8", "JPY_PARENT_PID": "1"}, "Voila"),
        ({"JPY_PARENT_PID": "1"}, "Jupyter server"),
        ({}, ""),
    ],
)
def test_what_started_the_kernel_is_told_by_its_signs(signs, name):
    assert kernel.front_end(signs) == name


# --- the report ---


def test_the_doctor_loads_neither_tensorflow_nor_widgets():
    loaded = printed(
        "import sys, act_widgets as aw; aw.doctor(); print(*{name.partition('.')[0] for name in sys.modules})"
    )
    assert not {"tensorflow", "keras", "ipywidgets", "bqplot", "anywidget"} & set(loaded.split())


def test_the_report_prints_itself_as_text_and_as_html():
    report = aw.doctor()
    assert "nothing can show a widget here" in str(report)  # no kernel runs the tests
    assert not report.ok
    assert repr(report) == str(report)
    for name in ("tensorflow", "keras", "ipywidgets", "bqplot", "anywidget"):
        version = metadata.version(name)
        assert report.facts["Packages"][name] == version
        assert version in str(report)
        assert version in text_of(report._repr_html_())
    for problem in report.problems:
        assert problem.what in str(report)
        assert problem.what in text_of(report._repr_html_())


def test_hostile_names_are_text_in_the_report():
    fault = Problem("<img src=x onerror=alert(1)>", "pip install '<b>'", "then <script>")
    report = type(aw.doctor())((fault,), {"<i>": {"<u>": "<s>"}}, ("<a>",))
    html = report._repr_html_()
    for tag in ("<img", "<b>", "<script", "<i>", "<u>", "<s>", "<a>"):
        assert tag not in html
    assert "<img src=x onerror=alert(1)>" in text_of(html)


def test_the_name_stays_a_function_whatever_is_imported_first():
    code = "import act_widgets.environment.report, act_widgets as aw; print(callable(aw.doctor))"
    assert printed(code) == "True"
