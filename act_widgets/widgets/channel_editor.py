"""Silence channels, and see the prediction move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from ..rendering import charts, pictures
from ..session import Session
from . import text
from .base import View
from .maps import check_channels


@dataclass(frozen=True)
class Silence:
    """What is silenced, and whether the chosen channel is.

    Attributes
    ----------
    array : (channels,) int ndarray
        The channels that are silenced.
    layer : str
        What their layer is called; empty for nothing.
    """

    array: np.ndarray
    layer: str
    chosen: int
    is_silent: bool

    @property
    def words(self) -> str:
        """What is silenced, in words."""
        if not self.layer:
            return "Nothing is silenced."
        channels = ", ".join(map(str, self.array.tolist()))
        return f"Silenced in {self.layer}: {channels}. Predictions show before and after."


class ChannelEditor(View):
    """Silences channels of one layer; predictions show the model's answer before and after.

    Only what lies behind the layer is computed, and the model itself stays as it is.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "What if"
    watches = ("layer", "channel")

    def __init__(self, session: Session) -> None:
        self._toggle = ipywidgets.Button(layout={"width": "auto", "flex": "1 1 auto"})
        self._clear = ipywidgets.Button(description="Undo all", layout={"width": "auto"})
        self._under = ipywidgets.HTML()
        super().__init__(session)

    def build(self) -> list[ipywidgets.Widget]:
        """Return the two buttons and what is silenced."""
        self._toggle.on_click(self.guarded(self._toggled))
        self._clear.on_click(self.guarded(self._cleared))
        return [ipywidgets.HBox([self._toggle, self._clear]), self._under]

    def key(self) -> tuple:
        """Layer, channel, and what is silenced."""
        chosen = self.session.selection
        return chosen.layer, chosen.channel, self.session.silenced

    def compute(self, key: tuple) -> Silence:
        """Return what is silenced."""
        layer, channel, silenced = key
        where, channels = silenced or ("", ())
        name = where and self.called(where)
        return Silence(np.array(channels, int), name, channel, where == layer and channel in channels)

    def draw(self, result: Silence) -> None:
        """Name the buttons by what they do now."""
        self._toggle.description = f"{'Restore' if result.is_silent else 'Silence'} channel {result.chosen}"
        self._clear.disabled = not result.layer
        self._under.value = text.caption(result.words)

    def picture(self, result: Silence) -> bytes:
        """Return what is silenced as text."""
        return pictures.png_of(charts.text_lines([result.words]))

    def _toggled(self, _: Any) -> None:
        layer, channel = self.session.selection.layer, self.session.selection.channel
        check_channels(self.session, layer)
        where, channels = self.session.silenced or (layer, ())
        kept = set(channels) if where == layer else set()
        kept ^= {channel}
        self.session.silenced = (layer, tuple(sorted(kept))) if kept else ()

    def _cleared(self, _: Any) -> None:
        self.session.silenced = ()
