"""Attribution methods: which parts of an input or a layer made a class's score."""

from __future__ import annotations

from .grad_cam import GRAD_CAM
from .method import NO_MAPS, Method, attribute_batch, attribute_sample, default_layer, nearest_spatial
from .result import Attribution

METHODS: dict[str, Method] = {method.name: method for method in (GRAD_CAM,)}

__all__ = [
    "METHODS",
    "NO_MAPS",
    "Attribution",
    "Method",
    "attribute_batch",
    "attribute_sample",
    "default_layer",
    "nearest_spatial",
]
