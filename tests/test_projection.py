"""A batch as points: the numbers of PCA and t-SNE by other ways, what is left out, and what is refused."""

from __future__ import annotations

import math
import re
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

import act_widgets as aw
from act_widgets.samples.data import held_out_digits
from act_widgets.samples.pictures import SHOWN_SEED, draw_pictures
from act_widgets.statistics.aside import done_aside

from .fresh import run_fresh
from .zoo import shaken

LAYERS = keras.layers
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def session(digits) -> aw.Session:
    model, images, labels = digits
    return aw.Session(model, images, labels=labels)


def by_svd(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two principal components and their shares of the variance, by NumPy."""
    centred = table - table.mean(0, dtype=float)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    return (left * sizes)[:, :2], (sizes**2 / (sizes**2).sum())[:2]


def by_hand(table: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Return the points of t-SNE as scikit-learn gives them on one core."""
    with threadpool_limits(1, user_api="openmp"):
        return TSNE(perplexity=perplexity, random_state=seed).fit_transform(table.astype(float))


def assert_same_points(found: np.ndarray, expected: np.ndarray) -> None:
    """Axes may point the other way."""
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def purity(points: np.ndarray, classes: np.ndarray) -> float:
    """Return for how many samples the nearest other one is of the same class."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return float((classes[apart.argmin(1)] == classes).mean())


def wide(units: int = 600, positions: int = 0, **options: Any) -> keras.Model:
    """Return a model whose layer 'wide' has so many units, at so many rows of two places."""
    x = keras.Input((5,), name="x")
    y = LAYERS.Dense(units * max(1, positions * 2), name="dense")(x)
    y = LAYERS.Reshape((positions, 2, units) if positions else (units,), name="wide")(y)
    return shaken(keras.Model(x, LAYERS.Dense(3, name="out", **options)(LAYERS.Flatten()(y))))


def rows(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, *(shape or (5,)))).astype("float32")


# --- the numbers ---


@pytest.mark.parametrize("layer", ["image", "block1_relu", "gap"])
def test_pca_is_the_singular_value_decomposition(session, digits, layer):
    model, images, _ = digits
    found = session.project(layer)
    table = aw.capture(model, images, layer)[layer].reshape(len(images), -1)
    points, shares = by_svd(table)
    assert (found.points.shape, found.points.dtype) == ((80, 2), np.float32)
    assert_same_points(found.points, points)
    np.testing.assert_allclose(found.explained, shares, rtol=1e-5)
    assert f"{table.shape[1]:,} values" in found.words
    assert "not standardised" in found.words
    assert f"{shares[0]:.1%}" in found.words


def test_pca_of_many_rows_and_columns_is_as_exact():
    model, x = wide(), rows(520)
    found = aw.Session(model, x).project("wide")
    assert_same_points(found.points, by_svd(aw.capture(model, x, "wide")["wide"])[0])


def test_standardised_columns_have_one_variance(session, digits):
    model, images, _ = digits
    table = aw.capture(model, images, "gap")["gap"].astype(float)
    found = session.project("gap", standardise=True)
    assert_same_points(found.points, by_svd((table - table.mean(0)) / table.std(0))[0])
    assert ", standardised." in found.words


def test_tsne_is_that_of_scikit_learn(session, digits):
    model, images, _ = digits
    table = aw.capture(model, images, "gap")["gap"]
    found = session.project("gap", "tsne")
    np.testing.assert_array_equal(found.points, by_hand(table, 79 / 3, 0))
    assert "Perplexity 26.3, seed 0" in found.words
    assert f"{found.divergence:.3g}" in found.words
    other = session.project("gap", "tsne", perplexity=5, seed=3)
    np.testing.assert_array_equal(other.points, by_hand(table, 5.0, 3))
    again = aw.Session(model, images).project("gap", "tsne")
    np.testing.assert_array_equal(again.points, found.points)


def test_umap_is_that_of_the_library(session, digits):
    from umap import UMAP

    model, images, _ = digits
    table = aw.capture(model, images, "gap")["gap"].astype(float)
    found = session.project("gap", "umap", neighbours=7, seed=1)
    expected = UMAP(n_neighbors=7, random_state=1, n_jobs=1).fit_transform(table)
    np.testing.assert_array_equal(found.points, expected)
    assert "7 neighbours, seed 1" in found.words


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_last_layers_bring_samples_of_a_kind_together(method):
    model = aw.samples.shapes()[0]
    images, classes = draw_pictures(48, SHOWN_SEED)
    session = aw.Session(model, images)
    before, behind = (purity(session.project(at, method).points, classes) for at in ("image", "gap"))
    assert before < 0.3
    assert behind > 0.9


def test_digits_of_a_kind_lie_nearer_to_one_another_behind_the_network(digits):
    images, classes = held_out_digits()
    session = aw.Session(digits[0], images)
    before, behind = (purity(session.project(at).points, classes) for at in ("image", "gap"))
    assert behind > before + 0.1


# --- what becomes of positions ---


def test_positions_count_one_by_one_or_as_their_mean():
    model, x = wide(units=7, positions=3), rows(12)
    table = aw.capture(model, x, "wide")["wide"]
    session = aw.Session(model, x)
    usual, averaged = session.project("wide"), session.project("wide", features="averaged")
    assert_same_points(usual.points, by_svd(table.reshape(12, -1))[0])
    assert_same_points(averaged.points, by_svd(table.mean((1, 2)))[0])
    assert "42 values, 3 × 2 positions of 7 channels" in usual.words
    assert "the means of 7 channels over 3 × 2 positions" in averaged.words


def test_many_positions_are_averaged_unless_something_else_is_said():
    model, x = wide(units=3, positions=700), rows(6)
    session = aw.Session(model, x)
    table = aw.capture(model, x, "wide")["wide"]
    assert_same_points(session.project("wide").points, by_svd(table.mean((1, 2)))[0])
    assert "700 × 2 positions" in session.project("wide").words
    all_of_it = session.project("wide", features="flattened")
    assert_same_points(all_of_it.points, by_svd(table.reshape(6, -1))[0])


def test_channels_are_where_somebody_says():
    model, x = wide(units=7, positions=3), rows(12)
    session = aw.Session(model, x)
    before = session.project("wide", features="averaged").points
    session.axes["wide"] = "channels × height × width"
    found = session.project("wide", features="averaged")
    assert_same_points(found.points, by_svd(aw.capture(model, x, "wide")["wide"].mean((2, 3)))[0])
    assert not np.allclose(np.abs(found.points), np.abs(before))


def test_a_small_budget_gives_the_same_points():
    model, x = wide(units=50), rows(40)
    whole = aw.Session(model, x).project("wide")
    small = aw.Session(model, x, cache_bytes=70_000)
    assert small.reader.blocks.count > 1
    np.testing.assert_allclose(small.project("wide").points, whole.points, rtol=1e-4, atol=1e-5)
    assert small.stats()["cache_bytes"] <= 70_000


def test_a_table_that_is_too_large_is_refused_and_averages_are_not():
    model, x = wide(units=4, positions=40), rows(30)
    session = aw.Session(model, x, cache_bytes=40_000)
    with pytest.raises(aw.InputError, match=r"30 samples of 320 values.*features='averaged'.*cache_bytes="):
        session.project("wide", features="flattened")
    assert "the means of 4 channels" in session.project("wide").words
    wanted = int(re.search(r"cache_bytes=(\d+)", message_of(session, features="flattened"))[1])
    assert aw.Session(model, x, cache_bytes=wanted).project("wide", features="flattened").points.shape == (
        30,
        2,
    )


def message_of(session: aw.Session, **options: Any) -> str:
    with pytest.raises(aw.InputError) as caught:
        session.project("wide", **options)
    return str(caught.value)


# --- what has no points, or no differences ---


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_left_out_and_named(bad):
    model, x = wide(units=6), rows(9)
    expected = aw.Session(model, np.delete(x, [2, 5], 0)).project("wide").points
    x[[2, 5], 1] = bad
    found = aw.Session(model, x).project("wide")
    assert found.left_out == (2, 5)
    assert "Left out, for NaN or infinity: samples 2, 5." in found.words
    assert np.isnan(found.points[[2, 5]]).all()
    assert_same_points(np.delete(found.points, [2, 5], 0), expected)


def test_nothing_finite_is_no_batch():
    model = wide(units=6)
    with pytest.raises(aw.InputError, match="Received: a batch of 0, 4 more with NaN or infinity"):
        aw.Session(model, np.full((4, 5), np.nan, "float32")).project("wide")


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_layer_that_is_the_same_everywhere_says_so(method):
    found = aw.Session(wide(units=6), np.ones((8, 5), "float32")).project("wide", method)
    np.testing.assert_array_equal(found.points, np.zeros((8, 2)))
    assert "All samples are the same here" in found.words


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_single_column_lies_along_a_line(method):
    model, x = wide(units=1), rows(30)
    found = aw.Session(model, x).project("wide", method)
    assert np.isfinite(found.points).all()
    if method == "pca":
        assert found.explained == pytest.approx((1.0, 0.0))
        assert not found.points[:, 1].any()


def test_two_samples_are_a_line_for_pca_and_too_few_for_tsne():
    model = wide(units=6)
    found = aw.Session(model, rows(2)).project("wide")
    assert found.explained == pytest.approx((1.0, 0.0), abs=1e-6)
    assert np.ptp(found.points[:, 0]) > 0
    with pytest.raises(aw.InputError, match="t-SNE needs at least 4 samples"):
        aw.Session(model, rows(3)).project("wide", "tsne")
    assert aw.Session(model, rows(4)).project("wide", "tsne").points.shape == (4, 2)
    with pytest.raises(aw.InputError, match="PCA needs at least 2 samples"):
        aw.Session(model, rows(1)).project("wide")


def test_whole_numbers_are_numbers_and_large_ones_too():
    x = keras.Input((4,), dtype="int32", name="words")
    model = shaken(keras.Model(x, LAYERS.Dense(2)(LAYERS.Flatten()(LAYERS.Embedding(9, 3)(x)))))
    words = np.random.default_rng(0).integers(0, 9, (7, 4))
    assert_same_points(aw.Session(model, words).project("words").points, by_svd(words)[0])
    huge = rows(7) * np.float32(1e30)
    assert_same_points(aw.Session(wide(), huge).project("x").points / 1e30, by_svd(huge / 1e30)[0])


def test_words_are_no_numbers():
    x = keras.Input((1,), dtype="string", name="text")
    reader = LAYERS.TextVectorization(vocabulary=["a", "b"], output_sequence_length=3, name="reader")
    model = keras.Model(x, LAYERS.Dense(2)(LAYERS.Flatten()(LAYERS.Embedding(5, 3)(reader(x)))))
    session = aw.Session(model, np.array([["a b"], ["b"], ["c"]], object))
    assert session.project("reader").points.shape == (3, 2)
    with pytest.raises(aw.LayerKindError, match="Expected: a layer that holds real numbers"):
        session.project("text")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"layer": "nowhere"}, aw.UnknownLayerError, "no layer 'nowhere'"),
        ({"layer": ""}, aw.UnknownLayerError, "no layer ''"),
        ({"method": "isomap"}, aw.InputError, "'pca', 'tsne', 'umap'"),
        ({"method": ["pca"]}, aw.InputError, "'pca', 'tsne', 'umap'"),
        ({"features": "summed"}, aw.InputError, "'flattened', 'averaged'"),
        ({"perplexity": 5}, aw.InputError, "PCA has no parameter 'perplexity'"),
        ({"method": "tsne", "neighbours": 5}, aw.InputError, "'perplexity', 'seed'|'seed'"),
        ({"method": "tsne", "perplexity": 80}, aw.InputError, "perplexity below 80"),
        ({"method": "tsne", "perplexity": 0.5}, aw.InputError, "1 or more"),
        ({"method": "tsne", "perplexity": math.nan}, aw.InputError, "1 or more"),
        ({"method": "tsne", "seed": -1}, aw.InputError, "0 or more"),
        ({"method": "tsne", "seed": True}, aw.InputError, "0 or more"),
        ({"method": "umap", "neighbours": 1}, aw.InputError, "2 or more"),
        ({"standardise": "yes"}, aw.InputError, "True or False"),
    ],
)
def test_what_does_not_fit_is_told(session, given, error, words):
    with pytest.raises(error, match=words):
        session.project(**given)


# --- kept, and let go of ---


def test_a_projection_is_kept_until_inputs_or_weights_change():
    model, x = wide(units=6), rows(9)
    session = aw.Session(model, x)
    session.selection.layer = "wide"
    first = session.project()
    before = session.stats()
    assert session.project("wide") is first
    assert session.stats() == before
    session.inputs = x[:6]
    assert session.project().points.shape == (6, 2)
    model.get_layer("dense").kernel.assign(model.get_layer("dense").kernel * 2)
    np.testing.assert_allclose(
        np.abs(session.project().points),
        np.abs(aw.Session(model, x[:6]).project("wide").points),
        rtol=1e-4,
        atol=1e-5,
    )


def test_progress_is_told_and_can_end_the_work(session):
    told: list[tuple[float, str]] = []
    found = session.project("stem_relu", "tsne", on_progress=lambda *step: told.append(step))
    shares = [share for share, _ in told]
    assert shares[0] == 0
    assert (shares[-1], told[-1][1]) == (1.0, found.words)
    # Nobody knows how far scikit-learn is.
    assert all(math.isnan(share) and words.startswith("t-SNE of 80") for share, words in told[1:-1])

    def refuse(share: float, words: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.project("stem_conv", "tsne", on_progress=refuse)
    assert session.project("stem_conv", "tsne").points.shape == (80, 2)


def test_work_that_nobody_waits_for_any_more_does_not_begin():
    gate, ran = threading.Event(), []
    under_way = [done_aside(gate.wait, "waits") for _ in range(2)]
    with closing(done_aside(lambda: ran.append(1), "never")) as left:
        assert [math.isnan(next(work).share) for work in (*under_way, left)] == [True] * 3
    gate.set()
    for work in under_way:
        assert not [step for step in work if not math.isnan(step.share)]
    assert list(done_aside(lambda: ran.append(2), "now")) is not None
    assert ran == [2]


# --- libraries that are not there ---

WITHOUT = """
import sys
sys.modules[{module!r}] = None
import act_widgets as aw, numpy as np, keras
x = keras.Input((3,))
session = aw.Session(keras.Model(x, keras.layers.Dense(2, name="out")(x)), np.eye(5, 3))
try:
    session.project("out", {method!r})
except ImportError as error:
    print(error)
view = aw.Projection(session, method={method!r})
print(view._methods[{method!r}].disabled, view._methods[{method!r}].tooltip)
from act_widgets.widgets.worker import worker_of
worker_of(session).wait()
print(view._alert.value)
"""


@pytest.mark.parametrize(
    ("module", "method", "library", "extra"),
    [("sklearn", "pca", "scikit-learn", "samples"), ("umap", "umap", "umap-learn", "umap")],
)
def test_without_a_library_its_command_is_told(module, method, library, extra):
    done = run_fresh(WITHOUT.format(module=module, method=method))
    assert done.returncode == 0, done.stderr
    error, button, *alert = done.stdout.splitlines()
    command = f'pip install "act-widgets[{extra}]"'
    assert library in error
    assert command in error
    assert button.startswith("True ")
    assert command in button
    assert f"{library}: pip install &quot;act-widgets[{extra}]&quot;" in "".join(alert)
    extras = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(rf'^{extra} = \["{library}>=', extras, re.MULTILINE)


def test_libraries_are_loaded_when_they_are_used():
    done = run_fresh(
        "import sys; from act_widgets.statistics.embeddings import METHODS\n"
        "[method.missing for method in METHODS.values()]; print({'sklearn', 'umap'} & set(sys.modules))"
    )
    assert done.stdout.strip() == "set()", done.stderr
