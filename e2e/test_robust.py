"""What Weir must withstand: garbage, replays, wrong clocks, kills, outages, missing privileges."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
import zstandard

import forge
from lab import eventually
from weir import BINARY, ROOT, Process, Weir, get, total

AGENT_A = "a" * 32


@pytest.fixture(scope="module")
def server():
    folder = tempfile.mkdtemp(prefix="weir-e2e-")
    process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", folder)
    yield process
    process.stop()
    shutil.rmtree(folder, ignore_errors=True)


def bytes_of(url, port):
    rows = get(url, "/api/v1/flows", since="10d", filter=f"server_port = {port}")["rows"]
    return total(rows, "bytes_to_server")


def refused(url, body):
    with pytest.raises(forge.HttpError) as caught:
        forge.post(url, body)
    return caught.value


# --- garbage ------------------------------------------------------------------------------------------------------------


def test_truncated_and_flipped_batches_are_refused_whole(server):
    # An agent of its own: a flip can hit the sequence and move the watermark far ahead.
    body = forge.encode(forge.batch(agent="c" * 32, node="flipped", server_port=9100, flows=50))
    assert refused(server.url, b"").status == 400
    for cut in range(1, len(body), max(1, len(body) // 40)):
        assert refused(server.url, body[:cut]).status == 400
    for position in range(0, len(body), max(1, len(body) // 60)):
        flipped = bytearray(body)
        flipped[position] ^= 0x40
        try:
            forge.post(server.url, bytes(flipped))
        except forge.HttpError as error:
            assert error.status in (400, 409), error
            assert error.error()["message"]
    assert get(server.url, "/healthz") == "ok"


def test_future_format_oversize_and_bomb(server):
    error = refused(server.url, forge.encode(forge.batch(agent=AGENT_A, node="garbage", format=99)))
    assert error.status == 400 and "99" in error.error()["message"]
    assert refused(server.url, os.urandom(17 << 20)).status == 413
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(1 << 30))
    assert len(bomb) < 1 << 20
    assert refused(server.url, bomb).status == 400
    status = int(next(line for line in open(f"/proc/{server.pid}/status") if line.startswith("VmRSS")).split()[1])
    assert status < 1_500_000, "the bomb was unpacked"


def test_hostile_strings_end_up_harmless(server):
    name = "x'; DROP TABLE flows_raw; --<script>alert(1)</script>\\\""
    message = forge.batch(agent=AGENT_A, node="garbage", server_port=9110)
    message.strings[1] = name
    forge.post(server.url, forge.encode(message))
    (row,) = get(server.url, "/api/v1/flows", filter="server_port = 9110")["rows"]
    assert row["client_process"] == name
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    (same,) = get(server.url, "/api/v1/flows", filter=f'client_process = "{quoted}"')["rows"]
    assert same["bytes_to_server"] == 1000
    for unclean in ("esc\x1b[31m", "flip\u202etxt", "nul\0"):  # a real agent never sends these
        message = forge.batch(agent=AGENT_A, node="garbage")
        message.strings[1] = unclean
        assert refused(server.url, forge.encode(message)).status == 400


# --- exactly once ---------------------------------------------------------------------------------------------------------


def test_a_resent_batch_is_acknowledged_and_not_counted_twice(server):
    body = forge.encode(forge.batch(agent="d" * 32, node="once", server_port=9120))
    assert json.loads(forge.post(server.url, body))["duplicate"] is False
    for _ in range(3):
        assert json.loads(forge.post(server.url, body))["duplicate"] is True
    assert bytes_of(server.url, 9120) == 1000


def test_kill_9_of_the_server_loses_nothing_acknowledged_and_counts_nothing_twice():
    folder = tempfile.mkdtemp(prefix="weir-e2e-")
    sequence, acknowledged, unsure = 1, 0, []
    try:
        for _ in range(4):
            process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", folder)
            for body in unsure:  # what an agent does: the unacknowledged again, in order
                forge.post(process.url, body)
                acknowledged += 1
            unsure = []
            killer = subprocess.Popen(["sh", "-c", f"sleep 0.7; kill -9 {process.pid}"])
            while True:
                body = forge.encode(forge.batch(agent=AGENT_A, node="crash", sequence=sequence, server_port=9130))
                sequence += 1
                try:
                    forge.post(process.url, body)
                    acknowledged += 1
                except OSError:
                    unsure.append(body)
                    break
            killer.wait()
            process.kill()
        process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", folder)
        for body in unsure:
            forge.post(process.url, body)
            acknowledged += 1
        assert acknowledged > 10
        assert bytes_of(process.url, 9130) == acknowledged * 1000
        process.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_agent_rides_out_a_server_outage(lab, tmp_path):
    store = str(tmp_path / "server")
    first = Process("server", "--listen", "127.0.0.1:0", "--data-dir", store)
    address = first.url.removeprefix("http://")
    agent = Process("agent", "--server", first.url, "--data-dir", str(tmp_path / "agent"), "--node", "n1", expect_ready=False)
    try:
        eventually(lambda: get(first.url, "/api/v1/status")["agents"])
        first.kill()
        lab.serve("server", 7601)
        lab.client("client", "get", lab.address("server"), "7601", "--count", "7", "--up", "500", "--down", "10")
        time.sleep(3)
        second = Process("server", "--listen", address, "--data-dir", store)
        try:
            eventually(lambda: bytes_of(second.url, 7601) == 7 * 520, timeout=40)
            time.sleep(2)
            assert bytes_of(second.url, 7601) == 7 * 520
        finally:
            second.stop()
    finally:
        agent.stop()


def test_kill_9_of_the_agent_counts_nothing_twice(lab, tmp_path):
    server = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "server"))
    arguments = ["agent", "--server", server.url, "--data-dir", str(tmp_path / "agent"), "--node", "n1"]
    try:
        agent = Process(*arguments, expect_ready=False)
        eventually(lambda: get(server.url, "/api/v1/status")["agents"])
        lab.serve("server", 7602)
        child = lab.traffic("client", "get", lab.address("server"), "7602", "--keep-alive", "--up", "100000", "--down", "1", "--hold", "12")
        assert child.stdout.readline().strip() == "holding"
        eventually(lambda: bytes_of(server.url, 7602) == 100020)
        agent.kill()
        agent = Process(*arguments, expect_ready=False)
        eventually(lambda: get(server.url, "/api/v1/status")["agents"][0]["batches"] > 0)
        time.sleep(3)
        assert bytes_of(server.url, 7602) == 100020, "the restarted agent takes the old socket as a base line"
        agent.stop()
    finally:
        server.stop()


# --- clocks and names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-3, 3])
def test_wrong_clock_is_corrected_and_shown(server, days):
    offset = days * 86_400_000
    node, port = f"skewed{days}", 9140 + days
    message = forge.batch(agent=f"{days + 5:032x}", node=node, start_ms=forge.now_ms() + offset - 1000, server_port=port)
    forge.post(server.url, forge.encode(message), sent_at=forge.now_ms() + offset)
    (row,) = get(server.url, "/api/v1/flows", since="1m", filter=f"server_port = {port}")["rows"]
    assert row["bytes_to_server"] == 1000
    status = get(server.url, "/api/v1/status")
    (agent,) = [a for a in status["agents"] if a["node"] == node]
    assert agent["clock_offset_ms"] == pytest.approx(offset, abs=5000)
    assert any(node in problem and "clock" in problem for problem in status["problems"])


def test_second_agent_with_the_same_name_is_refused(server):
    forge.post(server.url, forge.encode(forge.batch(agent="e" * 32, node="twin")))
    error = refused(server.url, forge.encode(forge.batch(agent="f" * 32, node="twin")))
    assert error.status == 409 and "--node" in error.body


# --- start-up -----------------------------------------------------------------------------------------------------------------


def test_unusable_data_directory(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("not a directory")
    code, said = Process("up", "--listen", "127.0.0.1:0", "--data-dir", str(blocker / "x"), expect_ready=False).wait()
    assert code == 1 and str(blocker) in said


def test_full_disk_is_reported_and_nothing_acknowledged_is_lost(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(mount)], check=True)
    process = None
    try:
        process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(mount / "data"))
        forge.post(process.url, forge.encode(forge.batch(agent=AGENT_A, node="full", sequence=1, server_port=9150)))
        with open(mount / "ballast", "wb") as ballast:
            try:
                while True:
                    ballast.write(os.urandom(1 << 16))
                    ballast.flush()
            except OSError:
                pass
        body = forge.encode(forge.batch(agent=AGENT_A, node="full", sequence=2, server_port=9150, flows=5000))
        error = refused(process.url, body)
        assert error.status in (429, 503)
        os.unlink(mount / "ballast")
        eventually(lambda: forge.post(process.url, body), timeout=20)
        assert bytes_of(process.url, 9150) == 5001 * 1000
    finally:
        if process:
            process.kill()
        subprocess.run(["umount", "-l", str(mount)], check=False)


def test_missing_library_says_how_to_get_it(tmp_path):
    code, said = Process("up", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), "--libchdb", "/nonexistent/libchdb.so",
                         expect_ready=False).wait()
    assert code == 1 and "/nonexistent/libchdb.so" in said and "./dev setup" in said


def test_second_server_on_the_same_data_is_refused(server, tmp_path):
    first = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path))
    code, said = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), expect_ready=False).wait()
    first.stop()
    assert code == 1 and "in use" in said


def test_more_namespaces_than_are_read_one_by_one(lab):
    """Sockets are seen in all of them, for that takes no look at namespaces; what is read in each says how many it reads."""
    available = re.search(r"MemAvailable: +(\d+)", open("/proc/meminfo", encoding="ascii").read()).group(1)
    count = 10_000 if int(available) > 4 << 20 else 1_200  # 180 KiB each; beyond what is read and 1,024 descriptors
    command = [sys.executable, os.path.join(ROOT, "e2e", "crowd.py"), f"crowd{os.getpid()}x", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as crowd:
        assert crowd.stdout.readline().strip() == "ready"
        try:
            with Weir() as weir:
                eventually(lambda: (found := weir.nodes()) and found[0]["pass_us"] is not None, timeout=60)
                lab.serve("server", 7603)
                lab.client("client", "get", lab.address("server"), "7603", "--count", "3", "--up", "1000", "--down", "10")
                (row,) = eventually(lambda: weir.flows("server_port = 7603"))
                assert row["bytes_to_server"] == 3 * 1020 and row["connections_opened"] == 3
                (agent,) = weir.get("/api/v1/status")["agents"]
                probe = next(probe for probe in agent["probes"] if probe["name"] == "node_namespaces")
                assert probe["state"] == "on" and "more than 500" in probe["reason"]
        finally:
            crowd.stdin.close()
            crowd.wait(120)


def test_without_privileges_the_degraded_mode_says_so(lab):
    folder = tempfile.mkdtemp(prefix="weir-e2e-")
    os.chmod(folder, 0o777)
    # The checkout may be in a folder only root can enter: the unprivileged user gets copies.
    program, library = os.path.join(folder, "weir"), os.path.join(folder, "libchdb.so")
    shutil.copy(BINARY, program)
    shutil.copy(os.path.join(ROOT, "build", "deps", "libchdb.so"), library)
    os.chmod(library, 0o644)
    forbidden = os.path.join(folder, "forbidden", "here")  # root starts it from a folder of its own
    os.makedirs(forbidden)
    os.chmod(os.path.dirname(forbidden), 0o700)
    wrapper = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all", "--inh-caps", "-all"]
    process = Process("up", "--listen", "127.0.0.1:0", "--data-dir", os.path.join(folder, "data"), "--libchdb", library,
                      wrapper=wrapper, program=program, cwd=forbidden)
    try:
        agents = eventually(lambda: get(process.url, "/api/v1/status")["agents"])
        assert agents[0]["mode"] == "sock_diag"
        (ebpf,) = [probe for probe in agents[0]["probes"] if probe["name"] == "ebpf"]
        assert ebpf["state"] == "failed" and ebpf["reason"] and "CAP_BPF" in ebpf["hint"]
    finally:
        process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_degraded_mode_still_counts(lab):
    with Weir("--mode", "sock_diag") as weir:
        lab.serve("server", 7610)
        child = lab.traffic("client", "get", lab.address("server"), "7610", "--keep-alive", "--up", "200000", "--down", "300000",
                            "--hold", "8")
        assert child.stdout.readline().strip() == "holding"
        eventually(lambda: any((row["bytes_to_client"] or 0) >= 300000 or row["connections_open"] for row in weir.flows("server_port = 7610")))
        child.kill()


def test_token_is_demanded_and_compared(tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret-word\n")
    process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "d"), "--token-file", str(token))
    try:
        with pytest.raises(forge.HttpError) as caught:
            get(process.url, "/api/v1/flows")
        assert caught.value.status == 401
        with pytest.raises(forge.HttpError) as caught:
            forge.post(process.url, forge.encode(forge.batch()), token="s3cret-wore")
        assert caught.value.status == 401
        forge.post(process.url, forge.encode(forge.batch()), token="s3cret-word")
        assert get(process.url, "/healthz") == "ok"
    finally:
        process.stop()
