"""What is fed into a graph: batches by the names of its placeholders, and settings that all samples share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from ..errors import InputError, listed, nearest
from .inputs import Inputs, Spec, as_input_array, check_batch, shape_text, zeros_of
from .raw_graph import RawGraph


@dataclass(frozen=True)
class FedInputs(Inputs):
    """A batch for a graph.

    Attributes
    ----------
    names : tuple of str
        The placeholders of `arrays`. In `structure` they stand in the place of what is fed.
    settings : dict of str to ndarray
        What has no batch axis, such as a dropout rate, by the placeholders' names.
    asked
        What the loader is asked for the graph by.
    """

    names: tuple[str, ...] = ()
    settings: Mapping[str, np.ndarray] = field(default_factory=dict)
    asked: Any = None

    @property
    def signature(self) -> tuple:
        """What a trace is kept for."""
        bound = tuple((name, a.dtype.str, a.shape, a.tobytes()) for name, a in self.settings.items())
        return (*super().signature, self.names, bound, repr(self.asked))

    def pack(self, leaves: Sequence[Any]) -> Any:
        """Return `leaves` as they were given, settings beside them."""
        held = dict(zip(self.names, leaves, strict=True)) | dict(self.settings)
        return tf.nest.map_structure(held.__getitem__, self.structure)


def read_fed(given: Any, raw: RawGraph, name: str) -> FedInputs:
    """Return `given` as arrays that the graph takes.

    Raises
    ------
    InputError
        If nothing is given, the batch is empty, or a name, shape or dtype does not fit.
    """
    if given is None:
        raise InputError(
            f"'{name}' can only be read with inputs to run it on. Received: no inputs. "
            f"Expected: {expected_text(raw)}."
        )
    structure, leaves = _placed(given, raw, name)
    specs = [spec for spec in raw.specs if spec.name in leaves]
    shared = {spec.name for spec in specs if _is_shared(spec, specs, leaves[spec.name])}
    settings = {s.name: _setting(leaves[s.name], s) for s in specs if s.name in shared}
    fed = [spec for spec in specs if spec.name not in shared]
    arrays = tuple(as_input_array(leaves[spec.name], _named_rank(spec)) for spec in fed)
    if not arrays:
        raise InputError(f"No batch was given. Received: {listed(leaves)}. Expected: {expected_text(raw)}.")
    check_batch(arrays)
    for array, spec in zip(arrays, fed, strict=True):
        _check_shape(array, spec)
    names = tuple(spec.name for spec in fed)
    return FedInputs(arrays, structure, names=names, settings=settings)


def example_fed(raw: RawGraph, name: str) -> FedInputs:
    """Return one sample of zeros for every placeholder; unknown sizes are 32.

    Raises
    ------
    InputError
        If the rank of one is not known.
    """
    unknown = [spec.name for spec in raw.specs if spec.shape is None]
    if unknown:
        raise InputError(
            f"'{name}' does not state the shape of {listed(unknown)}. Received: no inputs. Expected: an "
            f"example batch: {expected_text(raw)}."
        )
    fixed = [spec.shape[0] for spec in raw.specs if spec.shape and spec.shape[0]]
    size = fixed[0] if fixed else 1
    zeros = {spec.name: zeros_of(spec) if spec.shape else np.zeros((), spec.dtype) for spec in raw.specs}
    given = {n: z if z.ndim == 0 else np.repeat(z[:1], size, axis=0) for n, z in zeros.items()}
    return read_fed(given, raw, name)


def expected_text(raw: RawGraph) -> str:
    """Return what a graph takes, in words."""
    specs = {spec.name: spec for spec in raw.specs}
    texts = [_argument_text(key, stated, specs) for key, stated in _arguments_of(raw).items()]
    if len(texts) == 1:
        return texts[0]
    return (
        f"a dictionary by name{', or a list in this order,' if raw.needs_all else ''} of {', '.join(texts)}"
    )


def _arguments_of(raw: RawGraph) -> Mapping[str, Any]:
    return raw.arguments or {spec.name: spec.name for spec in raw.specs}


def _argument_text(name: str, stated: Any, specs: Mapping[str, Spec]) -> str:
    if isinstance(stated, str):
        return _spec_text(specs[stated]._replace(name=name))
    return f"{_nest_text(stated, specs)} ('{name}')"


def _nest_text(nest: Any, specs: Mapping[str, Spec]) -> str:
    if isinstance(nest, Mapping):
        return f"{{{', '.join(f'{key!r}: {_nest_text(part, specs)}' for key, part in nest.items())}}}"
    if isinstance(nest, list | tuple):
        return f"[{', '.join(_nest_text(part, specs) for part in nest)}]"
    return _size_text(specs[nest])


def _spec_text(spec: Spec) -> str:
    return f"{_size_text(spec)} ('{spec.name}')"


def _size_text(spec: Spec) -> str:
    shape = "any shape" if spec.shape is None else shape_text(spec.shape) if spec.shape else "a number"
    return f"{shape} {spec.dtype}"


def _placed(given: Any, raw: RawGraph, name: str) -> tuple[Any, dict[str, Any]]:
    """Return the placeholders' names in the structure of what is given, and by them what is given."""
    known = [spec.name for spec in raw.specs]
    if isinstance(given, Mapping):
        given = {str(getattr(key, "name", key)).removesuffix(":0"): part for key, part in given.items()}
    if _is_by_name(given, raw, known):
        places = {key: _place(key, part, raw, known, name) for key, part in given.items()}
        leaves = {k: v for key, part in given.items() for k, v in _paired(places[key], part)}
        missing = [key for key in known if key not in leaves] if raw.needs_all else []
        if missing or not leaves:
            raise InputError(
                f"An input is missing. Received: {listed(given) or 'none'}. Expected: {expected_text(raw)}."
            )
        return places, leaves
    count = len(tf.nest.flatten(given))
    if count != len(known):
        raise InputError(
            f"'{name}' takes {len(known)} input{'' if len(known) == 1 else 's'}. Received: {count}. "
            f"Expected: {expected_text(raw)}."
        )
    places = tf.nest.pack_sequence_as(given, known)
    return places, dict(_paired(places, given))


def _is_by_name(given: Any, raw: RawGraph, known: Sequence[str]) -> bool:
    """Whether inputs are given by the names of arguments or placeholders, not as the only argument itself."""
    if not isinstance(given, Mapping):
        return False
    is_argument = len(raw.arguments) == 1 and _fits(given, next(iter(raw.arguments.values())))
    return not is_argument or set(given) <= {*known, *raw.arguments}


def _place(key: str, part: Any, raw: RawGraph, known: Sequence[str], name: str) -> Any:
    """Return the placeholders that something of this name is fed to, in its structure."""
    stated = raw.arguments.get(key, key)
    if not tf.nest.is_nested(stated) and stated in known:
        return stated
    if tf.nest.is_nested(stated) and _fits(part, stated):
        return tf.nest.pack_sequence_as(part, tf.nest.flatten(stated))
    if key in known and not tf.nest.is_nested(part):
        return key
    if key in raw.arguments:
        raise InputError(
            f"'{key}' of '{name}' has another structure. Received: {type(part).__name__} of "
            f"{len(tf.nest.flatten(part))}. Expected: {expected_text(raw)}."
        )
    names = dict.fromkeys([*raw.arguments, *known])
    raise InputError(
        f"'{name}' has no input '{key}'. Nearest: {listed(nearest(key, names))}. "
        f"Expected: {expected_text(raw)}."
    )


def _paired(places: Any, given: Any) -> Iterator[tuple[str, Any]]:
    """Yield each placeholder with what is fed to it."""
    if isinstance(places, str):
        yield places, given
    else:
        yield from zip(tf.nest.flatten(places), tf.nest.flatten(given), strict=True)


def _fits(given: Any, stated: Any) -> bool:
    if isinstance(stated, Mapping):
        has_keys = isinstance(given, Mapping) and set(given) == set(stated)
        return has_keys and all(_fits(given[key], part) for key, part in stated.items())
    if isinstance(stated, list | tuple):
        has_size = isinstance(given, list | tuple) and len(given) == len(stated)
        return has_size and all(map(_fits, given, stated))
    return not tf.nest.is_nested(given)


def _is_shared(spec: Spec, specs: Sequence[Spec], leaf: Any) -> bool:
    """Whether an input has no batch axis: it is a number, or its size is fixed beside batches of any size."""
    if spec.shape is None:
        return np.ndim(leaf) == 0
    is_fixed = not spec.shape or spec.shape[0] is not None
    return is_fixed and (not spec.shape or any(s.shape is not None and s.shape[:1] == (None,) for s in specs))


def _setting(leaf: Any, spec: Spec) -> np.ndarray:
    value = np.asarray(leaf)
    if spec.shape is not None and value.shape != tuple(spec.shape):
        raise InputError(
            f"'{spec.name}' is the same for all samples. Received: shape {value.shape}. "
            f"Expected: {_spec_text(spec)}."
        )
    try:
        return value.astype(object if spec.dtype == "string" else spec.dtype)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"This does not fit '{spec.name}'. Received: {leaf!r:.80}. Expected: {_spec_text(spec)}."
        ) from error


def _named_rank(spec: Spec) -> Spec:
    return spec if spec.shape is not None else spec._replace(shape=())


def _check_shape(array: np.ndarray, spec: Spec) -> None:
    if spec.shape is None:
        return
    pairs = zip(array.shape, spec.shape, strict=False)
    if array.ndim == len(spec.shape) and all(b in (None, a) for a, b in pairs):
        return
    is_sample = array.shape == tuple(spec.shape[1:])
    remedy = " The batch axis is missing: pass inputs[None]." if is_sample else ""
    raise InputError(
        f"Inputs of this shape do not fit the graph. Received: {array.shape}. "
        f"Expected: {_spec_text(spec)}.{remedy}"
    )
