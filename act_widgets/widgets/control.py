"""What a control offers, and what is chosen of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rendering import charts, pictures
from .base import View
from .choice_list import Option

_LINES = 40


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
        """Return the options as text, the chosen one marked."""
        lines = [
            f"{'▸' if key == result.chosen else ' '} {'  ' * depth}{name}  {facts}"
            for key, name, facts, depth in result.options[:_LINES]
        ]
        return pictures.png_of(charts.text_lines([self.title, *lines]))
