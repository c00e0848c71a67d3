from __future__ import annotations

import itertools
from dataclasses import replace

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import act_widgets as aw
from act_widgets.model_graph import Edge, Graph, Node
from act_widgets.rendering.block_tree import BLOCK
from act_widgets.rendering.graph_blocks import FEW, with_blocks
from act_widgets.rendering.graph_groups import ancestors, groups
from act_widgets.rendering.graph_layout import lay_out
from act_widgets.rendering.graph_svg import describe

from .big_graphs import scopes
from .drawings import faults
from .test_graph_layout import GRAPHS, densenet, graph_of, resnet


def blocks_of(graph: Graph) -> dict[str, list[str]]:
    """Each block's address and the addresses right inside it."""
    found = with_blocks(graph)
    blocks = {node.address: [] for node in found.nodes if node.kind == BLOCK}
    for node in found.nodes:
        if node.parent in blocks:
            blocks[node.parent].append(node.address)
    return blocks


def chain_of(names: list[str], kinds: list[str]) -> Graph:
    nodes = tuple(Node(name, kind, (None, 8), 3, "", name) for name, kind in zip(names, kinds, strict=True))
    return Graph("chain", nodes, tuple(Edge(a, b) for a, b in itertools.pairwise(names)))


def branching(names: list[tuple[str, str, str, str]]) -> Graph:
    """Blocks of four layers, the last of which adds the second, the third and what came before."""
    nodes, edges, last = [Node("x", "Input")], [], "x"
    for a, b, c, d in names:
        nodes += [Node(a, "Conv2D"), Node(b, "Conv2D"), Node(c, "MaxPooling2D"), Node(d, "Add")]
        edges += [(last, a), (a, b), (last, c), (b, d), (c, d)]
        last = d
    return Graph("model", tuple(nodes), tuple(Edge(*edge) for edge in edges))


def test_layers_whose_names_begin_with_the_same_number_are_a_block() -> None:
    found = blocks_of(resnet())
    assert list(found) == [f"b{i}_*" for i in range(16)]
    parts = ("c1", "n1", "r1", "c2", "n2", "r2", "c3", "n3", "add", "out")
    assert found["b1_*"] == [f"b1_{part}" for part in parts]
    assert "b0_c0" in found["b0_*"]


def test_names_that_end_with_the_same_number_are_a_block() -> None:
    names = [tuple(f"{part}_cell_{i}" for part in ("up", "on", "past", "sum")) for i in range(15)]
    found = blocks_of(branching(names))
    assert list(found) == [f"*_cell_{i}" for i in range(15)]
    assert found["*_cell_3"] == list(names[3])


def test_what_lies_between_two_layers_that_all_passes_is_a_block_where_names_tell_nothing() -> None:
    names = [(f"conv2d_{2 * i}", f"conv2d_{2 * i + 1}", f"max_pooling2d_{i}", f"mixed{i}") for i in range(15)]
    found = blocks_of(branching(names))
    assert found["…mixed3"] == ["conv2d_6", "conv2d_7", "max_pooling2d_3", "mixed3"]
    assert len(found) >= 14


def test_a_shortcut_with_a_name_that_keras_gave_lies_in_the_block_it_leads_around() -> None:
    names = [(f"block{i}_a", f"block{i}_b", f"max_pooling2d_{i}", f"add_{i}") for i in range(15)]
    found = blocks_of(branching(names))
    assert found["block4_*"] == ["block4_a", "block4_b", "max_pooling2d_4", "add_4"]


def test_an_activation_with_a_name_that_keras_gave_lies_in_the_block_that_it_leads_into() -> None:
    # Each block reads the two before it, the one right before it by way of an activation.
    nodes, edges, ends = [Node("x", "Input")], [], ["x", "x"]
    for i in range(15):
        parts = [f"{part}_{i}" for part in ("left", "right", "sum")]
        kinds = ("Conv2D", "MaxPooling2D", "Add")
        nodes += [Node(f"activation_{i}", "Activation"), *map(Node, parts, kinds)]
        left, right, total = parts
        edges += [(ends[-1], f"activation_{i}"), (f"activation_{i}", left), (ends[-2], right)]
        edges += [(left, total), (right, total)]
        ends.append(total)
    found = blocks_of(Graph("cells", tuple(nodes), tuple(Edge(*edge) for edge in edges)))
    assert found["*_7"] == ["activation_7", "left_7", "right_7", "sum_7"]


def test_blocks_lie_in_stages_where_there_are_too_many() -> None:
    names = [f"stage{i}_block{j}_conv{k}" for i in range(6) for j in range(9) for k in range(3)]
    found = blocks_of(chain_of(names, ["Conv2D"] * len(names)))
    assert found["stage2_*"] == [f"stage2_block{j}_*" for j in range(9)]
    assert found["stage2_block4_*"] == [f"stage2_block4_conv{k}" for k in range(3)]


@pytest.mark.parametrize(
    "graph",
    [
        graph_of(
            "Input:x Conv2D:b1_c Conv2D:b1_d Conv2D:b2_c Conv2D:b2_d", "x>b1_c b1_c>b1_d b1_d>b2_c b2_c>b2_d"
        ),
        chain_of([f"dense_{i}" for i in range(100)], ["Dense"] * 100),
        chain_of([f"a{i}_{k}" for i in range(50) for k in "xy"], [f"Own{i}" for i in range(100)]),
        # Half of each block comes first: as one box each they would feed one another in a circle.
        chain_of([f"b{i}_{k}" for k in "uvw" for i in range(30)], ["Conv2D"] * 90),
    ],
    ids=["few layers", "numbers of layers", "nothing repeats", "blocks in pieces"],
)
def test_what_is_no_repeated_block_stays_as_it_is(graph: Graph) -> None:
    assert with_blocks(graph) == graph


@pytest.mark.parametrize("graph", [resnet(), densenet(30)], ids=["resnet", "densenet"])
def test_calls_and_edges_are_the_same_and_nothing_feeds_itself(graph: Graph) -> None:
    found = with_blocks(graph)
    calls = [node for node in found.nodes if node.kind != BLOCK]
    assert [node.address for node in calls] == [node.address for node in graph.nodes]
    assert found.edges == graph.edges
    places = {node.address: i for i, node in enumerate(found.nodes)}
    assert all(places[node.parent] > i for i, node in enumerate(found.nodes) if node.parent in places)
    drawing = lay_out(found)
    tops = {box.node.address: box.y for box in drawing.boxes}
    assert all(tops[line.source] < tops[line.target] for line in drawing.lines)
    assert len(drawing.boxes) < FEW


def test_a_block_has_an_address_that_no_call_has() -> None:
    graph = resnet()
    taken = Graph("taken", (*graph.nodes, Node("b3_*", "Dense", parent="")), graph.edges)
    assert "b3_**" in blocks_of(taken)
    assert ancestors(with_blocks(taken), "b3_c1") == ("b3_**",)


def test_a_block_has_the_parameters_of_its_layers_and_the_shape_of_the_last() -> None:
    found = with_blocks(resnet())
    (block,) = [node for node in found.nodes if node.address == "b1_*"]
    assert (block.parameters, block.shape, block.tap) == (10 * 3, (None, 8), "")


WORDS = ("conv", "block", "add", "dense", "part")


@st.composite
def graphs(draw) -> Graph:
    """Graphs without loops, with names that look as if they meant something."""
    count = draw(st.integers(50, 90))
    name = st.builds(
        "{}{}_{}{}".format,
        st.sampled_from(WORDS),
        st.integers(0, 9),
        st.sampled_from(WORDS),
        st.integers(0, 3),
    )
    names = [f"{draw(name)}_{i}" if draw(st.booleans()) else f"{WORDS[i % 5]}_{i}" for i in range(count)]
    kinds = draw(st.lists(st.sampled_from(("Conv2D", "Add", "Dense")), min_size=count, max_size=count))
    steps = draw(st.lists(st.integers(1, 6), min_size=count, max_size=count))
    edges = {(max(0, i - step), i) for i, step in enumerate(steps) if i} | {
        (i - 1, i) for i in range(1, count, 2)
    }
    nodes = tuple(Node(name, kind) for name, kind in zip(names, kinds, strict=True))
    return Graph("any", nodes, tuple(Edge(names[s], names[t]) for s, t in sorted(edges)))


@settings(max_examples=12)
@given(graphs())
def test_whatever_the_names_no_edge_is_lost_or_turned(graph: Graph) -> None:
    found = with_blocks(graph)
    assert tuple(replace(n, parent="") for n in found.nodes if n.kind != BLOCK) == graph.nodes
    assert found.edges == graph.edges
    for opened in ((), groups(found)[::2], groups(found)):
        drawing = lay_out(found, opened)
        tops = {box.node.address: box.y for box in drawing.boxes}
        assert all(tops[line.source] < tops[line.target] for line in drawing.lines)
        assert faults(drawing) == []


@pytest.fixture(scope="module")
def mobilenet() -> Graph:
    return aw.graph(keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3)))


def test_blocks_of_a_model_that_everybody_knows(mobilenet) -> None:
    found = blocks_of(mobilenet)
    assert list(found) == [f"block_{i}_*" for i in range(1, 17)]
    assert all(name.startswith(block[:-1]) for block, names in found.items() for name in names)
    named = {
        node.address for node in mobilenet.nodes if node.address.startswith("block_") and not node.parent
    }
    assert set(itertools.chain.from_iterable(found.values())) == named


def test_a_known_model_is_drawn_on_few_boxes_and_each_block_opens(mobilenet) -> None:
    found = with_blocks(mobilenet)
    assert len(lay_out(found).boxes) < FEW
    opened = lay_out(found, {"block_2_*"})
    assert [frame.node.address for frame in opened.frames] == ["block_2_*"]
    shown = {box.node.address for box in opened.boxes}
    assert {"block_2_expand", "block_2_add", "block_1_*"} <= shown
    assert "block_2_*" not in shown
    assert len(lay_out(found, groups(found)).boxes) > 100


@pytest.mark.parametrize("opened", [(), ("block_2_*",), ("block_1_*", "block_16_*"), None])
def test_nothing_in_the_drawing_of_a_known_model_lies_on_anything_else(mobilenet, opened) -> None:
    found = with_blocks(mobilenet)
    assert faults(lay_out(found, groups(found) if opened is None else opened)) == []


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "open"])
def test_nothing_lies_on_anything_else(graph: Graph, is_open: bool) -> None:
    found = with_blocks(graph)
    assert faults(lay_out(found, groups(found) if is_open else ())) == []


def test_operations_in_name_scopes_are_drawn_clearly() -> None:
    graph = scopes([30] * 4 + [6] * 20)
    for opened in ((), ("model",), ("model", "model/block_2"), groups(graph)):
        assert faults(lay_out(graph, opened)) == []


def test_a_name_scope_around_one_operation_is_drawn_as_that_operation() -> None:
    graph = graph_of(
        "Input:x Conv2D:a/op Scope:a Relu:b/op Scope:b Add:c/u Mul:c/v Scope:c",
        "x>a/op a/op>b/op b/op>c/u c/u>c/v",
    )
    found = with_blocks(graph)
    assert groups(found) == ("c",)
    drawing = lay_out(found)
    assert [(box.node.address, box.node.kind, box.role) for box in drawing.boxes] == [
        ("x", "Input", "layer"),
        ("a", "Conv2D", "layer"),
        ("b", "Relu", "row"),
        ("c", "Scope", "group"),
    ]
    assert describe(drawing)["nodes"][-1]["lines"] == ["2 operations", "c"]


def test_a_click_on_a_group_selects_it_if_it_has_an_output_of_its_own() -> None:
    nodes = (Node("g/a", "Dense", parent="g", tap="g/a"), Node("g/b", "Dense", parent="g", tap="g/b"))
    for tap, expected in (("g", True), ("g:state", True), ("g/b", False), ("", False)):
        drawing = lay_out(Graph("m", (*nodes, Node("g", "Scope", tap=tap)), (Edge("g/a", "g/b"),)))
        assert [node["selectable"] for node in describe(drawing)["nodes"]] == [expected]


def test_a_name_that_has_no_room_beside_the_line_is_shortened() -> None:
    graph = graph_of(
        "Input:x Dense:a_long_name_of_a_group/b Functional:a_long_name_of_a_group Dense:y",
        "x>a_long_name_of_a_group/b a_long_name_of_a_group/b>a_long_name_of_a_group a_long_name_of_a_group>y",
    )
    drawing = lay_out(graph, groups(graph))
    assert faults(drawing) == []
    (frame,) = describe(drawing)["frames"]
    assert "…" in frame["text"]
    assert frame["name"] == "a_long_name_of_a_group"
