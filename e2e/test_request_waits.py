"""Where a request's time goes when it is not the network's: what Weir measures at the server's socket, against the
clocks of both applications and the kernel's own account. CLOCK_MONOTONIC is one clock for all of them."""

import contextlib
import itertools
import json
import os
import statistics
import sys

import pytest
from lab import Lab, eventually, have_root
from weir import Weir

pytestmark = pytest.mark.skipif(not have_root(), reason="SKIPPED: eBPF and namespaces need root: sudo ./dev test e2e")
HERE = os.path.dirname(os.path.abspath(__file__))
PORT = "8081"
# Wide: on average between an event and the moment a process of a busy machine gets to its clock.
WAKE_US = 10_000


class Scene:
    """One server, one client, and Weir looking at both."""

    def __init__(self, lab, weir):
        self.lab, self.weir = lab, weir
        self.server = lab.start("server", sys.executable, os.path.join(HERE, "waits_server.py"), "0.0.0.0", PORT)
        assert self.server.stdout.readline().strip() == "ready"

    def _command(self, what, *arguments):
        return (sys.executable, os.path.join(HERE, "waits_client.py"), what, self.lab.address("server"), PORT,
                *map(str, arguments))

    def client(self, what, *arguments):
        return json.loads(self.lab.run("client", *self._command(what, *arguments)))

    def start(self, what, *arguments):
        return self.lab.start("client", *self._command(what, *arguments))

    def log(self, path):
        """The server's own account of its requests for `path`."""
        return [record for record in self.client("log") if record["path"] == path]

    def row(self, resource, requests):
        """What Weir says of `resource` once it has counted so many. Of this lab alone: it sees the whole machine."""
        here = f'application = "http1" and server_port = {PORT} and server_netns = {self.lab.netns_inode("server")}'

        def complete():
            rows = self.weir.flows(f'{here} and resource = "{resource}"', group_by="resource")
            return rows and rows[0]["requests"] >= requests and rows[0]

        row = eventually(complete)
        assert row["requests"] == requests and row["requests_unusable"] == 0
        return row


@pytest.fixture(scope="module")
def scene():
    with Lab(["client", "server"], prefix=83) as lab, Weir("--requests", "on") as weir:
        weir.need_probe("requests")
        yield Scene(lab, weir)


def mean_us(pairs):
    return statistics.mean(end - begin for begin, end in pairs) * 1e6


def test_a_blocked_event_loop_is_time_its_own_account_does_not_have(scene):
    rounds, block_ms = 5, 200
    asked = scene.client("block", rounds, block_ms)
    blocks, quick = scene.log(f"/block/{block_ms}"), scene.log("/quick")
    assert len(blocks) == len(quick) == rounds
    row = scene.row("/quick", rounds)
    # The loop stood still from before the question until it was awake again.
    stood_us = mean_us((question, block["awake"]) for (question, _), block in zip(asked, blocks))
    app_us = mean_us((record["read"], record["done"]) for record in quick)
    assert stood_us > block_ms * 900, "the questions came while the loop was blocked"
    assert stood_us - WAKE_US <= row["request_latency_avg_us"] <= mean_us(asked)
    assert row["request_latency_avg_us"] - app_us == pytest.approx(stood_us, abs=WAKE_US), "the wait before it was read"
    assert row["receive_wait_count"] == rounds
    assert stood_us - WAKE_US <= row["receive_wait_avg_us"] <= row["request_latency_avg_us"], "it has a column"
    # The client asks again when its first connection is done.
    idle_us = mean_us((answered, question) for (_, answered), (question, _) in itertools.pairwise(asked))
    assert row["client_idle_count"] == rounds - 1
    assert row["client_idle_avg_us"] == pytest.approx(idle_us, abs=WAKE_US)
    assert scene.row("/block/{id}", rounds)["first_chunk_avg_us"] >= block_ms * 1000


def test_a_connection_nobody_accepts_is_time_apart(scene):
    rounds, block_ms = 5, 200
    asked = scene.client("newcomer", rounds, block_ms)
    blocks = scene.log(f"/block/{block_ms}/newcomer")
    row = scene.row("/newcomer", rounds)
    stood_us = mean_us((connected, block["awake"]) for (connected, _), block in zip(asked, blocks))
    assert stood_us > block_ms * 900, "the connections came while the loop was blocked"
    assert row["accept_wait_count"] == rounds
    assert stood_us - WAKE_US <= row["accept_wait_avg_us"] <= mean_us(asked) + WAKE_US
    assert row["client_idle_count"] == 0, "no connection had two requests"


def test_nagle_holds_a_request_back_and_nodelay_does_not(scene):
    rounds = 20
    times = {nodelay: scene.client("upload", rounds, nodelay) for nodelay in ("off", "on")}
    rows = {nodelay: scene.row(f"/upload/{nodelay}", rounds) for nodelay in ("off", "on")}
    held_us = mean_us(times["off"]) - mean_us(times["on"])
    assert held_us > 20_000, "the client waited for delayed acknowledgements, 40 ms each"
    for nodelay, row in rows.items():
        assert mean_us(times[nodelay]) - WAKE_US <= row["request_latency_avg_us"] <= mean_us(times[nodelay]), nodelay
        # The application saw nothing of it: its time begins when the body is here.
        app_us = mean_us((record["read"], record["done"]) for record in scene.log(f"/upload/{nodelay}"))
        assert app_us < WAKE_US
        assert row["request_upload_count"] == rounds
        assert row["request_upload_avg_us"] <= row["request_latency_avg_us"]
    upload_us = {nodelay: rows[nodelay]["request_upload_avg_us"] for nodelay in rows}
    assert upload_us["off"] - upload_us["on"] == pytest.approx(held_us, abs=WAKE_US), "it is the upload that takes long"
    gain_us = rows["off"]["request_latency_avg_us"] - rows["on"]["request_latency_avg_us"]
    assert gain_us == pytest.approx(held_us, abs=WAKE_US)


def test_what_nagle_holds_back_of_an_answer_is_not_in_its_times(scene):
    """Times are those of the writes (ADR 5): the wait in the send queue comes after; only the client's clock has it."""
    rounds = 20
    times = {nodelay: scene.client("token", rounds, nodelay) for nodelay in ("off", "on")}
    assert mean_us(times["off"]) - mean_us(times["on"]) > 20_000, "the client waited for it"
    for nodelay in times:
        row = scene.row(f"/token/{nodelay}", rounds)
        written_us = mean_us((record["header"], record["chunk"]) for record in scene.log(f"/token/{nodelay}"))
        between_us = row["first_chunk_avg_us"] - row["request_latency_avg_us"]
        assert written_us - 2 <= between_us <= written_us + WAKE_US, nodelay


class CpuGroup:
    """A control group of this test with processor quota, of whichever version the machine has."""

    def __init__(self, name):
        self.v2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        root = "/sys/fs/cgroup" if self.v2 else "/sys/fs/cgroup/cpu"
        if self.v2 and "cpu" not in _read(f"{root}/cgroup.subtree_control").split():
            _write(f"{root}/cgroup.subtree_control", "+cpu")
        self.name, self.root, self.path = name, root, f"{root}/{name}"

    def __enter__(self):
        os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        for pid in _read(f"{self.path}/cgroup.procs").split():
            with contextlib.suppress(OSError):
                _write(f"{self.root}/cgroup.procs", pid)
        os.rmdir(self.path)

    def limit(self, quota_us, period_us):
        if self.v2:
            _write(f"{self.path}/cpu.max", f"{quota_us} {period_us}")
        else:
            _write(f"{self.path}/cpu.cfs_period_us", str(period_us))
            _write(f"{self.path}/cpu.cfs_quota_us", str(quota_us))

    def lift(self):
        """Ends what throttling is going on, so that it is counted."""
        _write(f"{self.path}/cpu.max", "max") if self.v2 else _write(f"{self.path}/cpu.cfs_quota_us", "-1")

    def add(self, pid):
        _write(f"{self.path}/cgroup.procs", str(pid))

    def stat(self):
        """(periods, microseconds) throttled, as the kernel counts."""
        found = dict(line.split() for line in _read(f"{self.path}/cpu.stat").splitlines())
        microseconds = int(found["throttled_usec"]) if self.v2 else int(found["throttled_time"]) // 1000
        return int(found["nr_throttled"]), microseconds


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


@pytest.fixture
def quota():
    root = "/sys/fs/cgroup" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "/sys/fs/cgroup/cpu"
    if not os.path.exists(f"{root}/cgroup.procs"):
        pytest.skip(f"SKIPPED: no cpu controller at {root}")
    with CpuGroup(f"weir-e2e-{os.getpid()}") as group:
        yield group


def test_a_cpu_quota_shows_as_latency_and_as_throttling(scene, quota):
    rounds, burn_ms = 10, 4
    free = scene.client("burn", rounds, burn_ms, "free")
    quota.limit(4_000, 200_000)
    quota.add(scene.server.pid)
    limited = scene.client("burn", rounds, burn_ms, "limited")
    quota.lift()
    periods, throttled_us = quota.stat()
    assert throttled_us > 200_000, "the load was to be too much"

    waited_us = {}
    for name, times in (("free", free), ("limited", limited)):
        row = scene.row(f"/burn/{{id}}/{name}", rounds)
        account = scene.log(f"/burn/{burn_ms}/{name}")
        computed_us = mean_us((record["read"], record["ready"]) for record in account)
        assert computed_us - 2 <= row["request_latency_avg_us"] <= mean_us(times), name
        waited_us[name] = row["request_latency_avg_us"] * rounds
    # One request at a time: nearly all the time the server was kept from running, somebody waited for it. Half, since a
    # busy machine makes the free ones wait as well.
    assert waited_us["limited"] - waited_us["free"] >= 0.5 * throttled_us

    def counted():
        (node,) = scene.weir.nodes()
        group = next((group for group in node["throttled"] if group["cgroup"].endswith(quota.name)), None)
        return group and group["periods"] >= periods and group

    group = eventually(counted, timeout=30)
    assert (group["periods"], group["microseconds"]) == (periods, pytest.approx(throttled_us, abs=1))


def test_a_download_that_shares_the_limit_stretches_the_gaps_of_a_stream(scene):
    chunks, size = 40, 16 << 10
    scene.lab.shape("router", "r1", "rate", "5mbit", "burst", "16kb", "latency", "100ms")
    alone = scene.client("feed", chunks, size, "alone")
    # Several, because a second is too short for two connections to share a limit evenly.
    others = [scene.start("download") for _ in range(4)]
    assert [other.stdout.readline().strip() for other in others] == ["begun"] * len(others)
    beside = scene.client("feed", chunks, size, "beside")
    assert all(other.poll() is None for other in others), "all downloaded at once"
    for other in others:
        other.kill()

    gaps_us = {}
    for name, times in (("alone", alone), ("beside", beside)):
        row = scene.row(f"/feed/{{id}}/{{id}}/{name}", 1)
        (account,) = scene.log(f"/feed/{chunks}/{size}/{name}")
        assert row["chunk_gap_count"] >= chunks - 1
        gaps_us[name] = row["chunk_gap_avg_us"] * row["chunk_gap_count"]
        # From somewhere within the first chunk's write to somewhere within the last one's.
        least_us = (account["begun"][-1] - account["accepted"][0]) * 1e6
        most_us = (account["accepted"][-1] - account["begun"][0]) * 1e6
        assert least_us - chunks <= gaps_us[name] <= most_us, name
        assert row["request_duration_avg_us"] <= mean_us(times)
    assert mean_us(beside) > 1.5 * mean_us(alone), "the client felt it"
    assert gaps_us["beside"] > 1.5 * gaps_us["alone"]
