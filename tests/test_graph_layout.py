from __future__ import annotations

import itertools

import pytest

from act_widgets.errors import UnknownLayerError
from act_widgets.model_graph import Edge, Graph, Node
from act_widgets.rendering.graph_groups import collapse
from act_widgets.rendering.graph_layout import (
    Box,
    Drawing,
    Frame,
    ancestors,
    groups,
    lay_out,
    visible_ancestor,
)

HOSTILE = '<b>"x"&\\'


def graph_of(nodes: str, edges: str, name: str = "model") -> Graph:
    """`nodes`: ``kind:address``, each parent being what stands before the last slash."""
    pairs = [word.split(":", 1) for word in nodes.split()]
    made = tuple(Node(a, kind, (None, 8), 3, a.rpartition("/")[0], a) for kind, a in pairs)
    links = tuple(Edge(*word.split(">")) for word in edges.split())
    return Graph(name, made, links)


def chain() -> Graph:
    return graph_of("InputLayer:x Conv2D:a MaxPooling2D:b Dense:c", "x>a a>b b>c")


def residual() -> Graph:
    return graph_of("InputLayer:x Conv2D:a Conv2D:b Conv2D:c Add:d", "x>a a>b b>c a>d c>d")


def two_inputs() -> Graph:
    return graph_of(
        "InputLayer:left InputLayer:right Conv2D:conv Conv2D:conv#2 Subtract:d",
        "left>conv right>conv#2 conv>d conv#2>d",
    )


def nested() -> Graph:
    return graph_of(
        "InputLayer:x Conv2D:g/a Conv2D:g/h/b Conv2D:g/h/c Functional:g/h Conv2D:g/d Functional:g Dense:y",
        "x>g/a g/a>g/h/b g/h/b>g/h/c g/h/c>g/h g/h>g/d g/d>g g>y",
    )


def two_results() -> Graph:
    return graph_of("Input:x Dense:g/a Dense:g/b Layer:g Dense:y", "x>g/a x>g/b g/a>g g/b>g g>y")


def hostile() -> Graph:
    names = ("x", HOSTILE, "n" * 300, "émoji🙂", "\x00\x1b\u202e")
    nodes = tuple(Node(name, "Conv2D") for name in names)
    return Graph(HOSTILE, nodes, tuple(Edge(a, b) for a, b in itertools.pairwise(names)))


def resnet(blocks: int = 16) -> Graph:
    kinds, edges, last = ["InputLayer:x"], [], "x"
    for i in range(blocks):
        names = [f"b{i}_{part}" for part in ("c1", "n1", "r1", "c2", "n2", "r2", "c3", "n3")]
        kinds += [
            f"{k}:{n}" for k, n in zip(("Conv2D BatchNormalization ReLU " * 3).split(), names, strict=False)
        ]
        edges += [f"{s}>{t}" for s, t in itertools.pairwise([last, *names])]
        shortcut = last
        if i % 4 == 0:
            shortcut = f"b{i}_c0"
            kinds.append(f"Conv2D:{shortcut}")
            edges.append(f"{last}>{shortcut}")
        kinds += [f"Add:b{i}_add", f"ReLU:b{i}_out"]
        edges += [f"{names[-1]}>b{i}_add", f"{shortcut}>b{i}_add", f"b{i}_add>b{i}_out"]
        last = f"b{i}_out"
    return graph_of(" ".join(kinds), " ".join(edges))


def densenet(layers: int) -> Graph:
    kinds, edges, last = ["InputLayer:x"], [], "x"
    for i in range(layers):
        names = [f"d{i}_{part}" for part in ("n1", "r1", "c1", "n2", "r2", "c2")]
        kinds += [
            f"{k}:{n}" for k, n in zip(("BatchNormalization ReLU Conv2D " * 2).split(), names, strict=True)
        ]
        kinds.append(f"Concatenate:d{i}_join")
        edges += [f"{s}>{t}" for s, t in itertools.pairwise([last, *names, f"d{i}_join"])]
        edges.append(f"{last}>d{i}_join")
        last = f"d{i}_join"
    return graph_of(" ".join(kinds), " ".join(edges))


GRAPHS = {
    "chain": chain(),
    "residual": residual(),
    "two inputs": two_inputs(),
    "nested": nested(),
    "two results": two_results(),
    "hostile": hostile(),
    "resnet": resnet(),
    "densenet": densenet(20),
    "one node": graph_of("Dense:a", ""),
    "apart": graph_of("Dense:a Dense:b Dense:c", "a>b"),
}
CASES = [
    pytest.param(lay_out(graph, groups(graph) if opened else (), fold), id=f"{name} {opened} {fold}")
    for name, graph in GRAPHS.items()
    for opened in (False, True)
    for fold in (False, True)
]


def overlap(one: Box | Frame, other: Box | Frame) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def boxes(drawing: Drawing) -> dict[str, Box]:
    return {box.node.address: box for box in drawing.boxes}


@pytest.mark.parametrize("drawing", CASES)
def test_no_two_boxes_overlap_and_all_lie_in_the_picture(drawing: Drawing) -> None:
    assert not any(overlap(a, b) for a, b in itertools.combinations(drawing.boxes, 2))
    shapes: list[Box | Frame] = [*drawing.boxes, *drawing.frames]
    for box in shapes:
        assert min(box.x, box.y) >= 0
        assert box.x + box.width <= drawing.width
        assert box.y + box.height <= drawing.height


@pytest.mark.parametrize("drawing", CASES)
def test_lines_go_down_from_box_to_box_and_through_no_other(drawing: Drawing) -> None:
    known = boxes(drawing)
    for line in drawing.lines:
        source, target = known[line.source], known[line.target]
        (x0, y0), (x1, y1) = line.points[0], line.points[-1]
        assert y0 == pytest.approx(source.y + source.height)
        assert y1 == pytest.approx(target.y)
        assert source.x <= x0 <= source.x + source.width
        assert target.x <= x1 <= target.x + target.width
        assert all(a[1] <= b[1] for a, b in itertools.pairwise(line.points))
        assert not any(crosses(line.points, box) for box in known.values() if box not in (source, target))


def crosses(points: tuple[tuple[float, float], ...], box: Box) -> bool:
    """For lines that run along the axes, as the layout's do."""
    return any(
        min(x0, x1) < box.x + box.width
        and max(x0, x1) > box.x
        and min(y0, y1) < box.y + box.height
        and max(y0, y1) > box.y
        for (x0, y0), (x1, y1) in itertools.pairwise(points)
    )


@pytest.mark.parametrize("drawing", CASES)
def test_a_frame_holds_its_own_layers_and_no_others(drawing: Drawing) -> None:
    for frame in drawing.frames:
        for box in drawing.boxes:
            inside = box.node.address.startswith(frame.node.address + "/") or box.node == frame.node
            assert overlap(box, frame) == inside
            if inside:
                assert frame.x <= box.x <= box.x + box.width <= frame.x + frame.width
                assert frame.y <= box.y <= box.y + box.height <= frame.y + frame.height


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_every_layer_is_reachable_when_all_is_open(graph: Graph) -> None:
    drawing = lay_out(graph, groups(graph))
    shown = {box.node.address for box in drawing.boxes} | {frame.node.address for frame in drawing.frames}
    assert shown == {node.address for node in graph.nodes}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_same_graph_gives_the_same_drawing(graph: Graph) -> None:
    assert lay_out(graph, set(groups(graph))) == lay_out(graph, list(reversed(groups(graph))))


def test_a_closed_group_hides_its_layers() -> None:
    drawing = lay_out(nested())
    assert list(boxes(drawing)) == ["x", "g", "y"]
    assert drawing.frames == ()
    assert [(line.source, line.target) for line in drawing.lines] == [("x", "g"), ("g", "y")]
    assert (boxes(drawing)["g"].role, boxes(drawing)["g"].hidden) == ("group", 4)


def test_an_open_group_shows_its_layers_in_a_frame_and_the_edges_go_on_from_its_last() -> None:
    drawing = lay_out(nested(), {"g"})
    assert list(boxes(drawing)) == ["x", "g/a", "g/h", "g/d", "y"]
    assert [frame.node.address for frame in drawing.frames] == ["g"]
    expected = {("x", "g/a"), ("g/a", "g/h"), ("g/h", "g/d"), ("g/d", "y")}
    assert {(line.source, line.target) for line in drawing.lines} == expected


def test_frames_nest_with_the_outermost_first() -> None:
    outer, inner = lay_out(nested(), {"g", "g/h"}).frames
    assert [(f.node.address, f.depth) for f in (outer, inner)] == [("g", 0), ("g/h", 1)]
    assert outer.x < inner.x
    assert outer.y < inner.y
    assert outer.x + outer.width > inner.x + inner.width
    assert outer.y + outer.height > inner.y + inner.height


def test_a_group_open_inside_a_closed_one_stays_hidden() -> None:
    assert lay_out(nested(), {"g/h"}) == lay_out(nested())


def test_an_open_group_with_two_results_keeps_a_node_for_its_output() -> None:
    drawing = lay_out(two_results(), {"g"})
    assert boxes(drawing)["g"].role == "output"
    assert ("g", "y") in {(line.source, line.target) for line in drawing.lines}


def test_a_group_that_only_hands_on_what_it_got_keeps_a_node_for_its_output() -> None:
    graph = graph_of("Input:x Dense:g/a Layer:g Dense:y", "x>g/a x>g g>y")
    assert boxes(lay_out(graph, {"g"}))["g"].role == "output"


def test_an_open_group_at_which_no_edge_ends_is_only_a_frame() -> None:
    graph = graph_of("Input:x MatMul:s/a Add:s/b Scope:s Dense:y", "x>s/a s/a>s/b s/b>y")
    drawing = lay_out(graph, {"s"})
    assert list(boxes(drawing)) == ["x", "s/a", "s/b", "y"]
    assert [frame.node.address for frame in drawing.frames] == ["s"]
    assert [(line.source, line.target) for line in lay_out(graph).lines] == [("x", "s"), ("s", "y")]


def test_a_layer_that_is_one_operation_made_on_the_fly_can_not_be_opened() -> None:
    graph = graph_of("Input:x Pad:pad/~pad ZeroPadding2D:pad Conv2D:y", "x>pad/~pad pad/~pad>pad pad>y")
    assert groups(graph) == ()
    assert [(b.node.address, b.role) for b in lay_out(graph, {"pad"}).boxes][1] == ("pad", "layer")
    assert visible_ancestor(graph, {"pad"}, "pad/~pad") == "pad"


def test_collapsing_gives_each_edge_once() -> None:
    graph = graph_of("Input:x Dense:g/a Dense:g/b Layer:g", "x>g/a x>g/b g/a>g/b g/b>g")
    assert collapse(graph, ()).edges == (("x", "g"),)


def test_minor_layers_are_rows_right_under_the_one_they_alone_follow() -> None:
    graph = graph_of("Input:x Conv2D:a BatchNormalization:b ReLU:c Dense:d", "x>a a>b b>c c>d")
    drawing = lay_out(graph)
    a, b, c = (boxes(drawing)[name] for name in "abc")
    assert [box.role for box in (a, b, c)] == ["layer", "row", "row"]
    assert (b.x, b.y, c.y) == (a.x, a.y + a.height, b.y + b.height)
    assert [(line.source, line.target) for line in drawing.lines] == [("x", "a"), ("c", "d")]


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [
        ("Conv2D:a ReLU:b Dense:c", "a>b a>c"),
        ("Conv2D:a Conv2D:c Activation:b", "a>b c>b"),
        ("Input:a ReLU:b", "a>b"),
        ("Conv2D:a ReLU:g/b Layer:g", "a>g/b g/b>g"),
    ],
    ids=["its source feeds another", "it has two sources", "after an input", "in another group"],
)
def test_a_minor_layer_is_no_row(nodes: str, edges: str) -> None:
    graph = graph_of(nodes, edges)
    assert "row" not in {box.role for box in lay_out(graph, groups(graph)).boxes}


def test_inputs_stand_in_the_order_of_the_call() -> None:
    drawn = boxes(lay_out(two_inputs()))
    assert drawn["left"].x < drawn["right"].x


def test_a_loop_is_drawn() -> None:
    assert len(lay_out(graph_of("Dense:a Dense:b", "a>b b>a a>a")).boxes) == 2


def test_an_empty_graph_has_an_empty_drawing() -> None:
    assert lay_out(Graph("empty", (), ())).boxes == ()


@pytest.mark.parametrize(
    ("opened", "address", "expected"),
    [
        ((), "g/h/b", "g"),
        (("g",), "g/h/b", "g/h"),
        (("g/h",), "g/h/b", "g"),
        (("g", "g/h"), "g/h/b", "g/h/b"),
        (("g", "g/h"), "g/h/b:1", "g/h/b"),
        ((), "y", "y"),
    ],
)
def test_visible_ancestor(opened: tuple[str, ...], address: str, expected: str) -> None:
    assert visible_ancestor(nested(), opened, address) == expected


def test_an_unknown_address_has_no_visible_ancestor() -> None:
    with pytest.raises(UnknownLayerError, match="g/h/b"):
        visible_ancestor(nested(), (), "g/h/zz")


def test_ancestors_and_groups() -> None:
    assert ancestors(nested(), "g/h/b") == ("g", "g/h")
    assert ancestors(nested(), "x") == ()
    assert groups(nested()) == ("g/h", "g")
