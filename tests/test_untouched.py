"""A model is left as it was found, whatever is asked of it and however it fails."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw

from .some import some
from .zoo import ZOO, arrays_of, batch, build, gradient_of

pytestmark = pytest.mark.usefixtures("no_old_data")
CALLS = {owner: owner.__call__ for owner in (keras.Layer, keras.Operation, type(tf.function(abs)))}


def state_of(model: Any) -> dict[str, Any]:
    """Everything about a model that a person could look at, as plain values."""
    state: dict[str, Any] = {
        "config": json.dumps(model.get_config(), default=str, sort_keys=True) if can_tell(model) else None,
        "losses": [float(value) for value in model.losses],
        "trainable": [weight.path for weight in model.trainable_weights],
        "training": [layer.trainable for layer in model._flatten_layers()],
        "attributes": [sorted(vars(layer)) for layer in model._flatten_layers()],
        "variables": {v.path: (id(v), np.array(v.value).tolist()) for v in model.variables},
    }
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        state["optimizer"] = {v.path: np.array(v.value).tolist() for v in optimizer.variables}
        state["metrics"] = [
            (m.name, [np.array(v.value).tolist() for v in m.variables]) for m in model.metrics
        ]
    return state


def can_tell(model: Any) -> bool:
    return isinstance(model, keras.Sequential) or hasattr(model, "operations")


def ask_everything(model: Any, inputs: Any) -> None:
    aw.capture(model, inputs)
    aw.graph(model, inputs)
    aw.attribute(model, inputs, target=0)
    aw.capture(model, inputs)


class Restless(keras.Model):
    """All that a call can change: seeds, batch statistics, states, losses."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(3)
        self.calls_seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")
        self.conv = layers.Conv1D(3, 2, activity_regularizer="l2", kernel_regularizer="l1", name="conv")
        self.norm = layers.BatchNormalization(name="norm")
        self.drop = layers.Dropout(0.5, name="drop")
        self.memory = layers.LSTM(3, stateful=True, name="memory")
        self.only_in_training = layers.Dense(2, name="auxiliary")
        self.head = layers.Dense(4, activation="softmax", name="head")

    def call(self, x: Any, training: bool = False) -> Any:
        self.calls_seen.assign_add(1.0)
        x = self.drop(self.norm(self.conv(x), training=training), training=training)
        x = x + 0.01 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)
        self.add_loss(keras.ops.mean(x))
        if training:
            self.add_loss(keras.ops.mean(self.only_in_training(x)))
        return self.head(self.memory(x))


@pytest.fixture
def restless() -> tuple[Any, np.ndarray]:
    keras.utils.set_random_seed(2)
    # One sample: the recurrent state is kept for as many, and gradients are asked for each alone.
    model, x = Restless(name="restless"), batch(1, 6, 2)
    model(x)
    return model, x


# --- after questions that were answered ---


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_looking_changes_nothing(name):
    model, x = build(name)
    outputs = arrays_of(model(x, training=False))
    before = state_of(model)
    ask_everything(model, x)
    assert state_of(model) == before
    for now, then in zip(arrays_of(model(x, training=False)), outputs, strict=True):
        np.testing.assert_array_equal(now, then)
    assert all(owner.__call__ is call for owner, call in CALLS.items())


def test_seeds_states_statistics_and_losses_stay(restless):
    model, x = restless
    before = state_of(model)
    assert len(before["losses"]) == 3
    aw.capture(model, x + 1)
    aw.graph(model, x + 1)
    aw.capture(model, x + 1)
    aw.attribute(model, x + 1, target=0)
    assert state_of(model) == before


def test_a_compiled_and_trained_model_stays(restless):
    x = keras.Input((6, 2), name="steps")
    y = layers.BatchNormalization(name="norm")(layers.Conv1D(3, 2, name="conv")(x))
    y = layers.GlobalMaxPooling1D(name="pool")(layers.Dropout(0.5, seed=1, name="drop")(y))
    model = keras.Model(x, layers.Dense(2, activation="softmax", name="out")(y))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(batch(4, 6, 2), np.array([0, 1, 1, 0]))
    before = state_of(model)
    assert before["optimizer"] and before["metrics"]
    ask_everything(model, batch(3, 6, 2, seed=4))
    assert state_of(model) == before


def trained(look: bool) -> list[np.ndarray]:
    keras.utils.set_random_seed(5)
    x = keras.Input((6, 6, 1), name="image")
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, name="conv")(x))
    y = layers.GlobalAveragePooling2D(name="gap")(layers.Dropout(0.5, name="drop")(y))
    model = keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))
    model.compile("adam", "sparse_categorical_crossentropy")
    if look:
        ask_everything(model, batch(2, 6, 6, 1))
    model.fit(batch(8, 6, 6, 1), np.arange(8) % 3, batch_size=4, epochs=1, verbose=0)
    if look:
        ask_everything(model, batch(2, 6, 6, 1))
    model.fit(batch(8, 6, 6, 1), np.arange(8) % 3, batch_size=4, epochs=1, verbose=0)
    return model.get_weights()


def test_training_goes_on_bit_for_bit():
    for looked, alone in zip(trained(look=True), trained(look=False), strict=True):
        np.testing.assert_array_equal(looked, alone)


def test_random_numbers_of_the_process_go_on_as_without_a_look():
    def numbers(look: bool) -> list:
        # Keras 3.12 keeps its own generator beyond a new seed.
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(3)
        model, x = build("subclassed", seed=3)
        model(x)
        if look:
            ask_everything(model, x)
        drawn = [tf.random.uniform(()).numpy(), keras.random.uniform(()).numpy()]
        return [float(number) for number in drawn]

    assert numbers(look=True) == numbers(look=False)


def test_a_saved_model_is_the_same_after_a_look(tmp_path):
    model, x = build("functional_sum")
    model.save(tmp_path / "before.keras")
    ask_everything(model, x)
    model.save(tmp_path / "after.keras")
    before, after = (keras.models.load_model(tmp_path / f"{when}.keras") for when in ("before", "after"))
    assert after.to_json() == before.to_json()
    np.testing.assert_array_equal(after(x), before(x))


def test_a_layer_added_later_is_named_as_without_a_look():
    def name_of_the_next(look: bool) -> str:
        keras.utils.clear_session()
        model, x = build("functional_sum")
        if look:
            ask_everything(model, x)
        return layers.Dense(2).name

    assert name_of_the_next(look=True) == name_of_the_next(look=False)


def test_a_compiled_call_keeps_counting_after_a_look():
    class Counts(keras.Model):
        def __init__(self):
            super().__init__()
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)
            self.dense = layers.Dense(2, name="dense")

        @tf.function
        def call(self, x):
            self.count.assign_add(1.0)
            return self.dense(x)

    model, x = Counts(), batch(2, 3)
    model.dense.build((None, 3))
    aw.graph(model, x)
    aw.capture(model, x)
    start = float(model.count.value)
    model(x)
    model(x)
    assert float(model.count.value) == start + 2


def test_models_are_let_go():
    model, x = build("functional_sum")
    session = aw.Session(model, x)
    session.attribution()
    assert session.graph.nodes
    gone = weakref.ref(model)
    del model, session
    gc.collect()
    assert gone() is None


# --- after failures ---


class Breaks(Restless):
    """Fails in the middle of its call, when told to."""

    broken_when = ""

    def call(self, x: Any, training: bool = False) -> Any:
        self.add_loss(keras.ops.mean(x))
        y = self.conv(x)
        self.calls_seen.assign_add(1.0)
        y = y + keras.random.normal(keras.ops.shape(y), seed=self.seeds)
        y = self.memory(y)
        if self.broken_when == ("eager" if tf.executing_eagerly() else "traced"):
            raise ZeroDivisionError("the model's own fault")
        return self.head(y)


@pytest.mark.parametrize("when", ["eager", "traced"])
def test_a_call_that_raises_in_the_middle_leaves_the_model_as_it_was(when):
    model, x = Breaks(name="breaks"), batch(3, 6, 2)
    model(x)
    model.broken_when = when
    before = state_of(model)
    if when == "eager":
        with pytest.raises(aw.ActWidgetsError, match="the model's own fault"):
            ask_everything(model, x + 1)
    else:  # what can't be traced is called anew
        ask_everything(model, x + 1)
    assert state_of(model) == before
    assert all(owner.__call__ is call for owner, call in CALLS.items())
    model.broken_when = ""
    assert "memory" in aw.capture(model, x)
    assert aw.graph(model, x).nodes
    assert state_of(model) == before


def test_a_name_that_tensorflow_refuses_does_not_stay_in_the_names_of_later_weights():
    x = keras.Input((6, 6, 1), name="image")
    y = layers.Flatten(name="flat")(layers.Conv2D(2, 3, name="étage 1")(x))
    model = keras.Model(x, layers.Dense(2, name="out")(y))
    assert aw.graph(model, batch(1, 6, 6, 1)).nodes[1].address == "étage 1"
    later = layers.Dense(1, name="later")
    later.build((None, 2))
    assert later.kernel.path == "later/kernel"


# --- beside other threads ---


def test_a_model_called_by_another_thread_is_neither_recorded_nor_held_back():
    def train_other() -> None:
        other(batch(4, 3), training=True)

    class Waits(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(3, name="first"), layers.Dense(2, name="second")

        def call(self, x):
            y = self.first(x)
            thread = threading.Thread(target=train_other)
            thread.start()
            thread.join()
            return self.second(y)

    other = keras.Sequential([keras.Input((3,)), layers.BatchNormalization(name="norm")], name="other")
    model, x = Waits(), batch(2, 3)
    model(x)
    means = np.array(other.layers[0].moving_mean.value)
    assert list(aw.capture(model, x)) == ["first", "second"]
    after_one = np.array(other.layers[0].moving_mean.value)
    assert np.abs(after_one - means).max() > 1e-4
    assert [node.address for node in aw.graph(model, x).nodes if node.kind == "Dense"] == ["first", "second"]
    assert np.abs(np.array(other.layers[0].moving_mean.value) - after_one).max() > 1e-4


def test_two_threads_look_at_two_models_at_once():
    both_inside = threading.Barrier(2, timeout=60)

    class Meets(keras.Model):
        def __init__(self, prefix):
            super().__init__()
            self.first = layers.Dense(3, name=f"{prefix}_first")
            self.second = layers.Dense(2, name=f"{prefix}_second")
            self.meet = False

        def call(self, x):
            y = self.first(x)
            if self.meet and tf.executing_eagerly():
                both_inside.wait()
            return self.second(y)

    models = {name: Meets(name) for name in ("one", "two")}
    found: dict[str, Any] = {}

    def look(name: str) -> None:
        found[name] = aw.capture(models[name], batch(2, 4, seed=len(name)))

    for model in models.values():
        model(batch(2, 4))
        model.meet = True
    threads = [threading.Thread(target=look, args=(name,)) for name in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, model in models.items():
        assert list(found[name]) == [f"{name}_first", f"{name}_second"]
        np.testing.assert_allclose(
            found[name][f"{name}_first"], model.first(batch(2, 4, seed=3)), rtol=1e-5, atol=1e-6
        )
    assert all(owner.__call__ is call for owner, call in CALLS.items())


def trained_beside(
    look: Callable[[Any], None] | None, run_eagerly: bool
) -> tuple[list[np.ndarray], list[float]]:
    """Train in a thread of its own; look from this one until it is done. Return weights and losses."""
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(5)
    x = keras.Input((6,), name="x")
    y = layers.BatchNormalization(name="norm")(layers.Dense(5, activity_regularizer="l2", name="dense")(x))
    y = layers.Dropout(0.3, seed=4, name="drop")(y)
    model = keras.Model(x, layers.Dense(3, activation="softmax", name="out")(y))
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
    losses: list[float] = []

    def train() -> None:
        history = model.fit(
            batch(32, 6), np.arange(32) % 3, batch_size=4, epochs=12, verbose=0, shuffle=False
        )
        losses.extend(history.history["loss"])

    thread = threading.Thread(target=train)
    thread.start()
    while look is not None and thread.is_alive():
        look(model)
    thread.join()
    return model.get_weights(), losses


@pytest.mark.parametrize("run_eagerly", [False, True], ids=["compiled", "eager"])
def test_a_training_in_another_thread_goes_on_bit_for_bit(run_eagerly):
    looks = []

    def look(model: Any) -> None:
        session = aw.Session(model, batch(3, 6))
        session.edit("dense", 0)
        gradient_of(session, "dense", 0, 1)
        aw.Session(model, batch(3, 6), training=True).outputs()
        looks.append(session.stats())

    beside, alone = (trained_beside(each, run_eagerly) for each in (look, None))
    assert len(looks) > 2
    assert beside[1] == alone[1]
    for looked, expected in zip(beside[0], alone[0], strict=True):
        np.testing.assert_array_equal(looked, expected)


def test_what_is_known_is_looked_up_while_a_model_is_traced():
    reached, go_on = threading.Event(), threading.Event()

    class Waits(keras.Model):
        def __init__(self):
            super().__init__(name="waits")
            self.dense = layers.Dense(2, name="dense")
            self.waits = False

        def call(self, x):
            if self.waits and not tf.executing_eagerly():
                reached.set()
                assert go_on.wait(60)
            return self.dense(x)

    model, x = Waits(), batch(2, 3)
    session = aw.Session(model, x)
    model.waits = True
    thread = threading.Thread(target=lambda: session.graph)
    thread.start()
    assert reached.wait(60)
    assert not session.stale
    np.testing.assert_allclose(session.activation("dense"), model.dense(x), rtol=1e-5, atol=1e-6)
    other, y = build("one_unit")
    assert aw.Session(other, y).outputs().shape == (3, 1)
    go_on.set()
    thread.join()


def test_many_threads_look_at_one_model_at_once():
    model, x = build("nested_two_deep")
    expected = aw.capture(model, x)
    before = state_of(model)
    faults: list[str] = []

    def look(name: str) -> None:
        session = aw.Session(model, x)
        session.edit(name, 0)
        gradient_of(session, name, 1, 2)
        if not np.allclose(session.activation(name), expected[name], rtol=1e-4, atol=1e-6):
            faults.append(name)

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(look, name) for name in [*expected] * 4]
    assert [future.result() for future in asked] == [None] * len(asked)
    assert not faults
    assert state_of(model) == before
    assert all(owner.__call__ is call for owner, call in CALLS.items())
