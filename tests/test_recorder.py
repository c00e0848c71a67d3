"""What a model does while it trains, recorded step by step."""

from __future__ import annotations

import copy
import itertools
import json
import re
import time
import warnings

import keras
import numpy as np
import prometheus_client
import pytest
import tensorflow as tf

import act_widgets as aw
from act_widgets.recording import callback as recorder_module
from act_widgets.recording.pace import GRACE, Holding, Pace
from act_widgets.sources.norms import l2_norm

from .trainings import KeepsWeights, data, network

pytestmark = pytest.mark.usefixtures("no_old_data")
X, Y = data()
PROBE, TARGETS = X[:5], Y[:5]


def trained(recorder, epochs=2, **given):
    model, kept = network(), KeepsWeights()
    model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, callbacks=[recorder, kept], **given)
    return model, kept


def as_it_was(weights):
    model = network()
    model.set_weights(weights)
    return model


def test_records_are_what_the_model_computed_at_their_step():
    recorder = aw.Recorder(PROBE, every=2, share=None)
    _, kept = trained(recorder)
    assert list(recorder.steps) == [0, 2, 4, 6]
    for step in recorder.steps:
        record, model = recorder.read(step), as_it_was(kept.weights[step])
        x = PROBE
        for layer in model.layers:
            x = layer(x)
            np.testing.assert_allclose(record.activations[layer.name], x, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(record.output, x, rtol=1e-5, atol=1e-6)


def test_gradients_are_those_of_the_loss():
    recorder = aw.Recorder(PROBE, every=3, targets=TARGETS, share=None)
    _, kept = trained(recorder)
    assert "sparse_categorical_crossentropy" in recorder.about.explained
    for step in recorder.steps:
        model = as_it_was(kept.weights[step])
        with tf.GradientTape() as tape:
            hidden = model.layers[0](PROBE)
            tape.watch(hidden)
            output = hidden
            for layer in model.layers[1:]:
                output = layer(output)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(TARGETS, output))
        expected = tape.gradient(loss, hidden)
        np.testing.assert_allclose(recorder.read(step).gradients["conv"], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("loss", ["mse", keras.losses.CategoricalCrossentropy(label_smoothing=0.1)])
def test_gradients_of_other_losses(loss):
    targets = np.eye(3, dtype="float32")[TARGETS]
    recorder = aw.Recorder(PROBE, targets=targets)
    model = network(loss=loss)
    model.fit(X, np.eye(3)[Y], epochs=1, verbose=0, callbacks=[recorder])
    flat = model.layers[1](model.layers[0](PROBE))
    with tf.GradientTape() as tape:
        tape.watch(flat)
        total = tf.reduce_mean(keras.losses.get(loss)(targets, model.layers[3](flat)))
    last = recorder.read(recorder.steps[-1])
    np.testing.assert_allclose(last.gradients["flat"], tape.gradient(total, flat), rtol=1e-3, atol=1e-7)


def test_gradients_leave_out_what_the_loss_masks():
    keras.utils.set_random_seed(0)
    words = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 0, 0]])
    targets = np.array([[0, 1, 2, 0, 1], [2, 1, 0, 0, 0]])
    given = keras.Input((5,), dtype="int32", name="words")
    embedded = keras.layers.Embedding(10, 4, mask_zero=True, name="embedded")(given)
    hidden = keras.layers.Dense(6, name="hidden")(embedded)
    model = keras.Model(given, keras.layers.Dense(3, activation="softmax", name="out")(hidden))
    model.compile("sgd", "sparse_categorical_crossentropy")
    recorder = aw.Recorder(words, targets=targets)
    found = recorder.record(model).gradients["hidden"]
    values, counts = model.get_layer("hidden")(model.get_layer("embedded")(words)), tf.constant(words > 0)
    with tf.GradientTape() as tape:
        tape.watch(values)
        answers = model.get_layer("out")(tf.identity(values))
        losses = keras.losses.sparse_categorical_crossentropy(targets, answers)
        loss = tf.reduce_mean(tf.boolean_mask(losses, counts))
    np.testing.assert_allclose(found, tape.gradient(loss, values), rtol=1e-4, atol=1e-7)
    assert not found[words == 0].any()


def two_headed(wanted):
    keras.utils.set_random_seed(0)
    x = keras.Input((6, 6, 1), name="image")
    shared = keras.layers.Flatten(name="flat")(keras.layers.Conv2D(4, 3, activation="tanh", name="conv")(x))
    ends = {
        "kind": keras.layers.Dense(3, activation="softmax", name="kind")(shared),
        "size": keras.layers.Dense(1, name="size")(shared),
        "flag": keras.layers.Dense(2, activation="sigmoid", name="flag")(shared),
    }
    return keras.Model(x, ends if wanted is dict else list(ends.values()))


TWO_HEADED = {
    "kind": Y,
    "size": X.mean((1, 2, 3))[:, None],
    "flag": np.stack([Y == 0, Y > 1], 1).astype("float32"),
}
LOSSES = {"kind": "sparse_categorical_crossentropy", "size": "mse", "flag": "binary_crossentropy"}
WEIGHTS = {"kind": 1.0, "size": 3.0, "flag": 0.5}


@pytest.mark.parametrize(
    ("outputs_as", "targets_as", "loss_as"),
    # Keras takes no lists of targets or losses for a dictionary of outputs.
    [(dict, dict, dict), *itertools.product([list], [list, dict], [list, dict])],
)
def test_gradients_are_those_of_the_losses_of_all_outputs(outputs_as, targets_as, loss_as):
    model = two_headed(outputs_as)
    loss, weights, y = (
        given if kind is dict else list(given.values())
        for given, kind in ((LOSSES, loss_as), (WEIGHTS, loss_as), (TWO_HEADED, targets_as))
    )
    model.compile("adam", loss, loss_weights=weights)
    targets = keras.tree.map_structure(lambda array: array[:5], y)
    recorder = aw.Recorder(PROBE, targets=targets)
    model.fit(X, y, epochs=1, verbose=0, callbacks=[recorder])
    heads = [model.get_layer(name) for name in TWO_HEADED]
    flat = model.get_layer("flat")(model.get_layer("conv")(PROBE))
    with tf.GradientTape() as tape:
        tape.watch(flat)
        total = sum(
            WEIGHTS[head.name]
            * tf.reduce_mean(keras.losses.get(LOSSES[head.name])(TWO_HEADED[head.name][:5], head(flat)))
            for head in heads
        )
    last = recorder.read(recorder.steps[-1])
    np.testing.assert_allclose(last.gradients["flat"], tape.gradient(total, flat), rtol=1e-3, atol=1e-6)
    assert all(name in recorder.about.explained for name in LOSSES.values())


def test_one_loss_of_several_outputs_and_a_loss_of_one_of_them():
    x = keras.Input((3,), name="x")
    model = keras.Model(x, [keras.layers.Dense(2, name="a")(x), keras.layers.Dense(2, name="b")(x)])
    inputs, y = np.ones((4, 3), "float32"), [np.zeros((4, 2)), np.ones((4, 2))]
    for loss in ("mse", ["mse", None]):
        model.compile("sgd", loss)
        recorder = aw.Recorder(inputs, targets=y)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gradients do not exist")  # Keras, of b's weights
            model.fit(inputs, y, verbose=0, callbacks=[recorder])
        last = recorder.read(recorder.steps[-1])
        slopes = [2 * (last.activations[name] - t) / 8 for name, t in zip("ab", y, strict=True)]
        np.testing.assert_allclose(last.gradients["a"], slopes[0], rtol=1e-5)
        if loss == "mse":
            np.testing.assert_allclose(last.gradients["b"], slopes[1], rtol=1e-5)
        else:
            assert "b" not in last.gradients


def test_targets_that_do_not_fit_are_told_when_the_training_begins():
    model = two_headed(list)
    model.compile("adam", list(LOSSES.values()))
    with pytest.raises(aw.InputError, match="what fit takes"):
        model.fit(X, list(TWO_HEADED.values()), verbose=0, callbacks=[aw.Recorder(PROBE, targets=TARGETS)])
    with pytest.raises(aw.InputError, match=re.escape("model.compile(loss=...)")):
        aw.Recorder(PROBE, targets=TARGETS).record(two_headed(list))


def test_another_loss_between_two_trainings_is_noticed(tmp_path):
    writers = [aw.NpyLog(tmp_path / "npy"), aw.ZarrLog(tmp_path / "zarr")]
    model, one_hot = network(), np.eye(3, dtype="float32")[Y]
    model.compile("adam", "mse")
    recorder = aw.Recorder(PROBE, targets=one_hot[:5], writers=writers)
    model.fit(X, one_hot, batch_size=16, verbose=0, callbacks=[recorder])
    for loss in ("mse", "mae"):
        model.compile("sgd", loss)
        model.fit(X, one_hot, batch_size=16, verbose=0, callbacks=[recorder])
    last = recorder.read(recorder.steps[-1])
    np.testing.assert_allclose(last.gradients["out"], np.sign(last.output - one_hot[:5]) / 15, rtol=1e-4)
    words = "the loss 'mse' of the probe batch, and from step 6 on the loss 'mae'"
    for about in (recorder.about, *(writer.recording.about for writer in writers)):
        assert about.explained == words
    assert [list(w.recording.steps) for w in writers] == [list(recorder.steps)] * 2


def test_without_targets_gradients_are_those_of_the_first_class():
    recorder = aw.Recorder(PROBE)
    model, _ = trained(recorder, epochs=1)
    assert "first" in recorder.about.explained
    assert "softmax" in recorder.about.explained
    record = recorder.read(recorder.steps[-1])
    kernel = model.get_layer("out").kernel.numpy()
    expected = kernel[:, record.output.argmax(-1)].T  # of a logit with respect to what its layer is given
    np.testing.assert_allclose(record.gradients["flat"], expected, rtol=1e-5)


def test_summaries_are_the_numbers_of_the_arrays():
    recorder = aw.Recorder(PROBE, targets=TARGETS)
    model, _ = trained(recorder)
    record = recorder.read(recorder.steps[-1])
    conv, summary = record.activations["conv"], record.summaries["conv"]
    numbers = conv.mean(), conv.std(), conv.min(), conv.max()
    np.testing.assert_allclose(summary[:4], numbers, rtol=1e-5)
    assert summary.zeros == pytest.approx((conv == 0).mean())
    assert summary.dead == pytest.approx((conv == 0).all((0, 1, 2)).mean())
    assert (summary.nan, summary.infinite) == (0, 0)
    assert summary.gradient_norm == pytest.approx(np.linalg.norm(record.gradients["conv"]), rel=1e-5)
    weights = np.concatenate([w.ravel() for w in model.get_layer("conv").get_weights()])
    assert summary.weight_norm == pytest.approx(np.linalg.norm(weights), rel=1e-5)
    assert record.summaries["flat"].weight_norm is None


def test_the_training_is_the_same_with_and_without():
    alone = network().fit(X, Y, batch_size=16, epochs=3, verbose=0)
    model = network()
    recorder = aw.Recorder(PROBE, every=1, targets=TARGETS, share=None)
    step = model.train_function
    recorded = model.fit(X, Y, batch_size=16, epochs=3, verbose=0, callbacks=[recorder])
    assert recorded.history["loss"] == alone.history["loss"]
    assert step is None
    assert "_Step" not in type(model.train_function).__name__
    assert len(recorder.steps) == 10


def test_every_epoch_and_what_keras_reports():
    recorder = aw.Recorder(PROBE)
    model = network(metrics=["accuracy"])
    history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[recorder], validation_data=(X, Y)).history
    records = [recorder.read(step) for step in recorder.steps]
    assert [record.epoch for record in records] == [0, 1, 2, 3]
    assert [r.logs["val_loss"] for r in records[1:]] == history["val_loss"]
    assert [r.logs["accuracy"] for r in records[1:]] == history["accuracy"]
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(records))


def test_epochs_are_counted_from_the_first_of_the_training():
    recorder, model = aw.Recorder(PROBE), network()
    model.fit(X, Y, initial_epoch=3, epochs=5, verbose=0, callbacks=[recorder])
    assert [recorder.read(step).epoch for step in recorder.steps] == [3, 4, 5]
    model.fit(X, Y, initial_epoch=5, epochs=6, verbose=0, callbacks=[recorder])
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[recorder])
    assert [recorder.read(step).epoch for step in recorder.steps] == [3, 4, 5, 6, 7]


def test_weights_that_are_loaded_when_the_training_begins_are_those_of_step_0():
    class Loads(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.get_layer("out").bias.assign([5.0, 0.0, 0.0])

    recorder = aw.Recorder(PROBE)
    network().fit(X, Y, verbose=0, callbacks=[recorder, Loads()])
    assert (recorder.read(0).output.argmax(-1) == 0).all()


def test_chosen_layers_and_summaries_alone():
    recorder = aw.Recorder(PROBE, layers=["conv", "out"], keep="summaries")
    trained(recorder)
    record = recorder.read(recorder.steps[-1])
    assert list(record.summaries) == ["conv", "out"] == list(recorder.about.taps)
    assert not record.activations


def test_steps_go_on_in_a_second_fit():
    recorder = aw.Recorder(PROBE, every=3, share=None)
    model, _ = trained(recorder, epochs=1)
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0, callbacks=[recorder])
    assert list(recorder.steps) == [0, 3, 6]
    with pytest.raises(aw.InputError, match="one model"):
        network().fit(X, Y, verbose=0, callbacks=[recorder])


def test_loops_of_ones_own(tmp_path):
    model, recorder = network(), aw.Recorder(PROBE, layers="out", writers=tmp_path)
    before = recorder.record(model)
    np.testing.assert_allclose(before.activations["out"], model(PROBE), rtol=1e-5)
    for step in (10, 20):
        model.train_on_batch(X, Y)
        record = recorder.record(model, step)
        np.testing.assert_allclose(record.activations["out"], model(PROBE), rtol=1e-5)
    assert list(aw.open_recording(tmp_path).steps) == [0, 10, 20]
    assert abs(aw.open_recording(tmp_path).read(20).time - time.time()) < 60
    with pytest.raises(aw.InputError, match="step=20 after 20"):
        recorder.record(model, 20)


def test_loops_of_ones_own_that_tell_keras_callbacks():
    model, recorder = network(), aw.Recorder(PROBE, every=2, share=None)
    callbacks = keras.callbacks.CallbackList([recorder], model=model)
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for batch in range(3):
            callbacks.on_train_batch_begin(batch)
            loss = model.train_on_batch(X[:8], Y[:8], return_dict=True)
            callbacks.on_train_batch_end(batch, loss)
        callbacks.on_epoch_end(epoch)
    callbacks.on_train_end()
    assert list(recorder.steps) == [0, 2, 4, 6]
    np.testing.assert_allclose(recorder.read(6).activations["out"], model(PROBE), rtol=1e-5)


def test_several_steps_in_one_execution():
    recorder = aw.Recorder(PROBE, every=2, share=None)
    model = network(steps_per_execution=3)
    model.fit(X, Y, batch_size=8, epochs=1, verbose=0, callbacks=[recorder])
    assert list(recorder.steps) == [0, 3, 6]


def test_a_model_that_was_never_built():
    model = keras.Sequential(
        [keras.layers.Dense(4, activation="relu"), keras.layers.Dense(3, activation="softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    recorder = aw.Recorder(X[:2, :, 0, 0])
    model.fit(X[:, :, 0, 0], Y, verbose=0, callbacks=[recorder])
    assert [a.shape for a in recorder.read(0).activations.values()] == [(2, 4), (2, 3)]


def test_memory_is_bounded_and_keeps_first_and_last():
    recorder = aw.Recorder(PROBE, every=1, share=None, max_bytes=60_000)
    trained(recorder, epochs=10)
    sizes = [sum(a.nbytes for a in recorder.read(s).activations.values()) for s in recorder.steps]
    assert sum(sizes) <= 60_000
    steps = list(recorder.steps)
    assert (steps[0], steps[-1]) == (0, 30)
    assert len(steps) > 2
    assert len(set(np.diff(steps[:-1]))) == 1


def test_records_are_left_out_rather_than_take_more_than_their_share():
    pace, clock = Pace(0.1), 0.0
    for _ in range(1000):
        clock += 0.1
        if pace.allows(clock):
            pace.took(0.05)
            clock += 0.05
    assert 0.09 < pace.measured(clock) <= 0.1
    assert pace.taken + pace.skipped == 1000


def test_weights_are_held_as_often_as_the_steps_allow():
    def held(share, free, extra):
        holding, count = Holding(share), 0
        for _ in range(400):
            due = holding.is_due()
            holding.took(due, free + extra * due)
            count += due
        return count

    assert held(None, 1.0, 5.0) == 400
    assert held(0.01, 1.0, 0.0) > 340
    assert 0.5 * 4 <= held(0.01, 1.0, 1.0) <= 4 + 10, (
        "of each hundredth step, and those that it was measured by"
    )


def test_records_that_hold_no_arrays_are_bounded_too():
    recorder = aw.Recorder(PROBE, keep="summaries", max_bytes=20_000)
    model = network()
    for _ in range(100):
        recorder.record(model)
    assert len(recorder.steps) <= 10


def test_a_training_that_was_interrupted_goes_on_to_be_recorded():
    class Interrupts(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    model, recorder = network(), aw.Recorder(PROBE, every=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=16, verbose=0, callbacks=[recorder, Interrupts()])
    assert recorder._elapsed > 0
    seconds = [recorder.read(step).seconds for step in recorder.steps]
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=[recorder])
    assert [recorder.read(step).seconds for step in recorder.steps] > seconds
    assert list(recorder.steps) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("is_size_known", [True, False])
def test_steps_that_the_data_has_no_batch_for_are_not_counted(is_size_known):
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    if not is_size_known:
        batches = batches.filter(lambda x, y: True)
    recorder = aw.Recorder(PROBE, share=None)
    model = network(steps_per_execution=4)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data")  # Keras, of data of unknown size
        model.fit(batches, epochs=2, shuffle=False, verbose=0, callbacks=[recorder])
    assert list(recorder.steps) == [0, 6, 12]
    assert int(model.optimizer.iterations.numpy()) == 12


def test_a_log_serves_one_recorder(tmp_path):
    log = aw.NpyLog(tmp_path)
    trained(aw.Recorder(PROBE, writers=log), epochs=2)
    with pytest.warns(RuntimeWarning, match="a NpyLog, and a folder, for each recorder"):
        trained(aw.Recorder(PROBE, writers=log), epochs=1)
    assert list(aw.open_recording(tmp_path).steps) == [0, 3, 6]


def test_labels_may_be_an_array():
    recorder = aw.Recorder(PROBE, labels=np.array([3, 4, 5]))
    trained(recorder, epochs=1)
    assert list(recorder.about.labels) == ["3", "4", "5"]


def test_a_short_training_is_recorded_all_the_same():
    pace = Pace(0.05)
    assert all(pace.allows(0.2 * step + pace.spent) for step in range(4) if pace.took(GRACE / 5) is None)


@pytest.fixture
def clock(monkeypatch):
    """The recorder's clock, which goes as it does; a test puts it forward by so many seconds."""
    forward = []
    monkeypatch.setattr(recorder_module, "perf_counter", lambda: time.perf_counter() + sum(forward))
    return forward


class Slow:
    """A writer that takes long."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.count = clock, seconds, 0

    def open(self, about):
        pass

    def write(self, record):
        self.clock.append(self.seconds)
        self.count += 1

    def close(self):
        pass


def test_many_short_trainings_share_the_time_that_records_may_take(clock):
    slow = Slow(clock, GRACE * 0.6)
    recorder, model = aw.Recorder(PROBE, every=2, writers=slow), network()
    for _ in range(6):
        model.fit(X, Y, batch_size=16, verbose=0, callbacks=[recorder])
    # Step 0 comes before the training; another one, or two on a slow machine, is all that there is time for.
    assert slow.count <= 3
    assert "left out for lack of time" in recorder.report()


def test_what_finding_a_failure_takes_is_counted(monkeypatch, clock):
    find = recorder_module.find_failure

    def slowly(*given):
        clock.append(1)
        return find(*given)

    monkeypatch.setattr(recorder_module, "find_failure", slowly)
    x = X.copy()
    x[0] = np.nan
    recorder = aw.Recorder(PROBE, every=1, on_nonfinite="go on")
    with pytest.warns(RuntimeWarning, match="Not finite"):
        network().fit(x, Y, batch_size=16, epochs=2, verbose=0, shuffle=False, callbacks=[recorder])
    assert list(recorder.steps) == [0, 1]
    assert recorder._pace.spent >= 1


def test_a_copy_records_another_training_with_the_same_settings(tmp_path):
    given = [
        aw.NpyLog(tmp_path / "npy"),
        aw.ZarrLog(tmp_path / "zarr", overwrite=True),
        aw.EventFiles(tmp_path / "events", format="tf1", images=False),
        aw.PrometheusMetrics(0),
    ]
    recorder = aw.Recorder(PROBE, every=3, targets=TARGETS, writers=given, labels=["a", "b", "c"], share=None)
    copied = copy.deepcopy([recorder])[0]
    trained(copied, epochs=1)
    assert (list(copied.steps), list(recorder.steps)) == ([0, 3], [])
    assert list(copied.about.labels) == ["a", "b", "c"]
    for place in ("npy", "zarr"):
        assert list(aw.open_recording(tmp_path / place).steps) == [0, 3]
    assert len(list((tmp_path / "events").iterdir())) == 1
    with pytest.raises(aw.InputError, match="before it records"):
        copy.deepcopy(copied)
    with pytest.raises(aw.InputError, match="There is a recording already"):
        trained(recorder, epochs=1)
    assert list(recorder.steps) == []


def test_writers_that_have_begun_are_copied_as_new_ones(tmp_path):
    registry = prometheus_client.CollectorRegistry()
    metrics = aw.PrometheusMetrics(registry=registry)
    events = aw.EventFiles(tmp_path, format="tf1")
    trained(aw.Recorder(PROBE, writers=[metrics, events]), epochs=1)
    assert copy.deepcopy(metrics).registry is registry
    copied = copy.deepcopy(events)
    assert (copied.folder, copied.format, copied.images) == (tmp_path, "tf1", True)


def test_npy_files_hold_what_was_recorded(tmp_path):
    recorder = aw.Recorder(PROBE, writers=tmp_path / "log", targets=TARGETS, labels=["a", "b", "c"])
    trained(recorder)
    read = aw.open_recording(tmp_path / "log")
    assert list(read.steps) == list(recorder.steps)
    assert read.about.taps == recorder.about.taps
    assert list(read.about.labels) == ["a", "b", "c"]
    np.testing.assert_array_equal(*read.about.inputs.values(), PROBE)
    for step in read.steps:
        ours, theirs = recorder.read(step), read.read(step)
        assert (ours.epoch, ours.logs, ours.summaries) == (theirs.epoch, dict(theirs.logs), theirs.summaries)
        for kind in ("activations", "gradients"):
            arrays = getattr(theirs, kind)
            assert list(arrays) == list(getattr(ours, kind))
            for address, array in getattr(ours, kind).items():
                np.testing.assert_array_equal(arrays[address], array)
    lines = (tmp_path / "log" / "index.jsonl").read_text().splitlines()
    file = json.loads(lines[-1])["activations"]["conv"]
    np.testing.assert_array_equal(np.load(tmp_path / "log" / file), ours.activations["conv"])


def test_npy_logs_are_not_written_over(tmp_path):
    trained(aw.Recorder(PROBE, writers=aw.NpyLog(tmp_path)), epochs=1)
    before = len(aw.open_recording(tmp_path).steps)
    for on_write_error in ("go on", "stop"):
        recorder = aw.Recorder(PROBE, writers=aw.NpyLog(tmp_path), on_write_error=on_write_error)
        model, seen = network(), KeepsWeights()
        with pytest.raises(aw.InputError, match="overwrite=True"):
            model.fit(X, Y, epochs=3, verbose=0, callbacks=[recorder, seen])
        assert len(seen.weights) <= 1, "a step was made"
        assert list(recorder.steps) == []
    assert len(aw.open_recording(tmp_path).steps) == before
    trained(aw.Recorder(PROBE, writers=aw.NpyLog(tmp_path, overwrite=True)), epochs=3)
    assert len(aw.open_recording(tmp_path).steps) == before + 2


def test_another_model_with_the_writer_of_the_first_ends_before_it_begins(tmp_path):
    log = aw.NpyLog(tmp_path)
    trained(aw.Recorder(PROBE, writers=log), epochs=1)
    with pytest.raises(aw.InputError, match="comes behind"):
        trained(aw.Recorder(PROBE, layers="conv", writers=log), epochs=1)


def test_a_report_names_writers_that_were_given_up(tmp_path):
    (tmp_path / "run").write_text("mine")
    recorder = aw.Recorder(PROBE, writers=[tmp_path / "run", tmp_path / "log"])
    with pytest.warns(RuntimeWarning, match="can't be written"):
        trained(recorder, epochs=1)
    report = recorder.report()
    assert f"NpyLog('{tmp_path / 'run'}') is given nothing more since step 0: " in report
    assert "can't be written" in report
    assert str(tmp_path / "log") not in report
    assert list(aw.open_recording(tmp_path / "log").steps) == list(recorder.steps)


def test_norms_of_huge_numbers_are_finite():
    model = network()
    model.get_layer("conv").set_weights([np.full((3, 3, 1, 4), 2e25), np.full(4, 3e30)])
    recorder = aw.Recorder(PROBE, layers="conv", gradients=False)
    record = recorder.record(model)  # no warning
    assert recorder.failure is None
    assert record.summaries["conv"].weight_norm == pytest.approx(np.sqrt(36 * 2e25**2 + 4 * 3e30**2))


@pytest.mark.parametrize(
    ("arrays", "norm"),
    [
        ([[3.0], [4.0]], 5),
        ([[[3e30, 4e30]]], 5e30),
        ([np.array([3e200, 4e200])], 5e200),
        ([np.array([3e4, 4e4], np.float16)], 5e4),
        ([tf.constant([3.0, 4.0], "bfloat16").numpy()], 5),
        ([np.zeros(0)], 0),
        ([[1.0, np.inf]], np.inf),
        ([[np.inf], [np.nan]], np.nan),
    ],
)
def test_norms_by_hand(arrays, norm):
    given = [np.asarray(a, None if hasattr(a, "dtype") else np.float32) for a in arrays]
    assert l2_norm(given) == pytest.approx(norm, rel=1e-3, nan_ok=True)


def nested():
    x = keras.Input((6, 6, 1))
    inner = keras.Input((6, 6, 1))
    conv = keras.layers.Conv2D(2, 3, name="c3")(inner)
    backbone = keras.Model(inner, keras.layers.Flatten(name="flat")(conv), name="backbone")
    return keras.Model(x, keras.layers.Dense(3, "softmax", name="out")(backbone(x)), name="nested")


@pytest.mark.parametrize("writer", [aw.NpyLog, aw.ZarrLog])
def test_a_unique_end_of_an_address_is_enough_to_look_a_record_up(writer, tmp_path):
    recorder = aw.Recorder(PROBE, writers=writer(tmp_path / "log"))
    recorder.record(nested())
    for record in (recorder.read(0), aw.open_recording(tmp_path / "log").read(0)):
        for held in (record.activations, record.gradients, record.summaries):
            np.testing.assert_array_equal(held["c3"], held["backbone/c3"])
            assert "c3" in held
            assert held.get("c4") is None
            with pytest.raises(aw.UnknownLayerError, match=r"no layer 'c4'.*Nearest: 'backbone/c3'"):
                held["c4"]
    summaries = aw.Recorder(PROBE, keep="summaries").record(nested())
    with pytest.raises(aw.UnknownLayerError, match=r"Nothing is held.*keep='activations'"):
        summaries.activations["c3"]


@pytest.mark.parametrize("is_dict", [True, False])
def test_a_misspelt_name_among_targets_is_told(is_dict):
    x = keras.Input((4,))
    outputs = [keras.layers.Dense(2, name="label")(x), keras.layers.Dense(1, name="depth")(x)]
    model = keras.Model(x, {"label": outputs[0], "depth": outputs[1]} if is_dict else outputs)
    model.compile("sgd", {"label": "mse", "depth": "mse"})
    targets = {"lable": np.zeros((5, 2)), "depth": np.zeros((5, 1))}
    with pytest.raises(aw.InputError, match=r"Received: 'lable', 'depth'\. Expected: 'label', 'depth'\.$"):
        aw.Recorder(np.ones((5, 4)), targets=targets).record(model)


def test_one_line_says_what_a_recorder_and_its_records_are():
    recorder = aw.Recorder(PROBE, share=None)
    assert repr(recorder) == "Recorder of nothing yet"
    trained(recorder, epochs=1)
    assert repr(recorder) == "Recorder of 'small': 4 layers, 2 records up to step 3"
    assert repr(recorder.about) == "About the records of 'small': 4 layers, 5 samples"
    loss = recorder.read(3).logs["loss"]
    assert repr(recorder.read(3)) == (
        f"Record of step 3, epoch 1, loss {loss:.3g}: activations of 4 layers, gradients of 3 layers, "
        "summaries of 4 layers"
    )
    assert "array" not in repr(aw.Failure(3, 0, 3, None, "", inputs=PROBE, data=(PROBE, TARGETS)))


def test_a_line_that_was_never_finished_is_not_read(tmp_path):
    trained(aw.Recorder(PROBE, writers=tmp_path), epochs=1)
    recording = aw.open_recording(tmp_path)
    steps = list(recording.steps)
    with (tmp_path / "index.jsonl").open("a") as file:
        file.write('{"step": 99, "epo')
    assert list(recording.steps) == steps


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"every": 0}, "'epoch', or a number of steps"),
        ({"every": "step"}, "'epoch', or a number of steps"),
        ({"share": -1}, "above 0"),
        ({"share": 5}, "up to 1"),
        ({"keep": "all"}, "'activations', 'summaries'"),
        ({"on_nonfinite": "ignore"}, "'stop', 'go on'"),
        ({"writers": 7}, "NpyLog"),
    ],
)
def test_bad_settings(given, words):
    with pytest.raises(aw.InputError, match=re.escape(words)):
        aw.Recorder(PROBE, **given)


def test_bad_probes_and_layers_are_told_when_the_training_begins():
    with pytest.raises(aw.UnknownLayerError, match="conv"):
        trained(aw.Recorder(PROBE, layers="konv"))
    with pytest.raises(aw.InputError, match="shape"):
        trained(aw.Recorder(PROBE[..., 0, 0]))
    with pytest.raises(aw.InputError, match="no recording"):
        aw.open_recording("nowhere")
    recorder = aw.Recorder(PROBE)
    trained(recorder, epochs=1)
    with pytest.raises(aw.InputError, match="Nearest: 3, 0"):
        recorder.read(2)
