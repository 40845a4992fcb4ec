"""What the server can take in, what a row costs on disk, how long questions take, and how soon a flow is visible."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

from lab import Lab
from weir import ROOT, Process, Weir, get

INGEST_LOAD = os.path.join(ROOT, "build", os.environ.get("WEIR_PRESET", "release"), "bin", "weir-ingest-load")
QUESTIONS = {
    "map": ("/api/v1/map", {}),
    "table": ("/api/v1/flows", {"limit": 100}),
    "table by process": ("/api/v1/flows", {"group_by": "client_process,server_process", "limit": 100}),
    "table filtered": ("/api/v1/flows", {"filter": "server_port = 8003 and retransmits > 0", "limit": 100}),
    "series": ("/api/v1/series", {}),
}


def ingest_and_query(options):
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", folder, "--log-level", "error", "--disk-budget", "40Gi")
    stored = 0
    try:
        for rows in map(int, options.rows.split(",")):
            yield from fill(process, rows, stored)
            stored = rows
            yield from ask(process, rows, "just stored")
            wait_for_roll_ups(process)
            yield from ask(process, rows, "rolled up")
    finally:
        process.stop(60)
        shutil.rmtree(folder, ignore_errors=True)


def tables(process):
    return {table["resolution"]: table for table in get(process.url, "/api/v1/status")["store"]["tables"]}


def stored_rows(process):
    raw = tables(process)["raw"]
    return raw["rows"], raw["bytes"]


def fill(process, rows, stored):
    """Adds reports, in portions that fit in the load tool's memory and follow each other in time, so that `rows` rows of the
    last 15 minutes are stored."""
    rates = []
    wanted = rows - stored
    portions = max(1, wanted // 1_000_000)
    slice_seconds = 840 // portions
    for number in range(portions):
        ago = (portions - 1 - number) * slice_seconds
        reports = int(wanted / portions * 1.5)  # a third of them are the other end of a pair
        text = subprocess.run([INGEST_LOAD, process.url, str(reports), "4", "10000", str(slice_seconds), str(ago)], capture_output=True,
                              text=True, check=True).stdout
        result = json.loads(text)
        before, stored = stored, stored_rows(process)[0]
        rates.append((result["reports_per_second"], (stored - before) / result["seconds"], result["slowest_ack_ms"], result["wire_bytes_per_report"]))
    settle(process)
    count, size = stored_rows(process)
    yield {"bench": "server", "what": f"ingest to {rows} rows", "reports_per_second": round(statistics.median(r[0] for r in rates)),
           "rows_per_second": round(statistics.median(r[1] for r in rates)), "slowest_ack_ms": max(r[2] for r in rates),
           "wire_bytes_per_report": rates[-1][3], "disk_bytes_per_row": round(size / count, 1), "server_rss_mib": rss_mib(process)}


def settle(process):
    """Waits until background merges have stopped changing the size."""
    last = -1
    for _ in range(60):
        size = stored_rows(process)[1]
        if size == last:
            return
        last = size
        time.sleep(2)


def wait_for_roll_ups(process):
    """Until all rows are rolled up into steps of 5 min, which takes up to 5 min. Where rows come in at the pace of time, up to
    5 min are not."""
    deadline = time.monotonic() + 330
    while time.monotonic() < deadline:
        held = tables(process)
        if held["5m"]["newest"] and held["5m"]["newest"] >= held["raw"]["newest"]:
            return
        time.sleep(2)


def rss_mib(process):
    line = next(line for line in open(f"/proc/{process.pid}/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def ask(process, rows, state):
    for name, (path, parameters) in QUESTIONS.items():
        for since in ("15m", "1h"):
            times, read = [], 0
            for _ in range(7):
                started = time.monotonic()
                answer = get(process.url, path, since=since, **parameters)
                times.append((time.monotonic() - started) * 1000)
                read = answer.get("rows_read", 0)
            yield {"bench": "server", "what": f"{name}, last {since} of {rows} rows, {state}", "median_ms": round(statistics.median(times), 1),
                   "worst_ms": round(max(times), 1), "resolution": answer.get("resolution"), "rows_read": read}


def visibility(options):
    """From a connection's first byte to its row in the API, at the default interval."""
    delays = []
    with Lab(["client", "server"], prefix=80) as lab, Weir() as weir:
        time.sleep(3)
        for number in range(options.rounds * 2):
            port = 7700 + number
            lab.serve("server", port)
            child = lab.traffic("client", "get", lab.address("server"), str(port), "--keep-alive", "--up", "100", "--down", "100", "--hold", "6")
            child.stdout.readline()
            started = time.monotonic()
            while not weir.flows(f"server_port = {port}", since="1m"):
                time.sleep(0.02)
            delays.append((time.monotonic() - started) * 1000)
            child.kill()
            time.sleep(0.13)
    yield {"bench": "latency", "what": "first byte to API", "median_ms": round(statistics.median(delays)), "worst_ms": round(max(delays))}
