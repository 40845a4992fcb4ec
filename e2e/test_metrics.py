"""The agent's /metrics, read by real scrapers under known traffic."""

import bisect
import contextlib
import gzip
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

import pytest

from lab import Lab, eventually
from prom import Prometheus, VictoriaMetrics, free_port, job
from weir import Process

SEED_COUNTERS = {f"{way}_{what}" for way in ("ingress", "egress") for what in ("bytes", "packets", "flow")} | {
    f"{name}_allowance_exceeded" for name in ("bw_in", "bw_out", "pps", "conntrack", "linklocal")}
OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


class Agent:
    """`weir agent` without a server: its metrics need none."""

    def __init__(self, *arguments, node="n1", env=None):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.node, self.arguments, self.env = node, arguments, env
        self.start()

    def start(self):
        self.process = Process("agent", "--server", "http://127.0.0.1:1", "--data-dir", self.folder, "--node", self.node,
                               "--metrics-listen", self.address, *self.arguments, expect_ready=False, env=self.env)
        eventually(lambda: self.healthy("/readyz"), timeout=30)

    def healthy(self, path):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://{self.address}{path}", timeout=5).status == 200

    def get(self, headers=None, path="/metrics"):
        return urllib.request.urlopen(urllib.request.Request(f"http://{self.address}{path}", headers=headers or {}), timeout=30)

    def samples(self):
        """{name{labels}: value} of Prometheus' text."""
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*(?: [^=\s]+\S*)*) (\S+)$", self.get().read().decode(), re.M)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop() if self.process.child.poll() is None else None
        shutil.rmtree(self.folder, ignore_errors=True)


class Truth(threading.Thread):
    """What the kernel says an interface received, at any moment: read ten times a second and interpolated."""

    def __init__(self, lab, host):
        super().__init__(daemon=True)
        self.inside = lab.start(host, "sleep", "1000")
        self.times, self.values = [], []
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.1):
            with open(f"/proc/{self.inside.pid}/net/dev") as file:
                line = next(line for line in file if "eth0:" in line)
            self.times.append(time.time())
            self.values.append(int(line.split(":")[1].split()[0]))

    def at(self, moment):
        place = bisect.bisect(self.times, moment)
        assert 0 < place < len(self.times), "not observed"
        (t0, v0), (t1, v1) = ((self.times[i], self.values[i]) for i in (place - 1, place))
        return v0 + (v1 - v0) * (moment - t0) / (t1 - t0)

    def rate(self, until, seconds):
        return (self.at(until) - self.at(until - seconds)) / seconds


@pytest.fixture(scope="module")
def busy():
    """A server that receives a steady 2 MB/s."""
    with Lab(["client", "server"], prefix=62) as network:
        network.start("server", "iperf3", "-s", "--forceflush")
        truth = Truth(network, "server")
        eventually(lambda: network.run("server", "ss", "-Hltn", "sport", "=", "5201"))
        network.start("client", "iperf3", "-c", network.address("server"), "-b", "16M", "-t", "600", "-l", "8K")
        yield network, truth
        truth.ended.set()
        truth.join()


def pod(network, host):
    return network.namespace(host)


def check_rate(scraper, network, truth, window=20):
    """The rate it shows now, when the window is full of samples."""
    expression = f'sum(rate(ingress_bytes{{pod="{pod(network, "server")}"}}[{window}s]))'
    at = time.time() - 1
    shown, real = scraper.value(expression, at), truth.rate(at, window)
    assert shown == pytest.approx(real, rel=0.02), f"{shown} shown, {real} carried"
    assert real > 500_000


def filled(scraper, network, window=20):
    """Waits until the window that ends a second ago, and the longest look back before it, hold samples."""
    series = f'ingress_bytes{{pod="{pod(network, "server")}"}}'
    eventually(lambda: scraper.query(f"{series} offset {window + 2}s"), timeout=90)


def test_one_scraper_and_two_see_the_truth(busy):
    network, truth = busy
    with Agent() as agent, Prometheus(job([agent.address])) as prometheus:
        filled(prometheus, network)
        check_rate(prometheus, network, truth)
        # The other asks in Prometheus' text, and a third, by hand, in no rhythm.
        with VictoriaMetrics(job([agent.address])) as victoria:
            for _ in range(30):
                agent.get().read()
            filled(victoria, network)
            check_rate(prometheus, network, truth)
            check_rate(victoria, network, truth)


def test_a_restart_and_a_missed_scrape_lose_nothing(busy):
    network, truth = busy
    with Agent() as agent, Prometheus(job([agent.address])) as prometheus:
        filled(prometheus, network)
        assert agent.process.stop() == 0
        agent.start()
        eventually(lambda: prometheus.value("max_over_time(up[5s])") == 1 and prometheus.value("min_over_time(up[5s])") == 1, timeout=30)
        check_rate(prometheus, network, truth)
        agent.process.child.send_signal(signal.SIGSTOP)
        eventually(lambda: prometheus.value("up") == 0)
        agent.process.child.send_signal(signal.SIGCONT)
        eventually(lambda: prometheus.value("min_over_time(up[3s])") == 1, timeout=30)
        check_rate(prometheus, network, truth)


def test_series_of_what_is_gone_go_away():
    with Agent() as agent:
        with Lab(["one", "two"], prefix=63) as network, Prometheus(job([agent.address])) as prometheus:
            both = f'{{pod=~"{network.namespace("one")}|{network.namespace("two")}"}}'
            eventually(lambda: len(prometheus.query("ingress_bytes" + both)) == 2, timeout=30)
            mine = [name for name in agent.samples() if network.namespace("two") in name]
            assert len(mine) > 20
            network.run("two", "true")
            subprocess.run(["ip", "netns", "del", network.namespace("two")], check=True)
            eventually(lambda: not [name for name in agent.samples() if network.namespace("two") in name], timeout=20)
            # Long before Prometheus would stop looking back on its own, which is five minutes.
            eventually(lambda: len(prometheus.query("ingress_bytes" + both)) == 1, timeout=10)
            assert prometheus.value(f"sum(ingress_bytes{both})") == prometheus.query("ingress_bytes" + both)[0][1]
        eventually(lambda: not [name for name in agent.samples() if network.tag in name], timeout=20)


def test_directions_and_connections_are_the_pods(busy):
    with Agent() as agent, Lab(["client", "server"], prefix=64) as network:
        network.serve("server", 8080)
        eventually(lambda: [name for name in agent.samples() if network.namespace("server") in name], timeout=20)

        def of(name, host):
            return sum(value for key, value in agent.samples().items()
                       if key.startswith(name + "{") and f'pod="{network.namespace(host)}"' in key)

        before = {(name, host): of(name, host) for name in ("ingress_flow", "egress_flow") for host in ("client", "server")}
        network.client("client", "get", network.address("server"), "8080", "--count", "7", "--up", "1000", "--down", "100000")
        assert of("egress_flow", "client") - before["egress_flow", "client"] == 7
        assert of("ingress_flow", "server") - before["ingress_flow", "server"] == 7
        assert of("ingress_flow", "client") == before["ingress_flow", "client"]
        assert of("egress_bytes", "server") > 700_000
        # The kernel sends neighbour discovery at any time.
        eventually(lambda: of("egress_bytes", "server") == network.link("server", "eth0")["tx"]["bytes"])
        eventually(lambda: of("ingress_bytes", "client") == network.link("client", "eth0")["rx"]["bytes"])
        eventually(lambda: of("egress_packets", "client") == network.link("client", "eth0")["tx"]["packets"])


def test_both_formats_are_valid(busy):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="python3-prometheus-client is not installed")
    with Agent() as agent:
        network, _ = busy
        eventually(lambda: [name for name in agent.samples() if network.namespace("server") in name], timeout=20)
        with agent.get(OPEN_METRICS) as answer:
            assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
            text = answer.read().decode()
        families = {family.name: family for family in parser.text_string_to_metric_families(text)}
        assert families["ingress_bytes"].type == "unknown"
        assert families["weir_pod_network_io_bytes"].type == "counter"
        assert families["weir_agent_ticks"].type == "counter"
        assert {sample.name for sample in families["weir_agent_ticks"].samples} == {"weir_agent_ticks_total", "weir_agent_ticks_created"}
        assert {"instance_id", "iface", "pod", "namespace", "node"} >= set(families["ingress_bytes"].samples[0].labels) >= {"iface", "pod", "node"}
        with agent.get(OPEN_METRICS, "/metrics?created=off") as answer:
            assert b"_created" not in answer.read()
        with agent.get({"Accept-Encoding": "gzip", **OPEN_METRICS}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(answer.read()).endswith(b"# EOF\n")
        with agent.get() as answer:
            plain = answer.read()
        if shutil.which("promtool") is None:
            pytest.skip("SKIPPED: no promtool; ./dev setup installs it")
        said = subprocess.run(["promtool", "check", "metrics"], input=plain, capture_output=True)
        # The one thing it minds are names that are not ours to choose.
        complaints = set(said.stderr.decode().splitlines())
        assert complaints <= {f'{name} counter metrics should have "_total" suffix' for name in SEED_COUNTERS}, complaints


def test_a_taken_port_does_not_stop_an_agent():
    with Agent() as first:
        second = Process("agent", "--server", "http://127.0.0.1:1", "--data-dir", f"{first.folder}/2", "--node", "n2", "--metrics-listen",
                         first.address, expect_ready=False)
        try:
            eventually(lambda: any("choose another --metrics-listen address" in line for line in second.log))
            eventually(lambda: any("observes this node" in line for line in second.log))
        finally:
            assert second.stop() == 0
        assert first.healthy("/healthz")
