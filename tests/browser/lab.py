"""Real JupyterLab in a real browser: what a browser test may do to it and ask of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator
from playwright.sync_api import Error as PlaywrightError

from tests.browser.front import (
    CELL_SECONDS,
    EMPTY_NOTEBOOK,
    PAGE_SECONDS,
    STATE_SECONDS,
    CellError,
    Front,
    plain,
)
from tests.browser.server import JupyterServer

SCRIPT = Path(__file__).with_name("page.js")
VIEWPORT = (1280, 900)
PATH = "test.ipynb"

# Console errors that are not ours, each with its reason.
ALLOWED_CONSOLE_ERRORS: tuple[str, ...] = (
    # The server refuses JupyterLab and Notebook 7 a font of their own once the other was opened beside it.
    r"403 \(Forbidden\) \(http://127\.0\.0\.1:\d+/static/(lab|notebook)/\w+\.woff2",
)

# Forgets a test's names and closes its widgets.
CLEAN_UP = """
def _clean_up():
    import gc, sys
    if "ipywidgets" in sys.modules:
        from ipywidgets.widgets import widget
        for one in list(getattr(widget, "_instances", {}).values()):
            one.close()
    get_ipython().reset(new_session=False)
    if "tensorflow" in sys.modules and not gc.get_freeze_count():
        gc.freeze()  # what libraries made stays; the collection of each clean-up need not look at it
_clean_up()
"""


class Lab(Front):
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
    """

    def __init__(self, server: JupyterServer, browser: Browser, app: str = "lab") -> None:
        super().__init__()
        self.server = server
        self._app = app
        self._browser = browser
        self._allowed: list[str] = []
        self._file = ""
        self._context: BrowserContext
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
        self.watch(self._context.new_page())
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
                raise CellError(plain("\n".join(output["traceback"])))
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

    def restart(self) -> None:
        """Restart the kernel; the cells stay."""
        self._do("restartKernel", seconds=PAGE_SECONDS)

    def interrupt(self) -> None:
        """Interrupt the kernel, as the square button does."""
        self._do("interrupt")

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
            raise CellError(plain("\n".join(reply.get("traceback", [reply["status"]]))))
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

    # Waiting

    def wait_drawn(self, seconds: float = STATE_SECONDS) -> None:
        """Wait until no output of the notebook waits for its widget."""
        self.wait_for("() => testLab.undrawn() === 0", seconds=seconds)

    def wait_idle(self, seconds: float = CELL_SECONDS) -> None:
        """Wait until the kernel has nothing to do."""
        self.wait_for("() => testLab.isIdle()", seconds=seconds)

    # Errors

    def found(self) -> list[str]:
        """Return what went wrong in the page, or in a widget's callback in the kernel."""
        found = [*super().found(), *self.page.evaluate("testLab.kernelErrors")]
        shown = self.page.get_by_text("Error displaying widget").count()
        if shown:
            found.append(f"{shown} x 'Error displaying widget' in the page")
        return [text for text in found if not any(re.search(a, plain(text)) for a in self._allowed)]

    @contextmanager
    def expect_error(self, pattern: str) -> Iterator[None]:
        """Let errors that match a regular expression pass, and wait until there is one."""
        self._allowed.append(pattern)
        yield
        kernel = "() => testLab.kernelErrors"
        self.until(lambda: re.search(pattern, plain("\n".join([*self.errors, *self.page.evaluate(kernel)]))))

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
