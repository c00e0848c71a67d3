"""What is fed into a graph: batches by the names of its placeholders, and settings that all samples share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from ..errors import InputError, listed, nearest
from .inputs import Inputs, Spec, as_input_array, check_batch, shape_text, zeros_of
from .raw_graph import RawGraph


@dataclass(frozen=True)
class FedInputs(Inputs):
    """A batch for a graph.

    Attributes
    ----------
    names : tuple of str
        The placeholders of `arrays`.
    settings : dict of str to ndarray
        What has no batch axis, such as a dropout rate, by the placeholders' names.
    """

    names: tuple[str, ...] = ()
    settings: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def signature(self) -> tuple:
        """What a trace is kept for."""
        bound = tuple((name, a.dtype.str, a.shape, a.tobytes()) for name, a in self.settings.items())
        return (*super().signature, self.names, bound)

    def pack(self, leaves: Sequence[Any]) -> Any:
        """Return `leaves` as they were given: in a structure; or by name, settings beside them."""
        if self.structure is not None:
            return super().pack(leaves)
        if len(self.names) == 1 and not self.settings:
            return leaves[0]
        return dict(zip(self.names, leaves, strict=True)) | dict(self.settings)


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
    leaves = _by_name(given, raw, name)
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
    is_nest = not settings and not _is_by_name(given, raw)
    structure = keras.tree.map_structure(lambda leaf: None, given) if is_nest else None
    return FedInputs(arrays, structure, tuple(spec.name for spec in fed), settings)


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
    texts = [_spec_text(spec) for spec in raw.specs]
    if len(texts) == 1:
        return texts[0]
    return (
        f"a dictionary by name{', or a list in this order,' if raw.needs_all else ''} of {', '.join(texts)}"
    )


def _spec_text(spec: Spec) -> str:
    shape = "any shape" if spec.shape is None else shape_text(spec.shape) if spec.shape else "a number"
    return f"{shape} {spec.dtype} ('{spec.name}')"


def _by_name(given: Any, raw: RawGraph, name: str) -> dict[str, Any]:
    """Return what is given by the placeholders' names."""
    known = [spec.name for spec in raw.specs]
    if _is_by_name(given, raw):
        leaves = {_key(key, raw): leaf for key, leaf in given.items()}
        unknown = [key for key in leaves if key not in known]
        if unknown:
            raise InputError(
                f"'{name}' has no input {listed(unknown)}. Nearest: {listed(nearest(unknown[0], known))}. "
                f"Expected: {expected_text(raw)}."
            )
        missing = [key for key in known if key not in leaves] if raw.needs_all else []
        if missing or not leaves:
            raise InputError(
                f"An input is missing. Received: {listed(leaves) or 'none'}. Expected: {expected_text(raw)}."
            )
        return leaves
    flat = keras.tree.flatten(given)
    if len(flat) != len(known):
        raise InputError(
            f"'{name}' takes {len(known)} input{'' if len(known) == 1 else 's'}. Received: {len(flat)}. "
            f"Expected: {expected_text(raw)}."
        )
    return dict(zip(known, flat, strict=True))


def _key(key: Any, raw: RawGraph) -> str:
    """Return the placeholder that a key means: by its name, as a tensor, or as a signature calls it."""
    name = str(getattr(key, "name", key)).removesuffix(":0")
    return raw.aliases.get(name, name)


def _is_by_name(given: Any, raw: RawGraph) -> bool:
    """Whether inputs are given by the names of placeholders, not in the structure that a function states."""
    if not isinstance(given, Mapping):
        return False
    if {_key(key, raw) for key in given} <= {spec.name for spec in raw.specs}:
        return True
    try:
        keras.tree.assert_same_structure(given, raw.arguments)
    except (ValueError, TypeError):
        return True
    return False


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
