"""Kinds of models that have tripped readers up: all values, the contract, and an independent reading."""

from __future__ import annotations

import pytest

from act_widgets import testing
from tests import independent, kinds


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
    exempt, _ = kinds.EXEMPT.get(name, (None, ""))
    testing.check_model(*kinds.build(name), [check for check in testing.CHECKS if check is not exempt])
