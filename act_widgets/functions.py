"""The questions that need no widget: capture, attribute, graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .attribution import Attribution
from .errors import InputError, UnknownLayerError
from .keys import resolve
from .model_graph import Graph
from .reading.reader import Reader
from .session import Session
from .sources import open_source


class Activations(Mapping[str, np.ndarray]):
    """Activations by address, in call order.

    Looking one up accepts any unique end of an address, as everywhere.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = dict(arrays)

    def __getitem__(self, layer: str) -> np.ndarray:
        return self._arrays[resolve(layer, tuple(self._arrays))]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, layer: object) -> bool:
        try:
            return resolve(layer, tuple(self._arrays)) in self._arrays  # type: ignore[arg-type]
        except UnknownLayerError:
            return False

    def get(self, layer: str, default: Any = None) -> Any:
        """Return a layer's activations, or `default` if there is no such layer."""
        try:
            return self[layer]
        except UnknownLayerError:
            return default

    def __repr__(self) -> str:
        rows = (f"  {a}: {v.shape} {v.dtype}" for a, v in self._arrays.items())
        return "\n".join([f"Activations of {len(self)} layers", *rows])


def capture(
    model: Any, inputs: Any = None, layers: str | Sequence[str] | None = None, *, training: bool = False
) -> Activations:
    """Return the activations of a model's layers for a batch of inputs.

    Parameters
    ----------
    model : keras.Layer, str or path
        A Keras model of any kind, or the path of a ``.keras`` or ``.h5`` file.
    inputs : ndarray, tensor, or list, tuple or dict of them
        What the model's call takes, with the batch axis.
    layers : str or sequence of str, optional
        Addresses of the layers; all if left out.
    training : bool
        Whether the model is called as in training. It is left as it was all the same.

    Returns
    -------
    Activations
        A mapping from addresses to arrays ``(batch, ...)``, read-only, in call order. Half
        precision is given as float32.

    Raises
    ------
    ModelError, InputError, UnknownLayerError
        If the model, the inputs or a layer's name does not fit.

    Examples
    --------
    >>> capture(model, images)["block5_conv3"].shape  # doctest: +SKIP
    (8, 14, 14, 512)
    """
    source = open_source(model, training)
    reader = Reader(source, source.read_inputs(inputs))
    source.build(reader.inputs)
    if isinstance(layers, str) or not isinstance(layers, Iterable | None):
        layers = [layers]
    return Activations(reader.activations(layers))


def attribute(
    model: Any,
    inputs: Any = None,
    method: str = "grad_cam",
    *,
    layer: str | None = None,
    target: int | None = None,
    **params: Any,
) -> Attribution:
    """Return maps of where a class's score comes from, for a batch of inputs.

    Parameters
    ----------
    model : keras.Layer, str or path
        A Keras model of any kind, or the path of a ``.keras`` or ``.h5`` file.
    inputs : ndarray, tensor, or list, tuple or dict of them
        What the model's call takes, with the batch axis.
    method : str
        ``"grad_cam"`` (Selvaraju et al. 2017).
    layer : str, optional
        A layer with spatial axes; the last one if left out.
    target : int, optional
        The class to explain; each sample's first class if left out.
    **params
        Parameters of the method. Grad-CAM has none.

    Returns
    -------
    Attribution
        ``.maps (batch, height, width) float32``, raw, and what they are maps of.

    Raises
    ------
    ModelError, InputError, TargetError, UnknownLayerError, LayerKindError
        If something given does not fit the model.
    """
    if params:
        raise InputError(f"The method '{method}' has no parameter '{next(iter(params))}'. It takes none.")
    return Session(model, inputs).attribution(method, layer=layer, target=target)


def graph(model: Any, inputs: Any = None) -> Graph:
    """Return a model's calls and the tensors between them.

    The model is traced the first time, and called once on the example to check the trace.

    Parameters
    ----------
    model : keras.Layer, str or path
        A Keras model of any kind, or the path of a ``.keras`` or ``.h5`` file.
    inputs : ndarray, tensor, or list, tuple or dict of them, optional
        An example batch. Needed only where the model itself does not state its inputs.

    Raises
    ------
    ModelError, InputError
        If the model can't be read, or needs inputs to be read.
    """
    source = open_source(model)
    given = source.example_inputs() if inputs is None else source.read_inputs(inputs)
    source.build(given)
    return source.graph(given)
