"""The latest record as metrics, and the dashboard that draws them."""

from __future__ import annotations

import json
import math
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import jsonschema
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import act_widgets as aw

from .fresh import run_fresh
from .records import HOSTILE, about, record
from .trainings import data, network

X, Y = data()
FIELDS = {
    "mean": "act_widgets_activation_mean",
    "deviation": "act_widgets_activation_deviation",
    "smallest": "act_widgets_activation_min",
    "largest": "act_widgets_activation_max",
    "zeros": "act_widgets_zero_ratio",
    "dead": "act_widgets_dead_ratio",
    "nan": "act_widgets_nan_values",
    "infinite": "act_widgets_infinite_values",
    "gradient_norm": "act_widgets_gradient_norm",
    "weight_norm": "act_widgets_weight_norm",
}


def parsed(text):
    """What the official parser reads: (metric, labels) to value. A name is told once."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in families
        if family.name.startswith("act_widgets")
        for s in family.samples
    }


def scraped(registry):
    return parsed(generate_latest(registry).decode())


def of_layer(metric, layer, model="a model"):
    return metric, (("layer", layer), ("model", model))


def expected(made, model="a model"):
    """What a record says, by metric and labels."""
    found = {
        ("act_widgets_step", (("model", model),)): made.step,
        ("act_widgets_epoch", (("model", model),)): made.epoch,
        ("act_widgets_training_seconds", (("model", model),)): made.seconds,
        ("act_widgets_record_time_seconds", (("model", model),)): made.time,
    }
    for name, value in made.logs.items():
        found["act_widgets_log", (("log", name), ("model", model))] = value
    for address, summary in made.summaries.items():
        for field, metric in FIELDS.items():
            value = getattr(summary, field)
            if value is not None:
                layer = address.encode("utf-8", "replace").decode()
                found[of_layer(metric, layer, model)] = value
    return found


def test_metrics_are_the_numbers_of_the_latest_record():
    registry = CollectorRegistry()
    writer = aw.PrometheusMetrics(registry=registry)
    writer.open(about())
    for step in (1, 2, 4):
        writer.write(record(step))
        found = scraped(registry)
        assert found.keys() == expected(record(step)).keys()
        for series, value in expected(record(step)).items():
            assert found[series] == value or (math.isnan(found[series]) and math.isnan(value)), series
    assert len({labels for metric, labels in found if metric.endswith("_mean")}) == len(HOSTILE) - 1


def test_a_training_is_served_while_it_goes_on(digits):
    class Asks:
        """A writer that fetches the page after each record."""

        def __init__(self):
            self.pages = {}

        def open(self, about): ...
        def close(self): ...

        def write(self, made):
            with urllib.request.urlopen(metrics.url, timeout=30) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain")
                self.pages[made.step] = answer.read().decode()

    metrics = aw.PrometheusMetrics(0)
    assert metrics.url == ""
    asks = Asks()
    recorder = aw.Recorder(X[:5], every=1, share=None, writers=[metrics, asks], targets=Y[:5])
    network().fit(X, Y, batch_size=16, epochs=1, verbose=0, callbacks=[recorder])
    assert list(asks.pages) == [0, 1, 2, 3]
    for step, page in asks.pages.items():
        ours = expected(recorder.read(step), "small")
        theirs = parsed(page)
        assert {series: theirs[series] for series in ours} == ours
    assert metrics.url == ""
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=30)
    network().fit(X, Y, epochs=1, verbose=0, callbacks=[aw.Recorder(X[:5], writers=[metrics])])


def test_trainings_share_a_registry():
    registry = CollectorRegistry()
    first, second, third = (aw.PrometheusMetrics(registry=registry) for _ in range(3))
    for writer, step in ((first, 1), (second, 2)):
        writer.open(about())
        writer.write(record(step))
    assert scraped(registry)["act_widgets_step", (("model", "a model"),)] == 1
    assert scraped(registry)["act_widgets_step", (("model", "a model#2"),)] == 2
    first.close()
    assert scraped(registry)["act_widgets_step", (("model", "a model"),)] == 1  # what was said last stays
    third.open(about(("conv", "pool")))
    third.write(record(4, ("conv", "pool")))
    found = scraped(registry)
    assert found["act_widgets_step", (("model", "a model"),)] == 4
    layers = {
        dict(labels)["layer"]
        for metric, labels in found
        if metric == FIELDS["mean"] and "#2" not in str(labels)
    }
    assert layers == {"conv"}
    assert found["act_widgets_step", (("model", "a model#2"),)] == 2


def test_without_a_port_the_registry_is_that_of_the_process():
    writer = aw.PrometheusMetrics()
    writer.open(about(("conv",)))
    writer.write(record(3, ("conv",)))
    assert REGISTRY.get_sample_value("act_widgets_step", {"model": "a model"}) == 3
    aw.PrometheusMetrics().open(about(("conv",)))
    writer.close()


def test_opening_again_changes_nothing():
    registry = CollectorRegistry()
    writer = aw.PrometheusMetrics(0, registry=registry)
    for step in (1, 2):
        writer.open(about())
        writer.write(record(step))
    models = {dict(labels)["model"] for _, labels in scraped(registry)}
    assert models == {"a model"}
    writer.close()
    writer.close()


def test_a_port_in_use_is_one_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        writer = aw.PrometheusMetrics(port)
        with pytest.raises(OSError, match=rf"port {port}.*Address already in use.*port=0"):
            writer.open(about())
        with pytest.warns(RuntimeWarning, match=f"port {port}"):
            network().fit(X, Y, verbose=0, callbacks=[aw.Recorder(X[:5], writers=[writer])])
    writer.open(about())
    assert writer.url == f"http://127.0.0.1:{port}/metrics"
    writer.close()


@pytest.mark.parametrize("port", [-1, 65536, "9000", True, 1.5])
def test_a_port_that_is_none(port):
    with pytest.raises(aw.InputError, match="0 to 65535"):
        aw.PrometheusMetrics(port)


def dashboard(tmp_path):
    aw.PrometheusMetrics.save_dashboard(tmp_path / "dashboard.json")
    return json.loads((tmp_path / "dashboard.json").read_text())


def test_the_dashboard_is_one_that_grafana_reads(tmp_path):
    schema = json.loads(Path(__file__).with_name("grafana_dashboard.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(dashboard(tmp_path), schema, jsonschema.Draft7Validator)
    panels = dashboard(tmp_path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one in panels:
        for other in panels:
            assert one is other or not overlap(one["gridPos"], other["gridPos"]), one["title"]


def overlap(a, b):
    return all(a[at] < b[at] + b[size] and b[at] < a[at] + a[size] for at, size in ("xw", "yh"))


def test_the_dashboard_names_only_metrics_and_labels_that_exist(tmp_path):
    registry = CollectorRegistry()
    writer = aw.PrometheusMetrics(registry=registry)
    writer.open(about())
    writer.write(record(1))
    known = {}
    for metric, labels in scraped(registry):
        known[metric] = {name for name, _ in labels}
    made = dashboard(tmp_path)
    variables = {variable["name"] for variable in made["templating"]["list"]}
    targets = [target for panel in made["panels"] for target in panel["targets"]]
    asked = [(target["expr"], target["legendFormat"]) for target in targets]
    asked += [(v["query"], "") for v in made["templating"]["list"] if v["type"] == "query"]
    drawn = set()
    for expression, legend in asked:
        named = re.findall(r"act_widgets_\w+", expression)
        assert named, expression
        drawn |= set(named)
        for metric, matchers in re.findall(r"(act_widgets_\w+)(?:\{(.*?)\})?", expression):
            assert metric in known, metric
            labels = set(re.findall(r'(\w+)=~?"', matchers)) | set(re.findall(r"\{\{(\w+)\}\}", legend))
            assert labels <= known[metric], (expression, legend)
        of_values = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", expression)
        assert of_values is None or of_values[2] in known[of_values[1]]
        assert set(re.findall(r"\$\{?(\w+)", expression)) <= variables
    assert {panel["datasource"]["uid"] for panel in made["panels"]} == {"${datasource}"}
    assert set(known) - drawn <= {"act_widgets_record_time_seconds"}


def test_without_prometheus_client_the_error_names_the_command():
    without = "import sys; sys.modules['prometheus_client'] = None\n"
    code = f"{without}import act_widgets as aw\naw.PrometheusMetrics()"
    assert 'pip install "act-widgets[prometheus]"' in run_fresh(code).stderr.splitlines()[-1]
