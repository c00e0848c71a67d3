"""One traced pass of a Keras model, and every question that is answered from it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from ..keys import Score, Tap
from .eager import as_array, reading
from .gates import gates, inner_gates, ruled
from .inputs import Inputs
from .logits import Logits, confirmed, find_logits
from .protocol import MAIN, OUTPUT, BackwardPass, Gradients, Reading, main_output, output_name, unnamed_inputs
from .recorder import Call
from .scores import lacks_gradient, mask_shape, masked_score
from .subgraph import Cut, cut, downstream, upstream

# Each question from other known activations is a function of its own.
_MOST_CUTS = 64
TENSOR = object()
"""Stands for a tensor in the structure that a model returns."""
# Loops and branches as TensorFlow 1 writes them: their tensors lie between an entry and an exit.
ENTRIES = frozenset({"Enter", "RefEnter", "Switch", "RefSwitch"})
EXITS = frozenset({"Exit", "RefExit", "Merge", "RefMerge"})
OLD_CONTROL_FLOW = ENTRIES | EXITS

SCORE = "~score"


@dataclass
class Scored:
    """A tensor that is explained, what it is made of, and these scores laid out as it is."""

    tensor: Any
    found: Logits
    logits: Any
    is_confirmed: bool = False

    def of(self, score: Score) -> Any:
        """Return the tensor that is meant."""
        return self.logits if score.logits else self.tensor

    def origin(self, score: Score) -> Any:
        """Return what that tensor's numbers come from."""
        return self.found.scores if score.logits else self.tensor


@dataclass
class Trace:
    """A model's graph with an address on every layer output.

    Attributes
    ----------
    graph : tf.Graph
        The traced function graph. It is read, never run.
    inputs : list of tf.Tensor
        Its placeholders, one per input array.
    names : list of str
        The addresses of the first of them; a model that states no inputs has none.
    tensors : dict of str to tf.Tensor
        Every reachable tensor by address, inputs included.
    taps : dict of str to Tap
        The same, described.
    calls : list of Call
        The calls that made them.
    outputs : list of tf.Tensor
        The model's outputs, flat.
    output_structure : nest
        The structure the model returns, with a mark for each tensor.
    unreachable : dict of str to str
        Addresses that can't be read in a graph, with the reason.
    captured : dict of str to tf.Tensor
        The variables that it reads, by the names of their placeholders.
    checked : set of bool
        Whether its outputs were compared with those of an eager call for one sample (True), for
        several (False).
    """

    graph: Any
    inputs: list[Any]
    names: list[str]
    tensors: dict[str, Any]
    taps: dict[str, Tap]
    calls: list[Call]
    outputs: list[Any]
    output_structure: Any
    unreachable: dict[str, str]
    captured: dict[str, Any]
    checked: set[bool] = field(default_factory=set)
    _cuts: dict[tuple, Cut] = field(default_factory=dict)
    _behind: dict[str, set[str]] = field(default_factory=dict)
    _before: dict[str, frozenset[str]] = field(default_factory=dict)
    _scored: dict[str, Scored] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.main = self.outputs[main_output([o.shape.rank for o in self.outputs])]
        # What goes into a tap's identity holds the tap's value: feeding it too leaves the whole
        # layer out of the cut.
        self._aliases = {
            tensor.op.inputs[0].name: tensor
            for address, tensor in self.tensors.items()
            if tensor.op.type == "Identity" and tensor.op.inputs
        }
        self._places = dict(zip(unnamed_inputs(self.names, len(self.inputs)), self.inputs, strict=False))
        self._places |= self.tensors
        # What is computed once for all samples, such as embedded positions, is no row of a batch.
        batch = [tensor.shape[:1] for tensor in self.inputs[:1]]
        self._rows = frozenset(a for a, t in self._places.items() if t.shape[:1] in batch)
        leaves = keras.tree.flatten_with_path(self.output_structure)
        names = [output_name(path, self.output_structure) for path, leaf in leaves if leaf is TENSOR]
        self._named_outputs = dict(zip(names, self.outputs, strict=True))
        # A function returns an identity of what its last layer gave.
        axes = {t.name: self.taps[a].channel_axis for a, t in self.tensors.items() if a in self.taps}
        ends = [[t, *(t.op.inputs if t.op.type == "Identity" else ())] for t in self.outputs]
        self._axes = {end[0].name: next((axes[t.name] for t in end if t.name in axes), -1) for end in ends}
        self._gradients: dict[tuple, dict[str, Any]] = {}
        self._masks: dict[int, Any] = {}
        self._has_old_flow = any(op.type in OLD_CONTROL_FLOW for op in self.graph.get_operations())
        # Now: some rules put ReLUs of their own into the gradients.
        self._relus = gates(self.graph)

    @property
    def batch(self) -> int | None:
        """The batch size that the trace was made for; None if it serves any."""
        return self.inputs[0].shape[0]

    def seen(self, inputs: Inputs) -> Trace:  # noqa: ARG002 the graph is the same for all
        """Return what a call on these inputs consists of."""
        return self

    def explained(self, score: Score) -> frozenset[str]:
        """The addresses that the scores depend on."""
        tensor = self._scores(score.address).origin(score)
        if tensor.name not in self._before:
            before = upstream(tensor)
            self._before[tensor.name] = frozenset(a for a, t in self._places.items() if t.op.name in before)
        return self._before[tensor.name]

    def blocked(self, score: Score = MAIN) -> frozenset[str]:
        """The addresses whose gradient would pass a loop or branch as TensorFlow 1 writes them."""
        if not self._has_old_flow:
            return frozenset()
        inside = upstream(self._scores(score.address).origin(score))
        passed = [
            op for op in self.graph.get_operations() if op.name in inside and op.type in OLD_CONTROL_FLOW
        ]
        names = set().union(*(upstream(op.outputs[0]) for op in passed))
        return frozenset(a for a, t in self._places.items() if t.op.name in names)

    @property
    def gates(self) -> int:
        """Number of ReLUs."""
        return len(self._relus)

    @cached_property
    def inner_gates(self) -> int:
        """Number of ReLUs that keep their own rule."""
        return inner_gates(self.graph)

    def forward(self, inputs: Inputs, wanted: Sequence[str] | None) -> Reading:
        """Return the tensors at `wanted`, or all, and the outputs, from one compiled pass."""
        addresses = list(self.taps if wanted is None else wanted)
        given = {a: inputs.arrays[self.names.index(a)] for a in addresses if a in self.names}
        computed = [a for a in addresses if a not in given]
        arrays = self._run(inputs, [self.tensors[a] for a in computed] + self.outputs)
        values = given | dict(zip(computed, arrays, strict=False))
        return self._reading({a: values[a] for a in addresses}, arrays[len(computed) :])

    def _reading(self, values: dict[str, np.ndarray], flat: Sequence[np.ndarray]) -> Reading:
        rest = iter(flat)
        outputs = keras.tree.map_structure(
            lambda leaf: next(rest) if leaf is TENSOR else leaf, self.output_structure
        )
        stated = tuple(self._axes[tensor.name] for tensor in self.outputs)
        return reading(self.taps, values, outputs, self.unreachable, stated)

    def gradients(self, inputs: Inputs, known: Mapping[str, np.ndarray], asked: BackwardPass) -> Gradients:
        """Return the masked scores, and their gradients with respect to what is wanted; see `Source`."""
        self.checked_activation(inputs, known, asked.score, asked.edited)
        with self._lock:
            made = self._built(asked)
            blocked = {address: made[address] for address in asked.wanted if isinstance(made[address], str)}
            reached = [a for a in asked.wanted if made[a] is not None and a not in blocked]
            fetches = [made[SCORE], *(made[address] for address in reached)]
        scores, *values = self._run(inputs, fetches, known, asked.mask, asked.edited)
        return Gradients(dict(zip(reached, values, strict=True)), scores, blocked)

    def _built(self, asked: BackwardPass) -> dict[str, Any]:
        """Return the masked score and the gradients, put into the graph where they were not yet.

        In place of a gradient that can't be taken stands the reason.
        """
        rank = asked.mask.ndim
        made = self._gradients.setdefault((asked.score, rank, asked.rule), {})
        missing = [address for address in asked.wanted if address not in made]
        with self.graph.as_default():
            if SCORE not in made:
                if rank not in self._masks:
                    self._masks[rank] = tf.compat.v1.placeholder(tf.float32, mask_shape(rank))
                scores = self._scores(asked.score.address).of(asked.score)
                made[SCORE] = masked_score(scores, self._masks[rank])
            if missing:
                with ruled(self._relus, asked.rule):
                    made.update(self._slopes(made[SCORE], missing))
        return made

    def _slopes(self, score: Any, addresses: Sequence[str]) -> dict[str, Any]:
        """Return the gradients of a score, or why there is none."""
        try:
            slopes = tf.gradients(score, [self._places[a] for a in addresses])
        except LookupError:
            blocked = self._before_no_gradient(score, addresses)
            return blocked | self._slopes(score, [a for a in addresses if a not in blocked])
        dense = [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in slopes]
        return dict(zip(addresses, dense, strict=True))

    def _before_no_gradient(self, score: Any, addresses: Sequence[str]) -> dict[str, str]:
        """Return the addresses before an operation that has no gradient, with the reason."""
        reasons: dict[str, str] = {}
        for address in reversed(addresses):  # the last first: what is before a blocked one is blocked too
            place = self._places[address]
            if place.op.name in reasons:
                continue
            try:
                tf.gradients(score, [place])
            except LookupError as error:
                reasons |= dict.fromkeys(upstream(place), lacks_gradient(error))
        names = {address: self._places[address].op.name for address in addresses}
        return {address: reasons[name] for address, name in names.items() if name in reasons}

    def with_variables(self, captured: dict[str, Any]) -> Trace:
        """Return this trace reading other variables."""
        return replace(self, captured=captured, _cuts={}, _scored={})

    def _scores(self, address: str) -> Scored:
        if address not in self._scored:
            tensor = self._tensor_of(address)
            ends = {name for o in self.outputs for name in (o.name, *(t.name for t in o.op.inputs))}
            found = find_logits(tensor) if tensor.name in ends else Logits(tensor)
            with self.graph.as_default():
                self._scored[address] = Scored(tensor, found, found.laid_out())
        return self._scored[address]

    def _tensor_of(self, address: str) -> Any:
        if not address:
            return self.main
        if address.startswith(OUTPUT):
            return self._named_outputs[address[len(OUTPUT) :]]
        return self._places[address]

    def checked_activation(
        self,
        inputs: Inputs,
        known: Mapping[str, np.ndarray],
        score: Score = MAIN,
        edited: str | None = None,
    ) -> str | None:
        """Return the activation between scores and output, once numbers have confirmed it.

        If they do not, the output itself is what gradients explain from then on. Numbers that are
        not finite confirm nothing: the next batch is asked.
        """
        with self._lock:
            scored = self._scores(score.address)
            activation = scored.found.activation
            if activation and not scored.is_confirmed:
                scores, output = self._run(inputs, [scored.logits, scored.tensor], known, edited=edited)
                agrees = confirmed(activation, scores, output, self._axes.get(scored.tensor.name, -1))
                if agrees is False:
                    tensor = scored.tensor
                    scored = self._scored[score.address] = Scored(tensor, Logits(tensor), tensor)
                    self._gradients.clear()
                scored.is_confirmed = agrees is not None
            return scored.found.activation if score.logits else None

    def resume(
        self, inputs: Inputs, address: str, value: np.ndarray, known: Mapping[str, np.ndarray]
    ) -> Reading:
        """Return the outputs as they are with another value in place of one activation.

        Only what lies behind the edited tensor is computed; beside it, what is known is fed.

        Parameters
        ----------
        inputs : Inputs
            The batch.
        address : str
            The tensor that is edited.
        value : (batch, ...) ndarray
            What it holds instead.
        known : mapping of str to ndarray
            Unedited activations of this batch.
        """
        flat = self._run(inputs, self.outputs, {**known, address: value}, edited=address)
        return self._reading({}, flat)

    def _beside(self, known: Mapping[str, np.ndarray], edited: str) -> dict[str, np.ndarray]:
        """Return what is known and does not depend on the tensor that is edited."""
        with self._lock:
            if edited not in self._behind:
                self._behind[edited] = downstream(self.graph, self._places[edited])
            behind = self._behind[edited]
        placed = {a: v for a, v in known.items() if a in self._places}
        return {a: v for a, v in placed.items() if a == edited or self._places[a].op.name not in behind}

    def _run(
        self,
        inputs: Inputs,
        fetches: Sequence[Any],
        known: Mapping[str, np.ndarray] = MappingProxyType({}),
        mask: np.ndarray | None = None,
        edited: str | None = None,
    ) -> list[np.ndarray]:
        """Run to `fetches`, starting from what is known of this batch."""
        if not fetches:
            return []
        known = known if edited is None else self._beside(known, edited)
        fed = tuple(address for address in known if address in self._rows or address == edited)
        masks = () if mask is None else (mask,)
        key = fed, tuple(m.ndim for m in masks), tuple(f.name for f in fetches), edited
        # Also where a graph of TensorFlow 1 is the default one: nothing is added to it.
        with context.eager_mode():
            with self._lock:
                if key not in self._cuts:
                    feeds = [*self.inputs, *map(self._places.get, fed), *(self._masks[m.ndim] for m in masks)]
                    self._cuts[key] = self._cut(feeds, fetches, edited)
                    if len(self._cuts) > _MOST_CUTS:
                        del self._cuts[next(iter(self._cuts))]
                run = self._cuts[key]
            return [as_array(t) for t in run([*inputs.arrays, *map(known.__getitem__, fed), *masks])]

    def _cut(self, feeds: Sequence[Any], fetches: Sequence[Any], edited: str | None) -> Cut:
        # What goes into an edited tap keeps its own value: others may read it too.
        fed = {f.name for f in feeds} - {self._places[edited].name if edited else ""}
        aliases = {name: tap for name, tap in self._aliases.items() if tap.name in fed}
        return cut(self.graph, feeds, fetches, aliases, self.captured)
