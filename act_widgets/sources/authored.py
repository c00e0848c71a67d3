"""Tell what the author of a model wrote from what the libraries do for it, by Python's stack."""

from __future__ import annotations

import re
from functools import lru_cache
from types import FrameType
from typing import Any, NamedTuple

import tensorflow as tf

_LIBRARY, _PASSING, _AUTHOR, _OURS = range(4)
_ROOT = __name__.partition(".")[0]
_RECORDER = f"{__name__.rpartition('.')[0]}.recorder"
_INTERCEPT = f"{__name__.rpartition('.')[0]}.intercept"
_LIBRARIES = ("keras", "tf_keras", "tensorflow", "_operator", "numpy")
# It runs the author's code line by line.
_AUTOGRAPH = "tensorflow.python.autograph."
_FUNCTION = "function"
_FUNCTIONS = "tensorflow.python.eager.polymorphic_function"
# Methods that `Layer.__call__` runs beside `call`.
_BESIDE = {"compute_mask", "build"}
# Functions of the libraries that only stand around another one.
_AROUND = {
    *("<lambda>", "__call__", "_eager_mode_decorator", "_graph_mode_decorator", "binary_op_wrapper"),
    *("decorated", "error_handler", "new_func", "op_dispatch_handler", "r_binary_op_wrapper"),
    *("sparse_wrapper", "wrapped", "wrapper"),
}
# Python's operators, as Keras calls them.
_OPERATORS = {
    "_abs_factory": "absolute",
    "_floordiv_factory": "floor_divide",
    "_mul_dispatch_factory": "multiply",
    "_pow_factory": "power",
    "_slice_helper": "get_item",
    "_truediv_factory": "true_divide",
    "neg": "negative",
    "tensor_equals": "equal",
    "tensor_not_equals": "not_equal",
}


class Called(NamedTuple):
    """A function of the libraries that the author's code called: its frame, and its name in one word."""

    frame: FrameType
    name: str


def is_authored(layer: Any) -> bool:
    """Whether a layer's ``call`` is its author's own, and not the libraries'."""
    return _is_authored(type(layer))  # type: ignore[arg-type]


@lru_cache(maxsize=256)
def _is_authored(kind: type) -> bool:
    owner = next((base for base in kind.__mro__ if "call" in vars(base)), None)
    return owner is not None and _side(owner.__module__) == _AUTHOR


def called(frame: FrameType | None, is_marked: bool) -> Called | None:
    """Return what the author's code called that led to `frame`, inside the ``call`` that is recorded.

    The outermost function of the libraries counts: what it does by others, or by functions of the author
    that it calls back, is its own. None if the author's ``call`` has not begun, or has ended.

    Parameters
    ----------
    frame : frame
        Where an operation was made.
    is_marked : bool
        Whether the ``call`` of each layer runs inside a function of ours, so that its methods beside it are
        told apart.
    """
    frames: list[FrameType] = []
    while frame is not None and not _is(frame, _RECORDER, "call"):
        frames.append(frame)
        frame = frame.f_back
    begun = not is_marked
    is_inside = False
    for index in range(len(frames) - 1, -1, -1):
        frame = frames[index]
        side = _side(frame.f_globals.get("__name__", ""))
        if not begun:
            begun = _is(frame, _INTERCEPT, "call")
        elif side == _AUTHOR:
            if not is_inside and frame.f_code.co_name in _BESIDE:
                return None
            is_inside = True
        elif side != _PASSING and is_inside:
            return Called(frame, _name(frames[index::-1]))
    return None


def in_one_word(name: str) -> str:
    """Return a function's name without what TensorFlow adds to it."""
    if name in _OPERATORS:
        return _OPERATORS[name]
    name = re.sub(r"(_dispatch)?_factory$|(_for_tf)?_v\d+$", "", name.strip("_"))
    return name if name.isidentifier() else _FUNCTION


def _name(frames: list[FrameType]) -> str:
    for frame in frames:
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module.startswith(_FUNCTIONS):
            return _FUNCTION
        if name not in _AROUND and _side(module) != _OURS:
            return in_one_word(name)
    return _FUNCTION


def _is(frame: FrameType, module: str, function: str) -> bool:
    return frame.f_code.co_name == function and frame.f_globals.get("__name__") == module


@lru_cache(maxsize=4096)
def _side(module: str) -> int:
    if module.startswith(_AUTOGRAPH):
        return _PASSING
    root = module.partition(".")[0]
    if root in _LIBRARIES:
        return _LIBRARY
    return _OURS if root == _ROOT else _AUTHOR


def held(function: Any) -> list[Any]:
    """Return the tensors that a function refers to from around it, and lists of them."""
    contents = map(_content, getattr(function, "__closure__", None) or ())
    return [content for content in contents if isinstance(content, tf.Tensor | list | tuple)]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is filled later
        return None
