"""Two fields for the ends of a range of values, and a button that clears it."""

from __future__ import annotations

import traitlets

from .face import Faced, script_of


class RangeFields(Faced):
    """The lowest and the highest value of a range, typed or changed by the arrow keys.

    Empty fields are no range; the ends that it could have stand in them. Escape clears, also after the
    pointer chose a range in the chart of the same card. Sliders of ipywidgets do not serve: told a value,
    they answer with another one, rounded to their steps.
    """

    script = script_of("range_fields.js")

    chosen: traitlets.List = traitlets.List().tag(sync=True)
    """Both ends of the range; empty for none."""

    ends: traitlets.List = traitlets.List([0.0, 1.0]).tag(sync=True)
    """The lowest and the highest value of all."""

    step = traitlets.Float(0.01).tag(sync=True)
    """By how much an arrow key changes an end."""
