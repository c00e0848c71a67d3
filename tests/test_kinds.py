"""Kinds of models that have tripped readers up: all values, the contract, and an independent reading."""

from __future__ import annotations

import pytest

from act_widgets import testing
from tests import independent, kinds

# What a model does on purpose against the contract.
_ROUNDS = "it rounds, and its gradient is that of the numbers before"
_OWN = "its author wrote another gradient"
_MIXES = "it mixes the samples of a batch in inference mode too"
EXEMPT = {
    "quantised_int8": (testing.gradients_are_slopes, _ROUNDS),
    "quantised_float8": (testing.gradients_are_slopes, _ROUNDS),
    "custom_gradient": (testing.gradients_are_slopes, _OWN),
    "ops_custom_gradient": (testing.gradients_are_slopes, _OWN),
    "ops_operations_of_all_sorts": (testing.gradients_are_slopes, "its author stops a gradient"),
    "layers_of_no_batch": (testing.a_sample_looks_the_same_alone, _MIXES),
    "training_forced_inside": (testing.a_sample_looks_the_same_alone, _MIXES),
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", kinds.KINDS)
def test_every_kind_is_read_in_full(name):
    model, inputs = kinds.build(name)
    for traced in (False, True):
        found = independent.compare(model, inputs, traced=traced)
        assert found.compared and not found.missing
        assert found.difference < 1e-4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", kinds.KINDS)
def test_every_kind_keeps_the_contract(name):
    exempt, _ = EXEMPT.get(name, (None, ""))
    testing.check_model(*kinds.build(name), [check for check in testing.CHECKS if check is not exempt])
