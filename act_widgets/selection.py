"""What is being looked at: one small observed state that controls write and views read."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Protocol

from traitlets import Any as Anything
from traitlets import Bool, HasTraits, Int, Tuple, Unicode, observe, validate

from .errors import InputError, TargetError, listed, nearest


class Legal(Protocol):
    """What a selection may hold for one model and batch."""

    methods: Sequence[str]
    orders: Sequence[str]

    @property
    def samples(self) -> int:
        """Number of samples in the batch."""

    def resolve(self, layer: str) -> str:
        """Return the whole address of a layer, or raise."""

    def channels(self, layer: str) -> int:
        """Return a layer's number of channels."""

    def check_target(self, target: int, layer: str) -> int:
        """Return a class, or a channel of a layer, or raise."""

    def check_parameters(self, method: str, given: Mapping[str, Any]) -> None:
        """Raise unless a method takes these parameters."""


class Selection(HasTraits):
    """The layer, channel, sample, class, method and range of values on the screen.

    Setting one redraws every view of the session. A value that the model does not have raises an
    error and changes nothing.

    Parameters
    ----------
    legal : Legal
        Knows which values exist.
    layer : str
        Address of the first layer to show.
    """

    layer = Unicode(help="Address of the layer. Its unique last part will do. Views show its maps.")
    channel = Int(0, help="Index of the channel within the layer. Back to 0 if a new layer has fewer.")
    sample = Int(0, help="Index of the sample within the batch.")
    target = Int(None, allow_none=True, help="Class to explain; None for the one predicted first.")
    target_layer = Unicode("", help="Layer whose channel `target` is explained; empty for a class.")
    method = Unicode("grad_cam", help="Name of the attribution method.")
    scores = Unicode("", help="'logits' or 'probabilities'; empty for what the method usually explains.")
    parameters = Tuple(help="Pairs of name and value for the method; what is left out has its default.")

    order = Unicode(
        "index", help="What channels are ordered by: 'index', 'mean', 'max', 'variance', 'weight'."
    )
    hide_dead = Bool(False, help="Whether channels are left out that are 0 everywhere in the batch.")
    value_range = Anything(
        None,
        help="Lowest and highest activation that maps light up, both included: `(low, high)`. None for no "
        "range, and again when another layer is chosen: its values mean something else.",
    )

    def __init__(self, legal: Legal, layer: str, **values: Any) -> None:
        self._legal = legal
        self._turn = threading.RLock()
        super().__init__(layer=layer, **values)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a trait, one thread at a time: a channel is valid only for the layer it is checked with."""
        if not self.has_trait(name):
            if not (name.startswith("_") or hasattr(type(self), name)):
                raise AttributeError(_no_trait(name, self.trait_names()))
            super().__setattr__(name, value)
            return
        with self._turn:
            super().__setattr__(name, value)

    @validate("layer")
    def _valid_layer(self, proposal: dict) -> str:
        return self._legal.resolve(proposal["value"])

    @validate("channel")
    def _valid_channel(self, proposal: dict) -> int:
        # A layer without channels has none to choose: 0 stands for that.
        count = max(1, self._legal.channels(self.layer))
        return _in_range("channel", proposal["value"], count, f"'{self.layer}'")

    @validate("sample")
    def _valid_sample(self, proposal: dict) -> int:
        return _in_range("sample", proposal["value"], self._legal.samples, "The batch")

    @validate("target")
    def _valid_target(self, proposal: dict) -> int | None:
        value = proposal["value"]
        return None if value is None else self._legal.check_target(value, self.target_layer)

    @validate("target_layer")
    def _valid_target_layer(self, proposal: dict) -> str:
        return self._legal.resolve(proposal["value"]) if proposal["value"] else ""

    @validate("scores")
    def _valid_scores(self, proposal: dict) -> str:
        if proposal["value"] not in ("", "logits", "probabilities"):
            raise InputError(
                f"Scores are logits or probabilities. Received: scores={proposal['value']!r}. "
                "Expected: 'logits', 'probabilities', or '' for what the method usually explains."
            )
        return proposal["value"]

    @validate("parameters")
    def _valid_parameters(self, proposal: dict) -> tuple:
        given = dict(proposal["value"])
        for name, value in given.items():
            if getattr(value, "ndim", 0):
                raise InputError(
                    f"The screen takes numbers only. Received: {name}= an array of shape {value.shape}. "
                    "Expected: a number, or session.attribution(...), which takes arrays too."
                )
        self._legal.check_parameters(self.method, given)
        return tuple(given.items())

    @validate("order")
    def _valid_order(self, proposal: dict) -> str:
        if proposal["value"] not in self._legal.orders:
            raise InputError(
                f"Channels have no such order. Received: order={proposal['value']!r}. "
                f"Expected: one of {listed(self._legal.orders)}."
            )
        return proposal["value"]

    @validate("value_range")
    def _valid_value_range(self, proposal: dict) -> tuple[float, float] | None:
        value = proposal["value"]
        return None if value is None else _ordered_pair(value)

    @validate("method")
    def _valid_method(self, proposal: dict) -> str:
        name = proposal["value"]
        if name not in self._legal.methods:
            raise InputError(
                f"No attribution method '{name}'. Nearest: {listed(nearest(name, self._legal.methods, 3))}."
            )
        return name

    # Declared on the class, so that it runs before the views' own observers: none of them sees
    # the new layer with a channel that it does not have.
    @observe("layer")
    def _repair_channel(self, change: dict) -> None:
        if self.channel >= self._legal.channels(self.layer):
            self.channel = 0

    @observe("layer")
    def _let_go_of_range(self, change: dict) -> None:
        self.value_range = None

    @observe("target_layer")
    def _repair_target(self, change: dict) -> None:
        try:
            self._legal.check_target(0 if self.target is None else self.target, self.target_layer)
        except TargetError:
            self.target = None

    @observe("method")
    def _repair_parameters(self, change: dict) -> None:
        try:
            self._legal.check_parameters(self.method, dict(self.parameters))
        except InputError:
            self.parameters = ()

    def explain(self, target: int | None, layer: str = "") -> None:
        """Choose what is explained: a class, or a channel of `layer`."""
        with self._turn, self.hold_trait_notifications():
            self.target_layer = layer
            self.target = target


def _no_trait(name: str, known: Sequence[str]) -> str:
    return f"A selection has no '{name}'. Nearest: {listed(nearest(name, known, 3))}."


def _in_range(what: str, value: int, count: int, owner: str) -> int:
    if not 0 <= value < count:
        raise InputError(
            f"No {what} {value}. {owner} has {count} {what}{'s' if count != 1 else ''}. "
            f"Received: {what}={value}. Expected: 0 to {count - 1}."
        )
    return value


def _ordered_pair(value: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) if isinstance(end, Real) else math.nan for end in value)
    except (TypeError, ValueError, OverflowError):  # no pair, or larger than any float
        low = high = math.nan
    if -math.inf < low <= high < math.inf:
        return low, high
    raise InputError(
        f"A range of values has two ends, the lower one first. Received: value_range={value!r:.80}. "
        "Expected: two finite numbers, such as (0.0, 0.5), or None for no range."
    )
