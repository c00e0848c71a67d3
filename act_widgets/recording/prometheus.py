"""The latest record as metrics for Prometheus, and a Grafana dashboard of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import InputError
from ..keys import whole_number
from .record import About, Record

_OF_MODEL = {
    "step": ("act_widgets_step", "Training steps taken."),
    "epoch": ("act_widgets_epoch", "Epochs ended."),
    "seconds": ("act_widgets_training_seconds", "Seconds since the training began."),
    "time": ("act_widgets_record_time_seconds", "When the record was made, in seconds since 1970."),
}
_LOG = ("act_widgets_log", "The loss and metrics as Keras reported them.")
_OF_LAYER = {
    "mean": ("act_widgets_activation_mean", "Mean of the layer's activations."),
    "deviation": ("act_widgets_activation_deviation", "Standard deviation of the layer's activations."),
    "smallest": ("act_widgets_activation_min", "The layer's smallest activation."),
    "largest": ("act_widgets_activation_max", "The layer's largest activation."),
    "zeros": ("act_widgets_zero_ratio", "Share of activations that are 0."),
    "dead": ("act_widgets_dead_ratio", "Share of channels that are 0 in every sample and position."),
    "nan": ("act_widgets_nan_values", "Number of activations that are NaN."),
    "infinite": ("act_widgets_infinite_values", "Number of activations that are infinite."),
    "gradient_norm": ("act_widgets_gradient_norm", "L2 norm of the gradient at the layer's output."),
    "weight_norm": ("act_widgets_weight_norm", "L2 norm of the layer's weights."),
}
_DASHBOARD = Path(__file__).with_name("grafana.json")


class PrometheusMetrics:
    """Offers the latest record to Prometheus, as gauges labelled by model and layer.

    Needs the extra ``prometheus``. Trainings that go on at the same time may share a registry: a model whose
    name is in use is labelled ``name#2``. What the last record said stays in the registry when a training is
    over.

    Parameters
    ----------
    port : int, optional
        Where metrics are served while the training goes on; 0 for any that is free, which `url` tells.
        Left out, nothing is served: whoever serves the registry serves them.
    registry : prometheus_client.CollectorRegistry, optional
        Where the gauges are registered; left out, that of the whole process, or with a port one of its own.
    addr : str
        The address to serve on: by default, this machine alone can ask.

    Raises
    ------
    ImportError
        If prometheus_client is not installed.
    InputError
        If the port is none.
    OSError
        When the training begins, if the port is in use.
    """

    def __init__(self, port: int | None = None, *, registry: Any = None, addr: str = "127.0.0.1") -> None:
        try:
            import prometheus_client
            from prometheus_client.registry import CollectorRegistry
        except ModuleNotFoundError as error:
            raise ImportError(
                f"PrometheusMetrics needs prometheus_client, which can't be imported ({error}). Install it "
                'with: pip install "act-widgets[prometheus]". EventFiles works without it.'
            ) from error
        if port is not None and (whole_number(port) is None or not 0 <= port < 1 << 16):
            raise InputError(f"A port is a number. Received: port={port!r:.80}. Expected: 0 to 65535.")
        self._given = port, registry
        if registry is None:
            registry = prometheus_client.REGISTRY if port is None else CollectorRegistry()
        self.registry = registry
        self.addr, self.port = addr, port
        self._client: Any = prometheus_client
        self._gauges = _gauges_of(self.registry, prometheus_client.Gauge)
        self._server: tuple[Any, threading.Thread] | None = None
        self._model: str | None = None

    def __repr__(self) -> str:
        return f"PrometheusMetrics(at {self.url})" if self._server else f"PrometheusMetrics(port={self.port})"

    def __deepcopy__(self, memo: Any) -> PrometheusMetrics:
        """Return another one for the same port and registry, which has not begun."""
        port, registry = self._given
        return type(self)(port, registry=registry, addr=self.addr)

    @property
    def url(self) -> str:
        """Where the metrics are served; empty while they are not."""
        host = f"[{self.addr}]" if ":" in self.addr else self.addr
        return f"http://{host}:{self.port}/metrics" if self._server else ""

    @staticmethod
    def save_dashboard(path: str | os.PathLike[str]) -> None:
        """Write a Grafana dashboard of these metrics, a JSON file to import or to provision."""
        Path(path).write_bytes(_DASHBOARD.read_bytes())

    def open(self, about: About) -> None:
        """Take a name for the model, and begin to serve, unless that is done."""
        if self._model is not None:
            return
        if self.port is not None and self._server is None:
            try:
                self._server = self._client.start_http_server(self.port, self.addr, self.registry)
            except OSError as error:
                raise OSError(
                    error.errno,
                    f"Metrics can't be served on {self.addr}, port {self.port}: {error.strerror}. "
                    "Expected: an address of this machine and a port that is free, or port=0 for any.",
                ) from error
            self.port = self._server[0].server_port
        self._model = self._gauges.begin(_label(about.model))

    def write(self, record: Record) -> None:
        """Set the gauges to what the record says."""
        assert self._model is not None
        for field, (metric, _) in _OF_MODEL.items():
            self._gauges.set(metric, (self._model,), getattr(record, field))
        for name, value in record.logs.items():
            self._gauges.set(_LOG[0], (self._model, _label(name)), value)
        for address, summary in record.summaries.items():
            for field, (metric, _) in _OF_LAYER.items():
                value = getattr(summary, field)
                if value is not None:
                    self._gauges.set(metric, (self._model, _label(address)), value)

    def close(self) -> None:
        """Stop serving."""
        if self._model is not None:
            self._gauges.end(self._model)
            self._model = None
        if self._server is not None:
            server, thread = self._server
            self._server = None
            server.shutdown()
            server.server_close()
            thread.join()


class _Gauges:
    """The gauges of a registry, and which models are being trained."""

    def __init__(self, registry: Any, gauge: Any) -> None:
        self._by_name = {
            name: gauge(name, text, labels, registry=registry)
            for labels, metrics in (
                (("model",), _OF_MODEL.values()),
                (("model", "log"), [_LOG]),
                (("model", "layer"), _OF_LAYER.values()),
            )
            for name, text in metrics
        }
        self._series: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
        self._training: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, model: str) -> str:
        """Return a name for a model that no other has; what a training of that name left behind goes."""
        with self._lock:
            number, name = 1, model
            while name in self._training:
                number += 1
                name = f"{model}#{number}"
            self._training.add(name)
        for metric, labels in self._series.pop(name, ()):
            self._by_name[metric].remove(*labels)
        self._series[name] = set()
        return name

    def set(self, metric: str, labels: tuple[str, ...], value: float) -> None:
        """Set a gauge; the first label is the model's name."""
        self._series[labels[0]].add((metric, labels))
        self._by_name[metric].labels(*labels).set(value)

    def end(self, name: str) -> None:
        """Let another training have the name."""
        self._training.discard(name)


_known: WeakKeyDictionary[Any, _Gauges] = WeakKeyDictionary()
_finding = threading.Lock()


def _gauges_of(registry: Any, gauge: Any) -> _Gauges:
    """Return the gauges of a registry; they are registered once."""
    with _finding:
        if registry not in _known:
            _known[registry] = _Gauges(registry, gauge)
        return _known[registry]


def _label(text: str) -> str:
    """Return a label; what Unicode has no bytes for becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
