"""Contract tests: what must hold for every model that is read, to be run on yours.

One call runs them all and raises an `AssertionError` that names what failed::

    from act_widgets import testing

    testing.check_model(model, inputs)

Under pytest each check can be a test of its own::

    @pytest.mark.parametrize("check", testing.CHECKS, ids=testing.name_of)
    def test_reading(check):
        check(*testing.opened(model, inputs))

A new adapter keeps to the protocol `act_widgets.sources.Source`; pass it in place of the model. The
model is left as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ActWidgetsError
from ..sources import Source, open_source
from ..sources.inputs import Inputs
from .comparing import difference
from .of_behaviour import (
    inputs_that_do_not_fit_are_refused,
    the_model_stays_as_it_was,
    threads_do_not_meet,
)
from .of_changes import (
    a_rule_for_relus_changes_no_score,
    an_edit_is_the_same_from_kept_activations,
    an_edit_that_changes_nothing_changes_nothing,
    gradients_are_slopes,
    gradients_are_the_same_from_kept_activations,
)
from .of_reading import (
    a_call_takes_what_its_inner_calls_take,
    a_sample_looks_the_same_alone,
    every_address_names_one_tensor,
    only_what_is_wanted_is_given,
    reading_again_gives_the_same,
    the_graph_is_one,
)

__all__ = [
    "CHECKS",
    "Check",
    "a_call_takes_what_its_inner_calls_take",
    "a_rule_for_relus_changes_no_score",
    "a_sample_looks_the_same_alone",
    "an_edit_is_the_same_from_kept_activations",
    "an_edit_that_changes_nothing_changes_nothing",
    "check_model",
    "difference",
    "every_address_names_one_tensor",
    "gradients_are_slopes",
    "gradients_are_the_same_from_kept_activations",
    "inputs_that_do_not_fit_are_refused",
    "name_of",
    "only_what_is_wanted_is_given",
    "opened",
    "reading_again_gives_the_same",
    "the_graph_is_one",
    "the_model_stays_as_it_was",
    "threads_do_not_meet",
]

Check = Callable[[Source, Inputs], float]

CHECKS: tuple[Check, ...] = (
    every_address_names_one_tensor,
    reading_again_gives_the_same,
    only_what_is_wanted_is_given,
    a_sample_looks_the_same_alone,
    an_edit_that_changes_nothing_changes_nothing,
    an_edit_is_the_same_from_kept_activations,
    gradients_are_slopes,
    gradients_are_the_same_from_kept_activations,
    a_rule_for_relus_changes_no_score,
    the_graph_is_one,
    a_call_takes_what_its_inner_calls_take,
    threads_do_not_meet,
    the_model_stays_as_it_was,
    inputs_that_do_not_fit_are_refused,
)


def opened(model: Any, inputs: Any, *, training: bool = False) -> tuple[Source, Inputs]:
    """Return what a check takes: the model behind the reading protocol, and its inputs.

    Parameters
    ----------
    model : keras.Layer, str, path or Source
        Any model that act_widgets reads, or an adapter's own source.
    inputs : ndarray, tensor, or list, tuple or dict of them
        What the model's call takes, with the batch axis; at least two samples show more.
    training : bool
        Whether the model is called as in training.
    """
    source = model if hasattr(model, "weights_version") else open_source(model, training)
    given = source.read_inputs(inputs)
    source.build(given)
    return source, given


def check_model(
    model: Any, inputs: Any, checks: Sequence[Check] | None = None, *, training: bool = False
) -> dict[str, float]:
    """Run every check on a model.

    Parameters
    ----------
    model, inputs, training
        As for `opened`.
    checks : sequence of Check, optional
        Which checks; all of `CHECKS` if left out.

    Returns
    -------
    dict of str to float
        The largest difference that each check met, relative to the largest value compared.

    Raises
    ------
    AssertionError
        If any check failed; the message has a line for each.
    """
    source, given = opened(model, inputs, training=training)
    differences: dict[str, float] = {}
    failures: list[str] = []
    for check in CHECKS if checks is None else checks:
        try:
            differences[name_of(check)] = check(source, given)
        except (AssertionError, ActWidgetsError) as error:  # a check that breaks off has failed
            failures.append(f"  {name_of(check)}: {error}")
    if failures:
        raise AssertionError("\n".join([f"{len(failures)} checks failed for '{source.name}':", *failures]))
    return differences


def name_of(check: Check) -> str:
    """Return a check's name in words."""
    return check.__name__.replace("_", " ")
