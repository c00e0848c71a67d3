"""Settings of every test; they must stand before anything imports TensorFlow or Keras."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from .cards import Cards

os.environ["KERAS_BACKEND"] = "tensorflow"
# 2: errors only; else TensorFlow writes about the processor it found.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# The same numbers on every machine: oneDNN chooses its order of additions by the processor.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Tests never use a GPU, so that they say the same everywhere.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# No deadline: a busy machine is no fault. The same examples every time; `make soak` draws new ones.
settings.register_profile(
    "act_widgets", deadline=None, derandomize="ACT_WIDGETS_SOAK" not in os.environ, print_blob=True
)
settings.load_profile("act_widgets")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep each file in one process, and all of the browser's: much of their time is waiting for the page."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]

    return ByFile(config, log)


@pytest.fixture(scope="session")
def digits() -> tuple[Any, ...]:
    """Model, pictures and labels of the sample; not to be changed."""
    import act_widgets as aw

    return aw.samples.digits()


@pytest.fixture
def cards(digits) -> Iterator[Cards]:
    """The cards of attribution on three digits."""
    from .cards import Cards

    model, images, labels = digits
    made = Cards(model, images[:3], labels=labels)
    yield made
    made.close()


@pytest.fixture
def no_old_data() -> Iterator[None]:
    """Let go of what a training that was broken off leaves: TensorFlow ends old data the more slowly.

    It holds the interpreter meanwhile, a minute at times, and with it every other thread.
    """
    yield
    gc.collect()


def pytest_collection_finish() -> None:
    """Leave what the libraries made out of every later collection: it stays, and looking at it takes long."""
    gc.collect()
    gc.freeze()
