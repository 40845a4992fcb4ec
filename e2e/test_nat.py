"""Connections to a service's address: which backend each reached, against the backends' own access logs, the kernel's
connection table as conntrack's file shows it, and ss."""

import collections
import re
import time

import pytest

from lab import Lab, eventually
from weir import Weir, total

HEADER = 20  # bytes of a traffic.py request header
SERVICE = "10.96.0.10"
BACKEND_PORT = 8090


@pytest.fixture(scope="module")
def cluster():
    """One client and two backends; whoever needs a service makes its rules."""
    with Lab(["client", "one", "two"], prefix=78) as network:
        yield network


@pytest.fixture(scope="module")
def weir(cluster):
    with Weir() as running:
        yield running


class Backends:
    """Two servers on a port, each with an access log."""

    def __init__(self, lab, port, folder):
        self.lab, self.port = lab, port
        self.logs = {host: folder / f"{host}.log" for host in ("one", "two")}
        for host, log in self.logs.items():
            log.touch()
            lab.serve(host, port, "--bind", lab.address(host), "--log", str(log))

    def said(self, host):
        """peer address and port -> [bytes received, bytes sent], by the server's own account."""
        peers = collections.defaultdict(lambda: [0, 0])
        for line in self.logs[host].read_text().splitlines():
            peer, port, received, sent = line.split()
            peers[peer, int(port)][0] += int(received)
            peers[peer, int(port)][1] += int(sent)
        return peers

    def bytes(self, host):
        return tuple(sum(pair[i] for pair in self.said(host).values()) for i in (0, 1))

    def connections(self, host):
        return len(self.said(host))


def balance(lab, where, chain, service, port, backend_port, table, hosts=("one", "two"), protocol="tcp"):
    """Every second new connection to service:port goes to another host, as kube-proxy's rules make it."""
    targets = ", ".join(f"{i} : {lab.address(host)} . {backend_port}" for i, host in enumerate(hosts))
    lab.nft(where, f"""
table ip {table} {{
  chain services {{
    type nat hook {chain} priority -100;
    ip daddr {service} {protocol} dport {port} dnat to numgen inc mod {len(hosts)} map {{ {targets} }}
  }}
}}
""")


def masquerade(lab, where, device, table):
    lab.nft(where, f"""
table ip {table} {{
  chain out {{
    type nat hook postrouting priority 100;
    oifname {device} masquerade
  }}
}}
""")


def tracked(lab, where, port):
    """client port -> backend address, as /proc/net/nf_conntrack has it, for connections to SERVICE:port."""
    found = {}
    for line in lab.run(where, "cat", "/proc/net/nf_conntrack").splitlines():
        match = re.search(rf"dst={re.escape(SERVICE)} sport=(\d+) dport={port} src=([\d.]+) ", line)
        if match:
            found[int(match.group(1))] = match.group(2)
    return found


def of_service(port):
    return f"service_address = {SERVICE} and service_port = {port}"


def by_backend(rows):
    found = collections.defaultdict(list)
    for row in rows:
        found[row["server_address"]].append(row)
    return found


def settled(weir, lab, backends, port, connections, timeout=20):
    """The service's rows by backend, once as many connections are closed as were made."""

    def attempt():
        rows = weir.flows(of_service(port))
        assert total(rows, "connections_closed") == connections, [
            (row["server_address"], row["server_port"], row["connections_closed"]) for row in rows
        ]
        return rows

    rows = eventually(attempt, timeout)
    found = by_backend(rows)
    assert set(found) == {lab.address(host) for host in backends.logs if backends.connections(host)}
    return found


def check_against_logs(found, lab, backends, client=None):
    for host in backends.logs:
        rows = found[lab.address(host)]
        received, sent = backends.bytes(host)
        assert total(rows, "bytes_to_server") == received, host
        assert total(rows, "bytes_to_client") == sent, host
        assert total(rows, "connections_opened") == backends.connections(host), host
        for row in rows:
            assert row["server_port"] == backends.port
            assert row["server_netns"] in (0, lab.netns_inode(host))
            assert row["client_address"] == (client or lab.address("client"))
            assert row["client_netns"] == lab.netns_inode("client")


def test_short_connections_through_a_router_by_backend(cluster, weir, tmp_path):
    backends = Backends(cluster, BACKEND_PORT, tmp_path)
    balance(cluster, "router", "prerouting", SERVICE, 80, BACKEND_PORT, "short")
    cluster.client("client", "get", SERVICE, "80", "--count", "300", "--parallel", "3", "--up", "1000", "--down", "5000")
    found = settled(weir, cluster, backends, 80, 300)
    check_against_logs(found, cluster, backends)
    for host in ("one", "two"):
        (row,) = found[cluster.address(host)]
        assert row["reported_by"] == "both", "the ends met"
        assert row["connections_opened"] == 150, "numgen takes turns"
        assert row["client_process"].startswith("python3") and row["server_process"].startswith("python3")
    # Each connection, not only their sums: what connection tracking says of each port is what the backend logged.
    for port, backend in tracked(cluster, "router", 80).items():
        host = next(host for host in backends.logs if cluster.address(host) == backend)
        assert (cluster.address("client"), port) in backends.said(host)
    assert not weir.flows(f"server_address = {SERVICE} and server_port = 80"), "nothing is left under the service's address"


def test_connections_that_live_on_and_those_older_than_the_agent(cluster, tmp_path):
    port, service_port = 8091, 81
    backends = Backends(cluster, port, tmp_path)
    balance(cluster, "router", "prerouting", SERVICE, service_port, port, "older")
    older = [cluster.start("client", "/usr/bin/python3", "-c", OLDER, SERVICE, str(service_port)) for _ in range(4)]
    for child in older:
        assert child.stdout.readline().strip() == "connected"
    ports = tracked(cluster, "router", service_port)
    assert len(ports) == 4 and len(set(ports.values())) == 2
    before = {host: backends.bytes(host) for host in backends.logs}
    assert before == {host: (2 * (HEADER + 10), 2 * 10) for host in backends.logs}
    with Weir() as weir:
        # A base line of each socket first: what it did before does not count.
        eventually(lambda: total(weir.flows(of_service(service_port)), "connections_open") == 4)
        for child in older:
            child.stdin.write("go\n")
            child.stdin.flush()
            assert child.stdout.readline().strip() == "done"
        for host in backends.logs:
            sockets = cluster.run(host, "ss", "-tnH", "state", "established", f"sport = :{port}").splitlines()
            assert len(sockets) == 2

        def attempt():
            found = by_backend(weir.flows(of_service(service_port)))
            for host in backends.logs:
                rows = found[cluster.address(host)]
                received, sent = backends.bytes(host)
                assert total(rows, "bytes_to_server") == received - before[host][0]
                assert total(rows, "bytes_to_client") == sent - before[host][1]
                assert total(rows, "connections_open") == 2
                assert {row["reported_by"] for row in rows} == {"both"}
            return found

        eventually(attempt)
        for child in older:
            child.stdin.close()
            child.wait(10)
        eventually(lambda: total(weir.flows(of_service(service_port)), "connections_closed") == 4)
        assert not weir.flows(f"server_address = {SERVICE}")


# Two requests on one connection, the second one when told to.
OLDER = """
import socket, struct, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def request(up, down):
    connection.sendall(struct.pack("!QQI", up, down, 0) + b"x" * up)
    while down > 0:
        down -= len(connection.recv(min(down, 65536)))
request(10, 10)
print("connected", flush=True)
sys.stdin.readline()
request(123457, 7654321)
print("done", flush=True)
sys.stdin.readline()
"""


def test_translation_in_the_clients_own_namespace(cluster, weir, tmp_path):
    port, service_port = 8092, 82
    backends = Backends(cluster, port, tmp_path)
    balance(cluster, "client", "output", SERVICE, service_port, port, "own")
    cluster.client("client", "get", SERVICE, str(service_port), "--count", "40", "--up", "100", "--down", "300")
    cluster.client("client", "get", SERVICE, str(service_port), "--count", "6", "--keep-alive", "--up", "70000", "--down", "3")
    found = settled(weir, cluster, backends, service_port, 41)
    check_against_logs(found, cluster, backends)
    assert {row["reported_by"] for rows in found.values() for row in rows} == {"both"}


def test_a_masqueraded_client_keeps_its_address_and_meets_its_server(cluster, weir, tmp_path):
    port, service_port = 8093, 83
    backends = Backends(cluster, port, tmp_path)
    balance(cluster, "router", "prerouting", SERVICE, service_port, port, "masq")
    masquerade(cluster, "router", "r2", "masq_out")  # towards "one"
    try:
        cluster.client("client", "get", SERVICE, str(service_port), "--count", "60", "--up", "11", "--down", "13")
        found = settled(weir, cluster, backends, service_port, 60)
        check_against_logs(found, cluster, backends)
        assert {peer for peer, _ in backends.said("one")} == {f"10.{cluster.prefix}.2.1"}, "the server sees the router"
        assert {peer for peer, _ in backends.said("two")} == {cluster.address("client")}
        assert {row["reported_by"] for rows in found.values() for row in rows} == {"both"}
    finally:
        cluster.run("router", "nft", "delete", "table", "ip", "masq_out")


def test_masquerade_without_a_service(cluster, weir, tmp_path):
    port = 8094
    log = tmp_path / "log"
    cluster.serve("one", port, "--bind", cluster.address("one"), "--log", str(log))
    masquerade(cluster, "router", "r2", "masq_only")
    try:
        cluster.client("client", "get", cluster.address("one"), str(port), "--count", "20", "--up", "5", "--down", "6")
        expression = f"server_address = {cluster.address('one')} and server_port = {port}"

        def attempt():
            rows = weir.flows(expression)
            assert total(rows, "connections_closed") == 20
            return rows

        rows = eventually(attempt)
        assert {row["client_address"] for row in rows} == {cluster.address("client")}
        assert {row["reported_by"] for row in rows} == {"both"}
        assert {row["service_address"] for row in rows} == {"::"}
        assert total(rows, "bytes_to_server") == 20 * (HEADER + 5)
        assert all(line.startswith(f"10.{cluster.prefix}.2.1 ") for line in log.read_text().splitlines())
    finally:
        cluster.run("router", "nft", "delete", "table", "ip", "masq_only")


def test_attempts_that_fail(cluster, weir):
    """The kernel forgets a refused connection at once, so nobody can tell who refused; a silent backend it remembers."""
    balance(cluster, "router", "prerouting", SERVICE, 84, 8095, "refusing", hosts=("one",))
    balance(cluster, "router", "prerouting", SERVICE, 86, 8097, "silent", hosts=("two",))
    cluster.nft("two", "table ip mute { chain in { type filter hook input priority 0; tcp dport 8097 drop;\n}\n}\n")
    for _ in range(3):
        assert cluster.client("client", "connect", SERVICE, "84").strip() == "ECONNREFUSED"
    for _ in range(2):
        cluster.client("client", "connect", SERVICE, "86", "--timeout", "0.5")

    def attempt():
        refused = weir.flows(f"server_address = {SERVICE} and server_port = 84")
        assert total(refused, "connections_failed") == 3 and total(refused, "failed_refused") == 3
        silent = weir.flows(of_service(86))
        assert total(silent, "connections_failed") == 2
        assert {(row["server_address"], row["server_port"]) for row in silent} == {(cluster.address("two"), 8097)}
        return True

    eventually(attempt)


def test_the_service_is_asked_for_like_any_column(cluster, weir):
    rows = weir.flows(of_service(80), group_by="service_address,service_port")
    assert [(row["service_address"], row["service_port"]) for row in rows] == [(SERVICE, 80)]
    assert rows[0]["connections_closed"] == 300


def test_the_agent_says_that_it_can_look_up(cluster, weir):
    (agent,) = weir.get("/api/v1/status")["agents"]
    probe = next(probe for probe in agent["probes"] if probe["name"] == "nat")
    assert probe["state"] == "on", probe
    counters = agent["counters"]
    # Both ends of nearly all of them are here, and who accepted tells where they went.
    assert 0 < counters["weir_agent_nat_lookups_total"] < 50
    assert counters["weir_agent_nat_unknown_total"] == 0
    each = counters["weir_agent_nat_microseconds_total"] / counters["weir_agent_nat_lookups_total"]
    print(f"{counters['weir_agent_nat_lookups_total']} look-ups, {each:.1f} us each")


ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(data * 2, peer)
"""

ASK = """
import socket, sys
for i in range(int(sys.argv[3])):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((sys.argv[1], int(sys.argv[2])))
        s.send(b"x" * 100)
        assert len(s.recv(2048)) == 200
"""


def balance_datagrams(lab, service_port, backend_port):
    """The same for datagrams, beyond the router; each backend answers with twice what it was sent."""
    for host in ("one", "two"):
        server = lab.start(host, "/usr/bin/python3", "-c", ECHO, lab.address(host), str(backend_port))
        assert server.stdout.readline().strip() == "ready"
    balance(lab, "router", "prerouting", SERVICE, service_port, backend_port, "datagrams", protocol="udp")


def test_datagrams_too_where_they_are_counted(cluster):
    """Beyond a router; within the client's own namespace the programs see what its rules made already."""
    service_port, port = 88, 8099
    balance_datagrams(cluster, service_port, port)
    with Weir("--udp", "on") as weir:
        eventually(lambda: any(probe["name"] == "udp" and probe["state"] == "on"
                               for agent in weir.get("/api/v1/status")["agents"] for probe in agent["probes"]))
        time.sleep(3.5)  # what is older is judged by its ports (docs/hooks.md)
        cluster.run("client", "/usr/bin/python3", "-c", ASK, SERVICE, str(service_port), "30")

        def attempt():
            found = by_backend(weir.flows(f"protocol = udp and {of_service(service_port)}"))
            assert set(found) == {cluster.address("one"), cluster.address("two")}
            for rows in found.values():
                assert total(rows, "bytes_to_server") == 15 * 100
                assert total(rows, "bytes_to_client") == 15 * 200
                assert {(row["server_port"], row["reported_by"]) for row in rows} == {(port, "both")}
            return True

        eventually(attempt)


def test_switched_off_it_shows_what_the_client_used(cluster, tmp_path):
    port, service_port = 8096, 85
    Backends(cluster, port, tmp_path)
    balance(cluster, "router", "prerouting", SERVICE, service_port, port, "off")
    with Weir("--nat", "off") as weir:
        cluster.client("client", "get", SERVICE, str(service_port), "--count", "2", "--up", "1", "--down", "1")
        rows = eventually(lambda: weir.flows(f"server_address = {SERVICE} and server_port = {service_port}"))
        assert {row["service_address"] for row in rows} == {"::"}
        assert not any(probe["name"] == "nat" for probe in weir.get("/api/v1/status")["agents"][0]["probes"])


def test_without_ebpf_too(cluster, tmp_path):
    port, service_port = 8098, 87
    backends = Backends(cluster, port, tmp_path)
    balance(cluster, "router", "prerouting", SERVICE, service_port, port, "diag")
    with Weir("--mode", "sock_diag") as weir:
        clients = [cluster.start("client", "/usr/bin/python3", "-c", OLDER, SERVICE, str(service_port)) for _ in range(2)]
        for child in clients:
            assert child.stdout.readline().strip() == "connected"
        # Dumps come every five seconds.
        rows = eventually(lambda: (found := weir.flows(of_service(service_port))) and len(by_backend(found)) == 2 and found, 30)
        assert {row["server_port"] for row in rows} == {port}
        assert total(rows, "connections_open") == 2
        for child in clients:
            child.kill()
