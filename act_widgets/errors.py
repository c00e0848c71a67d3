"""The errors users meet: what was received, what was expected, how to fix it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

# What colours words in a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What TensorFlow says before the cause.
_PREFACE = re.compile(
    r"Graph execution error:.*?\(most recent call last\):\n(<stack traces unavailable>\n)?", re.S
)


class ActWidgetsError(Exception):
    """Base of every error that act_widgets raises on purpose."""


class UnknownLayerError(ActWidgetsError, LookupError):
    """A layer address that names no layer of the model, or more than one."""


class InputError(ActWidgetsError, ValueError):
    """Inputs, labels, display images or parameters that do not fit the model."""


class TargetError(ActWidgetsError, ValueError):
    """A class or unit that the model's output does not have."""


class ModelError(ActWidgetsError, TypeError):
    """An object that is no model, or a model that can't be read."""


class MovedOnError(ActWidgetsError, RuntimeError):
    """A question on numbers of an earlier step or of earlier weights, while the model changed."""


class LayerKindError(ActWidgetsError, ValueError):
    """A layer that exists but has not what the question needs, such as spatial axes."""


def nearest(name: str, known: Iterable[str], count: int = 5) -> list[str]:
    """Return the known addresses most like `name`, best first.

    An address is compared whole and by its last part, so that ``conv_1`` finds
    ``backbone/conv1``.
    """

    def likeness(address: str) -> float:
        parts = (address, address.rsplit("/", 1)[-1])
        return max(difflib.SequenceMatcher(None, name.lower(), p.lower()).ratio() for p in parts)

    return sorted(known, key=likeness, reverse=True)[:count]


def said(error: BaseException) -> str:
    """Return what an error of another library says: the cause, without codes for colours of a terminal."""
    return _PREFACE.sub("", _COLOURS.sub("", str(getattr(error, "message", error))))


def listed(names: Iterable[str]) -> str:
    """Return names quoted and joined by commas, for an error message."""
    return ", ".join(f"'{name}'" for name in names)
