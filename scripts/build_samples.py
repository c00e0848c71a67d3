"""Train the sample models anew and write their weights into the package.

Run ``python scripts/build_samples.py``, or with ``digits`` or ``shapes`` for one of them. It takes a
few minutes on a processor. Seeds are fixed, but different machines add in different orders, so the
weights come out a little different on each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from act_widgets.samples.architectures import digits_cnn, shapes_cnn
from act_widgets.samples.data import held_out_digits, training_digits
from act_widgets.samples.pictures import MEASURED_SEED, TRAINING_SEED, draw_pictures
from act_widgets.samples.weights import save_weights

FOLDER = Path(__file__).resolve().parent.parent / "act_widgets" / "samples"
BATCH = 32


def main() -> None:
    """Train what the command line names, both if it names nothing."""
    builders = {"digits": build_digits, "shapes": build_shapes}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=" or ".join(builders), default=list(builders))
    names = parser.parse_args().names
    if unknown := set(names) - set(builders):
        parser.error(f"no sample is called {', '.join(sorted(unknown))}; there are {', '.join(builders)}")
    for name in names:
        builders[name]()


def build_digits() -> None:
    """Train ``digits_cnn``, moving, turning and zooming the digits a little anew in every epoch."""
    keras.utils.set_random_seed(1)
    moved = keras.Sequential(
        [
            keras.layers.RandomTranslation(0.06, 0.06, fill_mode="constant"),
            keras.layers.RandomRotation(0.02, fill_mode="constant"),
            keras.layers.RandomZoom(0.05, fill_mode="constant"),
        ]
    )
    model = digits_cnn()
    train(model, *training_digits(), lambda images: np.asarray(moved(images, training=True)), epochs=20)
    report(model, *held_out_digits())


def build_shapes() -> None:
    """Train ``shapes_cnn``, flipping the pictures and swapping their colours anew in every epoch."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(TRAINING_SEED)

    def turned(images: np.ndarray) -> np.ndarray:
        turns, colours = rng.integers(4, size=len(images)), rng.random((len(images), 3)).argsort(axis=1)
        return np.stack([np.rot90(i, k)[..., c] for i, k, c in zip(images, turns, colours, strict=True)])

    model = shapes_cnn()
    train(model, *draw_pictures(8000, TRAINING_SEED), turned, epochs=8)
    report(model, *draw_pictures(800, MEASURED_SEED))


def train(
    model: keras.Model,
    images: np.ndarray,
    classes: np.ndarray,
    varied: Callable[[np.ndarray], np.ndarray],
    epochs: int,
) -> None:
    """Fit `model` with `varied` images in every epoch, the steps shrinking to nothing."""
    steps = epochs * -(-len(images) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-3)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    for epoch in range(epochs):
        history = model.fit(varied(images), classes, batch_size=BATCH, verbose=0).history
        print(f"{model.name} epoch {epoch + 1}/{epochs}: {history['accuracy'][0]:.4f} right in training")


def report(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> None:
    """Write the weights, and print their size and the accuracy on pictures not trained on."""
    right = np.mean(model.predict(images, verbose=0).argmax(axis=1) == classes)
    path = save_weights(model, FOLDER)
    size = path.stat().st_size
    print(f"{model.name}: {right:.2%} of {len(images)} held-out pictures right, {size:,} bytes")


if __name__ == "__main__":
    main()
