"""Which family a layer belongs to, and the family's colour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Layers that share a colour.

    Attributes
    ----------
    name : str
        What the legend says.
    fill : str
        Colour of the boxes as ``#rrggbb``.
    fragments : tuple of str
        A layer belongs here if its class name, in small letters, contains one of them.
    """

    name: str
    fill: str
    fragments: tuple[str, ...] = ()

    @property
    def ink(self) -> str:
        """Black or white, whichever reads better on the fill."""
        return readable_ink(self.fill)


# From Paul Tol's "bright" and "muted" sets, and greys: told apart with any of the common colour-blindnesses.
# The first family that fits wins, so the order matters: "MultiHeadAttention" before "Add",
# "ZeroPadding2D" and "GlobalAveragePooling2D" before "Activation" and the like.
FAMILIES = (
    Family("input", "#505050", ("input", "placeholder")),
    Family("recurrent, attention", "#66ccee", ("lstm", "gru", "rnn", "attention", "bidirectional")),
    Family("pooling", "#117733", ("pool",)),
    Family("normalisation", "#bbccee", ("normalization", "rescaling", "unitnorm", "standardiz")),
    Family("convolution", "#4477aa", ("conv",)),
    Family("dense", "#aa3377", ("dense", "embedding", "einsum", "matmul")),
    Family(
        "activation",
        "#ccbb44",
        ("relu", "activation", "softmax", "sigmoid", "swish", "silu", "gelu", "elu", "tanh"),
    ),
    Family(
        "merge",
        "#ee6677",
        ("add", "concat", "multiply", "subtract", "average", "maximum", "minimum", "dot"),
    ),
    Family(
        "shape",
        "#bbbbbb",
        ("flatten", "reshape", "permute", "padding", "crop", "upsampling", "resizing", "repeat", "transpose"),
    ),
)
OTHER = Family("other", "#dddddd")
GROUP = Family("group of layers", "#eee3c8")

_PADDING = "padding"
_FOLDED = frozenset({"normalisation", "activation"})


def family(kind: str) -> Family:
    """Return the family of the layers of class `kind`."""
    lowered = kind.lower()
    if _PADDING in lowered:
        return FAMILIES[-1]
    return next((f for f in FAMILIES if any(part in lowered for part in f.fragments)), OTHER)


def is_minor(kind: str) -> bool:
    """Whether a layer of class `kind` may be drawn as a thin row under the layer before it."""
    lowered = kind.lower()
    return _PADDING in lowered or "dropout" in lowered or family(kind).name in _FOLDED


def readable_ink(fill: str) -> str:
    """Return black or white, whichever reads better on a colour."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, fill))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours ``#rrggbb`` as WCAG 2 defines it, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
