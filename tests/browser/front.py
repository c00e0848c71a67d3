"""One page of a notebook's front end: what tests ask of any of them, and the errors that they wait for."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

# Seconds. They bound a hang; nothing waits that long on purpose. The first cell may import TensorFlow
# on a machine that is busy with something else.
PAGE_SECONDS = 120
CELL_SECONDS = 300
STATE_SECONDS = 180

# Uncaught errors that are not ours, each with its reason: what is said, and from which script.
ALLOWED_PAGE_ERRORS: tuple[str, ...] = (
    # anywidget says so of what is drawn after more than two seconds. It is drawn all the same, and nothing of
    # ours listens by way of anywidget (docs/decisions/0011).
    r"\[anywidget\] Failed to initialize model\.",
    # While Notebook 7.6 is loaded, also without any widget. Its keyboard shortcuts ask for their own settings
    # when those of another plugin have come; theirs may come later. They are set when they have.
    r"^TypeError: Cannot read properties of undefined \(reading 'schema'\)\n.*/static/notebook/",
    # So does its file browser, of a command that comes later.
    r"^Error: Command 'filebrowser:open-path' not registered\.?\n.*/static/notebook/",
)

EMPTY_NOTEBOOK = {
    "cells": [],
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


class CellError(AssertionError):
    """A cell raised an exception; the message is its traceback."""


class Front:
    """A page with a notebook, and the kernel behind it.

    Whatever goes wrong in the page fails the test at the next `check`.

    Attributes
    ----------
    page : playwright.sync_api.Page
        For everything that has no method here.
    errors : list of str
        What went wrong in the page since the test began.
    """

    page: Page

    def __init__(self) -> None:
        self.errors: list[str] = []

    def watch(self, page: Page) -> None:
        """Make this the page, and collect its errors."""
        self.page = page
        page.set_default_timeout(STATE_SECONDS * 1000)
        page.set_default_navigation_timeout(PAGE_SECONDS * 1000)
        page.on("pageerror", self._on_page_error)
        page.on("crash", lambda: self.errors.append("the page crashed"))

    # The kernel

    def python(self, code: str, seconds: float = CELL_SECONDS) -> None:
        """Run code in the kernel without a cell."""
        self._execute(code, None, seconds)

    def value(self, expression: str, seconds: float = CELL_SECONDS) -> Any:
        """Return the value of a Python expression in the kernel, by way of JSON."""
        wrapped = f"__import__('json').dumps(({expression}), default=lambda x: x.tolist())"
        answer = self._execute("", wrapped, seconds)["user_expressions"]["value"]
        if answer["status"] != "ok":
            raise CellError(plain("\n".join(answer["traceback"])))
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def wait_idle(self, seconds: float = CELL_SECONDS) -> None:
        """Wait until the kernel has nothing to do."""
        raise NotImplementedError

    def _execute(self, code: str, expression: str | None, seconds: float) -> dict[str, Any]:
        """Run code; return the kernel's reply, with the ``value`` of an expression."""
        raise NotImplementedError

    # The page

    def reload(self) -> None:
        """Load the page anew as a user would, and wait until the widgets are drawn."""
        raise NotImplementedError

    def set_viewport(self, width: int, height: int) -> None:
        """Give the page a size in CSS pixels."""
        self.page.set_viewport_size({"width": width, "height": height})

    def screenshot(self, element: Locator, path: str | Path | None = None) -> np.ndarray:
        """Return what the user sees of an element, ``(height, width, 3) uint8``; keep it as a file too."""
        picture = element.screenshot(path=path, animations="disabled")
        return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))

    def pixels(self, canvas: Locator) -> np.ndarray:
        """Return what was drawn on a canvas, ``(height, width, 4) uint8``, as the page holds it."""
        url = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
        picture = base64.b64decode(url.partition(",")[2])
        return np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA"))

    # Waiting

    def wait_for(self, condition: str, argument: Any = None, seconds: float = STATE_SECONDS) -> None:
        """Wait until a JavaScript function of one argument returns something true."""
        try:
            self.page.wait_for_function(condition, arg=argument, timeout=seconds * 1000)
        except PlaywrightTimeout as error:
            self.check()
            raise TimeoutError(f"after {seconds} s it is not so: {condition} {argument or ''}") from error

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

    def found(self) -> list[str]:
        """Return all that went wrong."""
        return [*self.errors]

    def check(self) -> None:
        """Fail if anything went wrong."""
        bad = [plain(text) for text in self.found()]
        assert not bad, "\n".join(["errors in the page:", *bad])

    def _on_page_error(self, error: PlaywrightError) -> None:
        told = error.stack or f"Error: {error}"
        if not any(re.search(allowed, told) for allowed in ALLOWED_PAGE_ERRORS):
            self.errors.append(f"page error: {told}")


def plain(text: str) -> str:
    """Return text without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
