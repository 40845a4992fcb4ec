"""Request turns and TLS server names, from the wire to the command line. What is shown is held against the client's own
clock and against what was asked for."""

import json
import os
import statistics
import subprocess
import sys

import pytest
from capture import Capture
from lab import Lab, eventually, have_root
from weir import Weir

pytestmark = pytest.mark.skipif(not have_root(), reason="SKIPPED: eBPF and namespaces need root: sudo ./dev test e2e")
HERE = os.path.dirname(os.path.abspath(__file__))
STREAMS = 150

CLIENT = f"""
import http.client, json, socket, sys, time
c = http.client.HTTPConnection(sys.argv[1], 8080)
c.connect()
c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
c.request("GET", "/warm"); c.getresponse().read()
times = []
for number in range({STREAMS}):
    start = time.monotonic()
    c.request("GET", f"/stream/4?number={{number}}")
    answer = c.getresponse()
    header = time.monotonic()
    answer.read(14)
    first = time.monotonic()
    answer.read()
    times.append([header - start, first - start, time.monotonic() - start])
for path in ("/orders/1", "/orders/2", "/slow", "/status/404", "/status/500"):
    c.request("GET", path); c.getresponse().read()
c.request("POST", "/upload", body=b"x" * 1000000); c.getresponse().read()
s = socket.create_connection((sys.argv[1], 8080))
s.sendall(b"GET /a HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nGET /b HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
s.recv(1000)
print(json.dumps(times))
"""


@pytest.fixture(scope="module")
def seen():
    """The client's own times, and what Weir says once the last exchange has arrived."""
    with Lab(["client", "server"], prefix=81) as lab, Weir("--requests", "on") as weir:
        weir.need_probe("requests")
        server = lab.start("server", sys.executable, os.path.join(HERE, "http_server.py"), "0.0.0.0", "8080")
        assert server.stdout.readline().strip() == "ready"
        times = json.loads(lab.run("client", sys.executable, "-c", CLIENT, lab.address("server")))

        def rows():
            answer = weir.cli("flows", "--filter", 'application = "http1" and server_port = 8080', "--group-by",
                              "operation,resource,result", "--since", "10m", "-o", "json")
            found = json.loads(answer.stdout)
            return found if any(row["resource"] == "/upload" for row in found) and any(
                row["requests_unusable"] for row in found) else None

        yield times, {(row["operation"], row["resource"], row["result"]): row for row in eventually(rows)}, weir, lab


def test_every_request_is_counted_by_its_kind(seen):
    _, rows, _, _ = seen
    assert rows["GET", "/stream/{id}", "200"]["requests"] == STREAMS
    assert rows["GET", "/orders/{id}", "200"]["requests"] == 2
    assert rows["GET", "/status/{id}", "404"]["requests_failed"] == 0
    assert rows["GET", "/status/{id}", "500"]["requests_failed"] == 1
    assert rows["POST", "/upload", "200"]["requests"] == 1
    assert sum(row["requests_unusable"] for row in rows.values()) == 1, "the pipelined pair, once"
    assert not any(resource in ("/a", "/b") for _, resource, _ in rows)


def test_times_are_those_of_the_clients_clock(seen):
    times, rows, _, _ = seen
    stream = rows["GET", "/stream/{id}", "200"]

    def mean(column):
        return statistics.mean(row[column] for row in times) * 1e6

    assert stream["first_chunk_count"] == stream["request_duration_count"] == STREAMS
    # A client reads its clock once it has the processor again, which takes longer on a busy machine.
    assert stream["first_chunk_avg_us"] == pytest.approx(mean(1), abs=1500, rel=0.08)
    assert stream["request_duration_avg_us"] == pytest.approx(mean(2), abs=1500, rel=0.08)
    assert stream["request_latency_avg_us"] < stream["first_chunk_avg_us"] - 25_000, "the header is not the first chunk"
    assert stream["chunk_gap_count"] == 3 * STREAMS
    assert 10_000 <= stream["chunk_gap_avg_us"] < 15_000
    slow = rows["GET", "/slow", "200"]
    assert slow["request_latency_avg_us"] >= 20_000
    assert slow["chunk_gap_count"] == 0
    assert rows["POST", "/upload", "200"]["request_latency_avg_us"] >= 25_000


def losses(weir):
    """What the agent says it lost of requests and names, for who reads a failure."""
    (agent,) = weir.get("/api/v1/status")["agents"]
    return {name: value for name, value in agent["counters"].items() if "request" in name or "server_names" in name}


def shown(rows):
    return [{name: value for name, value in row.items() if value not in (0, "", None)} for row in rows]


def serve_tls(lab, folder, port):
    pem = folder / "server.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=shop.example", "-keyout", pem,
                    "-out", folder / "cert.pem"], check=True, capture_output=True)
    with open(pem, "a", encoding="ascii") as file:
        file.write((folder / "cert.pem").read_text())
    server = lab.start("server", sys.executable, os.path.join(HERE, "http_server.py"), "0.0.0.0", str(port), str(pem))
    assert server.stdout.readline().strip() == "ready"


def test_a_tls_client_shows_what_it_asked_for_and_offers_http2_untimed(seen, tmp_path):
    _, _, weir, lab = seen
    serve_tls(lab, tmp_path, 8443)
    for name in ("shop.example", "Other.Example"):
        lab.run("client", "curl", "-sk", "--resolve", f"{name}:8443:{lab.address('server')}", f"https://{name}:8443/slow")

    def rows():
        found = weir.flows("server_port = 8443", group_by="server_name,application")
        assert {row["server_name"] for row in found} >= {"shop.example", "other.example"}, (found, losses(weir))
        # Once both ends have told: what the server's end says alone has no name, and a connection that has said nothing yet
        # when an interval ends has none either.
        assert {row["application"] for row in found if row["connections_opened"] and row["bytes"]} == {"tls"}, shown(found)
        assert {row["application"] for row in found if row["server_name"]} <= {"tls", "tls-timing"}
        assert sum(row["connections_opened"] for row in found) == 2
        assert sum(row["requests"] for row in found) == 0
        return True

    eventually(rows)


OFFERS = """
import socket, ssl, sys
for name, protocols in (("both.example", ["h2", "http/1.1"]), ("one.example", ["http/1.1"]), ("odd.example", ["a,b", "\\x1b[31m"]), ("none.example", [])):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    with context.wrap_socket(socket.create_connection((sys.argv[1], 8444)), server_hostname=name) as s:
        s.sendall(b"GET /slow HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        while s.recv(65536):
            pass
"""


def test_a_tls_client_shows_the_protocols_it_offered(seen, tmp_path):
    _, _, weir, lab = seen
    serve_tls(lab, tmp_path, 8444)
    with Capture(lab, "client", "tcp port 8444", tmp_path / "tls.pcapng") as capture:
        lab.run("client", sys.executable, "-c", OFFERS, lab.address("server"))

    def rows():
        found = weir.flows("server_port = 8444", group_by="server_name,alpn,application")
        assert {row["server_name"] for row in found} >= {"both.example", "one.example", "odd.example", "none.example"}, (found, losses(weir))
        return found

    found = eventually(rows)
    assert {row["server_name"]: row["alpn"] for row in found if row["server_name"]} == {
        "both.example": "h2,http/1.1", "one.example": "http/1.1", "odd.example": "a\\044b,\\027[31m", "none.example": ""}
    assert {row["application"] for row in found if row["server_name"] and row["connections_opened"]} == {"tls"}
    # The dissector's list of what each ClientHello offered.
    said = capture.fields("tcp.port==8444,tls", "tls.handshake.type == 1", "tls.handshake.extensions_server_name",
                          "tls.handshake.extensions_alpn_str")
    offered = {name: protocols for (name,), protocols in said}
    assert offered["both.example"] == ["h2", "http/1.1"]
    assert offered["one.example"] == ["http/1.1"]
    assert offered["none.example"] == []
    shown = weir.cli("flows", "--filter", 'alpn = "h2,http/1.1"', "--columns", "server_name,alpn", "--since", "10m").stdout
    assert "both.example" in shown and "h2,http/1.1" in shown
    assert "one.example" not in shown
