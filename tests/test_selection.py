"""A selection holds only what the model has, and no observer ever sees it otherwise."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from traitlets import TraitError

import act_widgets as aw

from .zoo import batch, build, digits, tokens


@pytest.fixture
def session():
    model, images, labels = digits()
    return aw.Session(model, images, labels=labels)


@pytest.fixture
def selection(session):
    return session.selection


def values(selection):
    return {name: getattr(selection, name) for name in ("layer", "channel", "sample", "target", "method")}


def watched(session):
    """Every state that an observer of any trait is shown."""
    seen = []

    def look(change):
        state = session.selection
        seen.append((change.name, state.layer, state.channel, session.tap(state.layer).channels))

    session.selection.observe(look)
    return seen


def test_it_starts_at_the_last_layer_with_places(session, selection):
    assert values(selection) == {
        "layer": "block3_relu2",
        "channel": 0,
        "sample": 0,
        "target": None,
        "method": "grad_cam",
    }


def test_a_layer_with_fewer_channels_repairs_the_channel_before_anyone_looks(session, selection):
    seen = watched(session)
    many, few = session.tap("block3_relu2").channels, session.tap("stem_relu").channels
    assert few < many
    selection.channel = many - 1
    selection.layer = "stem_relu"
    assert selection.channel == 0
    assert {"layer", "channel"} <= {name for name, *_ in seen}
    assert all(channel < channels for _, _, channel, channels in seen)
    assert [state for state in seen if state[0] == "layer"] == [("layer", "stem_relu", 0, few)]


def test_a_channel_that_the_new_layer_has_is_kept(session, selection):
    seen = watched(session)
    selection.layer = "stem_relu"
    selection.channel = 5
    selection.layer = "block1_relu"
    assert selection.channel == 5
    assert [name for name, *_ in seen] == ["layer", "channel", "layer"]


def test_the_ends_of_every_range_are_reached(session, selection):
    selection.layer = "stem_relu"
    for channel in (session.tap("stem_relu").channels - 1, 0):
        selection.channel = channel
        assert selection.channel == channel
    for sample in (4, 0):
        selection.sample = sample
        assert selection.sample == sample
    for target in (9, 0, None):
        selection.target = target
        assert selection.target == target


def test_a_short_name_is_stored_whole():
    selection = aw.Session(*build("nested_two_deep")).selection
    selection.layer = "conv"
    assert selection.layer == "middle/inner/conv"


def test_setting_what_is_there_already_tells_nobody(session, selection):
    seen = watched(session)
    selection.layer = "block3_relu2"
    selection.channel = 0
    selection.sample = 0
    assert seen == []


@pytest.mark.parametrize(
    ("trait", "value", "error", "words"),
    [
        ("layer", "stem_rela", aw.UnknownLayerError, ["'stem_rela'", "'stem_relu'"]),
        ("layer", "", aw.UnknownLayerError, ["''"]),
        ("layer", None, TraitError, ["layer"]),
        ("channel", 999, aw.InputError, ["channel=999", "0 to"]),
        ("channel", -1, aw.InputError, ["channel=-1", "0 to"]),
        ("channel", 1.5, TraitError, ["channel", "1.5"]),
        ("channel", None, TraitError, ["channel"]),
        ("sample", 5, aw.InputError, ["sample=5", "0 to 4"]),
        ("sample", -1, aw.InputError, ["sample=-1", "0 to 4"]),
        ("target", 10, aw.TargetError, ["target=10", "0 to 9"]),
        ("target", -1, aw.TargetError, ["target=-1", "0 to 9"]),
        ("target", "seven", TraitError, ["target", "seven"]),
        ("method", "grad_kam", aw.InputError, ["'grad_kam'", "'grad_cam'"]),
    ],
)
def test_what_the_model_does_not_have_raises_and_changes_nothing(
    session, selection, trait, value, error, words
):
    selection.channel = 3
    before, seen = values(selection), watched(session)
    with pytest.raises(error) as raised:
        setattr(selection, trait, value)
    assert all(word in str(raised.value) for word in words), str(raised.value)
    assert values(selection) == before
    assert seen == []
    selection.layer, selection.channel, selection.target = "stem_relu", 4, 7
    assert session.attribution(layer=selection.layer, target=selection.target, sample=0).maps.any()


def test_numbers_from_numpy_will_do(selection):
    selection.sample = np.int64(3)
    selection.channel = np.int32(2)
    selection.target = np.argmax([0, 1])
    assert (selection.sample, selection.channel, selection.target) == (3, 2, 1)


def test_several_changes_at_once_are_seen_together(session, selection):
    seen = watched(session)
    selection.channel = session.tap("block3_relu2").channels - 1
    seen.clear()
    with selection.hold_trait_notifications():
        selection.layer = "stem_relu"
        selection.channel = 6
        selection.sample = 2
    assert values(selection) | {"layer": "stem_relu", "channel": 6, "sample": 2} == values(selection)
    assert all(layer == "stem_relu" and channel == 6 for _, layer, channel, _ in seen)


def set_at_once(selection, **chosen):
    with selection.hold_trait_notifications():
        for name, value in chosen.items():
            setattr(selection, name, value)


def test_an_impossible_pair_leaves_a_possible_one(session, selection):
    set_at_once(selection, layer="stem_relu", channel=3)
    with pytest.raises(aw.InputError, match="channel=999"):
        set_at_once(selection, layer="block1_relu", channel=999)
    assert 0 <= selection.channel < session.tap(selection.layer).channels
    selection.channel = 1
    assert selection.channel == 1


def test_a_smaller_batch_repairs_the_sample_before_anyone_looks(session):
    session.selection.sample = 4
    seen = []
    session.selection.observe(lambda c: seen.append((session.selection.sample, session.batch_size)))
    session.observe(lambda c: seen.append((session.selection.sample, session.batch_size)), "version")
    session.inputs = session.inputs[:2]
    assert seen and all(sample < size for sample, size in seen)


def test_sessions_do_not_share_a_selection():
    model, images, _ = digits()
    one, two = aw.Session(model, images), aw.Session(model, images)
    one.selection.sample = 3
    assert two.selection.sample == 0


def test_the_layer_shown_first_is_not_the_output_under_another_name():
    words = keras.Input((5,), dtype="int32", name="words")
    y = keras.layers.Embedding(9, 4, name="embed")(words)
    y = keras.layers.Dense(4, activation="relu", name="hidden")(y)
    y = keras.layers.Dense(7, activation="softmax", name="scores")(y)
    decoder = keras.Model(words, y, name="decoder")
    outer = keras.Input((5,), dtype="int32", name="given")
    model = keras.Model(outer, keras.layers.Identity(name="same")(decoder(outer)))
    assert aw.Session(model, tokens(2, 5)).selection.layer == "decoder/hidden"


def test_the_layer_shown_first_has_an_entry_for_each_sample():
    x = keras.Input((6, 4), name="nodes")
    y = keras.layers.Dense(3, name="hidden")(x)
    y = keras.layers.Dense(2, name="turned")(keras.ops.transpose(y, (1, 0, 2)))
    y = keras.ops.sum(y, 0)
    model = keras.Model(x, keras.layers.Dense(2, name="out")(y))
    assert aw.Session(model, batch(3, 6, 4)).selection.layer == "hidden"
