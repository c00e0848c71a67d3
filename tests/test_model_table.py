"""The script behind docs/models.md: what it says of good models and of bad ones."""

from __future__ import annotations

import re
from functools import partial

import keras
import numpy as np
import pytest

from act_widgets import testing
from scripts import model_table
from tests.keras_layers import LAYERS
from tests.zoo import batch, build


def row_of(name, recipe, **options):
    row = model_table.measured(name, recipe, **options)
    assert not row.faults
    return row


def test_a_network_of_keras_applications():
    name, side = model_table.APPLICATIONS["mobilenet"]
    row = row_of(name, partial(model_table.application, name, side))
    assert row.tensors > 90 and row.hidden == 0
    assert row.cells()[4:] == ["yes", "yes", ""]


def test_layers():
    recurrent = row_of("SimpleRNN", LAYERS["SimpleRNN"])
    assert recurrent.hidden == 1 and recurrent.remarks == ["hidden: made in each time step"]
    cells = row_of("Discretization", LAYERS["Discretization"]).cells()
    assert cells[4:] == ["yes", "—", "the output is no real number"]


def kind_of(name):
    (kinds,) = (group for group in model_table.groups() if name in group.recipes)
    return row_of(name, kinds.recipes[name], exempt=kinds.exempt.get(name)).cells()


def test_kinds():
    assert kind_of("decides_in_python")[4:] == ["whole pass", "yes", "called anew for each question"]
    assert kind_of("custom_gradient")[4:] == ["yes", "no: its author wrote another gradient", ""]


class Drifts(keras.layers.Layer):
    """Gives other numbers at each call."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return x + float(self.calls)


def drifting():
    x = keras.Input((4,))
    return keras.Model(x, keras.layers.Dense(2)(Drifts(name="drifts")(x))), batch(3, 4)


@pytest.fixture
def only(monkeypatch, tmp_path):
    """Replace all groups by one, and the page by one elsewhere."""

    def replace(recipes):
        group = model_table.Group("Some", "Some models.", recipes, absent={"None": "a reason"})
        monkeypatch.setattr(model_table, "groups", lambda: [group])
        monkeypatch.setattr(model_table, "PAGE", tmp_path / "models.md")
        return tmp_path / "models.md"

    return replace


def rows_of(page):
    return {
        name: line for line in page.splitlines() if (name := "".join(re.findall(r"^\| `(.+?)` \|", line)))
    }


def test_a_wrong_model_is_marked_and_fails_the_run_after_the_others(only, capsys):
    page = only(
        {"drifting": drifting, "new": partial(model_table.not_listed, "new", "LIST"), "fine": LAYERS["ELU"]}
    )
    assert model_table.main([]) == 1
    rows = rows_of(page.read_text(encoding="utf-8"))
    assert [name for name, row in rows.items() if "✗" in row] == ["drifting", "new"]
    assert "no model: a reason" in rows["None"] and "| yes | yes |  |" in rows["fine"]
    told = capsys.readouterr().err
    assert "✗ drifting: differs by" in told and "✗ drifting: the outputs differ by" in told
    assert "✗ new: LookupError: new is new in this Keras" in told and "fine" not in told


class HalfGradients:
    """A source whose gradients are too small."""

    def __init__(self, source):
        self._source = source

    def __getattr__(self, name):
        return getattr(self._source, name)

    def gradients(self, *question):
        made = self._source.gradients(*question)
        return made._replace(values={a: g * np.float32(0.5) for a, g in made.values.items()})


def test_a_wrong_reader_is_marked_and_nothing_is_written_of_named_models(only, capsys, monkeypatch):
    page = only({"one_unit": partial(build, "one_unit"), "other": drifting})
    opened = testing.opened

    def lying(model, inputs):
        source, given = opened(model, inputs)
        return HalfGradients(source), given

    monkeypatch.setattr(testing, "opened", lying)
    assert model_table.main(["unit"]) == 1
    (row,) = rows_of(capsys.readouterr().out).values()
    assert "| yes | no | ✗ gradients are slopes:" in row
    assert not page.exists()


def test_numbers_are_short():
    numbers = (None, 0.0, 3.14e-8, 0.25, 12.0, np.inf)
    assert [model_table.short(number) for number in numbers] == ["—", "0", "3e-8", "2e-1", "1e1", "∞"]


def test_the_page_lists_every_model_and_none_is_wrong():
    page = model_table.ROOT / "docs" / "models.md"
    if not page.exists():
        pytest.skip("not written yet: make test-models")
    text = page.read_text(encoding="utf-8")
    missing = {name for group in model_table.groups() for name in group.names} - set(rows_of(text))
    assert not missing, f"new models, to be read by make test-models: {sorted(missing)}"
    assert "✗" not in "".join(rows_of(text).values())
