"""What the agent costs the machine it observes: alternating slots without and with it, on the same load."""

import contextlib
import http.server
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import zstandard

import forge
from lab import Lab
from weir import BINARY, ROOT

LOAD = os.path.join(ROOT, "build", os.environ.get("WEIR_PRESET", "release"), "bin", "weir-load")
TICKS = os.sysconf("SC_CLK_TCK")


class Sink:
    """A server that acknowledges every batch at once and keeps the last one: the agent's cost alone."""

    def __init__(self):
        sink = self
        self.last, self.received = None, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = forge.schema().Batch.FromString(zstandard.decompress(body))
                sink.last, sink.received = message, sink.received + 1
                answer = json.dumps({"watermark": message.sequence, "duplicate": False}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def counter(self, name):
        return next((counter.value for counter in self.last.counters if counter.name == name), None)

    def close(self):
        self.server.shutdown()


class Agent:
    def __init__(self, sink, *arguments):
        self.folder = tempfile.mkdtemp(prefix="weir-bench-")
        self.sink = sink
        before = sink.received
        self.child = subprocess.Popen([BINARY, "agent", "--server", sink.url, "--data-dir", self.folder, "--log-level", "error", *arguments])
        deadline = time.monotonic() + 20
        while sink.received < before + 2:
            if time.monotonic() > deadline or self.child.poll() is not None:
                raise RuntimeError("the agent did not report")
            time.sleep(0.05)

    def cpu_seconds(self):
        fields = open(f"/proc/{self.child.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mib(self):
        line = next(line for line in open(f"/proc/{self.child.pid}/status") if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def stop(self):
        self.child.terminate()
        self.child.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def bpf_statistics():
    with open("/proc/sys/kernel/bpf_stats_enabled", "w") as switch:
        switch.write("1")
    try:
        yield
    finally:
        with open("/proc/sys/kernel/bpf_stats_enabled", "w") as switch:
            switch.write("0")


def program_runs():
    """name -> (runs, nanoseconds) of the loaded programs that have run."""
    listed = subprocess.run(["bpftool", "prog", "show", "-j"], capture_output=True, text=True, check=True, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    return {program.get("name", "?"): (program["run_cnt"], program["run_time_ns"]) for program in json.loads(listed.stdout)
            if program.get("run_cnt")}


def bulk(lab, seconds):
    text = lab.run("client", "iperf3", "-c", lab.address("server"), "-t", str(seconds), "-J", timeout=seconds + 30)
    return {"per_second": json.loads(text)["end"]["sum_received"]["bits_per_second"] / 8}


def shaped(shape, concurrency):
    def run(lab, seconds):
        text = lab.run("client", "taskset", "-c", "0", LOAD, shape, lab.address("server"), "7900", str(seconds), str(concurrency),
                       timeout=seconds + 30)
        return json.loads(text)

    return run


SHAPES = {"bulk": bulk, "keep-alive requests": shaped("rr", 32), "connections": shaped("churn", 32)}


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": round(middle, 4), "low": round(low, 4), "high": round(high, 4)}


def slot(lab, shape, seconds, with_agent, sink):
    agent = Agent(sink) if with_agent else None
    try:
        cpu, wall = (agent.cpu_seconds() if agent else 0), time.monotonic()
        result = SHAPES[shape](lab, seconds)
        if agent:
            result["agent_core_share"] = (agent.cpu_seconds() - cpu) / (time.monotonic() - wall)
            result["agent_rss_mib"] = agent.rss_mib()
        return result
    finally:
        if agent:
            agent.stop()


def prepare(lab):
    for host in ("client", "server"):
        lab.run(host, "sysctl", "-qw", "net.ipv4.ip_local_port_range=1025 65000", "net.ipv4.tcp_max_tw_buckets=4096", "net.core.somaxconn=65535",
                "net.ipv4.tcp_tw_reuse=1")
    lab.start("server", "taskset", "-c", "1", LOAD, "serve", "7900", "4").stdout.readline()
    lab.start("server", "iperf3", "-s")
    time.sleep(0.5)


def overhead(options):
    sink = Sink()
    with Lab(["client", "server"], prefix=78) as lab:
        prepare(lab)
        for shape in SHAPES:
            results = {False: [], True: []}
            for number in range(options.rounds):
                order = [False, True]
                random.shuffle(order)
                for with_agent in order:
                    results[with_agent].append(slot(lab, shape, options.slot, with_agent, sink))
                print(f"  agent: {shape}: round {number + 1} of {options.rounds}", file=sys.stderr)
            yield compared(shape, results)
        yield from event_cost(lab, sink, options)
    sink.close()


def compared(shape, results):
    ratios = [b["per_second"] / a["per_second"] for a, b in zip(results[False], results[True])]
    line = {"bench": "agent", "what": f"{shape}: with/without", "rate_ratio": quartiles(ratios),
            "rate_without": round(statistics.median(r["per_second"] for r in results[False]))}
    if "p99_us" in results[True][0]:
        for name in ("p50_us", "p99_us"):
            line[name.replace("_us", "_ratio")] = quartiles([b[name] / a[name] for a, b in zip(results[False], results[True])])
    line["agent_core_percent"] = round(100 * statistics.median(r["agent_core_share"] for r in results[True]), 3)
    line["agent_rss_mib"] = round(max(r["agent_rss_mib"] for r in results[True]), 1)
    return line


def event_cost(lab, sink, options):
    """Nanoseconds per run of each BPF program under connection churn, the clock reads of the statistics included."""
    agent = Agent(sink)
    try:
        with bpf_statistics():
            before = program_runs()
            rate = SHAPES["connections"](lab, options.slot)["per_second"]
            after = program_runs()
    finally:
        agent.stop()
    for name, (runs, nanoseconds) in sorted(after.items()):
        old_runs, old_nanoseconds = before.get(name, (0, 0))
        if runs - old_runs > 100:
            yield {"bench": "agent", "what": f"program {name}", "ns_per_run": round((nanoseconds - old_nanoseconds) / (runs - old_runs), 1),
                   "runs_per_connection": round((runs - old_runs) / (rate * options.slot), 2)}


def snapshots(options):
    """Time to read all live sockets, and the agent's memory and CPU, with idle connections (two sockets each)."""
    sink = Sink()
    with Lab(["client", "server"], prefix=79) as lab:
        prepare(lab)
        holders, held = [], 0
        for sockets in (1_000, 10_000, 50_000):
            while held < sockets // 2:
                share = min(12_500, sockets // 2 - held)
                holders.append(lab.start("client", LOAD, "hold", lab.address("server"), "7900", "3600", str(share)))
                if holders[-1].stdout.readline().strip() != "holding":
                    return
                held += share
            yield measure_snapshot(sink, sockets)
    sink.close()


def measure_snapshot(sink, sockets):
    agent = Agent(sink)
    try:
        time.sleep(2)
        taken = []
        cpu, wall = agent.cpu_seconds(), time.monotonic()
        spent, ticks = sink.counter("weir_agent_snapshot_microseconds_total"), sink.counter("weir_agent_ticks_total")
        for _ in range(10):
            time.sleep(1)
            now, done = sink.counter("weir_agent_snapshot_microseconds_total"), sink.counter("weir_agent_ticks_total")
            if done > ticks:
                taken.append((now - spent) / (done - ticks) / 1000)
            spent, ticks = now, done
        share = (agent.cpu_seconds() - cpu) / (time.monotonic() - wall)
        return {"bench": "snapshot", "what": f"{sockets} idle sockets", "milliseconds": quartiles(taken), "tracked": sink.counter("weir_agent_sockets"),
                "agent_core_percent": round(100 * share, 3), "agent_rss_mib": round(agent.rss_mib(), 1)}
    finally:
        agent.stop()
