"""Checks of what is read: addresses, values, parts of it, the graph."""

from __future__ import annotations

from ..keys import resolve
from ..sources import Source
from ..sources.inputs import Inputs
from .comparing import agree, half_precision, require, same_outputs, spread


def every_address_names_one_tensor(source: Source, inputs: Inputs) -> float:
    """Addresses are unique, resolve to themselves and describe their values."""
    reading = source.forward(inputs)
    require(bool(reading.taps), "there is nothing to read")
    known = tuple(reading.taps)
    for address, tap in reading.taps.items():
        value = reading.values[address]
        require(resolve(address, known) == address == tap.address, f"'{address}' names something else")
        require(value.ndim == len(tap.shape), f"'{address}' has shape {value.shape}, stated {tap.shape}")
        pairs = zip(value.shape[1:], tap.shape[1:], strict=True)
        require(
            all(b in (None, a) for a, b in pairs), f"'{address}' has shape {value.shape}, stated {tap.shape}"
        )
    hidden = [address for address, reason in reading.unreachable.items() if address in known or not reason]
    require(not hidden, f"{hidden} are listed as unreachable without a reason, or although they are read")
    return 0.0


def reading_again_gives_the_same(source: Source, inputs: Inputs) -> float:
    """A first look and a look after the model was traced agree in list, values and outputs."""
    source.forget()
    first = source.forward(inputs)
    source.explained(inputs)
    second = source.forward(inputs)
    lists = [sorted(first.taps), sorted(second.taps)]
    require(lists[0] == lists[1], f"the first look finds {lists[0]}, the traced model {lists[1]}")
    for address, tap in first.taps.items():
        other = second.taps[address]
        require(
            (tap.kind, tap.dtype, tap.channel_axis, tap.call)
            == (other.kind, other.dtype, other.channel_axis, other.call),
            f"the first look finds {tap}, the traced model {other}",
        )
    differences = [agree(second.values[a], v, a, half_precision(first)) for a, v in first.values.items()]
    return max([*differences, same_outputs(second.outputs, first.outputs, half_precision(first))])


def only_what_is_wanted_is_given(source: Source, inputs: Inputs) -> float:
    """A question for some tensors gives these, with their values."""
    whole = source.forward(inputs)
    wanted = spread(whole.values)[::2]
    part = source.forward(inputs, wanted)
    require(list(part.values) == wanted, f"asked for {wanted}, given {list(part.values)}")
    return max(agree(part.values[a], whole.values[a], a, half_precision(whole)) for a in wanted)


def a_sample_looks_the_same_alone(source: Source, inputs: Inputs) -> float:
    """The first sample alone has the values that it has in the batch."""
    if source.is_indivisible or inputs.size == 1:
        return 0.0
    whole, alone = source.forward(inputs), source.forward(inputs.rows(0, 1))
    rows = {a: v[:1] for a, v in whole.values.items() if v.shape[:1] == (inputs.size,)}
    fit = {a: v for a, v in rows.items() if a in alone.values and alone.values[a].shape == v.shape}
    return max((agree(alone.values[a], v, a, half_precision(whole)) for a, v in fit.items()), default=0.0)


def the_graph_is_one(source: Source, inputs: Inputs) -> float:
    """Nodes are unique, edges join nodes and lead nowhere in a circle, every call that is read is there."""
    graph, reading = source.graph(inputs), source.forward(inputs)
    nodes = [node.address for node in graph.nodes]
    require(len(set(nodes)) == len(nodes), "two nodes have one address")
    loose = [edge for edge in graph.edges if edge.source not in nodes or edge.target not in nodes]
    require(not loose, f"edges without a node: {loose}")
    missing = {tap.call for tap in reading.taps.values()} - set(nodes)
    require(not missing, f"calls without a node: {sorted(missing)}")
    waiting = {node: {e.source for e in graph.edges if e.target == node} for node in nodes}
    while free := [node for node, before in waiting.items() if not before & waiting.keys()]:
        for node in free:
            del waiting[node]
    require(not waiting, f"edges in a circle among {sorted(waiting)}")
    return 0.0


def a_call_takes_what_its_inner_calls_take(source: Source, inputs: Inputs) -> float:
    """A call takes at least the time and the FLOPs of the calls inside it, and the model those of all."""
    timed, counted = source.timed(inputs), source.flops(inputs)
    unexplained = [a for a, reason in counted.missing.items() if a in counted.flops or not reason]
    require(not unexplained, f"{unexplained} are not counted without a reason, or although they are")
    for numbers, whole in ((timed.seconds, timed.whole), (counted.flops, counted.total)):
        inner: dict[str, float] = {}
        for node in source.graph(inputs).nodes:
            inner[node.parent] = inner.get(node.parent, 0.0) + numbers.get(node.address, 0.0)
        limits = numbers if whole is None else {**numbers, "": whole}
        over = [a for a, taken in inner.items() if a in limits and taken > limits[a] * (1 + 1e-9)]
        require(not over, f"the calls inside {over} take more than they do")
    return 0.0
