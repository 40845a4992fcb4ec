"""HTTP/2 in plaintext, from the wire to the API: real clients and servers of two libraries (h2, nghttp2). What is shown is
held against the client's own clock, the tools' own counts and tshark's http2 dissector."""

import json
import os
import re
import statistics
import sys

import pytest
from capture import Capture
from h2c import STREAMS
from lab import Lab, eventually, have_root
from weir import Weir

pytestmark = pytest.mark.skipif(not have_root(), reason="SKIPPED: eBPF and namespaces need root: sudo ./dev test e2e")
HERE = os.path.dirname(os.path.abspath(__file__))
PORT, NGHTTP_PORT, FOREIGN_PORT = 8082, 8083, 8084


@pytest.fixture(scope="module")
def weir():
    with Weir("--requests", "on") as running:
        running.need_probe("requests")
        yield running


@pytest.fixture(scope="module")
def lab():
    with Lab(["client", "server"], prefix=86) as running:
        yield running


def rows_of(weir, lab, port, until):
    """Of this lab alone: another one on the machine has the same addresses."""
    here = f'application = "h2" and server_port = {port} and server_netns = {lab.netns_inode("server")}'

    def rows():
        found = weir.flows(here, group_by="operation,resource,result")
        return found if until(found) else None

    return {(row["operation"], row["resource"], row["result"]): row for row in eventually(rows)}


@pytest.fixture(scope="module")
def seen(weir, lab, tmp_path_factory):
    """The client's own times, tshark's capture, and what Weir says once the connection's end has arrived."""
    server = lab.start("server", sys.executable, os.path.join(HERE, "h2c.py"), "serve", "0.0.0.0", str(PORT))
    assert server.stdout.readline().strip() == "ready"
    with Capture(lab, "client", f"tcp port {PORT}", tmp_path_factory.mktemp("http2") / "wire.pcapng") as capture:
        streams = json.loads(lab.run("client", sys.executable, os.path.join(HERE, "h2c.py"), "ask", lab.address("server"), str(PORT)))
    return streams, capture, rows_of(weir, lab, PORT, lambda found: any(row["requests_unanswered"] and row["result"] == "" for row in found))


def test_every_stream_is_a_request_of_its_kind(seen):
    streams, _, rows = seen
    assert rows["GET", "/stream/{id}", "200"]["requests"] == 2 * STREAMS
    assert rows["GET", "/slow", "200"]["requests"] == STREAMS + 2
    assert rows["GET", "/orders/{id}", "200"]["requests"] == 1
    assert rows["GET", "/status/{id}", "404"]["requests_failed"] == 0
    assert rows["GET", "/status/{id}", "500"]["requests_failed"] == 1
    assert rows["GET", "/reset", "reset_by_server"]["requests_unanswered"] == 1
    assert rows["GET", "/silent", "reset_by_client"]["requests"] == 1
    assert rows["GET", "/silent", ""]["requests_unanswered"] == 1, "the connection ended first"
    assert sum(row["requests"] for row in rows.values()) == len(streams)
    assert sum(row["requests_unusable"] for row in rows.values()) == 0
    upload = rows["POST", "/upload", "200"]
    assert upload["requests_body_bytes"] == 300_000
    assert rows["GET", "/stream/{id}", "200"]["requests_streamed"] == 2 * STREAMS
    assert upload["requests_streamed"] == rows["GET", "/slow", "200"]["requests_streamed"] == 0


def test_the_dissector_names_the_same_requests(seen):
    _, capture, rows = seen
    asked = capture.fields(f"tcp.port=={PORT},http2", "http2.headers.method", "http2.headers.method", "http2.headers.path")
    paths = [path for _, found in asked for path in found]
    assert len(paths) == sum(row["requests"] for row in rows.values())
    assert sum(path.startswith("/stream/") for path in paths) == rows["GET", "/stream/{id}", "200"]["requests"]
    answers = [status for (found,) in capture.fields(f"tcp.port=={PORT},http2", "http2.headers.status", "http2.headers.status") for status in found]
    for status in ("200", "404", "500"):
        assert answers.count(status) == sum(row["requests"] for (_, _, result), row in rows.items() if result == status)


def test_times_are_those_of_the_clients_clock(seen):
    streams, _, rows = seen
    measured = rows["GET", "/stream/{id}", "200"]
    own = [stream for stream in streams if stream["path"].startswith("/stream/")]

    def mean(values):
        return statistics.mean(values) * 1e6

    assert measured["first_chunk_count"] == measured["request_duration_count"] == 2 * STREAMS
    # Within the client's times, around what the server waits between its writes, however busy the machine is.
    assert measured["request_latency_avg_us"] <= mean(stream["header"] for stream in own)
    assert measured["first_chunk_avg_us"] <= mean(stream["chunks"][0] for stream in own)
    assert measured["request_duration_avg_us"] <= mean(stream["end"] for stream in own)
    assert measured["first_chunk_avg_us"] - measured["request_latency_avg_us"] >= 30_000 - 2, "the header is not the first chunk"
    assert measured["chunk_gap_count"] == (3 + 2) * STREAMS
    assert measured["chunk_gap_avg_us"] >= 10_000 - 2
    gaps_us = measured["chunk_gap_avg_us"] * measured["chunk_gap_count"] / (2 * STREAMS)
    assert gaps_us <= measured["request_duration_avg_us"] - measured["first_chunk_avg_us"] + 10, "the end is not before the last chunk"
    slow = rows["GET", "/slow", "200"]
    assert slow["request_latency_avg_us"] >= 20_000
    assert slow["chunk_gap_count"] == 0
    assert rows["POST", "/upload", "200"]["request_latency_avg_us"] >= 25_000


def test_another_library_and_many_streams_at_a_time(weir, lab, tmp_path):
    (tmp_path / "page").write_bytes(b"p" * 100_000)
    (tmp_path / "small").write_bytes(b"s" * 10)
    lab.start("server", "nghttpd", "--no-tls", "-d", str(tmp_path), str(NGHTTP_PORT))
    base = f"http://{lab.address('server')}:{NGHTTP_PORT}"
    eventually(lambda: "200" in lab.run("client", "nghttp", "-ns", f"{base}/small", check=False))

    def done(found):
        return sum(row["requests"] + row["requests_unusable"] for row in found)

    before = rows_of(weir, lab, NGHTTP_PORT, done)
    load = lab.run("client", "h2load", "-n", "300", "-c", "3", "-m", "20", "-t", "1", f"{base}/page", f"{base}/small")
    succeeded = int(re.search(r"(\d+) succeeded", load).group(1))
    assert succeeded == 300
    rows = rows_of(weir, lab, NGHTTP_PORT, lambda found: done(found) >= done(before.values()) + 300)
    assert sum(row["requests_unusable"] for row in rows.values()) == 0
    assert done(rows.values()) == done(before.values()) + 300
    assert rows["GET", "/page", "200"]["requests"] == 150
    assert rows["GET", "/small", "200"]["requests"] == 150 + before["GET", "/small", "200"]["requests"]


SPEAKS_OTHERWISE = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + b"and then something else entirely")
s.close()
"""


def test_what_is_not_followed_is_counted_with_its_reason(weir, lab):
    lab.serve("server", FOREIGN_PORT)
    lab.run("client", sys.executable, "-c", SPEAKS_OTHERWISE, lab.address("server"), str(FOREIGN_PORT))
    rows = rows_of(weir, lab, FOREIGN_PORT, lambda found: found)
    assert list(rows) == [("", "", "not_frames")]
    assert rows["", "", "not_frames"]["requests_unusable"] == 1
    assert rows["", "", "not_frames"]["requests"] == 0
