"""One small model around each layer class of Keras, so that all of them can be read.

In every model the layer is called "layer". Real numbers come to it through a tanh, "before", and go from
it into a Dense, "head"; several inputs are made by a Dense each, "part_0" and so on.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from .zoo import Pair, batch, shaken, tokens

SIZES = (6, 5, 4)
IMAGE = (8, 8, 3)
WORDS = ("cat", "dog", "bird", "fish")

_public = (getattr(layers, name) for name in dir(layers))
CLASSES: dict[str, type] = {
    c.__name__: c for c in _public if isinstance(c, type) and issubclass(c, keras.Layer)
}


def sentences(*shape: int, words: int = 1, seed: int = 0) -> np.ndarray:
    """Return text of known words and an unknown one."""
    picked = np.random.default_rng(seed).choice([*WORDS, "stone"], size=(*shape, words))
    return np.apply_along_axis(" ".join, -1, picked.astype(object)).astype(object)


def _flat(tensor: Any) -> type:
    """Return the class of the layer that leaves one axis."""
    if getattr(tensor, "_keras_mask", None) is not None:
        return layers.GlobalAveragePooling1D  # the others drop the mask, and warn
    # RandomCrop states the size that it has in training.
    return layers.GlobalAveragePooling2D if len(tensor.shape) == 4 else layers.Flatten


def closed(inputs: Any, outputs: Any, data: Any) -> Pair:
    """Put a head behind the outputs that are real numbers, and return the model and its batch."""
    ends = []
    for index, leaf in enumerate(keras.tree.flatten(outputs)):
        if keras.backend.is_float_dtype(leaf.dtype):
            ends.append(_flat(leaf)(name=f"flat_{index}")(leaf))
    if ends:
        joined = ends[0] if len(ends) == 1 else layers.Concatenate(name="joined")(ends)
        outputs = layers.Dense(3, name="head")(joined)
    return shaken(keras.Model(inputs, outputs)), data


def on_numbers(make: Callable[[], Any], shape: Sequence[int], data: Any = None) -> Pair:
    x = keras.Input(shape, name="input")
    y = make()(layers.Activation("tanh", name="before")(x))
    return closed(x, y, batch(3, *shape) if data is None else data)


def on_data(make: Callable[[], Any], data: np.ndarray) -> Pair:
    """Build around a layer that takes text or whole numbers as they come."""
    dtype = "string" if data.dtype == object else data.dtype.name
    x = keras.Input(data.shape[1:], dtype=dtype, name="input")
    return closed(x, make()(x), data)


def on_parts(make: Callable[[], Any], shape: Sequence[int], call: Callable, count: int = 2) -> Pair:
    """Build around a layer that takes several inputs; `call` hands them over."""
    x = keras.Input(shape, name="input")
    before = layers.Activation("tanh", name="before")(x)
    parts = [layers.Dense(4, name=f"part_{index}")(before) for index in range(count)]
    return closed(x, call(make(), *parts), batch(3, *shape))


def _spatial() -> dict[str, tuple[tuple, dict]]:
    found: dict[str, tuple[tuple, dict]] = {}
    for rank in (1, 2, 3):
        shape = (*SIZES[:rank], 2)
        options = {
            "Conv{}D": {"filters": 3, "kernel_size": 2},
            "Conv{}DTranspose": {"filters": 3, "kernel_size": 2, "strides": 2},
            "DepthwiseConv{}D": {"kernel_size": 2, "depth_multiplier": 2},
            "SeparableConv{}D": {"filters": 3, "kernel_size": 2},
            "AveragePooling{}D": {"pool_size": 2},
            "MaxPooling{}D": {"pool_size": 2},
            "AdaptiveAveragePooling{}D": {"output_size": 2},
            "AdaptiveMaxPooling{}D": {"output_size": 2},
            "GlobalAveragePooling{}D": {},
            "GlobalMaxPooling{}D": {},
            "Cropping{}D": {"cropping": 1},
            "ZeroPadding{}D": {"padding": 1},
            "UpSampling{}D": {"size": 2},
            "SpatialDropout{}D": {"rate": 0.5},
        }
        found |= {name.format(rank): (shape, given) for name, given in options.items()}
        found[f"ConvLSTM{rank}D"] = ((3, *shape), {"filters": 2, "kernel_size": 2})
    del found["DepthwiseConv3D"], found["SeparableConv3D"]  # there are none in Keras
    return found


# Class: shape of a sample, and what the layer is made with.
ON_NUMBERS: dict[str, tuple[tuple, dict]] = _spatial() | {
    "Activation": ((4,), {"activation": "gelu"}),
    "ActivityRegularization": ((4,), {"l2": 0.1}),
    "AlphaDropout": ((4,), {"rate": 0.5}),
    "BatchNormalization": ((6, 2), {}),
    "Dense": ((4,), {"units": 5, "activation": "relu"}),
    "Discretization": ((4,), {"bin_boundaries": [-0.5, 0.0, 0.5]}),
    "Dropout": ((4,), {"rate": 0.5}),
    "ELU": ((4,), {}),
    "EinsumDense": ((6, 4), {"equation": "abc,cd->abd", "output_shape": (6, 3), "bias_axes": "d"}),
    "Flatten": ((6, 2), {}),
    "GRU": ((5, 3), {"units": 4, "return_sequences": True, "return_state": True}),
    "GaussianDropout": ((4,), {"rate": 0.5}),
    "GaussianNoise": ((4,), {"stddev": 0.5}),
    "GroupNormalization": ((6, 4), {"groups": 2}),
    "Identity": ((4,), {}),
    "LSTM": ((5, 3), {"units": 4, "return_sequences": True, "return_state": True}),
    "Lambda": ((4,), {"function": lambda x: tf.abs(x) * 2}),
    "LayerNormalization": ((6, 4), {}),
    "LeakyReLU": ((4,), {}),
    "MelSpectrogram": (
        (64,),
        {"fft_length": 16, "sequence_stride": 8, "sampling_rate": 160, "num_mel_bins": 4, "min_freq": 1},
    ),
    "Normalization": ((4,), {"mean": [0.1, 0.2, 0.3, 0.4], "variance": [1.0, 2.0, 3.0, 4.0]}),
    "PReLU": ((6, 4), {"shared_axes": [1]}),
    "Permute": ((6, 4), {"dims": (2, 1)}),
    "RMSNormalization": ((6, 4), {}),
    "ReLU": ((4,), {"negative_slope": 0.1, "max_value": 0.5}),
    "RepeatVector": ((4,), {"n": 3}),
    "Rescaling": ((4,), {"scale": 0.5, "offset": 0.1}),
    "Reshape": ((6, 2), {"target_shape": (3, 4)}),
    "STFTSpectrogram": ((64, 1), {"frame_length": 16, "frame_step": 8}),
    "SimpleRNN": ((5, 3), {"units": 4, "return_sequences": True, "return_state": True}),
    "Softmax": ((4,), {}),
    "UnitNormalization": ((4,), {}),
}

ON_IMAGES: dict[str, dict] = {
    "CenterCrop": {"height": 5, "width": 4},
    "CutMix": {},
    "MixUp": {},
    "RandomCrop": {"height": 5, "width": 4},
    "RandomFlip": {},
    "RandomGrayscale": {},
    "RandomPerspective": {},
    "RandomRotation": {"factor": 0.2},
    "RandomShear": {"x_factor": 0.3},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomZoom": {"height_factor": 0.3},
    "Resizing": {"height": 5, "width": 4},
} | {
    name: {"value_range": (0, 1), **options}
    for name, options in {
        "AugMix": {},
        "AutoContrast": {},
        "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (2, 2)},
        "RandAugment": {},
        "RandomBrightness": {"factor": 0.5},
        "RandomColorDegeneration": {"factor": 0.5},
        "RandomColorJitter": {"brightness_factor": 0.5, "hue_factor": 0.5},
        "RandomContrast": {"factor": 0.5},
        "RandomElasticTransform": {},
        "RandomErasing": {},
        "RandomGaussianBlur": {},
        "RandomHue": {"factor": 0.5},
        "RandomInvert": {},
        "RandomPosterization": {"factor": 4},
        "RandomSaturation": {"factor": 0.5},
        "RandomSharpness": {"factor": 0.5},
        "Solarization": {"threshold_factor": 0.5},
    }.items()
}

_TABLE = {"input_dim": 9, "output_dim": 4}
ON_DATA: dict[str, tuple[np.ndarray, dict]] = {
    "CategoryEncoding": (tokens(3, 5), {"num_tokens": 9}),
    "Embedding": (
        np.array([[1, 2, 3, 0], [4, 5, 0, 0], [6, 7, 8, 1]], "int32"),
        {**_TABLE, "mask_zero": True},
    ),
    "Hashing": (sentences(3, 4), {"num_bins": 7}),
    "IntegerLookup": (tokens(3, 5), {"vocabulary": [1, 2, 3, 4], "output_mode": "count"}),
    "ReversibleEmbedding": (tokens(3, 5), _TABLE),
    "StringLookup": (sentences(3, 4), {"vocabulary": WORDS}),
    "TextVectorization": (sentences(3, words=4), {"vocabulary": WORDS, "output_sequence_length": 5}),
}


def _in_a_list(layer: Any, *parts: Any) -> Any:
    return layer(list(parts))


def _one_by_one(layer: Any, *parts: Any) -> Any:
    return layer(*parts)


def _with_states(layer: Any, x: Any, *states: Any) -> Any:
    return layer(x, list(states))


# Class: shape of a sample, what the layer is made with, how it takes its inputs, and how many.
ON_PARTS: dict[str, tuple[tuple, dict, Callable, int]] = {
    **{
        name: ((4,), {}, _in_a_list, 3)
        for name in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply")
    },
    "AdditiveAttention": ((6, 3), {}, _in_a_list, 3),
    "Attention": ((6, 3), {"use_scale": True}, _in_a_list, 3),
    "Dot": ((6, 3), {"axes": 2}, _in_a_list, 2),
    "GRUCell": ((3,), {"units": 4}, _with_states, 2),
    "GroupedQueryAttention": (
        (6, 3),
        {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
        _one_by_one,
        3,
    ),
    "LSTMCell": ((3,), {"units": 4}, _with_states, 3),
    "MultiHeadAttention": ((6, 3), {"num_heads": 2, "key_dim": 3}, _one_by_one, 3),
    "SimpleRNNCell": ((3,), {"units": 4}, _with_states, 2),
    "Subtract": ((4,), {}, _in_a_list, 2),
}


def input_layer() -> Pair:
    x = keras.Input((4,), name="layer")
    return closed(x, layers.Activation("tanh", name="behind")(x), batch(3, 4))


def masking() -> Pair:
    steps = batch(3, 5, 3)
    steps[0, 3:] = steps[1, 1:] = 0
    return on_numbers(lambda: layers.Masking(name="layer"), (5, 3), steps)


class Equalizing(keras.Model):
    """A subclassed model, for Equalization gives a Functional one its own input as output: a cycle."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.before = layers.Activation("tanh", name="before")
        self.layer = layers.Equalization((0, 1), bins=16, name="layer")
        self.flat = layers.Flatten(name="flat_0")
        self.head = layers.Dense(3, name="head")

    def call(self, x: Any, training: bool = False) -> Any:
        return self.head(self.flat(self.layer(self.before(x), training=training)))


def equalization() -> Pair:
    model, pictures = Equalizing(name="equalizing"), np.abs(batch(3, *IMAGE))
    model(pictures)
    return shaken(model), pictures


def hashed_crossing() -> Pair:
    texts, numbers = sentences(3, 1), tokens(3, 1)
    x = [keras.Input((1,), dtype="string", name="text"), keras.Input((1,), dtype="int32", name="number")]
    return closed(x, layers.HashedCrossing(7, name="layer")(tuple(x)), [texts, numbers])


def max_number_of_boxes() -> Pair:
    image, boxes = keras.Input(IMAGE, name="image"), keras.Input((3, 4), name="boxes")
    labels = keras.Input((3,), dtype="int32", name="labels")
    data = {
        "images": layers.Activation("tanh", name="before")(image),
        "bounding_boxes": {"boxes": boxes, "labels": labels},
    }
    y = layers.MaxNumBoundingBoxes(2, bounding_box_format="xyxy", name="layer")(data)
    corners = np.sort(np.random.default_rng(0).integers(0, 8, (3, 3, 2, 2)), axis=2)
    given = [batch(3, *IMAGE), corners.reshape(3, 3, 4).astype("float32"), tokens(3, 3)]
    return closed([image, boxes, labels], y, given)


def stacked_cells() -> Pair:
    cells = [layers.LSTMCell(4, name="lower"), layers.GRUCell(4, name="upper")]
    stack = layers.StackedRNNCells(cells, name="layer")
    return on_parts(lambda: stack, (3,), lambda layer, x, h, c, g: layer(x, [[h, c], [g]]), count=4)


class Saved(tf.Module):
    """What is stored as a SavedModel."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(batch(4, 5))

    @tf.function(input_signature=[tf.TensorSpec((None, 4))])
    def serve(self, x: Any) -> Any:
        return tf.nn.relu(x @ self.kernel)


def saved_model() -> Pair:
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(Saved(), folder)
        return on_numbers(lambda: layers.TFSMLayer(folder, name="layer"), (4,))


def jax_function() -> Pair:
    def function(params: Any, inputs: Any) -> Any:
        return abs(inputs @ params["kernel"])

    return on_numbers(lambda: layers.JaxLayer(function, params={"kernel": batch(4, 5)}, name="layer"), (4,))


def flax_module() -> Pair:
    from flax import linen

    return on_numbers(lambda: layers.FlaxLayer(linen.Dense(5), name="layer"), (4,))


def _around(make: Callable[[], Any], *shape: int) -> Callable[[], Pair]:
    return partial(on_numbers, make, shape)


ALONE: dict[str, Callable[[], Pair]] = {
    "Bidirectional": _around(
        lambda: layers.Bidirectional(layers.GRU(2, return_sequences=True, name="gru"), name="layer"), 5, 3
    ),
    "Equalization": equalization,
    "FlaxLayer": flax_module,
    "HashedCrossing": hashed_crossing,
    "InputLayer": input_layer,
    "JaxLayer": jax_function,
    "Masking": masking,
    "MaxNumBoundingBoxes": max_number_of_boxes,
    "Pipeline": _around(
        lambda: layers.Pipeline(
            [layers.Rescaling(2.0, name="twice"), layers.CenterCrop(5, 4, name="crop")], name="layer"
        ),
        *IMAGE,
    ),
    "RNN": _around(
        lambda: layers.RNN(layers.LSTMCell(4, name="cell"), return_sequences=True, name="layer"), 5, 3
    ),
    "SpectralNormalization": _around(
        lambda: layers.SpectralNormalization(layers.Conv2D(2, 3, name="conv"), name="layer"), *IMAGE
    ),
    "StackedRNNCells": stacked_cells,
    "TFSMLayer": saved_model,
    "TimeDistributed": _around(
        lambda: layers.TimeDistributed(layers.Conv1D(2, 2, name="conv"), name="layer"), 3, 6, 2
    ),
}

NOT_IN_A_MODEL: dict[str, str] = {
    "Layer": "It is the abstract base of all layers and has no call of its own.",
    "TorchModuleWrapper": "It needs the package torch and Keras's torch backend.",
    "Wrapper": "It is the abstract base of wrappers and has no call of its own.",
}
for _name, _package in {"JaxLayer": "jax", "FlaxLayer": "flax"}.items():
    if importlib.util.find_spec(_package) is None:
        NOT_IN_A_MODEL[_name] = f"It needs the package {_package}, which is not installed."


def _recipes() -> dict[str, Callable[[], Pair]]:
    def made(name: str, options: dict) -> Callable[[], Any]:
        return lambda: CLASSES[name](name="layer", **options)

    picture = np.abs(batch(3, *IMAGE))
    return (
        {n: partial(on_numbers, made(n, given), shape) for n, (shape, given) in ON_NUMBERS.items()}
        | {n: partial(on_numbers, made(n, given), IMAGE, picture) for n, given in ON_IMAGES.items()}
        | {n: partial(on_data, made(n, given), data) for n, (data, given) in ON_DATA.items()}
        | {
            n: partial(on_parts, made(n, given), shape, call, count)
            for n, (shape, given, call, count) in ON_PARTS.items()
        }
        | ALONE
    )


def _seeded(recipe: Callable[[], Pair]) -> Pair:
    keras.utils.set_random_seed(0)
    return recipe()


# An older Keras has not all of them.
LAYERS: dict[str, Callable[[], Pair]] = {
    name: partial(_seeded, recipe)
    for name, recipe in sorted(_recipes().items())
    if name in CLASSES and name not in NOT_IN_A_MODEL
}
