"""What is closed is freed, threads do not disturb one another, and a script just ends."""

from __future__ import annotations

import contextlib
import gc
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import act_widgets as aw
from act_widgets.widgets.worker import worker_of

from .fresh import run_fresh, two_at_a_time
from .some import some
from .zoo import attention, batch, recurrent, shaken, subclassed

VIEWS = (
    "LayerPicker",
    "ChannelSlider",
    "ClassSelector",
    "SamplePicker",
    "FeatureMaps",
    "ChannelView",
    "Histogram",
    "MethodPicker",
    "AttributionView",
    "TrustPanel",
    "Predictions",
    "GraphView",
    "Projection",
    "StepSlider",
    "StepChart",
)


def small(classes: int = 4) -> keras.Model:
    given = keras.Input((6, 6, 1), name="image")
    y = layers.Conv2D(8, 3, activation="relu", name="wide")(given)
    y = layers.Conv2D(2, 3, activation="relu", name="narrow")(y)
    y = layers.Flatten(name="flat")(y)
    return shaken(keras.Model(given, layers.Dense(classes, activation="softmax", name="out")(y)))


def nested() -> keras.Model:
    given = keras.Input((6, 6, 1), name="image")
    inner = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(2, 3, name="conv")], name="inner")
    y = layers.Lambda(lambda t: t * 2, name="twice")(inner(given))
    return shaken(keras.Model(given, layers.Dense(4, name="out")(layers.Flatten(name="flat")(y))))


MODELS: dict[str, Callable[[], Any]] = {
    "functional": lambda: (small(), batch(3, 6, 6, 1)),
    "nested": lambda: (nested(), batch(3, 6, 6, 1)),
    "own class": subclassed,
    "recurrent": recurrent,
    "attention": attention,
}


def settle(session: aw.Session) -> None:
    assert worker_of(session).wait()


def still_there(refs: dict[str, weakref.ref]) -> list[str]:
    gc.collect()
    return [name for name, ref in refs.items() if ref() is not None]


# --- nothing stays behind ---


@pytest.mark.parametrize("make", some(MODELS, 2))
def test_a_closed_explorer_is_freed_with_its_session_and_model(make):
    model, x = MODELS[make]()
    explorer = aw.explore(model, x)
    settle(explorer.session)
    explorer.selection.layer = explorer.session.layers[1]
    explorer.selection.sample = 2
    explorer.selection.target = 1
    settle(explorer.session)
    assert explorer.png().startswith(b"\x89PNG")
    refs = {
        "model": weakref.ref(model),
        "session": weakref.ref(explorer.session),
        "explorer": weakref.ref(explorer),
        "reader": weakref.ref(explorer.session.reader),
    }
    refs |= {type(view).__name__: weakref.ref(view) for view in explorer.views}
    explorer.close()
    del explorer, model
    assert still_there(refs) == []


@pytest.mark.parametrize("kind", VIEWS)
def test_a_closed_view_is_freed_with_its_session_and_model(kind):
    model = small()
    session = aw.Session(model, batch(3, 6, 6, 1))
    view = getattr(aw, kind)(session)
    settle(session)
    session.selection.layer = "wide"
    session.selection.channel = 1
    session.selection.sample = 2
    session.selection.target = 1
    settle(session)
    assert view._alert.value == ""
    assert view.png().startswith(b"\x89PNG")
    refs = {"model": weakref.ref(model), "session": weakref.ref(session), kind: weakref.ref(view)}
    view.close()
    del view, session, model
    assert still_there(refs) == []


@pytest.mark.parametrize("kind", VIEWS)
def test_a_closed_view_is_freed_while_its_session_goes_on(kind):
    session = aw.Session(small(), batch(3, 6, 6, 1))
    other, view = aw.ChannelSlider(session), getattr(aw, kind)(session)
    settle(session)
    ref = weakref.ref(view)
    view.close()
    del view
    assert still_there({kind: ref}) == []
    session.selection.layer = "wide"
    session.selection.channel = 7
    assert other._slider.value == 7
    other.close()


@pytest.mark.parametrize("make", some(MODELS, 2))
def test_a_session_without_widgets_is_freed_with_its_model(make):
    model, x = MODELS[make]()
    session = aw.Session(model, x)
    layer = session.selection.layer
    assert len(aw.capture(model, x)) == len(session.layers)
    assert aw.attribute(model, x, layer=layer, target=1).connected
    assert session.attribution(layer=layer, target=1, sample=0).connected
    assert session.graph.nodes
    assert aw.graph(model, x).nodes
    before = np.asarray(session.outputs())
    assert not np.array_equal(session.edit(layer), before)
    session.selection.layer = session.layers[-1]
    session.inputs = x[:2]
    assert not session.stale
    refs = {"model": weakref.ref(model), "session": weakref.ref(session)}
    del session, model
    assert still_there(refs) == []


def test_what_is_read_without_a_session_keeps_no_model():
    model, x = small(), batch(2, 6, 6, 1)
    captured, result, graph = aw.capture(model, x), aw.attribute(model, x, target=0), aw.graph(model, x)
    ref = weakref.ref(model)
    del model
    assert still_there({"model": ref}) == []
    assert captured["wide"].shape == (2, 4, 4, 8)
    assert result.maps.shape == (2, 2, 2)
    assert len(graph.nodes) == 5


def test_the_thread_of_a_session_ends_with_it():
    def threads() -> set[threading.Thread]:
        return {t for t in threading.enumerate() if t.name.startswith("act_widgets")}

    gc.collect()
    before = threads()
    explorer = aw.explore(small(), batch(2, 6, 6, 1))
    settle(explorer.session)
    own = threads() - before
    assert len(own) == 1
    explorer.close()
    del explorer
    gc.collect()
    for thread in own:
        thread.join(30)
        assert not thread.is_alive()


# --- the end of a script ---

SCRIPT = """
import keras
import numpy as np
import act_widgets as aw
from act_widgets.widgets.worker import worker_of
given = keras.Input((6, 6, 1), name="image")
y = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(given)
model = keras.Model(given, keras.layers.Dense(20, "softmax", name="out")(keras.layers.Flatten()(y)))
explorer = aw.explore(model, np.ones((3, 6, 6, 1), "float32"))
"""
ENDS = {
    "at rest": "assert worker_of(explorer.session).wait()",
    "at once": "",
    "at work": (
        "assert worker_of(explorer.session).wait()\n"
        "for target in range(20):\n"
        "    explorer.selection.target = target\n"
    ),
    "views alone": (
        "views = [aw.FeatureMaps(explorer.session), aw.GraphView(explorer.session)]\n"
        "loop = [views]; loop.append(loop)\n"
    ),
}
# How TensorFlow and its libraries begin a line of their logs.
OF_TENSORFLOW = re.compile(
    r"WARNING: All log messages before absl::InitializeLog|[IWEF]\d{4} |"
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWEF] "
)


@pytest.fixture(scope="module")
def scripts():
    codes = {end: f"{SCRIPT}{ENDS[end]}\nprint('done')" for end in some(ENDS, 2)}
    with two_at_a_time({end: partial(run_fresh, code) for end, code in codes.items()}) as running:
        yield running


@pytest.mark.parametrize("end", some(ENDS, 2))
def test_a_script_that_closes_nothing_ends_quietly(end, scripts):
    done = scripts[end].result()
    said = [line for line in done.stderr.splitlines() if line and not OF_TENSORFLOW.match(line)]
    assert said == []
    assert done.stdout == "done\n"
    assert done.returncode == 0


# --- going back while something is computed ---


@pytest.fixture
def explorer() -> Iterator[aw.Explorer]:
    opened = aw.explore(small(classes=20), batch(2, 6, 6, 1))
    settle(opened.session)
    yield opened
    opened.close()


def test_going_back_before_the_work_began_leaves_no_busy_bar(explorer):
    view, worker, go = explorer.views.attribution, worker_of(explorer.session), threading.Event()
    heading, passes = view._heading.value, explorer.session.stats()["backward_passes"]
    worker.submit("test", lambda: go.wait(60))
    explorer.selection.target = (explorer.session.top_class(0) + 1) % 20
    assert "aw-busy" in view._busy.value
    explorer.selection.target = None
    assert view._busy.value == ""
    go.set()
    settle(explorer.session)
    assert view._busy.value == ""
    assert view._heading.value == heading
    assert explorer.session.stats()["backward_passes"] == passes


# --- two threads ---


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let threads take turns as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def set_by_two_threads(selection: aw.Selection, check: Callable[[], None]) -> None:
    """One thread sets the layer, the other the channel; what they leave is checked each time."""
    both = threading.Barrier(3, timeout=60)

    def run(choose: Callable[[int], None]) -> None:
        for i in range(200):
            both.wait()
            with contextlib.suppress(aw.InputError):
                choose(i)
            both.wait()

    turns = (
        lambda i: setattr(selection, "layer", ("wide", "narrow")[i % 2]),
        lambda i: setattr(selection, "channel", (7, 1, 5)[i % 3]),
    )
    threads = [threading.Thread(target=run, args=(turn,)) for turn in turns]
    for thread in threads:
        thread.start()
    for _ in range(200):
        both.wait()
        both.wait()
        check()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


class Unhurried:
    """A model of two layers that answers a question of one thread only when another is done or waits."""

    samples, methods = 1, ("grad_cam",)

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.wait_for: threading.Thread | None = None

    def resolve(self, layer: str) -> str:
        return layer

    def check_target(self, target: int) -> int:
        return target

    def channels(self, layer: str) -> int:
        if self.wait_for is not None and threading.current_thread() is not self.wait_for:
            self.asked.set()
            self.wait_for.join(0.5)  # its whole time only where the other one has to wait for us
        return {"wide": 8, "narrow": 2}[layer]


def test_a_layer_chosen_while_a_channel_is_checked_waits_for_it():
    legal = Unhurried()
    selection = aw.Selection(legal, "wide")
    seen: list[tuple[str, int]] = []
    selection.observe(lambda _: seen.append((selection.layer, selection.channel)), names=["channel"])

    def narrow() -> None:
        assert legal.asked.wait(60)
        selection.layer = "narrow"

    legal.wait_for = threading.Thread(target=narrow)
    legal.wait_for.start()
    selection.channel = 7
    legal.wait_for.join(60)
    assert seen == [("wide", 7), ("narrow", 0)]
    assert (selection.layer, selection.channel) == ("narrow", 0)


def test_two_threads_leave_an_explorer_that_shows_its_selection(eager_switching, explorer):
    counts = {"wide": 8, "narrow": 2}

    def check() -> None:
        assert explorer.selection.channel < counts[explorer.selection.layer]

    set_by_two_threads(explorer.selection, check)
    settle(explorer.session)
    layer, channel = explorer.selection.layer, explorer.selection.channel
    views = explorer.views
    assert {type(view).__name__: view._alert.value for view in views if view._alert.value} == {}
    assert {type(view).__name__: view._busy.value for view in views if view._busy.value} == {}
    assert views.layer_picker._list.chosen == layer
    assert (views.channel_slider._slider.value, views.channel_slider._slider.max) == (
        channel,
        counts[layer] - 1,
    )
    shown = explorer.session.activation(layer)[0, ..., channel]
    np.testing.assert_array_equal(views.channel_view.array, shown)
    for view in views:
        assert view._shown == view._wanted
