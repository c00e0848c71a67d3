"""What must hold of every drawing of a graph: nothing lies on what it should leave free."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from act_widgets.rendering.graph_layout import Drawing
from act_widgets.rendering.graph_svg import describe

# Left, top, right, bottom.
Area = tuple[float, float, float, float]
_HAIR = 0.06  # what is sent to the page is rounded


def faults(drawing: Drawing) -> list[str]:
    """Return in words what lies on what: boxes, names of frames, lines."""
    picture = describe(drawing)
    boxes = {node["address"]: area(node) for node in picture["nodes"]}
    names = {frame["address"]: name_of(frame) for frame in picture["frames"]}
    return [
        *(f"box {a} on box {b}" for a, b in meeting(boxes)),
        *(f"name of {a} on name of {b}" for a, b in meeting(names)),
        *(f"name of {a} on box {b}" for a in names for b in boxes if meet(names[a], boxes[b])),
        *lines_on(drawing, boxes, names),
        *outside(picture, boxes),
    ]


def area(item: dict[str, Any]) -> Area:
    return item["x"], item["y"], item["x"] + item["width"], item["y"] + item["height"]


def name_of(frame: dict[str, Any]) -> Area:
    """The sign that closes a frame, and its name."""
    return frame["text_x"], frame["y"], frame["text_x"] + frame["text_width"] + 12, frame["y"] + 20


def meet(one: Area, other: Area) -> bool:
    return (
        one[0] < other[2] - _HAIR
        and other[0] < one[2] - _HAIR
        and one[1] < other[3] - _HAIR
        and other[1] < one[3] - _HAIR
    )


def meeting(areas: dict[str, Area]) -> Iterator[tuple[str, str]]:
    """Yield the pairs that lie on one another, from the top down."""
    downwards = sorted(areas, key=lambda address: areas[address][1])
    for place, one in enumerate(downwards):
        for other in itertools.islice(downwards, place + 1, None):
            if areas[other][1] >= areas[one][3]:
                break
            if meet(areas[one], areas[other]):
                yield one, other


def lines_on(drawing: Drawing, boxes: dict[str, Area], names: dict[str, Area]) -> Iterator[str]:
    for line in drawing.lines:
        for (x0, y0), (x1, y1) in itertools.pairwise(line.points):
            # A hair wide, so that a line along an axis has an area.
            piece = min(x0, x1) - 0.2, min(y0, y1) - 0.2, max(x0, x1) + 0.2, max(y0, y1) + 0.2
            ends = (line.source, line.target)
            said = f"line from {line.source} to {line.target} on"
            yield from (f"{said} {b}" for b, box in boxes.items() if b not in ends and meet(piece, box))
            yield from (f"{said} the name of {f}" for f, name in names.items() if meet(piece, name))


def outside(picture: dict[str, Any], boxes: dict[str, Area]) -> Iterator[str]:
    """Yield what reaches beyond the picture, and frames that are cut by another."""
    for address, (left, top, right, bottom) in boxes.items():
        if left < 0 or top < 0 or right > picture["width"] or bottom > picture["height"]:
            yield f"box {address} outside of the picture"
    frames = {frame["address"]: area(frame) for frame in picture["frames"]}
    for one, other in meeting(frames):
        a, b = frames[one], frames[other]
        holds = a[0] <= b[0] and a[1] <= b[1] and b[2] <= a[2] and b[3] <= a[3]
        held = b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]
        if not holds and not held:
            yield f"frame {one} cut by {other}"
    for (frame, border), (box, inner) in itertools.product(frames.items(), boxes.items()):
        if meet(border, inner) and not (
            border[0] <= inner[0]
            and border[1] <= inner[1]
            and inner[2] <= border[2]
            and inner[3] <= border[3]
        ):
            yield f"box {box} on the border of {frame}"
