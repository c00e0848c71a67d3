"""A drawing of the model graph as an SVG text, and as the values that a browser draws from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from math import hypot
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ..model_graph import Graph, Node
from .graph_layout import Box, Drawing, Frame, Point, groups, lay_out
from .graph_lettering import FONT_SIZE, printable, shorten, text_width
from .graph_tones import Tones, shown_blank
from .layer_families import FAMILIES, GROUP, OTHER, Family, family

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_CORNER = 8.0
_ARROW = 6.0
_PADDING = 6
# At the sides of a box.
_SIDE = 5
_GAP = 5
LABEL_HEIGHT = 20
_LEGEND_ROW = 22
# Of so many inputs the shapes are told.
_INPUTS = 6
_LINE_COLOUR = "#8c8c8c"


def describe(drawing: Drawing, tones: Tones | None = None) -> dict[str, Any]:
    """Return `drawing` as plain values, ready for JSON, with texts cut to their boxes.

    Parameters
    ----------
    drawing : Drawing
    tones : Tones, optional
        Colours by a measure; by the families of layers if left out.

    Returns
    -------
    dict
        ``name``, ``width``, ``height``;
        ``nodes``: dicts with ``address role x y width height
        fill ink blank lines selectable name facts label``;
        ``frames``: dicts with ``address x y width height depth
        text text_x text_width selectable name facts label``;
        ``edges``: dicts with ``source target path`` and ``arrow`` (SVG path data);
        ``legend``: dicts with ``text`` and ``fill``, which is empty for stripes;
        ``scale``: with tones, what `Tones.scale` returns.
    """
    blank = [{"text": "no value", "fill": ""}]
    legend = [{"text": f.name, "fill": f.fill} for f in _families(drawing.boxes)]
    if tones:
        legend = blank if shown_blank(tones, [box.node.address for box in drawing.boxes]) else []
    picture = {
        "name": printable(drawing.name),
        "width": round(drawing.width, 1),
        "height": round(drawing.height, 1),
        "nodes": [_node(box, tones) for box in drawing.boxes],
        "frames": [_frame(frame, drawing, tones) for frame in drawing.frames],
        "edges": [
            {"source": e.source, "target": e.target, "path": path(e.points), "arrow": _arrow(e.points)}
            for e in drawing.lines
        ],
        "legend": legend,
    }
    return picture | ({"scale": tones.scale()} if tones else {})


def to_svg(drawing: Drawing) -> str:
    """Return `drawing` as a whole SVG file with a legend, on white, that needs no other file."""
    picture = describe(drawing)
    legend, legend_height = _legend(picture["legend"], picture["width"])
    width, height = picture["width"], picture["height"] + legend_height
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="{_FONT}" font-size="{FONT_SIZE}">'
    )
    parts = [head, f"<title>{escape(picture['name'])}</title>"]
    parts.append('<rect width="100%" height="100%" fill="#ffffff"/>')
    parts += [_frame_svg(frame) for frame in picture["frames"]]
    parts += [_edge_svg(edge) for edge in picture["edges"]]
    parts += [_frame_label_svg(frame) for frame in picture["frames"]]
    parts += [_node_svg(node) for node in picture["nodes"]]
    parts.append(f'<g transform="translate(0 {picture["height"]:g})">{legend}</g>')
    return "\n".join([*parts, "</svg>\n"])


def graph_to_svg(graph: Graph, opened: Collection[str] | None = None, fold: bool = True) -> str:
    """Lay out `graph` and return it as an SVG file; `Graph.to_svg` says what the rest means."""
    return to_svg(lay_out(graph, groups(graph) if opened is None else opened, fold))


def path(points: Sequence[Point]) -> str:
    """Return SVG path data of a polyline with rounded corners."""
    data = [f"M{_xy(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        data.append(f"L{_xy(_towards(corner, before))}Q{_xy(corner)} {_xy(_towards(corner, after))}")
    return "".join([*data, f"L{_xy(points[-1])}"])


def _towards(corner: Point, other: Point) -> Point:
    """Return the point where the rounding of `corner` ends on the way to `other`."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = hypot(dx, dy) or 1.0
    share = min(_CORNER, length / 2) / length
    return corner[0] + dx * share, corner[1] + dy * share


def _xy(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"


def _arrow(points: Sequence[Point]) -> str:
    (x0, y0), (x, y) = points[-2], points[-1]
    length = hypot(x - x0, y - y0) or 1.0
    dx, dy = (x - x0) / length * _ARROW, (y - y0) / length * _ARROW
    left, right = (x - dx - dy / 2, y - dy + dx / 2), (x - dx + dy / 2, y - dy - dx / 2)
    return f"M{_xy((x, y))}L{_xy(left)}L{_xy(right)}Z"


def _family_of(box: Box) -> Family:
    return GROUP if box.role in ("group", "output") else family(box.node.kind)


def _families(boxes: Sequence[Box]) -> list[Family]:
    present = {_family_of(box).name for box in boxes}
    return [f for f in (*FAMILIES, OTHER, GROUP) if f.name in present]


def _node(box: Box, tones: Tones | None) -> dict[str, Any]:
    address, colours = box.node.address, _family_of(box)
    return {
        "address": address,
        "role": box.role,
        "x": round(box.x, 1),
        "y": round(box.y, 1),
        "width": box.width,
        "height": box.height,
        "fill": tones.fill(address) if tones else colours.fill,
        "ink": tones.ink(address) if tones else colours.ink,
        "blank": bool(tones and tones.is_blank(address)),
        "lines": _lines(box),
        "selectable": _is_selectable(box.node),
        **_said(box.node, _count(box.hidden, box.unit) if box.hidden else "", box.given, tones),
    }


def _is_selectable(node: Node) -> bool:
    """Whether a click on a group selects it: a name scope's output is that of an operation inside."""
    return node.tap == node.address or node.tap.startswith(f"{node.address}:")


def _lines(box: Box) -> list[str]:
    room = box.width - 2 * _SIDE
    if box.role == "row":
        return [shorten(box.node.kind, room)]
    if box.role == "output":
        return [shorten(f"output of {box.node.name}", room)]
    kind = _count(box.hidden, box.unit) if box.role == "group" else box.node.kind
    return [shorten(kind, room, bold=True), shorten(box.node.name, room)]


def _count(hidden: int, unit: str) -> str:
    return f"{hidden:,} {unit}{'' if hidden == 1 else 's'}"


def _said(
    node: Node, hidden: str, given: Sequence[tuple[int | None, ...]], tones: Tones | None
) -> dict[str, Any]:
    """Return what is told of a call when the pointer rests on it, and to a screen reader."""
    facts = [("type", node.kind)]
    facts += [("inside", hidden)] if hidden else []
    facts += [("in", ", ".join(_some(given)))] if given else []
    facts += [("out", _size(node.shape))] if node.shape else []
    facts += [("parameters", f"{node.parameters:,}")] if node.parameters else []
    facts += tones.facts(node.address) if tones else []
    name = printable(node.address)
    pairs = [(what, printable(value)) for what, value in facts]
    words = {"type": "{}", "inside": "{} inside", "parameters": "{} parameters"}
    label = ", ".join([name, *(words.get(what, what + " {}").format(value) for what, value in pairs)])
    return {"name": name, "facts": [list(pair) for pair in pairs], "label": label}


def _title(item: dict[str, Any]) -> str:
    return "\n".join([item["name"], *(f"{what} {value}" for what, value in item["facts"])])


def _some(shapes: Sequence[tuple[int | None, ...]]) -> list[str]:
    texts = [_size(shape) for shape in shapes]
    return texts if len(texts) <= _INPUTS else [*texts[:_INPUTS], f"and {len(texts) - _INPUTS} more"]


def _size(shape: tuple[int | None, ...]) -> str:
    return " × ".join("?" if n is None else str(n) for n in shape) or "scalar"


def _frame(frame: Frame, drawing: Drawing, tones: Tones | None) -> dict[str, Any]:
    left, room = _label_room(frame, drawing)
    text = shorten(frame.node.name, room - 2 * _PADDING, bold=True)
    return {
        "address": frame.node.address,
        "x": round(frame.x, 1),
        "y": round(frame.y, 1),
        "width": round(frame.width, 1),
        "height": round(frame.height, 1),
        "depth": frame.depth,
        "text": text,
        "text_x": round(left, 1),
        "text_width": round(text_width(text, bold=True), 1),
        "selectable": _is_selectable(frame.node),
        **_said(frame.node, "", (), tones),
    }


def _label_room(frame: Frame, drawing: Drawing) -> tuple[float, float]:
    """Return left and width of where a frame's name finds room between the lines that come in at its top."""
    bottom, right = frame.y + LABEL_HEIGHT, frame.x + frame.width
    crossing = sorted(
        {
            x
            for line in drawing.lines
            for a, b in pairwise(line.points)
            for x in (a[0], b[0])
            if min(a[1], b[1]) < bottom and max(a[1], b[1]) > frame.y and frame.x < x < right
        }
    )
    # At the left is the sign that closes the group.
    starts = [frame.x + LABEL_HEIGHT, *(x + _GAP for x in crossing)]
    ends = [*(x - _GAP for x in crossing), right]
    rooms = [(start, end - start) for start, end in zip(starts, ends, strict=True)]
    wished = text_width(frame.node.name, bold=True) + 2 * _PADDING
    return next((room for room in rooms if room[1] >= wished), max(rooms, key=lambda room: room[1]))


def _rect(item: dict[str, Any], extra: str) -> str:
    return (
        f'<rect x="{item["x"]:g}" y="{item["y"]:g}" width="{item["width"]:g}" '
        f'height="{item["height"]:g}" {extra}/>'
    )


def _frame_svg(frame: dict[str, Any]) -> str:
    border = _rect(frame, 'rx="6" fill="#7f8fa6" fill-opacity="0.1" stroke="#9a9a9a"')
    return f"<g><title>{escape(_title(frame))}</title>{border}</g>"


def _frame_label_svg(frame: dict[str, Any]) -> str:
    """Return the frame's name on a white ground, to be laid over the line that comes in there."""
    ground = _rect(
        {**frame, "x": frame["text_x"], "width": frame["text_width"] + 12, "height": LABEL_HEIGHT},
        'rx="6" fill="#ffffff" stroke="#9a9a9a"',
    )
    return ground + _text(
        frame["text_x"] + 6, frame["y"] + 14, frame["text"], 'font-weight="bold" fill="#333333"'
    )


def _edge_svg(edge: dict[str, str]) -> str:
    return (
        f'<path d="{edge["path"]}" fill="none" stroke="{_LINE_COLOUR}" stroke-width="1.5"/>'
        f'<path d="{edge["arrow"]}" fill="{_LINE_COLOUR}"/>'
    )


def _node_svg(node: dict[str, Any]) -> str:
    box = _rect(node, f'rx="{2 if node["role"] == "row" else 4}" fill="{node["fill"]}" stroke="#ffffff"')
    if node["role"] == "group":
        behind = {**node, "x": node["x"] + 3, "y": node["y"] + 3}
        box = _rect(behind, f'rx="4" fill="{node["fill"]}" stroke="#a8a08c"') + _rect(
            node, f'rx="4" fill="{node["fill"]}" stroke="#a8a08c"'
        )
    texts = "".join(_node_text(node, i, line) for i, line in enumerate(node["lines"]))
    data = quoteattr(printable(node["address"]))
    return f"<g data-address={data}><title>{escape(_title(node))}</title>{box}{texts}</g>"


def _node_text(node: dict[str, Any], index: int, line: str) -> str:
    single = len(node["lines"]) == 1
    y = node["y"] + (node["height"] / 2 + 4 if single else 17 + 15 * index)
    weight = "" if single or index else ' font-weight="bold"'
    style = f'text-anchor="middle" fill="{node["ink"]}"{weight}'
    return _text(node["x"] + node["width"] / 2, y, line, style)


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'


def _legend(entries: list[dict[str, str]], width: float) -> tuple[str, float]:
    """Return the legend's SVG, broken into rows of at most `width`, and its height."""
    x, y, parts = 12.0, 0.0, []
    for entry in entries:
        needed = 22 + text_width(entry["text"], False) + 8
        if x + needed > width and x > 12:
            x, y = 12.0, y + _LEGEND_ROW
        parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="14" height="14" rx="3" fill="{entry["fill"]}"/>'
            + _text(x + 20, y + 11, entry["text"], 'fill="#333333"')
        )
        x += needed
    return "".join(parts), y + _LEGEND_ROW if entries else 0.0
