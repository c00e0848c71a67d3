"""Settings of every test; they must stand before anything imports TensorFlow or Keras."""

from __future__ import annotations

import os

from hypothesis import settings

os.environ["KERAS_BACKEND"] = "tensorflow"
# 2: errors only; else TensorFlow writes about the processor it found.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# The same numbers on every machine: oneDNN chooses its order of additions by the processor.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Tests never use a GPU, so that they say the same everywhere.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# No deadline: a busy machine is no fault. In CI the same examples every time, elsewhere new ones.
settings.register_profile("act_widgets", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("act_widgets")
