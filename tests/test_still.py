"""The picture that a widget leaves in the notebook, without a browser."""

from __future__ import annotations

import base64
import io
import threading

import keras
import numpy as np
import pytest
from PIL import Image

import act_widgets as aw
from act_widgets.rendering.lettering import fitted, font
from act_widgets.rendering.sheet import card, decoded, small_png
from act_widgets.widgets.worker import worker_of

from .cards import small
from .screen import alert_of
from .zoo import batch

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def shapes():
    return aw.samples.shapes()


@pytest.fixture
def explorer(shapes):
    model, images, labels = shapes
    opened = aw.explore(model, images, labels=labels, layer="block2_relu2")
    assert worker_of(opened.session).wait()
    yield opened
    opened.close()


def few() -> tuple:
    return small(3, "softmax"), batch(2, 6, 6, 2)


def picture_in(bundle: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).convert("RGB"))


def test_every_view_and_the_explorer_carry_a_picture_beside_the_live_widget(explorer):
    for widget in (explorer, *explorer.views):
        bundle, metadata = widget._repr_mimebundle_()
        picture = picture_in(bundle)
        assert bundle[VIEW]["model_id"] == widget.model_id
        assert picture.min() < 60, type(widget).__name__  # letters
        assert picture.max() > 250
        assert metadata["image/png"]["width"] < picture.shape[1]
        assert bundle["text/plain"] == f"<{type(widget).__name__} of 'shapes_cnn' at 'block2_relu2'>"


def test_an_explorer_adds_less_than_300_kB_to_a_notebook(explorer):
    picture = explorer._repr_mimebundle_()[0]["image/png"]
    assert 2 * len(picture) < 400_000  # it is there twice
    assert len(base64.b64decode(picture)) < 300_000


def test_a_picture_holds_the_cards_of_the_explorer(explorer):
    attribution = explorer.views.attribution.still()
    assert holds(explorer.still(), attribution)
    explorer.selection.sample = 1
    assert worker_of(explorer.session).wait()
    assert not holds(explorer.still(), attribution)


def holds(whole: np.ndarray, part: np.ndarray) -> bool:
    """Whether a picture holds another at its right border."""
    height, width = part.shape[:2]
    places = range(len(whole) - height + 1)
    return any(np.array_equal(whole[top : top + height, -width:], part) for top in places)


def test_nothing_is_computed_for_a_picture(shapes):
    model, images, _ = shapes
    session = aw.Session(model, images[:2])
    go = threading.Event()
    worker_of(session).submit("test", lambda: go.wait(60))
    explorer = aw.Explorer(session)
    early, done = explorer.still(), session.stats()
    assert done["backward_passes"] == 0
    go.set()
    assert worker_of(session).wait()
    assert session.stats()["backward_passes"] == 1
    assert not np.array_equal(explorer.still(), early)
    assert np.array_equal(explorer.still(), decoded(explorer.png()))
    explorer.close()


def test_a_view_that_fails_has_its_words_for_a_picture(explorer):
    view = explorer.views.histogram
    before = view.still()
    view.picture = lambda result: 1 / 0
    assert not np.array_equal(view.still(), before)
    del view.picture

    def fail(key):
        raise RuntimeError("planted")

    view.compute = fail
    explorer.selection.channel = 3
    assert "planted" in alert_of(view)
    assert not np.array_equal(view.still(), before)
    assert explorer._repr_mimebundle_()[0]["image/png"]


def test_what_is_silenced_and_what_is_checked_get_cards_of_their_own(explorer):
    heights = [explorer.still().shape[0]]
    explorer.session.silenced = ("block2_relu2", (0, 1))
    explorer.views.trust.checks = ("Another class",)
    assert worker_of(explorer.session).wait()
    heights.append(explorer.still().shape[0])
    assert heights[1] > heights[0]


def test_a_closed_widget_leaves_words(capsys):
    session = aw.Session(*few())
    view = aw.Histogram(session)
    view.close()
    view._ipython_display_()
    assert capsys.readouterr().out.strip() == f"{view!r}, closed"


@pytest.mark.parametrize(
    "name", ["<b>bold</b>", "a" * 500, "two\nlines", "דוגמה 🐈", "\ud800 lone", "\x00 nul", ""], ids=ascii
)
def test_any_name_can_be_drawn(name):
    pictures = card("Title", name, [np.zeros((4, 4, 3), np.uint8)])
    assert pictures.shape[1] == 600
    assert font(18).getlength(fitted(name, 100, 18)) <= 100
    model, inputs = few()
    session = aw.Session(model, inputs, labels=[name or "empty", *(f"class {i}" for i in range(1, 3))])
    assert aw.Predictions(session).still().shape[1] == 600


def test_a_small_picture_is_indexed_and_no_wider_than_asked():
    rgb = np.random.default_rng(0).integers(0, 255, (300, 900, 3)).astype(np.uint8)
    made = Image.open(io.BytesIO(small_png(rgb, 450)))
    assert made.mode == "P"
    assert made.size == (450, 150)
    assert decoded(small_png(rgb[:, :100], 450)).shape == (300, 100, 3)


def test_batches_without_pictures_have_one_too():
    for shape in ((5,), (7, 5), (4, 6, 7, 2)):
        model, inputs = batch_model(shape)
        explorer = aw.explore(model, inputs)
        assert worker_of(explorer.session).wait()
        assert picture_in(explorer._repr_mimebundle_()[0]).std() > 5
        explorer.close()


def batch_model(shape: tuple[int, ...]) -> tuple:
    given = keras.Input(shape)
    flat = keras.layers.Flatten()(keras.layers.ReLU()(given))
    return keras.Model(given, keras.layers.Dense(3, "softmax")(flat)), batch(2, *shape)


def test_a_long_narrow_map_is_no_picture_of_a_hundred_thousand_rows():
    x = keras.Input((8, 8, 1), name="image")
    y = keras.layers.Reshape((64, 1, 1), name="column")(x)
    y = keras.layers.Conv2D(2, 1, name="conv")(keras.layers.UpSampling2D((16, 1), name="long")(y))
    model = keras.Model(x, keras.layers.Dense(2, name="out")(keras.layers.Flatten(name="flat")(y)))
    explorer = aw.explore(model, batch(2, 8, 8, 1), layer="conv")
    height, width, _ = np.asarray(Image.open(io.BytesIO(explorer.png())).convert("RGB")).shape
    assert height < width
    explorer.close()
