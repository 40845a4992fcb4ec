"""What following a cluster costs the server: 10,000 pods in a real API server, then 200 changes a second."""

import concurrent.futures
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

from kube import assets
from kube.cluster import Cluster, wait_for
from weir import Process, get

PODS, CHANGES_PER_SECOND = 10_000, 200


class _Server:
    def __init__(self, *arguments):
        self.folder = tempfile.mkdtemp(prefix="weir-bench-")
        self.started = time.monotonic()
        self.process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", self.folder, *arguments)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pods(self):
        watches = get(self.process.url, "/api/v1/status")["kubernetes"]["watches"]
        return next(each for each in watches if each["resource"] == "pods")

    def memory_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def cpu_seconds(self):
        """Of the threads that follow the cluster, by the scheduler's nanoseconds."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().startswith("weir-k-"):
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9


def _change(cluster, seconds):
    """Label changes at an even pace; returns how many were made."""
    end, made = time.monotonic() + seconds, 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        while time.monotonic() < end:
            path = cluster.path("pod", "big", f"many-{made % PODS}")
            pool.submit(cluster.api.patch, path, {"metadata": {"labels": {"turn": str(made)}}})
            made += 1
            time.sleep(max(0.0, end - seconds + made / CHANGES_PER_SECOND - time.monotonic()))
    return made


def follow(options):
    if assets.folder() is None:
        sys.exit("bench: no API server; run ./dev kubernetes")
    with Cluster(prefix=126, controllers=False) as cluster:
        config = cluster.reader_kubeconfig()
        cluster.namespace("big")
        cluster.many_pods("big", PODS)
        without, following, first_list = [], [], []
        for _ in range(min(options.rounds, 5)):
            with _Server("--kubernetes", "off") as server:
                time.sleep(1)
                without.append(server.memory_mib())
            with _Server("--kubeconfig", config) as server:
                wait_for("all pods", lambda: server.pods()["objects"] == PODS, 120, 0.01)
                first_list.append(time.monotonic() - server.started)
                following.append(server.memory_mib())
        yield {"bench": "kube-list", "pods": PODS, "seconds_from_start": round(statistics.median(first_list), 2),
               "memory_mib": round(statistics.median(following), 1), "memory_mib_without": round(statistics.median(without), 1),
               "more_mib": round(statistics.median(following) - statistics.median(without), 1)}
        with _Server("--kubeconfig", config) as server:
            wait_for("all pods", lambda: server.pods()["objects"] == PODS, 120)
            events, cpu, begun = server.pods()["events"], server.cpu_seconds(), time.monotonic()
            made = _change(cluster, 20)
            wait_for("all changes", lambda: server.pods()["events"] - events >= made, 60, 0.01)
            seconds = time.monotonic() - begun
            yield {"bench": "kube-changes", "pods": PODS, "changes_per_second": round(made / seconds, 1),
                   "percent_of_a_core": round(100 * (server.cpu_seconds() - cpu) / seconds, 2), "memory_mib": round(server.memory_mib(), 1),
                   "load": os.getloadavg()[0]}
