"""Loss on the way in and why a sender waits. Who downloads sees no retransmission of its own: the other end sends again.
Weir says at least how much was lost, and the router's own drop counter is the witness."""

import json
import re
import time

import pytest

from lab import Lab, eventually
from test_truth import between, closed, nstat, settled, ss
from weir import Weir, total


@pytest.fixture(scope="module")
def lab():
    with Lab(["client", "server"], prefix=83, offloads=False) as network:
        yield network


@pytest.fixture(scope="module")
def weir():
    with Weir("--receive-loss", "always") as running:
        yield running


def download(lab, port, size, congestion="cubic"):
    lab.serve("server", port, "--congestion", congestion, one_cpu=True)
    lab.client("client", "get", lab.address("server"), str(port), "--down", str(size), timeout=120, one_cpu=True)


def shaped(lab, *qdisc):
    """Toward the client, as a node's allowance is; returns the qdisc's own count of drops."""
    lab.run("router", "tc", "qdisc", "replace", "dev", "r1", "root", *qdisc)


def qdisc_drops(lab):
    (qdisc,) = [q for q in json.loads(lab.run("router", "tc", "-s", "-j", "qdisc", "show", "dev", "r1")) if q.get("root")]
    return qdisc["drops"]


@pytest.fixture
def no_limit_afterwards(lab):
    yield
    lab.run("router", "tc", "qdisc", "del", "dev", "r1", "root", check=False)


def test_a_shallow_limit_shows_as_late_arrivals_although_nothing_here_retransmits(lab, weir, no_limit_afterwards):
    shaped(lab, "tbf", "rate", "40mbit", "burst", "16k", "limit", "30000")
    own = nstat(lab, "client", "TcpRetransSegs")
    download(lab, 8301, 8_000_000)
    dropped = qdisc_drops(lab)
    assert dropped >= 20, "the limit cost nothing, the test proves nothing"
    rows = settled(weir, between(lab, port=8301), closed(1))
    late = total(rows, "late_segments_to_client")
    assert nstat(lab, "client", "TcpRetransSegs") == own, "the downloading end sent nothing again"
    assert 0.9 * dropped <= late <= dropped, f"{late} late of {dropped} dropped"
    assert total(rows, "reordered_to_client") <= 0.05 * late, "what was dropped was not overtaken"
    assert total(rows, "late_segments") == late and total(rows, "late_segments_to_server") == 0
    assert total(rows, "late_bytes_to_client") <= late * 1448
    assert 0 < total(rows, "gaps_to_client") <= late
    assert total(rows, "retransmits_to_client") >= late, "the other end knows of at least as many"


def test_a_deep_queue_delays_and_loses_nothing(lab, weir, no_limit_afterwards):
    shaped(lab, "tbf", "rate", "40mbit", "burst", "16k", "limit", "10000000")
    download(lab, 8302, 8_000_000)
    assert qdisc_drops(lab) == 0
    rows = settled(weir, between(lab, port=8302), closed(1))
    assert total(rows, "late_segments") == 0
    assert total(rows, "gaps_to_client") == 0 and total(rows, "out_of_order_to_client") == 0
    assert max(row["server_rtt_max_us"] or 0 for row in rows) > 5_000, "the queue shows as delay instead"


def test_random_loss_shows_as_late_arrivals(lab, weir):
    lab.nft("router", """table inet loss {
  counter lost { }
  chain forward {
    type filter hook forward priority 0;
    tcp sport 8303 meta length > 1000 numgen random mod 100 < 1 counter name lost drop
  }
}
""")
    try:
        download(lab, 8303, 12_000_000)
        dropped = int(re.search(r"packets (\d+)", lab.run("router", "nft", "list", "counters")).group(1))
    finally:
        lab.run("router", "nft", "delete", "table", "inet", "loss")
    assert dropped > 30
    rows = settled(weir, between(lab, port=8303), closed(1))
    late = total(rows, "late_segments_to_client")
    assert 0.9 * dropped <= late <= dropped, f"{late} late of {dropped} dropped"
    assert total(rows, "reordered_to_client") <= 0.05 * late, "what was dropped was not overtaken"


def test_by_default_only_control_groups_with_evidence_are_watched(lab, no_limit_afterwards):
    def groups(running):
        agents = running.get("/api/v1/status")["agents"]
        counters = agents[0]["counters"]
        return counters["weir_agent_arrival_watch_groups"]

    with Weir() as quiet:
        download(lab, 8304, 2_000_000)
        settled(quiet, between(lab, port=8304), closed(1))
        # The agent sees the whole machine, where another socket may get something out of order on its way between CPUs.
        evidence = sum(total(quiet.flows(), f"out_of_order_to_{end}") for end in ("client", "server"))
        assert groups(quiet) == 0 or evidence > 0, "nobody is watched without evidence"
        shaped(lab, "tbf", "rate", "40mbit", "burst", "16k", "limit", "30000")
        download(lab, 8305, 20_000_000)
        rows = settled(quiet, between(lab, port=8305), closed(1))
        eventually(lambda: groups(quiet) >= 1)
        assert 0 < total(rows, "late_segments_to_client") <= qdisc_drops(lab), "counted from the first second with evidence on"


def test_a_slow_reader_limits_by_its_window_and_not_by_the_network(lab, weir):
    lab.serve("server", 8306, "--drip", "10", "--receive-buffer", "16384")
    child = lab.traffic("client", "get", lab.address("server"), "8306", "--keep-alive", "--up", "1500000", "--down", "1", "--hold", "4")
    assert child.stdout.readline().strip() == "holding"
    (socket,) = ss(lab, "client", "dport = :8306")  # the kernel's own account, to the millisecond
    child.communicate(timeout=20)
    rows = settled(weir, between(lab, port=8306), closed(1))
    busy, waiting = total(rows, "busy_us_to_server"), total(rows, "window_limited_us_to_server")
    assert busy / 1000 == pytest.approx(float(socket["busy"]), abs=10)
    assert waiting / 1000 == pytest.approx(float(socket["rwnd_limited"]), abs=10)
    assert waiting / busy > 0.7, "most of the time is the reader's fault"
    assert total(rows, "late_segments") == 0
    assert max(row["unread_max_to_server"] for row in rows) > 4_096, "data waits unread at the slow end"


def test_kinds_of_retransmissions_add_up(lab, weir):
    """All of a path's packets dropped for a while: what is sent again then is sent by timeout or as a probe."""
    lab.serve("server", 8307)
    child = lab.traffic("client", "get", lab.address("server"), "8307", "--keep-alive", "--count", "40", "--up", "50000", "--down",
                        "10", "--delay", "50000")
    time.sleep(1)
    lab.nft("router", "table inet hole {\n chain forward {\n  type filter hook forward priority 0;\n  tcp dport 8307 drop\n }\n}\n")
    time.sleep(1.2)
    lab.run("router", "nft", "delete", "table", "inet", "hole")
    child.communicate(timeout=60)
    rows = settled(weir, between(lab, port=8307), closed(1))
    again, timeout, probe = (total(rows, f"{name}_to_server") for name in ("retransmits", "retransmits_rto", "retransmits_probe"))
    assert again > 0 and timeout > 0
    assert timeout + probe <= again
    assert total(rows, "timeouts_to_server") > 0


@pytest.mark.parametrize("who", ["client", "server"])
def test_who_reset_a_connection_is_told(lab, weir, who):
    port = 8310 if who == "client" else 8311
    lab.serve("server", port, *(["--abort"] if who == "server" else []))
    lab.client("client", "get", lab.address("server"), str(port), "--up", "10", "--down", "10", "--abort" if who == "client" else "--await-end")
    rows = settled(weir, between(lab, port=port), closed(1))
    other = "server" if who == "client" else "client"
    assert total(rows, f"closed_reset_by_{who}") == 1
    assert total(rows, f"closed_reset_by_{other}") == 0
    assert total(rows, "closed_reset") == 1


def test_a_full_accept_queue_stands_with_the_listeners_connections(lab, weir):
    before = nstat(lab, "server", "TcpExtListenOverflows")
    lab.serve("server", 8312, "--backlog", "1", "--silent")
    attempts = [lab.traffic("client", "connect", lab.address("server"), "8312", "--timeout", "3") for _ in range(6)]
    for attempt in attempts:
        attempt.communicate(timeout=20)
    overflows = nstat(lab, "server", "TcpExtListenOverflows") - before
    assert overflows > 0

    def check(rows):
        assert total(rows, "accept_overflows") == overflows, rows

    rows = settled(weir, "server_port = 8312 and accept_overflows > 0", check)
    assert max(row["accept_queue_max"] for row in rows) == 2
    assert {row["client_address"] for row in rows} == {lab.address("client")}
    assert not weir.get("/api/v1/flows", filter="client_address = 0.0.0.0 or client_address = ::", since="1h")["rows"]


def test_a_listener_that_throws_away_what_came_twice_has_no_full_queue(lab, weir):
    """A lost SYN-ACK makes the client's SYN come again, which the listener throws away: as it does where its queue is full."""
    before = nstat(lab, "server", "TcpExtListenOverflows")
    lab.serve("server", 8317)
    lab.nft("router", "table inet hole {\n chain forward {\n  type filter hook forward priority 0;\n"
                      "  tcp sport 8317 tcp flags & (syn|ack) == syn|ack numgen inc mod 2 == 0 counter drop\n }\n}\n")
    try:
        lab.client("client", "get", lab.address("server"), "8317", "--keep-alive", "--parallel", "4", "--count", "4", "--down", "1000")
        assert int(re.search(r"packets (\d+)", lab.run("router", "nft", "list", "table", "inet", "hole")).group(1)) >= 4
    finally:
        lab.run("router", "nft", "delete", "table", "inet", "hole")
    assert nstat(lab, "server", "TcpExtListenOverflows") == before
    rows = settled(weir, between(lab, port=8317), closed(4))
    assert total(rows, "connections_opened") == 4 and total(rows, "accept_overflows") == 0


def test_no_local_port_left_is_its_own_cause(lab, weir):
    held = None
    lab.serve("server", 8313)
    lab.run("client", "sysctl", "-qw", "net.ipv4.ip_local_port_range=50000 50001")
    try:
        held = lab.traffic("client", "get", lab.address("server"), "8313", "--count", "2", "--parallel", "2", "--keep-alive", "--hold", "3")
        time.sleep(1)
        assert lab.client("client", "connect", lab.address("server"), "8313").strip() == "EADDRNOTAVAIL"
    finally:
        lab.run("client", "sysctl", "-qw", "net.ipv4.ip_local_port_range=32768 60999")
        if held:
            held.communicate(timeout=20)

    def check(rows):
        assert total(rows, "failed_no_port") == 1, rows

    settled(weir, "server_port = 8313", check)
