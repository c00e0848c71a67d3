"""What is on the screen as Python code that brings it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..attribution import METHODS
from ..reading.ordering import INDEX
from ..session import Session


class Setting(property):
    """A property of a view that decides what it shows, beside the selection: it is written down as code.

    Parameters
    ----------
    fget, fset, fdel, doc
        As those of a property.
    usual : object
        The value that a new view has: it needs no code.
    """

    def __init__(
        self,
        fget: Callable[[Any], Any] | None = None,
        fset: Callable[[Any, Any], None] | None = None,
        fdel: Callable[[Any], None] | None = None,
        doc: str | None = None,
        *,
        usual: Any = None,
    ) -> None:
        super().__init__(fget, fset, fdel, doc)
        self.usual = usual


def of_control(name: str, usual: Any, doc: str) -> Setting:
    """Return a setting that is the value of one of the view's own controls.

    Parameters
    ----------
    name : str
        The attribute that holds the control.
    usual : object
        The value that a new view has.
    doc : str
        What it is.
    """

    def get(view: Any) -> Any:
        return getattr(view, name).value

    def put(view: Any, value: Any) -> None:
        control = getattr(view, name)
        if control.has_trait("max") and value > control.max:  # how far it goes is known once it is drawn
            control.max = value
        control.value = value

    return Setting(get, put, doc=doc, usual=usual)


def changed_settings(view: Any, begun: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings of a view that have another value than in a new one.

    Parameters
    ----------
    view : View
    begun : mapping, optional
        With which values a new one begins where it is, if these are others than the usual ones.
    """
    found: dict[str, Any] = {}
    for kind in reversed(type(view).__mro__):
        for name, item in vars(kind).items():
            if isinstance(item, Setting) and getattr(view, name) != (begun or {}).get(name, item.usual):
                found[name] = getattr(view, name)
    return found


def session_code(session: Session, traits: Iterable[str]) -> list[str]:
    """Return the lines that open a session anew and choose what is chosen in it.

    Parameters
    ----------
    session : Session
    traits : iterable of str
        The traits of the selection that matter.
    """
    timeline = session.timeline
    given = ["model", "inputs"] if timeline is None else ["recording"]
    own = len(given)
    given += ["labels"] if session.labels and session.labels != (timeline and timeline.about.labels) else []
    given += ["display"] if session.photos.stated else []
    options = [f"{name}={name}" for name in given[own:]]
    options += ["training=True"] if session.training else []
    options += [f"signature={session.signature!r}"] if session.signature else []
    return [
        "import act_widgets as aw",
        "",
        f"# {', '.join(given)}: what the session was opened with",
        f"session = aw.Session({', '.join([*given[:own], *options])})",
        *([] if timeline is None else [f"session.step = {session.step}"]),
        *_choices(session, set(traits)),
    ]


def view_code(name: str, view: Any, begun: Mapping[str, Any] | None = None) -> list[str]:
    """Return the lines that change the settings of a view that the code calls `name`; see above."""
    return [f"{name}.{setting} = {value!r}" for setting, value in changed_settings(view, begun).items()]


def _choices(session: Session, traits: set[str]) -> list[str]:
    chosen = session.selection
    # First: what is chosen by its channel is let go of when channels come to lie along another axis.
    lines = [f"session.axes[{layer!r}] = {axes.words!r}" for layer, axes in session.axes.chosen]
    lines += [f"session.axes.move({', '.join(map(repr, place))})" for place in session.axes.places]
    lines += [f"session.selection.layer = {chosen.layer!r}"] if "layer" in traits else []
    numbers = {name: getattr(chosen, name) for name in ("channel", "sample") if name in traits}
    lines += [f"session.selection.{name} = {number}" for name, number in numbers.items() if number]
    if traits & {"target", "target_layer"} and (chosen.target is not None or chosen.target_layer):
        layer = f", {chosen.target_layer!r}" if chosen.target_layer else ""
        lines.append(f"session.selection.explain({chosen.target!r}{layer})")
    if "method" in traits:
        lines.append(f"session.selection.method = {chosen.method!r}")
    if "scores" in traits and chosen.scores:
        lines.append(f"session.selection.scores = {chosen.scores!r}")
    if "parameters" in traits and chosen.parameters:
        values = METHODS[chosen.method].checked(dict(chosen.parameters))
        pairs = tuple((name, values[name]) for name, _ in chosen.parameters)
        lines.append(f"session.selection.parameters = {pairs!r}")
    if "order" in traits and chosen.order != INDEX:
        lines.append(f"session.selection.order = {chosen.order!r}")
    if "hide_dead" in traits and chosen.hide_dead:
        lines.append("session.selection.hide_dead = True")
    if "value_range" in traits and chosen.value_range:
        lines.append(f"session.selection.value_range = {chosen.value_range!r}")
    if session.silenced:
        lines.append(f"session.silenced = {session.silenced!r}")
    return lines
