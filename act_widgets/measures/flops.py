"""Floating-point operations."""

from __future__ import annotations

from .measure import GIVEN, Asked, Measure, Measured, at_once, is_given

_NOT_FOUND = "it is in no graph whose operations could be counted"


def _measured(asked: Asked) -> Measured:
    reader = asked.reader
    batch = reader.blocks.alone(0).batch
    counted = reader.source.flops(batch)
    values: dict[str, float] = {}
    missing: dict[str, str] = {}
    for node in asked.graph.nodes:
        if node.address in counted.flops:
            values[node.address] = counted.flops[node.address]
        else:
            other = GIVEN if is_given(reader, node) else _NOT_FOUND
            missing[node.address] = counted.missing.get(node.address, other)
    samples = f"a batch of {batch.size}" if batch.size > 1 else "one sample"
    words = (
        f"Floating-point operations for {samples}, as TensorFlow counts them: a product and a sum are two. "
        f"{counted.remark}"
    )
    return Measured("flops", values, counted.total, words.strip(), missing)


FLOPS = Measure(
    "flops",
    "FLOPs",
    "FLOPs",
    "Floating-point operations of the call, inner calls included, as TensorFlow's own counter has them.",
    at_once(_measured),
    is_kept=True,
)
