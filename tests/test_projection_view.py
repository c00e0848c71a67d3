"""The card of points without a browser: what is chosen, what is said, what is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import keras
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.rendering import marks, scatter
from act_widgets.widgets.classes import checked_classes, classed

from .cards import decoded, heading_of, pick, send, settle
from .screen import alert_of, text_of
from .zoo import shaken

LAYERS = keras.layers
HOSTILE = ("<img src=x onerror=hostile()>", "</script>", '"quoted" & <b>')


@pytest.fixture
def session(digits) -> aw.Session:
    model, images, labels = digits
    made = aw.Session(model, images, labels=labels)
    made.selection.layer = "gap"
    return made


@pytest.fixture
def view(session) -> Iterator[aw.Projection]:
    made = aw.Projection(session)
    settle(session)
    yield made
    made.close()


def dense(units: int = 3, labels: tuple[str, ...] | None = None, count: int = 9) -> aw.Session:
    """Return a session on a batch of vectors; 'again' is a second layer."""
    given = keras.Input((4,), name="x")
    y = LAYERS.Dense(5, activation="tanh", name="again")(
        LAYERS.Dense(6, activation="tanh", name="wide")(given)
    )
    model = shaken(keras.Model(given, LAYERS.Dense(units, activation="softmax", name="out")(y)))
    x = np.random.default_rng(0).normal(size=(count, 4)).astype("float32")
    session = aw.Session(model, x, labels=labels)
    session.selection.layer = "wide"
    return session


def click(view: aw.Projection, sample: int) -> None:
    """Choose a sample as the page does."""
    view._scatter.set_state({"chosen": sample})


def caption_of(view: aw.Projection) -> str:
    return text_of(view._under.value)


def wait_told(view: aw.Projection, words: str, act: Callable[[], None]) -> None:
    """Act, and wait until the card says that this is under way."""
    told = threading.Event()
    view._busy.observe(lambda change: words in change["new"] and told.set(), names=["value"])
    act()
    assert told.wait(60)


# --- what is seen ---


def test_points_are_those_of_the_session(view, session):
    np.testing.assert_array_equal(view.array, session.project("gap").points)
    assert caption_of(view) == session.project("gap").words
    assert "gap · 80 samples · click one to select it" in heading_of(view)
    first, second = session.project("gap").explained
    assert view._scatter.titles == (f"PC 1 · {first:.1%} of the variance", f"PC 2 · {second:.1%}")
    send(view._methods["tsne"], True)
    settle(session)
    np.testing.assert_array_equal(view.array, session.project("gap", "tsne").points)
    assert [button.value for button in view._methods.values()] == [False, True, False]
    assert view._scatter.titles == ("", "")
    assert "distances between them mean little" in caption_of(view)
    session.selection.layer = "block3_relu2"
    settle(session)
    np.testing.assert_array_equal(view.array, session.project("block3_relu2", "tsne").points)
    assert "8 × 8 positions of 48 channels" in caption_of(view)
    pick(view._features, "averaged")
    settle(session)
    assert "the means of 48 channels" in caption_of(view)
    view.parameters = {"perplexity": 4}
    settle(session)
    assert "Perplexity 4," in caption_of(view)


def test_only_a_layer_with_positions_asks_what_becomes_of_them(view, session):
    assert view._features.layout.display == "none"
    session.selection.layer = "block3_relu2"
    settle(session)
    assert view._features.layout.display == ""


def test_one_scale_along_both_axes(view):
    places = np.frombuffer(view._scatter.places, "<f4").reshape(-1, 2)
    there, here = (np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (view.array, places))
    apart = there > 0
    ratios = here[apart] / there[apart]
    np.testing.assert_allclose(ratios, ratios.mean(), rtol=1e-3)
    assert places.min() >= 0
    assert (places.max(0) <= (scatter.WIDTH, scatter.HEIGHT)).all()
    up = view.array[:, 1].argmax()
    assert places[up, 1] == places[:, 1].min()


def test_the_picture_has_a_mark_of_its_colour_at_each_point(view, session):
    send(view._methods["tsne"], True)
    session.selection.sample = 4
    settle(session)
    picture = decoded(view.png())
    places = np.frombuffer(view._scatter.places, "<f4").reshape(-1, 2).round().astype(int)
    kinds = np.frombuffer(view._scatter.kinds, "<u2")
    colours = [tuple(bytes.fromhex(colour[1:])) for colour, _ in view._scatter.marks]
    found = [tuple(picture[y, x]) for x, y in places]
    assert (
        np.mean([f == colours[k] for f, k in zip(found, kinds, strict=True)]) > 0.8
    )  # some lie below others
    ring = decoded(view.png()).astype(int)
    session.selection.sample = 5
    moved = np.abs(decoded(view.png()).astype(int) - ring).any(-1)
    assert moved[tuple(places[4] - (0, 9))[::-1]]
    assert moved[tuple(places[5] - (0, 9))[::-1]]
    assert view.still().shape[1] == 600


# --- a click ---


def test_a_click_selects_the_sample_in_every_view(view, session):
    others = aw.SamplePicker(session), aw.Predictions(session), aw.Projection(session, method="tsne")
    settle(session)
    click(view, 23)
    settle(session)
    assert session.selection.sample == 23
    assert "23 of 80" in heading_of(others[0])
    np.testing.assert_array_equal(others[1].array, session.predictions(23))
    assert others[2]._scatter.chosen == 23
    session.selection.sample = 11
    assert view._scatter.chosen == 11
    for other in others:
        other.close()


def test_a_click_on_a_sample_that_is_gone_is_told_and_let_go(view, session):
    click(view, 80)
    assert "No sample 80" in alert_of(view)
    assert (session.selection.sample, view._scatter.chosen) == (0, 0)
    click(view, 3)
    assert (alert_of(view), session.selection.sample) == ("", 3)


def test_the_pointer_is_told_of_its_sample(view, session):
    view._scatter._hear(view._scatter, {"sample": 7}, [])
    tip = view._scatter.tip
    assert (tip["sample"], tip["words"]) == (7, f"sample 7 · {session.class_name(session.top_class(7))}")
    np.testing.assert_array_equal(decoded(tip["png"]), session.photos.thumbnail(7, 96))
    for gone in (80, -1, None, "7"):
        view._scatter._hear(view._scatter, {"sample": gone}, [])
        assert view._scatter.tip == tip
    view.classes = ["a"] * 80
    view._scatter._hear(view._scatter, {"sample": 8}, [])
    assert view._scatter.tip["words"] == "sample 8 · a, predicted 8"


# --- classes ---


def test_marks_tell_the_predicted_class_or_the_one_that_is_given(view, session):
    legend = text_of(view._legend.value)
    assert legend.startswith("By predicted class")
    predicted = np.array([session.top_class(sample) for sample in range(80)])
    np.testing.assert_array_equal(np.frombuffer(view._scatter.kinds, "<u2"), predicted)
    for number, count in enumerate(np.bincount(predicted)):
        assert f"{number} \xa0 ({count})" in legend
    view.classes = ["left", "right"] * 40
    settle(session)
    legend = text_of(view._legend.value)
    assert legend.startswith("By given class")
    assert "left \xa0 (40) right \xa0 (40)" in legend
    assert view._scatter.names == ["left", "right"]
    session.inputs = session.inputs[:30]
    settle(session)
    assert view.classes is None
    assert text_of(view._legend.value).startswith("By predicted class")


def test_given_numbers_have_the_labels_of_the_session(session):
    for given in (np.arange(80) % 3, (np.arange(80) % 3).astype(float), np.arange(80)[:, None] % 3):
        one = aw.Projection(session, classes=given, method="")
        assert one.classes == tuple(i % 3 for i in range(80))
        assert classed(session, one.classes).names == ("0", "1", "2")
        one.close()
    assert classed(session, (99,) * 80).names == ("class 99",)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, 2], r"classes of shape \(2,\).*Expected: 9 numbers or names"),
        (np.eye(9), r"shape \(9, 9\).*y.argmax\(1\) if it is one-hot"),
        (5, "Received: classes of 5"),
        ([0.5] * 9, "Received: 0.5 in classes"),
        ([None] * 9, "Received: None in classes"),
    ],
)
def test_classes_that_do_not_fit_are_told(given, words):
    with pytest.raises(aw.InputError, match=words):
        aw.Projection(dense(), classes=given)
    assert checked_classes(None, 9) is None


def test_beyond_twenty_classes_the_most_frequent_have_marks_of_their_own():
    session = dense(count=120)
    given = [f"kind {i}" for i in range(30)] * 3 + ["often"] * 30
    view = aw.Projection(session, classes=given)
    settle(session)
    legend = text_of(view._legend.value)
    assert "often \xa0 (30)" in legend
    assert "11 other classes \xa0 (33)" in legend
    assert view._scatter.names[0] == "often"
    assert len(view._scatter.names) == 31
    assert len(view._scatter.marks) == marks.MOST + 1
    view.close()


def test_marks_differ_in_colour_or_shape_and_are_seen_on_every_ground():
    own = [marks.mark(place) for place in range(marks.MOST)]
    assert len(set(own)) == marks.MOST
    assert len({one.outline for one in own[:6]}) == len({one.colour for one in own[:6]}) == 6
    assert marks.mark(marks.MOST) == marks.mark(999) == marks.OTHERS
    for colour in {one.colour for one in own} | {marks.OTHERS.colour}:
        for ground in ("#ffffff", "#111111"):
            assert contrast(colour, ground) >= 3, (colour, ground)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 has it."""

    def light(colour: str) -> float:
        shares = np.array([*bytes.fromhex(colour[1:])]) / 255
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05

    return max(light(one) / light(other), light(other) / light(one))


def test_hostile_names_stay_text():
    session = dense(labels=HOSTILE)
    view = aw.Projection(session, classes=[0, 1, 2] * 3)
    settle(session)
    assert view._scatter.names == [*HOSTILE]
    assert not any(name in view._legend.value for name in HOSTILE)
    assert all(name in text_of(view._legend.value) for name in HOSTILE)
    assert decoded(view.png()).std() > 0
    view.close()


# --- pictures ---


def test_pictures_cover_neither_points_nor_one_another(view, session):
    send(view._pictures, True)
    settle(session)
    shown = view._scatter.thumbnails
    places = np.frombuffer(view._scatter.places, "<f4").reshape(-1, 2)
    assert len(shown["pinned"]) > 15
    assert_apart(np.array(shown["pinned"]), places)
    sheet, cell = decoded(shown["png"]), shown["cell"]
    for index, (sample, *_) in enumerate(shown["pinned"]):
        top, left = divmod(index, shown["columns"])
        one = sheet[top * cell :, left * cell :][:cell, :cell]
        np.testing.assert_array_equal(one, session.photos.thumbnail(sample, cell))
    before = view.png()
    view.thumbnails = False
    assert view._scatter.thumbnails == {}
    assert view.png() != before


def assert_apart(pinned: np.ndarray, places: np.ndarray) -> None:
    corners = pinned[:, 1:]
    assert (corners >= 0).all()
    assert (corners + scatter.SIDE <= (scatter.WIDTH, scatter.HEIGHT)).all()
    inside = (places[None] > corners[:, None]) & (places[None] < corners[:, None] + scatter.SIDE)
    assert not inside.all(-1).any()
    near = (np.abs(corners[:, None] - corners[None]) < scatter.SIDE).all(-1)
    assert near.sum() == len(corners)


@pytest.mark.parametrize("count", [1, 2, 40, 3000])
def test_there_is_room_for_pictures_whatever_the_cloud(count):
    points = np.random.default_rng(0).normal(size=(count, 2)).astype("float32")
    points[::7] = np.nan if count > 2 else 0
    places = scatter.laid_out(points)
    pinned = scatter.with_room(places)
    assert pinned
    assert np.isfinite(places[[one.sample for one in pinned]]).all()
    assert_apart(np.array(pinned), places)


def test_all_points_in_one_place_are_drawn_there():
    places = scatter.laid_out(np.zeros((5, 2), np.float32))
    np.testing.assert_array_equal(places, np.tile([scatter.WIDTH / 2, scatter.HEIGHT / 2], (5, 1)))
    assert scatter.with_room(scatter.laid_out(np.full((3, 2), np.nan, np.float32))) == []


# --- folded, stopped, failed ---


def test_nothing_is_computed_before_a_method_is_chosen():
    session = dense()
    view = aw.Projection(session, method="")
    settle(session)
    before = session.stats()
    session.selection.layer = "again"
    settle(session)
    assert session.stats() == before
    assert view.array.shape == (0, 2)
    assert view._scatter.face.layout.display == "none"
    assert "A method shows the samples" in caption_of(view)
    assert decoded(view.png()).min() < 255
    send(view._methods["pca"], True)
    settle(session)
    assert (view.array.shape, view._scatter.face.layout.display) == ((9, 2), "")
    send(view._methods["pca"], False)
    assert view.method == ""
    assert view._scatter.face.layout.display == "none"
    view.close()


def test_other_work_goes_on_and_what_is_stopped_is_not_shown():
    session = dense(count=700)
    view, answer = aw.Projection(session), aw.Predictions(session)
    settle(session)
    before = view._scatter.places
    wait_told(view, "t-SNE of 700 samples", lambda: send(view._methods["tsne"], True))
    assert 'class="aw-busy-bar"' in view._busy.value  # nobody knows how far it is
    assert view._stop.description == "Stop"
    assert "aw-old" in view._dom_classes
    drawn = threading.Event()
    answer.on_drawn(drawn.set)
    session.silenced = ("wide", (1,))
    assert drawn.wait(60)
    send(view._stop, True)
    settle(session)
    assert view._stop.description == "Go on"
    assert "Stopped" in view._busy.value
    assert view._scatter.places == before
    session.selection.layer = "again"
    send(view._methods["pca"], True)
    settle(session)
    np.testing.assert_array_equal(view.array, session.project("again").points)
    assert (view._busy.value, view._stop.layout.display) == ("", "none")
    shown = view._scatter.places
    session.selection.layer = "wide"
    send(view._methods["tsne"], True)
    settle(session)
    assert view._scatter.places != shown
    np.testing.assert_array_equal(view.array, session.project("wide", "tsne").points)
    for one in (view, answer):
        one.close()


def test_what_was_stopped_goes_on():
    session = dense(count=500)
    view = aw.Projection(session)
    settle(session)
    wait_told(view, "t-SNE of 500", lambda: send(view._methods["tsne"], True))
    send(view._stop, True)
    settle(session)
    assert view._scatter.titles[0].startswith("PC 1")
    send(view._stop, False)
    settle(session)
    assert view._scatter.titles == ("", "")
    np.testing.assert_array_equal(view.array, session.project("wide", "tsne").points)
    view.close()


def test_the_numbers_are_whole_while_the_work_is_under_way():
    session = dense(count=400)
    view = aw.Projection(session)
    settle(session)
    wait_told(view, "t-SNE of 400", lambda: send(view._methods["tsne"], True))
    assert view.still().std() > 0
    assert np.isfinite(view.array).all()
    settle(session)
    np.testing.assert_array_equal(view.array, session.project("wide", "tsne").points)
    view.close()


def test_an_error_is_shown_and_recovered_from(view, session):
    images = session.inputs
    session.inputs = images[:1]
    settle(session)
    assert "PCA needs at least 2 samples. Received: a batch of 1." in alert_of(view)
    session.inputs = images[:3]
    settle(session)
    assert (alert_of(view), view.array.shape) == ("", (3, 2))
    send(view._methods["tsne"], True)
    settle(session)
    assert "t-SNE needs at least 4 samples" in alert_of(view)
    view.method = "pca"
    settle(session)
    assert alert_of(view) == ""
    for wrong in ({"perplexity": 3}, {"seed": 1}):
        with pytest.raises(aw.InputError, match="PCA has no parameter"):
            view.parameters = wrong
    with pytest.raises(aw.InputError, match="'pca', 'tsne', 'umap'"):
        view.method = "isomap"
    assert view.method == "pca"


def test_a_sample_without_a_point_is_told():
    session = dense()
    x = session.inputs.copy()
    x[4] = np.nan
    session.inputs = x
    view = aw.Projection(session)
    settle(session)
    session.selection.sample = 4
    assert "Left out, for NaN or infinity: sample 4." in caption_of(view)
    assert "Sample 4, which is chosen, has no point." in caption_of(view)
    assert np.isnan(np.frombuffer(view._scatter.places, "<f4").reshape(-1, 2)[4]).all()
    assert sum(entry.points for entry in view._results.latest[1].result.plot.legend) == 8
    view.close()


# --- in the explorer ---


def test_the_explorer_has_it_folded_and_only_for_a_batch(digits):
    model, images, labels = digits
    explorer = aw.explore(model, images[:12], labels=labels)
    settle(explorer.session)
    card = explorer.views.projection
    assert (card.layout.display, card.method, card.array.shape) == ("", "", (0, 2))
    assert "projection" not in explorer.code()
    send(card._methods["pca"], True)
    settle(explorer.session)
    assert "explorer.views.projection.method = 'pca'" in explorer.code()
    assert card.array.shape == (12, 2)
    explorer.session.inputs = images[:4]
    settle(explorer.session)
    assert card.layout.display == "none"
    explorer.session.inputs = images[:5]
    settle(explorer.session)
    assert card.layout.display in ("", None)
    explorer.close()
