"""Weir's numbers against independent witnesses on the same traffic: the programs' own byte counts, ss, nstat and nft."""

import re
import time

import pytest

from lab import eventually
from weir import total

HEADER = 20  # bytes of a traffic.py request header


def between(lab, client="client", server="server", port=None, v6=False):
    expression = f"client_address = {lab.address(client, v6)} and server_address = {lab.address(server, v6)}"
    return expression + (f" and server_port = {port}" if port else "")


def settled(weir, expression, check, timeout=30):
    """Rows once check(rows) holds; the flow must be complete, not merely visible."""

    def attempt():
        rows = weir.flows(expression)
        assert rows, f"no rows for {expression}"
        check(rows)
        return rows

    return eventually(attempt, timeout)


def shown(rows):
    return [{name: value for name, value in row.items() if value not in (0, "", None)} for row in rows]


def closed(count):
    def check(rows):
        assert total(rows, "connections_closed") == count, shown(rows)

    return check


def failed(count):
    def check(rows):
        assert total(rows, "connections_failed") == count, rows

    return check


def ss(lab, host, expression):
    """Parsed `ss -tin` lines of established sockets: a dict of the counters it prints."""
    text = lab.run(host, "ss", "-tinH", "state", "established", *expression.split())
    sockets = []
    for line in text.splitlines():
        fields = dict(re.findall(r"(\w+):([\d.]+(?:/[\d.]+)?)", line))
        if "rtt" in fields:
            sockets.append(fields)
    return sockets


def nstat(lab, host, name):
    match = re.search(rf"^{name}\s+(\d+)", lab.run(host, "nstat", "-asz", name), re.MULTILINE)
    return int(match.group(1)) if match else 0


def test_three_requests_are_three_connections_on_each_side(lab, weir):
    lab.serve("server", 7001)
    lab.client("client", "get", lab.address("server"), "7001", "--count", "3", "--up", "1000", "--down", "5000")
    rows = settled(weir, between(lab, port=7001), closed(3))
    assert len(rows) == 1, "both ends' reports are one row"
    row = rows[0]
    assert row["connections_opened"] == 3
    assert row["connections_failed"] == 0
    assert row["reported_by"] == "both"
    assert row["bytes_to_server"] == 3 * (HEADER + 1000)
    assert row["bytes_to_client"] == 3 * 5000
    assert row["client_process"].startswith("python3") and row["server_process"].startswith("python3")
    assert row["client_netns"] == lab.netns_inode("client") and row["server_netns"] == lab.netns_inode("server")
    assert row["client_netns_name"] == lab.namespace("client") and row["server_netns_name"] == lab.namespace("server")


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_bytes_are_exact_for_closed_connections(lab, weir, v6):
    port = 7011 if v6 else 7010
    lab.serve("server", port, "--bind", lab.address("server", v6))
    said = lab.client("client", "get", lab.address("server", v6), str(port), "--count", "4", "--up", "3000017", "--down", "7000001")
    sent, received = map(int, re.findall(r"=(\d+)", said))
    rows = settled(weir, between(lab, port=port, v6=v6), closed(4))
    assert total(rows, "bytes_to_server") == sent
    assert total(rows, "bytes_to_client") == received


def test_v4_mapped_server_is_the_same_endpoint(lab, weir):
    lab.serve("server", 7020, "--bind", "::")  # accepts IPv4 on a v6 socket
    lab.client("client", "get", lab.address("server"), "7020", "--count", "2", "--up", "10", "--down", "10")
    rows = settled(weir, between(lab, port=7020), closed(2))
    assert len(rows) == 1 and rows[0]["reported_by"] == "both"
    assert rows[0]["server_address"] == lab.address("server")


def test_burst_of_two_thousand_short_connections_misses_none(lab, weir):
    lab.serve("server", 7030)
    lab.client("client", "get", lab.address("server"), "7030", "--count", "2000", "--parallel", "8", "--up", "7", "--down", "11")
    rows = settled(weir, between(lab, port=7030), closed(2000), timeout=30)
    assert total(rows, "connections_opened") == 2000
    assert total(rows, "bytes_to_server") == 2000 * (HEADER + 7)
    assert total(rows, "bytes_to_client") == 2000 * 11


def test_open_connection_matches_ss_within_a_tenth_of_a_percent(lab, weir):
    lab.serve("server", 7040)
    child = lab.traffic("client", "get", lab.address("server"), "7040", "--keep-alive", "--count", "3", "--up", "2000000",
                        "--down", "1000000", "--hold", "8")
    assert child.stdout.readline().strip() == "holding"
    time.sleep(2.2)  # two intervals: everything sent has been collected
    (socket,) = ss(lab, "client", "dport = :7040")
    rows = settled(weir, between(lab, port=7040), lambda r: None)
    sent = int(socket["bytes_sent"]) - int(socket.get("bytes_retrans", 0))
    assert total(rows, "bytes_to_server") == pytest.approx(sent, rel=0.001)
    assert total(rows, "bytes_to_client") == pytest.approx(int(socket["bytes_received"]), rel=0.001)
    assert total(rows, "segments_to_server") == pytest.approx(int(socket["segs_out"]), rel=0.01, abs=3)
    assert total(rows, "connections_opened") == 1 and total(rows, "connections_closed") == 0
    assert rows[0]["connections_open"] == 1
    child.kill()


def test_round_trip_time_matches_ss(lab, weir):
    lab.serve("server", 7050)
    child = lab.traffic("client", "get", lab.address("server"), "7050", "--keep-alive", "--count", "400", "--up", "10",
                        "--down", "10", "--delay", "2000", "--hold", "8")
    assert child.stdout.readline().strip() == "holding"
    (socket,) = ss(lab, "client", "dport = :7050")
    smoothed_us = float(socket["rtt"].split("/")[0]) * 1000
    minimum_us = float(socket["minrtt"]) * 1000
    time.sleep(1.5)
    last = settled(weir, between(lab, port=7050), lambda r: None)
    assert total(last, "client_rtt_count") > 0
    allowed = max(0.10 * smoothed_us, 50)
    recent = weir.flows(between(lab, port=7050), since="4s")
    assert recent[0]["rtt_avg_us"] == pytest.approx(smoothed_us, abs=allowed)
    assert last[0]["client_rtt_min_us"] == pytest.approx(minimum_us, abs=max(0.10 * minimum_us, 50))
    child.kill()


def test_retransmissions_under_one_percent_loss_equal_the_kernels(lab, weir):
    lab.serve("server", 7060)
    lab.nft("router", """table inet loss {
  chain forward {
    type filter hook forward priority 0;
    tcp dport 7060 numgen random mod 100 < 1 counter drop
  }
}
""")
    before = nstat(lab, "client", "TcpRetransSegs")
    try:
        child = lab.traffic("client", "get", lab.address("server"), "7060", "--keep-alive", "--up", "30000000", "--down", "10", "--hold", "2")
        assert child.stdout.readline().strip() == "holding"
    finally:
        lab.run("router", "nft", "delete", "table", "inet", "loss")
    (socket,) = ss(lab, "client", "dport = :7060")
    child.communicate(timeout=30)
    retransmitted = nstat(lab, "client", "TcpRetransSegs") - before
    assert retransmitted > 0, "the loss did not happen, the test proves nothing"
    rows = settled(weir, between(lab, port=7060), closed(1))
    assert total(rows, "retransmits_to_server") + total(rows, "retransmits_syn") == retransmitted
    assert total(rows, "bytes_to_server") == HEADER + 30_000_000, "each byte once, however often it was sent"
    assert total(rows, "retransmitted_bytes_to_server") == int(socket["bytes_retrans"])
    assert total(rows, "retransmitted_bytes_to_client") == 0


def test_connection_older_than_the_agent_counts_from_now_on(lab):
    from weir import Weir

    lab.serve("server", 7070)
    child = lab.traffic("client", "get", lab.address("server"), "7070", "--keep-alive", "--count", "60", "--up", "10000",
                        "--down", "20000", "--delay", "100000", "--hold", "6")
    time.sleep(2)
    with Weir() as fresh:
        assert child.stdout.readline().strip() == "holding"
        time.sleep(2.2)
        (socket,) = ss(lab, "client", "dport = :7070")
        rows = settled(fresh, between(lab, port=7070), lambda r: None)
        seen = total(rows, "bytes_to_server")
        everything = int(socket["bytes_sent"])
        assert 0 < seen < everything, "neither nothing nor what was sent before the agent started"
        assert rows[0]["reported_by"] == "both"
        assert rows[0]["connections_open"] == 1 and total(rows, "connections_opened") == 0
        assert rows[0]["client_process"].startswith("python3")
        assert rows[0]["server_process"].startswith("python3")
    child.kill()


def test_refused_connection(lab, weir):
    for _ in range(3):
        assert lab.client("client", "connect", lab.address("server"), "7080").strip() == "ECONNREFUSED"
    rows = settled(weir, between(lab, port=7080), failed(3))
    assert total(rows, "failed_refused") == 3
    assert total(rows, "connections_opened") == 0


def test_timed_out_connection(lab, weir):
    lab.run("client", "sysctl", "-qw", "net.ipv4.tcp_syn_retries=1", "net.ipv4.tcp_syn_linear_timeouts=1")
    lab.nft("router", "table inet hole {\n counter tried { }\n chain forward {\n  type filter hook forward priority 0;\n"
            "  tcp dport 7090 counter name tried drop\n }\n}\n")
    try:
        outcome, seconds = lab.client("client", "connect", lab.address("server"), "7090", "--time").split()
        tried = int(re.search(r"packets (\d+)", lab.run("router", "nft", "list", "counters")).group(1))
    finally:
        lab.run("router", "nft", "delete", "table", "inet", "hole")
    assert outcome == "ETIMEDOUT"
    rows = settled(weir, between(lab, port=7090), failed(1))
    assert total(rows, "failed_timed_out") == 1
    assert total(rows, "retransmits_syn") == tried - 1 >= 1, "the first is no retry"
    assert rows[0]["failed_after_max_us"] / 1e6 == pytest.approx(float(seconds), abs=0.05)


def test_abandoned_and_unreachable_connections(lab, weir):
    lab.nft("router", "table inet hole {\n chain forward {\n  type filter hook forward priority 0;\n  tcp dport 7091 drop\n"
            "  tcp dport 7092 reject with icmpx type host-unreachable\n }\n}\n")
    try:
        lab.client("client", "connect", lab.address("server"), "7091", "--timeout", "0.3")
        lab.run("client", "sysctl", "-qw", "net.ipv4.tcp_syn_retries=1")
        assert lab.client("client", "connect", lab.address("server"), "7092").strip() in ("EHOSTUNREACH", "ETIMEDOUT")
    finally:
        lab.run("router", "nft", "delete", "table", "inet", "hole")
    rows = settled(weir, between(lab, port=7091), failed(1))
    assert total(rows, "failed_abandoned") == 1
    rows = settled(weir, between(lab, port=7092), failed(1))
    assert total(rows, "failed_unreachable") == 1


def test_loopback_stays_apart_per_namespace(lab, weir):
    lab.serve("client", 7100, "--bind", "127.0.0.1")
    lab.serve("server", 7100, "--bind", "127.0.0.1")
    lab.client("client", "get", "127.0.0.1", "7100", "--count", "2", "--up", "5", "--down", "5")
    lab.client("server", "get", "127.0.0.1", "7100", "--count", "5", "--up", "5", "--down", "5")
    rows = settled(weir, "server_port = 7100", closed(7))
    by_namespace = {row["client_netns"]: row["connections_opened"] for row in rows}
    assert by_namespace == {lab.netns_inode("client"): 2, lab.netns_inode("server"): 5}
    assert {row["locality"] for row in rows} == {"loopback"}
