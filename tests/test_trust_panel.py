"""Whether a map can be trusted: the checks on the screen, and what they leave behind."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Iterator

import keras
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

import act_widgets as aw
from act_widgets.widgets.worker import worker_of

from .cards import (
    MASKS,
    Cards,
    Told,
    Work,
    check_all,
    correlation,
    decoded,
    logits_of,
    pick,
    send,
    settle,
    slow_model,
    words_model,
)
from .screen import alert_of, text_of
from .zoo import batch, shaken, tokens


@pytest.fixture
def work() -> Iterator[Work]:
    made = Work()
    yield made
    made.view.close()


def test_curves_go_from_the_score_of_the_whole_to_the_score_of_the_empty(cards, digits):
    model, images, _ = digits
    cards.choose("Occlusion")
    cards.check("Curves")
    panel, top = cards.trust, cards.session.top_class(0)
    empty = np.full_like(images[:1], images[0].mean())
    whole, nothing = (float(model(x)[0, top]) for x in (images[:1], empty))
    curves = {kind: (line.x, line.y) for kind, line in panel._lines.items()}
    for (x, y), ends in ((curves["deletion"], (whole, nothing)), (curves["insertion"], (nothing, whole))):
        np.testing.assert_allclose((y[0], y[-1]), ends, rtol=1e-4)
        assert (x[0], x[-1], len(x)) == (0, 1, 21)

    # One point by hand: the 13 of 64 places that matter most are covered.
    order = np.argsort(-cards.map.array.ravel(), kind="stable")
    covered = images[:1].copy()
    covered.reshape(-1)[order[:13]] = images[0].mean()
    assert curves["deletion"][0][4] == 13 / 64
    assert curves["deletion"][1][4] == pytest.approx(float(model(covered)[0, top]), rel=1e-4)

    areas = [np.trapezoid(y, x) for x, y in curves.values()]
    assert areas[0] < areas[1]
    said = text_of(panel._under.value)
    assert f"deletion curve {areas[0]:.3g}" in said
    assert f"insertion curve {areas[1]:.3g}" in said
    assert panel._figure in panel._chart.children


def test_a_map_of_shuffled_weights_is_compared_and_the_model_is_left_bit_for_bit(cards, digits):
    model = digits[0]
    before = [np.array(weight) for weight in model.weights]
    answer = np.asarray(model(digits[1][:3]))
    cards.choose("Saliency")
    cards.check("Shuffled weights")
    for weight, values in zip(model.weights, before, strict=True):
        assert np.array(weight).tobytes() == values.tobytes(), weight.path
    np.testing.assert_array_equal(np.asarray(model(digits[1][:3])), answer)
    other = cards.session.shuffled().attribution("saliency", sample=0, target=cards.session.top_class(0))
    alike = correlation(cards.map.array, other.maps[0])
    assert f"with all weights shuffled: {alike:.2f}" in text_of(cards.trust._under.value)
    assert text_of(cards.trust._names.value).split() == ["this", "map", "weights", "shuffled"]


def test_the_map_is_compared_with_that_of_the_second_class(cards, digits):
    model, images, labels = digits
    cards.choose("Gradient × input")
    cards.check("Another class")
    second = int(np.argsort(-np.asarray(model(images[:1]))[0])[1])
    other = aw.attribute(model, images[:1], "gradient_x_input", target=second).maps[0]
    alike = correlation(cards.map.array, other)
    said = text_of(cards.trust._under.value)
    assert f"Correlation with the map of “{labels[second]}”: {alike:.2f}" in said
    assert text_of(cards.trust._names.value).split()[-1] == labels[second]


def test_completeness_compares_what_values_add_up_to_with_what_the_score_gained(cards, digits):
    model, images, _ = digits
    cards.choose("Integrated gradients")
    cards.check("Completeness")
    top = cards.session.top_class(0)
    both = logits_of(model, np.concatenate([images[:1], np.zeros_like(images[:1])]))[:, top]
    said = re.search(r"add up to (\S+), the score gained (\S+)\.", text_of(cards.trust._under.value))
    assert float(said[1]) == pytest.approx(cards.map.array.sum(), rel=1e-3)
    assert float(said[2]) == pytest.approx(both[0] - both[1], rel=1e-3)
    assert float(said[1]) == pytest.approx(float(said[2]), rel=0.05)
    cards.choose("Saliency")
    assert "Saliency does not add up to the score; integrated gradients do." in text_of(
        cards.trust._under.value
    )


def test_all_checks_together_make_one_picture_and_none_are_left_when_switched_off(cards):
    cards.choose("Grad-CAM")
    panel = cards.trust
    assert panel.array.size == 0
    cards.check("Curves", "Shuffled weights", "Another class", "Completeness")
    assert cards.alerts() == []
    assert panel._under.value.count("aw-caption") == 4
    assert len(panel._surface.scene["placed"]) == 3
    np.testing.assert_array_equal(panel.array, cards.map.array)
    whole = decoded(panel.png())
    assert whole.shape[1] > 3 * 180
    assert whole.min() < whole.max()
    for wish in panel._wishes.values():
        send(wish, False)
    cards.settle()
    assert (panel._under.value, panel._names.value) == ("", "")
    assert panel._chart.children == ()
    assert panel._surface.face.layout.display == "none"
    assert panel._busy.value == ""


def test_the_picture_of_the_checks_holds_their_curves(cards):
    cards.choose("Occlusion")
    panel = cards.trust
    cards.check("Shuffled weights", "Another class")
    maps_alone = decoded(panel.png())
    cards.check("Curves")
    whole = decoded(panel.png())
    assert whole.shape[0] > maps_alone.shape[0] + 200
    for colour, line in (
        ((213, 94, 0), panel._lines["deletion"]),
        ((0, 114, 178), panel._lines["insertion"]),
    ):
        rows, columns = np.nonzero((whole[30:300] == colour).all(-1))
        # From the first to the last share, as high as the scores at both ends: the axis goes from 0 to 1.
        bottom, top = 264 - 30, 36 - 30
        assert (columns.min(), columns.max()) == pytest.approx((60, 536), abs=2)
        for column, score in ((columns.min() + 1, line.y[0]), (columns.max() - 1, line.y[-1])):
            assert rows[abs(columns - column) < 2].min() - 2 <= bottom + score * (top - bottom)
            assert rows[abs(columns - column) < 2].max() + 2 >= bottom + score * (top - bottom)


def test_the_picture_of_an_explorer_holds_the_method_and_its_checks(digits):
    model, images, labels = digits
    explorer = aw.explore(model, images[:2], labels=labels)
    settle(explorer.session)
    send(explorer.views.trust._wishes["Curves"], True)
    settle(explorer.session)
    whole = decoded(explorer.png())
    for view in (explorer.views.method_picker, explorer.views.trust, explorer.views.attribution):
        assert holds(whole, decoded(view.png())), view.title
    explorer.close()


def holds(whole: np.ndarray, part: np.ndarray) -> bool:
    """Whether a picture is found in another one as it is."""
    height, width = part.shape[:2]
    telling = int(part[..., 0].std(axis=1).argmax())
    rows = np.lib.stride_tricks.sliding_window_view(whole[..., 0], width, axis=1)
    places = np.argwhere((rows == part[telling, :, 0]).all(-1))
    return any(np.array_equal(whole[y - telling :, x : x + width][:height], part) for y, x in places)


def test_a_channel_is_compared_with_the_next_one_and_an_only_one_with_none():
    given = keras.Input((6, 6, 2), name="image")
    y = keras.layers.Conv2D(3, 3, activation="relu", name="three")(given)
    y = keras.layers.Conv2D(1, 1, name="one")(y)
    head = keras.layers.Dense(3, activation="softmax", name="out")(keras.layers.Flatten()(y))
    cards = Cards(shaken(keras.Model(given, head)), batch(2, 6, 6, 2))
    wish, said = cards.trust._wishes["Another class"], cards.trust._under
    cards.choose("Saliency")
    assert wish.description == "Another class"
    cards.selection.explain(2, "three")
    cards.check("Another class")
    assert wish.description == "Another channel"
    assert "Correlation with the map of “channel 0 of 'three'”" in text_of(said.value)
    cards.selection.explain(0, "one")
    cards.settle()
    assert text_of(said.value) == "No other to compare with: channel 0 of 'one' is the only one."
    assert cards.trust._names.value == ""
    cards.selection.explain(None)
    cards.settle()
    assert wish.description == "Another class"
    assert "Correlation with the map of" in text_of(said.value)
    assert cards.alerts() == []
    cards.close()


def test_checks_follow_what_is_chosen(cards):
    cards.check("Another class")
    seen = set()
    for choose in (
        lambda: setattr(cards.selection, "sample", 1),
        lambda: setattr(cards.selection, "target", 7),
        lambda: setattr(cards.selection, "layer", "block1_relu"),
        lambda: cards.choose("Saliency"),
        lambda: pick(cards.picker._scores, "probabilities"),
    ):
        choose()
        cards.settle()
        np.testing.assert_array_equal(cards.trust.array, cards.map.array)
        seen.add(text_of(cards.trust._under.value))
    assert len(seen) == 5


def test_a_check_that_fails_leaves_the_findings_of_the_others():
    cards = Cards(words_model(), tokens(2, 7))
    cards.selection.layer = "conv"
    cards.choose("Grad-CAM")
    cards.check("Another class")
    assert "Correlation with the map of" in text_of(cards.trust._under.value)
    cards.check("Curves")  # they cover places of the input, and words have none between them
    assert "Correlation with the map of" in text_of(cards.trust._under.value)
    said = alert_of(cards.trust) + text_of(cards.trust._under.value)
    assert "no input has as many" in said
    send(cards.trust._wishes["Curves"], False)
    cards.settle()
    assert cards.alerts() == []
    assert "Correlation with the map of" in text_of(cards.trust._under.value)
    cards.close()


def test_checks_wait_too_where_the_map_waits_for_its_start(work):
    panel = aw.TrustPanel(work.session)
    work.settle()
    send(panel._wishes["Another class"], True)
    work.settle()
    runs = work.runs
    work.choose_rise(20000)
    assert worker_of(work.session).wait(20), "the panel works at what nobody started"
    assert work.runs - runs <= 16
    assert (work.view._stop.description, panel._stop.description) == ("Start", "Start")
    panel.close()


def test_a_map_that_is_checked_while_it_is_made_is_made_once(work):
    panel = aw.TrustPanel(work.session)
    work.settle()
    work.begin()
    work.told.wait(1)
    send(panel._wishes["Curves"], True)
    work.settle()
    np.testing.assert_array_equal(panel.array, work.view.array)
    # The masks, two curves of 21 points, and a few runs to know how long one takes.
    assert work.runs <= MASKS + 2 * 21 + 16
    panel.close()


# --- nothing stays behind ---


def test_a_closed_explorer_is_freed_with_what_was_checked_and_what_was_under_way():
    known, x, _ = slow_model()
    model = keras.models.clone_model(known)
    before = len(_instances)
    explorer = aw.explore(model, x)
    session, views = explorer.session, explorer.views
    settle(session)
    check_all(views.trust)
    shuffled = views.trust._checker._other[1]
    told = Told(views.attribution)
    with explorer.selection.hold_trait_notifications():
        explorer.selection.method, explorer.selection.parameters = "rise", (("masks", MASKS),)
    told.wait(1)
    explorer.close()
    settle(session)
    assert session.stats()["cache_bytes"] == 0
    assert len(_instances) <= before
    runs = session.stats()["varied_samples"]
    settle(session)
    assert session.stats()["varied_samples"] == runs
    refs = {
        "model": weakref.ref(model),
        "session": weakref.ref(session),
        "shuffled": weakref.ref(shuffled),
        **{type(view).__name__: weakref.ref(view) for view in views},
    }
    del explorer, session, views, shuffled, told, model
    gc.collect()
    assert [name for name, ref in refs.items() if ref() is not None] == []


@pytest.mark.parametrize("kind", ["AttributionView", "MethodPicker", "TrustPanel"])
def test_a_closed_card_frees_its_widgets_whatever_it_showed(digits, kind):
    session = aw.Session(digits[0], digits[1][:2])
    before = len(_instances)
    view = getattr(aw, kind)(session)
    settle(session)
    for method in ("rise", "occlusion", "grad_cam"):
        session.selection.method = method
        settle(session)
    if kind == "TrustPanel":
        check_all(view)
        assert view._under.value.count("aw-caption") == 4
    view.close()
    assert len(_instances) <= before
    ref = weakref.ref(view)
    del view
    gc.collect()
    assert ref() is None
