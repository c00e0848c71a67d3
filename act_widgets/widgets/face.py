"""A widget that a script of ours draws, in two models: one hears the kernel, the other is drawn.

anywidget gives up a model whose script was not loaded within two seconds, as happens in a page with much to
do. Such a model is still drawn, but it takes no message of the kernel any more. So it must not need any.
"""

from __future__ import annotations

from importlib.resources import files
from typing import ClassVar

import anywidget
import ipywidgets
import traitlets


def script_of(name: str) -> str:
    """Return the text of a script of this package.

    The text, not the path: anywidget watches a path, and would hold every instance for ever.
    """
    return files(__package__).joinpath(name).read_text("utf-8")


_RENDER = script_of("face.js")


class Faced(ipywidgets.Widget):
    """What kernel and page tell each other, as the synced traits of a subclass. A `Face` of it is drawn.

    To the page it is a plain model of ipywidgets, which hears the kernel from the start.
    """

    script: ClassVar[str]
    """JavaScript with a function ``draw(state, el)``. It draws the model `state` of this widget into the
    element `el`, follows what the kernel tells the model, and returns a function that ends this."""


class Face(anywidget.AnyWidget):
    """A widget's place on the screen: what goes into a box.

    Parameters
    ----------
    state : Faced
        The widget. It is closed with the card that the face is in.
    """

    _esm = traitlets.Unicode().tag(sync=True)

    state = traitlets.Instance(Faced).tag(sync=True, **ipywidgets.widget_serialization)
    """What is drawn here; never another."""

    def __init__(self, state: Faced) -> None:
        super().__init__(_esm=f"{state.script}\n{_RENDER}", state=state)
