"""Pickers of layer, channel and class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from ..rendering import charts, pictures
from ..session import Session
from . import text
from .base import View

# A list whose value is None shows nothing, so the entry that follows the prediction needs a number.
_AS_PREDICTED = -1
_UNIT = -2
_SPACE = "\u00a0"
_NAME_WIDTH = 22


@dataclass(frozen=True)
class Choice:
    """What a control offers and what is chosen.

    Attributes
    ----------
    array : ndarray
        The values on offer, in the order of the screen.
    options : list of (str, value)
        The same with their labels.
    chosen : object
        The value chosen.
    """

    array: np.ndarray
    options: list[tuple[str, Any]]
    chosen: Any


class _Control(View):
    """A list of options, one of them chosen."""

    def picture(self, result: Choice) -> bytes:
        """Return the options as text, the chosen one marked."""
        lines = [f"{'▸ ' if value == result.chosen else '  '}{label}" for label, value in result.options[:40]]
        return pictures.png_of(charts.text_lines([self.title, *lines]))


class LayerPicker(_Control):
    """Every layer with its kind and shape; inner layers are indented below the one that holds them.

    Arrow keys move through the list, typing in the search box narrows it.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Layer"
    watches = ("layer",)

    def __init__(self, session: Session) -> None:
        self._search = ipywidgets.Text(placeholder="search name or type", continuous_update=True)
        self._previous = ipywidgets.Button(
            icon="chevron-up", tooltip="Previous layer", layout={"width": "36px"}
        )
        self._next = ipywidgets.Button(icon="chevron-down", tooltip="Next layer", layout={"width": "36px"})
        self._list = ipywidgets.Select(rows=9, layout={"width": "auto"})
        self._list.add_class("aw-wide")
        super().__init__(session)
        self._search.observe(self._on_change, names=["value"])
        self._list.observe(self.guarded(self._picked), names=["value"])
        self._previous.on_click(self.guarded(lambda _: self._step(-1)))
        self._next.on_click(self.guarded(lambda _: self._step(1)))

    def build(self) -> list[ipywidgets.Widget]:
        """Return search box, previous and next, and the list."""
        self._search.layout.flex = "1 1 auto"
        self._search.layout.width = "auto"
        return [ipywidgets.HBox([self._search, self._previous, self._next]), self._list]

    def key(self) -> tuple[str, str]:
        """The layer chosen, and what is searched."""
        return self.session.selection.layer, self._search.value

    def compute(self, key: tuple[str, str]) -> Choice:
        """Return the layers that match, and the chosen one."""
        chosen, search = key
        words = search.lower().split()
        offered = [a for a in _nested(self.session.layers) if self._matches(a, words) or a == chosen]
        names = [_indented(a) for a in offered]
        width = min(max(map(len, names)), _NAME_WIDTH)
        labels = [f"{name:{_SPACE}<{width}} {self._facts(a)}" for name, a in zip(names, offered, strict=True)]
        return Choice(np.array(offered), list(zip(labels, offered, strict=True)), chosen)

    def draw(self, result: Choice) -> None:
        """Change the list only if other layers match; then mark the chosen one."""
        with self.following():
            if list(self._list.options) != result.options:
                self._list.options = result.options
            self._list.value = result.chosen
        count = len(self.session.layers)
        shown = f"{len(result.options)} of {count}" if len(result.options) < count else f"{count}"
        lost = len(self.session.unreachable)
        self.note(f"{shown} layers" + (f" · {lost} can't be read" if lost else ""))

    def _matches(self, address: str, words: list[str]) -> bool:
        hay = f"{address} {self.session.tap(address).kind}".lower()
        return all(word in hay for word in words)

    def _facts(self, address: str) -> str:
        tap = self.session.tap(address)
        return f"{tap.size_text.replace(' ', '')} {tap.kind}"

    def _picked(self, change: dict) -> None:
        if change["new"] is not None:
            self.choose("layer", change["new"])

    def _step(self, by: int) -> None:
        """Go on in the list as it is on the screen."""
        offered = [address for _, address in self._list.options]
        at = offered.index(self.session.selection.layer) + by
        self.session.selection.layer = offered[min(max(at, 0), len(offered) - 1)]


class ChannelSlider(_Control):
    """A slider over the layer's channels, with a button that plays through them.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Channel"
    watches = ("layer", "channel")

    def __init__(self, session: Session) -> None:
        self._slider = ipywidgets.IntSlider(min=0, max=0, layout={"width": "auto", "flex": "1 1 auto"})
        self._play = ipywidgets.Play(min=0, max=0, interval=250, show_repeat=False)
        super().__init__(session)
        self._slider.observe(self.guarded(self._moved), names=["value"])
        self._play.observe(self.guarded(self._moved), names=["value"])

    def build(self) -> list[ipywidgets.Widget]:
        """Return play and slider."""
        return [ipywidgets.HBox([self._play, self._slider])]

    def key(self) -> tuple[str, int]:
        """Layer and channel."""
        return self.session.selection.layer, self.session.selection.channel

    def compute(self, key: tuple[str, int]) -> Choice:
        """Return the channels of the layer."""
        channels = np.arange(self.session.reader.channels(key[0]))
        return Choice(channels, [(f"channel {c}", c) for c in channels.tolist()], key[1])

    def draw(self, result: Choice) -> None:
        """Set range and position."""
        last = len(result.array) - 1
        with self.following():
            for control in (self._slider, self._play):
                control.max = last
                control.value = result.chosen
        self._slider.disabled = last == 0
        self.note(f"{result.chosen} of {last + 1}, counted from 0")

    def _moved(self, change: dict) -> None:
        self.choose("channel", change["new"])


class ClassSelector(_Control):
    """The classes with the model's value for the chosen sample, best first.

    A head with one unit offers "for" and "against". The first entry follows the prediction. The button
    has the channel on the screen explained in place of a class, whatever layer is looked at then.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    title = "Class"
    watches = ("sample", "target", "target_layer")

    def __init__(self, session: Session) -> None:
        self._list = ipywidgets.Dropdown(layout={"width": "auto"})
        self._list.add_class("aw-wide")
        self._unit = ipywidgets.Button(
            description="Explain the channel shown", icon="crosshairs", layout={"width": "auto"}
        )
        super().__init__(session)
        self._list.observe(self.guarded(self._picked), names=["value"])
        self._unit.on_click(self.guarded(self._pinned))

    def build(self) -> list[ipywidgets.Widget]:
        """Return the list and the button."""
        return [self._list, self._unit]

    def key(self) -> tuple[int, int | None, str]:
        """Sample, class, and the layer whose channel is explained in place of one."""
        chosen = self.session.selection
        return chosen.sample, chosen.target, chosen.target_layer

    def compute(self, key: tuple[int, int | None, str]) -> Choice:
        """Return the classes with their values."""
        values = dict(self._values(self.session.predictions(key[0])))
        order = sorted(values, key=lambda c: -np.nan_to_num(values[c], nan=-np.inf))
        form = ".1%" if self.session.head.probabilities else ".3g"
        labels = [(f"{self.session.class_name(c)}  {values[c]:{form}}", c) for c in order]
        top = self.session.class_name(self.session.top_class(key[0]))
        chosen = _AS_PREDICTED if key[1] is None else key[1]
        options = [(f"as predicted: {top}", _AS_PREDICTED), *labels]
        if key[2]:
            options.insert(0, (f"channel {key[1] or 0} of {text.last_part(key[2])}", _UNIT))
            chosen = _UNIT
        return Choice(np.array(order), options, chosen)

    def draw(self, result: Choice) -> None:
        """Change the list if values did, and mark the chosen class."""
        with self.following():
            if list(self._list.options) != result.options:
                self._list.options = result.options
            self._list.value = result.chosen
        self.note("the maps explain this")

    def _values(self, units: np.ndarray) -> Iterator[tuple[int, float]]:
        if len(units) > 1:
            yield from enumerate(units.tolist())
            return
        value = float(units[0])
        yield 1, value
        yield 0, 1 - value if self.session.head.probabilities else -value

    def _picked(self, change: dict) -> None:
        if change["new"] not in (None, _UNIT) and not self.is_following:
            self.session.selection.explain(None if change["new"] == _AS_PREDICTED else change["new"])

    def _pinned(self, _: Any) -> None:
        chosen = self.session.selection
        chosen.explain(chosen.channel, chosen.layer)


def _indented(address: str) -> str:
    return _SPACE * 2 * address.count("/") + text.last_part(address)


def _nested(layers: tuple[str, ...]) -> list[str]:
    """Return addresses with each holder before its inner layers, otherwise in call order."""
    children: dict[str, list[str]] = {}
    known = set(layers)
    for address in layers:
        parent = address.rpartition("/")[0]
        while parent and parent not in known:
            parent = parent.rpartition("/")[0]
        children.setdefault(parent, []).append(address)

    def walk(parent: str) -> Iterator[str]:
        for address in children.get(parent, ()):
            yield address
            yield from walk(address)

    return list(walk(""))
