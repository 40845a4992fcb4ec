"""What an inference server says of itself, beside what the wire says: read, compared, explained; hanging and lying."""

import os
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab import eventually, have_root
from weir import Weir

pytestmark = pytest.mark.skipif(not have_root(), reason="SKIPPED: eBPF needs root: sudo ./dev test e2e")
HERE = os.path.dirname(os.path.abspath(__file__))
UNREAD_MS, THINK_MS, REQUESTS = 200, 50, 8


class Scene:
    """The inference server on this machine, and a Weir that reads its /metrics every second."""

    def __init__(self, server, weir):
        self.port = int(server.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"
        self.weir = weir(f"{self.url}/metrics")

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return response.read()

    def app(self):
        answer = self.weir.get("/api/v1/serving", since="2m", filter=f"server_port = {self.port}")
        rows = [row for row in answer["servers"] if row["app"]]
        return (rows[0]["app"], rows[0]) if rows else ((answer["apps_without_server"] or [None])[0], None)

    def state(self, wanted):
        def reached():
            app, row = self.app()
            return app and app["state"] == wanted and (app, row)

        return eventually(reached, timeout=30)


@pytest.fixture(scope="module")
def scene():
    server = subprocess.Popen([sys.executable, os.path.join(HERE, "llm_server.py"), str(UNREAD_MS), str(THINK_MS)],
                              stdout=subprocess.PIPE, text=True)
    started = []

    def weir(url):
        started.append(Weir("--requests", "on", "--app-metrics-target", url, "--app-metrics-interval", "1s"))
        return started[0].__enter__()

    try:
        scene = Scene(server, weir)
        scene.weir.need_probe("requests")
        yield scene
    finally:
        for one in started:
            one.__exit__(None, None, None)
        server.kill()
        server.wait()


def test_its_own_first_token_stands_beside_the_wires_first_chunk(scene):
    scene.state("believed")  # two readings, so that what follows is all counted
    with ThreadPoolExecutor(REQUESTS) as pool:
        list(pool.map(scene.ask, ["/generate"] * REQUESTS))

    def counted():
        app, row = scene.app()
        figures = {figure["name"]: figure for figure in app["figures"]} if app else {}
        first = figures.get("gen_ai.server.time_to_first_token")
        return row and first and first["count"] == REQUESTS and row["first_chunk_count"] == REQUESTS and (app, row, figures)

    app, row, figures = eventually(counted, timeout=30)
    assert app["server"] == "vLLM" and app["reason"] == ""
    first = figures["gen_ai.server.time_to_first_token"]
    assert first["series"] == "vllm:time_to_first_token_seconds"
    assert THINK_MS * 1e3 <= first["mean_us"] < UNREAD_MS * 1e3
    assert figures["gen_ai.server.time_per_output_token"]["count"] == REQUESTS * 4
    assert row["first_chunk_avg_us"] >= (UNREAD_MS + THINK_MS) * 1e3 * 0.95
    beside = {one["measure"]: one for one in app["beside"]}
    assert beside["first_chunk"]["verdict"] == "explained", beside
    assert beside["first_chunk"]["confidence"] == "high"
    assert beside["first_chunk"]["difference_us"] == pytest.approx(UNREAD_MS * 1e3, rel=0.5)
    assert "pass before the application starts its clock" in beside["first_chunk"]["sentence"]
    assert beside["chunk_gap"]["verdict"] == "agree", beside


def test_a_lie_a_silence_and_a_return_are_each_said(scene):
    scene.ask("/mode/lies")
    app, row = scene.state("not_believed")
    assert "buckets fall" in app["reason"] and app["figures"] == []
    assert app["beside"][0]["verdict"] == "unknown" and app["beside"][0]["confidence"] == "none"
    assert row["first_chunk_count"] >= REQUESTS, "the wire's numbers stand"
    scene.ask("/mode/hangs")
    app, _ = scene.state("unreachable")
    assert "imed out" in app["reason"] and app["beside"][0]["verdict"] == "unknown"
    scene.ask("/mode/good")
    app, _ = scene.state("believed")
    assert app["series_refused"] > 0 and app["failures"] > 0
    counters = {counter["name"]: counter["value"] for counter in scene.weir.get("/api/v1/status")["counters"]}
    assert counters["weir_server_app_series_refused_total"] > 0
    assert counters["weir_server_app_scrape_failures_total"] > 0
