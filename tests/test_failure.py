"""The first number of a training that is not finite: where it came from."""

from __future__ import annotations

import threading

import keras
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.sources import running

from .trainings import KeepsWeights, data, network

X, Y = data()


pytestmark = pytest.mark.usefixtures("no_old_data")


@keras.saving.register_keras_serializable("tests")
class LogOfSum(keras.layers.Layer):
    """Not finite where the sum is not above 0."""

    def call(self, x):
        return x * 0 + keras.ops.log(keras.ops.sum(x, axis=-1, keepdims=True))


def with_logarithm():
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 1), name="image")
    y = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    y = LogOfSum(name="logarithm")(keras.layers.GlobalAveragePooling2D(name="gap")(y))
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax", name="out")(y))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def fitted(model, recorder, x, **given):
    with pytest.warns(RuntimeWarning, match="Not finite at step"):
        model.fit(x, Y, batch_size=8, verbose=0, shuffle=False, callbacks=[recorder], **given)
    return recorder.failure


def test_the_layer_that_made_the_first_nan_is_found():
    x = np.abs(X)
    x[16:24] *= -1  # the ReLUs of the third batch give 0 alone
    model, recorder, kept = with_logarithm(), aw.Recorder(X[:2], share=None), KeepsWeights()
    model.get_layer("conv").set_weights([np.full((3, 3, 1, 4), 0.1), np.zeros(4)])
    with pytest.warns(RuntimeWarning, match="Not finite at step"):
        model.fit(x, Y, batch_size=8, verbose=0, shuffle=False, callbacks=[recorder, kept])
    failure = recorder.failure
    assert (failure.layer, failure.step, failure.epoch, failure.batch) == ("logarithm/~log", 2, 0, 2)
    assert "infinite" in failure.reason or "NaN" in failure.reason
    assert recorder.steps[-1] == 3, "the training did not end"
    np.testing.assert_array_equal(failure.inputs, x[16:24])
    earlier = with_logarithm()
    earlier.set_weights(kept.weights[2])
    pooled = keras.Model(earlier.input, earlier.get_layer("gap").output)(failure.inputs)
    np.testing.assert_allclose(failure.activations["gap"], pooled, rtol=1e-5)


def test_a_failure_opens_at_its_layer_with_the_weights_before_the_step():
    x = np.abs(X)
    x[16:24] *= -1
    model, recorder = with_logarithm(), aw.Recorder(X[:2], share=None)
    model.get_layer("conv").set_weights([np.full((3, 3, 1, 4), 0.1), np.zeros(4)])
    failure = fitted(model, recorder, x)
    session = aw.Session(failure)
    assert session.selection.layer == "logarithm/~log"
    assert (failure.sample, session.selection.sample) == (0, 0)
    np.testing.assert_array_equal(session.inputs, x[16:24])
    np.testing.assert_array_equal(session.activation("gap"), failure.activations["gap"])
    assert not np.isfinite(session.activation("logarithm")).all()
    assert session.graph.nodes
    empty = aw.Failure(3, 0, 3, None, "its batch could not be kept")
    with pytest.raises(aw.ModelError, match="its batch could not be kept"):
        aw.Session(empty)


def test_a_failure_opens_at_the_first_sample_that_is_not_finite():
    x = np.abs(X)
    x[[19, 21]] *= -1
    model = with_logarithm()
    model.get_layer("conv").set_weights([np.full((3, 3, 1, 4), 0.1), np.zeros(4)])
    failure = fitted(model, aw.Recorder(X[:2], share=None), x)
    assert (failure.layer, failure.sample) == ("logarithm/~log", 3)
    assert "first in 'logarithm/~log', sample 3 of the batch: " in str(failure)
    explorer = aw.explore(failure)
    assert (explorer.selection.layer, explorer.selection.sample) == ("logarithm/~log", 3)
    explorer.close()


@pytest.mark.parametrize("on_nonfinite", ["stop", "go on"])
def test_a_loop_of_ones_own_is_not_said_to_end(on_nonfinite):
    model, recorder = network(), aw.Recorder(X[:2], on_nonfinite=on_nonfinite)
    recorder.record(model)
    model.get_layer("conv").bias.assign([np.nan, 0, 0, 0])
    with pytest.warns(RuntimeWarning, match="Not finite at step") as warned:
        recorder.record(model)
    (words,) = [str(w.message) for w in warned if w.category is RuntimeWarning]
    assert "The training" not in words
    is_told = "model.stop_training" in words
    assert is_told == getattr(model, "stop_training", False) == (on_nonfinite == "stop")
    assert words.endswith("Open act_widgets.explore(recorder).")


@keras.saving.register_keras_serializable("tests")
class ScaledByBatch(keras.layers.Layer):
    """In training divides by the deviation over the batch, which may be 0."""

    def call(self, x, training=False):
        return (x - keras.ops.mean(x, 0)) / keras.ops.std(x, 0) if training else x


@keras.saving.register_keras_serializable("tests")
class RarelyInfinite(keras.layers.Layer):
    """In training divides by a number that is 0 for one sample of ten or so."""

    def __init__(self, **given):
        super().__init__(**given)
        self.seeds = keras.random.SeedGenerator(5)

    def call(self, x, training=False):
        if not training:
            return x
        drawn = keras.random.uniform((keras.ops.shape(x)[0], 1), seed=self.seeds)
        return x / keras.ops.maximum(drawn - 0.02, 0)


def in_training_mode(layer):
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 1), name="image")
    y = layer(keras.layers.Dense(4, use_bias=False, name="dense")(keras.layers.Flatten()(x)))
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax", name="out")(y))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def test_a_nan_that_a_layer_makes_in_training_mode_alone():
    x = X.copy()
    x[16:24] = 0
    failure = fitted(in_training_mode(ScaledByBatch(name="scaled")), aw.Recorder(X[:2], share=None), x)
    assert failure.training
    assert failure.layer.startswith("scaled")
    assert (failure.batch, failure.step) == (2, 2)
    assert "in training mode only" in failure.reason
    assert np.isfinite(failure.activations["dense"]).all()
    assert not np.isfinite(failure.activations["scaled"]).any()
    explorer = aw.explore(failure)
    session = explorer.session
    assert (session.selection.layer, session.training) == (failure.layer, True)
    assert "called as in training" in explorer._head.value
    np.testing.assert_array_equal(session.activation("scaled"), failure.activations["scaled"])
    explorer.close()
    with pytest.raises(aw.InputError, match="mode in which it was found"):
        aw.Session(failure, signature="serve")


def test_a_nan_of_one_draw_of_random_numbers_is_found_with_that_draw():
    model, seeds = in_training_mode(RarelyInfinite(name="rare")), []

    class KeepsSeeds(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seeds.append(np.array(model.get_layer("rare").seeds.state))

    recorder = aw.Recorder(X[:2], share=None)
    with pytest.warns(RuntimeWarning, match="Not finite at step"):
        model.fit(X, Y, batch_size=8, epochs=50, verbose=0, callbacks=[recorder, KeepsSeeds()])
    failure = recorder.failure
    assert failure.training
    assert failure.layer.startswith("rare")
    again = keras.random.SeedGenerator(0)
    again.state.assign(seeds[failure.step])
    drawn = keras.random.uniform((8, 1), seed=again)
    is_bad = ~np.isfinite(failure.activations["rare"]).all(1)
    assert is_bad.any()
    np.testing.assert_array_equal(is_bad, np.array(drawn)[:, 0] <= 0.02)


def test_a_nan_of_the_first_step_is_laid_to_the_layer_that_made_it():
    x = np.abs(X)
    x[:8] *= -1
    model = with_logarithm()
    model.get_layer("conv").set_weights([np.full((3, 3, 1, 4), 0.1), np.zeros(4)])
    recorder = aw.Recorder(X[:2])
    failure = fitted(model, recorder, x)
    assert (failure.layer, failure.step) == ("logarithm/~log", 0)
    assert np.isfinite(failure.activations["conv"]).all()


def test_a_batch_that_is_not_finite_itself():
    x = X.copy()
    x[9, 2, 3] = np.nan
    failure = fitted(network(), aw.Recorder(X[:2]), x)
    assert (failure.layer, failure.batch, failure.sample) == (None, 1, 1)
    assert "first in sample 1 of the batch: the batch itself holds 1 NaN or infinite" in str(failure)
    selection = aw.Session(failure).selection
    assert (selection.layer, selection.sample) == ("conv", 1)
    assert aw.Session(failure, X[:1]).selection.sample == 0, "another batch has other samples"


def test_the_epoch_of_a_failure_is_that_of_the_training():
    x = X.copy()
    x[9, 2, 3] = np.nan
    failure = fitted(network(), aw.Recorder(X[:2]), x, initial_epoch=7, epochs=9)
    assert (failure.epoch, failure.batch, failure.step) == (7, 1, 1)


def test_a_loss_that_is_not_finite_alone():
    model = network(loss=lambda y, p: keras.ops.log(keras.ops.sum(p, -1) - 2))
    failure = fitted(model, aw.Recorder(X[:2]), X)
    assert (failure.layer, failure.training) == (None, False)
    assert "in training mode too, so it is the loss itself" in failure.reason


def test_the_training_may_go_on():
    x = X.copy()
    x[0] = np.inf
    recorder = aw.Recorder(X[:2], on_nonfinite="go on", every=1, share=None)
    fitted(network(), recorder, x, epochs=2)
    assert recorder.steps[-1] == 12
    assert recorder.failure.step == 0


@pytest.mark.parametrize("compiled", [{"run_eagerly": True}, {"steps_per_execution": 2}])
def test_other_ways_to_train(compiled):
    x = X.copy()
    x[9, 2, 3] = np.nan
    failure = fitted(network(**compiled), aw.Recorder(X[:2]), x)
    assert failure.batch == 1
    if "run_eagerly" in compiled:
        assert "the batch itself" in failure.reason
    else:
        assert "could not be kept" in failure.reason


def test_two_recorders_of_one_training_both_keep_the_batch():
    x = np.abs(X)
    x[16:24] *= -1
    model, recorders = with_logarithm(), [aw.Recorder(X[:2], share=None), aw.Recorder(X[2:6], share=None)]
    model.get_layer("conv").set_weights([np.full((3, 3, 1, 4), 0.1), np.zeros(4)])
    with pytest.warns(RuntimeWarning, match="Not finite at step"):
        model.fit(x, Y, batch_size=8, verbose=0, shuffle=False, callbacks=recorders)
    for recorder in recorders:
        assert (recorder.failure.layer, recorder.failure.batch) == ("logarithm/~log", 2)
        np.testing.assert_array_equal(recorder.failure.inputs, x[16:24])
    assert "Step" not in type(model.train_function).__name__


def test_two_recorders_leave_the_training_as_it_is():
    alone = network().fit(X, Y, batch_size=16, epochs=2, verbose=0)
    recorders = [aw.Recorder(X[:2], every=1, share=None) for _ in range(2)]
    recorded = network().fit(X, Y, batch_size=16, epochs=2, verbose=0, callbacks=recorders)
    assert recorded.history["loss"] == alone.history["loss"]


class Interrupts(keras.callbacks.Callback):
    """Raises as an interrupt of the kernel does."""

    def __init__(self, error=KeyboardInterrupt, recorder=None):
        super().__init__()
        self.error, self.recorder = error, recorder
        self.over = None

    def on_train_batch_end(self, batch, logs=None):
        if self.recorder is not None:
            self.over = self.recorder._kept._over
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_after_an_interrupted_training_nothing_is_held_in_memory(error):
    model, recorder = network(), aw.Recorder(X[:2], share=None)
    interrupts = Interrupts(error, recorder)
    with pytest.raises(error):
        model.fit(X, Y, verbose=0, callbacks=[recorder, interrupts])
    assert interrupts.over.wait(30), "the last batch stays in memory"
    assert recorder._kept.data is recorder._kept.weights is None
    assert "Step" not in type(model.train_function).__name__


def test_what_is_kept_stays_as_long_as_the_training_goes_on(monkeypatch):
    looks, look = threading.Semaphore(0), running.is_running

    def looked(*given):
        looks.release()
        return look(*given)

    class Waits(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            assert batch != 1 or all(looks.acquire(timeout=30) for _ in range(3))

    monkeypatch.setattr(running, "is_running", looked)

    x = X.copy()
    x[17, 2, 3] = np.nan
    recorder = aw.Recorder(X[:2])
    with pytest.warns(RuntimeWarning, match="Not finite at step"):
        network().fit(x, Y, batch_size=8, verbose=0, shuffle=False, callbacks=[recorder, Waits()])
    assert "the batch itself" in recorder.failure.reason


def test_an_interrupted_training_goes_on_as_before():
    model = network()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0, callbacks=[aw.Recorder(X[:2]), Interrupts()])
    reference = network()
    with pytest.raises(KeyboardInterrupt):
        reference.fit(X, Y, verbose=0, callbacks=[Interrupts()])
    losses = [m.fit(X, Y, verbose=0, epochs=2).history["loss"] for m in (model, reference)]
    assert losses[0] == losses[1]
    model.fit(X, Y, verbose=0, callbacks=[aw.Recorder(X[:2])])
    assert "Step" not in type(model.train_function).__name__


@keras.saving.register_keras_serializable("tests")
class RootOfNothing(keras.layers.Layer):
    """Finite, with a gradient that is not."""

    def call(self, x):
        return x + keras.ops.sqrt(keras.ops.relu(-keras.ops.abs(x)))


def test_weights_that_an_earlier_gradient_made_nan():
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 1), name="image")
    y = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu", name="conv")(x))
    y = RootOfNothing(name="root")(y)
    model = keras.Model(x, keras.layers.Dense(3, activation="softmax", name="out")(y))
    model.compile("sgd", "sparse_categorical_crossentropy")
    failure = fitted(model, aw.Recorder(X[:2], share=None), X)
    assert (failure.layer, failure.batch) == ("conv", 1)
    assert "conv/kernel" in failure.reason
    assert "an earlier step made them so" in failure.reason


def test_weights_that_are_nan_while_the_loss_is_finite():
    class Poisons(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.get_layer("conv").bias.assign([np.nan, 0, 0, 0])

    model = network(loss=lambda y, p: 1.0 + 0.0 * keras.ops.sum(p, -1))
    recorder = aw.Recorder(X[:2], every=1, share=None)
    with pytest.warns(RuntimeWarning, match="Not finite at step"):
        model.fit(X, Y, batch_size=8, verbose=0, callbacks=[Poisons(), recorder])
    assert "conv/bias" in recorder.failure.reason
    assert recorder.steps[-1] == 2


def test_a_failure_is_recorded_once_whatever_is_due(tmp_path):
    x = np.abs(X)
    x[16:24] *= -1
    model = with_logarithm()
    model.get_layer("conv").set_weights([np.full((3, 3, 1, 4), 0.1), np.zeros(4)])
    recorder = aw.Recorder(X[:2], writers=tmp_path, on_write_error="stop")
    fitted(model, recorder, x)
    assert list(recorder.steps) == list(aw.open_recording(tmp_path).steps) == [0, 3]


class CompilesAnew(keras.callbacks.Callback):
    """What people do to thaw layers while they train."""

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1:
            self.model.compile("sgd", "sparse_categorical_crossentropy")
            self.model.make_train_function()


@pytest.mark.parametrize("first", [True, False])
def test_a_model_that_is_compiled_anew_meanwhile_keeps_its_batch(first):
    x = np.abs(X)
    x[24:32] *= -1
    model, recorder = with_logarithm(), aw.Recorder(X[:2], share=None)
    model.get_layer("conv").set_weights([np.full((3, 3, 1, 4), 0.1), np.zeros(4)])
    callbacks = [recorder, CompilesAnew()] if first else [CompilesAnew(), recorder]
    with pytest.warns(RuntimeWarning, match="Not finite at step 3"):
        model.fit(x, Y, batch_size=8, verbose=0, shuffle=False, callbacks=callbacks)
    np.testing.assert_array_equal(recorder.failure.inputs, x[24:32])
    assert recorder.failure.layer.startswith("logarithm")
