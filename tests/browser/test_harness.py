"""The harness itself: a slider and a drawing in JupyterLab, moved, read, reloaded."""

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.lab import CellError, Lab

SLIDER_AND_CANVAS = """
import ipywidgets as widgets
import numpy as np
from act_widgets.rendering.pictures import png_of
from act_widgets.widgets.surface import Box, Placed, Scene, Sheet, Surface

slider = widgets.IntSlider(value=5, min=0, max=10, description="level")
surface = Surface(40, 20)

def draw(*_):
    colour = np.array([[[slider.value * 20, 0, 255]]], np.uint8)
    surface.show((40, 20), Scene([Placed(Sheet(png_of(colour)), Box(0, 0, 20, 20))]))

slider.observe(draw, "value")
draw()
widgets.VBox([slider, surface.face], layout={'align_items': 'flex-start'})
"""

BOX = """
import threading
import ipywidgets as widgets

go = threading.Event()
box = widgets.Checkbox(description="go")
box.observe(lambda change: go.set(), "value")
box
"""


def left_half(lab: Lab) -> np.ndarray:
    return lab.pixels(lab.page.locator("canvas"))[:, :20]


def is_level(lab: Lab, level: int) -> bool:
    return bool((left_half(lab) == [level * 20, 0, 255, 255]).all())


def test_a_key_on_a_slider_reaches_the_kernel_and_the_canvas(lab):
    output = lab.show(SLIDER_AND_CANVAS)
    lab.until(lambda: is_level(lab, 5))
    handle = output.get_by_role("slider")
    handle.press("ArrowRight")
    lab.until(lambda: is_level(lab, 6))
    assert lab.value("slider.value") == 6
    assert lab.pixels(lab.page.locator("canvas")).shape == (20, 40, 4)
    assert (lab.pixels(lab.page.locator("canvas"))[:, 20:] == 0).all(), "the right half stays clear"


def test_after_a_reload_the_widgets_work_again(lab):
    output = lab.show(SLIDER_AND_CANVAS)
    output.get_by_role("slider").press("ArrowRight")
    expect(output.locator(".widget-readout")).to_have_text("6")
    lab.reload()
    expect(output.locator(".widget-readout")).to_have_text("6")
    lab.until(lambda: is_level(lab, 6))
    output.get_by_role("slider").press("ArrowRight")
    lab.until(lambda: is_level(lab, 7))
    assert lab.value("slider.value") == 7


def test_the_kernel_answers_in_json_and_forgets_between_tests(lab):
    lab.python("import numpy as np; picture = np.arange(6.0).reshape(2, 3)")
    assert lab.value("picture") == [[0, 1, 2], [3, 4, 5]]
    assert lab.value("'ä' * 200_000") == "ä" * 200_000
    assert lab.value("'slider' in globals()") is False


def test_errors_of_cells_are_told(lab):
    with pytest.raises(CellError, match="division by zero"):
        lab.show("1 / 0")
    with pytest.raises(CellError, match="NameError"):
        lab.value("no_such_name")


def test_errors_of_the_page_fail_the_test(lab):
    with lab.expect_error("on purpose"):
        lab.page.evaluate("() => console.error('on purpose')")
    lab.check()
    with lab.expect_error("thrown later"):
        lab.page.evaluate("() => { setTimeout(() => { throw new Error('thrown later') }) }")
    lab._allowed.clear()
    with pytest.raises(AssertionError, match=r"(?s)on purpose.*thrown later"):
        lab.check()
    lab.errors.clear()


def test_an_error_in_an_observer_fails_the_test(lab):
    output = lab.show(SLIDER_AND_CANVAS, "slider.observe(lambda change: 1 / 0, 'value'); slider")
    with lab.expect_error("ZeroDivisionError"):
        output.get_by_role("slider").press("ArrowRight")
    lab._allowed.clear()
    with pytest.raises(AssertionError, match="division by zero"):
        lab.check()
    lab.page.evaluate("testLab.kernelErrors.length = 0")


def test_theme_viewport_and_screenshot(lab, tmp_path):
    output = lab.show("import ipywidgets; ipywidgets.HTML('words')")
    light = lab.screenshot(output, tmp_path / "light.png")
    lab.set_theme("dark")
    dark = lab.screenshot(output)
    assert light.mean() > 200
    assert dark.mean() < 60
    lab.set_viewport(800, 600)
    assert lab.page.evaluate("[innerWidth, innerHeight]") == [800, 600]
    assert (tmp_path / "light.png").stat().st_size > 0


def test_a_cell_can_run_while_the_test_goes_on(lab):
    lab.notebook([BOX, "go.clear()\nprint('waiting')\ngo.wait()\nprint('gone')"])
    lab.run(0)
    # The first message of a page goes to the main thread, and has the front end start a subshell.
    lab.output(0).get_by_role("checkbox").check()
    lab.until(lambda: lab.value("go.is_set()"))
    job = lab.start(1)
    expect(lab.output(1)).to_contain_text("waiting")
    lab.output(0).get_by_role("checkbox").uncheck()
    assert "gone" in lab.finish(job)[0]["text"]


def test_notebook_7_shows_the_same(notebook7):
    output = notebook7.show(SLIDER_AND_CANVAS)
    # Not an arrow: Notebook 7.6 keeps the arrow keys for itself, even while a slider has the focus.
    output.get_by_role("slider").press("Home")
    notebook7.until(lambda: is_level(notebook7, 0))
    assert notebook7.value("slider.value") == 0
