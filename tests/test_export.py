"""The exported page holds the session's numbers, keeps to its size, and says what it leaves out."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import act_widgets as aw
from act_widgets.rendering.bins import BINS, binned, binned_rows
from act_widgets.rendering.palettes import LEVELS, NOT_FINITE
from act_widgets.rendering.pictures import finite_scale, quantised
from act_widgets.widgets import text
from act_widgets.widgets.channel_map import summary
from act_widgets.widgets.export.packing import as_json
from act_widgets.widgets.export.plan import plans
from act_widgets.widgets.worker import worker_of

from . import zoo
from .exported import Page
from .screen import text_of
from .some import some

LAYERS = keras.layers
ROOMY = 50_000_000


@pytest.fixture(scope="module")
def digits():
    return aw.samples.digits()


@pytest.fixture
def explorer(digits):
    model, images, labels = digits
    opened = aw.explore(model, images[:5], labels=labels, layer="block2_relu2")
    assert worker_of(opened.session).wait()
    yield opened
    opened.close()


def exported(explorer: aw.Explorer, folder: Path, **options) -> tuple[Page, object]:
    made = explorer.export_html(folder / "page.html", **{"max_bytes": ROOMY, **options})
    assert made.path == folder / "page.html"
    assert made.bytes == made.path.stat().st_size <= options.get("max_bytes", ROOMY)
    assert [path.name for path in folder.iterdir()] == ["page.html"]
    return Page(made.path), made


# --- its numbers ---


def test_maps_histograms_and_summaries_are_those_of_the_session(explorer, tmp_path):
    page, made = exported(explorer, tmp_path)
    session = explorer.session
    assert made.left_out == tuple(page.data["left_out"]) == ()
    assert set(made.layers) == set(session.layers)
    assert made.samples == (0, 1, 2, 3, 4)
    for layer in session.layers:
        for sample in (0, 3):
            block = page.layer(sample, layer)
            activation = session.activation(layer)[sample]
            channels = np.moveaxis(activation, -1, 0).reshape(activation.shape[-1], -1)
            for i, values in enumerate(channels):
                scale = finite_scale(values)
                np.testing.assert_array_equal(block.counts[i], binned(values)[0])
                assert (block.low[i], block.high[i]) == (values.min(), values.max())
                words = f"mean {text.number(float(block.mean[i]))} · max {text.number(float(block.high[i]))}"
                assert f"{words} · zeros {block.zeros[i]}%" == summary(values)
                levels = block.levels[i].ravel()
                # The ends alone have the outermost bytes: what the page reads there is exact.
                np.testing.assert_array_equal(levels == 0, values == values.min())
                np.testing.assert_array_equal(levels == LEVELS - 1, (values == values.max()) & (levels > 0))
                if not scale.signed:
                    assert np.abs(levels.astype(int) - quantised(values, scale)).max() <= 1
            np.testing.assert_array_equal(block.counts[-1], binned(activation)[0])
            assert (block.low[-1], block.high[-1]) == (activation.min(), activation.max())


def test_predictions_and_attribution_are_those_of_the_session(explorer, tmp_path):
    page, _ = exported(explorer, tmp_path)
    session = explorer.session
    assert page.data["names"] == [session.class_name(c) for c in range(10)]
    for sample in (0, 4):
        np.testing.assert_array_equal(page.values(sample), session.predictions(sample))
        assert sorted(page.sample(sample)["classes"]) == list(range(10))
    view = explorer.views.attribution
    for layer, sample, target in (("block2_relu2", 0, 0), ("stem_relu", 4, 7), ("predictions", 2, 2)):
        explorer.selection.layer, explorer.selection.sample = layer, sample
        explorer.selection.target = target
        assert worker_of(session).wait()
        entry, levels = page.overlay(sample, target, layer)
        overlay = view._result(view.key())
        assert (entry["low"], entry["high"]) == (overlay.scale.low, overlay.scale.high)
        np.testing.assert_array_equal(levels, quantised(np.nan_to_num(overlay.array), overlay.scale))
        # Where the layer has no places the page puts that between the two.
        assert overlay.remark.startswith(entry["said"])
        assert overlay.remark.endswith(entry["more"])


def test_the_chosen_method_is_taken_if_it_is_quick(explorer, tmp_path):
    explorer.selection.method = "gradient_x_input"
    page, made = exported(explorer, tmp_path)
    entry, levels = page.overlay(0, 0, "stem_relu")
    result = explorer.session.attribution("gradient_x_input", target=0, sample=0)
    assert entry["said"].startswith("Gradient × input at")
    assert (entry["low"], entry["high"]) == (-entry["high"], np.abs(result.maps).max())
    assert levels.shape == result.maps.shape[1:]
    assert made.left_out == ()
    explorer.selection.method = "rise"
    page, made = exported(explorer, tmp_path)
    assert page.overlay(0, 0, "stem_relu")[0]["said"].startswith("Grad-CAM at")
    assert made.left_out == ("Maps by RISE, which take long: Grad-CAM is shown.",)


def test_the_explorer_is_left_as_it_was(explorer, tmp_path):
    chosen = explorer.selection.trait_values()
    done = explorer.session.stats()
    exported(explorer, tmp_path)
    assert explorer.session.stats() == done
    assert explorer.selection.trait_values() == chosen


def test_the_page_begins_with_what_is_chosen(explorer, tmp_path):
    explorer.selection.channel, explorer.selection.sample, explorer.selection.target = 9, 3, 5
    page, _ = exported(explorer, tmp_path)
    assert page.data["chosen"] == {"layer": "block2_relu2", "channel": 9, "sample": 3, "target": 5}
    assert page.data["name"] == "digits_cnn"


def test_what_the_page_can_not_show_of_the_screen_is_told(explorer, tmp_path):
    explorer.selection.explain(3, "block3_add")
    explorer.session.silenced = ("stem_relu", (1, 2))
    assert worker_of(explorer.session).wait()
    page, made = exported(explorer, tmp_path)
    assert made.left_out == (
        "The answer with channels silenced: all is of the model as it is.",
        "Attribution of a channel: channel 3 of 'block3_add'.",
    )
    explorer.session.silenced = ()
    explorer.selection.explain(None)
    explorer.selection.value_range, explorer.selection.order = (0.25, 1.5), "mean"
    explorer.selection.hide_dead = True
    assert explorer.export_html(tmp_path / "page.html").left_out == (
        "The range of values that is lit up: 0.25 to 1.5.",
        "The order of channels by mean: they come by number.",
        "That dead channels are hidden: they are shown.",
    )
    np.testing.assert_array_equal(page.values(0), explorer.session.predictions(0))
    assert page.data["chosen"]["target"] is None


# --- its size ---


def wide() -> tuple:
    given = keras.Input((40, 40, 3))
    y = LAYERS.Conv2D(96, 3, activation="relu", name="first")(given)
    y = LAYERS.Conv2D(150, 3, strides=2, activation="relu", name="second")(y)
    y = LAYERS.GlobalAveragePooling2D(name="pool")(y)
    return keras.Model(given, LAYERS.Dense(30, "softmax", name="out")(y)), zoo.batch(20, 40, 40, 3)


MODELS = {
    "wide": wide,
    "digits": lambda: (aw.samples.digits()[0], aw.samples.digits()[1][:15]),
    "recurrent": zoo.recurrent,
    "one unit": zoo.one_unit,
    "nested": zoo.nested_two_deep,
}


@pytest.mark.parametrize("name", some(MODELS, 2))
def test_the_size_is_kept_whatever_it_is(name, tmp_path):
    model, inputs = MODELS[name]()
    explorer = aw.explore(model, inputs)
    sizes, held = [], []
    for budget in (8_000_000, 1_000_000, 200_000, 100_000, 85_000):
        try:
            page, made = exported(explorer, tmp_path, max_bytes=budget)
        except aw.InputError:
            assert not (tmp_path / "page.html").exists()
            continue
        lost = len(made.layers) < len(explorer.session.layers) or len(made.samples) < len(inputs)
        assert bool(made.left_out) or not lost
        assert tuple(page.data["left_out"]) == made.left_out
        assert len(page.data["samples"]) == len(made.samples) > 0
        assert explorer.selection.layer in made.layers
        assert explorer.selection.sample in made.samples
        for words in made.left_out:
            assert words in str(made)
        sizes.append(made.bytes)
        held.append(len(made.samples) * len(made.layers))
        (tmp_path / "page.html").unlink()
    assert len(sizes) > 2
    assert sizes == sorted(sizes, reverse=True)
    assert held == sorted(held, reverse=True)
    explorer.close()


def test_what_is_left_out_is_told(tmp_path):
    explorer = aw.explore(*wide(), layer="second")
    _, made = exported(explorer, tmp_path, max_bytes=400_000)
    said = " ".join(made.left_out)
    assert re.search(r"\d+ of 20 samples\.", said)
    assert "cells a side: of neighbours the largest stands for all." in said
    assert re.search(r"Channels of a layer but the \d+ strongest in the sample shown first\.", said)
    assert "Attribution" in said
    explorer.close()


def test_the_strongest_channels_find_room_and_the_chosen_one(tmp_path):
    explorer = aw.explore(*wide(), layer="second")
    values = explorer.session.activation("second")[7]
    strength = np.abs(values).mean((0, 1), dtype=float)
    weakest = int(strength.argmin())
    explorer.selection.sample, explorer.selection.channel = 7, weakest
    page, _ = exported(explorer, tmp_path, max_bytes=400_000)
    facts = page.data["layers"][page.index("second")]
    count = facts["channels"]
    assert 1 < count < len(strength)
    assert facts["kept"] == sorted([*np.argsort(-strength)[: count - 1].tolist(), weakest])
    block = page.layer(7, "second")
    np.testing.assert_array_equal(block.high[:count], values.max((0, 1))[facts["kept"]])
    np.testing.assert_array_equal(block.last[:count], values.max((0, 1))[facts["kept"]])
    np.testing.assert_array_equal(block.counts[:count], [binned(values[..., k])[0] for k in facts["kept"]])
    explorer.close()


def test_a_size_that_is_too_small_is_told_with_one_that_is_enough(explorer, tmp_path):
    with pytest.raises(aw.InputError, match=r"max_bytes=1,000\. Expected: about [\d,]+ at least") as told:
        explorer.export_html(tmp_path / "page.html", max_bytes=1000)
    assert list(tmp_path.iterdir()) == []
    enough = int(re.search(r"about ([\d,]+)", str(told.value))[1].replace(",", ""))
    _, made = exported(explorer, tmp_path, max_bytes=enough)
    assert len(made.layers) == 1
    assert made.bytes > 0.9 * enough


@pytest.mark.parametrize("bad", [0, -5, 1e6, "20MB", None, True])
def test_a_size_that_is_no_number_of_bytes_is_told(explorer, tmp_path, bad):
    with pytest.raises(aw.InputError, match=r"size of the page is a number of bytes\. Received: max_bytes="):
        explorer.export_html(tmp_path / "page.html", max_bytes=bad)
    assert list(tmp_path.iterdir()) == []


def test_in_smaller_maps_the_largest_of_neighbours_stands_for_all(tmp_path):
    model, inputs = wide()
    explorer = aw.explore(model, inputs[:2], layer="first")
    page, _ = exported(explorer, tmp_path, max_bytes=300_000)
    block, facts = page.layer(0, "first"), page.data["layers"][page.index("first")]
    assert facts["full"] == [38, 38]
    times = 38 // facts["height"]
    assert times >= 2
    values = explorer.session.activation("first")[0, ..., 0]
    corner = values[:times, :times]
    extent = float(block.high[0] - block.low[0])
    level = block.levels[0, 0, 0] / 253 * extent + block.low[0]
    largest = float(corner.flat[np.abs(corner).argmax()])
    assert level == pytest.approx(largest, abs=extent / 250)
    assert block.high[0] == values.max()
    explorer.close()


def test_plans_go_from_full_to_poor():
    layers = tuple(f"l{i}" for i in range(40))
    found = list(plans(layers, "l30"))
    assert found[0].side is found[0].channels is None
    assert all("l30" in plan.layers for plan in found)
    assert found[-1].layers == ("l30",)
    counts = [len(plan.layers) for plan in found]
    assert counts == sorted(counts, reverse=True)


# --- histograms of many channels at once ---


@pytest.mark.parametrize("seed", some(range(20), 4))
def test_counts_of_many_rows_are_those_of_each(seed):
    rng = np.random.default_rng(seed)
    makers = (
        lambda: rng.normal(size=(9, 200)),
        lambda: np.maximum(rng.normal(size=(9, 200)), 0).astype(np.float32),
        lambda: rng.integers(0, 41, (9, 200)),
        lambda: rng.integers(0, 4096, (9, 200)) / 4096 * 40,
        lambda: rng.normal(size=(9, 200)) * 1e-12 + 1,
        lambda: np.full((9, 200), rng.normal()),
        lambda: np.zeros((9, 0)),
    )
    for make in makers:
        rows = make()
        if rows.dtype.kind == "f" and rows.size:
            rows[1, 3], rows[2, 5], rows[3] = np.nan, np.inf, -np.inf
        expected = np.stack([binned(row)[0] for row in rows])
        np.testing.assert_array_equal(binned_rows(rows), expected)
    assert binned_rows(np.zeros((0, 4))).shape == (0, BINS)


# --- models of every kind ---


def test_a_model_with_several_inputs_and_outputs_is_exported_whole(tmp_path):
    picture, facts = keras.Input((8, 8, 3), name="picture"), keras.Input((5,), name="facts")
    y = LAYERS.GlobalAveragePooling2D(name="pool")(LAYERS.Conv2D(4, 3, name="conv")(picture))
    both = LAYERS.Concatenate(name="both")([y, LAYERS.Dense(6, name="dense")(facts)])
    outputs = [LAYERS.Dense(3, "softmax", name="kind")(both), LAYERS.Dense(2, name="size")(both)]
    explorer = aw.explore(keras.Model([picture, facts], outputs), [zoo.batch(3, 8, 8, 3), zoo.batch(3, 5)])
    page, made = exported(explorer, tmp_path)
    assert {*made.layers} == {"picture", "facts", "conv", "dense", "pool", "both", "kind", "size"}
    for layer in made.layers:
        activation = explorer.session.activation(layer)[2]
        channels = activation.reshape(-1, activation.shape[-1])
        np.testing.assert_array_equal(page.layer(2, layer).high[:-1], channels.max(0))
    explorer.close()


@pytest.mark.parametrize("dtype", ["float16", "float64", "int64"])
def test_ends_are_exact_whatever_the_numbers_are(tmp_path, dtype):
    given = keras.Input((4, 4, 2), dtype=dtype, name="given")
    as_float = LAYERS.Lambda(lambda t: keras.ops.cast(t, "float32") / 3, output_shape=(4, 4, 2))(given)
    model = keras.Model(given, LAYERS.Dense(3)(LAYERS.GlobalAveragePooling2D()(as_float)))
    x = np.arange(32).reshape(1, 4, 4, 2).astype(dtype)
    x[0, 0, 0] = {"float16": 1e-7, "float64": -1 / 3, "int64": 2**40 + 1}[dtype]
    explorer = aw.explore(model, x, layer="given")
    page, _ = exported(explorer, tmp_path)
    block = page.layer(0, "given")
    np.testing.assert_array_equal(block.low[:-1], x[0].reshape(-1, 2).min(0))
    np.testing.assert_array_equal(block.high[:-1], x[0].reshape(-1, 2).max(0))
    np.testing.assert_array_equal(block.levels[0] == LEVELS - 1, x[0, ..., 0] == x[0, ..., 0].max())
    explorer.close()


def test_values_that_are_not_finite_are_marked(tmp_path):
    given = keras.Input((4, 4, 2), name="given")
    model = keras.Model(given, LAYERS.Dense(3)(LAYERS.Flatten()(LAYERS.ReLU(name="relu")(given))))
    x = zoo.batch(1, 4, 4, 2)
    x[0, 1, 2, 0], x[0, 3, 3, 0] = np.nan, np.inf
    explorer = aw.explore(model, x, layer="given")
    page, _ = exported(explorer, tmp_path)
    block = page.layer(0, "given")
    assert (block.levels == NOT_FINITE).sum() == 2
    assert block.levels[0, 1, 2] == NOT_FINITE
    assert block.lost[0] == 12.5
    assert block.counts[0].sum() == 14
    explorer.close()


def test_a_layer_that_cannot_be_drawn_says_why(tmp_path):
    words = keras.Input((3,), dtype="string", name="words")
    numbers = LAYERS.StringLookup(vocabulary=["a", "b", "c"], name="lookup")(words)
    vectors = LAYERS.Embedding(5, 4, name="vectors")(numbers)
    model = keras.Model(words, LAYERS.Dense(2, "softmax")(LAYERS.GlobalAveragePooling1D()(vectors)))
    explorer = aw.explore(model, np.array([["a", "b", "zzz"]]))
    page, made = exported(explorer, tmp_path)
    facts = page.data["layers"][page.index("words")]
    assert "holds text" in facts["error"]
    assert "words" in made.layers
    assert page.layer(0, "vectors").levels.shape == (4, 1, 3)
    explorer.close()


def test_the_graph_is_there_with_its_groups_closed_and_with_all_of_them_open(tmp_path):
    x = y = keras.Input((6,), name="x")
    for block in range(16):
        for layer in range(3):
            y = keras.layers.Dense(3, name=f"block{block}_dense{layer}")(y)
    opened = aw.explore(keras.Model(x, keras.layers.Dense(2, name="head")(y)), np.ones((1, 6)), layer="head")
    page = Page(opened.export_html(tmp_path / "page.html").path)
    graph, layers = page.data["graph"], page.data["layers"]
    blocks = [f"block{block}_*" for block in range(16)]
    shown = [[node["address"] for node in drawing["nodes"]] for drawing in graph["drawings"]]
    assert shown == [["x", *blocks, "head"], [layer["address"] for layer in layers]]
    place = next(i for i, layer in enumerate(layers) if layer["address"] == "block7_dense1")
    assert [boxes[place] for boxes in graph["boxes"]] == ["block7_*", "block7_dense1"]
    whole = opened.export_html(tmp_path / "page.html")
    made = opened.export_html(tmp_path / "page.html", max_bytes=whole.bytes * 9 // 10)
    assert len(Page(made.path).data["graph"]["drawings"]) == 1
    assert "What is inside the groups of the model graph." in made.left_out
    opened.close()


def test_a_head_with_one_unit_has_two_classes(tmp_path):
    explorer = aw.explore(*zoo.one_unit(), labels=["cat"])
    page, _ = exported(explorer, tmp_path)
    assert page.data["names"] == ["against cat", "for cat"]
    value = explorer.session.predictions(0)[0]
    np.testing.assert_allclose(page.values(0), [1 - value, value])
    explorer.close()


def test_a_page_of_a_regressor_explains_its_value(tmp_path):
    x = keras.Input((4, 4, 1), name="picture")
    out = LAYERS.Dense(1, kernel_initializer="ones", name="out")(LAYERS.Flatten(name="flat")(x))
    explorer = aw.explore(keras.Model(x, out), np.full((1, 4, 4, 1), -0.5))
    page, _ = exported(explorer, tmp_path)
    assert page.data["chosen"]["target"] is None
    np.testing.assert_allclose(page.values(0), [8, -8])
    assert page.sample(0)["classes"] == [1, 0]
    explorer.close()


@pytest.mark.parametrize("name", ["convolution_1d", "convolution_3d", "time_distributed", "segmentation"])
def test_any_rank_is_exported(name, tmp_path):
    explorer = aw.explore(*getattr(zoo, name)())
    page, made = exported(explorer, tmp_path)
    sliders = "Other places along axes with a slider than those on the screen."
    assert made.left_out == ((sliders,) if name in ("convolution_3d", "time_distributed") else ())
    for layer in page.data["layers"]:
        if not layer["error"]:
            assert page.layer(0, layer["address"]).levels.size > 0
    explorer.close()


HOSTILE = ["</script><script>alert(1)</script>", '"quotes" & <b>', "דוגמה 🐈", "half \ud800", "\u2028 line"]


def test_hostile_names_can_not_leave_their_place(tmp_path):
    given = keras.Input((6, 6, 1), name="given")
    y = LAYERS.Conv2D(2, 3, name="conv<img src=x>" + 285 * "W")(given)
    model = keras.Model(given, LAYERS.Dense(5, "softmax")(LAYERS.Flatten()(y)), name="<b>bold")
    explorer = aw.explore(model, zoo.batch(2, 6, 6, 1), labels=HOSTILE)
    page, _ = exported(explorer, tmp_path)
    assert page.data["names"] == [*HOSTILE[:3], "half ?", HOSTILE[4]]
    assert "<title>&lt;b&gt;bold</title>" in page.text
    for bad in ("<img src=x", "<b>", "alert(1)</script>"):
        assert bad not in page.text
    explorer.close()


def test_the_page_asks_nothing_of_the_network(explorer, tmp_path):
    page, _ = exported(explorer, tmp_path)
    links = set(re.findall(r"""(?:https?:)?//[\w.-]+\.[a-z]{2,}[^\s"'<>]*""", page.text))
    assert links <= {"http://www.w3.org/2000/svg", "//www.w3.org/2000/svg"}
    assert not re.search(
        r"<(link|iframe|object|embed)\b|\bsrc=\"(?!data:)|@import|\bimport\b\s*\(", page.text
    )


def test_json_inside_a_page_ends_no_script():
    assert as_json("</script>") == '"\\u003c/script>"'
    with pytest.raises(ValueError, match="JSON"):
        as_json(float("nan"))


# --- progress, cancel, files ---


def test_progress_rises_to_one_and_tells_what_is_done(explorer, tmp_path):
    told: list[tuple[float, str]] = []
    exported(explorer, tmp_path, on_progress=lambda share, words: told.append((share, words)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert len({words for _, words in told}) > 50
    assert any(words == "sample 4: block2_relu2" for _, words in told)


def test_progress_never_falls_and_a_bar_below_the_explorer_tells_it_too(tmp_path):
    explorer = aw.explore(*wide(), layer="second")
    assert worker_of(explorer.session).wait()
    told: list[float] = []
    bars: set[str] = set()

    def tell(share: float, words: str) -> None:
        told.append(share)
        assert explorer._task.layout.display == ""
        bars.add(explorer._task._bar.value)

    # So little room that plans are given up, and begun anew.
    exported(explorer, tmp_path, max_bytes=400_000, on_progress=tell)
    assert told == sorted(told)
    assert len({*told}) > 10
    said = re.compile(r"writing page\.html: (\d+)% · ")
    assert all('role="progressbar"' in bar for bar in bars)
    assert {int(found[1]) for bar in bars if (found := said.search(text_of(bar)))} <= {
        round(100 * share) for share in told
    }
    assert any(said.search(text_of(bar)) for bar in bars)
    assert explorer._task.layout.display == "none"
    explorer.close()


def test_stop_ends_the_work_and_the_next_page_is_written(explorer, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("the page of yesterday")
    shares: list[float] = []

    def press(share: float, words: str) -> None:
        shares.append(share)
        if share > 0.3:
            explorer._task._stop.set_state({"value": True})

    with pytest.raises(KeyboardInterrupt, match=r"Stopped: writing page\.html"):
        explorer.export_html(path, max_bytes=ROOMY, on_progress=press)
    assert sum(share > 0.3 for share in shares) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "the page of yesterday"
    assert explorer._task.layout.display == "none"
    assert Page(explorer.export_html(path).path).data["name"] == "digits_cnn"


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_progress_raises_ends_the_work_and_leaves_what_was_there(explorer, tmp_path, share):
    path = tmp_path / "page.html"
    path.write_text("the page of yesterday")

    def stop(done: float, words: str) -> None:
        if done >= share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explorer.export_html(path, max_bytes=ROOMY, on_progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
    assert path.read_text() == "the page of yesterday"


def test_a_page_takes_the_place_of_one_that_is_there(explorer, tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    explorer.export_html(str(path), max_bytes=ROOMY)
    assert Page(path).data["name"] == "digits_cnn"


def test_a_folder_that_is_not_there_is_told_before_anything_is_computed(explorer, tmp_path):
    told: list[float] = []
    for bad in (tmp_path / "no" / "page.html", tmp_path):
        with pytest.raises(aw.InputError, match="The page is a file in a folder that is there"):
            explorer.export_html(bad, on_progress=lambda share, words: told.append(share))
    assert told == []
