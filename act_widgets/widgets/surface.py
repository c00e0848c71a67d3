"""The one place that draws on ipycanvas.

Views hand over pictures and rectangles. A picture is sent once, to an off-screen canvas; showing it
again, larger, fainter or with other frames, is a message of a few hundred bytes.
"""

from __future__ import annotations

import base64
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets
from ipycanvas import Canvas, hold_canvas

from .parts import parts_of

# hold_canvas is global to the process: two threads inside would mix their commands.
_lock = threading.RLock()

# The page may lag behind: it must still find what it was told to draw. One picture or canvas that it misses
# stops ipycanvas for good: each command waits for the one before it, and none comes after a failure.
_SECONDS_KEPT = 60.0
_left: deque[tuple[float, ipywidgets.Widget]] = deque()


@dataclass(frozen=True)
class Box:
    """A rectangle in canvas pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Placed:
    """A picture on the canvas.

    Attributes
    ----------
    png : bytes
        The picture.
    shape : tuple of int
        Its height and width in pixels.
    box : Box
        Where it goes.
    opacity : float
        From 0 to 1.
    smooth : bool
        Whether enlarging interpolates. Maps are not smoothed: a cell is a number.
    """

    png: bytes
    shape: tuple[int, int]
    box: Box
    opacity: float = 1.0
    smooth: bool = False


class Surface:
    """A canvas that shows pictures and frames, and says where it is clicked.

    Parameters
    ----------
    width, height : int
        Size of the drawing in canvas pixels. On the screen it fills the width of its card.
    """

    def __init__(self, width: int, height: int) -> None:
        self.canvas = Canvas(width=width, height=height, layout={"width": "100%", "height": "auto"})
        self.canvas.add_class("aw-canvas")
        # The widget to put into a card. The card closes it, and what is inside stays a while.
        self.widget = ipywidgets.Box([self.canvas], layout={"overflow": "visible"})
        self._sheets: list[_Sheet] = []
        self._placed: tuple[Placed, ...] = ()
        self._frames: tuple[Box, ...] = ()
        self._open = True
        self._deafen: list[Callable[[], None]] = []
        self._hear(self.canvas.on_client_ready, self._redraw)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the drawing; what is shown must be shown again."""
        with _lock:
            if (self.canvas.width, self.canvas.height) != (width, height):
                self.canvas.width, self.canvas.height = width, height

    def show(self, placed: Sequence[Placed], frames: Sequence[Box] = ()) -> None:
        """Draw pictures in order, then frames around boxes."""
        with _lock:
            if not self._open:
                return
            self._placed, self._frames = tuple(placed), tuple(frames)
            while len(self._sheets) < len(placed):
                self._sheets.append(_Sheet())
            with _drawing():
                self._draw()

    def on_click(self, callback: Callable[[float, float], None]) -> None:
        """Call `callback(x, y)` with the canvas pixel that was clicked."""
        self._hear(self.canvas.on_mouse_down, callback)

    def on_hover(self, callback: Callable[[float, float], None], leave: Callable[..., None]) -> None:
        """Call `callback(x, y)` for the pixel under the pointer, and `leave()` when it goes."""
        self._hear(self.canvas.on_mouse_move, callback)
        self._hear(self.canvas.on_mouse_out, leave)

    def close(self) -> None:
        """Take the canvases off the screen; they are freed later, for a page that has yet to draw on them."""
        with _lock:
            self._open = False
            for deafen in self._deafen:
                deafen()
            self.widget.children = ()
            for sheet in self._sheets:
                sheet.close()
            self._sheets.clear()
            _leave(*parts_of(self.canvas), self.canvas)

    def _hear(self, register: Callable[..., None], callback: Callable[..., None]) -> None:
        register(callback)
        self._deafen.append(partial(register, callback, remove=True))

    def _draw(self) -> None:
        for sheet, item in zip(self._sheets, self._placed, strict=False):
            sheet.load(item)
        canvas = self.canvas
        canvas.clear()
        for sheet, item in zip(self._sheets, self._placed, strict=False):
            canvas.image_smoothing_enabled = item.smooth
            canvas.global_alpha = item.opacity
            canvas.draw_image(sheet.canvas, item.box.x, item.box.y, item.box.width, item.box.height)
        canvas.global_alpha = 1
        for frame in self._frames:
            for colour, width in (("#ffffff", 5), ("#d55e00", 3)):
                canvas.stroke_style, canvas.line_width = colour, width
                canvas.stroke_rect(frame.x, frame.y, frame.width, frame.height)

    def _redraw(self) -> None:
        """Draw all anew for a page that has just opened and has nothing."""
        with _lock:
            for sheet in self._sheets:
                sheet.forget()
            # ipycanvas remembers which canvas it drew on last and would not tell the new page
            # (its issue 322). Drawing on another one first makes it say so again.
            _scratch().fill_rect(0, 0, 1, 1)
            with _drawing():
                self._draw()


def let_go(seconds: float = _SECONDS_KEPT) -> None:
    """Close what was taken off the screen so many seconds ago, or earlier. Drawing does it by the way."""
    with _lock:
        while _left and _left[0][0] <= time.monotonic() - seconds:
            _left.popleft()[1].close()


def _leave(*widgets: ipywidgets.Widget) -> None:
    """Have widgets closed later; they are off the screen."""
    let_go()
    _left.extend((time.monotonic(), widget) for widget in widgets)


class _Sheet:
    """A picture on a canvas that is not displayed."""

    def __init__(self) -> None:
        self.canvas = Canvas(width=1, height=1)
        self._layout = ipywidgets.Layout()  # one for all images
        self._images: list[ipywidgets.Image] = []  # the one that is shown
        self._png: bytes | None = None

    def load(self, item: Placed) -> None:
        if item.png == self._png:
            return
        height, width = item.shape
        if (self.canvas.width, self.canvas.height) != (width, height):
            self.canvas.width, self.canvas.height = width, height
        # A data URL: for other formats ipycanvas makes object URLs, which it never frees.
        url = b"data:image/png;base64," + base64.b64encode(item.png)
        # A new widget each time: the page could draw before an old one's new value arrives.
        image = ipywidgets.Image(value=url, format="url", layout=self._layout)
        self.canvas.clear()
        self.canvas.draw_image(image, 0, 0)
        self._png = item.png
        _leave(*self._images)
        self._images = [image]

    def forget(self) -> None:
        self._png = None

    def close(self) -> None:
        _leave(*self._images, self._layout, *parts_of(self.canvas), self.canvas)
        self._images = []


@contextmanager
def _drawing() -> Iterator[None]:
    """Send what is drawn inside as one message, also when it fails midway.

    ``hold_canvas`` itself has no ``finally``: an exception that passed through it would stop all
    drawing of the process.
    """
    failure: Exception | None = None
    with hold_canvas():
        try:
            yield
        except Exception as error:  # raised again below
            failure = error
    if failure is not None:
        raise failure


_scratches: list[Any] = []


def _scratch() -> Canvas:
    if not _scratches or _scratches[0].comm is None:
        _scratches[:] = [Canvas(width=1, height=1)]
    return _scratches[0]
