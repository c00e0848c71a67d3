"""How much goes into a page: what is given up first when there is little room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Plan:
    """What goes into a page.

    Attributes
    ----------
    side : int or None
        The longest side of a map; in larger ones the largest of neighbours stands for all. None for any.
    channels : int or None
        Channels of a layer, the strongest; None for all.
    classes : int
        Classes of a sample that are explained, the likeliest first.
    photo : int
        The longest side of an input's picture.
    least : int
        Samples that must find room, if there are so many: else the next plan is tried.
    graph : bool
        Whether the model graph is drawn.
    layers : tuple of str
        Addresses, in the order of the screen.
    """

    side: int | None
    channels: int | None
    classes: int
    photo: int
    least: int
    graph: bool = True
    layers: tuple[str, ...] = ()


_ALL = 1 << 30
# First finer maps are given up, then samples, classes, channels and the graph, and layers at the very end.
_PLANS = (
    Plan(None, None, 10, 320, _ALL),
    Plan(112, None, 10, 320, _ALL),
    Plan(56, None, 10, 224, _ALL),
    Plan(56, None, 10, 224, 12),
    Plan(28, None, 10, 224, 12),
    Plan(28, None, 3, 160, 6),
    Plan(28, 128, 3, 160, 6),
    Plan(28, 64, 3, 160, 4),
    Plan(14, 64, 3, 160, 4),
    Plan(14, 32, 1, 112, 2),
    Plan(14, 16, 1, 112, 1),
    Plan(14, 16, 0, 96, 1),
    Plan(7, 8, 0, 64, 1),
    Plan(7, 8, 0, 64, 1, graph=False),
)


def plans(layers: tuple[str, ...], chosen: str) -> Iterator[Plan]:
    """Yield plans from the fullest to the poorest, at last with ever fewer layers about the chosen one."""
    for plan in _PLANS:
        yield replace(plan, layers=layers)
    at, count = layers.index(chosen), len(layers)
    while count > 1:
        count = max(1, count * 2 // 3)
        first = min(max(0, at - count // 2), len(layers) - count)
        yield replace(_PLANS[-1], layers=layers[first : first + count])


def without(plan: Plan, whole: Plan) -> list[str]:
    """Return in words what a plan leaves out, but for samples.

    Parameters
    ----------
    plan : Plan
    whole : Plan
        What there is: its sides, channels, classes and layers are the largest that occur.
    """
    said = []
    if plan.side is not None and whole.side is not None and whole.side > plan.side:
        said.append(f"Maps larger than {plan.side} cells a side: of neighbours the largest stands for all.")
    if plan.channels is not None and whole.channels is not None and whole.channels > plan.channels:
        said.append(f"Channels of a layer but the {plan.channels} strongest in the sample shown first.")
    if plan.classes < whole.classes:
        kept = f"{plan.classes} likeliest" if plan.classes > 1 else "likeliest"
        others = f"Attribution of other classes than the {kept} of each sample."
        said.append(others if plan.classes else "Attribution.")
    if len(plan.layers) < len(whole.layers):
        lost, middle = len(whole.layers) - len(plan.layers), plan.layers[len(plan.layers) // 2]
        said.append(f"{lost} of {len(whole.layers)} layers: those far from '{middle}'.")
    return said
