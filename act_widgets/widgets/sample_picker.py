"""Thumbnails of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ipywidgets
import numpy as np

from ..rendering import pictures
from ..rendering.pictures import Mosaic
from ..session import Session
from .base import View
from .surface import Box, Placed, Scene, Sheet, Surface

_SIDE = 72
_COLUMNS = 6
_PAGE = 12
_GAP = 4


@dataclass(frozen=True)
class Thumbnails:
    """A page of thumbnails.

    Attributes
    ----------
    array : (count, height, width, 3) uint8 ndarray
        The pictures.
    first : int
        Sample of the first.
    """

    array: np.ndarray
    first: int
    mosaic: Mosaic
    png: bytes

    @cached_property
    def sheet(self) -> Sheet:
        """The page, to be sent once."""
        return Sheet(self.png)

    def box(self, sample: int) -> Box:
        """Return where a sample's thumbnail lies."""
        top, left = self.mosaic.corner(sample - self.first)
        return Box(left, top, _SIDE, _SIDE)


class SamplePicker(View):
    """The samples of the batch, twelve at a time. A click or the slider chooses one.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Sample"
    watches = ("sample",)

    def __init__(self, session: Session) -> None:
        self._slider = ipywidgets.IntSlider(min=0, max=0, layout={"width": "auto", "flex": "1 1 auto"})
        self._surface = Surface(_COLUMNS * (_SIDE + _GAP) - _GAP, _SIDE)
        self._first = 0
        super().__init__(session)
        self._slider.observe(self.guarded(self._moved), names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return the thumbnails and the slider."""
        self._surface.face.add_class("aw-click")
        self._surface.on_click(self.guarded(self._click))
        return [self._surface.face, ipywidgets.HBox([self._slider])]

    def key(self) -> int:
        """The first sample of the page."""
        return self.session.selection.sample // _PAGE * _PAGE

    def look(self) -> int:
        """The sample that is framed."""
        return self.session.selection.sample

    def compute(self, key: int) -> Thumbnails:
        """Return the thumbnails of a page."""
        samples = range(key, min(key + _PAGE, self.session.batch_size))
        photos = [self.session.photos.thumbnail(sample, _SIDE) for sample in samples]
        rows = -(-len(photos) // _COLUMNS)
        mosaic = Mosaic(rows, _COLUMNS, _SIDE, _SIDE, _GAP)
        sheet = np.zeros((*mosaic.shape, 4), np.uint8)
        for index, photo in enumerate(photos):
            top, left = mosaic.corner(index)
            sheet[top : top + _SIDE, left : left + _SIDE, :3] = photo
            sheet[top : top + _SIDE, left : left + _SIDE, 3] = 255
        return Thumbnails(np.stack(photos), key, mosaic, pictures.png_of(sheet))

    def draw(self, result: Thumbnails) -> None:
        """Show the page and a frame around the chosen sample."""
        sample = self.session.selection.sample
        self._first = result.first
        height, width = result.mosaic.shape
        with self.following():
            self._slider.max = self.session.batch_size - 1
            self._slider.value = sample
        self._slider.disabled = self.session.batch_size == 1
        placed = Placed(result.sheet, Box(0, 0, width, height))
        self._surface.show((width, height), Scene([placed], [result.box(sample)]))
        # The usual ranges need no word; that of a batch is no fact about a single picture.
        words = self.session.photos.range_text
        unusual = f" · brightness {words}" if "batch" in words else ""
        self.note(f"{sample} of {self.session.batch_size}, counted from 0{unusual}")

    def picture(self, result: Thumbnails) -> bytes:
        """Return the page as a PNG."""
        return result.png

    def _moved(self, change: dict[str, Any]) -> None:
        self.choose("sample", change["new"])

    def _click(self, x: float, y: float) -> None:
        row, column = int(y // (_SIDE + _GAP)), int(x // (_SIDE + _GAP))
        sample = self._first + row * _COLUMNS + column
        if column < _COLUMNS and sample < self.session.batch_size:
            self.session.selection.sample = sample
