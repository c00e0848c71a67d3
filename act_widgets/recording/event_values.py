"""Events as TensorBoard keeps them, in today's format and in TensorFlow 1's. Needs tensorboard."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.histogram_pb2 import HistogramProto
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram import metadata as of_histograms
from tensorboard.plugins.image import metadata as of_images
from tensorboard.plugins.scalar import metadata as of_scalars
from tensorboard.util.tensor_util import make_tensor_proto

from ..rendering.bins import binned
from ..rendering.pictures import Picture

# The ground between maps is transparent.
_RGBA = 4


class Values(Protocol):
    """How a format keeps numbers, histograms and pictures."""

    def scalar(self, tag: str, number: float) -> Any:
        """Return a number, which is kept as float32."""

    def histogram(self, tag: str, values: np.ndarray) -> Any:
        """Return the counts of the finite values in bins."""

    def picture(self, tag: str, picture: Picture) -> Any:
        """Return a picture."""


class Tf2Values:
    """Values as ``tf.summary`` writes them: tensors, and which plugin shows them."""

    def scalar(self, tag: str, number: float) -> Any:
        """Return a number, which is kept as float32."""
        return _tensor(tag, np.float32(number), of_scalars)

    def histogram(self, tag: str, values: np.ndarray) -> Any:
        """Return the counts of the finite values: for each bin its ends and how many there are."""
        counts, ends = binned(values)
        return _tensor(tag, np.stack([ends[:-1], ends[1:], counts], 1), of_histograms)

    def picture(self, tag: str, picture: Picture) -> Any:
        """Return a picture."""
        height, width = picture.indices.shape
        return _tensor(tag, [str(width).encode(), str(height).encode(), picture.png()], of_images)


class Tf1Values:
    """Values as ``tf.compat.v1.summary`` writes them."""

    def scalar(self, tag: str, number: float) -> Any:
        """Return a number, which is kept as float32."""
        return Summary.Value(tag=tag, simple_value=np.float32(number))

    def histogram(self, tag: str, values: np.ndarray) -> Any:
        """Return the counts of the finite values, with their ends, sum and sum of squares."""
        counts, ends = binned(values)
        finite = values[np.isfinite(values)].astype(np.float64)
        histo = HistogramProto(
            min=finite.min() if finite.size else 0,
            max=finite.max() if finite.size else 0,
            num=finite.size,
            sum=finite.sum(),
            sum_squares=np.square(finite).sum(),
            bucket_limit=ends[1:],
            bucket=counts,
        )
        return Summary.Value(tag=tag, histo=histo)

    def picture(self, tag: str, picture: Picture) -> Any:
        """Return a picture."""
        height, width = picture.indices.shape
        image = Summary.Image(
            height=height, width=width, colorspace=_RGBA, encoded_image_string=picture.png()
        )
        return Summary.Value(tag=tag, image=image)


def beginning() -> bytes:
    """Return what an event file begins with."""
    return Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString()


def event(step: int, made: float, values: Sequence[Any]) -> bytes:
    """Return all values of a step as one event: readers find the whole of it, or nothing.

    Parameters
    ----------
    step : int
        The step.
    made : float
        When, in seconds since 1970.
    values : sequence
        What `Values` return.
    """
    return Event(wall_time=made, step=step, summary=Summary(value=values)).SerializeToString()


def _tensor(tag: str, value: Any, plugin: Any) -> Any:
    metadata = plugin.create_summary_metadata(display_name=None, description=None)
    return Summary.Value(tag=tag, tensor=make_tensor_proto(value), metadata=metadata)
