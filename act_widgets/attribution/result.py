"""An attribution: the maps, and what they are maps of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import InputError, LayerKindError

# Below this share of what its channels add up to, a map is rounding noise.
_NOISE = 1e-6


@dataclass(frozen=True)
class Attribution:
    """Maps that say where a class's score comes from.

    Attributes
    ----------
    maps : (batch, height, width) float32
        Raw, not normalised, on the grid of the layer.
    values : (batch, height, width, channels) float32
        Each channel's share, before channels are added up.
    method, layer : str
        Name of the method and address of the layer.
    target : int or tuple of int
        The class explained; one for each sample if none was asked for.
    scores : str
        Which scores were explained: ``"logits"`` or ``"probabilities"``.
    connected : bool
        Whether the score depends on the layer at all.
    moved : (batch,) float32
        Largest gradient of each sample's score with respect to the layer.
    signed : bool
        Whether maps have values of both signs.
    """

    maps: np.ndarray
    values: np.ndarray
    method: str
    layer: str
    target: int | tuple[int, ...]
    scores: str
    connected: bool
    moved: np.ndarray
    signed: bool = False

    def upsampled(self, shape: Sequence[int]) -> np.ndarray:
        """Return the maps of height and width `shape`, interpolated bilinearly.

        Returns
        -------
        (batch, height, width) float32
        """
        height, width = shape
        if self.maps.ndim != 3:
            raise LayerKindError(
                "Only maps with two spatial axes can be resized. "
                f"Received: maps of shape {self.maps.shape} at '{self.layer}'. "
                "Expected: (batch, height, width)."
            )
        pictures = (Image.fromarray(np.ascontiguousarray(m, np.float32)) for m in self.maps)
        return np.stack([np.asarray(p.resize((width, height), Image.Resampling.BILINEAR)) for p in pictures])

    def blank_reason(self, sample: int) -> str | None:
        """Return why a sample's map shows nothing, as measured, or None if it shows something.

        Raises
        ------
        InputError
            If there is no such sample.
        """
        if not 0 <= sample < len(self.maps):
            raise InputError(
                f"No sample {sample}: there are {len(self.maps)} maps. Received: sample={sample}. "
                f"Expected: 0 to {len(self.maps) - 1}."
            )
        values, chart = self.values[sample], self.maps[sample]
        total = values.sum(-1)
        # In the order in which one makes the next meaningless.
        reasons = (
            (
                not np.isfinite(values).all(),
                f"'{self.layer}' or its gradient holds NaN or infinite values.",
            ),
            (
                not self.connected,
                f"The score does not depend on '{self.layer}': no gradient arrives there.",
            ),
            (
                self.moved[sample] == 0,
                f"The gradient at '{self.layer}' is exactly zero everywhere: "
                "units behind it are off, or the score is saturated.",
            ),
            (
                not values.any(),
                f"Every activation of '{self.layer}' with a weight in the score is 0 for this sample.",
            ),
            (
                chart.size == 1,
                f"'{self.layer}' has a single position, so its map has no places to compare.",
            ),
            (
                chart.max(initial=0) <= _NOISE * np.abs(values).sum(-1).max(initial=0),
                f"Every place at '{self.layer}' speaks against this class (from {total.min():.3g} to "
                f"{total.max():.3g}), and Grad-CAM keeps only what speaks for it.",
            ),
        )
        return next((words for holds, words in reasons if holds), None)
