"""The controls and views that an explorer is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..session import Session
from .attribution_view import AttributionView
from .base import View
from .channel_editor import ChannelEditor
from .channel_slider import ChannelSlider
from .channel_view import ChannelView
from .class_selector import ClassSelector
from .feature_maps import FeatureMaps
from .graph_view import GraphView
from .histogram import Histogram
from .layer_picker import LayerPicker
from .method_picker import MethodPicker
from .predictions import Predictions
from .projection import Projection
from .sample_picker import SamplePicker
from .step_chart import StepChart
from .step_slider import StepSlider
from .trust_panel import TrustPanel

# What begins otherwise than it does alone: a batch is projected when somebody asks for it.
BEGUN = {"projection": {"method": ""}}


@dataclass(frozen=True)
class Views:
    """The controls and views of an explorer, by name; in order when they are gone through.

    The first two are those of a recording; of a model there are none.
    """

    step_slider: StepSlider | None
    step_chart: StepChart | None
    layer_picker: LayerPicker
    graph: GraphView
    sample_picker: SamplePicker
    channel_slider: ChannelSlider
    feature_maps: FeatureMaps
    channel_view: ChannelView
    histogram: Histogram
    class_selector: ClassSelector
    method_picker: MethodPicker
    attribution: AttributionView
    trust: TrustPanel
    predictions: Predictions
    channel_editor: ChannelEditor
    projection: Projection

    @classmethod
    def of(cls, session: Session) -> Views:
        """Return those of a session."""
        is_recorded = bool(session.steps)
        return cls(
            StepSlider(session) if is_recorded else None,
            StepChart(session) if is_recorded else None,
            LayerPicker(session),
            GraphView(session),
            SamplePicker(session),
            ChannelSlider(session),
            FeatureMaps(session),
            ChannelView(session),
            Histogram(session),
            ClassSelector(session),
            MethodPicker(session),
            AttributionView(session),
            TrustPanel(session),
            Predictions(session),
            ChannelEditor(session),
            Projection(session, **BEGUN["projection"]),
        )

    @property
    def named(self) -> dict[str, View]:
        """Those that there are, by name."""
        return {name: view for name, view in vars(self).items() if view is not None}

    def __iter__(self) -> Iterator[View]:
        return iter(self.named.values())
