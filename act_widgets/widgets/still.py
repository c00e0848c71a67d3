"""The picture that a widget leaves in the notebook, for where no kernel keeps it alive."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any
from uuid import uuid4

import ipywidgets
import numpy as np
from IPython.display import publish_display_data

from ..rendering import sheet
from ..session import Session
from . import text
from .meanwhile import answer_meanwhile
from .worker import worker_of

# Seconds to wait for what is being computed: before the widget is shown, and before its last picture is made.
_BEFORE, _AFTER = 0.3, 10.0
# Pixels of a picture at the most, and those for each pixel of the page.
_WIDTH, _DENSITY = 1500, 1.5


class Pictured(ipywidgets.VBox):
    """A box that leaves a picture of itself in the notebook.

    JupyterLab does not save widgets: a notebook that is opened again shows an error in their place, even if
    a picture lies in the same output; other programs show that picture. So a second output follows, with a
    picture that hides while the widget is alive. It comes after the widget is on the screen, and has what was
    not computed before.

    Parameters
    ----------
    children : sequence of ipywidgets.Widget
        What the box holds.
    """

    session: Session

    def __init__(self, children: Sequence[ipywidgets.Widget]) -> None:
        self._token = uuid4().hex
        alive = f".jp-NotebookPanel .jp-OutputArea-child:has(.aw-still-{self._token})"
        style = f"{text.style_sheet()}<style>{alive} {{ display: none !important; }}</style>"
        super().__init__([ipywidgets.HTML(style, layout={"display": "none"}), *children])
        self.add_class("aw-live")
        answer_meanwhile(self)

    def still(self) -> np.ndarray:
        """Return the widget as it is on the screen, ``(height, width, 3) uint8``. Nothing is computed."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of '{self.session.model_name}' at '{self.session.selection.layer}'>"

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._bundle(self._small_picture(), **options)

    def _ipython_display_(self) -> None:
        if self.comm is None:
            _publish({"text/plain": f"{self!r}, closed"})
            return
        is_whole = worker_of(self.session).wait(_BEFORE)
        picture = self._small_picture()
        _publish(*self._bundle(picture))
        if not is_whole:
            worker_of(self.session).wait(_AFTER)
            picture = self._small_picture()
        _publish({"text/html": self._still_html(picture)})

    def _bundle(self, picture: bytes, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        shown = {**super()._repr_mimebundle_(**options), "image/png": _as_text(picture)}
        return shown, {"image/png": {"width": _width(picture)}}

    def _small_picture(self) -> bytes:
        return sheet.small_png(self.still(), _WIDTH)

    def _still_html(self, picture: bytes) -> str:
        style = files(__package__).joinpath("still.css").read_text("utf-8")
        url = f"data:image/png;base64,{_as_text(picture)}"
        return (
            f'<style>{style}</style><div class="aw-still aw-still-{self._token}" hidden="hidden">'
            f'<img src="{url}" width="{_width(picture)}" alt="{escape(repr(self))}">'
            "<p>A still picture: run the cell to look around.</p></div>"
        )


def _publish(bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
    publish_display_data(bundle, metadata)  # type: ignore[no-untyped-call]


def _as_text(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")


def _width(png: bytes) -> int:
    """Return how wide a picture is shown, in pixels of the page."""
    return round(sheet.decoded(png).shape[1] / _DENSITY)
