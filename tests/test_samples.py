from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import act_widgets as aw
from act_widgets import samples
from act_widgets.samples.data import held_out_digits, training_digits
from act_widgets.samples.pictures import MEASURED_SEED, SHAPE_NAMES, SHOWN_SEED, TRAINING_SEED, draw_pictures

EXPECTED = {
    "digits": ("digits_cnn", (80, 8, 8, 1), tuple("0123456789")),
    "shapes": (
        "shapes_cnn",
        (48, 64, 64, 3),
        ("circle", "ring", "crescent", "heart", "triangle", "square", "cross", "star"),
    ),
}
both = pytest.mark.parametrize("name", EXPECTED)


@pytest.fixture(scope="module")
def sample():
    loaded = {name: getattr(samples, name)() for name in EXPECTED}
    return loaded.__getitem__


def probabilities(model, images):
    return np.asarray(model(images, training=False))


def accuracy(model, images, classes):
    return np.mean(probabilities(model, images).argmax(axis=1) == classes)


@both
def test_a_sample_is_a_model_pictures_and_class_names(sample, name):
    model, images, labels = sample(name)
    model_name, shape, names = EXPECTED[name]
    assert model.name == model_name
    assert images.shape == shape
    assert images.dtype == np.float32
    assert 0 <= images.min() < 0.1
    assert 0.9 < images.max() <= 1
    assert labels == names
    assert model.output_shape == (None, len(labels))


@both
def test_its_class_names_are_those_of_the_class_selector_best_first(sample, name):
    model, images, labels = sample(name)
    selector = aw.ClassSelector(aw.Session(model, images[:2], labels=labels))
    best = [labels[k] for k in np.argsort(-probabilities(model, images[:1])[0])]
    offered = [option.name for option in selector._list.options]
    assert offered == ["as predicted", *best]
    assert selector._list.options[0].facts == best[0]
    selector.close()


@both
def test_the_model_has_something_to_see_in_every_part(sample, name):
    model, images, _ = sample(name)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert {"Conv2D", "BatchNormalization", "ReLU", "Add", "GlobalAveragePooling2D", "Dense"} <= set(kinds)
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert convolutions[0].output.shape[1:3] == images.shape[1:3]
    assert convolutions[-1].output.shape[1:3] == (8, 8)


def test_digits_reads_hands_it_was_not_trained_on(sample):
    assert accuracy(sample("digits")[0], *held_out_digits()) > 0.97


def test_shapes_knows_pictures_it_was_not_trained_on(sample):
    assert accuracy(sample("shapes")[0], *draw_pictures(304, MEASURED_SEED)) > 0.97


def test_the_first_ten_digits_are_0_to_9(sample):
    model, images, _ = sample("digits")
    written = held_out_digits()[1][:10]
    assert written.tolist() == list(range(10))
    assert accuracy(model, images[:10], written) >= 0.9


def test_the_first_eight_pictures_are_one_of_each_class(sample):
    model, images, labels = sample("shapes")
    assert accuracy(model, images[:8], np.arange(len(labels))) >= 7 / 8


def test_no_held_out_digit_was_trained_on():
    trained = {digit.tobytes() for digit in training_digits()[0]}
    held_out = [digit.tobytes() for digit in held_out_digits()[0]]
    assert len(trained) == 1415
    assert len(held_out) == 382
    assert trained.isdisjoint(held_out)


def test_no_held_out_picture_was_trained_on():
    assert len({TRAINING_SEED, MEASURED_SEED, SHOWN_SEED}) == 3
    trained, measured, shown = (
        {picture.tobytes() for picture in draw_pictures(40, seed)[0]}
        for seed in (TRAINING_SEED, MEASURED_SEED, SHOWN_SEED)
    )
    assert len(trained | measured | shown) == 120


def test_a_picture_depends_on_its_seed_and_place_alone():
    few, classes = draw_pictures(9, seed=5)
    many, _ = draw_pictures(17, seed=5)
    np.testing.assert_array_equal(few, many[:9])
    assert classes.tolist() == [*range(len(SHAPE_NAMES)), 0]


@both
def test_two_calls_give_the_same(sample, name):
    model, images, labels = sample(name)
    other_model, other_images, other_labels = getattr(samples, name)()
    assert other_model is not model
    assert other_labels == labels
    np.testing.assert_array_equal(other_images, images)
    np.testing.assert_array_equal(probabilities(other_model, images[:4]), probabilities(model, images[:4]))


def test_the_weights_stay_small():
    sizes = [len(file.read_bytes()) for file in files(samples).iterdir() if file.name.endswith(".npz")]
    assert len(sizes) == len(EXPECTED)
    assert sum(sizes) < 1_000_000


def run(code):
    command = [sys.executable, "-c", code]
    root = Path(__file__).resolve().parent.parent
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=root)


def test_importing_the_samples_loads_no_heavy_library():
    done = run("import sys, act_widgets.samples; print(*sys.modules)")
    assert "act_widgets.samples" in done.stdout.split(), done.stderr
    assert {"tensorflow", "keras", "sklearn", "PIL"}.isdisjoint(done.stdout.split())


def test_without_scikit_learn_digits_says_what_to_install():
    # None in sys.modules is Python's own way to make an import fail as if nothing were installed.
    done = run("import sys; sys.modules['sklearn'] = None; import act_widgets.samples as s; s.digits()")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: samples.digits()")
    assert 'pip install "act-widgets[samples]"' in last
