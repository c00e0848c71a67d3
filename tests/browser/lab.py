"""Real JupyterLab in a real browser: what a browser test may do to it and ask of it."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.server import JupyterServer

SCRIPT = Path(__file__).with_name("page.js")
VIEWPORT = (1280, 900)
PATH = "test.ipynb"

# Seconds. They bound a hang; nothing waits that long on purpose. The first cell may import TensorFlow
# on a machine that is busy with something else.
PAGE_SECONDS = 120
CELL_SECONDS = 300
STATE_SECONDS = 60

# Console errors that are not ours, each with its reason.
ALLOWED_CONSOLE_ERRORS: tuple[str, ...] = (
    # The server refuses a page of Notebook 7 a font of Notebook's own once JupyterLab was opened beside it.
    r"403 \(Forbidden\) \(http://127\.0\.0\.1:\d+/static/notebook/\w+\.woff2",
)

# The same of uncaught errors.
ALLOWED_PAGE_ERRORS: tuple[str, ...] = (
    # anywidget says so of what is drawn after more than two seconds. It is drawn all the same, and nothing of
    # ours listens by way of anywidget (docs/decisions/0011).
    r"\[anywidget\] Failed to initialize model\.",
    # Notebook 7.6 throws these while it is loaded, also without any widget.
    r"Cannot read properties of undefined \(reading 'schema'\)",
    r"Command 'filebrowser:open-path' not registered",
)

EMPTY_NOTEBOOK = {
    "cells": [],
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}

# Forgets a test's names and closes its widgets.
CLEAN_UP = """
def _clean_up():
    import sys
    if "ipywidgets" in sys.modules:
        from ipywidgets.widgets import widget
        for one in list(getattr(widget, "_instances", {}).values()):
            one.close()
    get_ipython().reset(new_session=False)
_clean_up()
"""


class CellError(AssertionError):
    """A cell raised an exception; the message is its traceback."""


class Lab:
    """One notebook with one kernel, in one page of JupyterLab or Notebook 7.

    A test asks for the fixture ``lab`` and finds an empty notebook with a kernel that knows no names of
    another test. Whatever goes wrong in the page or in a widget's callback fails the test, at the next
    `check` or at its end.

    Parameters
    ----------
    server : JupyterServer
    browser : playwright.sync_api.Browser
    app : {"lab", "notebook"}
        JupyterLab or Notebook 7.

    Attributes
    ----------
    page : playwright.sync_api.Page
        For everything that has no method here.
    errors : list of str
        What went wrong in the page since the test began.
    """

    def __init__(self, server: JupyterServer, browser: Browser, app: str = "lab") -> None:
        self.server = server
        self.errors: list[str] = []
        self._app = app
        self._browser = browser
        self._allowed: list[str] = []
        self._file = ""
        self._context: BrowserContext
        self.page: Page
        self.fresh()

    # A new beginning

    def fresh(self) -> None:
        """Begin again with a new page, a new notebook file and a new kernel."""
        self.close()
        self._file = path = f"{time.monotonic_ns()}-{PATH}"
        self.path.write_text(json.dumps(EMPTY_NOTEBOOK))
        width, height = VIEWPORT
        self._context = self._browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce"
        )
        self._context.add_init_script(path=SCRIPT)
        self.page = self._context.new_page()
        self.page.set_default_timeout(STATE_SECONDS * 1000)
        self.page.set_default_navigation_timeout(PAGE_SECONDS * 1000)
        self.page.on("pageerror", self._on_page_error)
        self.page.on("crash", lambda: self.errors.append("the page crashed"))
        self.page.on("console", self._on_console)
        # A workspace of its own: one that is loaded again opens what others have open in it.
        workspace = f"lab/workspaces/{Path(path).stem}/tree/{path}?reset&"
        where = workspace if self._app == "lab" else f"notebooks/{path}?"
        self.page.goto(f"{self.server.url}{where}token={self.server.token}")
        self._attach()

    def begin(self) -> None:
        """Make ready for the next test: no cells, no names, no widgets, the usual window and theme."""
        self.set_viewport(*VIEWPORT)
        if self.page.evaluate("testLab.theme()") != "JupyterLab Light":
            self.set_theme("light")
        self.notebook([])
        self.python(CLEAN_UP)
        self.page.evaluate("testLab.kernelErrors.length = testLab.stderr.length = 0")
        self.errors.clear()
        self._allowed.clear()

    def close(self) -> None:
        """Close the page and stop its kernel."""
        if hasattr(self, "_context"):
            self._shut_down_kernel()
            self._context.close()

    def _shut_down_kernel(self) -> None:
        headers = {"Authorization": f"token {self.server.token}"}
        self._context.request.delete(f"{self.server.url}api/kernels/{self.kernel_id}", headers=headers)

    def _attach(self) -> None:
        self.wait_for("() => window.testLab.hasNotebook()", seconds=PAGE_SECONDS)
        self.kernel_id = self._do("attach", seconds=PAGE_SECONDS)

    # Cells

    def notebook(self, cells: Sequence[str]) -> None:
        """Replace the cells of the notebook; nothing runs yet."""
        self._do("setCells", list(cells))

    def run(self, index: int = 0, seconds: float = CELL_SECONDS) -> list[dict[str, Any]]:
        """Run one cell, wait until the kernel is done and the widgets are drawn; return its outputs.

        Raises
        ------
        CellError
            The cell raised an exception.
        """
        outputs: list[dict[str, Any]] = self._do("runCell", index, seconds=seconds)
        for output in outputs:
            if output["output_type"] == "error":
                raise CellError(_plain("\n".join(output["traceback"])))
        self.wait_drawn()
        return outputs

    def show(self, *cells: str, seconds: float = CELL_SECONDS) -> Locator:
        """Replace the cells, run them in order, and return the output of the last one."""
        self.notebook(cells)
        for index in range(len(cells)):
            self.run(index, seconds)
        return self.output(len(cells) - 1)

    def start(self, index: int) -> int:
        """Start a cell and go on; give the number returned here to `finish`."""
        return int(self.page.evaluate("([name, index]) => testLab.start(name, index)", ["runCell", index]))

    def finish(self, job: int, seconds: float = CELL_SECONDS) -> list[dict[str, Any]]:
        """Wait for a cell that `start` began; return its outputs, errors among them."""
        return list(self._outcome(job, seconds))

    def output(self, index: int = 0) -> Locator:
        """Return the output area of a cell."""
        return self.page.locator(".jp-Notebook-cell").nth(index).locator(".jp-Cell-outputArea")

    # The kernel

    def python(self, code: str, seconds: float = CELL_SECONDS) -> None:
        """Run code in the kernel without a cell."""
        self._execute(code, None, seconds)

    def value(self, expression: str, seconds: float = CELL_SECONDS) -> Any:
        """Return the value of a Python expression in the kernel, by way of JSON."""
        wrapped = f"__import__('json').dumps(({expression}), default=lambda x: x.tolist())"
        answer = self._execute("", wrapped, seconds)["user_expressions"]["value"]
        if answer["status"] != "ok":
            raise CellError(_plain("\n".join(answer["traceback"])))
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def restart(self) -> None:
        """Restart the kernel; the cells stay."""
        self._do("restartKernel", seconds=PAGE_SECONDS)

    def reconnect(self) -> None:
        """Drop the connection between page and kernel, and make a new one to the same kernel."""
        self._do("reconnect", seconds=PAGE_SECONDS)

    @property
    def stderr(self) -> str:
        """What the kernel wrote to its error stream since the test began or the page was loaded."""
        return "".join(self.page.evaluate("testLab.stderr"))

    def _execute(self, code: str, expression: str | None, seconds: float) -> dict[str, Any]:
        argument = {"code": code, "expression": expression}
        reply: dict[str, Any] = self._do("execute", argument, seconds=seconds)
        if reply["status"] != "ok":
            raise CellError(_plain("\n".join(reply.get("traceback", [reply["status"]]))))
        return reply

    # The page

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return self.server.notebooks / self._file

    def reload(self) -> None:
        """Save, load the page anew as a user would, and wait until the widgets are drawn."""
        self.check()
        self._do("save")
        self.page.reload()
        self._attach()
        self.wait_drawn()

    def reopen(self) -> None:
        """Save, and open the notebook anew on a kernel that knows none of its widgets."""
        self.check()
        self._do("save")
        self.restart()
        self.page.reload()
        self._attach()

    def set_theme(self, name: str) -> None:
        """Choose the ``light`` or the ``dark`` theme."""
        theme = f"JupyterLab {name.capitalize()}"
        self._do("setTheme", theme)
        self.wait_for("theme => testLab.theme() === theme", theme)
        # JupyterLab fails to take its curtain away twice, if the theme changes again before it has gone.
        self.wait_for("() => !document.getElementById('jupyterlab-splash')")

    def set_viewport(self, width: int, height: int) -> None:
        """Give the page a size in CSS pixels."""
        self.page.set_viewport_size({"width": width, "height": height})

    def screenshot(self, element: Locator, path: str | Path | None = None) -> np.ndarray:
        """Return what the user sees of an element, ``(height, width, 3) uint8``; keep it as a file too."""
        picture = element.screenshot(path=path, animations="disabled")
        return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))

    def pixels(self, canvas: Locator) -> np.ndarray:
        """Return what was drawn on a canvas, ``(height, width, 4) uint8``, as the page holds it."""
        return pixels_of(canvas)

    # Waiting

    def wait_for(self, condition: str, argument: Any = None, seconds: float = STATE_SECONDS) -> None:
        """Wait until a JavaScript function of one argument returns something true."""
        try:
            self.page.wait_for_function(condition, arg=argument, timeout=seconds * 1000)
        except PlaywrightTimeout as error:
            self.check()
            raise TimeoutError(f"after {seconds} s it is not so: {condition} {argument or ''}") from error

    def wait_drawn(self, seconds: float = STATE_SECONDS) -> None:
        """Wait until no output of the notebook waits for its widget."""
        self.wait_for("() => testLab.undrawn() === 0", seconds=seconds)

    def wait_idle(self, seconds: float = CELL_SECONDS) -> None:
        """Wait until the kernel has nothing to do."""
        self.wait_for("() => testLab.isIdle()", seconds=seconds)

    def until(self, question: Callable[[], Any], seconds: float = STATE_SECONDS) -> Any:
        """Ask the same question, once per frame of the page, until the answer is true; return it.

        Raises
        ------
        TimeoutError
            With the last answer.
        """
        end = time.monotonic() + seconds
        while not (answer := question()):
            if time.monotonic() > end:
                self.check()
                raise TimeoutError(f"after {seconds} s the answer is still {answer!r}")
            self.page.evaluate("() => new Promise(requestAnimationFrame)")
        return answer

    # Errors

    def check(self) -> None:
        """Fail if anything went wrong in the page, or in a widget's callback in the kernel."""
        found = [*self.errors, *self.page.evaluate("testLab.kernelErrors")]
        shown = self.page.get_by_text("Error displaying widget").count()
        if shown:
            found.append(f"{shown} x 'Error displaying widget' in the page")
        found = [_plain(text) for text in found]
        bad = [text for text in found if not any(re.search(a, text) for a in self._allowed)]
        assert not bad, "\n".join(["errors in the page:", *bad])

    @contextmanager
    def expect_error(self, pattern: str) -> Iterator[None]:
        """Let errors that match a regular expression pass, and wait until there is one."""
        self._allowed.append(pattern)
        yield
        kernel = "() => testLab.kernelErrors"
        self.until(lambda: re.search(pattern, _plain("\n".join([*self.errors, *self.page.evaluate(kernel)]))))

    def _on_page_error(self, error: PlaywrightError) -> None:
        if not is_allowed(str(error)):
            self.errors.append(f"page error: {error}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        text = f"console error: {message.text} ({message.location.get('url', '')})"
        if not any(re.search(allowed, text) for allowed in ALLOWED_CONSOLE_ERRORS):
            self.errors.append(text)

    # Talking to page.js

    def _do(self, action: str, argument: Any = None, seconds: float = STATE_SECONDS) -> Any:
        job = self.page.evaluate("([name, arg]) => testLab.start(name, arg)", [action, argument])
        return self._outcome(job, seconds)

    def _outcome(self, job: int, seconds: float) -> Any:
        self.wait_for("job => testLab.isDone(job)", job, seconds)
        outcome = self.page.evaluate("job => testLab.outcome(job)", job)
        if "error" in outcome:
            raise PlaywrightError(outcome["error"])
        return outcome["value"]


def is_allowed(error: str) -> bool:
    """Whether an uncaught error of a page is known, and none of ours."""
    return any(re.search(allowed, error) for allowed in ALLOWED_PAGE_ERRORS)


def pixels_of(canvas: Locator) -> np.ndarray:
    """Return what was drawn on a canvas, ``(height, width, 4) uint8``, as the page holds it."""
    url = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    picture = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))


def _plain(text: str) -> str:
    """Return text without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
