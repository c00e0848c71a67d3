"""A page by one plan: samples go in one by one, as long as there is room."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from ...attribution import METHODS
from ...keys import short_name
from ...reading.ordering import INDEX
from ...selection import Selection
from ...session import Session
from .. import text
from ..asked import Asked
from ..class_values import best_first, class_values
from ..under import is_picture, photo_under, places_under
from . import page
from .layer import LayerFacts, facts_of, packed_layer
from .overlay import method_of, packed_overlays
from .packing import as_json
from .plan import Plan, without

Progress = Callable[[float, str], None]
# Of the room that there is, the graph takes so much at the most.
_SHARE_OF_GRAPH = 0.15
# What the list of what is left out may grow by, once all samples are in.
_SPARE = 200


class NoRoomError(Exception):
    """There is no room for as many samples as a plan wants.

    Attributes
    ----------
    needed : int
        Bytes that would have been enough.
    """

    def __init__(self, needed: int) -> None:
        super().__init__(needed)
        self.needed = needed


class Draft:
    """A page of a session by one plan.

    Parameters
    ----------
    shown : Session
        What the user looks at.
    work : Session
        The same model and batch, to be read for the page.
    plan, whole : Plan
        What goes into the page, and what there is.
    facts : dict
        What the page says of model and batch.
    room : int
        Bytes of the file at the most.
    tell : callable
        Is told ``(share, words)``.
    """

    def __init__(
        self,
        shown: Session,
        work: Session,
        plan: Plan,
        whole: Plan,
        facts: dict[str, Any],
        room: int,
        tell: Progress,
    ) -> None:
        self._shown, self._work, self._plan, self._tell = shown, work, plan, tell
        self._room = room
        self._layers = [self._facts_of(address) for address in plan.layers]
        self._entries: dict[int, dict[str, Any]] = {}
        self._blocks: dict[int, str] = {}
        self._said = without(plan, whole)
        self._drawings = len(facts["graph"]["drawings"]) if facts["graph"] else 0
        self._facts = facts | {
            "layers": [
                layer.for_page() | {"name": short_name(layer.address, work.layers)} for layer in self._layers
            ],
            "graph": self._graph(facts["graph"]) if facts["graph"] and plan.graph else None,
        }

    @property
    def samples(self) -> list[int]:
        """Numbers of the samples that are in."""
        return sorted(self._entries)

    @property
    def left_out(self) -> list[str]:
        """What found no room, in words."""
        said = list(self._said)
        if self._facts["graph"] is None:
            said.append("The model graph.")
        elif len(self._facts["graph"]["drawings"]) < self._drawings:
            said.append("What is inside the groups of the model graph.")
        lost = self._work.batch_size - len(self._entries)
        if lost:
            said.insert(0, f"{lost} of {self._work.batch_size} samples.")
        if any(layer.has_sliders for layer in self._layers) or self._has_slices:
            said.append("Other places along axes with a slider than those on the screen.")
        said += _not_offered(self._shown.selection)
        chosen, taken = self._shown.selection.method, method_of(self._shown)[0]
        if self._shown.silenced:
            said.append("The answer with channels silenced: all is of the model as it is.")
        if self._shown.selection.target_layer:
            target = self._shown.explained_target(self._shown.selection.sample)
            said.append(f"Attribution of a channel: {self._shown.target_name(target)}.")
        if chosen != taken:
            said.append(f"Maps by {METHODS[chosen].title}, which take long: {METHODS[taken].title} is shown.")
        return said

    def fill(self) -> None:
        """Put samples in, the one on the screen first.

        Raises
        ------
        NoRoomError
            If fewer fit than the plan wants.
        """
        chosen = self._shown.selection.sample
        order = [chosen, *(i for i in range(self._work.batch_size) if i != chosen)]
        used = len(self.page()) + _SPARE
        least, expected = min(self._plan.least, len(order)), len(order)
        for number, sample in enumerate(order):
            # The first sample stands for all: a plan that can't hold enough of its like is given up.
            room = (self._room - used) // (least if number == 0 else 1)
            try:
                entry, block = self._sample(sample, room, (number, expected))
            except NoRoomError as error:
                if number == 0:
                    raise NoRoomError(used + error.needed) from error
                return
            size = len(block) + len(as_json(entry).encode("utf-8")) + 1
            used += size
            if number == 0:
                expected = min(len(order), 1 + (self._room - used) // size)
            self._entries[sample], self._blocks[sample] = entry, block

    def page(self) -> bytes:
        """Return the page as it is now."""
        samples = self.samples
        facts = self._facts | {
            "samples": [self._entries[sample] for sample in samples],
            "left_out": self.left_out,
        }
        return page.assembled(facts, [self._blocks[sample] for sample in samples])

    def _facts_of(self, address: str) -> LayerFacts:
        chosen, plan = self._shown.selection, self._plan
        channel = chosen.channel if address == chosen.layer else None
        return facts_of(self._work, address, plan.side, plan.channels, chosen.sample, channel)

    def _sample(self, sample: int, room: int, turn: tuple[int, int]) -> tuple[dict[str, Any], str]:
        """Return what the page holds of a sample; `turn`: its place among how many."""
        classes = self._classes(sample)
        entry = {
            "number": sample,
            "photo": self._photo(sample, 0),
            "under": {index: self._photo(sample, index) for index in self._further},
            "values": base64.b64encode(self._values(sample).tobytes()).decode("ascii"),
            "classes": classes,
        }
        blocks: list[str] = []
        used = len(as_json(entry).encode("utf-8")) + 1  # a comma
        parts = len(self._layers) + len(classes)
        for number, (words, block) in enumerate(self._parts(sample, classes)):
            self._tell(min((turn[0] + number / parts) / turn[1], 0.99), f"sample {sample}: {words}")
            blocks.append(block)
            used += len(block)
            if used > room:
                break
        if used > room:
            raise NoRoomError(used)
        return entry, "".join(blocks)

    @property
    def _further(self) -> list[int]:
        """Numbers of the inputs that may lie under a map, but for the first."""
        count = len(self._shown.reader.inputs.arrays)
        return [index for index in range(1, count) if is_picture(self._shown, index)]

    @property
    def _has_slices(self) -> bool:
        """Whether a slice is shown of an input."""
        return any(places_under(self._shown, index) for index in (0, *self._further))

    def _photo(self, sample: int, index: int) -> str:
        return photo_url(photo_under(self._shown, sample, index), self._plan.photo)

    def _parts(self, sample: int, classes: Sequence[int]) -> Iterator[tuple[str, str]]:
        for index, facts in enumerate(self._layers):
            if not facts.error:
                block = packed_layer(self._work, facts, sample)
                yield facts.address, page.block(f"m{sample}-{index}", block)
        for target in classes:
            asked = replace(Asked.of(self._work), sample=sample, target=target)
            block = packed_overlays(self._work, self._plan.layers, asked, self._plan.side)
            yield self._work.class_name(target), page.block(f"a{sample}-{target}", block)

    def _classes(self, sample: int) -> list[int]:
        """Return the classes of a sample that are explained, the likeliest first."""
        order = best_first(self._work.head, self._values(sample))
        kept = order[: self._plan.classes]
        chosen = self._shown.selection
        if kept and chosen.target is not None and not chosen.target_layer and chosen.target not in kept:
            kept.append(chosen.target)
        return kept

    def _values(self, sample: int) -> np.ndarray:
        """Return the value of each class, ``(classes,) float32``."""
        return class_values(self._work.head, self._work.predictions(sample).astype("<f4"))

    def _graph(self, graph: dict[str, Any]) -> dict[str, Any] | None:
        """Return the drawings of the graph that there is room for, and which layer of the page a box is."""
        places = {address: index for index, address in enumerate(self._plan.layers)}
        for count in range(len(graph["drawings"]), 0, -1):
            made = {
                "drawings": graph["drawings"][:count],
                "layers": {box: places[tap] for box, tap in graph["taps"].items() if tap in places},
                "boxes": [[boxes[a] for a in self._plan.layers] for boxes in graph["boxes"][:count]],
            }
            if len(as_json(made)) < _SHARE_OF_GRAPH * self._room:
                return made
        return None


def _not_offered(chosen: Selection) -> list[str]:
    """Return in words what is chosen in the explorer and cannot be chosen in the page."""
    said = []
    if chosen.value_range is not None:
        said.append(f"The range of values that is lit up: {text.range_of(chosen.value_range)}.")
    if chosen.order != INDEX:
        said.append(f"The order of channels by {chosen.order}: they come by number.")
    if chosen.hide_dead:
        said.append("That dead channels are hidden: they are shown.")
    return said


def photo_url(photo: np.ndarray, side: int) -> str:
    """Return a picture no larger than `side` as a data URL: as it is if it is small, else as JPEG."""
    image = Image.fromarray(photo)
    buffer = io.BytesIO()
    if max(image.size) <= 64:
        image.save(buffer, format="PNG", optimize=True)
        return _url("png", buffer)
    image.thumbnail((side, side))
    image.save(buffer, format="JPEG", quality=88)
    return _url("jpeg", buffer)


def _url(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
