"""Requests inside TLS by the lengths, times and directions of records alone, against the client's own clock: Python's ssl at
both ends, TLS 1.2 and 1.3, kept-alive HTTP/1.1. Nothing is decrypted, so rows have times and no names."""

import json
import os
import statistics
import subprocess
import sys

import pytest
from lab import Lab, eventually, have_root
from weir import Weir

pytestmark = pytest.mark.skipif(not have_root(), reason="SKIPPED: eBPF and namespaces need root: sudo ./dev test e2e")
HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 20
CONNECTIONS = 10
VERSIONS = {"TLSv1_2": 8452, "TLSv1_3": 8453}
STREAM_PORTS = {"TLSv1_2": 8456, "TLSv1_3": 8457}
SHORT_PORT, H2_PORT = 8454, 8455
CLOSE_US = 2_000  # how near the client's clock the first chunk is to be


@pytest.fixture(scope="module")
def weir():
    with Weir("--requests", "on") as running:
        running.need_probe("requests")
        yield running


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    pem = tmp_path_factory.mktemp("tls") / "server.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=a.example", "-keyout", pem,
                    "-out", f"{pem}.cert"], check=True, capture_output=True)
    with open(pem, "a", encoding="ascii") as file, open(f"{pem}.cert", encoding="ascii") as certificate:
        file.write(certificate.read())
    with Lab(["client", "server"], prefix=88) as running:
        for port in (*VERSIONS.values(), *STREAM_PORTS.values(), SHORT_PORT, H2_PORT):
            server = running.start("server", sys.executable, os.path.join(HERE, "http_server.py"), "0.0.0.0", str(port), str(pem))
            assert server.stdout.readline().strip() == "ready"
        yield running


def ask(lab, port, version, rounds, chunks):
    return json.loads(lab.run("client", sys.executable, os.path.join(HERE, "tls_client.py"), lab.address("server"), str(port), version, str(rounds), str(chunks)))


def row_of(weir, lab, port, exchanges):
    """The one kind of row there is of `port`, once it has counted so many. Of this lab alone."""
    here = f'server_port = {port} and server_netns = {lab.netns_inode("server")}'

    def rows():
        found = [row for row in weir.flows(here, group_by="application,operation,resource,result") if row["requests"] + row["requests_unusable"]]
        return found if sum(row["requests"] + row["requests_unusable"] for row in found) >= exchanges else None

    (row,) = eventually(rows, timeout=30)
    assert row["application"] == "tls-timing", "nobody takes it for a parse"
    assert (row["operation"], row["resource"]) == ("", ""), "what is encrypted is not known"
    assert row["requests"] + row["requests_unusable"] == exchanges
    return row


def mean_us(streams, begin, end):
    return statistics.mean(stream[end] - stream[begin] for stream in streams) * 1e6


BEFORE, AFTER, FIRST_CHUNK, FIRST_BYTE, END = range(5)


def assert_first_chunk_is_the_clients(row, streams):
    """The request reached the server while the client was sending it."""
    assert row["first_chunk_count"] == len(streams)
    assert mean_us(streams, AFTER, FIRST_CHUNK) - CLOSE_US <= row["first_chunk_avg_us"] <= mean_us(streams, BEFORE, FIRST_CHUNK) + CLOSE_US
    assert row["first_chunk_avg_us"] >= 30_000, "what comes at once is a ticket or a header"


@pytest.mark.parametrize("version", VERSIONS)
def test_first_chunk_is_that_of_the_clients_clock(weir, lab, version):
    streams = ask(lab, VERSIONS[version], version, ROUNDS, 1)
    row = row_of(weir, lab, VERSIONS[version], ROUNDS)
    assert row["result"] == "" and row["requests"] == ROUNDS and row["requests_failed"] == row["requests_unanswered"] == 0
    assert_first_chunk_is_the_clients(row, streams)
    assert row["chunk_gap_count"] == 0, "the last chunk is an end, no chunk"


@pytest.mark.parametrize("version", VERSIONS)
def test_gaps_and_ends_lie_within_the_clients(weir, lab, version):
    streams = ask(lab, STREAM_PORTS[version], version, ROUNDS, 4)
    row = row_of(weir, lab, STREAM_PORTS[version], ROUNDS)
    assert row["requests"] == row["requests_streamed"] == row["request_latency_count"] == row["request_duration_count"] == ROUNDS
    assert row["request_latency_avg_us"] <= mean_us(streams, BEFORE, FIRST_BYTE)
    assert row["request_duration_avg_us"] <= mean_us(streams, BEFORE, END)
    # Around what the server waits between its writes.
    assert row["first_chunk_avg_us"] - row["request_latency_avg_us"] >= 30_000 - 2, "the header is not the first chunk"
    assert row["chunk_gap_count"] == 3 * ROUNDS
    assert row["chunk_gap_avg_us"] >= 10_000 - 2


def test_session_tickets_answer_no_request(weir, lab):
    """Connections of one request each: it is there before the server's tickets are written, or just after."""
    streams = [ask(lab, SHORT_PORT, "TLSv1_3", 1, 1)[0] for _ in range(CONNECTIONS)]
    row = row_of(weir, lab, SHORT_PORT, CONNECTIONS)
    assert row["requests"] == CONNECTIONS and row["requests_unanswered"] == 0
    assert_first_chunk_is_the_clients(row, streams)


def test_clients_that_offer_http2_are_counted_and_not_timed(weir, lab):
    for _ in range(2):
        lab.run("client", "curl", "-sk", "--http2", f"https://{lab.address('server')}:{H2_PORT}/slow")
    row = row_of(weir, lab, H2_PORT, 2)
    assert row["result"] == "h2_offered"
    assert (row["requests"], row["requests_unusable"], row["request_latency_count"]) == (0, 2, 0)
