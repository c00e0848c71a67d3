"""Inputs of a model whose call takes several arguments, not one nest of inputs."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from ..errors import InputError, listed

# They are no inputs: Keras finds them in the call around a layer.
_OF_CONTEXT = {"training", "mask"}
_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Argument(NamedTuple):
    """One input that a call takes by itself."""

    is_needed: bool
    by_place: bool
    """Whether it need not be given by its name."""


def arguments_of(model: Any) -> dict[str, Argument]:
    """Return the inputs that a model's ``call`` takes one by one, by their names.

    A ``call`` that needs no more than one, and not by its name, takes one nest of inputs: then there
    are none.
    """
    parameters = inspect.signature(model.call).parameters.values()
    own = [p for p in parameters if p.name not in _OF_CONTEXT and p.kind not in _ANY_NUMBER]
    found = {p.name: Argument(p.default is p.empty, p.kind is not p.KEYWORD_ONLY) for p in own}
    # What only a name reaches and has a default is a setting.
    found = {name: argument for name, argument in found.items() if any(argument)}
    needed = [argument for argument in found.values() if argument.is_needed]
    return found if len(needed) > 1 or not all(argument.by_place for argument in needed) else {}


def in_arguments(given: Any, arguments: dict[str, Argument]) -> Any:
    """Return inputs as the arguments of a call, by place or by name.

    Raises
    ------
    InputError
        If they are no such arguments.
    """
    if isinstance(given, dict):
        told, received = set(given), listed(map(str, given))
    elif isinstance(given, list | tuple):
        places = [name for name, argument in arguments.items() if argument.by_place]
        told, received = set(places[: len(given)]), f"{len(given)} of them"
    else:
        told, received = set(), f"one {type(given).__name__}"
    needed = {name for name, argument in arguments.items() if argument.is_needed}
    if needed <= told <= set(arguments) and len(told) == len(given):
        return given
    raise InputError(
        f"The model's call takes several inputs, one by one. Received: {received}. "
        f"Expected: {_expected(arguments)}."
    )


def _expected(arguments: dict[str, Argument]) -> str:
    optional = "".join(f", '{name}' if wished" for name, a in arguments.items() if not a.is_needed)
    names = listed(name for name, a in arguments.items() if a.is_needed) + optional
    if all(argument.by_place for argument in arguments.values()):
        return f"a list or tuple of {names}; or a dict by these names"
    return f"a dict by the names {names}"
