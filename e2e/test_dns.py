"""DNS and UDP through the whole product, against what the asking program itself counted."""

import json

import pytest

from lab import Lab, eventually
from weir import Weir, total

SERVER = r"""
import socket, sys, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 53))
print("ready", flush=True)
while True:
    message, peer = server.recvfrom(4096)
    name = message[13:13 + message[12]]
    if name == b"drop":
        continue
    if name == b"slow":
        time.sleep(0.03)
    code = {b"nx": 3, b"fail": 2}.get(name, 0)
    server.sendto(message[:2] + bytes([0x81, code]) + message[4:], peer)
"""

# Asks for each NAME, one socket per question; prints the microseconds each answer took, null where none came.
CLIENT = r"""
import json, socket, struct, sys, time
taken = []
for number, name in enumerate(sys.argv[2:]):
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.settimeout(0.3 if name.startswith("drop") else 5)
    asker.connect((sys.argv[1], 53))
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    begin = time.monotonic()
    asker.send(struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">B2H", 0, 1, 1))
    try:
        asker.recv(4096)
        taken.append(1e6 * (time.monotonic() - begin))
    except TimeoutError:
        taken.append(None)
print(json.dumps(taken))
"""


asked = []  # every name, as often as it was asked for


@pytest.fixture(scope="module")
def network():
    with Lab(["client", "server"], prefix=76) as lab:
        assert lab.start("server", "/usr/bin/python3", "-c", SERVER).stdout.readline().strip() == "ready"
        yield lab


@pytest.fixture(scope="module")
def observing():
    with Weir("--dns", "on", "--udp", "on") as running:
        yield running


def ask(lab, *names):
    asked.extend(names)
    return json.loads(lab.run("client", "/usr/bin/python3", "-c", CLIENT, lab.address("server"), *names))


def requests(weir, lab, *arguments):
    expression = f'application = "dns" and client_address = {lab.address("client")}'
    text = weir.cli("flows", "--filter", expression, "--group-by", "resource,result", "--columns",
                    "requests,requests_failed,requests_unanswered,request_latency_sum_us,request_latency_max_us",
                    "--sort", "-requests", "--limit", "1000", "-o", "json", *arguments).stdout
    return {(row["resource"], row["result"]): row for row in json.loads(text)}


def test_probes_say_that_udp_and_dns_are_observed(observing, network):
    def both_are_on():
        agents = observing.get("/api/v1/status")["agents"]
        states = {probe["name"]: probe["state"] for probe in agents[0]["probes"]} if agents else {}
        assert (states.get("udp"), states.get("dns")) == ("on", "on"), states
        return True

    eventually(both_are_on)


def test_names_and_results_are_what_the_resolver_got(observing, network):
    # What a resolver with search domains and ndots:5 makes of one name.
    taken = ask(network, "nx.shop.svc.cluster.local", "nx.svc.cluster.local", "nx.cluster.local", "OK.example.org", "fail.example.org", "drop.example.org",
                "drop.example.org", *["slow.example.org"] * 10)

    def complete():
        rows = requests(observing, network)
        assert rows.get(("drop.example.org", "timeout"), {}).get("requests_unanswered") == 2, rows
        assert rows.get(("slow.example.org", "NOERROR"), {}).get("requests") == 10, rows
        return rows

    rows = eventually(complete, 40)
    for name in ("nx.shop.svc.cluster.local", "nx.svc.cluster.local", "nx.cluster.local"):
        assert rows[(name, "NXDOMAIN")]["requests"] == 1
        assert rows[(name, "NXDOMAIN")]["requests_failed"] == 0
    assert rows[("ok.example.org", "NOERROR")]["requests"] == 1
    assert rows[("fail.example.org", "SERVFAIL")]["requests_failed"] == 1
    slow = rows[("slow.example.org", "NOERROR")]
    own = taken[-10:]
    assert 10 * 30_000 <= slow["request_latency_sum_us"] <= sum(own)
    assert slow["request_latency_max_us"] <= max(own)
    assert total(rows.values(), "requests") == 17, "no question is missing or counted twice"


def test_a_thousand_questions_and_their_datagrams(observing, network):
    assert None not in ask(network, *[f"q{number % 50}.example.org" for number in range(1000)])

    def complete():
        rows = requests(observing, network)
        counts = {name: row["requests"] for (name, result), row in rows.items() if name.startswith("q") and result == "NOERROR"}
        assert len(counts) == 50 and set(counts.values()) == {20}, counts
        flows = observing.flows(f"server_port = 53 and protocol = udp and client_address = {network.address('client')}")
        assert total(flows, "segments_to_server") == len(asked), flows
        return flows

    flows = eventually(complete, 40)
    transport = [row for row in flows if row["segments_to_server"]]
    assert all(row["reported_by"] == "both" for row in transport), "one row, not one per end"
    assert all(row["connections_opened"] == 0 for row in transport)
