"""Methods of one backward pass to the input: saliency, gradient x input, and two rules for ReLUs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ..errors import ModelError
from .method import INPUT, Method, Step
from .question import Question


def saliency(question: Question) -> Iterator[Step]:
    """Return the gradient of the score; the map is its largest absolute value over the channels.

    References
    ----------
    Simonyan et al. 2014, "Deep Inside Convolutional Networks: Visualising Image Classification Models and
    Saliency Maps", section 3.1.
    """
    yield Step(question.gradient())


def gradient_x_input(question: Question) -> Iterator[Step]:
    """Return the gradient times what it is taken at; the map is the sum over the channels.

    References
    ----------
    Shrikumar et al. 2016, "Not Just a Black Box: Learning Important Features Through Propagating Activation
    Differences", section 2.
    """
    yield Step(question.gradient() * question.value)


def ruled(rule: str, question: Question) -> Iterator[Step]:
    """Return the gradient with another rule for ReLUs.

    Guided backpropagation passes a gradient where it is positive and the ReLU is in its linear part; the
    upper gate of a ReLU6 counts as one. The deconvnet passes it where it is positive, whatever went into
    the ReLU.

    References
    ----------
    Springenberg et al. 2015, "Striving for Simplicity: The All Convolutional Net", section 3.4.
    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 2.1.
    """
    if question.inner_gates:
        raise ModelError(
            "The model has ReLUs where no other rule reaches them. Received: some inside a branch, loop or "
            "compiled function, computed anew on the way back, or differentiated by the model itself. "
            "Expected: ReLUs in layers, or a method that takes the gradient as it is, such as 'saliency'."
        )
    gates = question.gates
    facts: dict[str, Any] = {}
    if not gates:
        facts["remark"] = "The model has no ReLU that the rule could change: this is the plain gradient."
    yield Step(question.gradient(rule), facts=facts)


SALIENCY = Method("saliency", "Saliency", saliency, INPUT, "largest")
GRADIENT_X_INPUT = Method("gradient_x_input", "Gradient × input", gradient_x_input, INPUT, "sum", signed=True)
GUIDED_BACKPROP = Method(
    "guided_backprop", "Guided backprop", partial(ruled, "guided"), INPUT, "largest", rule="guided"
)
DECONVNET = Method("deconvnet", "Deconvnet", partial(ruled, "deconvnet"), INPUT, "largest", rule="deconvnet")
