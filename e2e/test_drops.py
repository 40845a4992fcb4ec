"""What the kernel drops, by its own reason and place, against nft's and the kernel's own counters."""

import json
import re

import pytest

from lab import Lab, eventually
from weir import Weir

# A receiver that never reads, with a small buffer.
DEAF = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.bind(("0.0.0.0", 7401))
print("ready", flush=True)
time.sleep(600)
"""

SENDER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[3])):
    s.sendto(b"x" * 900, (sys.argv[1], int(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def pair():
    with Lab(["client", "server"], prefix=79) as network:
        yield network


@pytest.fixture(scope="module")
def weir(pair):
    with Weir() as running:
        eventually(lambda: probe(running)["state"] == "on")
        yield running


def probe(weir):
    nodes = weir.nodes()
    probes = [one for one in nodes[0]["probes"] if one["name"] == "node_drops"] if nodes else []
    return probes[0] if probes else {"state": "?"}


def drops(weir, lab, host):
    """signal and subject without the namespace -> packets."""
    prefix = f"{lab.namespace(host)}/"
    (node,) = weir.nodes()
    found = {}
    for hit in node["limits"]:
        if hit["scope"] == "drop" and hit["subject"].startswith(prefix):
            found[hit["signal"], hit["subject"][len(prefix):]] = hit["count"]
    for other in node["others"]:
        if other["signal"].startswith("drop.") and other["subject"].startswith(prefix):
            found[other["signal"], other["subject"][len(prefix):]] = other["value"]
    return found


def of_reason(found, reason):
    return sum(count for (_, subject), count in found.items() if subject.startswith(f"{reason} in "))


def send(lab, port, count):
    lab.run("client", "/usr/bin/python3", "-c", SENDER, lab.address("server"), str(port), str(count))


def nft_packets(lab, host):
    return [int(n) for n in re.findall(r"packets (\d+)", lab.run(host, "nft", "list", "ruleset"))]


def nstat(lab, host, name):
    return int(re.search(rf"^{name}\s+(\d+)", lab.run(host, "nstat", "-asz", name), re.MULTILINE).group(1))


def test_what_a_firewall_drops_is_exact(pair, weir):
    pair.nft("server", """
table inet fence {
  chain in {
    type filter hook input priority 0;
    udp dport 7400 counter drop
  }
}
""")
    send(pair, 7400, 1234)
    eventually(lambda: nft_packets(pair, "server") == [1234])
    what = ("drop.rule", "NETFILTER_DROP in nft_do_chain (udp)")
    eventually(lambda: drops(weir, pair, "server").get(what) == 1234)
    hit = next(hit for hit in weir.nodes()[0]["limits"] if what[1] in hit["subject"] and "server" in hit["subject"])
    assert hit["limit"] == "packet rule" and hit["unit"] == "packets"


def test_a_forwarding_firewall_drops_in_its_own_namespace(pair, weir):
    pair.nft("router", """
table inet between {
  chain forward {
    type filter hook forward priority 0;
    tcp dport 7402 counter drop
  }
}
""")
    out = pair.client("client", "connect", pair.address("server"), "7402", "--timeout", "0.3")
    assert "open" not in out
    dropped = nft_packets(pair, "router")[0]
    assert dropped >= 1
    what = ("drop.rule", "NETFILTER_DROP in nft_do_chain (tcp)")
    eventually(lambda: drops(weir, pair, "router").get(what, 0) >= dropped)
    assert drops(weir, pair, "router")[what] == nft_packets(pair, "router")[0]


def test_a_full_socket_buffer_as_nstat_counts_it(pair, weir):
    deaf = pair.start("server", "/usr/bin/python3", "-c", DEAF)
    assert deaf.stdout.readline().strip() == "ready"
    send(pair, 7401, 700)
    eventually(lambda: nstat(pair, "server", "UdpRcvbufErrors") > 600)
    lost = nstat(pair, "server", "UdpRcvbufErrors")
    assert nstat(pair, "server", "UdpInErrors") == lost

    def counted():
        found = {what: count for what, count in drops(weir, pair, "server").items() if "SOCKET_RCVBUFF" in what[1]}
        assert sum(found.values()) == lost, found
        return found

    ((signal, subject),) = eventually(counted)
    assert signal == "drop.no_room" and subject.endswith("(udp)")
    deaf.kill()


def test_no_socket_is_context_not_evidence(pair, weir):
    before = nstat(pair, "server", "UdpNoPorts")
    send(pair, 7499, 40)
    eventually(lambda: nstat(pair, "server", "UdpNoPorts") == before + 40)

    def counted():
        found = {what: count for what, count in drops(weir, pair, "server").items() if what[1].startswith("NO_SOCKET")}
        assert sum(found.values()) == before + 40, found
        return found

    found = eventually(counted)
    assert {signal for signal, _ in found} == {"drop.unwanted"}
    assert not any("NO_SOCKET" in hit["subject"] for hit in weir.nodes()[0]["limits"])


def test_ordinary_traffic_is_no_loss(pair, weir):
    before = drops(weir, pair, "server")
    pair.serve("server", 7403)
    pair.client("client", "get", pair.address("server"), "7403", "--count", "300", "--up", "20000", "--down", "30000")
    pair.client("client", "get", pair.address("server"), "7403", "--keep-alive", "--count", "300", "--up", "100", "--down", "100")
    eventually(lambda: weir.totals("server_port = 7403")["connections_closed"] == 301)
    # A mark that comes with a later reading of the same counters.
    send(pair, 7498, 3)
    eventually(lambda: of_reason(drops(weir, pair, "server"), "NO_SOCKET") == of_reason(before, "NO_SOCKET") + 3)
    after = drops(weir, pair, "server")
    for what in after:
        if what[0] in ("drop.no_room", "drop.rule", "drop.no_path", "drop.damaged"):
            assert after[what] == before.get(what, 0), what


def test_cli_and_series(pair, weir):
    node = weir.nodes()[0]["node"]
    text = weir.cli("nodes", node).stdout
    assert "NETFILTER_DROP in nft_do_chain (udp)" in text and "packet rule" in text and "1.23k" in text
    rows = json.loads(weir.cli("nodes", "-o", "json").stdout)
    assert rows[0]["node"] == node
    subject = f"{pair.namespace('server')}/NETFILTER_DROP in nft_do_chain (udp)"
    series = weir.get("/api/v1/nodes/series", node=node, signal="drop.rule", subject=subject, since="10m", step="5s")
    assert sum(value or 0 for value in series["values"]) == 1234


def test_switched_off_it_says_so(pair):
    with Weir("--drops", "off") as weir:
        assert eventually(lambda: probe(weir)["state"] == "off")
        assert not [hit for hit in weir.nodes()[0]["limits"] if hit["scope"] == "drop"]
