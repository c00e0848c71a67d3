from __future__ import annotations

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from act_widgets.model_graph import Edge, Graph, Node
from act_widgets.rendering.graph_layout import groups, lay_out
from act_widgets.rendering.graph_svg import describe, path, printable, shorten
from act_widgets.rendering.layer_families import FAMILIES, GROUP, OTHER, contrast, family, is_minor

from .test_graph_layout import GRAPHS, HOSTILE, chain, nested, two_results

SVG = "{http://www.w3.org/2000/svg}"
STATEMENT = re.compile(
    r"digraph STRING \{|subgraph cluster_\d+ \{|\}|charset=STRING; rankdir=TB;"
    r"|node \[.*\];|label=STRING; style=rounded;|n\d+ \[label=STRING, tooltip=STRING\];|n\d+ -> n\d+;"
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
def test_graphviz_accepts_the_dot(graph: Graph) -> None:
    program = shutil.which("dot")
    if program is None:
        assert graph.to_dot().startswith("digraph ")
        return
    command = [program, "-Tsvg"]
    done = subprocess.run(
        command, input=graph.to_dot().encode(), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    drawn = ET.fromstring(done.stdout)
    kinds = [g.get("class") for g in drawn.iter(f"{SVG}g")]
    assert kinds.count("node") == len(graph.nodes)
    assert kinds.count("cluster") == len(groups(graph))


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
    assert dense["title"] == "g/a\nDense\n? × 8\n3 parameters"
    assert dense["label"] == "g/a, Dense, ? × 8, 3 parameters"
    assert [f["text"] for f in picture["frames"]] == ["g"]
    assert [e["text"] for e in picture["legend"]] == ["input", "dense", "group of layers"]
    assert {(e["source"], e["target"]) for e in picture["edges"]} >= {("x", "g/a"), ("g", "y")}


def test_a_closed_group_says_what_it_hides() -> None:
    node = describe(lay_out(nested()))["nodes"][1]
    assert node["lines"] == ["5 layers", "g"]
    assert "5 layers inside" in node["title"]


def test_a_long_name_loses_its_middle() -> None:
    short = shorten("block_12_" + "x" * 40 + "_project", 144)
    assert short.startswith("block_12")
    assert short.endswith("project")
    assert "…" in short
    assert shorten("conv", 144) == "conv"
    assert shorten("漢" * 40, 40) == "漢…漢"
    assert shorten("anything", 1) == "…"


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
    ET.fromstring(graph.to_svg())
