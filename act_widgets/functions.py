"""The questions that need no widget: capture, attribute, graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .attribution import Attribution
from .by_address import ByAddress
from .keys import Target
from .model_graph import Graph
from .reading.reader import Reader
from .session import Session
from .sources import open_source


class Activations(ByAddress[np.ndarray]):
    """Activations by address, in call order.

    Looking one up accepts any unique end of an address, as everywhere.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        super().__init__(dict(arrays))

    def __repr__(self) -> str:
        rows = (f"  {a}: {v.shape} {v.dtype}" for a, v in self.items())
        return "\n".join([f"Activations of {len(self)} layers", *rows])


def capture(
    model: Any,
    inputs: Any = None,
    layers: str | Sequence[str] | None = None,
    *,
    training: bool = False,
    signature: str | None = None,
) -> Activations:
    """Return the activations of a model's layers for a batch of inputs.

    Parameters
    ----------
    model : keras.Layer, function, session, str or path
        Any model that `Session` reads.
    inputs : ndarray, tensor, or list, tuple or dict of them
        What the model's call takes, with the batch axis.
    layers : str or sequence of str, optional
        Addresses of the layers; all if left out.
    training : bool
        Whether the model is called as in training. It is left as it was all the same.
    signature : str, optional
        Which signature of a SavedModel is read.

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
    source = open_source(model, training, signature)
    given = source.read_inputs(inputs)
    if isinstance(layers, str) or not isinstance(layers, Iterable | None):
        layers = [layers]
    with source.at_rest():
        source.build(given)
        return Activations(Reader(source, given).activations(layers))


def attribute(
    model: Any,
    inputs: Any = None,
    method: str = "grad_cam",
    *,
    layer: str | None = None,
    target: int | Target | None = None,
    scores: str | None = None,
    signature: str | None = None,
    on_progress: Callable[[float, str], None] | None = None,
    **params: Any,
) -> Attribution:
    """Return maps of where a score comes from, for a batch of inputs.

    Parameters
    ----------
    model : keras.Layer, function, session, str or path
        Any model that `Session` reads.
    inputs : ndarray, tensor, or list, tuple or dict of them
        What the model's call takes, with the batch axis.
    method : str
        Of a layer's channels: ``"grad_cam"``, ``"grad_cam_pp"``, ``"layer_cam"``, ``"score_cam"``. Of the
        input: ``"saliency"``, ``"gradient_x_input"``, ``"smooth_grad"``, ``"integrated_gradients"``,
        ``"guided_backprop"``, ``"deconvnet"``, ``"occlusion"``, ``"rise"``. The papers are named in the
        modules of `act_widgets.attribution`.
    layer : str, optional
        What is explained: for the first four a layer with spatial axes, the last one if left out; for the
        others an input or a layer, the first input of real numbers if left out. An input without a name is
        called as in the graph, ``"input"`` or ``"input:1"``.
    target : int or Target, optional
        The class to explain, or any unit; each sample's first class if left out. Of a main output with one
        unit, 1 explains its value and 0 what speaks against it; left out, that is 1, or 0 where the value is
        a probability below a half. ``Target(0)`` is the value of any single unit, of a layer or output too.
    scores : str, optional
        ``"logits"`` or ``"probabilities"``. Left out, methods of gradients explain logits if the model
        computes them, the others its output as it is.
    signature : str, optional
        Which signature of a SavedModel is read.
    on_progress : callable, optional
        Called as ``on_progress(share, words)`` between the batches of a slow method. What it raises ends
        the work.
    **params
        Parameters of the method. Grad-CAM and its kin: ``signed``, whether the map keeps what speaks
        against the class. ``smooth_grad``: ``samples``, ``noise`` (a share of the input's range), ``seed``.
        ``integrated_gradients``: ``baseline``, ``bound`` of the completeness error, ``steps`` at the most.
        ``occlusion``: ``patch`` and ``stride`` in cells, ``fill``. ``rise``: ``masks``, ``cells``,
        ``keep``, ``fill``, ``seed``.

    Returns
    -------
    Attribution
        ``.maps (batch, height, width) float32``, raw, and what they are maps of.

    Raises
    ------
    ModelError, InputError, TargetError, UnknownLayerError, LayerKindError
        If something given does not fit the model or the method.

    Examples
    --------
    >>> attribute(model, images, "integrated_gradients", target=7).maps.shape  # doctest: +SKIP
    (8, 224, 224)
    """
    session = Session(model, inputs, signature=signature)
    return session.attribution(
        method, layer=layer, target=target, scores=scores, on_progress=on_progress, **params
    )


def graph(model: Any, inputs: Any = None, *, signature: str | None = None) -> Graph:
    """Return a model's calls and the tensors between them; of a raw graph its operations.

    A Keras model is traced the first time, and called once on the example to check the trace.

    Parameters
    ----------
    model : keras.Layer, function, session, str or path
        Any model that `Session` reads.
    inputs : ndarray, tensor, or list, tuple or dict of them, optional
        An example batch. Needed only where the model itself does not state its inputs.
    signature : str, optional
        Which signature of a SavedModel is read.

    Raises
    ------
    ModelError, InputError
        If the model can't be read, or needs inputs to be read.
    """
    source = open_source(model, signature=signature)
    given = source.example_inputs() if inputs is None else source.read_inputs(inputs)
    with source.at_rest():
        source.build(given)
        return source.graph(given)
