"""While the model is slow every choice is answered at once; work that is stopped is not shown."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

import act_widgets as aw

from .cards import send, settle
from .gated import Gate, gated
from .screen import alert_of, text_of
from .zoo import batch


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


CHOICES = [
    ("layer", "first"),
    ("channel", 3),
    ("sample", 2),
    ("target", 1),
    ("layer", "last"),
    ("order", "mean"),
    ("order", "weight"),
    ("hide_dead", True),
    ("sample", 3),
    ("target_layer", "last"),
    ("method", "saliency"),
]


def watched(gate: Gate) -> tuple[aw.Session, aw.Predictions]:
    """Return a session that has its trace, and its answer."""
    session = aw.Session(*gated(gate))
    view = aw.Predictions(session)
    session.silenced = ("first", (7,))
    settle(session)
    session.silenced = ()
    settle(session)
    return session, view


@pytest.mark.parametrize("budget", [None, 4096], ids=["all is kept", "next to nothing is kept"])
def test_no_choice_waits_for_a_pass_that_is_under_way(gate, budget):
    model, x = gated(gate)
    explorer = aw.explore(model, x, cache_bytes=budget)
    settle(explorer.session)
    gate.close()
    explorer.session.silenced = ("first", (1,))
    assert gate.wait_reached()
    for trait, value in CHOICES:  # the gate is closed: what waited for the model would not come back
        setattr(explorer.selection, trait, value)
        assert explorer.views.layer_picker._list.chosen == explorer.selection.layer
        assert explorer.views.graph._canvas.selected == explorer.selection.layer
    assert "aw-busy" in explorer.views.predictions._busy.value
    gate.open()
    settle(explorer.session)
    for view in explorer.views:
        assert (alert_of(view), view._busy.value, view._stop.layout.display) == ("", "", "none")
        assert view._shown == view._wanted
        assert "aw-old" not in view._dom_classes
    expected = explorer.session.edit("first", [1])[3]
    np.testing.assert_allclose(
        explorer.views.predictions._results.latest[1].result.after, expected, rtol=1e-4, atol=1e-6
    )
    explorer.close()


def test_what_was_stopped_is_not_shown_and_goes_on_where_it_was(gate):
    session, view = watched(gate)
    before, calls = view._rows.value, gate.calls
    gate.close()
    session.silenced = ("first", (1, 2))
    assert gate.wait_reached()
    assert (view._stop.description, view._stop.layout.display) == ("Stop", "")
    send(view._stop, True)
    gate.open()
    settle(session)
    assert view._rows.value == before
    assert "Stopped" in text_of(view._busy.value)
    assert "belongs to an earlier choice" in text_of(view._busy.value)
    assert "aw-old" in view._dom_classes
    assert view._stop.description == "Go on"
    assert gate.calls == calls + 1
    send(view._stop, False)
    settle(session)
    assert "after" in text_of(view._rows.value)
    assert (view._busy.value, view._stop.layout.display) == ("", "none")
    assert "aw-old" not in view._dom_classes
    assert gate.calls == calls + 1
    view.close()


def test_what_was_stopped_before_it_began_is_not_begun_and_the_next_choice_is_answered(gate):
    session = aw.Session(*gated(gate))
    map_, view = aw.AttributionView(session), aw.Predictions(session)
    settle(session)
    gate.close()
    session.selection.method = "integrated_gradients"
    assert gate.wait_reached()
    session.silenced = ("first", (1,))  # waits for the map
    for one in (view, map_):
        send(one._stop, True)
    gate.open()
    settle(session)
    calls = gate.calls
    assert "Stopped" in text_of(view._busy.value)
    assert "Stopped" in text_of(map_._busy.value)
    settle(session)
    assert gate.calls == calls
    session.silenced = ("first", (2,))
    session.selection.method = "grad_cam"
    settle(session)
    assert "after" in text_of(view._rows.value)
    for one in (view, map_):
        assert (one._busy.value, one._stop.value, one._stop.layout.display) == ("", False, "none")
    np.testing.assert_allclose(map_.array, session.attribution(sample=0).maps[0], rtol=1e-5)
    for one in (view, map_):
        one.close()


def test_of_choices_made_while_the_model_is_slow_the_newest_alone_is_computed(gate):
    session, view = watched(gate)
    calls = gate.calls
    gate.close()
    session.silenced = ("first", (0,))
    assert gate.wait_reached()
    for channel in range(1, 6):
        session.silenced = ("first", (channel,))
    gate.open()
    settle(session)
    assert gate.calls == calls + 2
    np.testing.assert_allclose(
        view._results.latest[1].result.after, session.edit("first", [5])[0], rtol=1e-4, atol=1e-6
    )
    view.close()


def test_a_measurement_goes_on_while_groups_are_opened_and_serves_whoever_asks(gate):
    given = keras.Input((6,), name="given")
    tower = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, name="dense")], name="tower")
    session = aw.Session(keras.Model(given, tower(gate.layer("gate")(given))), batch(2, 6))
    view = aw.GraphView(session)
    settle(session)
    before = session.stats()["forward_passes"]
    gate.close()
    view.colour_by = "time"
    assert gate.wait_reached()
    in_cell = ThreadPoolExecutor(1).submit(session.measure, "time")
    view.opened = ["tower"]
    gate.open()
    settle(session)
    measured = in_cell.result(60)
    passes = int(measured.words.split(" passes")[0].rpartition(" ")[2])
    assert session.stats()["forward_passes"] - before == 1 + passes, "the first is not counted"
    assert view.values == measured.values
    assert "tower/dense" in [node["address"] for node in view._canvas.drawing["nodes"]]
    view.close()


def test_a_measurement_that_is_interrupted_in_a_cell_goes_on_in_the_view(gate):
    session = aw.Session(*gated(gate))
    view = aw.GraphView(session)
    settle(session)
    gate.close()
    view.colour_by = "time"
    assert gate.wait_reached()

    def stop(share: float, words: str) -> None:
        raise KeyboardInterrupt

    in_cell = ThreadPoolExecutor(1).submit(session.measure, "time", on_progress=stop)
    gate.open()
    settle(session)
    assert isinstance(in_cell.exception(60), KeyboardInterrupt)
    assert set(view.values) >= {"first", "gate", "last"}
    assert alert_of(view) == ""
    view.close()


def test_after_the_weights_changed_a_choice_does_not_wait_for_the_model_and_shows_nothing_old(gate):
    model, x = gated(gate)
    session = aw.Session(model, x)
    session.selection.layer = "last"
    maps, view = aw.FeatureMaps(session), aw.Predictions(session)
    settle(session)
    shown = [maps._results.latest[1].result.array.copy(), view._rows.value]
    drawn: list[str] = []
    for one in (maps, view):
        one.on_drawn(lambda: drawn.append("a view"))
    calls = gate.calls
    model.set_weights([weight + 0.25 for weight in model.get_weights()])
    gate.close()
    for channel in (1, 2, 3):  # the gate is closed: what waited for the model would not come back
        session.selection.channel = channel
    assert gate.wait_reached()
    session.selection.sample = 1
    for one in (maps, view):
        assert "reading the model anew" in text_of(one._busy.value)
        assert "aw-old" in one._dom_classes
    assert drawn == []
    gate.open()
    settle(session)
    assert gate.calls == calls + 1, "one reading serves all views"
    np.testing.assert_array_equal(maps.array, np.moveaxis(session.activation("last")[1], -1, 0))
    np.testing.assert_allclose(view.array, model(x)[1], rtol=1e-5)
    assert not np.allclose(maps.array, shown[0])
    assert view._rows.value != shown[1]
    for one in (maps, view):
        assert (one._busy.value, alert_of(one)) == ("", "")
        assert "aw-old" not in one._dom_classes
        one.close()


def test_python_is_answered_with_new_numbers_while_the_views_wait_for_theirs(gate):
    model, x = gated(gate)
    session = aw.Session(model, x)
    view = aw.FeatureMaps(session)
    settle(session)
    calls = gate.calls
    model.set_weights([weight + 0.25 for weight in model.get_weights()])
    session.selection.channel = 1
    expected = aw.capture(model, x, "last")["last"]
    np.testing.assert_array_equal(session.activation("last"), expected)
    settle(session)
    np.testing.assert_array_equal(view.array, np.moveaxis(session.activation(view.selection.layer)[0], -1, 0))
    assert gate.calls == calls + 2, "one for capture, one for the session and its view"
    view.close()
