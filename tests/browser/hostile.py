"""A model whose every name is hostile: with HTML, without end, with emoji, from right to left."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

import act_widgets as aw

MODEL = "<u>model " + "M" * 290
LAYERS = (
    "<img src=x onerror=hostile()>",
    "<b>" + "W" * 297,
    "\u202eשכבה ראשונה 🐈‍⬛",
    "🐈" * 150,
)
LABELS = (
    "</script><script>hostile()</script>",
    "<img src=x onerror=hostile()>",
    "L" * 300,
    "\u202eדוגמה של שם 🐈",
    " ".join(["many words"] * 27),
    '"quoted" & <b>',
)
# What would be there if a name had become more than text.
INJECTED = "img[src=x], u, b, [onerror]"
# What holds more than it has room for. Charts, which hold no names, reach unseen beyond their frames.
TOO_WIDE = """all => {
  for (const chart of document.querySelectorAll(".bqplot")) chart.style.display = "none";
  return all.filter(e => e.scrollWidth > e.clientWidth).map(e => `${e.className} ${e.id}`);
}"""


def opened() -> aw.Explorer:
    """Open an explorer on a model whose every name is hostile."""
    given = keras.Input((8, 8, 3), name="<i>image")
    y = given
    for name in LAYERS:
        y = layers.Conv2D(4, 3, padding="same", activation="relu", name=name)(y)
    inner = keras.Model(given, y, name="<b>inner " + "I" * 200)
    y = layers.GlobalAveragePooling2D(name='"quoted" & <b>')(inner(given))
    model = keras.Model(given, layers.Dense(len(LABELS), "softmax", name="head")(y), name=MODEL)
    images = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
    return aw.explore(model, images, labels=LABELS, layer=f"{inner.name}/{LAYERS[1]}")
