"""What the names of layers tell of where they belong: words and numbers at the begin and at the end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..model_graph import Node

_TOKENS = re.compile(r"\d+|[^\W\d_]+|[_\W]+")
Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """A call or a block among its siblings.

    `prefix` and `suffix` are what its name begins and ends with; both empty for a name that Keras gave.
    """

    address: str
    kind: str
    prefix: Tokens = ()
    suffix: Tokens = ()


def item_of(node: Node) -> Item:
    """Return a call with what its name tells."""
    tokens = tuple(_TOKENS.findall(node.name))
    stem = "".join(token for token in tokens if token.isalpha()).lower()
    # What Keras or TensorFlow called a layer by its class says nothing of where it belongs.
    if stem == _letters(node.kind) or node.name.startswith("~"):
        return Item(node.address, node.kind)
    suffix = tokens[-1:] if tokens[-1].isdigit() else ()
    return Item(node.address, node.kind, tokens, suffix)


def _letters(kind: str) -> str:
    return "".join(c for c in re.sub(r"V\d+$", "", kind) if c.isalpha()).lower()


def is_index(tokens: Tokens, length: int) -> bool:
    """Whether the first tokens end with a number, or with a number and a letter such as ``2a``."""
    last = tokens[length - 1]
    return last.isdigit() or (
        length > 1 and len(last) == 1 and last.isalpha() and tokens[length - 2].isdigit()
    )


def pattern_of(tokens: Tokens) -> Tokens:
    """Return tokens with a mark in place of each number."""
    return tuple("#" if is_index(tokens, i + 1) else token for i, token in enumerate(tokens))
