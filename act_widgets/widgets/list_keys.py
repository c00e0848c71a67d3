"""The keys of lists: arrows, letters and the like choose in the list that has the focus."""

from __future__ import annotations

from pathlib import Path

import anywidget


class ListKeys(anywidget.AnyWidget):
    """Shows nothing; the lists of a page with one of these keep their keys from JupyterLab's shortcuts."""

    # The text, not the path: anywidget watches a path, and would hold every instance for ever.
    _esm = Path(__file__).with_suffix(".js").read_text("utf-8")
