"""The axes of a layer can be set: every view of the session, and every question by channel, follows."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

import act_widgets as aw
from act_widgets.rendering.axes import Axes
from act_widgets.widgets.worker import worker_of

from .cards import label_of, pick
from .ranks import film, flat_picture, picture, vision_transformer, volume
from .screen import alert_of, text_of
from .zoo import batch, shaken

CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def settle(session: aw.Session) -> None:
    assert worker_of(session).wait()


def turned() -> tuple[aw.Session, np.ndarray]:
    """A layer whose channels come first, which nothing in the model tells."""
    given = keras.Input((6, 5, 2), name="image")
    y = layers.Conv2D(4, 3, padding="same", name="conv")(given)
    y = layers.Permute((3, 1, 2), name="turned")(y)
    y = layers.Dense(3, activation="softmax", name="out")(layers.Flatten(name="flat")(y))
    session = aw.Session(shaken(keras.Model(given, y)), batch(2, 6, 5, 2))
    session.selection.layer = "turned"
    return session, session.activation("turned")


def test_channels_lie_where_the_user_says():
    session, values = turned()
    assert session.axes["turned"].words == "height × width × channels"
    assert session.reader.channels("turned") == 5
    session.axes["turned"] = "channels × height × width"
    assert session.reader.channels("turned") == 4
    session.selection.channel = 2
    view, chart, grid = aw.ChannelView(session), aw.Histogram(session), aw.FeatureMaps(session)
    np.testing.assert_array_equal(view.array, values[0, 2])
    np.testing.assert_array_equal(grid.array, values[0])
    assert chart.array.sum() == 30
    conv = session.edit("conv", [2])
    np.testing.assert_allclose(session.edit("turned", [2]), conv, **CLOSE)
    by_unit = session.attribution("saliency", layer="image", target=aw.Target(2, layer="turned"))
    by_conv = session.attribution("saliency", layer="image", target=aw.Target(2, layer="conv"))
    np.testing.assert_allclose(by_unit.maps, by_conv.maps, **CLOSE)
    cam, other = (session.attribution("grad_cam", layer=layer, target=1) for layer in ("turned", "conv"))
    np.testing.assert_allclose(cam.maps, other.maps, **CLOSE)


def test_going_back_to_the_guess():
    session, values = turned()
    before = session.axes["turned"]
    session.axes["turned"] = "channels × height × width"
    del session.axes["turned"]
    assert session.axes["turned"] == before
    assert session.reader.channels("turned") == 5
    np.testing.assert_array_equal(aw.FeatureMaps(session).array, np.moveaxis(values[0], -1, 0))


def test_what_was_chosen_by_channel_is_let_go_when_channels_lie_elsewhere():
    session, _ = turned()
    session.selection.channel = 4
    session.selection.explain(4, "turned")
    session.silenced = ("turned", (4,))
    slider = aw.ChannelSlider(session)
    session.axes["turned"] = "channels × height × width"
    assert (session.selection.channel, session.silenced, session.selection.target_layer) == (0, (), "")
    assert slider._slider.max == 3
    session.axes["conv"] = "height × width × channels"  # as it was guessed: nothing moves
    assert session.selection.channel == 0


def test_every_view_of_the_session_follows_and_no_other():
    model, x = volume()
    session, other = aw.Session(model, x), aw.Session(model, x)
    session.selection.layer = other.selection.layer = "conv"
    views = [aw.FeatureMaps(session), aw.FeatureMaps(session), aw.ChannelView(session)]
    apart = aw.FeatureMaps(other)
    assert views[0].array.shape == (4, 6, 5)
    pick(views[0]._axes.list, "channels × depth")
    assert [label_of(view._axes.list) for view in views] == [session.axes["conv"].words] * 3
    assert views[1].array.shape[0] == 8 and views[2].array.ndim == 2
    assert apart.array.shape == (4, 6, 5)
    assert not any(alert_of(view) for view in views)


def test_it_lasts_for_the_session():
    session, _ = turned()
    session.axes["turned"] = "channels × height × width"
    session.refresh()
    assert session.reader.channels("turned") == 4
    session.inputs = batch(3, 6, 5, 2, seed=7)
    assert session.axes["turned"].words == "channels × height × width"
    view = aw.ChannelView(session)
    session.selection.channel = 3
    np.testing.assert_array_equal(view.array, session.activation("turned")[0, 3])


def test_a_grid_that_no_longer_fits_is_let_go():
    given = keras.Input((None, 4), name="tokens")
    mixed = layers.Dense(3, name="mix")(given)
    model = keras.Model(given, layers.GlobalAveragePooling1D(name="mean")(mixed))
    session = aw.Session(model, batch(2, 9, 4))
    session.axes["mix"] = "patches × features"
    assert session.axes["mix"].grid.tokens == 9
    session.inputs = batch(2, 12, 4)
    assert session.axes["mix"].grid is None


def test_a_grid_can_be_stated():
    session = aw.Session(*vision_transformer())
    session.selection.layer = "mix"
    grid = aw.FeatureMaps(session)
    session.axes["mix"] = "patches (4 x 16) × features"
    values = session.activation("mix")[0]
    np.testing.assert_array_equal(grid.array, values[1:].reshape(4, 16, 16).transpose(2, 0, 1))
    assert "1 token before them left out" in text_of(grid._axes._remark.value)
    with pytest.raises(aw.InputError, match="9 × 9 patches are not among 65 tokens"):
        session.axes["mix"] = "patches (9 × 9) × features"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("time × channels", "it has 3"),
        ("time × time × channels", "role of its own"),
        ("patches × width × channels", "Patches are folded by a grid"),
    ],
)
def test_axes_that_are_not_the_layers_are_refused_and_nothing_changes(words, complaint):
    session = aw.Session(*picture())
    before = session.axes["conv"]
    with pytest.raises(aw.InputError, match=complaint):
        session.axes["conv"] = words
    assert session.axes["conv"] == before
    with pytest.raises(aw.InputError, match="no attention weights"):
        session.axes["conv"] = Axes(("heads", "queries", "keys"), of="attention")
    with pytest.raises(aw.UnknownLayerError):
        session.axes["nothing"] = "time"


def test_sliders_of_a_role_move_together_in_all_layers():
    session = aw.Session(*film())
    session.selection.layer = "convlstm"
    grid, view = aw.FeatureMaps(session), aw.ChannelView(session)
    whole = session.activation("convlstm")[0]
    assert grid._axes.sliders["time"].value == 3  # the middle of six
    np.testing.assert_array_equal(grid.array, np.moveaxis(whole[3], -1, 0))
    grid._axes.sliders["time"].value = 5
    np.testing.assert_array_equal(view.array, whole[5, :, :, 0])
    assert view._axes.sliders["time"].value == 5
    session.selection.layer = "frames"
    np.testing.assert_array_equal(grid.array[1], session.activation("frames")[0, 5, :, :, 1])
    session.axes.move("time", 0)
    np.testing.assert_array_equal(grid.array[1], session.activation("frames")[0, 0, :, :, 1])


def test_a_slice_stays_where_it_was_when_a_volume_is_pooled():
    session = aw.Session(*volume())
    session.axes.move("depth", 6, length=8)
    assert [session.axes.place("depth", n) for n in (8, 4, 2, 1)] == [6, 3, 1, 0]
    session.axes.move("depth", 6)
    assert [session.axes.place("depth", n) for n in (8, 4)] == [6, 3]
    with pytest.raises(aw.InputError, match=r"counted from 0\. Received: depth=-1"):
        session.axes.move("depth", -1)


def test_moving_and_choosing_run_the_model_no_more():
    session = aw.Session(*film())
    session.selection.layer = "convlstm"
    views = [aw.FeatureMaps(session), aw.ChannelView(session)]
    session.axes.move("time", 1)
    session.axes["convlstm"] = "depth × height × width × channels"
    session.axes["convlstm"] = "channels × time × height × width"
    settle(session)
    assert session.stats()["forward_passes"] == 1
    assert not any(alert_of(view) for view in views)


def test_the_axes_are_on_the_screen():
    session = aw.Session(*vision_transformer())
    session.selection.layer = "mix"
    grid = aw.FeatureMaps(session)
    assert label_of(grid._axes.list) == "patches (8 × 8) × features"
    assert "64 patches lie as 8 × 8 · 1 token before them left out" in text_of(grid._axes._remark.value)
    session.selection.layer = "patch"
    assert label_of(grid._axes.list) == "height × width × channels"
    assert text_of(grid._axes._remark.value) == ""


def test_of_a_layer_too_large_to_keep_other_channels_are_kept_by_their_axis():
    given = keras.Input((70, 6, 5), name="image")
    model = keras.Model(given, layers.Flatten(name="flat")(layers.ReLU(name="relu")(given)))
    session = aw.Session(model, batch(1, 70, 6, 5), cache_bytes=8000)
    session.selection.layer = "relu"
    view = aw.ChannelView(session)
    settle(session)
    session.axes["relu"] = "channels × height × width"
    session.selection.channel = 66
    settle(session)
    np.testing.assert_array_equal(view.array, np.maximum(session.activation("image")[0, 66], 0))


def test_words_beside_a_picture_are_not_taken_for_its_patches():
    """Both have sixteen tokens; which of them come from the picture takes a trace, made in the worker."""
    image, text = keras.Input((8, 8, 1), name="image"), keras.Input((16, 3), name="text")
    patches = layers.Reshape((16, 4), name="tokens")(layers.Conv2D(4, 2, strides=2, name="patch")(image))
    words = layers.Dense(4, activation="relu", name="words")(text)
    both = layers.Concatenate(name="both")([layers.GlobalMaxPooling1D()(y) for y in (patches, words)])
    model = shaken(keras.Model([image, text], layers.Dense(3, name="out")(both)))
    session = aw.Session(model, [batch(2, 8, 8, 1), batch(2, 16, 3)])
    session.selection.layer = "tokens"
    grid, view = aw.FeatureMaps(session), aw.ChannelView(session)
    settle(session)
    assert grid.array.shape == (4, 4, 4)
    session.selection.layer = "words"
    settle(session)
    assert grid.array.shape == (4, 16)
    np.testing.assert_array_equal(view.array, session.activation("words")[0, :, 0])
    session.axes["words"] = "patches × features"
    settle(session)
    assert grid.array.shape == (4, 4, 4)
    assert not any(alert_of(card) for card in (grid, view))


def test_where_there_are_no_channels_slider_histogram_and_map_agree():
    session = aw.Session(*flat_picture())
    session.selection.layer = "scaled"
    slider, counts, grid = aw.ChannelSlider(session), aw.Histogram(session), aw.FeatureMaps(session)
    editor, classes = aw.ChannelEditor(session), aw.ClassSelector(session)
    values = session.activation("scaled")[0]
    assert text_of(slider._heading.value).split() == ["Channel", "none", "·", "height", "×", "width"]
    assert slider._slider.disabled and (slider._slider.max, slider._play.max) == (0, 0)
    assert slider.png().startswith(b"\x89PNG")
    assert grid.array.shape == (1, 28, 28)
    np.testing.assert_array_equal(counts.array, np.histogram(values, len(counts.array))[0])
    for view, button in ((editor, editor._toggle), (classes, classes._unit)):
        button.click()
        assert "'scaled' has no channels. Received: axes height × width." in alert_of(view)
    assert not session.silenced and not session.selection.target_layer

    pick(grid._axes.list, "time × channels")
    settle(session)
    assert not slider._slider.disabled and slider._slider.max == 27
    session.selection.channel = 20
    assert "20 of 28" in text_of(slider._heading.value)
    assert grid.array.shape == (28, 28)
    np.testing.assert_array_equal(counts.array, np.histogram(values[:, 20], len(counts.array))[0])
    editor._toggle.click()
    assert session.silenced == ("scaled", (20,)) and alert_of(editor) == ""
    for view in (slider, counts, grid, editor, classes):
        view.close()
