"""Kinds of models that have tripped readers up: all values, the contract, their graphs, independently."""

from __future__ import annotations

import math

import keras
import pytest

import act_widgets as aw
from act_widgets import testing
from act_widgets.sources import open_source
from act_widgets.sources.replay import Replay
from tests import independent, keras_records, kinds, zoo
from tests.graphviz import assert_drawn
from tests.some import some
from tests.written_edges import written

unhandled = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

# What Keras's records and the calls themselves tell differently.
OTHERWISE = {
    "film_masked": ["only of Keras: ('any', 'to', 'each')"],  # a mask that is handed to a layer without use
    "own_build_and_arguments": ["only ours: ('words', 'to', 'masked')"],  # a mask that is used, not recorded
}


# A trace can't hold what they show.
REPLAYED = {
    "decides_in_python",
    "numpy_inside",
    "loops_over_values",
    "recomputed",
    *("tf_cond", "tf_switch_case", "tf_while", "tf_map", "tf_scan", "tf_py_function"),
    *("ops_cond", "ops_switch", "ops_while", "ops_scan", "ops_fori", "ops_map"),
    "compiled_layer",
    "a_branch_under_another_name",
    "another_thread_inside",
}

KINDS = some(kinds.KINDS, 6)
each_kind = pytest.mark.parametrize("kind", KINDS, indirect=True)
each_model = pytest.mark.parametrize("kind", [*zoo.ZOO, *KINDS], indirect=True)


@pytest.fixture(scope="module")
def kind(request):
    """A name, the model and its batch: made once, for all that only looks."""
    name = request.param
    keras.utils.clear_session(free_memory=False)  # names are counted from the first one on
    return name, *(zoo if name in zoo.ZOO else kinds).build(name)


@unhandled
@each_kind
def test_every_kind_is_read_in_full(kind):
    name, model, inputs = kind
    for traced in (False, True):
        found = independent.compare(model, inputs, traced=traced)
        assert found.compared and not found.missing
        assert found.difference < 1e-4
    source = open_source(model)
    is_replayed = isinstance(source.traces.trace(source.read_inputs(inputs)), Replay)
    assert is_replayed == (name in REPLAYED)


@unhandled
@each_model
def test_the_graph_of_every_kind_is_the_one_that_keras_or_its_code_tells(kind):
    name, model, inputs = kind
    graph = aw.graph(model, inputs)
    if keras_records.is_recorded(model):
        assert keras_records.differences(model, graph) == OTHERWISE.get(name, [])
    else:
        assert {(edge.source, edge.target) for edge in graph.edges} == written(name)
        assert keras_records.unlike_its_layer(model, graph) == []
    assert graph.parameters == sum(math.prod(weight.shape) for weight in model.weights)


@unhandled
@each_model
def test_graphviz_draws_every_kind(kind):
    _, model, inputs = kind
    assert_drawn(aw.graph(model, inputs))


@unhandled
@pytest.mark.parametrize("kind", [kind for kind in some(KINDS, 2) if kind != "very_deep"], indirect=True)
def test_every_kind_keeps_the_contract(kind):
    name, model, inputs = kind
    exempt, _ = kinds.EXEMPT.get(name, (None, ""))
    testing.check_model(model, inputs, [check for check in testing.CHECKS if check is not exempt])
