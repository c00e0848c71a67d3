"""Read every model that the tests know and every family of keras.applications, and write docs/models.md.

Run it by ``make test-models``. With words on the command line, it reads only the models whose name
contains one of them, and prints the table. The exit status is 1 if a model is read wrongly.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import textwrap
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
# The same as in tests/conftest.py: the same numbers on every machine.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras  # noqa: E402  (the settings above must stand before)
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import act_widgets as aw  # noqa: E402
from act_widgets import testing  # noqa: E402
from act_widgets.reading.batches import by_unit, named_leaves  # noqa: E402
from act_widgets.sources.protocol import BackwardPass  # noqa: E402
from act_widgets.sources.recorder import INSIDE, STEP, UNCALLED  # noqa: E402
from act_widgets.sources.replay import Replay  # noqa: E402
from tests import independent, keras_layers, kinds, test_tf_keras, zoo  # noqa: E402

PAGE = ROOT / "docs" / "models.md"
Recipe = Callable[[], tuple[Any, Any]]

CLOSE, CLOSE_IN_HALF = 1e-4, 3e-2
SMALL_DTYPES = {"float16", "bfloat16", "int8"}
# Reasons why a tensor is hidden, as short as a table needs them.
SHORT = {STEP: "made in each time step", INSIDE: "made in a loop or branch", UNCALLED: "not called"}

# The smallest member of each family, and the side of the smallest picture that it takes well.
APPLICATIONS = {
    "convnext": ("ConvNeXtTiny", 64),
    "densenet": ("DenseNet121", 64),
    "efficientnet": ("EfficientNetB0", 64),
    "efficientnet_v2": ("EfficientNetV2B0", 64),
    "inception_resnet_v2": ("InceptionResNetV2", 96),
    "inception_v3": ("InceptionV3", 96),
    "mobilenet": ("MobileNet", 64),
    "mobilenet_v2": ("MobileNetV2", 64),
    "mobilenet_v3": ("MobileNetV3Small", 64),
    "nasnet": ("NASNetMobile", 64),
    "resnet": ("ResNet50", 64),
    "resnet_v2": ("ResNet50V2", 64),
    "vgg16": ("VGG16", 64),
    "vgg19": ("VGG19", 64),
    "xception": ("Xception", 96),
}
NO_FAMILY = {"imagenet_utils", "resnet50"}  # helpers, and another name of a part of resnet

EDITS = (
    testing.an_edit_that_changes_nothing_changes_nothing,
    testing.an_edit_is_the_same_from_kept_activations,
)
SLOPES = (testing.gradients_are_slopes, testing.gradients_are_the_same_from_kept_activations)


@dataclass(frozen=True)
class Group:
    """Models of one table.

    `exempt` names the check that a model breaks on purpose, with the reason; `absent` says why
    there is no model.
    """

    title: str
    text: str
    recipes: Mapping[str, Recipe]
    exempt: Mapping[str, tuple[testing.Check, str]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of all rows."""
        return sorted([*self.recipes, *self.absent]) if self.absent else list(self.recipes)


@dataclass
class Row:
    """What was measured of one model."""

    name: str
    tensors: int = 0
    hidden: int = 0
    difference: float | None = None
    outputs: float | None = None
    resumable: str = "—"
    differentiable: str = "—"
    remarks: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def is_model(self) -> bool:
        """Whether a model was read."""
        return self.tensors > 0

    def cells(self) -> list[str]:
        """Return the row's cells as texts."""
        faults = [f"✗ {textwrap.shorten(fault, 100)}" for fault in self.faults]
        numbers = [short(self.difference), short(self.outputs)]
        remark = "; ".join([*faults, *self.remarks])
        hidden = f" + {self.hidden} hidden" if self.hidden else ""
        tensors = f"{self.tensors}{hidden}" if self.is_model else "—"
        return [f"`{self.name}`", tensors, *numbers, self.resumable, self.differentiable, remark]


# --- the models ---


def groups() -> list[Group]:
    """Return every group with its models, none of them built yet."""
    families = {
        f"keras.applications.{module}": partial(not_listed, f"keras.applications.{module}", "APPLICATIONS")
        for module, value in vars(keras.applications).items()
        if isinstance(value, types.ModuleType) and module not in {*APPLICATIONS, *NO_FAMILY}
    }
    listed = {*keras_layers.LAYERS, *keras_layers.NOT_IN_A_MODEL}
    classes = {
        name: partial(not_listed, name, "tests/keras_layers.py")
        for name in keras_layers.CLASSES
        if name not in listed
    }
    return [
        Group(
            "Networks of keras.applications",
            "The smallest member of every family, with random weights, ten classes and a small picture.",
            {name: partial(application, name, side) for name, side in APPLICATIONS.values()} | families,
        ),
        Group(
            "Layers of keras.layers",
            "A small model around every layer class.",
            keras_layers.LAYERS | classes,
            absent=keras_layers.NOT_IN_A_MODEL,
        ),
        Group(
            "Ways to build a model",
            "The models of `tests/zoo.py`, one for each way in which models are put together.",
            {name: partial(zoo.build, name) for name in zoo.ZOO},
        ),
        Group(
            "Unusual models",
            "The models of `tests/kinds.py`, each difficult to read in a way of its own.",
            {name: partial(kinds.build, name) for name in kinds.KINDS},
            exempt=kinds.EXEMPT,
        ),
        Group(
            "Models of Keras 2",
            "The models of `tests/test_tf_keras.py`, built with the package tf_keras.",
            {f"tf_keras {name}": make for name, make in test_tf_keras.MODELS.items()},
        ),
    ]


def application(name: str, side: int) -> tuple[Any, Any]:
    """Return a network of keras.applications with random weights, and two pictures."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    network = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classes=10)
    for weight in network.weights:
        if len(weight.shape) == 1:  # biases of zero and variances of one would hide faults
            noise = rng.normal(0, 0.1, weight.shape).astype("float32")
            weight.assign(weight + (np.abs(noise) if weight.name == "moving_variance" else noise))
    scales = any(isinstance(layer, keras.layers.Rescaling) for layer in network.layers)
    pictures = rng.uniform(0, 255, (2, side, side, 3)) if scales else rng.normal(size=(2, side, side, 3))
    return network, pictures.astype("float32")


def not_listed(name: str, where: str) -> tuple[Any, Any]:
    """Stand in for a model that nobody wrote yet."""
    raise LookupError(f"{name} is new in this Keras and has no model: add one to {where}")


# --- measuring ---


def measured(name: str, recipe: Recipe, exempt: tuple[testing.Check, str] | None = None) -> Row:
    """Build a model, read it in every way, and free it."""
    row = Row(name)
    try:
        measure(row, *recipe(), exempt)
    except Exception as error:  # noqa: BLE001  (whatever goes wrong is a fault of this row only)
        row.faults.append(f"{type(error).__name__}: {error}")
    keras.backend.clear_session()
    gc.collect()
    return row


def measure(row: Row, model: Any, inputs: Any, exempt: tuple[testing.Check, str] | None) -> None:
    """Fill in a row."""
    source, given = testing.opened(model, inputs)
    source.forget()
    compared = [independent.compare(model, inputs, traced) for traced in (False, True)]
    differences = [found.difference for found in compared]
    missing = sorted({address for found in compared for address in found.missing})
    if row.name in dict(APPLICATIONS.values()):
        differences.append(sub_model_difference(model, inputs))
    row.difference = max(differences)
    row.outputs = outputs_difference(source, given, model, inputs)
    reading = source.forward(given)
    row.tensors, row.hidden = len(reading.taps), len(reading.unreachable)
    if reasons := {SHORT.get(reason, reason) for reason in reading.unreachable.values()}:
        row.remarks.append(f"hidden: {', '.join(sorted(reasons))}")
    close = CLOSE_IN_HALF if is_small(reading) else CLOSE
    if missing or not compared[0].compared:
        row.faults.append(f"missing: {', '.join(missing) or 'no tensor could be compared'}")
    if row.difference > close:
        worst = max(compared, key=lambda found: found.difference).worst
        row.faults.append(f"differs by {row.difference:.1e} from an independent computation, at '{worst}'")
    if row.outputs > close:
        row.faults.append(f"the outputs differ by {row.outputs:.1e} from model(x, training=False)")
    check(row, source, given, exempt)


def sub_model_difference(model: Any, inputs: Any) -> float:
    """Return the largest difference from one flat model of all layers' outputs."""
    outputs = {layer.name: layer.output for layer in model.layers}
    expected = keras.Model(model.inputs, outputs)([inputs], training=False)
    captured = aw.capture(model, inputs)
    return max(testing.difference(captured[name], np.asarray(value)) for name, value in expected.items())


def outputs_difference(source: Any, given: Any, model: Any, inputs: Any) -> float:
    """Return how far the outputs, eager and compiled, are from those of a plain call."""
    with independent.put_back(model):
        outputs = model(keras.tree.map_structure(keras.ops.convert_to_tensor, inputs), training=False)
    expected = list(named_leaves(keras.tree.map_structure(array_of, outputs)).values())
    source.forget()
    eager = source.forward(given).outputs
    source.traces.trace(given)
    compiled = source.forward(given).outputs
    return max(
        testing.difference(ours, theirs)
        for answer in (eager, compiled)
        for ours, theirs in zip(named_leaves(answer).values(), expected, strict=True)
    )


def array_of(tensor: Any) -> np.ndarray | None:
    """Return a tensor's numbers; those of half precision as float32."""
    if tensor is None:
        return None
    tensor = tf.convert_to_tensor(tensor)
    return (tf.cast(tensor, tf.float32) if tensor.dtype in (tf.float16, tf.bfloat16) else tensor).numpy()


def is_small(reading: Any) -> bool:
    """Return whether a model computes in half precision or less."""
    return bool({tap.dtype for tap in reading.taps.values()} & SMALL_DTYPES)


def check(row: Row, source: Any, given: Any, exempt: tuple[testing.Check, str] | None) -> None:
    """Run the contract checks and fill in what they say."""
    skipped, reason = exempt or (None, "")
    failed = {}
    for one in testing.CHECKS:
        try:
            if one is not skipped:
                one(source, given)
        except Exception as error:  # noqa: BLE001  (a check that breaks off has failed)
            failed[one] = f"{testing.name_of(one)}: {error}"
    row.faults += failed.values()
    whole_pass = isinstance(source.traces.trace(given), Replay)
    row.resumable = "whole pass" if whole_pass else "yes"
    if any(one in failed for one in EDITS):
        row.resumable = "no: " + textwrap.shorten(next(failed[one] for one in EDITS if one in failed), 60)
    row.differentiable, remark = differentiable(source, given)
    if skipped in SLOPES:
        row.differentiable = f"no: {reason}"
    elif any(one in failed for one in SLOPES):
        row.differentiable = "no"
    more = (remark, reason if skipped not in SLOPES else "", "called anew for each question" * whole_pass)
    row.remarks += filter(None, more)


def differentiable(source: Any, given: Any) -> tuple[str, str]:
    """Return how many of the floating-point tensors that the scores depend on have a gradient."""
    reading = source.forward(given)
    batch = given if source.is_indivisible else given.rows(0, 1)
    values = source.forward(batch).values
    output = reading.main_output
    if output.dtype.kind != "f" or output.shape[:1] != (given.size,):
        return "—", "the output is no scores" if output.dtype.kind == "f" else "the output is no real number"
    floats = [address for address, value in values.items() if value.dtype.kind == "f"]
    wanted = [address for address in floats if address in source.explained(batch)]
    if not wanted:
        return "—", "the scores depend on no real number"
    units = len(by_unit(output)[0])
    mask = np.zeros((batch.size, units), np.float32)
    mask[0, 0] = 1
    made = source.gradients(batch, values, BackwardPass(mask, wanted)).values
    remark = ""
    if is_small(reading):
        remark = "gradients not compared in this precision"
    elif units == 1 and source.activation(batch, values) == "softmax":
        remark = "gradients not compared: a softmax of one unit is constant"
    return ("yes" if len(made) == len(wanted) else f"{len(made)} of {len(wanted)}"), remark


# --- writing ---


def short(number: float | None) -> str:
    """Return a difference in as few characters as tell its size."""
    if number is None:
        return "—"
    if not np.isfinite(number):
        return "∞"
    if number == 0:
        return "0"
    digits, exponent = f"{number:.0e}".split("e")
    return f"{digits}e{int(exponent)}"


COLUMNS = (
    ("model", "its name"),
    ("tensors", "how many are read; *hidden* are those that can't be, each listed with its reason"),
    (
        "difference",
        "the largest one of any layer's tensor from an independent computation, relative to the tensor's "
        "largest number. The independent reader exchanges `call` on every layer of the model, and shares "
        "nothing with the package. It is compared with an eager look and with the traced model; networks of "
        "keras.applications also with one `keras.Model` that returns every layer's output",
    ),
    ("outputs", "the largest difference of the outputs, eager and compiled, from `model(x, training=False)`"),
    (
        "resumable",
        "whether the outputs are right after an activation was changed: *yes*, from there on; *whole pass*, "
        "by calling the model anew",
    ),
    (
        "differentiable",
        "*yes*: every floating-point tensor that the scores depend on has a gradient, and those looked at "
        "agree with difference quotients; *n of m*: only n of them have one; *no*: with the reason; —: there "
        "are no scores",
    ),
    ("remark", "what else there is to know"),
)


def table(rows: Sequence[Row]) -> str:
    """Return rows as a table of Markdown."""
    header = [name for name, _ in COLUMNS]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row.cells()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *cells])


def page(tables: Sequence[tuple[Group, Sequence[Row]]]) -> str:
    """Return the whole page."""
    rows = [row for _, several in tables for row in several]
    models, tensors = sum(row.is_model for row in rows), sum(row.tensors for row in rows)
    wrong = sum(bool(row.faults) for row in rows)
    versions = f"TensorFlow {tf.__version__}, Keras {keras.__version__}, Python {platform.python_version()}"
    head = [
        "# Models that are read",
        f"{models} models with {tensors:,} tensors, {wrong or 'none'} of them read wrongly. "
        f"Written by `make test-models` on {date.today()}, with {versions}.",
        "Each model is built with weights that are random but the same each time, read in every way, "
        "and put to the checks of `act_widgets.testing`. A row that is wrong is marked ✗.",
        "\n".join(f"- **{name}**: {text}." for name, text in COLUMNS),
    ]
    sections = [part for group, found in tables for part in (f"## {group.title}", group.text, table(found))]
    return "\n\n".join([*head, *sections]) + "\n"


def report(group: Group, words: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a group that are asked for, telling of each as it comes."""
    for name in group.names:
        if words and not any(word in name for word in words):
            continue
        start = time.perf_counter()
        if name in group.absent:
            row = Row(name, remarks=[f"no model: {group.absent[name]}"])
        else:
            row = measured(name, group.recipes[name], group.exempt.get(name))
        seconds = time.perf_counter() - start
        print(f"{'✗' if row.faults else '✓'} {name} {seconds:.1f} s", flush=True)
        for fault in row.faults:
            print(f"✗ {name}: {fault}", file=sys.stderr, flush=True)
        yield row


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the models that are named, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="parts of names; all models if left out")
    words = parser.parse_args(arguments).names
    tables = [(group, list(report(group, words))) for group in groups()]
    if words:
        print("\n\n".join(table(rows) for _, rows in tables if rows))
    else:
        PAGE.write_text(page(tables), encoding="utf-8")
    return int(any(row.faults for _, rows in tables for row in rows))


if __name__ == "__main__":
    # Some models fail on purpose, in threads of their own and with warnings.
    warnings.simplefilter("ignore")
    threading.excepthook = lambda _: None
    sys.exit(main())
