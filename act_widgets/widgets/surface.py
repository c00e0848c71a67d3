"""Pictures on the screen, with frames around parts of them, and where they are clicked.

Views hand over pictures and rectangles; the page draws them. A picture is sent once: showing another part of
it, larger, fainter or with other frames, is a message of a few hundred bytes, and none at all where the page
was told beforehand what a slider leads to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets
import traitlets

from .face import Face, Faced, script_of

_numbers = itertools.count()


class Box(NamedTuple):
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float


class Sheet:
    """A picture for the page, which keeps it as long as something of it is shown.

    Parameters
    ----------
    png : bytes
    """

    def __init__(self, png: bytes) -> None:
        self.png = png
        self.name = str(next(_numbers))


class Placed(NamedTuple):
    """A picture in the drawing.

    Attributes
    ----------
    sheet : Sheet
        The picture.
    box : Box
        Where it goes.
    part : Box or None
        Which part of it, in its own pixels; all of it if None.
    opacity : float
        From 0 to 1.
    smooth : bool
        Whether enlarging interpolates. Maps are not smoothed: a cell is a number.
    """

    sheet: Sheet
    box: Box
    part: Box | None = None
    opacity: float = 1.0
    smooth: bool = False


class Scene(NamedTuple):
    """What is drawn: pictures in order, then frames around boxes."""

    placed: Sequence[Placed]
    frames: Sequence[Box] = ()


class Surface(Faced):
    """A drawing that says where it is clicked.

    Parameters
    ----------
    width, height : int
        Size of the drawing in pixels. On the screen it fills the width of its card.
    """

    script = script_of("surface.js")

    size = traitlets.Tuple((1, 1)).tag(sync=True)
    """Width and height."""

    ground = traitlets.Dict().tag(sync=True)
    """What fills the drawing under all else, if anything does: PNG by name. Apart from the other pictures,
    because a trait is sent whole, and this one seldom changes."""

    sheets = traitlets.Dict().tag(sync=True)
    """The other pictures: PNG by name."""

    scene: traitlets.Dict = traitlets.Dict({"placed": [], "frames": []}).tag(sync=True)
    """What is drawn: which pictures and frames, where."""

    scenes: traitlets.Dict = traitlets.Dict().tag(sync=True)
    """What is drawn in its place when the slider stands at a number."""

    # Private, since the slider belongs to another card: closing this one must not close it.
    _slider = traitlets.Instance(ipywidgets.Widget, allow_none=True).tag(
        sync=True, **ipywidgets.widget_serialization
    )

    def __init__(self, width: int, height: int) -> None:
        super().__init__(size=(width, height))
        self.face = Face(self)
        self._callbacks: dict[str, Callable[..., None]] = {}
        self.on_msg(self._hear)

    def show(
        self,
        size: tuple[int, int],
        scene: Scene,
        scenes: Mapping[int, Scene] | None = None,
        ground: Sheet | None = None,
    ) -> None:
        """Draw a scene.

        Parameters
        ----------
        size : tuple of int
            Width and height of the drawing.
        scene : Scene
        scenes : mapping of int to Scene, optional
            What the page draws in its place, at once, when the slider that it follows stands there.
        ground : Sheet, optional
            What fills the drawing under all of it.
        """
        scenes = scenes or {}
        used = [item.sheet for one in (scene, *scenes.values()) for item in one.placed]
        with self.hold_sync():
            self.size = size
            self.ground = _by_name([ground] if ground else [])
            self.sheets = _by_name(used)
            self.scene = _told(scene)
            self.scenes = {str(position): _told(one) for position, one in scenes.items()}

    def on_click(self, callback: Callable[[float, float], None]) -> None:
        """Call `callback(x, y)` with the pixel that was clicked."""
        self._callbacks["click"] = callback

    def on_hover(self, callback: Callable[[float, float], None], leave: Callable[[], None]) -> None:
        """Call `callback(x, y)` for the pixel under the pointer, and `leave()` when it goes."""
        self._callbacks |= {"point": callback, "leave": leave}

    def _hear(self, surface: Surface, message: dict[str, Any], buffers: list) -> None:
        if message["event"] in self._callbacks:
            self._callbacks[message["event"]](*message["at"])


def _by_name(sheets: Iterable[Sheet]) -> dict[str, bytes]:
    return {sheet.name: sheet.png for sheet in sheets}


def _told(scene: Scene) -> dict[str, Any]:
    placed = [{**item._asdict(), "sheet": item.sheet.name} for item in scene.placed]
    return {"placed": placed, "frames": list(scene.frames)}
