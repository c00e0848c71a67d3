"""Without threads of its own for what the page says, a kernel shows the training all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

OPEN = """
import act_widgets as aw
from tests.fits import LOOKED_AT, Steps, X, Y, network
model = network()
view = aw.FeatureMaps(aw.Session(model, LOOKED_AT))
drawn = []
view.on_drawn(lambda: drawn.append(view._heading.value))
"""
FIT = """
steps = Steps(lambda: len(drawn) >= 3)
_ = model.fit(X, Y, batch_size=8, epochs=100_000, verbose=0, callbacks=[steps])
"""


@pytest.fixture
def kernel():
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(kernel: Any, code: str) -> list[dict[str, Any]]:
    """Run a cell; return what the kernel told the page until the cell was done."""
    told: list[dict[str, Any]] = []
    reply = kernel.execute_interactive(code, output_hook=told.append, timeout=120)
    assert reply["content"]["status"] == "ok", reply["content"]
    return told


def test_pictures_of_a_training_reach_the_page_before_its_cell_is_done(kernel):
    run(kernel, OPEN)
    told = run(kernel, FIT)
    states = [m["content"]["data"].get("state", {}) for m in told if m["msg_type"] == "comm_msg"]
    headings = [state["value"] for state in states if "aw-step" in str(state.get("value", ""))]
    assert len({*headings}) >= 3
    assert any(message["msg_type"] == "comm_msg" and message["buffers"] for message in told)
    told = run(kernel, "print(__import__('json').dumps([len(drawn), len(steps.losses)]))")
    (words,) = [m["content"]["text"] for m in told if m["msg_type"] == "stream"]
    count, made = json.loads(words)
    assert made >= count >= 3
