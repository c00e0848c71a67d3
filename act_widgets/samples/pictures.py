"""Pictures of shapes on textured grounds, 64 × 64 in colour, drawn by code from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

# Three seeds, so that what is trained on, measured and shown are never the same pictures.
TRAINING_SEED, MEASURED_SEED, SHOWN_SEED = 1, 2, 3

_SIDE = 64
# Edges are drawn this many times finer and averaged, so that they are smooth.
_FINER = 4


def draw_pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw pictures; the classes take turns, so the first eight show one shape each.

    Parameters
    ----------
    count : int
        How many pictures.
    seed : int
        Where the random numbers start. Picture ``i`` depends on ``seed`` and ``i`` alone.

    Returns
    -------
    images : (count, 64, 64, 3) float32 ndarray
        Red, green and blue in [0, 1].
    classes : (count,) int64 ndarray
        Positions in `SHAPE_NAMES`.
    """
    classes = np.arange(count) % len(SHAPE_NAMES)
    images = [_picture(SHAPE_NAMES[c], np.random.default_rng([seed, i])) for i, c in enumerate(classes)]
    return np.stack(images), classes


def _picture(shape: str, rng: np.random.Generator) -> np.ndarray:
    texture = _GROUNDS[rng.integers(len(_GROUNDS))](rng)[..., None]
    covered = _mask(shape, rng)[..., None]
    dark, light, ink = _colours(rng)
    ground = dark + (light - dark) * texture
    return (ground + (ink - ground) * covered).astype("float32")


def _colours(rng: np.random.Generator) -> np.ndarray:
    """Return two colours of the ground and one of the shape, unlike every mixture of the two."""
    share = np.linspace(0, 1, 5)[:, None]
    while True:
        one, other, ink = colours = rng.random((3, 3))
        contrast = np.linalg.norm(one + (other - one) * share - ink, axis=1).min()
        if contrast > 0.5 and 0.15 < np.linalg.norm(one - other) < 0.6:
            return colours


# Shapes: polygons inside the unit circle, the first filled and the second, if any, cut out.


def _regular(corners: int, radii: tuple[float, ...] = (1.0,)) -> np.ndarray:
    turn = np.arange(corners) * 2 * np.pi / corners
    radius = np.resize(radii, corners)[:, None]
    return radius * np.stack([np.sin(turn), -np.cos(turn)], axis=1)


def _cross() -> np.ndarray:
    arm = np.array([(0.3, -0.3), (0.3, -0.95), (-0.3, -0.95)])
    quarter = np.array([(0, -1), (1, 0)])
    return np.concatenate([arm @ np.linalg.matrix_power(quarter, k) for k in range(4)])


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    down = -13 * np.cos(t) + 5 * np.cos(2 * t) + 2 * np.cos(3 * t) + np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, down - 2.5], axis=1) / 17


_ROUND = _regular(60)
_SHAPES: dict[str, tuple[np.ndarray, ...]] = {
    "circle": (_ROUND,),
    "ring": (_ROUND, 0.6 * _ROUND),
    "crescent": (_ROUND, 0.85 * _ROUND + (0.5, 0)),
    "heart": (_heart(),),
    "triangle": (_regular(3),),
    "square": (_regular(4),),
    "cross": (_cross(),),
    "star": (_regular(10, (1.0, 0.45)),),
}
SHAPE_NAMES = tuple(_SHAPES)


def _mask(shape: str, rng: np.random.Generator) -> np.ndarray:
    """Return how far the shape, of random size, angle and place, covers each pixel."""
    radius = rng.uniform(14, 27)
    centre = rng.uniform(radius + 1, _SIDE - radius - 1, size=2)
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    canvas = Image.new("L", (_SIDE * _FINER, _SIDE * _FINER))
    for polygon, ink in zip(_SHAPES[shape], (255, 0), strict=False):
        corners = _FINER * (centre + radius * polygon @ turn)
        ImageDraw.Draw(canvas).polygon(corners.ravel().tolist(), fill=ink)
    return np.asarray(canvas.reduce(_FINER), "float64") / 255


# Grounds: how much of the second colour each pixel has.


def _stripes(rng: np.random.Generator) -> np.ndarray:
    return _averaged(_waves(rng)[0] > 0)


def _checks(rng: np.random.Generator) -> np.ndarray:
    across, along = _waves(rng)
    return _averaged((across > 0) != (along > 0))


def _noise(rng: np.random.Generator) -> np.ndarray:
    grains = int(rng.integers(8, 33))
    coarse = Image.fromarray(rng.random((grains, grains), "float32"))
    return np.clip(np.asarray(coarse.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)), 0, 1)


def _gradient(rng: np.random.Generator) -> np.ndarray:
    slope = np.tensordot(rng.standard_normal(2), np.mgrid[:_SIDE, :_SIDE], axes=1)
    return (slope - slope.min()) / np.ptp(slope)


def _waves(rng: np.random.Generator) -> np.ndarray:
    """Return two waves at a right angle, on the finer grid; the period is 6 to 16 pixels."""
    down, right = np.mgrid[: _SIDE * _FINER, : _SIDE * _FINER] / _FINER
    angle, pace = rng.uniform(0, np.pi), 2 * np.pi / rng.uniform(6, 16)
    across = right * np.cos(angle) + down * np.sin(angle)
    along = down * np.cos(angle) - right * np.sin(angle)
    return np.sin(pace * np.stack([across, along]))


def _averaged(fine: np.ndarray) -> np.ndarray:
    return fine.reshape(_SIDE, _FINER, _SIDE, _FINER).mean(axis=(1, 3))


_GROUNDS: tuple[Callable[[np.random.Generator], np.ndarray], ...] = (_stripes, _checks, _noise, _gradient)
