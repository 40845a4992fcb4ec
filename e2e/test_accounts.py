"""Accounts: bytes by flow, headers and what no flow accounts for, against the interfaces' own counters and nstat."""

import csv
import io
import json
import re
import time

import pytest

from lab import Lab, eventually
from weir import HttpError, Weir

RAW_PROTOCOL = 253  # for experiments, RFC 3692
RAW_PACKETS, RAW_BYTES = 400, 1000
PINGS, PING_BYTES = 150, 1000
DATAGRAMS, DATAGRAM_BYTES = 600, 1100
IP, ICMP, UDP = 20, 8, 8

RECEIVER = r"""
import socket, sys
kind, protocol, port, count = (int(word) for word in sys.argv[1:5])
receiver = socket.socket(socket.AF_INET, kind, protocol)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
receiver.bind(("0.0.0.0", port))
receiver.settimeout(20)
print("ready", flush=True)
for _ in range(count):
    receiver.recv(2048)
print("all", flush=True)
"""

SENDER = r"""
import socket, sys, time
kind, protocol, port, count, size = (int(word) for word in sys.argv[1:6])
sender = socket.socket(socket.AF_INET, kind, protocol)
sender.connect((sys.argv[6], port))
for number in range(count):
    sender.send(bytes(size))
    if number % 50 == 0:
        time.sleep(0.001)
"""

# Echo requests, each answered (by a reply or an error) before the next; there may be no ping here.
PING = r"""
import socket, struct, sys
count, size, hops = (int(word) for word in sys.argv[1:4])
asker = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
asker.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
asker.settimeout(10)
for number in range(count):
    total = 0x0801 + number
    total = (total & 0xffff) + (total >> 16)
    asker.sendto(struct.pack("!BBHHH", 8, 0, ~total & 0xffff, 1, number) + bytes(size), (sys.argv[4], 0))
    while asker.recv(4096)[20] == 8:
        pass
"""

SOCK_DGRAM, SOCK_RAW = 2, 3


@pytest.fixture(scope="module")
def network():
    with Lab(["client", "server"], prefix=73) as lab:
        lab.serve("server", 7300)
        lab.serve("client", 7301, "--bind", "127.0.0.1")
        yield lab


@pytest.fixture(scope="module")
def without_udp(network):
    with Weir("--udp", "off") as running:
        yield running


def message(lab, kind, protocol, port, count, size):
    """From client to server, and every one of them was received."""
    receiver = lab.start("server", "/usr/bin/python3", "-c", RECEIVER, *map(str, (kind, protocol, port, count)))
    assert receiver.stdout.readline().strip() == "ready"
    lab.run("client", "/usr/bin/python3", "-c", SENDER, *map(str, (kind, protocol, port, count, size)), lab.address("server"))
    assert receiver.stdout.readline().strip() == "all"


def ping(lab, count, size, hops=64):
    lab.run("client", "/usr/bin/python3", "-c", PING, str(count), str(size), str(hops), lab.address("server"))


def traffic(lab):
    server = lab.address("server")
    lab.client("client", "get", server, "7300", "--up", "20000000", "--down", "100")
    lab.client("client", "get", lab.address("server", v6=True), "7300", "--up", "100", "--down", "20000000")
    lab.client("client", "get", server, "7300", "--keep-alive", "--count", "2000", "--up", "0", "--down", "300")
    lab.client("client", "get", server, "7300", "--count", "300", "--up", "80", "--down", "300")
    lab.client("client", "get", "127.0.0.1", "7301", "--up", "5000000", "--down", "5000000")
    message(lab, SOCK_DGRAM, 0, 7302, DATAGRAMS, DATAGRAM_BYTES)
    message(lab, SOCK_RAW, RAW_PROTOCOL, 0, RAW_PACKETS, RAW_BYTES)
    ping(lab, PINGS, PING_BYTES)


def nstat(lab, host):
    text = lab.run(host, "nstat", "-asz")
    return {name: int(value) for name, value in re.findall(r"^(\w+)\s+(\d+)", text, re.MULTILINE)}


def witnesses(lab):
    """What ip and nstat say of each namespace; the router by its port to the client."""
    devices = {"client": "eth0", "server": "eth0"}
    return {host: {"link": lab.link(host, device), "nstat": nstat(lab, host)} for host, device in devices.items()}


def accounts(lab, weir, since, host):
    name = lab.namespace(host)
    return [account for account in weir.get("/api/v1/accounts", since=int(since * 1000))["accounts"] if account["namespace"] == name]


def measured(lab, weir, act, hosts=("client", "server")):
    """The accounts of what act() does, and the witnesses' difference. Readings of other namespaces are 5 s apart: one before
    and one after it, with quiet in between."""
    before = witnesses(lab)
    since = time.time()
    time.sleep(0.002)  # a range is not empty
    eventually(lambda: all(accounts(lab, weir, since, host) for host in hosts), timeout=30)
    begin = time.time()
    act(lab)
    after = witnesses(lab)
    end = time.time()

    def difference(host, *path):
        first, last = before[host], after[host]
        for key in path:
            first, last = first[key], last[key]
        return last - first

    def complete():
        found = {host: accounts(lab, weir, since, host) for host in hosts}
        for host in hosts:
            (account,) = found[host]
            assert account["since"] < stamp(begin), "the reading before came too late"
            assert account["until"] > stamp(end + 1.5), "flows of the last interval have been stored by then"
        return {host: found[host][0] for host in hosts}

    return eventually(complete, timeout=30), difference


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def attributed(numbers):
    return sum(numbers[name] for name in ("tcp_bytes", "tcp_sent_again_bytes", "udp_bytes", "header_bytes"))


def assert_balances(numbers):
    counted = numbers["interface_bytes"] + numbers["loopback_bytes"] + numbers["excess_bytes"]
    assert counted == attributed(numbers) + numbers["unattributed_bytes"] + numbers["below_ip_bytes"]


def unattributed(host, direction, udp):
    """What this test sends that is not TCP, IP headers included."""
    pings = PINGS * (IP + ICMP + PING_BYTES)
    if (host, direction) not in (("client", "out"), ("server", "in")):
        return pings
    raw = RAW_PACKETS * (IP + RAW_BYTES)
    return pings + raw + (0 if udp else DATAGRAMS * (IP + UDP + DATAGRAM_BYTES))


def assert_reconciles(host, account, difference, udp):
    for direction, link in (("in", "rx"), ("out", "tx")):
        numbers = account[direction]
        assert_balances(numbers)
        carried = difference(host, "link", link, "bytes")
        allowed = 0.01 * carried
        say = f"{host} {direction}: {carried} carried, {numbers}"
        assert numbers["interface_bytes"] == pytest.approx(carried, abs=allowed), say
        rest = unattributed(host, direction, udp)
        # The parts, with the loopback's share taken off, against ip: nothing here is a difference to ip itself.
        parts = attributed(numbers) - numbers["loopback_bytes"] + rest
        assert parts == pytest.approx(carried, abs=allowed), say
        assert numbers["unattributed_bytes"] == pytest.approx(rest, abs=allowed), say
        assert numbers["below_ip_bytes"] <= allowed and numbers["excess_bytes"] <= allowed, say


def segments_below_ip(lab):
    """As with a network card: interfaces count what is on the wire, IP what was merged or is still to be cut."""
    for host in ("client", "server"):
        lab.run(host, "ethtool", "-K", "eth0", "tso", "off", "gro", "on")


def nothing_merged(lab):
    for host in ("client", "server"):
        lab.run(host, "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off")


def as_made(lab):
    for host in ("client", "server"):
        lab.run(host, "ethtool", "-K", "eth0", "tso", "on", "gso", "on", "gro", "off")


@pytest.mark.parametrize("offloads", [as_made, segments_below_ip, nothing_merged])
def test_flows_headers_and_the_unattributed_are_what_interfaces_carried(network, without_udp, offloads):
    offloads(network)
    found, difference = measured(network, without_udp, traffic)
    for host in ("client", "server"):
        assert_reconciles(host, found[host], difference, udp=False)
    assert found["client"]["in"]["udp_bytes"] == found["client"]["out"]["udp_bytes"] == 0
    arrived, sent = found["server"]["in"], found["client"]["out"]
    assert arrived["other_packets"] == RAW_PACKETS, "those of a protocol that is neither TCP, UDP nor ICMP"
    assert arrived["udp_packets"] == sent["udp_packets"] == DATAGRAMS
    assert found["client"]["in"]["forwarded_packets"] == 0
    assert found["client"]["out"]["loopback_bytes"] > 10_000_000


def test_with_udp_on_datagrams_are_flows(network):
    as_made(network)
    with Weir("--udp", "on") as weir:
        found, difference = measured(network, weir, traffic)
    for host in ("client", "server"):
        assert_reconciles(host, found[host], difference, udp=True)
    assert found["client"]["out"]["udp_bytes"] == DATAGRAMS * DATAGRAM_BYTES
    assert found["server"]["in"]["udp_bytes"] == DATAGRAMS * DATAGRAM_BYTES


def test_a_connection_without_timestamps_has_shorter_headers(network, without_udp):
    as_made(network)
    network.run("client", "sysctl", "-qw", "net.ipv4.tcp_timestamps=0")
    network.run("server", "sysctl", "-qw", "net.ipv4.tcp_timestamps=0")

    def requests(lab):
        lab.client("client", "get", lab.address("server"), "7300", "--keep-alive", "--count", "5000", "--up", "0", "--down", "10")

    try:
        # The level is told when it changes: with the reading before.
        found, difference = measured(network, without_udp, requests)
    finally:
        for host in ("client", "server"):
            network.run(host, "sysctl", "-qw", "net.ipv4.tcp_timestamps=1")
    for host in ("client", "server"):
        for direction, link in (("in", "rx"), ("out", "tx")):
            numbers = found[host][direction]
            assert_balances(numbers)
            carried = difference(host, "link", link, "bytes")
            assert attributed(numbers) == pytest.approx(carried, rel=0.01), (host, direction, numbers)


def test_messages_of_icmp_are_those_of_nstat(network, without_udp):
    def errors(lab):
        ping(lab, 30, 56)
        ping(lab, 3, 56, hops=1)  # ends in the router
        lab.run("client", "/usr/bin/python3", "-c", SENDER, *map(str, (SOCK_RAW, 255 - 1, 0, 2, 10)), lab.address("server"))

    found, difference = measured(network, without_udp, errors)
    since = found["client"]["since"]

    def signals():
        (node,) = without_udp.nodes(since=since)
        name = network.namespace("client")
        return {other["signal"]: other["value"] for other in node["others"] if other["subject"] == name}

    said = signals()
    for signal, counter in (("icmp.messages_in", "IcmpInMsgs"), ("icmp.messages_out", "IcmpOutMsgs"),
                            ("icmp.time_exceeded_in", "IcmpInTimeExcds"), ("icmp.unreachable_in", "IcmpInDestUnreachs")):
        assert difference("client", "nstat", counter) > 0, "the traffic was to make some"
        assert said[signal] == difference("client", "nstat", counter), signal
    # Neighbours may be looked for at any time.
    v4 = difference("client", "nstat", "IcmpInMsgs")
    assert v4 <= found["client"]["in"]["icmp_packets"] <= v4 + difference("client", "nstat", "Icmp6InMsgs")


def test_a_router_forwards_bytes_that_are_nobodys_there(network, without_udp):
    as_made(network)
    before = {port: network.link("router", port) for port in ("r1", "r2")}
    forwarded = nstat(network, "router")

    def bulk(lab):
        lab.client("client", "get", lab.address("server"), "7300", "--up", "10000000", "--down", "5000000")

    found, _ = measured(network, without_udp, bulk, hosts=("client", "server", "router"))
    carried = sum(network.link("router", port)["rx"]["bytes"] - before[port]["rx"]["bytes"] for port in before)
    packets = nstat(network, "router")["IpForwDatagrams"] - forwarded["IpForwDatagrams"]
    numbers = found["router"]["in"]
    assert_balances(numbers)
    assert numbers["tcp_bytes"] == 0, "no socket of the router had part in it"
    assert numbers["interface_bytes"] == pytest.approx(carried, rel=0.01)
    assert numbers["forwarded_bytes_at_most"] + numbers["header_bytes"] == pytest.approx(carried, rel=0.01)
    assert numbers["forwarded_packets"] == packets > 0


def test_cli_and_csv_say_the_same(network, without_udp):
    answer = without_udp.get("/api/v1/accounts", since="1h")
    assert answer["complete"] is True
    rows = json.loads(without_udp.cli("nodes", "--accounts", "--since", "1h", "-o", "json").stdout)
    assert {row["namespace"] for row in rows} >= {network.namespace("client"), network.namespace("router"), "host"}
    table = without_udp.cli("nodes", "--accounts", "--since", "1h").stdout
    assert "UNATTRIBUTED" in table and network.namespace("client") in table
    lines = list(csv.DictReader(io.StringIO(without_udp.cli("nodes", "--accounts", "--since", "1h", "-o", "csv").stdout)))
    assert {line["direction"] for line in lines} == {"in", "out"}
    (line,) = [line for line in lines if line["namespace"] == network.namespace("client") and line["direction"] == "out"]
    assert int(line["loopback_bytes"]) > 10_000_000


def test_mistakes_name_the_remedy(without_udp):
    with pytest.raises(HttpError) as caught:
        without_udp.get("/api/v1/accounts", node="nowhere")
    assert caught.value.status == 404 and "/api/v1/nodes" in caught.value.error()["remedy"]
