"""Hand records to writers, and keep account of those that failed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..errors import InputError
from .record import Writer


class Handing:
    """Hands what is recorded to writers.

    Parameters
    ----------
    writers : sequence of Writer
        Who is given it.
    raises : bool
        Whether a writer that fails ends the training; else it is given nothing more.

    Attributes
    ----------
    given_up : list of str
        In words which writers are given nothing more, since which step, and why.
    """

    def __init__(self, writers: Sequence[Writer], raises: bool) -> None:
        self.given_up: list[str] = []
        self._writers = list(writers)
        self._raises = raises

    def tell(self, what: str, step: int, *given: Any) -> None:
        """Tell every writer at a step to ``"open"``, ``"write"`` or ``"close"``.

        Raises
        ------
        InputError
            If a writer can't be opened as it is set up, such as where another recording is: going on would
            leave all of a training unwritten, and what is there would be taken for it.
        """
        for writer in [*self._writers]:
            try:
                getattr(writer, what)(*given)
            except Exception as error:  # whatever a writer raises
                if self._raises or (what == "open" and isinstance(error, InputError)):
                    raise
                self._give_up(writer, step, error)

    def _give_up(self, writer: Writer, step: int, error: Exception) -> None:
        self._writers.remove(writer)
        self.given_up.append(f"{writer!r} is given nothing more since step {step}: {error}")
        warnings.warn(
            f"{writer!r} failed at step {step}, and is given nothing more; the training goes on. {error}",
            RuntimeWarning,
            stacklevel=3,
        )
