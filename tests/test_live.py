"""While a model is in training its views follow by themselves, each picture that of one step."""

from __future__ import annotations

import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import ipywidgets
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import act_widgets as aw
from act_widgets.errors import MovedOnError
from act_widgets.sources import following
from act_widgets.widgets.base import View
from act_widgets.widgets.stage import Stage
from act_widgets.widgets.worker import worker_of

from .cards import send, settle
from .fits import LOOKED_AT, PATIENCE, Fit, Flow, Steps, X, Y, network
from .screen import alert_of, text_of
from .some import some

pytestmark = pytest.mark.usefixtures("no_old_data")
HOOKS = {name: vars(keras.callbacks.CallbackList)[name] for name in following._AFTER}


@pytest.fixture(autouse=True)
def _keras_is_as_it_was() -> Iterator[None]:
    ipywidgets.Widget.close_all()  # views of other tests would follow trainings too
    yield
    assert {name: vars(keras.callbacks.CallbackList)[name] for name in HOOKS} == HOOKS


def step_of(view: aw.FeatureMaps) -> int:
    """Return which step a card says it shows; 0 for none."""
    found = re.search(r"step (\d+)", text_of(view._heading.value))
    return int(found[1]) if found else 0


class Seen:
    """What a reader of a card saw during a training: the arrays by the step that the card told."""

    def __init__(self, view: aw.FeatureMaps) -> None:
        self.view = view
        self.arrays: dict[int, np.ndarray] = {}
        self.at_last = threading.Event()
        view.on_drawn(self._note)
        view._heading.observe(self._note_end, "value")

    def _note(self) -> None:
        step = step_of(self.view)
        if step:
            self.arrays[step] = self.view._results.latest[1].result.array.copy()

    def _note_end(self, change) -> None:
        if self.arrays and not step_of(self.view):
            self.at_last.set()

    def __len__(self) -> int:
        return len(self.arrays)


def shows_the_model_now(view: aw.FeatureMaps, model: keras.Model) -> None:
    settle(view.session)
    assert not step_of(view)
    assert alert_of(view) == ""
    assert view.is_settled
    layer, sample = view.selection.layer, view.selection.sample
    now = aw.capture(model, view.session.inputs, layer)[view.session.tap(layer).address][sample]
    np.testing.assert_array_equal(view._results.latest[1].result.array, np.moveaxis(now, -1, 0))


# --- it follows, and says which step it shows ---


def test_each_picture_is_of_the_step_that_it_names():
    model = network()
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    view.selection.layer = "norm"
    seen = Seen(view)
    steps = Steps(is_enough=lambda: len(seen) >= 5)
    Fit(model, steps).finish()
    assert seen.at_last.wait(PATIENCE)
    assert len(seen) >= 5
    for step, array in seen.arrays.items():
        expected = aw.capture(steps.restored(step), LOOKED_AT, "norm")["norm"][0]
        np.testing.assert_array_equal(array, np.moveaxis(expected, -1, 0))
    shows_the_model_now(view, model)
    view.close()


def test_the_explorer_says_in_its_first_line_how_often_it_is_refreshed():
    model = network()
    explorer = aw.explore(model, LOOKED_AT, layer="conv")
    settle(explorer.session)
    lines: list[str] = []
    explorer._head.observe(lambda change: lines.append(text_of(change["new"])), "value")
    Fit(model, Steps(lambda: any("refreshed every" in line for line in lines))).finish()
    shows_the_model_now(explorer.views.feature_maps, model)
    assert any(re.search(r"step \d+, refreshed every ~\d+ steps", line) for line in lines)
    assert "step" not in text_of(explorer._head.value)
    for view in explorer.views:
        assert (alert_of(view), view.is_settled) == ("", True)
    explorer.close()


def losses(look: Callable[[keras.Model], Callable[[], None]] | None, **compiled) -> list[float]:
    model = network(**compiled)
    act = look(model) if look else lambda: None
    steps = Steps()
    fit = Fit(model, steps, epochs=12)
    while fit.thread.is_alive():
        act()
        fit.thread.join(0.01)
    fit.finish()
    assert fit.error is None
    return steps.losses


@pytest.mark.parametrize("compiled", some([{}, {"run_eagerly": True}, {"jit_compile": True}], 3), ids=str)
def test_the_losses_are_those_of_the_same_training_alone(compiled):
    shown = []

    def look(model: keras.Model) -> Callable[[], None]:
        explorer = aw.explore(model, LOOKED_AT)
        settle(explorer.session)
        explorer.session.observe(lambda change: shown.append(explorer.session.read_at), "version")
        choices = [("layer", "conv"), ("channel", 2), ("layer", "norm"), ("sample", 1), ("target", 2)]
        waiting = iter(choices * 1000)

        def act() -> None:
            setattr(explorer.selection, *next(waiting))

        closing.append(explorer)
        return act

    closing: list[aw.Explorer] = []
    followed = losses(look, **compiled)
    settle(closing[0].session)
    closing[0].close()
    assert [moments for moments in shown if moments], "nothing was shown during the training"
    assert followed == losses(None, **compiled)


def test_showing_anew_takes_a_small_share_of_the_training():
    model = network()
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    seen, ends = Seen(view), []
    Fit(model, Steps(lambda: len(seen) >= 12, lambda step: ends.append(time.monotonic()))).finish()
    assert seen.at_last.wait(PATIENCE)
    took = np.diff(ends)
    usual = np.median(took)
    # The first is shown at once; a step that was read after is longer by the time of the reading.
    read = [step for step in sorted(seen.arrays)[1:] if step - 1 < len(took)]
    held = sum(max(0.0, float(took[step - 1]) - usual) for step in read)
    share = held / (ends[-1] - ends[0])
    assert share < 0.15, f"{len(read)} readings took {share:.0%} of the training"
    view.close()


def test_evaluating_and_predicting_is_no_training():
    model = network()
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    seen = Seen(view)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    assert not view.session.source.moments()
    steps = Steps(lambda: len(seen) >= 2)
    Fit(model, steps, validation_data=(X, Y)).finish()
    assert seen.at_last.wait(PATIENCE)
    assert max(seen.arrays) <= len(steps.losses)
    view.close()


def test_several_steps_in_one_call_are_counted_one_by_one():
    model = network(steps_per_execution=4)
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    seen = Seen(view)
    steps = Steps(lambda: len(seen) >= 3)
    Fit(model, steps).finish()
    assert seen.at_last.wait(PATIENCE)
    assert all(step % 4 == 0 for step in seen.arrays)
    for step, array in seen.arrays.items():
        expected = aw.capture(steps.restored(step // 4), LOOKED_AT, view.selection.layer)
        np.testing.assert_array_equal(array, np.moveaxis(expected[view.selection.layer][0], -1, 0))
    view.close()


class Hears:
    """Keeps the numbers of the steps that it is told of."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def began(self, moment) -> None:
        pass

    def stepped(self, moment) -> None:
        self.steps.append(moment.step)

    def ended(self) -> None:
        pass


@pytest.mark.parametrize("is_size_known", [True, False])
def test_steps_that_the_data_has_no_batch_for_are_not_counted(is_size_known):
    batches = tf.data.Dataset.from_tensor_slices((X[:48], Y[:48])).batch(8)
    if not is_size_known:
        batches = batches.filter(lambda x, y: True)
    model, hears = network(steps_per_execution=4), Hears()
    stop = following.follow(model, hears)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data")  # Keras, of data of unknown size
        model.fit(batches, epochs=2, shuffle=False, verbose=0)
    stop()
    assert hears.steps == [4, 6, 10, 12]
    assert int(model.optimizer.iterations.numpy()) == 12


def test_a_training_that_runs_already_is_followed():
    model = network()
    done = threading.Event()
    steps = Steps(done.is_set)
    begun = threading.Event()
    fit = Fit(model, steps, Steps(on_step=lambda step: begun.set()))
    assert begun.wait(PATIENCE)
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    seen = Seen(view)
    until(lambda: len(seen) >= 2, fit)
    assert "since it is watched" in text_of(view._heading.value)
    done.set()
    fit.finish()
    assert seen.at_last.wait(PATIENCE)
    shows_the_model_now(view, model)
    view.close()


def until(condition: Callable[[], bool], fit: Fit) -> None:
    """Wait for a condition while a training runs."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert fit.thread.is_alive()
        assert time.monotonic() < end
        fit.thread.join(0.01)


# --- it ends ---


class Breaks(keras.callbacks.Callback):
    """Raises once a condition holds, as an interrupt of the kernel would."""

    def __init__(self, error: BaseException, when: Callable[[], bool]) -> None:
        super().__init__()
        self.error, self.when = error, when

    def on_train_batch_begin(self, batch: int, logs=None) -> None:
        if self.when():
            raise self.error


@pytest.mark.parametrize("is_running_before", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()], ids=["interrupt", "error"])
def test_after_a_training_that_broke_off_the_model_is_shown_as_it_is(error, is_running_before):
    model = network()
    views: list[Seen] = []

    def open_view() -> None:
        views.append(Seen(aw.FeatureMaps(aw.Session(model, LOOKED_AT))))

    if not is_running_before:
        open_view()
    begun = threading.Event()
    fit = Fit(
        model,
        Steps(on_step=lambda step: begun.set()),
        Breaks(error, lambda: bool(views) and len(views[0]) >= 2),
    )
    assert begun.wait(PATIENCE)
    if is_running_before:
        open_view()
    fit.finish()
    assert fit.error is error
    (seen,) = views
    assert seen.at_last.wait(PATIENCE)
    shows_the_model_now(seen.view, model)
    seen.view.close()


def test_an_error_in_the_middle_of_a_step_lets_questions_pass():
    class Fails(keras.layers.Layer):
        fails = False

        def call(self, x):
            if self.fails:
                raise ZeroDivisionError("in the middle of a step")
            return x

    given = keras.Input((8, 8, 1))
    fails = Fails(name="fails")
    y = layers.Flatten()(fails(layers.Conv2D(2, 3, name="conv")(given)))
    model = keras.Model(given, layers.Dense(3, activation="softmax")(y))
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    seen = Seen(view)

    def break_it(step: int) -> None:
        fails.fails = len(seen) >= 1

    fit = Fit(model, Steps(on_step=break_it))
    fit.finish()
    assert isinstance(fit.error, ZeroDivisionError)
    fails.fails = False
    assert view.session.activation("conv").shape == (3, 6, 6, 2)
    view.close()


def test_a_view_that_is_closed_follows_no_more_and_keras_is_as_it_was():
    model = network()
    view, other = (aw.FeatureMaps(aw.Session(model, LOOKED_AT)) for _ in range(2))
    seen, others = Seen(view), Seen(other)
    done = threading.Event()
    fit = Fit(model, Steps(done.is_set))
    until(lambda: len(seen) >= 2 and len(others) >= 2, fit)
    view.close()
    settle(view.session)
    shown = len(seen)
    assert vars(keras.callbacks.CallbackList) != HOOKS
    until(lambda: len(others) >= 5, fit)
    assert len(seen) == shown
    other.close()
    assert {name: vars(keras.callbacks.CallbackList)[name] for name in HOOKS} == HOOKS
    assert fit.thread.is_alive()
    done.set()
    fit.finish()
    assert fit.error is None


# --- whose training it is ---


def test_a_model_that_is_trained_as_a_part_of_another_is_followed():
    inner = network()
    given = keras.Input((8, 8, 1))
    outer = keras.Model(given, layers.Dense(3, activation="softmax")(inner(given)))
    outer.compile("sgd", "sparse_categorical_crossentropy")
    view = aw.FeatureMaps(aw.Session(inner, LOOKED_AT))
    seen = Seen(view)
    Fit(outer, Steps(lambda: len(seen) >= 3)).finish()
    assert seen.at_last.wait(PATIENCE)
    shows_the_model_now(view, inner)
    view.close()


def test_a_model_of_which_a_part_is_trained_is_followed():
    model = network()
    part = keras.Model(model.get_layer("conv").input, model.get_layer("pool").output)
    part.compile("sgd", "mse")
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    seen = Seen(view)
    Fit(part, Steps(lambda: len(seen) >= 3), y=np.zeros((64, 4))).finish()
    assert seen.at_last.wait(PATIENCE)
    shows_the_model_now(view, model)
    view.close()


def test_the_training_of_another_model_neither_shows_anything_nor_is_held_up():
    model, other = network(), network()
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    flow = Flow()
    fit = Fit(other, Steps(), **flow.options, steps_per_epoch=400)
    flow.close()
    assert flow.waits.wait(PATIENCE)
    model.set_weights([w + 1 for w in model.get_weights()])
    assert view.session.activation("conv").shape == (3, 6, 6, 4)  # the other is in the middle of a step
    assert not step_of(view)
    flow.open()
    fit.finish()
    view.close()


def test_a_model_of_keras_2_is_followed():
    tf_keras = pytest.importorskip("tf_keras")
    model = tf_keras.Sequential(
        [tf_keras.layers.Conv2D(4, 3, name="conv", input_shape=(8, 8, 1)), tf_keras.layers.Flatten()]
    )
    model.add(tf_keras.layers.Dense(3, activation="softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    seen = Seen(view)

    class Stops(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = len(seen) >= 3

    fit = Fit(model, Stops())
    fit.finish()
    assert fit.error is None
    assert seen.at_last.wait(PATIENCE)
    shows_the_model_now(view, model)
    view.close()


# --- questions meanwhile ---


@pytest.fixture
def flow() -> Iterator[Flow]:
    made = Flow()
    yield made
    made.open()


def test_what_is_kept_is_shown_while_a_step_is_under_way(flow):
    model = network()
    explorer = aw.explore(model, LOOKED_AT, layer="conv")
    settle(explorer.session)
    maps, seen = explorer.views.feature_maps, Seen(explorer.views.feature_maps)
    fit = Fit(model, Steps(), **flow.options, steps_per_epoch=100)
    flow.close()
    assert flow.waits.wait(PATIENCE)
    for trait, value in [("channel", 2), ("sample", 1), ("layer", "norm"), ("channel", 3), ("target", 1)]:
        setattr(explorer.selection, trait, value)  # what waited for the step would not come back
        assert maps.is_settled
        assert explorer.views.predictions.is_settled
    flow.open()
    fit.finish()
    assert fit.error is None
    shows_the_model_now(maps, model)
    assert seen.at_last.is_set() or not seen.arrays
    explorer.close()


def test_a_question_of_another_thread_is_answered_by_the_weights_of_one_step():
    model = network()
    view = aw.Predictions(aw.Session(model, LOOKED_AT))
    done = threading.Event()
    steps = Steps(done.is_set)
    fit = Fit(model, steps)
    until(lambda: bool(steps.losses), fit)
    answers = [view.session.activation("norm").copy() for _ in range(5)]
    answers.append(aw.capture(model, LOOKED_AT, "norm")["norm"])
    done.set()
    fit.finish()
    after = [aw.capture(steps.restored(i + 1), LOOKED_AT, "norm")["norm"] for i in range(len(steps.losses))]
    for answer in answers:
        assert any(np.array_equal(answer, expected) for expected in after)
    settle(view.session)
    view.close()


def test_the_training_s_own_callbacks_may_ask():
    model = network()
    session = aw.Session(model, LOOKED_AT)
    view = aw.FeatureMaps(session)
    asked: list[tuple[np.ndarray, np.ndarray]] = []

    def ask(step: int) -> None:
        session.selection.channel = step % 4
        asked.append((session.activation("norm").copy(), aw.capture(model, LOOKED_AT, "norm")["norm"]))

    steps = Steps(lambda: len(asked) >= 6, ask)
    Fit(model, steps).finish()
    settle(session)
    for step, answers in enumerate(asked, 1):
        expected = aw.capture(steps.restored(step), LOOKED_AT, "norm")["norm"]
        for answer in answers:
            np.testing.assert_array_equal(answer, expected)
    view.close()


def test_a_callback_may_wait_for_a_thread_that_asks():
    model = network()
    session = aw.Session(model, LOOKED_AT)
    view = aw.FeatureMaps(session)
    answers: list[np.ndarray] = []

    def ask(step: int) -> None:
        thread = threading.Thread(target=lambda: answers.append(session.activation("norm")))
        thread.start()
        thread.join()

    fit = Fit(model, Steps(lambda: len(answers) >= 2, ask))
    fit.finish()
    assert fit.error is None
    settle(session)
    view.close()


def test_a_training_inside_a_callback_of_a_training():
    model = network()
    other = network()
    view, inner_view = (aw.FeatureMaps(aw.Session(each, LOOKED_AT)) for each in (model, other))
    seen, inner_seen = Seen(view), Seen(inner_view)

    def train_other(step: int) -> None:
        other.fit(X, Y, batch_size=8, epochs=1, verbose=0)
        if step == 2:
            with pytest.raises(ZeroDivisionError):
                other.fit(X, Y, verbose=0, callbacks=[Breaks(ZeroDivisionError(), lambda: True)])

    fit = Fit(model, Steps(lambda: len(seen) >= 3 and len(inner_seen) >= 2, train_other))
    fit.finish()
    assert fit.error is None
    assert seen.at_last.wait(PATIENCE)
    shows_the_model_now(view, model)
    shows_the_model_now(inner_view, other)
    for each in (view, inner_view):
        each.close()


def test_two_trainings_of_one_model_s_parts_at_once():
    model = network()
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    seen = Seen(view)
    given = keras.Input((8, 8, 1))
    users = [keras.Model(given, layers.Dense(3, activation="softmax")(model(given))) for _ in range(2)]
    for user in users:
        user.compile("sgd", "sparse_categorical_crossentropy")
    fits = [Fit(user, Steps(lambda: len(seen) >= 3)) for user in users]
    for fit in fits:
        fit.finish()
        assert fit.error is None
    assert seen.at_last.wait(PATIENCE)
    shows_the_model_now(view, model)
    view.close()


def test_a_view_closed_while_it_waits_for_a_step(flow):
    model = network()
    session = aw.Session(model, LOOKED_AT)
    view = aw.Predictions(session)
    fit = Fit(model, Steps(), **flow.options, steps_per_epoch=50)
    flow.close()
    assert flow.waits.wait(PATIENCE)
    session.silenced = ("conv", (1,))  # takes the model
    assert "aw-busy" in view._busy.value
    view.close()
    flow.open()
    fit.finish()
    assert worker_of(session).wait()


def test_work_led_by_hand_does_not_mix_steps():
    model = network()
    session = aw.Session(model, LOOKED_AT)
    view = aw.FeatureMaps(session)
    done = threading.Event()
    steps = Steps(done.is_set)
    fit = Fit(model, steps)
    until(lambda: bool(steps.losses), fit)
    work = session.attribution_steps("smooth_grad", 0, samples=200)
    next(work)
    before = len(steps.losses)
    until(lambda: len(steps.losses) > before + 1, fit)
    with pytest.raises(MovedOnError, match="mix numbers of two steps"):
        list(work)
    done.set()
    fit.finish()
    settle(session)
    view.close()


class OnDemand(View):
    """Work that waits for the user's word, as long maps do."""

    title = "On demand"

    def build(self):
        return []

    def key(self):
        return self.session.selection.layer

    def is_ready(self, key):
        return False

    def stages(self, key):
        yield Stage(np.zeros(0), 0.0, "much", waits=True)
        yield Stage(self.session.reader.activation(key), 0.5)
        yield Stage(self.session.reader.activation(key))

    def draw(self, result):
        self.note(f"{len(result)} samples")


def test_what_is_told_to_start_starts_though_the_training_goes_on():
    model = network()
    session = aw.Session(model, LOOKED_AT)
    view = OnDemand(session)
    settle(session)
    done = threading.Event()
    steps = Steps(done.is_set)
    fit = Fit(model, steps)
    until(lambda: len(steps.losses) > 3, fit)
    assert view._stop.description == "Start"
    send(view._stop, False)
    until(lambda: "3 samples" in text_of(view._heading.value), fit)
    done.set()
    fit.finish()
    settle(session)
    assert alert_of(view) == ""
    view.close()


def test_a_model_that_fails_during_its_training_says_so_in_its_views():
    class Fails(layers.Layer):
        for_us = False

        def call(self, x, training=False):
            if self.for_us and not training:
                raise ZeroDivisionError("outside of training")
            return x

    fails = Fails(name="fails")
    given = keras.Input((8, 8, 1))
    y = fails(layers.Conv2D(2, 3, name="conv")(given))
    model = keras.Model(given, layers.Dense(3, activation="softmax")(layers.Flatten()(y)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
    settle(view.session)
    fails.for_us = True
    fit = Fit(model, Steps(lambda: "outside of training" in alert_of(view)))
    fit.finish()
    assert fit.error is None
    fails.for_us = False
    view.selection.channel = 1
    settle(view.session)
    assert alert_of(view) == ""
    shows_the_model_now(view, model)
    view.close()
