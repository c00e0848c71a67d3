"""Reads an exported page as its own script does, to compare what it holds with the session."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from act_widgets.rendering.bins import BINS


class LayerBlock(NamedTuple):
    levels: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    zeros: np.ndarray
    lost: np.ndarray
    first: np.ndarray
    last: np.ndarray
    counts: np.ndarray


class Page:
    """What a page holds."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text("utf-8")
        self.data = json.loads(re.search(r'id="data">(.*?)</script>', self.text, re.DOTALL)[1])
        blocks = re.findall(r'<script type="text/plain" id="(\w+-\d+)">([^<]*)</script>', self.text)
        self._blocks = dict(blocks)
        assert len(self._blocks) == len(blocks)

    def _unpacked(self, name: str) -> bytes:
        return zlib.decompress(base64.b64decode(self._blocks[name]), -15)

    def index(self, address: str) -> int:
        return next(i for i, layer in enumerate(self.data["layers"]) if layer["address"] == address)

    def layer(self, sample: int, address: str) -> LayerBlock:
        facts = self.data["layers"][self.index(address)]
        n = facts["channels"]
        raw = self._unpacked(f"m{sample}-{self.index(address)}")
        sizes = [n * facts["height"] * facts["width"], n + 1, n + 1, n, n, n, n + 1, n + 1, (n + 1) * BINS]
        kinds = ["u1", "<f8", "<f8", "<f8", "u1", "<f4", "<f8", "<f8", "<u4"]
        parts, at = [], 0
        for size, kind in zip(sizes, kinds, strict=True):
            parts.append(np.frombuffer(raw, kind, size, at))
            at += parts[-1].nbytes
        assert at == len(raw)
        parts[0] = parts[0].reshape(n, facts["height"], facts["width"])
        parts[-1] = parts[-1].reshape(n + 1, BINS)
        return LayerBlock(*parts)

    def overlay(self, sample: int, target: int, address: str) -> tuple[dict[str, Any], np.ndarray]:
        raw = self._unpacked(f"a{sample}-{target}")
        length = int.from_bytes(raw[:4], "little")
        head = json.loads(raw[4 : 4 + length])
        sizes = [one["h"] * one["w"] for one in head["maps"]]
        at = head["at"][self.index(address)]
        entry = head["maps"][at]
        levels = np.frombuffer(raw, "u1", sizes[at], 4 + length + sum(sizes[:at]))
        return entry, levels.reshape(entry["h"], entry["w"])

    def sample(self, number: int) -> dict[str, Any]:
        return next(one for one in self.data["samples"] if one["number"] == number)

    def values(self, number: int) -> np.ndarray:
        return np.frombuffer(base64.b64decode(self.sample(number)["values"]), "<f4")
