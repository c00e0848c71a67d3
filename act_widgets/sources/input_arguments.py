"""Inputs of a model whose call takes several arguments, not one nest of inputs."""

from __future__ import annotations

import inspect
from typing import Any

from ..errors import InputError, listed

# They are no inputs: Keras finds them in the call around a layer.
_OF_CONTEXT = {"training", "mask"}


def arguments_of(model: Any) -> dict[str, bool]:
    """Return the inputs that a model's ``call`` takes one by one: their names, and whether it needs each.

    A ``call`` that needs no more than one takes one nest of inputs: then there are none.
    """
    parameters = inspect.signature(model.call).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    found = {p.name: p.default is p.empty for p in named if p.name not in _OF_CONTEXT}
    return found if sum(found.values()) > 1 else {}


def in_arguments(given: Any, arguments: dict[str, bool]) -> Any:
    """Return inputs as the arguments of a call, by place or by name.

    Raises
    ------
    InputError
        If they are no such arguments.
    """
    if isinstance(given, dict):
        told, received = set(given), listed(map(str, given))
    elif isinstance(given, list | tuple):
        told, received = set(list(arguments)[: len(given)]), f"{len(given)} of them"
    else:
        told, received = set(), f"one {type(given).__name__}"
    needed = {name for name, is_needed in arguments.items() if is_needed}
    if needed <= told <= set(arguments) and len(told) == len(given):
        return given
    optional = "".join(f", '{name}' if wished" for name in arguments if name not in needed)
    raise InputError(
        f"The model's call takes several inputs, one by one. Received: {received}. Expected: a list or tuple "
        f"of {listed(name for name in arguments if name in needed)}{optional}; or a dict by these names."
    )
