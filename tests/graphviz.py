"""Draws with Graphviz itself, which `pygraphviz` carries: what ``dot -Tsvg`` would write, taken apart."""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import pygraphviz

from act_widgets.model_graph import Graph

SVG = "{http://www.w3.org/2000/svg}"
TOOLTIP = "{http://www.w3.org/1999/xlink}title"


@dataclass(frozen=True)
class Shape:
    """A node or cluster on Graphviz's picture: what it says, and its corners."""

    texts: tuple[str, ...]
    tooltip: str
    box: tuple[float, float, float, float]

    def holds(self, other: Shape) -> bool:
        left, top, right, bottom = self.box
        return (
            left <= other.box[0] and top <= other.box[1] and right >= other.box[2] and bottom >= other.box[3]
        )


@dataclass(frozen=True)
class Picture:
    """What Graphviz drew, by the names in the DOT text."""

    nodes: dict[str, Shape]
    clusters: dict[str, Shape]
    edges: set[tuple[str, str]]


def draw(dot: str) -> Picture:
    """Lay a graph out and draw it; a text that Graphviz does not accept is an error."""
    drawn = ET.fromstring(pygraphviz.AGraph(string=dot).draw(format="svg", prog="dot"))
    parts = [(g.get("class"), g.findtext(f"{SVG}title", ""), g) for g in drawn.iter(f"{SVG}g")]
    return Picture(
        {title: _shape(g) for kind, title, g in parts if kind == "node"},
        {title: _shape(g) for kind, title, g in parts if kind == "cluster"},
        {tuple(title.split("->")) for kind, title, _ in parts if kind == "edge"},
    )


def _shape(group: ET.Element) -> Shape:
    outline = next(e for e in group.iter() if e.tag in (f"{SVG}path", f"{SVG}polygon"))
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", outline.get("d") or outline.get("points") or "")]
    across, down = numbers[::2], numbers[1::2]
    texts = tuple(text.text or "" for text in group.iter(f"{SVG}text"))
    links = [a.get(TOOLTIP, "") for a in group.iter(f"{SVG}a")]
    return Shape(texts, "".join(links), (min(across), min(down), max(across), max(down)))


def assert_drawn(graph: Graph) -> None:
    """Graphviz draws all nodes, groups around what they hold, and edges; each tells its address."""
    picture = draw(graph.to_dot())
    numbers = {node.address: number for number, node in enumerate(graph.nodes)}
    holders = {node.parent for node in graph.nodes} & numbers.keys()
    joined = {address for edge in graph.edges for address in (edge.source, edge.target)}
    drawn = [address for address in numbers if address in joined or address not in holders]
    nodes = {f"n{numbers[address]}": shown(address) for address in drawn}
    assert {name: shape.tooltip for name, shape in picture.nodes.items()} == nodes
    clusters = {f"cluster_{numbers[address]}": shown(address) for address in holders}
    assert {name: shape.tooltip for name, shape in picture.clusters.items()} == clusters
    assert picture.edges == {(f"n{numbers[e.source]}", f"n{numbers[e.target]}") for e in graph.edges}
    shapes = picture.nodes | {f"n{name[8:]}": shape for name, shape in picture.clusters.items()}
    for node in graph.nodes:
        if node.parent in holders:
            around = picture.clusters[f"cluster_{numbers[node.parent]}"]
            assert around.holds(shapes[f"n{numbers[node.address]}"]), node.address


def shown(text: str) -> str:
    """Return `text` as it can be shown: no half surrogates, and of control characters only line breaks."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") and c != "\n" else c for c in text)
