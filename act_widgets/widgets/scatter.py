"""Points in the page, one for each sample: which is chosen, what lies under the pointer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import traitlets

from ..rendering import scatter
from ..rendering.marks import Mark
from .face import Face, Faced, script_of


class Scatter(Faced):
    """Points to click on, or to go to by the arrow keys.

    Positions are pixels of a drawing of 560 × 420, which the page draws at the size that there is. What is
    chosen is told by the number of its sample.

    Parameters
    ----------
    point : callable
        Called as ``point(sample)`` when the pointer comes to a sample.

    Attributes
    ----------
    face : Face
        The widget to put into a card.
    """

    script = script_of("scatter.js")

    size = traitlets.Tuple((scatter.WIDTH, scatter.HEIGHT, scatter.SIDE)).tag(sync=True)
    """Width and height of the drawing, and side of a picture in it."""

    places = traitlets.Bytes(b"").tag(sync=True)
    """Float32 pairs, one for each sample; NaN for one that has no point."""

    radius = traitlets.Float(4.0).tag(sync=True)
    """Of marks, in pixels of the page."""

    kinds = traitlets.Bytes(b"").tag(sync=True)
    """Which of `names` each sample is of, Uint16."""

    names: traitlets.List = traitlets.List().tag(sync=True)
    """What the classes are called."""

    marks: traitlets.List = traitlets.List().tag(sync=True)
    """Their marks: colour and corners. The last one is that of all classes behind."""

    titles = traitlets.Tuple(("", "")).tag(sync=True)
    """What lies along the bottom and along the left side."""

    chosen = traitlets.Int(0).tag(sync=True)
    """The sample with the ring. The page sets it to what was clicked, or gone to."""

    thumbnails = traitlets.Dict().tag(sync=True)
    """Pictures beside points: ``pinned``, triples of sample, left and top; in that order they lie in ``png``,
    ``columns`` side by side, each of ``cell`` pixels."""

    tip = traitlets.Dict().tag(sync=True)
    """What the pointer is told of one ``sample``: its picture as ``png``, and ``words``."""

    def __init__(self, point: Callable[[int], None]) -> None:
        super().__init__()
        self.face = Face(self)
        self._point = point
        self.on_msg(self._hear)

    def show(
        self,
        places: np.ndarray,
        kinds: np.ndarray,
        names: Sequence[str],
        marks: Sequence[Mark],
        titles: tuple[str, str],
        thumbnails: dict[str, Any],
    ) -> None:
        """Draw points, in one message."""
        with self.hold_sync():
            self.places = places.astype("<f4").tobytes()
            self.kinds = kinds.astype("<u2").tobytes()
            self.names = list(names)
            self.marks = [[mark.colour, [*map(list, mark.outline)]] for mark in marks]
            self.radius = scatter.radius(len(places))
            self.titles = titles
            self.thumbnails = thumbnails

    def _hear(self, widget: Scatter, message: dict[str, Any], buffers: list) -> None:
        """Act on a message of the page; one about samples that are gone since is dropped."""
        sample = message.get("sample")
        if isinstance(sample, int) and 0 <= sample < len(self.kinds) // 2:
            self._point(sample)
