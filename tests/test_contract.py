"""The shipped contract tests: every model of the zoo keeps them, and a reader that lies does not."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from act_widgets import testing
from tests.some import some
from tests.zoo import ZOO, batch, build


@pytest.mark.parametrize("name", some(ZOO, 4))
def test_every_kind_of_model_keeps_the_contract(name):
    assert set(testing.check_model(*build(name))) == {testing.name_of(check) for check in testing.CHECKS}


@pytest.mark.parametrize("name", ["functional_sum", "nested_two_deep"])
def test_also_as_called_in_training(name):
    testing.check_model(*build(name), training=True)


class Lies:
    """A source that answers as another one, but for the one question that is told falsely."""

    def __init__(self, source, **lies):
        self._source = source
        self._lies = lies

    def __getattr__(self, name):
        return self._lies.get(name) or getattr(self._source, name)


@pytest.fixture
def honest():
    return testing.opened(*build("functional_sum"))


def assert_caught(source, inputs, check):
    with pytest.raises(
        AssertionError, match=f"1 checks failed for 'functional.*\n  {testing.name_of(check)}"
    ):
        testing.check_model(source, inputs.pack(inputs.arrays), [check])


def test_a_gradient_of_the_wrong_size_is_caught(honest):
    source, inputs = honest

    def doubled(*question):
        made = source.gradients(*question)
        return made._replace(values={a: 2 * g for a, g in made.values.items()})

    assert_caught(Lies(source, gradients=doubled), inputs, testing.gradients_are_slopes)


def test_an_edit_that_is_ignored_is_caught(honest):
    source, inputs = honest

    def ignored(inputs, address, value, known):
        return source.forward(inputs, [])

    assert_caught(Lies(source, resume=ignored), inputs, testing.gradients_are_slopes)


def test_an_edit_beside_stale_activations_is_caught(honest):
    source, inputs = honest

    def stale(inputs, address, value, known):
        return source.resume(inputs, address, value, {a: 1.1 * v for a, v in known.items()})

    check = testing.an_edit_is_the_same_from_kept_activations
    assert_caught(Lies(source, resume=stale), inputs, check)


def test_numbers_that_change_from_look_to_look_are_caught(honest):
    source, inputs = honest
    looks = []

    def drifts(*question):
        looks.append(question)
        reading = source.forward(*question)
        values = {a: v + len(looks) for a, v in reading.values.items()}
        return dataclasses.replace(reading, values=values)

    for check in (testing.reading_again_gives_the_same, testing.threads_do_not_meet):
        assert_caught(Lies(source, forward=drifts), inputs, check)


def test_a_layer_left_out_of_the_graph_is_caught(honest):
    source, inputs = honest

    def partial(inputs):
        graph = source.graph(inputs)
        return dataclasses.replace(graph, nodes=graph.nodes[:-1])

    assert_caught(Lies(source, graph=partial), inputs, testing.the_graph_is_one)


def test_calls_that_take_more_than_the_whole_are_caught(honest):
    source, inputs = honest

    def twice(inputs):
        counted = source.flops(inputs)
        return counted._replace(flops={address: 2 * flops for address, flops in counted.flops.items()})

    def anew(inputs):
        timed = source.timed(inputs)
        return timed._replace(whole=timed.seconds["left"])

    for lie in ({"flops": twice}, {"timed": anew}):
        assert_caught(Lies(source, **lie), inputs, testing.a_call_takes_what_its_inner_calls_take)


def test_a_weight_that_moves_is_caught(honest):
    source, inputs = honest

    def moves(*question):
        source.model.get_layer("left").bias.assign_add([1.0, 0.0, 0.0])
        return source.resume(*question)

    assert_caught(Lies(source, resume=moves), inputs, testing.the_model_stays_as_it_was)


def test_nan_in_one_of_two_arrays_is_an_infinite_difference():
    one = np.array([1.0, np.nan])
    assert testing.difference(one, one) == 0
    assert testing.difference(np.array([1.0, 2.0]), one) == np.inf
    assert testing.difference(np.array([2.0, 4.4]), np.array([2.0, 4.0])) == pytest.approx(0.1)


def test_a_rule_that_changes_what_the_model_computes_is_caught(honest):
    source, inputs = honest

    def louder(inputs, known, asked):
        made = source.gradients(inputs, known, asked)
        return made._replace(scores=made.scores * 2) if asked.rule else made

    assert_caught(Lies(source, gradients=louder), inputs, testing.a_rule_for_relus_changes_no_score)


def test_a_check_in_which_the_model_fails_has_failed_and_the_others_run():
    x = keras.Input((4, 2), name="words")
    y = keras.layers.Lambda(lambda t: keras.ops.reshape(t, (3, 4, 2)), (4, 2), name="three")(x)
    model = keras.Model(x, keras.layers.Dense(2, name="out")(y))
    checks = [testing.a_sample_looks_the_same_alone, testing.the_graph_is_one]
    words = r"(?s)1 checks failed.*a sample looks the same alone: The model .* failed when called"
    with pytest.raises(AssertionError, match=words):
        testing.check_model(model, batch(3, 4, 2), checks)
