"""What lies under a map where a model has several inputs: one that its layer depends on."""

from __future__ import annotations

import base64
import io

import keras
import numpy as np
import pytest
from PIL import Image

import act_widgets as aw
from act_widgets.widgets.under import under_of

from .cards import at_cells, caption_of, correlation, decoded, settle
from .exported import Page
from .screen import alert_of, text_of
from .zoo import batch, shaken

LAYERS = keras.layers


def towers() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """Two pictures, one twice as high as wide, a row of numbers that becomes a map, and their answer."""
    given = {
        "first": keras.Input((8, 8, 1), name="first"),
        "second": keras.Input((12, 6, 1), name="second"),
        "third": keras.Input((4,), name="third"),
    }
    maps = [LAYERS.Conv2D(3, 3, name=f"{name}_conv")(given[name]) for name in ("first", "second")]
    row = LAYERS.Reshape((5, 5, 1), name="map")(LAYERS.Dense(25, name="dense")(given["third"]))
    maps.append(LAYERS.Conv2D(2, 1, name="third_conv")(row))
    small = LAYERS.Conv2D(3, 1, name="pooled")(LAYERS.AveragePooling2D((2, 1), name="half")(maps[1]))
    mixed = LAYERS.Add(name="mixed")([LAYERS.Cropping2D(((0, 1), (0, 2)), name="cut")(maps[0]), small])
    means = [LAYERS.GlobalAveragePooling2D()(one) for one in (*maps, mixed)]
    out = LAYERS.Dense(3, "softmax", name="out")(LAYERS.Concatenate(name="all")(means))
    x = {"first": batch(2, 8, 8, 1), "second": batch(2, 12, 6, 1, seed=1), "third": batch(2, 4, seed=2)}
    return shaken(keras.Model(given, out)), x


LIES_OVER = [("first_conv", "first"), ("second_conv", "second"), ("mixed", "first"), ("second", "second")]
NOTHING = "over no input: none that the layer depends on is a picture"


@pytest.fixture(scope="module")
def session():
    return aw.Session(*towers())


@pytest.fixture
def attribution(session):
    view = aw.AttributionView(session)
    yield view
    view.close()


def look_at(session: aw.Session, layer: str) -> None:
    session.selection.layer = layer
    settle(session)


@pytest.mark.parametrize(("layer", "name"), LIES_OVER[:3])
def test_an_attribution_lies_over_an_input_that_its_layer_depends_on(session, attribution, layer, name):
    look_at(session, layer)
    attribution.opacity = 0.0
    given = session.inputs[name][0, ..., 0]
    assert correlation(at_cells(decoded(attribution.png()), given.shape)[..., 0], given) > 0.99
    assert ("Drawn over input 'second'." in caption_of(attribution)) == (name == "second")
    assert "Drawn" not in caption_of(attribution) or name == "second"
    assert alert_of(attribution) == ""


def test_an_attribution_that_no_picture_leads_to_is_drawn_alone(session, attribution):
    session.selection.parameters = (("signed", True),)
    look_at(session, "third_conv")
    assert f"Drawn {NOTHING}." in caption_of(attribution)
    assert attribution._surface.ground == {}
    assert attribution._opacity.layout.display == "none"
    attribution.opacity = 0.0
    shown = at_cells(decoded(attribution.png()), (5, 5)).astype(int)
    assert attribution.array.max() <= 0 and correlation(shown.sum(-1), attribution.array) > 0.8
    session.selection.parameters = ()
    look_at(session, "first_conv")
    assert attribution._opacity.layout.display is None


def test_what_lies_under_a_map_is_looked_up(session, attribution):
    for layer in ("first_conv", "second_conv", "third_conv"):
        look_at(session, layer)
    done = session.stats()
    for layer in ("second_conv", "first_conv", "third_conv"):
        session.selection.layer = layer
        assert attribution.is_settled  # without the worker
    after = session.stats()
    for count in ("forward_passes", "backward_passes"):
        assert after[count] == done[count]


@pytest.mark.parametrize(("layer", "name"), LIES_OVER)
def test_a_channel_lies_over_an_input_that_its_layer_depends_on(session, layer, name):
    view = aw.ChannelView(session)
    view.ground = "over the input"
    look_at(session, layer)
    given = session.inputs[name][0, ..., 0]
    under = view._shown_map.ground.rgb
    assert under.shape[:2] == given.shape
    assert correlation(under[..., 0], given) > 0.99
    assert text_of(view._under.value).endswith(" · over input 'second'") == (name == "second")
    view.close()


def test_a_channel_that_no_picture_leads_to_is_drawn_alone(session):
    view = aw.ChannelView(session)
    view.ground = "over the input"
    look_at(session, "third_conv")
    assert view._shown_map.ground is None
    assert text_of(view._under.value).endswith(f" · {NOTHING}")
    view.ground = "alone"
    settle(session)
    assert "over" not in text_of(view._under.value)
    view.close()


def test_an_input_has_itself_under_its_map(session):
    assert [under_of(session, name).index for name in ("first", "second", "third")] == [0, 1, None]
    assert under_of(session, "third").sentence == "Drawn over no input: it is no picture."


def test_pictures_given_to_be_shown_stand_for_the_first_input():
    model, x = towers()
    session = aw.Session(model, x, display=np.zeros((2, 5, 7, 3), "uint8"))
    view = aw.ChannelView(session)
    view.ground = "over the input"
    for layer, sides in (("first_conv", (5, 7)), ("second_conv", (12, 6))):
        look_at(session, layer)
        assert view._shown_map.ground.rgb.shape[:2] == sides
    view.close()


def test_a_model_with_one_input_is_not_asked():
    x = keras.Input((6, 6, 1), name="picture")
    out = LAYERS.Dense(2, name="out")(LAYERS.Flatten(name="flat")(LAYERS.Conv2D(2, 3, name="conv")(x)))
    session = aw.Session(keras.Model(x, out), batch(2, 6, 6, 1), display=np.zeros((2, 5, 7), "uint8"))
    view = aw.ChannelView(session)
    view.ground = "over the input"
    look_at(session, "conv")
    assert view._shown_map.ground.rgb.shape[:2] == (5, 7)
    assert session.reader.gradients._before == {}
    view.close()


def sides_of(url: str) -> tuple[int, int]:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).size[::-1]


def test_a_page_holds_the_inputs_that_lie_under_its_maps(tmp_path):
    explorer = aw.explore(*towers())
    settle(explorer.session)
    explorer.export_html(tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    sample = page.sample(0)
    assert {index: sides_of(url) for index, url in sample["under"].items()} == {"1": (12, 6)}
    assert sides_of(sample["photo"]) == (8, 8)
    expected = {
        "first_conv": (0, ""),
        "second_conv": (1, "over input 'second'"),
        "third_conv": (None, NOTHING),
        "mixed": (0, ""),
    }
    target = sample["classes"][0]
    for layer, (index, words) in expected.items():
        facts = page.data["layers"][page.index(layer)]
        assert (facts["under"], facts["over"]) == (index, words)
        entry, _ = page.overlay(0, target, layer)
        assert entry["under"] == index
        assert ("Drawn" in entry["more"]) == bool(words)
        assert words in entry["more"]
    explorer.close()
