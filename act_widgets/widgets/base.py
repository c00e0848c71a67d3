"""The one base class of controls and views: what to show, computing it, drawing it, when it fails."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any, ClassVar

import numpy as np

from ..errors import ModelError, MovedOnError
from ..rendering import charts, sheet
from ..selection import Selection
from ..session import Session
from . import recipe, text
from .dated import Dated
from .live import live_of
from .parts import parts_of
from .results import Results
from .stage import Stage
from .worker import worker_of

# Seconds between pictures of work under way.
_SELDOM = 0.2


Key = tuple[int | None, Hashable, Hashable]
"""Which reading of the model is shown, what of it, and how."""


class View(Dated):
    """A card that follows the selection of one session.

    A subclass says three things: `key`, what it shows now, from the selection; `compute`, the
    result for a key, without any widget, or `stages`, several on the way; and `draw`, how a result gets
    on the screen. This class decides when they run: at once if everything can be looked up, else in the
    session's worker, where the newest wish wins and other views' work goes between two stages. Work in
    stages shows its progress and can be stopped. An error is shown in the card, and gone with the next
    good choice. Until the picture of a choice is there, the one before stays, pale; so it does where the work
    was stopped, and the card says so.

    Parameters
    ----------
    session : Session
        The model and batch to look at. Views of one session are linked.
    """

    watches: ClassVar[tuple[str, ...]] = ("layer", "channel", "sample", "target", "target_layer")
    working: ClassVar[str] = "computing"
    # Widgets close themselves when they are collected, also one whose constructor failed.
    _open = False

    def __init__(self, session: Session) -> None:
        if not isinstance(session, Session):
            raise ModelError(
                f"A view takes a session first. Received: {type(session).__name__}. "
                f"Expected: act_widgets.{type(self).__name__}(act_widgets.Session(model, inputs))."
            )
        self._wanted: Key | None = None
        self._wishing = threading.RLock()
        self._shown: Hashable = None
        self._results = Results(self.stages)
        self._turn = threading.RLock()
        self._drawn_at = -_SELDOM
        # What was told to go on: of the model's next step it need not be told again.
        self._urged: Hashable = None
        self._after: list[Callable[[], None]] = []
        self._failure = ""
        super().__init__(session)
        self._stop.observe(self.guarded(self._on_stop), names=["value"])
        session.selection.observe(self._on_change, names=list(self.watches))
        session.observe(self._on_change, names=["version", "outdated", "silenced"])
        self._open = True
        live_of(session).join(self)
        self.refresh()

    def key(self) -> Hashable:
        """Return all that decides the result, from the selection and the view's own controls."""
        raise NotImplementedError

    def look(self) -> Hashable:
        """Return what else `draw` reads, such as an opacity: a change of it computes nothing."""
        return ()

    def compute(self, key: Any) -> Any:
        """Return what is shown for `key`: plain values, no widget."""
        raise NotImplementedError

    def stages(self, key: Any) -> Iterator[Stage]:
        """Yield results for `key`, the last one with a share of 1; other work goes between them."""
        yield Stage(self.compute(key))

    def draw(self, result: Any) -> None:
        """Put a result on the screen."""
        raise NotImplementedError

    def picture(self, result: Any) -> bytes:
        """Return a result as a PNG."""
        raise NotImplementedError

    def panels(self, result: Any) -> list[np.ndarray]:
        """Return what a still picture of the card holds, each ``(height, width, 3) uint8``."""
        return [sheet.decoded(self.picture(result))]

    def release(self) -> None:
        """Free what is not among the card's own widgets. Called once, by `close`."""

    def is_ready(self, key: Any) -> bool:
        """Whether `compute` takes no pass of the model."""
        return True

    @property
    def array(self) -> np.ndarray:
        """The numbers on the screen."""
        return self._result(self.key()).array

    def png(self) -> bytes:
        """Return the picture on the screen as a PNG."""
        return self.picture(self._result(self.key()))

    def still(self, compute: bool = False) -> np.ndarray:
        """Return the card as it is on the screen, ``(height, width, 3) uint8``.

        Parameters
        ----------
        compute : bool
            Whether what is not there yet is computed for it; words stand in its place otherwise.
        """
        try:
            panels = self._panels(compute)
        except Exception as error:  # the boundary: said in the picture
            panels = [charts.paragraph(str(error))]
        return sheet.card(self.title, self._said, panels)

    def _panels(self, compute: bool) -> list[np.ndarray]:
        if compute:
            return self.panels(self._result(self.key()))
        wanted = self._wanted
        stage = None if wanted is None else self._results.find(wanted[:2])
        if stage is not None:
            return self.panels(stage.result)
        return [charts.paragraph(self._failure or f"Not there yet: {self.working}.")]

    @property
    def selection(self) -> Selection:
        """What is being looked at, in all views of the session."""
        return self.session.selection

    def code(self) -> str:
        """Return Python code that makes this view anew, as it is now, and gives its numbers."""
        lines = recipe.session_code(self.session, self.watches)
        lines += [f"view = aw.{type(self).__name__}(session)", *recipe.view_code("view", self), "view.array"]
        return "\n".join(lines)

    def refresh(self) -> None:
        """Show what the selection asks for, if it is not shown already."""
        with self._wishing:  # of two threads the one that comes last sees what both have changed
            try:
                with self.session.as_read():
                    key = (self._edition, self.key(), self.look())
                    is_ready = self._is_there(key)
            except MovedOnError:  # what is asked for is known only after another look at the model
                worker_of(self.session).submit(id(self), self._ask_anew)
                return
            except Exception as error:  # the boundary: shown in the card
                self._wanted = None
                self._show_error(error)
                return
            if key == self._wanted:  # shown, under way, stopped, or told to be wrong
                return
            if self._wanted is None or key[:2] != self._wanted[:2]:
                with self.following():
                    self._stop.value = False
                self._show_stop("")
            self._wanted = key
        if key == self._shown:
            self._busy.value = ""
            self._tell_age()
            return
        if not is_ready or not self._work_as_read(key):
            self._tell_begun()
            self._submit()

    @property
    def is_settled(self) -> bool:
        """Whether what is on the screen is what was asked for."""
        return self._shown == self._wanted

    def on_drawn(self, callback: Callable[[], None]) -> None:
        """Call `callback()` each time after something was drawn."""
        self._after.append(callback)

    def choose(self, trait: str, value: Any) -> None:
        """Set a trait of the selection, unless the view itself is following it just now."""
        if not self.is_following:
            setattr(self.session.selection, trait, value)

    def close(self) -> None:
        """Stop following the selection and free the widgets. Closing again does nothing."""
        if not self._open or sys.is_finalizing():
            return
        with self._turn:
            self._open = False
            self._wanted = None
        self.session.selection.unobserve(self._on_change, names=list(self.watches))
        self.session.unobserve(self._on_change, names=["version", "outdated", "silenced"])
        live_of(self.session).leave(self)
        worker_of(self.session).withdraw(id(self))
        self._results.forget()
        self.release()
        for part in parts_of(self):
            part.close()
        super().close()

    def _on_change(self, change: dict) -> None:
        self.refresh()

    def _result(self, key: Hashable) -> Any:
        """Return what is on the screen for a key, or all of it if that is nothing yet."""
        stage = self._results.find((self._edition, key))
        if stage is None:
            with self.session.reading():
                *_, stage = self.stages(key)
                self._results.keep((self.session.version, key), stage)
        return stage.result

    def _is_there(self, key: Key) -> bool:
        """Whether a key can be drawn without asking the model."""
        if key[0] is None:
            return False
        return self._results.is_known(key[:2], self._stop.value) or self.is_ready(key[1])

    def _work_on(self) -> None:
        """Go on with what is wanted now: it may be something else than when the job was queued."""
        key = self._wanted
        if key is None or key == self._shown:
            return
        try:
            with self.session.as_read():
                is_there = self._is_there(key)
            if is_there and self._work_as_read(key):
                return
            self._hold()
            key = self._wanted  # which may be of another reading now
            if key is not None and key != self._shown:
                self._work(key)
        except MovedOnError:
            self._begin_anew()
        except Exception as error:  # the boundary: shown in the card
            self._show_error(error)

    def _begin_anew(self) -> None:
        """Read the model as it is now: all views are told, and ask for what they show."""
        try:
            self.session.follow_weights()
        except Exception as error:  # the boundary: shown in the card
            self._show_error(error)

    def _ask_anew(self) -> None:
        """Find out what is wanted, where that takes the model."""
        try:
            self._hold()
        except Exception as error:  # the boundary: shown in the card
            self._show_error(error)
        else:
            self.refresh()

    def _work_as_read(self, key: Key) -> bool:
        """Show what can be looked up; return whether that was enough.

        Never waits: neither for a computation of this view that is under way in the worker, nor for a
        training.
        """
        if not self._turn.acquire(blocking=False):
            return False
        try:
            with self.session.as_read():
                self._work(key)
        except MovedOnError:
            return False
        finally:
            self._turn.release()
        return True

    def _work(self, key: Key) -> None:
        """Compute and draw one stage, unless something else is wanted before or after computing."""
        with self._turn:
            if key != self._wanted or self._is_given_up(key):
                return
            try:
                stage = self._results.advance(key[:2], self._stop.value)
                if key != self._wanted or self._is_given_up(key):
                    return
                if not self._is_due(stage):
                    self._tell_progress(key, stage)
                    return
                self._shown = self._drawn = None  # what is drawn now may be on its way yet
                self.draw(stage.result)
                self._drawn, self._drawn_at = key[:2], time.monotonic()
                self.remove_class("aw-blank")
                self.tell_step()
            except MovedOnError:
                self._results.give_up()
                raise
            except Exception as error:  # the boundary: shown in the card
                self._results.give_up()
                if key == self._wanted:
                    self._show_error(error)
                return
            self._alert.value = ""
            self._tell_age()
            self._tell_progress(key, stage)
        for callback in self._after:
            callback()

    def _is_given_up(self, key: Key) -> bool:
        """Whether the work was stopped before anything of it was drawn: what comes yet is not shown."""
        return self._stop.value and self._drawn != key[:2]

    def _is_due(self, stage: Stage) -> bool:
        """Whether a stage is drawn: the page must keep up."""
        if stage.is_empty:
            return False
        is_rest = stage.is_whole or stage.waits or self._stop.value
        return is_rest or time.monotonic() - self._drawn_at > _SELDOM

    def _tell_progress(self, key: Key, stage: Stage) -> None:
        """Say how far the work is, and see that it goes on."""
        if stage.is_whole:
            self._shown, self._urged = key, None
            self._show_stop("")
            self._busy.value = ""
            return
        self._busy.value = text.progress(stage.share, stage.words)
        waits = stage.waits and key[1] != self._urged
        with self.following():
            self._stop.value = self._stop.value or waits
        self._show_stop("Start" if waits else "Go on" if self._stop.value else "Stop")
        if not self._stop.value:
            self._submit()

    def _tell_begun(self) -> None:
        if self._wanted is not None:
            self._say_begun(self._wanted[0], self.working)
        self._tell_age()

    def _tell_age(self) -> None:
        self._say_age(None if self._wanted is None else self._wanted[:2])

    def _submit(self) -> None:
        worker_of(self.session).submit(id(self), self._work_on)

    def _on_stop(self, change: dict) -> None:
        if self.is_following:
            return
        self._urged = self._wanted[1] if self._wanted is not None and not change["new"] else None
        if self._wanted is not None and self._drawn != self._wanted[:2]:
            self._tell_begun()
        else:
            self._show_stop("Go on" if change["new"] else "Stop")
        # Stopped work is drawn as far as it is.
        self._submit()

    def _show_error(self, error: Exception) -> None:
        self._shown, self._failure = None, str(error)
        if self._drawn_at < 0:  # nothing was ever drawn: the room for it stays closed
            self.add_class("aw-blank")
        self._show_stop("")
        self._busy.value = ""
        self._tell_age()
        self._alert.value = text.alert(error)
