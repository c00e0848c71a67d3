"""What is explained, in words."""

from __future__ import annotations

from collections.abc import Sequence

from .keys import Head, Target


def class_name(head: Head, labels: Sequence[str] | None, target: int) -> str:
    """Return a class's label, or its number in words; "for" and "against" where there is one unit."""
    if head.units > 1:
        return labels[target] if labels else f"class {target}"
    if labels and len(labels) == 2:
        return labels[target]
    subject = f" {labels[0]}" if labels else ""
    return f"{'for' if target else 'against'}{subject}"


def target_name(head: Head, labels: Sequence[str] | None, target: int | Target) -> str:
    """Return a class, a unit of any output, or a channel of a layer in words."""
    if not isinstance(target, Target):
        return class_name(head, labels, target)
    place = f" at {target.at}" if target.at is not None else ""
    if target.layer is not None:
        return f"channel {target.unit} of '{target.layer}'{place}"
    if target.output is not None:
        return f"unit {target.unit} of output '{target.output}'{place}"
    number = 1 if head.units == 1 else target.unit  # a single unit itself is what speaks for it
    return f"{class_name(head, labels, number)}{place}"
