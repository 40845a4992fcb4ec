"""The server's metrics, at /metrics and pushed by remote write and OTLP, under known traffic; and what dashboards show of them."""

import glob
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from lab import Lab, eventually
from otlp_receiver import OtlpReceiver, attributes
from prom import Prometheus, VictoriaMetrics, free_port, job
from weir import ROOT, Weir, get

COUNT, UP, DOWN = 20, 1_000, 50_000
LENGTHS = 20  # what traffic.py sends in front of each request
DASHBOARDS = sorted(glob.glob(os.path.join(ROOT, "deploy", "helm", "weir", "files", "dashboards", "*.json")))


class Stack:
    """A Weir that tells a Prometheus, a VictoriaMetrics that comes late, and a collector; the Prometheus scrapes it too."""

    def __init__(self, folder):
        self.metrics, self.late_port = f"127.0.0.1:{free_port()}", free_port()
        self.otlp = OtlpReceiver()
        # As collectors under load answer.
        self.otlp.answers = [(503, {"Retry-After": "1"}), (429, {})]
        headers = folder / "headers"
        headers.write_text("# of all receivers\nX-Scope-OrgID: team-a\n")
        port, self.server_port = free_port(), free_port()
        self.prometheus = Prometheus(job([self.metrics], "agent"), job([f"127.0.0.1:{self.server_port}"], "server"), port=port)
        self.late = f"http://127.0.0.1:{self.late_port}/api/v1/write"
        self.weir = Weir("--metrics-listen", self.metrics, "--remote-write", f"{self.prometheus.url}/api/v1/write,{self.late}", "--otlp",
                         self.otlp.url, "--otlp-flows", "on", "--push-interval", "1s", "--push-headers", str(headers), "--node", "n1",
                         listen=f"127.0.0.1:{self.server_port}")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    made = Stack(tmp_path_factory.mktemp("push"))
    with made.otlp, made.prometheus, made.weir, Lab(["client", "server"], prefix=65) as network:
        network.serve("server", 8080)
        network.client("client", "get", network.address("server"), "8080", "--count", str(COUNT), "--up", str(UP), "--down", str(DOWN))
        made.network = network
        made.started = time.time()
        eventually(lambda: made.weir.totals("server_port = 8080").get("connections_opened") == COUNT)
        yield made


def labels(stack):
    return f'client_workload="{stack.network.namespace("client")}",server_workload="{stack.network.namespace("server")}"'


def test_a_pair_of_workloads_has_what_its_flows_say(stack):
    def shown():
        found = {}
        for line in get(stack.weir.url, "/metrics").splitlines():
            if all(stack.network.namespace(host) in line for host in ("client", "server")):
                name, value = line.rsplit(" ", 1)
                found[re.sub(r'\w+_(namespace|workload)="[^"]*",?', "", name)] = float(value)
        return found

    def told():
        totals, seen = stack.weir.totals("server_port = 8080"), shown()
        assert seen["weir_workload_connections_opened_total{}"] == COUNT
        assert seen['weir_workload_io_bytes_total{direction="to_server"}'] == totals["bytes_to_server"] == COUNT * (LENGTHS + UP)
        assert seen['weir_workload_io_bytes_total{direction="to_client"}'] == totals["bytes_to_client"] == COUNT * DOWN
        assert seen['weir_workload_connections_failed_total{reason="refused"}'] == 0
        assert seen["weir_workload_connect_seconds_count{}"] == totals["connect_count"]
        assert seen["weir_workload_round_trip_seconds_count{}"] > 0
        assert "weir_workload_cost_dollars_total{}" not in seen  # there is no price table
        return True

    eventually(told)


def test_its_metrics_are_valid(stack):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="SKIPPED: no python3-prometheus-client; ./dev setup installs it")
    eventually(lambda: 'weir_agent_ticks_total{node="n1"}' in get(stack.weir.url, "/metrics"))
    text = subprocess.run(["curl", "-sS", "--compressed", "-H", "Accept: application/openmetrics-text; version=1.0.0", f"{stack.weir.url}/metrics"],
                          capture_output=True, text=True, check=True).stdout
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    assert families["weir_workload_io_bytes"].type == "counter" and families["weir_workload_round_trip_seconds"].type == "histogram"
    assert [sample.labels for sample in families["weir_agent_ticks"].samples] == [{"node": "n1"}]
    assert "weir_findings_open" in families
    if shutil.which("promtool") is None:
        pytest.skip("SKIPPED: no promtool; ./dev setup installs it")
    said = subprocess.run(["promtool", "check", "metrics"], input=get(stack.weir.url, "/metrics"), capture_output=True, text=True)
    assert said.returncode == 0, said.stderr


def test_remote_write_is_what_a_scrape_sees(stack):
    bytes_of = f'weir_workload_io_bytes_total{{{labels(stack)},direction="to_client",job="%s"}}'
    for name in ("server", "weir"):
        eventually(lambda: [value for _, value in stack.prometheus.query(bytes_of % name)] == [COUNT * DOWN], timeout=30)
    eventually(lambda: stack.prometheus.query('weir_server_remote_write_samples_total{job="weir"}')[0][1] > 0)
    names = {name: {labels["__name__"] for labels, _ in stack.prometheus.query(f'{{__name__=~"weir_workload.*",job="{name}"}}')}
             for name in ("server", "weir")}
    assert names["weir"] == {name for name in names["server"] if not name.endswith("_created")}


def test_a_receiver_that_comes_late_gets_what_waited(stack):
    samples = f'count_over_time(weir_workload_connections_opened_total{{{labels(stack)},job="weir"}}[10m])'
    eventually(lambda: stack.prometheus.value(samples) > 5)
    missed = stack.prometheus.value(samples)
    with VictoriaMetrics(port=stack.late_port) as late:
        # Both are sent the same, so that one that was there from the start knows how much it is. Two may be on their way.
        eventually(lambda: late.query(samples) and late.value(samples) > max(missed, stack.prometheus.value(samples) - 2), timeout=90)
    assert stack.prometheus.query('weir_server_remote_write_dropped_samples_total{job="server"}')[0][1] == 0


def test_otlp_says_the_same_in_opentelemetrys_words(stack):
    pair = {"weir.client.workload": stack.network.namespace("client"), "weir.server.workload": stack.network.namespace("server")}

    def metric(name, **more):
        found = [value for (metric, keys), value in stack.otlp.metrics().items()
                 if metric == name and {**pair, **more}.items() <= dict(keys).items()]
        assert len(found) == 1, (name, found)
        return found[0]

    eventually(lambda: any(name == "weir.workload.io" and pair.items() <= dict(keys).items() for name, keys in stack.otlp.metrics()), step=1)
    described, kind, point = metric("weir.workload.io", **{"network.io.direction": "to_client"})
    assert (kind, described["unit"], described["sum"]["isMonotonic"], described["sum"]["aggregationTemporality"]) == (
        "sum", "By", True, "AGGREGATION_TEMPORALITY_CUMULATIVE")
    assert point["asDouble"] == COUNT * DOWN
    assert int(point["startTimeUnixNano"]) < int(point["timeUnixNano"]) < time.time() * 1e9
    _, kind, point = metric("weir.workload.round_trip")
    assert kind == "histogram" and sum(map(int, point["bucketCounts"])) == int(point["count"]) > 0
    assert len(point["bucketCounts"]) == len(point["explicitBounds"]) + 1
    resource = attributes(stack.otlp.decoded("metrics")[0]["resourceMetrics"][0]["resource"])
    assert resource["service.name"] == "weir" and resource["service.instance.id"]
    for _, headers, _, _ in stack.otlp.requests:
        assert (headers["Content-Type"], headers["Content-Encoding"], headers["X-Scope-OrgID"]) == ("application/x-protobuf", "gzip", "team-a")
    # What it turned away at first came again.
    assert {status for _, _, _, status in stack.otlp.requests} >= {503, 429, 200}


def test_each_row_of_flows_is_a_log_event(stack):
    def records():
        return [attributes(record) for record in stack.otlp.flows() if attributes(record).get("server.port") == 8080]

    eventually(lambda: sum(record.get("weir.connections_opened", 0) for record in records()) == COUNT, step=1)
    assert sum(record.get("weir.bytes_to_client", 0) for record in records()) == COUNT * DOWN
    for record in records():
        assert record["network.transport"] == "tcp" and record["client.address"] == stack.network.address("client")
        assert record["server.address"] == stack.network.address("server") and record["weir.client.node"] == "n1"
    flow = next(record for record in stack.otlp.flows() if attributes(record).get("server.port") == 8080)
    assert (flow["eventName"], flow["severityNumber"]) == ("weir.flow", "SEVERITY_NUMBER_INFO")
    assert abs(int(flow["timeUnixNano"]) / 1e9 - stack.started) < 60


def queries(path):
    board = json.load(open(path))
    for panel in board["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "20s")
            for variable in board["templating"]["list"]:
                expression = re.sub(rf"\${variable['name']}\b", ".*", expression)
            assert "$" not in expression, expression
            yield panel["title"], expression
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]).groups()
            yield f"variable {variable['name']}", f"count by ({label}) ({series})"


@pytest.mark.parametrize("path", DASHBOARDS, ids=os.path.basename)
def test_every_query_of_a_dashboard_is_answered(stack, path):
    stack.prometheus.wait_scraped(3, "server")
    stack.prometheus.wait_scraped(3, "agent")
    answers = {}
    for title, expression in queries(path):
        answers[title] = answers.get(title, 0) + len(stack.prometheus.query(expression))
    expected = {"weir-cluster.json": {"Findings open", "Workload io", "Workload connections opened", "Workload round trip", "Workload connect",
                                      "Workload retransmitted segments", "variable client_namespace"},
                "weir-node.json": {"Softnet processed packets", "variable node"},
                "weir-pod.json": {"Pod network io", "Tcp connections opened", "Tcp connections failed", "variable pod"},
                "weir-inference.json": set()}[os.path.basename(path)]
    assert len(answers) > 5
    assert {title for title in expected if not answers[title]} == set()


def test_the_names_in_dashboards_are_names_of_metrics():
    known = set(re.findall(r"^\| `(\w+)`", open(os.path.join(ROOT, "docs", "metrics.md")).read(), re.M))
    known |= {f"{name}{suffix}" for name in known for suffix in ("_bucket", "_sum", "_count")}
    used = {name for path in DASHBOARDS for _, expression in queries(path) for name in re.findall(r"\bweir_\w+", expression)}
    assert len(used) > 60 and used <= known, used - known
