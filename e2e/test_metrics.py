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

import seed_dashboard
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
    """What the kernel says an interface carried, at any moment: read ten times a second and interpolated."""

    def __init__(self, lab, host, direction):
        super().__init__(daemon=True)
        self.inside = lab.start(host, "sleep", "1000")
        self.field = {"receive": 0, "transmit": 8}[direction]
        self.times, self.values = [], []
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.1):
            with open(f"/proc/{self.inside.pid}/net/dev") as file:
                line = next(line for line in file if "eth0:" in line)
            self.times.append(time.time())
            self.values.append(int(line.split(":")[1].split()[self.field]))

    def at(self, moment):
        place = bisect.bisect(self.times, moment)
        assert 0 < place < len(self.times), "not observed"
        (t0, v0), (t1, v1) = ((self.times[i], self.values[i]) for i in (place - 1, place))
        return v0 + (v1 - v0) * (moment - t0) / (t1 - t0)

    def rate(self, until, seconds):
        return (self.at(until) - self.at(until - seconds)) / seconds


WINDOW = 20  # seconds a rate is taken over


class Watched:
    """A server that receives a steady 2 MB/s from a client, an agent that sees both, and a Prometheus that asks it."""

    def __init__(self, network, truth, agent, prometheus):
        self.network, self.truth, self.agent, self.prometheus = network, truth, agent, prometheus

    def pod(self, host):
        return self.network.namespace(host)

    def filled(self, scraper):
        """Waits until the window that ends a second ago, and the longest look back before it, hold samples."""
        series = f'ingress_bytes{{pod="{self.pod("server")}"}}'
        eventually(lambda: scraper.query(f"{series} offset {WINDOW + 2}s"), timeout=90)

    def check_rate(self, scraper):
        """The rate it shows now, when the window is full of samples."""
        at = time.time() - 1
        shown = scraper.value(f'sum(rate(ingress_bytes{{pod="{self.pod("server")}"}}[{WINDOW}s]))', at)
        real = self.truth["server"].rate(at, WINDOW)
        assert shown == pytest.approx(real, rel=0.02), f"{shown} shown, {real} carried"
        assert real > 500_000


def settled(prometheus):
    """The last scrapes before the end of a window all went well: rate() goes on from them, and not from further back."""
    for function, least in (("min", 1), ("count", 2)):
        eventually(lambda: prometheus.value(f"{function}_over_time(up[5s] offset 1s)") >= least, timeout=30)


@pytest.fixture(scope="module")
def watched():
    with Lab(["client", "server"], prefix=62) as network, Agent() as agent, Prometheus(job([agent.address])) as prometheus:
        network.start("server", "iperf3", "-s", "--forceflush")
        truth = {"server": Truth(network, "server", "receive"), "client": Truth(network, "client", "transmit")}
        eventually(lambda: network.run("server", "ss", "-Hltn", "sport", "=", "5201"))
        network.start("client", "iperf3", "-c", network.address("server"), "-b", "16M", "-t", "600", "-l", "8K")
        yield Watched(network, truth, agent, prometheus)
        for each in truth.values():
            each.ended.set()
            each.join()


def test_both_formats_are_valid(watched):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="SKIPPED: no python3-prometheus-client; ./dev setup installs it")
    agent = watched.agent
    eventually(lambda: [name for name in agent.samples() if watched.pod("server") in name], timeout=20)
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


def test_directions_and_connections_are_the_pods(watched):
    agent = watched.agent
    with Lab(["client", "server"], prefix=64) as network:
        network.serve("server", 8080)
        eventually(lambda: [name for name in agent.samples() if network.namespace("server") in name], timeout=20)

        def of(name, host):
            return sum(value for key, value in agent.samples().items()
                       if key.startswith(name + "{") and f'pod="{network.namespace(host)}"' in key)

        before = {(name, host): of(name, host) for name in ("ingress_flow", "egress_flow") for host in ("client", "server")}
        network.client("client", "get", network.address("server"), "8080", "--count", "7", "--up", "1000", "--down", "100000")
        # Answers within a moment share a reading, a longer one on a busy machine.
        eventually(lambda: of("egress_flow", "client") - before["egress_flow", "client"] == 7)
        eventually(lambda: of("ingress_flow", "server") - before["ingress_flow", "server"] == 7)
        assert of("ingress_flow", "client") == before["ingress_flow", "client"]
        eventually(lambda: of("egress_bytes", "server") > 700_000)
        # The kernel sends neighbour discovery at any time.
        eventually(lambda: of("egress_bytes", "server") == network.link("server", "eth0")["tx"]["bytes"])
        eventually(lambda: of("ingress_bytes", "client") == network.link("client", "eth0")["rx"]["bytes"])
        eventually(lambda: of("egress_packets", "client") == network.link("client", "eth0")["tx"]["packets"])


def test_series_of_what_is_gone_go_away(watched):
    agent, prometheus = watched.agent, watched.prometheus
    with Lab(["one", "two"], prefix=63) as network:
        both = f'{{pod=~"{network.namespace("one")}|{network.namespace("two")}"}}'
        eventually(lambda: len(prometheus.query("ingress_bytes" + both)) == 2, timeout=30)
        mine = [name for name in agent.samples() if network.namespace("two") in name]
        assert len(mine) > 20
        subprocess.run(["ip", "netns", "del", network.namespace("two")], check=True)
        eventually(lambda: not [name for name in agent.samples() if network.namespace("two") in name], timeout=20)
        # Long before Prometheus would stop looking back on its own, which is five minutes.
        eventually(lambda: len(prometheus.query("ingress_bytes" + both)) == 1, timeout=10)
        assert prometheus.value(f"sum(ingress_bytes{both})") == prometheus.query("ingress_bytes" + both)[0][1]
    eventually(lambda: not [name for name in agent.samples() if network.tag in name], timeout=20)


def test_one_scraper_sees_the_truth(watched):
    watched.filled(watched.prometheus)
    watched.check_rate(watched.prometheus)


def test_the_seeds_dashboard_shows_the_truth_unchanged(watched):
    panels = seed_dashboard.queries(rate_interval=f"{WINDOW}s", pod=f"{watched.pod('client')}|{watched.pod('server')}")
    assert len(panels) == 22
    at = time.time() - 1
    shown = {panel: watched.prometheus.query(expression, at) for panel, expression in panels.items()}
    received, sent = watched.truth["server"].rate(at, WINDOW), watched.truth["client"].rate(at, WINDOW)

    def of(panel, host):
        (value,) = [value for labels, value in shown[panel] if labels.get("pod") == watched.pod(host)]
        return value

    for panel in ("18", "2", "20"):
        assert of(panel, "server") == pytest.approx(received, rel=0.02), panel
    for panel in ("17", "1", "19"):
        assert of(panel, "client") == pytest.approx(sent, rel=0.02), panel
    for panel, host, direction in (("4", "server", "rx"), ("3", "client", "tx")):
        packets = watched.network.link(host, "eth0")[direction]["packets"]
        assert 0 < of(panel, host) < packets
    # Connections, which the kernel counts: iperf3 opens two, its control connection and its stream.
    assert (of("5", "client"), of("6", "server")) == (2, 2)
    # Sums over the whole machine hold both, and no interface twice.
    every = watched.prometheus.query(seed_dashboard.queries(rate_interval=f"{WINDOW}s")["19"], at)
    for panel in ("12", "13", "23"):
        assert sum(value for _, value in shown[panel]) == pytest.approx(sum(value for _, value in every), rel=1e-6), panel
    assert shown["14"][0][1] >= received * 0.98
    assert shown["16"][0][1] >= 4
    assert {labels["node"] for panel in ("19", "20", "23", "24") for labels, _ in shown[panel]} == {"n1"}
    # Allowances are those of the instance's driver; without one there is nothing to show, which is not 0.
    allowed = [name for name in watched.agent.samples() if "_allowance_exceeded{" in name]
    for panel in ("7", "8", "9", "10", "11", "15"):
        assert bool(shown[panel]) == bool(allowed), panel


def test_a_second_scraper_a_restart_and_a_missed_scrape_lose_nothing(watched):
    agent, prometheus = watched.agent, watched.prometheus
    # The other asks in its own format, and a third, by hand, in no rhythm.
    with VictoriaMetrics(job([agent.address])) as victoria:
        for _ in range(30):
            agent.get().read()
        watched.check_rate(prometheus)
        assert agent.process.stop() == 0
        agent.start()
        settled(prometheus)
        watched.check_rate(prometheus)
        watched.filled(victoria)
        watched.check_rate(victoria)
        # An answer held back has the time of its question, so only a scraper that gives up at once shows the truth after it.
        agent.process.child.send_signal(signal.SIGSTOP)
        eventually(lambda: prometheus.value("up") == 0)
        agent.process.child.send_signal(signal.SIGCONT)
        settled(prometheus)
        watched.check_rate(prometheus)


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
