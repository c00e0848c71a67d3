"""What a control offers, and what is chosen of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rendering import charts, pictures
from .base import View
from .choice_list import Option

# Lines of a list that a picture has room for.
_LINES = 24
_SPACE = "\u00a0"


@dataclass(frozen=True)
class Choice:
    """What a control offers and what is chosen.

    Attributes
    ----------
    array : ndarray
        The values on offer, in the order of the screen.
    options : list of Option
        Everything that can be chosen, with its words.
    chosen : str
        The key of the option that is chosen.
    """

    array: np.ndarray
    options: list[Option]
    chosen: str


class Control(View):
    """Several options, one of them chosen."""

    def picture(self, result: Choice) -> bytes:
        """Return the options about the chosen one as text, with a mark before it."""
        at = next((i for i, option in enumerate(result.options) if option.key == result.chosen), 0)
        first = max(0, at - _LINES // 2)
        lines = [
            f"{'▸' if key == result.chosen else _SPACE} {2 * depth * _SPACE}{name}  {facts}"
            for key, name, facts, depth in result.options[first : first + _LINES]
        ]
        return pictures.png_of(charts.text_lines(lines))
