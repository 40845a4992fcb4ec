#!/usr/bin/env python3
"""Weir's benchmarks. Each compares A and B in alternating slots of one run and prints medians of paired ratios, because
machines are noisy; JSON lines go to stdout, a table for people to stderr. See bench/README.md.

    run.py [agent] [snapshot] [server] [latency] [kube] [findings] [--rounds N] [--slot SECONDS] [--rows N[,N...]] [--save FILE]
"""

import argparse
import json
import os
import platform
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

import bench_agent  # noqa: E402
import bench_findings  # noqa: E402
import bench_kube  # noqa: E402
import bench_server  # noqa: E402

BENCHES = {
    "agent": bench_agent.overhead,
    "snapshot": bench_agent.snapshots,
    "server": bench_server.ingest_and_query,
    "latency": bench_server.visibility,
    "kube": bench_kube.follow,
    "findings": bench_findings.matrix,
}


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory = int(next(line for line in open("/proc/meminfo") if line.startswith("MemTotal")).split()[1]) // 1024
    return {"bench": "machine", "cpu": model, "cores": os.cpu_count(), "memory_mib": memory, "kernel": platform.release(), "wake_us": wake_us()}


def wake_us(sleeps=100, seconds=0.02):
    """CPU time of sleeping and waking up, which is all that happens here: some virtual machines charge a lot for it."""
    before = time.thread_time_ns()
    for _ in range(sleeps):
        time.sleep(seconds)
    return round((time.thread_time_ns() - before) / sleeps / 1000, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], default=[])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--slot", type=float, default=1.0, help="seconds of load per slot")
    parser.add_argument("--all-shapes", action="store_true", help="agent: more streams, one node, DNS too")
    parser.add_argument("--shapes", help="agent: these, by name, with ; between them, instead")
    parser.add_argument("--observers", help="agent: of all that were chosen only these, by name, with ; between them")
    parser.add_argument("--features", action="store_true", help="agent: with what is off by default too, and HTTP requests")
    parser.add_argument("--others", action="store_true", help="agent: compare the installed alternatives too")
    parser.add_argument("--rows", default="1000000,10000000", help="stored rows to query over (50000000 takes its time)")
    parser.add_argument("--save", help="also append the JSON lines to this file")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root for namespaces and eBPF; run it with sudo")
    lines = [machine()]
    print(json.dumps(lines[0]), flush=True)
    for name in options.names or BENCHES:
        for line in BENCHES[name](options):
            lines.append(line)
            print(json.dumps(line), flush=True)
    if options.save:
        with open(options.save, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    table(lines)


def table(lines):
    print(file=sys.stderr)
    for line in lines:
        rest = {key: value for key, value in line.items() if key not in ("bench", "what")}
        text = "  ".join(f"{key}={value}" for key, value in rest.items())
        print(f"{line['bench']:<10} {line.get('what', ''):<34} {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
