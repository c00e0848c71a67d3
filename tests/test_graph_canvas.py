from __future__ import annotations

import json
from typing import Any

import pytest

from act_widgets.rendering.graph_layout import lay_out
from act_widgets.rendering.graph_svg import describe
from act_widgets.widgets.graph_canvas import GraphCanvas

from .test_graph_layout import nested


def canvas() -> tuple[GraphCanvas, list[Any]]:
    widget = GraphCanvas(drawing=describe(lay_out(nested(), {"g"})))
    calls: list[Any] = []
    widget.on_select(calls.append)
    widget.on_toggle(lambda address, opened: calls.append((address, opened)))
    return widget, calls


def send(widget: GraphCanvas, **content: object) -> None:
    widget._handle_custom_msg(content, [])


def test_a_click_is_reported_and_highlighted() -> None:
    widget, calls = canvas()
    send(widget, type="select", address="g/a")
    assert calls == ["g/a"]
    assert widget.selected == "g/a"


def test_groups_are_toggled() -> None:
    widget, calls = canvas()
    send(widget, type="toggle", address="g/h", opened=True)
    send(widget, type="toggle", address="g", opened=False)
    assert calls == [("g/h", True), ("g", False)]
    assert widget.selected == ""


def test_setting_the_highlight_calls_nothing() -> None:
    widget, calls = canvas()
    widget.selected = "x"
    assert calls == []


@pytest.mark.parametrize(
    "content",
    [
        {"type": "select", "address": "g/h/b"},
        {"type": "select"},
        {"type": "other", "address": "x"},
        {"type": "select", "address": ["x"]},
    ],
    ids=["not in the drawing", "no address", "unknown type", "no string"],
)
def test_a_message_that_fits_nothing_is_dropped(content: dict[str, object]) -> None:
    widget, calls = canvas()
    send(widget, **content)
    assert calls == []
    assert widget.selected == ""


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no hight\. Received: hight\. Expected: drawing"):
        GraphCanvas(hight=3)


def test_the_drawing_is_plain_json() -> None:
    drawing = canvas()[0].drawing
    assert json.loads(json.dumps(drawing)) == drawing


def test_the_module_in_the_browser_fetches_nothing() -> None:
    code = GraphCanvas.script
    assert "import " not in code
    assert "innerHTML" not in code
