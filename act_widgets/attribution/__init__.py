"""Attribution methods: which parts of an input or a layer made a score."""

from __future__ import annotations

from .attribute import (
    NO_MAPS,
    Estimate,
    Partial,
    attribute_batch,
    attribute_sample,
    estimate,
    question_of,
    top_classes,
)
from .cam import GRAD_CAM, GRAD_CAM_PP, LAYER_CAM
from .gradients import DECONVNET, GRADIENT_X_INPUT, GUIDED_BACKPROP, SALIENCY
from .integrated_gradients import INTEGRATED_GRADIENTS
from .method import LAYER, Method, Parameter
from .occlusion import OCCLUSION
from .places import nearest_spatial, shown_first
from .result import Attribution
from .rise import RISE
from .score_cam import SCORE_CAM
from .smooth_grad import SMOOTH_GRAD

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        GRAD_CAM,
        GRAD_CAM_PP,
        LAYER_CAM,
        SCORE_CAM,
        SALIENCY,
        GRADIENT_X_INPUT,
        SMOOTH_GRAD,
        INTEGRATED_GRADIENTS,
        GUIDED_BACKPROP,
        DECONVNET,
        OCCLUSION,
        RISE,
    )
}

__all__ = [
    "LAYER",
    "METHODS",
    "NO_MAPS",
    "Attribution",
    "Estimate",
    "Method",
    "Parameter",
    "Partial",
    "attribute_batch",
    "attribute_sample",
    "estimate",
    "nearest_spatial",
    "question_of",
    "shown_first",
    "top_classes",
]
