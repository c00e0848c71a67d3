"""Attribution maps of volumes and image sequences: the slice that the sliders stand at is shown."""

from __future__ import annotations

import ast
from typing import Any

import keras
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

import act_widgets as aw

from .cards import Cards, at_cells, bar_of, caption_of, correlation, decoded, send, settle
from .exported import Page
from .ranks import film, film_of_volumes, volume
from .screen import alert_of, text_of
from .zoo import batch, shaken

LAYERS = keras.layers


@pytest.fixture
def scan() -> Any:
    made = Cards(*volume())
    made.map.opacity = 1.0
    made.choose("Saliency")
    yield made
    made.close()


def sliders_of(view: Any) -> dict[str, Any]:
    by_role = view._sliders.by_role
    return {role: slider for role, slider in by_role.items() if slider.layout.display != "none"}


def work_of(session: aw.Session) -> list[int]:
    done = session.stats()
    return [done[name] for name in ("forward_passes", "backward_passes", "varied_samples")]


def whole_map(cards: Cards, method: str, layer: str | None = None) -> np.ndarray:
    target = cards.session.top_class(0)
    return cards.session.attribution(method, layer=layer, sample=0, target=target).maps[0]


def test_the_slider_chooses_the_slice_of_the_map_and_nothing_is_computed_again(scan):
    whole = whole_map(scan, "saliency")
    assert whole.shape == (8, 6, 5)
    slider = sliders_of(scan.map)["depth"]
    assert (slider.min, slider.max, slider.value) == (0, 7, 4)
    done = work_of(scan.session)
    pictures = []
    for place in (4, 6, 0):
        send(slider, place)
        scan.settle()
        np.testing.assert_array_equal(scan.map.array, whole[place])
        assert caption_of(scan.map).endswith(f"Shown: depth {place} of 0 to 7.")
        shown = at_cells(decoded(scan.map.png()), (6, 5)).sum(-1)
        assert correlation(shown, whole[place]) > 0.8
        pictures.append(scan.map._surface.sheets)
    assert len({str(picture) for picture in pictures}) == 3
    assert work_of(scan.session) == done
    assert scan.alerts() == []


def test_all_views_of_the_session_have_one_slider(scan):
    scan.selection.layer = "conv"
    maps = aw.FeatureMaps(scan.session)
    settle(scan.session)
    send(maps._axes.sliders["depth"], 7)
    assert sliders_of(scan.map)["depth"].value == 7
    send(sliders_of(scan.map)["depth"], 1)
    assert maps._axes.sliders["depth"].value == 1
    np.testing.assert_array_equal(scan.map.array, whole_map(scan, "saliency")[1])
    maps.close()


def test_on_the_grid_of_a_pooled_layer_it_is_the_slice_at_the_same_share(scan):
    scan.selection.layer = "pool"
    scan.choose("Grad-CAM")
    scan.session.axes.move("depth", 6, 8)
    whole = whole_map(scan, "grad_cam", "pool")
    assert whole.shape == (4, 3, 2)
    np.testing.assert_array_equal(scan.map.array, whole[3])
    assert sliders_of(scan.map)["depth"].value == 3
    assert "Grad-CAM at 'pool'" in caption_of(scan.map)
    assert caption_of(scan.map).endswith("Shown: depth 3 of 0 to 3.")


def test_colours_mean_the_same_in_all_slices(scan):
    largest = float(whole_map(scan, "saliency").max())
    for place in range(8):
        scan.session.axes.move("depth", place, 8)
        numbers, _ = bar_of(scan.map)
        np.testing.assert_allclose(numbers, [0, largest], rtol=6e-3)


@pytest.mark.parametrize(("model", "role"), [(volume, "depth"), (film, "time")])
def test_the_slice_of_the_input_lies_under_that_of_the_map(model, role):
    cards = Cards(*model())
    cards.map.opacity = 0.0
    cards.choose("Saliency")
    given = cards.session.inputs[0]
    for place in (0, len(given) - 1):
        cards.session.axes.move(role, place, len(given))
        under = at_cells(decoded(cards.map.png()), given.shape[1:3])[..., 0]
        assert correlation(under, given[place, ..., 0]) > 0.99
    assert "picture under it" not in caption_of(cards.map)
    cards.close()


def test_a_picture_given_for_the_volume_stays_and_the_caption_says_so():
    model, x = volume()
    cards = Cards(model, x, display=np.zeros((2, 6, 5, 3), "uint8"))
    cards.choose("Saliency")
    assert caption_of(cards.map).endswith(
        "Shown: depth 4 of 0 to 7. The picture under it is the same at every depth."
    )
    cards.close()


class Subclassed(keras.Model):
    """A model that states no inputs."""

    def __init__(self) -> None:
        super().__init__(name="subclassed")
        self.conv = LAYERS.Conv3D(2, 3, name="conv")
        self.flat, self.out = LAYERS.Flatten(name="flat"), LAYERS.Dense(3, name="out")

    def call(self, x: Any) -> Any:
        return self.out(self.flat(self.conv(x)))


def test_an_input_without_a_name_has_a_slider_too():
    model, x = Subclassed(), batch(2, 8, 6, 5, 1)
    model(x)
    cards = Cards(shaken(model), x)
    cards.map.opacity = 0.0
    cards.choose("Saliency")
    send(sliders_of(cards.map)["depth"], 6)
    np.testing.assert_array_equal(cards.map.array, whole_map(cards, "saliency")[6])
    under = at_cells(decoded(cards.map.png()), (6, 5))[..., 0]
    assert correlation(under, x[0, 6, ..., 0]) > 0.99
    cards.close()


def test_two_sliders_where_two_axes_are_not_drawn():
    cards = Cards(*film_of_volumes())
    cards.choose("Gradient × input")
    assert list(sliders_of(cards.map)) == ["time", "depth"]
    cards.session.axes.move("time", 2)
    cards.session.axes.move("depth", 1)
    np.testing.assert_array_equal(cards.map.array, whole_map(cards, "gradient_x_input")[2, 1])
    assert caption_of(cards.map).endswith("Shown: time 2 of 0 to 2, depth 1 of 0 to 3.")
    cards.close()


@pytest.mark.parametrize(
    ("words", "role"), [("time × height × width × channels", "time"), ("a × b × c × d", "a")]
)
def test_a_layer_whose_axes_were_renamed_has_the_slider_of_the_name(scan, words, role):
    scan.selection.layer = "conv"
    scan.choose("LayerCAM")
    scan.session.axes["conv"] = words
    scan.settle()
    assert list(sliders_of(scan.map)) == [role]
    scan.session.axes.move(role, 5, 8)
    np.testing.assert_array_equal(scan.map.array, whole_map(scan, "layer_cam", "conv")[5])
    assert scan.alerts() == []


def test_pictures_have_no_slider(cards):
    cards.choose("Saliency")
    assert sliders_of(cards.map) == {}
    assert "Shown:" not in caption_of(cards.map)


def test_the_maps_that_are_compared_follow_the_slider(scan):
    scan.check("Another class", "Shuffled weights")
    done = work_of(scan.session)
    drawn = []
    for place in (2, 6):
        send(sliders_of(scan.trust)["depth"], place)
        np.testing.assert_array_equal(scan.trust.array, scan.map.array)
        assert text_of(scan.trust._slice.value) == f"Shown: depth {place} of 0 to 7."
        first, *_ = scan.trust._surface.scene["placed"]
        picture = decoded(scan.trust._surface.sheets[first["sheet"]])
        assert correlation(picture.sum(-1), scan.map.array) > 0.8
        drawn.append(scan.trust.png())
    assert drawn[0] != drawn[1]
    assert work_of(scan.session) == done
    send(scan.trust._wishes["Another class"], False)
    send(scan.trust._wishes["Shuffled weights"], False)
    scan.settle()
    assert sliders_of(scan.trust) == {}


def test_code_brings_the_slice_back(scan):
    send(sliders_of(scan.map)["depth"], 2)
    *lines, last = ast.parse(scan.map.code()).body
    names = {"model": scan.session.source.model, "inputs": scan.session.inputs}
    exec(compile(ast.Module(lines, []), "code", "exec"), names)
    array = eval(compile(ast.Expression(last.value), "code", "eval"), names)
    np.testing.assert_array_equal(array, scan.map.array)
    assert names["view"].png() == scan.map.png()
    names["view"].close()


def test_the_page_holds_the_slice_and_says_which(tmp_path):
    explorer = aw.explore(*volume(), layer="conv")
    settle(explorer.session)
    explorer.session.axes.move("depth", 6, 8)
    explorer.export_html(tmp_path / "page.html")
    page, target = Page(tmp_path / "page.html"), explorer.session.top_class(0)
    whole = explorer.session.attribution(layer="conv", sample=0, target=target).maps[0]
    entry, levels = page.overlay(0, target, "conv")
    assert entry["more"].endswith("Shown: depth 6 of 0 to 7.")
    np.testing.assert_allclose(levels / 253 * whole.max(), whole[6], atol=whole.max() / 250)
    url = page.sample(0)["photo"]
    explorer.session.axes.move("depth", 0, 8)
    explorer.export_html(tmp_path / "other.html")
    assert Page(tmp_path / "other.html").sample(0)["photo"] != url
    explorer.close()


def test_closed_views_follow_no_slider_and_leave_nothing():
    model, x = volume()
    settle(aw.Session(model, x))
    before = len(_instances)
    cards = Cards(model, x)
    cards.choose("Saliency")
    cards.check("Another class")
    said = caption_of(cards.map)
    cards.close()
    cards.session.axes.move("depth", 1)
    assert caption_of(cards.map) == said
    assert alert_of(cards.map) == ""
    assert len(_instances) == before
