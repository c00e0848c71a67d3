"""What holds for all records of a training, as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..keys import Tap
from .record import About

FORMAT = "act_widgets recording 1"


def to_json(about: About) -> dict[str, Any]:
    """Return all of `about` but the arrays of its inputs."""
    return {
        "format": FORMAT,
        "model": about.model,
        "taps": [asdict(tap) for tap in about.taps.values()],
        "inputs": list(about.inputs),
        "explained": about.explained,
        "labels": list(about.labels),
    }


def goes_on(described: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether two describe the same recording: what its gradients are of may have changed on the way."""
    return {**described, "explained": ""} == {**before, "explained": ""}


def from_json(known: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> About:
    """Return what `to_json` wrote, with the arrays of the inputs."""
    taps = [Tap(**{**tap, "shape": tuple(tap["shape"])}) for tap in known["taps"]]
    return About(
        model=known["model"],
        taps={tap.address: tap for tap in taps},
        inputs=inputs,
        explained=known["explained"],
        labels=tuple(known["labels"]),
    )
