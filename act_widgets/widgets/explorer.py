"""The explorer: every control and view of one session, linked, in one dashboard."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from ..rendering import pictures, sheet
from ..selection import Selection
from ..session import Session
from . import recipe, text
from .base import View
from .code_button import CodeButton
from .explorer_views import BEGUN, Views
from .export.writer import Export, write_page
from .face import Face
from .live import live_of
from .parts import parts_of
from .still import Pictured
from .task import Task

# Samples from which on points tell something.
_CLOUD = 5


class Explorer(Pictured):
    """A dashboard on one session.

    Parameters
    ----------
    session : Session
        The model and batch to look at.
    """

    _open = False

    def __init__(self, session: Session) -> None:
        self.session = session
        self.views = Views.of(session)
        self._head = ipywidgets.HTML()
        self._code = CodeButton(self.code)
        self._code.observe(self._code.answer, names=["asked"])
        self._task = Task()
        super().__init__([self._head, Face(self._code), *self._over_time(), self._dashboard(), self._task])
        self.add_class("aw-explorer")
        for view in self.views:
            view.on_drawn(self._tell)
        self._open = True
        live_of(session).join(self)
        self._tell()

    @property
    def selection(self) -> Selection:
        """What is being looked at."""
        return self.session.selection

    def png(self) -> bytes:
        """Return the whole dashboard as one PNG; what is not there yet is computed for it."""
        with self.session.reading():
            return pictures.png_of(self._picture(compute=True))

    def code(self) -> str:
        """Return Python code that opens this explorer anew, as it is now."""
        lines = recipe.session_code(self.session, self.selection.trait_names())
        lines.append("explorer = aw.Explorer(session)")
        for name, view in self.views.named.items():
            lines += recipe.view_code(f"explorer.views.{name}", view, BEGUN.get(name))
        return "\n".join([*lines, "explorer"])

    def still(self) -> np.ndarray:
        """Return the dashboard as it is on the screen, ``(height, width, 3) uint8``."""
        return self._picture(compute=False)

    def export_html(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 20_000_000,
        on_progress: Callable[[float, str], None] | None = None,
    ) -> Export:
        """Write a page in which layer, channel, sample and class can be chosen without kernel and network.

        Predictions, histograms, summaries and the ends of each map are the session's numbers; between its
        ends a map is kept to one part in 253. Attribution is by the chosen method if that is quick, else by
        Grad-CAM.

        Parameters
        ----------
        path : str or path
            The file. One that is there is replaced when the new one is whole.
        max_bytes : int
            Size of the file at the most. What finds no room is told, on the page and in the result: first
            finer maps are given up, then samples, classes, channels and the graph, and at last layers. The
            channels that stay have the largest mean of absolute values in the sample that is chosen.
        on_progress : callable, optional
            Called as ``on_progress(share, words)``. After a second a bar below the explorer tells the same,
            with a button to stop. What `on_progress` raises, that button where the page is heard while a cell
            runs, or an interrupt of the kernel ends the work, and leaves the file that was there.

        Returns
        -------
        Export
            ``.path``, ``.bytes``, ``.layers``, ``.samples`` and ``.left_out``. It prints itself.

        Raises
        ------
        InputError
            If there is no such folder, the size is no number of bytes, or no page is so small: then it says
            what would be enough.
        """
        options = self.views.layer_picker.compute(self.selection.layer).options
        target = Path(path).absolute()

        with self.session.reading(), self._task.begun(f"writing {target.name}") as show:

            def tell(share: float, words: str) -> None:
                show(share, words)
                if on_progress is not None:
                    on_progress(share, words)

            return write_page(self.session, target, max_bytes, options, self._facts(), tell)

    def close(self) -> None:
        """Stop following the selection, and free the widgets and what was kept."""
        if not self._open or sys.is_finalizing():
            return
        self._open = False
        live_of(self.session).leave(self)
        for view in self.views:
            view.close()
        self.session.reader.cache.clear()
        for part in parts_of(self):
            part.close()
        super().close()

    def _over_time(self) -> list[ipywidgets.Widget]:
        v = self.views
        return [_area("time", v.step_slider, v.step_chart)] if v.step_slider is not None else []

    def _dashboard(self) -> ipywidgets.Widget:
        v = self.views
        asking = _area("asking", v.class_selector, v.method_picker)
        return _area(
            "grid",
            _area("model", v.sample_picker, v.layer_picker, v.graph),
            _area("channels", v.channel_slider, v.feature_maps, v.channel_editor, v.predictions),
            _area("channel", v.channel_view, v.histogram, v.projection),
            _area("explaining", asking, v.attribution),
            v.trust,
        )

    def _picture(self, compute: bool) -> np.ndarray:
        v = self.views
        columns: list[list[View]] = [
            [v.sample_picker, v.graph],
            [v.feature_maps, v.predictions],
            [v.channel_view, v.histogram],
            [v.method_picker, v.attribution],
        ]
        if v.step_chart is not None:
            columns[0] = [v.sample_picker, v.step_chart]
        if self.session.silenced:
            columns[1].insert(1, v.channel_editor)
        if v.trust.checks:
            columns[3].append(v.trust)
        if v.projection.method:
            columns[2].append(v.projection)
        stills = [[view.still(compute) for view in column] for column in columns]
        return sheet.sheet(self.session.model_name, self._facts(), stills)

    def _facts(self) -> str:
        session = self.session
        shapes = ", ".join(
            " × ".join(map(str, a.shape[1:])) or "scalar" for a in session.reader.inputs.arrays
        )
        mode = " · called as in training" if session.training else ""
        recorded = f"{session.moment.words} · " if session.moment is not None else ""
        step = live_of(session).words(session)
        return (
            f"{recorded}{text.many(len(session.layers), 'layer')} · "
            f"{text.many(session.batch_size, 'sample')} of {shapes}{mode}{' · ' if step else ''}{step}"
        )

    def tell_step(self) -> None:
        """Say of which step of a training the views are."""
        self._tell()

    def _tell(self) -> None:
        """Write the first line: the model, the batch, and how often the model ran."""
        self.views.projection.layout.display = "" if self.session.batch_size >= _CLOUD else "none"
        done = self.session.stats()
        runs = done["varied_samples"]
        varied = f"{text.many(runs, 'run')} on changed inputs · " if runs else ""
        passes = (
            f"{text.many(done['forward_passes'], 'forward pass', 'forward passes')} · "
            f"{text.many(done['backward_passes'], 'backward pass', 'backward passes')} · {varied}"
        )
        if self.session.steps:
            passes = f"{text.many(len(self.session.steps), 'recorded step')} · "
        passes += f"{done['cache_bytes'] / 2**20:.1f} MiB kept"
        name = escape(self.session.model_name)
        self._head.value = (
            f'<div class="aw-explorer-head"><span class="aw-explorer-name">{name}</span>'
            f'<span class="aw-explorer-facts">{escape(self._facts())}</span>'
            f'<span class="aw-explorer-facts" role="status">{escape(passes)}</span></div>'
        )


def explore(
    model: Any,
    inputs: Any = None,
    *,
    labels: Sequence[str] | None = None,
    display: Any = None,
    layer: str | None = None,
    cache_bytes: int | None = None,
    training: bool = False,
    signature: str | None = None,
) -> Explorer:
    """Open the explorer on a model and a batch of inputs.

    Parameters
    ----------
    model : keras.Layer, function, session, recording, str or path
        Any model that `Session` reads. It is left as it was. Or what a training recorded: a `Recorder`, a
        recording or its path; a slider then goes through its steps.
    inputs : ndarray, tensor, or list, tuple or dict of them
        What the model's call takes, with the batch axis.
    labels : sequence of str, optional
        Class names, one for each unit of the main output.
    display : sequence of ndarray, optional
        Pictures to show in place of the inputs: uint8, or float in [0, 1], of any size.
    layer : str, optional
        The layer to show first; the last one with spatial axes if left out.
    cache_bytes : int, optional
        Bytes of activations and gradients to keep at the most; 1 GiB if left out.
    training : bool
        Whether the model is called as in training: with dropout, and statistics of the batch.
    signature : str, optional
        Which signature of a SavedModel is read.

    Returns
    -------
    Explorer
        A widget; as the last line of a cell it is shown.

    Raises
    ------
    ModelError, InputError, UnknownLayerError
        If something given does not fit the model.
    """
    session = Session(
        model,
        inputs,
        labels=labels,
        display=display,
        cache_bytes=cache_bytes,
        training=training,
        signature=signature,
    )
    if layer is not None:
        session.selection.layer = layer
    return Explorer(session)


def _area(name: str, *parts: ipywidgets.Widget) -> ipywidgets.Widget:
    """Return a box that the style sheet gives its place, by the room there is."""
    box = ipywidgets.VBox(parts)
    box.add_class("aw-area")
    box.add_class(f"aw-{name}")
    return box
