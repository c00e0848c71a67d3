"""A batch as points: samples to which a layer answers alike lie together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import ipywidgets
import numpy as np

from ..rendering import charts, marks, pictures, scatter
from ..rendering.photos import Photos
from ..rendering.scatter import Plot
from ..session import Session
from ..statistics.embeddings import METHODS, checked_method
from ..statistics.features import AVERAGED, FLATTENED
from ..statistics.projection import Asked, Projected, asked, is_kept, projection_steps
from . import text
from .base import View
from .classes import Classed, Classes, checked_classes, classed
from .recipe import Setting, of_control
from .scatter import Scatter
from .stage import Stage

_FIRST = "pca"
# Pixels of a picture beside a point, and of the one beside the pointer.
_CELL, _LARGE = 60, 96
_COLUMNS = 16


@dataclass(frozen=True)
class Cloud:
    """A batch as points.

    Attributes
    ----------
    array : (batch, 2) float32 ndarray
        One for each sample, NaN for those that are left out; no rows before a method is chosen.
    projected : Projected or None
        What they were made by.
    classed : Classed
        What colours and shapes tell.
    plot : Plot
        The drawing.
    photos : Photos
        The samples as pictures.
    """

    array: np.ndarray
    projected: Projected | None
    classed: Classed
    plot: Plot
    photos: Photos

    @cached_property
    def thumbnails(self) -> dict[str, Any]:
        """The pictures that have room, side by side, as the page takes them."""
        pinned = scatter.with_room(self.plot.places)
        sheet = np.zeros((max(1, -(-len(pinned) // _COLUMNS)) * _CELL, _COLUMNS * _CELL, 3), np.uint8)
        for index, one in enumerate(pinned):
            top, left = index // _COLUMNS * _CELL, index % _COLUMNS * _CELL
            sheet[top : top + _CELL, left : left + _CELL] = self.photos.thumbnail(one.sample, _CELL)
        return {"pinned": pinned, "columns": _COLUMNS, "cell": _CELL, "png": pictures.png_of(sheet)}


class Projection(View):
    """The samples of the batch as points, near to one another where the chosen layer answers alike.

    By PCA or t-SNE, or by UMAP if it is installed. Colour and shape tell the class. A click on a point
    chooses its sample in all views of the session; so do the arrow keys. How a layer with many positions is
    projected is said below the points.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    method : str
        ``"pca"``, ``"tsne"`` or ``"umap"``; empty to compute nothing before one is chosen.
    classes : sequence of int or str, optional
        The class of each sample, as numbers or names, where the true ones are known. The class that the
        model gives first if left out.
    """

    title = "Projection"
    watches = ("layer", "sample")
    working = "projecting the batch"
    features = of_control(
        "_features", None, "``'flattened'`` or ``'averaged'``: what becomes of positions. None: what fits."
    )
    thumbnails = of_control("_pictures", False, "Whether pictures lie beside points where there is room.")

    def __init__(self, session: Session, *, method: str = _FIRST, classes: Any = None) -> None:
        self._methods = {
            name: ipywidgets.ToggleButton(
                description=one.title,
                tooltip=one.missing,
                disabled=bool(one.missing),
                layout={"width": "auto"},
            )
            for name, one in METHODS.items()
        }
        self._features = ipywidgets.Dropdown(
            options=[("as fits", None), (FLATTENED, FLATTENED), (AVERAGED, AVERAGED)],
            description="Positions",
            layout={"width": "auto", "max_width": "190px"},
        )
        self._pictures = ipywidgets.ToggleButton(description="Pictures", layout={"width": "auto"})
        self._scatter = Scatter(self._point)
        self._legend, self._under = ipywidgets.HTML(), ipywidgets.HTML()
        self._parameters: dict[str, dict[str, Any]] = {}
        self._classes: tuple[Any, Classes | None] = (None, None)
        if method:
            self._methods[checked_method(method).name].value = True
        self._give_classes(session, classes)
        super().__init__(session)
        for name, button in self._methods.items():
            button.observe(self.guarded(partial(self._pressed, name)), names=["value"])
        for control in (self._features, self._pictures):
            control.observe(self._on_change, names=["value"])
        self._scatter.observe(self.guarded(self._picked), names=["chosen"])

    def _get_method(self) -> str:
        return next((name for name, button in self._methods.items() if button.value), "")

    def _set_method(self, name: str) -> None:
        wanted = checked_method(name).name if name else ""
        with self.following():
            for other, button in self._methods.items():
                button.value = other == wanted
        self.refresh()

    method = Setting(
        _get_method, _set_method, doc="Name of the method; empty where none is chosen.", usual=_FIRST
    )

    def _get_parameters(self) -> dict[str, Any]:
        return dict(self._parameters.get(self.method, {}))

    def _set_parameters(self, given: Mapping[str, Any]) -> None:
        checked_method(self.method).checked(given)
        self._parameters[self.method] = dict(given)
        self.refresh()

    parameters = Setting(
        _get_parameters,
        _set_parameters,
        doc="Parameters of the method that are not the usual ones, such as ``{'perplexity': 5}``.",
        usual={},
    )

    def _get_classes(self) -> Classes | None:
        whose, classes = self._classes
        return classes if whose is self.session.reader.inputs else None

    def _set_classes(self, given: Any) -> None:
        self._give_classes(self.session, given)
        self.refresh()

    classes = Setting(
        _get_classes,
        _set_classes,
        doc="The class of each sample. None for what the model gives first, and again with other inputs.",
        usual=None,
    )

    def build(self) -> list[ipywidgets.Widget]:
        """Return the methods, how positions are dealt with, the points, what they mean and how they came."""
        row = ipywidgets.HBox(
            [*self._methods.values(), self._pictures, self._features],
            layout={"flex_flow": "row wrap"},
        )
        lacking = " · ".join(one.missing for one in METHODS.values() if one.missing)
        return [row, self._scatter.face, self._legend, self._under, ipywidgets.HTML(text.caption(lacking))]

    def key(self) -> tuple[Asked | None, Classes | None]:
        """What is asked for, None for nothing, and the classes that were given."""
        name, session = self.method, self.session
        if not name:
            return None, self.classes
        given = self._parameters.get(name, {})
        return asked(session.reader, session.selection.layer, name, self._features.value, given), self.classes

    def look(self) -> tuple[int, bool]:
        """The sample with the ring, and whether there are pictures."""
        return self.session.selection.sample, self._pictures.value

    def is_ready(self, key: tuple[Asked | None, Classes | None]) -> bool:
        """Whether there is nothing to compute."""
        return key[0] is None or is_kept(self.session.reader, key[0])

    def stages(self, key: tuple[Asked | None, Classes | None]) -> Iterator[Stage]:
        """Yield how far it is, and the points at last."""
        question, given = key
        if question is None:
            yield Stage(self._cloud(None, given))
            return
        self.session.follow_weights()
        for part in projection_steps(self.session.reader, question):
            is_done = part.result is not None
            yield Stage(self._cloud(part.result, given) if is_done else None, part.share, part.words)

    def draw(self, result: Cloud) -> None:
        """Show the points, the ring around one, and what they mean."""
        found, plot = result.projected, result.plot
        for widget in (self._scatter.face, self._legend, self._pictures):
            widget.layout.display = "" if found else "none"
        has_places = found is not None and self.session.tap(found.layer).spatial
        self._features.layout.display = "" if has_places else "none"
        with self.following():
            self._scatter.chosen = self.session.selection.sample
        shown = marks.html(plot.legend_title, plot.legend) if found else ""
        self._scatter.show(
            plot.places,
            result.classed.kinds,
            result.classed.names,
            result.classed.marks,
            plot.titles,
            result.thumbnails if self._pictures.value else {},
        )
        self._legend.value = shown
        self._under.value = text.caption(self._words(result))
        many = text.many(self.session.batch_size, "sample")
        self.note(many, found.layer if found else "", hint="click one to select it" if found else "")

    def picture(self, result: Cloud) -> bytes:
        """Return the points and their meaning as a PNG."""
        if result.projected is None:
            return pictures.png_of(charts.paragraph(self._words(result)))
        thumbnail = self.session.photos.thumbnail if self._pictures.value else None
        return pictures.png_of(scatter.painted(result.plot, self.session.selection.sample, thumbnail))

    def panels(self, result: Cloud) -> list[np.ndarray]:
        """Return the points, and how they came."""
        if result.projected is None:
            return super().panels(result)
        return [*super().panels(result), charts.paragraph(self._words(result))]

    def _words(self, result: Cloud) -> str:
        if result.projected is None:
            return "A method shows the samples of the batch as points: near where the layer answers alike."
        sample, method = self.session.selection.sample, METHODS[result.projected.method]
        lost = (
            f"Sample {sample}, which is chosen, has no point." if sample in result.projected.left_out else ""
        )
        return " ".join(filter(None, (result.projected.words, method.advice, lost)))

    def _cloud(self, found: Projected | None, given: Classes | None) -> Cloud:
        classes = classed(self.session, given)
        points = np.empty((0, 2), np.float32) if found is None else found.points
        shown = np.flatnonzero(np.isfinite(points).all(1))
        own = classes.marks
        by_sample = [own[min(kind, len(own) - 1)] for kind in classes.kinds.tolist()]
        titles = ("", "")
        if found is not None and found.explained:
            first, second = found.explained
            titles = f"PC 1 · {first:.1%} of the variance", f"PC 2 · {second:.1%}"
        plot = Plot(scatter.laid_out(points), by_sample, titles, f"By {classes.title}", classes.legend(shown))
        return Cloud(points, found, classes, plot, self.session.photos)

    def _give_classes(self, session: Session, given: Any) -> None:
        self._classes = session.reader.inputs, checked_classes(given, session.batch_size)

    def _pressed(self, name: str, change: dict[str, Any]) -> None:
        if not self.is_following:
            self.method = name if change["new"] else ""

    def _picked(self, change: dict[str, Any]) -> None:
        try:
            self.choose("sample", change["new"])
        finally:
            with self.following():
                self._scatter.chosen = self.session.selection.sample

    def _point(self, sample: int) -> None:
        """Tell the page of the sample under the pointer."""
        told = f"sample {sample} · {self._class_of(sample)}"
        png = pictures.png_of(self.session.photos.thumbnail(sample, _LARGE))
        self._scatter.tip = {"sample": sample, "png": png, "words": told}

    def _class_of(self, sample: int) -> str:
        predicted = self.session.class_name(self.session.top_class(sample))
        if self.classes is None:
            return predicted
        known = classed(self.session, self.classes)
        name = known.names[known.kinds[sample]]
        return name if name == predicted else f"{name}, predicted {predicted}"
