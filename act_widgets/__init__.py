"""Look inside a Keras model while you work on it: linked Jupyter widgets on real activations.

``act_widgets.explore(model, images)`` opens the explorer. Everything public is loaded when it is
first used, so that importing the package costs little and loads no TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "errors": (
        "ActWidgetsError",
        "InputError",
        "LayerKindError",
        "ModelError",
        "TargetError",
        "UnknownLayerError",
    ),
    "keys": ("Target",),
    "functions": ("Activations", "attribute", "capture", "graph"),
    "attribution.result": ("Attribution",),
    "model_graph": ("Edge", "Graph", "Node"),
    "selection": ("Selection",),
    "session": ("Session",),
    "environment.report": ("doctor",),
    "recording.callback": ("Recorder",),
    "recording.failure": ("Failure",),
    "recording.npy_log": ("NpyLog",),
    "recording.opening": ("open_recording",),
    "recording.event_files": ("EventFiles",),
    "recording.prometheus": ("PrometheusMetrics",),
    "recording.zarr_log": ("ZarrLog",),
    "widgets.explorer": ("Explorer", "explore"),
    "widgets.channel_slider": ("ChannelSlider",),
    "widgets.class_selector": ("ClassSelector",),
    "widgets.layer_picker": ("LayerPicker",),
    "widgets.sample_picker": ("SamplePicker",),
    "widgets.feature_maps": ("FeatureMaps",),
    "widgets.channel_editor": ("ChannelEditor",),
    "widgets.channel_view": ("ChannelView",),
    "widgets.histogram": ("Histogram",),
    "widgets.attribution_view": ("AttributionView",),
    "widgets.method_picker": ("MethodPicker",),
    "widgets.trust_panel": ("TrustPanel",),
    "widgets.predictions": ("Predictions",),
    "widgets.graph_view": ("GraphView",),
    "widgets.projection": ("Projection",),
    "widgets.step_slider": ("StepSlider",),
    "widgets.step_chart": ("StepChart",),
}
_MODULES = ("samples", "testing")
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF, *_MODULES])
