"""What attribution costs, beside the gradient that it needs and beside other packages, in one run.

Run it by ``python benchmarks/attribution.py``, with names of models if not all are wanted. Figures are
ratios of medians of calls that take turns: below 1 is faster than what stands behind the slash. The cosine
is that of both results, 1 if they differ by no more than a factor.

The other packages are optional. They ask for versions of their own, so they are put beside the rest::

    pip install --target peers --no-deps tf-keras-vis==0.8.7 xplique==2.0.2 deprecated einops decorator \
        dm-tree cloudpickle tf_keras tensorflow-probability opencv-python-headless \
        scipy scikit-learn joblib threadpoolctl scikit-image \
        matplotlib contourpy cycler fonttools kiwisolver pyparsing
    PEERS=peers python benchmarks/attribution.py
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from reading import medians

import act_widgets as aw
from act_widgets.attribution import METHODS

MODELS = {"MobileNetV2": keras.applications.MobileNetV2, "ResNet50": keras.applications.ResNet50}
SHAPE = (224, 224)
TARGET = 7
# Score-CAM takes a pass for each channel, so layers are compared that have no more.
CHANNELS = 256
SAMPLES, NOISE, MASKS, PATCH = 32, 0.15, 64, 32
PARAMETERS: dict[str, dict[str, Any]] = {
    "smooth_grad": {"samples": SAMPLES, "noise": NOISE},
    "integrated_gradients": {"steps": SAMPLES, "bound": 1e-4},
    "occlusion": {"patch": PATCH, "stride": PATCH, "fill": 0.0},
    "rise": {"masks": MASKS},
}
ROUNDS = {**dict.fromkeys(METHODS, 9), **dict.fromkeys(PARAMETERS, 3), "score_cam": 1}

# What of our result is compared: maps, values, or maps of the input's size.
MAPS, VALUES = attrgetter("maps"), attrgetter("values")


def large(result: aw.Attribution) -> np.ndarray:
    """Return maps of the size of the input."""
    return result.upsampled(SHAPE)


class Peer(NamedTuple):
    """One method of another package, and what of our result its own is compared with."""

    package: str
    call: Callable[[np.ndarray], Any]
    of_ours: Callable[[aw.Attribution], np.ndarray]


def starts(model: Any, layer: str) -> list[Any]:
    """Return a layer's tensor, and those beside it that layers behind it read too."""
    start = model.get_layer(layer).output
    behind, beside = {id(start)}, {}
    for later in model.layers:
        tensors = keras.tree.flatten(later.input)
        if behind & set(map(id, tensors)):
            behind.add(id(later.output))
            beside |= {id(t): t for t in tensors if id(t) not in behind}
    return [start, *beside.values()]


def compiled(model: Any, layer: str, feeds: list[Any], arrays: list[np.ndarray]) -> Callable[[int], Any]:
    """Return a function from a class to a layer's activation, the score, and its gradient at the layer.

    It runs forward from some tensors of the model, whose values are given, and back.
    """
    forward = keras.Function(feeds, [model.get_layer(layer).output, *model.outputs])

    @tf.function
    def run(values: list[Any], unit: Any) -> tuple[Any, ...]:
        with tf.GradientTape() as tape:
            tape.watch(values[0])
            activation, output = forward(values)
            score = output[:, unit]
        return activation, score, tape.gradient(score, activation)

    values = [tf.constant(array) for array in arrays]
    return lambda unit: [tensor.numpy() for tensor in run(values, tf.constant(unit))]


def measure_new_class(name: str, model: Any, image: np.ndarray, layer: str) -> None:
    """Print what a map of a class not asked before costs, the layer's activation being kept."""
    session = aw.Session(model, image)
    units = itertools.cycle(range(model.output_shape[-1]))
    layer_of = {id(made.output): made.name for made in model.layers}
    known = starts(model, layer)
    from_there = compiled(model, layer, known, [session.activation(layer_of[id(t)]) for t in known])
    from_input = compiled(model, layer, model.inputs, [image])
    ours, needed, entire = medians(
        lambda: session.attribution("grad_cam", layer=layer, target=next(units)),
        lambda: from_there(next(units)),
        lambda: from_input(next(units)),
        rounds=15,
    )
    print(f"{name}: Grad-CAM of a new class at {layer} / compiled pass from there {ours / needed:.2f}")
    print(f"{name}: Grad-CAM of a new class at {layer} / compiled pass from the input {ours / entire:.2f}")


def of_tf_keras_vis(model: Any, layer: str) -> dict[str, Peer]:
    """Return tf-keras-vis's call for each method; its maps neither resized nor normalised."""
    importlib.import_module("tf_keras_vis.gradcam")  # first, or its modules import one another in a circle
    makers = {
        "grad_cam": "gradcam.Gradcam",
        "grad_cam_pp": "gradcam_plus_plus.GradcamPlusPlus",
        "layer_cam": "layercam.Layercam",
        "score_cam": "scorecam.Scorecam",
        "saliency": "saliency.Saliency",
    }
    score = importlib.import_module("tf_keras_vis.utils.scores").CategoricalScore(TARGET)
    of_cams = {"penultimate_layer": layer, "seek_penultimate_conv_layer": False}
    of_cams |= {"normalize_cam": False, "expand_cam": False}
    calls = {}
    for method, path in makers.items():
        module, maker = path.split(".")
        explain = getattr(importlib.import_module(f"tf_keras_vis.{module}"), maker)(model, clone=False)
        calls[method] = partial(explain, score, **(of_cams if "cam" in method else {"normalize_map": False}))
    calls["smooth_grad"] = partial(calls["saliency"], smooth_samples=SAMPLES, smooth_noise=NOISE)
    return {method: Peer("tf-keras-vis", call, MAPS) for method, call in calls.items()}


def of_xplique(model: Any, layer: str) -> dict[str, Peer]:
    """Return xplique's call for each method. Its class activation maps are of the input's size."""
    found, gradients = importlib.import_module("xplique.attributions"), {"reducer": None}
    makers = {
        "grad_cam": (found.GradCAM, {"conv_layer": layer}, large),
        "grad_cam_pp": (found.GradCAMPP, {"conv_layer": layer}, large),
        "saliency": (found.Saliency, {}, MAPS),
        "gradient_x_input": (found.GradientInput, gradients, VALUES),
        "smooth_grad": (found.SmoothGrad, {**gradients, "nb_samples": SAMPLES, "noise": NOISE}, VALUES),
        "integrated_gradients": (found.IntegratedGradients, {**gradients, "steps": SAMPLES}, VALUES),
        "guided_backprop": (found.GuidedBackprop, gradients, VALUES),
        "deconvnet": (found.DeconvNet, gradients, VALUES),
        "occlusion": (found.Occlusion, {"patch_size": PATCH, "patch_stride": PATCH}, MAPS),
        "rise": (found.Rise, {"nb_samples": MASKS}, MAPS),
    }
    unit = np.eye(model.output_shape[-1], dtype=np.float32)[[TARGET]]
    return {
        method: Peer("xplique", partial(make(model, **how).explain, targets=unit), of_ours)
        for method, (make, how, of_ours) in makers.items()
    }


def cosine(one: np.ndarray, other: Any) -> float:
    """Return how alike two results are, whatever their size."""
    a, b = one.ravel().astype(float), np.asarray(other).ravel().astype(float)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) or 1))


def measure_method(name: str, model: Any, method: str, layer: str, peers: list[Peer]) -> None:
    """Print the ratios of one method; every call explains another image than the one before it."""
    images = itertools.cycle(np.random.default_rng(0).random((8, 1, *SHAPE, 3), np.float32))
    image = next(images)
    session = aw.Session(model, image)
    given = {"layer": layer if "cam" in method else None, "target": TARGET, **PARAMETERS.get(method, {})}

    def ours(x: np.ndarray, peer: Peer) -> np.ndarray:
        session.inputs = x
        return peer.of_ours(session.attribution(method, **given))

    for peer in peers:
        alone, in_session, theirs = medians(
            lambda: aw.attribute(model, next(images), method, **given),
            lambda p=peer: ours(next(images), p),
            lambda p=peer: np.asarray(p.call(next(images))),
            rounds=ROUNDS[method],
        )
        alike = cosine(ours(image, peer), peer.call(image))
        print(
            f"{name}: {method} / {peer.package} {in_session / theirs:.2f}, "
            f"by aw.attribute {alone / theirs:.2f}; cosine {alike:.4f}"
        )


def measure(name: str) -> None:
    """Print all ratios of one model."""
    keras.utils.set_random_seed(0)
    # Without its softmax: what the others explain is the output, and so it is logits.
    model = MODELS[name](weights=None, classifier_activation=None)
    image = np.random.default_rng(0).random((1, *SHAPE, 3), np.float32)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in (convolutions[-1], convolutions[len(convolutions) * 3 // 4]):
        measure_new_class(name, model, image, layer.name)
    narrow = next(layer.name for layer in reversed(convolutions) if layer.filters <= CHANNELS)
    found = []
    for package in (of_tf_keras_vis, of_xplique):
        try:
            found.append(package(model, narrow))
        except ImportError as error:
            print(f"{name}: not compared {package.__name__.replace('_', ' ')}: {error}")
    for method in METHODS:
        measure_method(name, model, method, narrow, [peers[method] for peers in found if method in peers])


if __name__ == "__main__":
    keras.utils.disable_interactive_logging()
    warnings.simplefilter("ignore")  # about how the others call the model
    sys.path.append(os.environ.get("PEERS", ""))
    for chosen in sys.argv[1:] or MODELS:
        measure(chosen)
