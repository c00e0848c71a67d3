"""Something that does not fit, and how to mend it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that does not fit.

    Attributes
    ----------
    what : str
        What was found, and what it does.
    fix : str
        What mends it: commands for a terminal, a line each, or a line of Python.
    then : str
        What is to be done after that.
    """

    what: str
    fix: str
    then: str = "Restart the kernel."

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"    {line}" for line in self.fix.splitlines()), f"  {self.then}"])


def pip(words: str, python: str = sys.executable) -> str:
    """Return a pip command for one interpreter: the `pip` on the PATH may belong to another."""
    return f"{shlex.quote(python)} -m pip {words}"
