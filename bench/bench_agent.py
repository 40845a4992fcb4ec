"""What observing costs the observed. One load runs on without a pause; observers come and go, and each slot with one is
compared with the slots without any just before and after it."""

import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time

from lab import Lab
from observers import DoesNotRun, Sink, WeirAgent, tools
from weir import ROOT

LOAD = os.path.join(ROOT, "build", os.environ.get("WEIR_PRESET", "release"), "bin", "weir-load")
SETTLE_SECONDS = 0.3
START_UP_SECONDS = 6  # of an agent, before its share of a core is measured
FAR, SAME = "between namespaces", "same namespace"
# name -> (shape of weir-load, its arguments after the port, where); the first are the default.
SHAPES = {
    "bulk, 1 stream": ("bulk", ["1"], FAR),
    "keep-alive requests": ("rr", ["32"], FAR),
    "connections": ("churn", ["32"], FAR),
    "connections, 1,000/s": ("churn", ["32", "1000"], FAR),
    "connections, 10,000/s": ("churn", ["64", "10000"], FAR),
    "bulk, 50 streams": ("bulk", ["50"], FAR),
    "bulk, same node": ("bulk", ["1"], SAME),
    "DNS queries": ("dns", ["16"], FAR),
    "HTTP requests": ("http", ["32"], FAR),
}
DEFAULT_SHAPES = 3


class Load:
    """weir-load on one CPU, its server on the other; a slot is what happens between two lines."""

    def __init__(self, lab, name):
        shape, arguments, where = SHAPES[name]
        host = "client" if where == FAR else "server"
        self.child = lab.start(host, "taskset", "-c", "0", LOAD, "drive", shape, lab.address("server"), "7900", *arguments)
        time.sleep(1)

    def slot(self, seconds):
        self._mark()
        time.sleep(seconds)
        return self._mark()

    def _mark(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError("weir-load ended; run its command by hand")
        return json.loads(line)

    def close(self):
        self.child.stdin.close()
        self.child.wait(10)


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


def prepare(lab, servers=1):
    for host in ("client", "server"):
        lab.run(host, "sysctl", "-qw", "net.ipv4.ip_local_port_range=1025 65000", "net.ipv4.tcp_max_tw_buckets=4096", "net.core.somaxconn=65535",
                "net.ipv4.tcp_tw_reuse=1")
    for number in range(servers):
        lab.start("server", "taskset", "-c", "1", LOAD, "serve", str(7900 + 4 * number), "4").stdout.readline()


def median_of(values, digits=4):
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": round(middle, digits), "low": round(low, digits), "high": round(high, digits)}


def observed_slot(load, start, seconds):
    """One slot with an observer: the load's numbers, the observer's share of a core and its memory."""
    observer = start()
    try:
        time.sleep(SETTLE_SECONDS)
        cpu, wall = observer.cpu_seconds(), time.monotonic()
        result = load.slot(seconds)
        result["core_share"] = (observer.cpu_seconds() - cpu) / (time.monotonic() - wall)
        result["rss_mib"] = observer.rss_mib()
        return result
    finally:
        observer.stop()
        time.sleep(SETTLE_SECONDS)


def compare(lab, name, observers, options):
    """Slots of each observer in random order, a slot without any between two of them."""
    load = Load(lab, name)
    pairs, refused = {observer: [] for observer in observers}, {}
    before = load.slot(options.slot)
    for number in range(options.rounds):
        for observer in random.sample(sorted(observers), len(observers)):
            if observer in refused:
                continue
            try:
                result = observed_slot(load, observers[observer], options.slot)
            except DoesNotRun as why:
                refused[observer] = str(why)
                continue
            after = load.slot(options.slot)
            pairs[observer].append((result, before, after))
            before = after
        print(f"  agent: {name}: round {number + 1} of {options.rounds}", file=sys.stderr)
    load.close()
    for observer, slots in pairs.items():
        if observer in refused:
            yield {"bench": "agent", "what": name, "observer": observer, "does_not_run": refused[observer]}
        else:
            yield summary(name, observer, slots)


def summary(name, observer, slots):
    def ratio(key):
        return median_of([2 * with_one[key] / (before[key] + after[key]) for with_one, before, after in slots])

    line = {"bench": "agent", "what": name, "observer": observer, "rate_ratio": ratio("per_second"),
            "rate_without": round(statistics.median(before["per_second"] for _, before, _ in slots))}
    if slots[0][1]["p99_us"]:
        for key in ("p50", "p99", "p999"):
            line[f"{key}_ratio"] = ratio(f"{key}_us")
    line["core_percent"] = round(100 * statistics.median(with_one["core_share"] for with_one, _, _ in slots), 3)
    line["rss_mib"] = round(max(with_one["rss_mib"] for with_one, _, _ in slots), 1)
    return line


def overhead(options):
    sink = Sink()
    names = list(SHAPES) if options.all_shapes else list(SHAPES)[:DEFAULT_SHAPES]
    if options.features and not options.all_shapes:
        names.append("HTTP requests")
    if options.shapes:
        names = known(options.shapes, SHAPES, "shape")
    with Lab(["client", "server"], prefix=78) as lab:
        prepare(lab)
        observers = {"weir": lambda: WeirAgent(sink)}
        if options.features:
            observers.update(features(sink))
        if options.others:
            observers.update(tools(lab))
        if options.observers:
            observers = {name: observers[name] for name in known(options.observers, observers, "observer")}
        for name in names:
            yield from compare(lab, name, observers, options)
        for name in names:
            yield from program_costs(lab, sink, name, options)
    sink.close()


def known(names, there_are, what):
    """The names in a list with ; between them, all of which must be there."""
    names = names.split(";")
    if unknown := [name for name in names if name not in there_are]:
        sys.exit(f"bench: no {what} {', '.join(unknown)}; there are: {'; '.join(there_are)}")
    return names


def features(sink):
    """name -> starter of the agent with what is off by default; `elsewhere` watches a control group without the load."""
    group = os.path.join(next(root for root in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if os.path.exists(f"{root}/cgroup.controllers")),
                         "weir-bench")
    os.makedirs(group, exist_ok=True)
    return {"weir --udp": lambda: WeirAgent(sink, "--udp", "on"), "weir --dns": lambda: WeirAgent(sink, "--dns", "on"),
            "weir --udp --dns elsewhere": lambda: WeirAgent(sink, "--udp", "on", "--dns", "on", "--udp-group", "weir-bench"),
            "weir --requests": lambda: WeirAgent(sink, "--requests", "on"),
            "weir, all": lambda: WeirAgent(sink, "--udp", "on", "--dns", "on", "--requests", "on", "--receive-loss", "always")}


def program_costs(lab, sink, name, options):
    """Nanoseconds per run of each BPF program under a load, the clock reads of the statistics included."""
    agent, load = WeirAgent(sink, *(("--requests", "on") if options.features else ())), Load(lab, name)
    try:
        with bpf_statistics():
            before = program_runs()
            done = load.slot(options.slot)["operations"]
            after = program_runs()
    finally:
        load.close()
        agent.stop()
    for program, (runs, nanoseconds) in sorted(after.items()):
        old_runs, old_nanoseconds = before.get(program, (0, 0))
        if program.startswith("weir") and runs - old_runs > 100:
            yield {"bench": "agent", "what": name, "program": program, "ns_per_run": round((nanoseconds - old_nanoseconds) / (runs - old_runs), 1),
                   "runs_per_operation": round((runs - old_runs) / done, 2)}


def snapshots(options):
    """Time to read all live sockets, and the agent's memory and CPU: idle ones, and ones that each carry a request a second."""
    sink = Sink()
    for kind in ("idle", "busy"):
        with Lab(["client", "server"], prefix=79) as lab:
            prepare(lab, servers=2)
            held = 0
            for sockets in (1_000, 10_000, 50_000):
                hold(lab, held, sockets // 2, kind == "busy")
                held = sockets // 2
                yield measure_snapshot(sink, f"{sockets} {kind} sockets")
    sink.close()


def hold(lab, held, connections, busy):
    """Opens what is missing to so many connections, two sockets each. A process may have 20,000 descriptors on some machines."""
    while held < connections:
        share = min(12_500, connections - held)
        port = 7900 if held < 12_500 else 7904
        holder = lab.start("client", LOAD, "hold", lab.address("server"), str(port), "3600", str(share), *([str(share)] if busy else []))
        if holder.stdout.readline().strip() != "holding":
            raise RuntimeError("weir-load could not open its connections; run its command by hand")
        held += share


def measure_snapshot(sink, what):
    agent = WeirAgent(sink)
    try:
        time.sleep(START_UP_SECONDS)
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
        return {"bench": "snapshot", "what": what, "milliseconds": median_of(taken), "tracked": sink.counter("weir_agent_sockets"),
                "core_percent": round(100 * share, 3), "rss_mib": round(agent.rss_mib(), 1)}
    finally:
        agent.stop()
