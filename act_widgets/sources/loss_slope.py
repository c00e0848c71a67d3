"""The gradient of a model's loss at its outputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ..errors import InputError, listed, said
from ..keys import Score
from .protocol import OUTPUT, output_name


class Slope(NamedTuple):
    """The gradient of a loss at one output.

    Attributes
    ----------
    score : Score
        The output, or the logits before it.
    values : ndarray
        ``(batch, ..., units)``.
    """

    score: Score
    values: np.ndarray


class LossSlope:
    """The slope of the loss that a model was compiled with, for given targets.

    It is the sum that `fit` makes of the losses of all outputs with their weights, less what layers add by
    themselves (`add_loss`, regularisation). A cross-entropy behind a softmax or sigmoid is differentiated at
    the logits, as training does it: at the probabilities its gradient vanishes where they are rounded to 0.

    Parameters
    ----------
    model : keras.Model
        A compiled model.
    targets : array_like, or list, tuple or dict of them
        As `fit` takes them.
    outputs : ndarray, or the structure of them that the model returns
        What it answers for the samples of these targets.
    activations : mapping of str to (str or None)
        By `output_addresses`, ``"softmax"`` or ``"sigmoid"`` if one makes the output of logits.
    masks : sequence of (tf.Tensor or None)
        Which positions of each output count, as Keras masks them.

    Attributes
    ----------
    words : str
        The names of the losses.

    Raises
    ------
    InputError
        If the model has no loss, or the targets do not fit it.
    """

    def __init__(
        self,
        model: Any,
        targets: Any,
        outputs: Any,
        activations: Mapping[str, str | None],
        masks: Sequence[Any],
    ) -> None:
        self._compiled = getattr(model, "_compile_loss", None)
        if self._compiled is None:
            raise InputError(
                f"Gradients of a loss need a model compiled with one. Received: '{model.name}' with "
                f"loss={getattr(model, 'loss', None)!r:.80}. Expected: model.compile(loss=...), or "
                "targets=None for gradients of the class that each sample is given first."
            )
        is_nest = _is_nest(outputs) or isinstance(targets, dict)
        self._targets = keras.tree.map_structure(_tensor, targets) if is_nest else _tensor(targets)
        self._activations, self._masks = activations, masks
        # Made anew: the model's own counts what it is asked.
        self._total = type(self._compiled)(
            self._compiled._user_loss,
            self._compiled._user_loss_weights,
            output_names=self._compiled.output_names,
        )
        self._build(outputs)
        self.words = _named([entry.loss.name for entry in self._total._flat_losses])
        self._on_logits = self._take_logits(outputs)

    def is_of(self, model: Any) -> bool:
        """Whether the model was not compiled anew since."""
        return getattr(model, "_compile_loss", None) is self._compiled

    def of(self, outputs: Any) -> list[Slope]:
        """Return the loss's gradient at each output that it depends on.

        Parameters
        ----------
        outputs : ndarray, or the structure of them that the model returns
            What the model answers for the samples of the targets.
        """
        addresses = output_addresses(outputs)
        given = [
            _logits(leaf, self._activations[address]) if address in self._on_logits else _tensor(leaf)
            for leaf, address in zip(keras.tree.flatten(outputs), addresses, strict=True)
        ]
        for tensor, mask in zip(given, self._masks, strict=True):
            if mask is not None:
                tensor._keras_mask = mask  # the loss leaves out what it hides
        with tf.GradientTape() as tape:
            tape.watch([tensor for tensor in given if tensor.dtype.is_floating])
            total = self._total(self._targets, keras.tree.pack_sequence_as(outputs, given))
        return [
            Slope(Score(address, logits=address in self._on_logits), _with_units(slope.numpy()))
            for address, slope in zip(addresses, tape.gradient(total, given), strict=True)
            if slope is not None
        ]

    def _build(self, outputs: Any) -> None:
        """Let Keras find out which loss belongs to which output."""
        try:
            self._total(self._targets, keras.tree.map_structure(_tensor, outputs))
        except (ValueError, KeyError, TypeError, IndexError, tf.errors.OpError) as error:
            self._check_names(outputs, error)
            raise InputError(
                "The loss can't be computed for these targets. Received: targets of "
                f"{_shapes(self._targets)} for outputs of {_shapes(outputs)}. Expected: what fit takes for "
                f"the samples of the probe batch. Keras said: {said(error)}"
            ) from error

    def _check_names(self, outputs: Any, error: Exception) -> None:
        """Raise if targets have names that are not those of the outputs."""
        names = list(outputs) if isinstance(outputs, dict) else self._total.output_names
        if not isinstance(self._targets, dict) or not names or set(self._targets) == set(names):
            return
        received = listed(map(str, self._targets))
        expected = listed(map(str, names))
        expected += ", or the targets without a name" if len(names) == 1 else ""
        raise InputError(
            f"Targets are named as the outputs that they are of. Received: {received}. Expected: {expected}."
        ) from error

    def _take_logits(self, outputs: Any) -> set[str]:
        """Have losses of logits where all losses of an output have such a form; return these outputs."""
        addresses = output_addresses(outputs)
        # In the structure that paths to the outputs were found in.
        nest = keras.tree.pack_sequence_as(self._total._y_pred_build_structure, addresses)
        entries = [(_at(nest, entry.path), entry) for entry in self._total._flat_losses]
        forms = [_of_logits(entry.loss, self._activations.get(address or "")) for address, entry in entries]
        chosen = {address for address, _ in entries if address is not None}
        chosen -= {address for (address, _), form in zip(entries, forms, strict=True) if form is None}
        self._total._flat_losses = [
            entry._replace(loss=form) if address in chosen else entry
            for (address, entry), form in zip(entries, forms, strict=True)
        ]
        return chosen


def _at(nest: Any, path: Sequence[Any]) -> str | None:
    """Return the output that a path leads to; None if it leads to several."""
    for key in path:
        nest = nest[key]
    return nest if isinstance(nest, str) else None


def _is_nest(outputs: Any) -> bool:
    return isinstance(outputs, list | tuple | dict)


def output_addresses(outputs: Any) -> list[str]:
    """Return the address of each output, in the order of ``keras.tree.flatten``; the only one has none."""
    if not _is_nest(outputs):
        return [""]
    return [OUTPUT + output_name(path, outputs) for path, _ in keras.tree.flatten_with_path(outputs)]


def _tensor(value: Any) -> Any:
    return None if value is None else tf.convert_to_tensor(value)


def _shapes(nest: Any) -> str:
    """Return the shapes of a structure of tensors, in that structure."""
    return str(keras.tree.map_structure(lambda leaf: tuple(getattr(leaf, "shape", ())), nest))


def _with_units(values: np.ndarray) -> np.ndarray:
    return values if values.ndim > 1 else values.reshape(-1, 1)


def _named(losses: Sequence[str]) -> str:
    """Return in words which losses these are."""
    names = dict.fromkeys(map(str, losses))
    return f"the loss{'es' if len(names) > 1 else ''} {listed(names)}"


def _logits(output: np.ndarray, activation: str | None) -> Any:
    """Return logits that a softmax or sigmoid makes the same probabilities of."""
    least = np.finfo(np.float32).tiny
    logits = np.log(np.maximum(output, least))
    if activation == "sigmoid":
        logits = logits - np.log(np.maximum(1 - output, least))
    return tf.convert_to_tensor(logits)


def _of_logits(loss: Any, activation: str | None) -> Any:
    """Return a loss of probabilities as one of the logits before an activation; None if there is none."""
    function = getattr(loss, "fn", loss.call)
    name = getattr(getattr(loss, "fn", type(loss)), "__name__", "")
    if activation != ("sigmoid" if "binary" in name.lower() else "softmax"):
        return None
    if type(loss).__name__ != "LossFunctionWrapper":
        settings = loss.get_config()
        is_ready = settings.get("from_logits") is False
        return type(loss).from_config({**settings, "from_logits": True}) if is_ready else None
    given = loss._fn_kwargs
    if "from_logits" not in inspect.signature(function).parameters or given.get("from_logits"):
        return None
    made = {**given, "from_logits": True}
    return type(loss)(function, reduction=loss.reduction, name=loss.name, dtype=loss.dtype, **made)
