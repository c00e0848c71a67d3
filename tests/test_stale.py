"""Weights that change after a look are noticed, and the next look shows new numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.errors import MovedOnError
from act_widgets.widgets.worker import worker_of

layers = keras.layers
X = np.random.default_rng(0).normal(size=(6, 8, 8, 1)).astype("float32")
Y = np.array([0, 1, 2, 0, 1, 2])


def make(dtype: str = "float32") -> keras.Model:
    keras.utils.set_random_seed(1)
    given = keras.Input((8, 8, 1))
    x = layers.BatchNormalization(name="norm", dtype=dtype)(
        layers.Conv2D(4, 3, name="conv", dtype=dtype)(given)
    )
    model = keras.Model(given, layers.Dense(3, "softmax", name="out")(layers.Flatten()(x)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def saved(model: keras.Model, path) -> None:
    other = make()
    other.set_weights([w + 0.5 for w in model.get_weights()])
    other.save_weights(path)
    model.load_weights(path)


CHANGES = {
    "fit": lambda m, path: m.fit(X, Y, verbose=0),
    "train_on_batch": lambda m, path: m.train_on_batch(X, Y),
    "set_weights": lambda m, path: m.set_weights([w + 1 for w in m.get_weights()]),
    "load_weights": lambda m, path: saved(m, path / "new.weights.h5"),
    "one variable": lambda m, path: m.get_layer("conv").bias.assign_add([1.0, 0, 0, 0]),
    "one element": lambda m, path: m.get_layer("conv").bias.value[2].assign(3.0),
    "batch statistics": lambda m, path: m(X, training=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed_and_the_next_look_is_new(change, tmp_path):
    model = make()
    session = aw.Session(model, X)
    old = session.activation("norm").copy()
    assert not session.stale
    CHANGES[change](model, tmp_path)
    assert session.stale
    fresh = aw.capture(model, X)
    for layer in session.layers:
        np.testing.assert_array_equal(session.activation(layer), fresh[layer])
    assert not np.array_equal(session.activation("norm"), old)
    assert not session.stale


def test_what_changes_no_weight_is_not_noticed():
    model = make()
    session = aw.Session(model, X)
    model.predict(X, verbose=0)
    model.evaluate(X, Y, verbose=0)
    model(X)
    session.edit("conv", 0)
    session.attribution(layer="conv", target=1)
    model.set_weights(model.get_weights())
    assert not session.stale
    assert session.stats()["forward_passes"] == 1


def test_a_model_without_weights_is_never_stale():
    given = keras.Input((8, 8, 1))
    session = aw.Session(keras.Model(given, layers.Flatten()(layers.ReLU(name="relu")(given))), X)
    for _ in range(3):
        session.activation("relu")
        assert not session.stale
    assert session.stats()["forward_passes"] == 1


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "bfloat16", "float16"])
def test_other_precisions(dtype):
    model = make(dtype)
    session = aw.Session(model, X)
    assert not session.stale
    model.get_layer("conv").bias.assign([1, 2, 3, 4])
    assert session.stale


def test_once_a_part_was_assigned_later_looks_are_kept_again():
    model = make()
    model.get_layer("conv").bias.value[2].assign(3.0)
    session = aw.Session(model, X)
    session.activation("conv")
    assert not session.stale
    assert session.stats()["forward_passes"] == 1


def test_the_next_choice_in_the_explorer_shows_new_numbers():
    model = make()
    explorer = aw.explore(model, X, layer="conv")
    old = explorer.views.channel_view.array.copy()
    model.fit(X, Y, verbose=0)
    explorer.selection.channel = 1
    assert worker_of(explorer.session).wait()
    expected = aw.capture(model, X, "conv")["conv"][0]
    np.testing.assert_array_equal(explorer.views.channel_view.array, expected[..., 1])
    np.testing.assert_array_equal(explorer.views.feature_maps.array, np.moveaxis(expected, -1, 0))
    np.testing.assert_allclose(explorer.views.predictions.array, model(X)[0], rtol=1e-5)
    explorer.selection.channel = 0
    assert not np.array_equal(explorer.views.channel_view.array, old)
    explorer.close()


def test_gradients_and_maps_follow_too():
    model = make()
    session = aw.Session(model, X)
    before = session.attribution(layer="norm", target=1, sample=0).maps
    model.get_layer("out").kernel.assign(-model.get_layer("out").kernel.value)
    after = session.attribution(layer="norm", target=1, sample=0)
    np.testing.assert_allclose(after.maps, aw.attribute(model, X[:1], layer="norm", target=1).maps, rtol=1e-5)
    assert not np.allclose(before, after.maps)


def test_parts_of_one_map_are_of_the_same_weights():
    model = make()
    session = aw.Session(model, X)
    parts = session.attribution_steps("occlusion", 0, target=1, patch=1, stride=1)
    assert next(parts).share < 1
    model.get_layer("out").kernel.assign(-model.get_layer("out").kernel.value)
    with pytest.raises(MovedOnError, match=r"weights of '.*' changed"):
        list(parts)


@pytest.mark.parametrize(("kind", "from_share"), [("AttributionView", 0.0), ("TrustPanel", 0.5)])
def test_a_view_begins_anew_when_weights_change_while_it_computes(kind, from_share):
    model = make()
    session = aw.Session(model, X)
    assert worker_of(session).wait()
    view = getattr(aw, kind)(session)
    stages, changed = view.stages, []

    def interrupted(key):
        for stage in stages(key):
            yield stage
            if not changed and session.selection.method == "rise" and from_share < stage.share < 0.9:
                out = model.get_layer("out")
                out.kernel.assign(-out.kernel.value)
                changed.append(stage.share)

    view._results._stages = interrupted
    if kind == "TrustPanel":
        view.checks = ("Another class",)
    with session.selection.hold_trait_notifications():
        session.selection.target, session.selection.method = 1, "rise"
        session.selection.parameters = (("masks", 200),)
    assert worker_of(session).wait()
    assert changed and view.is_settled and not session.stale
    expected = aw.attribute(model, X[:1], "rise", target=1, masks=200).maps[0]
    np.testing.assert_allclose(view.array, expected, rtol=1e-5)
    view.close()


def test_another_channel_asks_once_whether_the_weights_changed(monkeypatch):
    explorer = aw.explore(make(), X, layer="conv")
    assert worker_of(explorer.session).wait()
    source, asked = explorer.session.source, []
    version = source.weights_version
    monkeypatch.setattr(source, "weights_version", lambda: asked.append(1) or version())
    explorer.selection.channel = 2
    assert worker_of(explorer.session).wait()
    assert len(asked) == 1
    explorer.close()
