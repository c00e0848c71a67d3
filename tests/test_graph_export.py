from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import Any

import networkx as nx
import pytest

from act_widgets.errors import InputError, UnknownLayerError
from act_widgets.model_graph import Edge, Graph, Node
from act_widgets.rendering.graph_layout import lay_out
from act_widgets.rendering.graph_lettering import printable, shorten
from act_widgets.rendering.graph_svg import describe, path
from act_widgets.rendering.layer_families import FAMILIES, GROUP, OTHER, contrast, family, is_minor

from .graphviz import assert_drawn, draw
from .test_graph_layout import GRAPHS, HOSTILE, chain, nested, two_results

SVG = "{http://www.w3.org/2000/svg}"
STATEMENT = re.compile(
    r"digraph STRING \{|subgraph cluster_\d+ \{|\}|charset=STRING; rankdir=TB;"
    r"|node \[.*\];|label=STRING; tooltip=STRING; style=rounded;"
    r"|n\d+ \[label=STRING, tooltip=STRING\];|n\d+ -> n\d+;"
)


def attributes(dot: str) -> list[str]:
    """The strings of a DOT text, as they stand there."""
    return re.findall(r'"((?:[^"\\]|\\.)*)"', dot)


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_dot_is_well_formed(graph: Graph) -> None:
    bare = re.sub(r'"(?:[^"\\\n]|\\.)*"', "STRING", graph.to_dot())
    lines = [line.strip() for line in bare.splitlines()]
    assert [line for line in lines if not STATEMENT.fullmatch(line)] == []
    assert sum(line.endswith("{") for line in lines) == lines.count("}")


def test_dot_draws_a_group_that_is_no_call_as_a_cluster_alone() -> None:
    nodes = (Node("x", "Input"), Node("scope/add", "AddV2", parent="scope"), Node("scope", "Scope"))
    graph = Graph("m", nodes, (Edge("x", "scope/add"),))
    assert_drawn(graph)
    assert draw(graph.to_dot()).nodes.keys() == {"n0", "n1"}
    assert draw(graph.to_dot(notes={"scope": "2 ms"})).nodes.keys() == {"n0", "n1", "n2"}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_dot_holds_every_node_and_edge(graph: Graph) -> None:
    lines = [line.strip() for line in graph.to_dot().splitlines()]
    assert sum(bool(re.match(r"n\d+ \[", line)) for line in lines) == len(graph.nodes)
    assert sum(bool(re.match(r"n\d+ -> ", line)) for line in lines) == len(graph.edges)


def test_dot_nests_groups_as_clusters() -> None:
    expected = """\
subgraph cluster_6 {
label="g (Functional)"
n1 [label="Conv2D\\na\\n? × 8"
subgraph cluster_4 {
label="h (Functional)"
n2 [label="Conv2D\\nb\\n? × 8"
n3 [label="Conv2D\\nc\\n? × 8"
n4 [label="output of\\nh\\n? × 8"
}
n5 [label="Conv2D\\nd\\n? × 8"
n6 [label="output of\\ng\\n? × 8"
}"""
    lines = [re.split("[;,]", line.strip())[0] for line in nested().to_dot().splitlines()]
    start = lines.index("subgraph cluster_6 {")
    assert "\n".join(lines[start : start + 12]) == expected


def test_dot_shows_special_characters_as_they_are() -> None:
    dot = Graph(HOSTILE, (Node(HOSTILE, "K"), Node("a\nb\x00\ud800", "K")), ()).to_dot()
    assert attributes(dot)[0] == r"<b>\"x\"&amp;\\"
    assert r"a\nb" in dot
    assert "\ufffd\ufffd" in dot
    dot.encode()


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_graphviz_draws_the_dot(graph: Graph) -> None:
    assert_drawn(graph)


NASTY = (
    'say "hi"',
    "back\\slash\\",
    "ends in \\",
    r"\N \G \l \r",
    "<b>bold</b><br/>",
    "<<i>html</i>>",
    "&amp; &#65; &lt;",
    "größe 漢字 🙂 e\u0301",
    "two\nlines",
    "a -> b; }",
    "n" * 300,
    "{a|b}",
    "%s $HOME `ls`",
    "/* no comment */ // #",
    "strict",
)


@pytest.mark.parametrize("name", NASTY)
def test_graphviz_shows_nasty_names_as_they_are(name: str) -> None:
    inner, outer = Node("g/a", name, (None, 3), parent=name), Node(name, name)
    graph = Graph(name, (inner, outer), (Edge("g/a", name),))
    assert_drawn(graph)
    picture = draw(graph.to_dot(notes={"g/a": name}))
    lines = name.split("\n")
    assert list(picture.nodes["n0"].texts) == [*lines, "a", "? × 3", *lines]
    last = outer.name.split("\n")
    assert list(picture.nodes["n1"].texts) == ["output of", *last]
    assert "\n".join(picture.clusters["cluster_1"].texts) == f"{outer.name} ({name})"


def test_a_note_is_for_a_node() -> None:
    assert r'"Dense\nc\n? × 8\n1.2 ms"' in chain().to_dot(notes={"c": "1.2 ms"})
    assert r'"Conv2D\nb\n? × 8\n7"' in nested().to_dot(notes={"h/b": "7"})
    with pytest.raises(UnknownLayerError, match=r"'conv'.*Nearest"):
        chain().to_dot(notes={"conv": "1.2 ms"})


# --- text ---


def test_summary_indents_groups_and_tells_what_feeds_them() -> None:
    graph = dataclasses.replace(nested(), parameters=12)
    expected = """\
model
───────────────────────────────────────────────────
layer  kind        output shape  parameters  fed by
───────────────────────────────────────────────────
x      InputLayer  ? × 8                  3
g      Functional  ? × 8                  3  x
  a    Conv2D      ? × 8                  3  /x
  h    Functional  ? × 8                  3  a
    b  Conv2D      ? × 8                  3  /g/a
    c  Conv2D      ? × 8                  3  b
  d    Conv2D      ? × 8                  3  h
y      Dense       ? × 8                  3  g
───────────────────────────────────────────────────
8 nodes in 2 groups, 7 edges, 12 parameters"""
    assert graph.summary() == expected
    assert repr(graph) == "Graph 'model': 8 nodes in 2 groups, 7 edges, 12 parameters"
    assert repr(chain()) == str(chain()) == "Graph 'model': 4 nodes, 3 edges"


@pytest.mark.parametrize("width", [60, 81, 300])
@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_summary_has_a_line_for_each_node_and_room_for_all(graph: Graph, width: int) -> None:
    lines = graph.summary(width).splitlines()
    assert len(lines) == len(graph.nodes) + 6
    assert max(map(in_a_console, lines)) <= width


def in_a_console(line: str) -> int:
    return sum(2 if c in "漢字🙂" else 0 if c == "\u0301" else 1 for c in line)


def test_summary_cuts_wide_names_and_keeps_its_columns() -> None:
    names = ("short", "漢字" * 30, "e\u0301" * 70, "a" * 30 + "b" * 30, "two\nlines\x1b[31m\u202e", "🙂")
    nodes = tuple(Node(name, "Dense", (None, 5), 1234567) for name in names)
    lines = Graph("m", nodes, ()).summary(60).splitlines()[4:-2]
    begins = {in_a_console(line.partition("Dense")[0]) for line in lines}
    assert len(begins) == 1
    assert all(line.endswith("1,234,567") for line in lines)
    assert lines[3].startswith("aaaaa")
    assert "bbbbb  Dense" in lines[3]
    assert "…" in lines[1]
    assert lines[1].split("  ")[0].strip("漢字") == "…"
    assert lines[4].startswith("two\ufffdlines\ufffd[31m\ufffd")
    assert not any("…\u0301" in line for line in lines)


def test_summary_of_a_deep_model_keeps_names() -> None:
    path = ["/".join(f"shell_{i}" for i in range(n)) for n in range(1, 50)]
    nodes = [Node(a, "Sequential", (), 0, a.rpartition("/")[0]) for a in reversed(path)]
    lines = Graph("m", tuple(nodes), ()).summary(60).splitlines()[4:-2]
    for number, line in enumerate(lines):
        assert f"shell_{number} " in line


def test_summary_takes_the_width_of_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (64, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert max(map(len, GRAPHS["hostile"].summary().splitlines())) == columns


def test_summary_refuses_to_be_too_narrow() -> None:
    with pytest.raises(InputError, match=r"Received: width=59\. Expected: 60 or more"):
        chain().summary(59)


# --- networkx ---


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_networkx_has_every_node_edge_and_attribute(graph: Graph) -> None:
    made = graph.to_networkx()
    assert made.name == graph.name
    assert [Node(address, **data) for address, data in _without_names(made)] == list(graph.nodes)
    assert set(made.edges) == {(edge.source, edge.target) for edge in graph.edges}
    assert nx.is_directed_acyclic_graph(made)


def _without_names(made: nx.DiGraph) -> list[tuple[str, dict[str, Any]]]:
    nodes = [(address, dict(data)) for address, data in made.nodes(data=True)]
    assert [data.pop("name") for _, data in nodes] == [address.rsplit("/", 1)[-1] for address, _ in nodes]
    return nodes


def test_networkx_answers_what_a_layer_depends_on() -> None:
    made = nested().to_networkx()
    assert nx.ancestors(made, "g/h") == {"x", "g/a", "g/h/b", "g/h/c"}
    assert {address for address, parent in made.nodes(data="parent") if parent == "g/h"} == {"g/h/b", "g/h/c"}


def test_without_networkx_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(ImportError, match=r"to_networkx.*pip install networkx"):
        chain().to_networkx()


# --- SVG ---


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("fold", [True, False])
def test_svg_holds_every_layer_and_the_whole_of_its_name(graph: Graph, fold: bool) -> None:
    root = ET.fromstring(graph.to_svg(fold=fold))
    titles = {title.text.split("\n")[0] for title in root.iter(f"{SVG}title") if title.text}
    assert {printable(node.address) for node in graph.nodes} <= titles


def test_svg_escapes_names() -> None:
    text = GRAPHS["hostile"].to_svg()
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
    text.encode()


def test_svg_needs_no_other_file() -> None:
    text = nested().to_svg()
    assert re.findall(r"(?:href|src|url)\b", text) == []
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


def test_svg_opens_what_it_is_told() -> None:
    assert "g/a" not in nested().to_svg(opened=())
    assert "g/a" in nested().to_svg(opened=("g",))
    assert "g/h/b" not in nested().to_svg(opened=("g",))
    assert "g/h/b" in nested().to_svg()


def test_the_text_of_every_node_fits_its_box() -> None:
    for node in describe(lay_out(GRAPHS["hostile"]))["nodes"]:
        assert all(len(line) <= 28 for line in node["lines"])


def test_describe_gives_plain_values() -> None:
    picture = describe(lay_out(two_results(), {"g"}))
    assert [(n["address"], n["role"]) for n in picture["nodes"]] == [
        ("x", "layer"),
        ("g/a", "layer"),
        ("g/b", "layer"),
        ("g", "output"),
        ("y", "layer"),
    ]
    dense = picture["nodes"][1]
    assert dense["lines"] == ["Dense", "a"]
    assert dense["facts"] == [["type", "Dense"], ["in", "? × 8"], ["out", "? × 8"], ["parameters", "3"]]
    assert dense["label"] == "g/a, Dense, in ? × 8, out ? × 8, 3 parameters"
    assert [f["text"] for f in picture["frames"]] == ["g"]
    assert [e["text"] for e in picture["legend"]] == ["input", "dense", "group of layers"]
    assert {(e["source"], e["target"]) for e in picture["edges"]} >= {("x", "g/a"), ("g", "y")}


def test_a_closed_group_says_what_it_hides() -> None:
    node = describe(lay_out(nested()))["nodes"][1]
    assert node["lines"] == ["4 layers", "g"]
    assert ["inside", "4 layers"] in node["facts"]


def test_a_long_name_loses_its_middle() -> None:
    short = shorten("block_12_" + "x" * 40 + "_project", 144)
    assert short.startswith("block_12")
    assert short.endswith("project")
    assert "…" in short
    assert shorten("conv", 144) == "conv"
    assert shorten("漢" * 40, 40) == "漢…漢"
    assert shorten("anything", 1) == "…"
    assert shorten("GlobalAveragePooling2D", 174, bold=True) == "GlobalAveragePooling2D"


def test_a_path_rounds_its_corners() -> None:
    assert path([(0, 0), (0, 10)]) == "M0.0 0.0L0.0 10.0"
    assert path([(0, 0), (0, 20), (20, 20)]) == "M0.0 0.0L0.0 12.0Q0.0 20.0 8.0 20.0L20.0 20.0"


@pytest.mark.parametrize("colours", [*FAMILIES, OTHER, GROUP], ids=lambda f: f.name)
def test_texts_on_boxes_have_the_contrast_of_wcag_aa(colours: object) -> None:
    assert contrast(colours.fill, colours.ink) >= 4.5  # type: ignore[attr-defined]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize(
    ("kind", "name", "minor"),
    [
        ("InputLayer", "input", False),
        ("SeparableConv2D", "convolution", False),
        ("Conv2DTranspose", "convolution", False),
        ("ConvLSTM2D", "recurrent, attention", False),
        ("MultiHeadAttention", "recurrent, attention", False),
        ("GlobalAveragePooling2D", "pooling", False),
        ("Average", "merge", False),
        ("Add", "merge", False),
        ("ZeroPadding2D", "shape", True),
        ("BatchNormalization", "normalisation", True),
        ("LeakyReLU", "activation", True),
        ("SpatialDropout2D", "other", True),
        ("Dense", "dense", False),
        ("UpSampling2D", "shape", False),
        ("MyLayer", "other", False),
    ],
)
def test_families(kind: str, name: str, minor: bool) -> None:
    assert (family(kind).name, is_minor(kind)) == (name, minor)


def test_the_graph_alone_loads_no_rendering() -> None:
    code = "import sys, act_widgets.model_graph; sys.exit('graphlay' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_broken_edge_is_left_out() -> None:
    graph = Graph("m", chain().nodes, (*chain().edges, Edge("x", "gone")))
    assert "gone" not in graph.to_dot()
    assert "gone" not in graph.summary()
    assert "gone" not in graph.to_networkx()
    ET.fromstring(graph.to_svg())
