"""Connections to a service's address, recorded while they are made: the replay stores what was stored then, the address the
client used and the backend it reached, and both are what the backends' own logs say."""

import json

import pytest

from lab import Lab, eventually
from test_nat import ASK, SERVICE, Backends, balance, balance_datagrams, by_backend, check_against_logs, masquerade, of_service, settled
from test_replay import Server, probes, replay
from weir import Weir, get, total

PORT, SERVICE_PORT = 8090, 80
ECHO_PORT, ECHO_SERVICE_PORT = 8099, 88
SHORT, LONG, DATAGRAMS = 200, 6, 30


class Field:
    """What the tests share: a recording, the data directory of the server that stored while it was made, and the backends."""


@pytest.fixture(scope="module")
def cluster():
    with Lab(["client", "one", "two"], prefix=86) as network:
        yield network


@pytest.fixture(scope="module")
def field(cluster, tmp_path_factory):
    made = Field()
    folder = tmp_path_factory.mktemp("replay")
    made.file, made.data = folder / "field.weirrec", folder / "data"
    made.backends = Backends(cluster, PORT, folder)
    balance(cluster, "router", "prerouting", SERVICE, SERVICE_PORT, PORT, "services")
    masquerade(cluster, "router", "r2", "masq")  # towards "one"
    balance_datagrams(cluster, ECHO_SERVICE_PORT, ECHO_PORT)
    with Weir("--record", str(made.file), "--node", "field", "--udp", "on", data_dir=str(made.data)) as weir:
        assert eventually(lambda: probes(weir)["nat"])["state"] == "on"
        cluster.client("client", "get", SERVICE, str(SERVICE_PORT), "--count", str(SHORT), "--parallel", "4", "--up", "7", "--down", "11")
        for _ in range(LONG):
            cluster.client("client", "get", SERVICE, str(SERVICE_PORT), "--count", "4", "--keep-alive", "--up", "20000", "--down", "70000")
        cluster.run("client", "/usr/bin/python3", "-c", ASK, SERVICE, str(ECHO_SERVICE_PORT), str(DATAGRAMS))
        made.found = settled(weir, cluster, made.backends, SERVICE_PORT, SHORT + LONG, timeout=30)

        def datagrams():
            rows = weir.flows(f"protocol = udp and {of_service(ECHO_SERVICE_PORT)}")
            assert total(rows, "bytes_to_server") == DATAGRAMS * 100
            return rows

        eventually(datagrams, timeout=30)
        counters = weir.get("/api/v1/status")["agents"][0]["counters"]
        assert counters["weir_agent_nat_lookups_total"] > 0, "a recording keeps nobody from asking"
    return made


def test_while_it_is_recorded_backends_are_named_as_without(cluster, field):
    check_against_logs(field.found, cluster, field.backends)
    assert {row["reported_by"] for rows in field.found.values() for row in rows} == {"both"}


def test_another_server_stores_the_same_backends_and_services(cluster, field, tmp_path):
    with Server(field.data) as server:
        stored = server.rows(cluster)
    with Server(tmp_path) as server:
        replay(field.file, "--server", server.url)
        assert server.rows(cluster) == stored
        rows = get(server.url, "/api/v1/flows", filter=of_service(SERVICE_PORT), since="1h", limit=10000)["rows"]
        check_against_logs(by_backend(rows), cluster, field.backends)
        assert total(rows, "connections_closed") == SHORT + LONG
        assert {row["reported_by"] for row in rows} == {"both"}, "the masqueraded ones too"
        assert not get(server.url, "/api/v1/flows", filter=f"server_address = {SERVICE}", since="1h")["rows"]


def test_what_is_printed_has_both_addresses(cluster, field):
    rows = [row for row in json.loads(replay(field.file, "-o", "json").stdout)
            if row["side"] == "client" and row["protocol"] == "tcp" and row["client_address"] == cluster.address("client")]
    assert {(row["service_address"], row["service_port"], row["server_port"]) for row in rows} == {(SERVICE, SERVICE_PORT, PORT)}
    for host in ("one", "two"):
        received, _ = field.backends.bytes(host)
        of_host = [row for row in rows if row["server_address"] == cluster.address(host)]
        assert total(of_host, "bytes_sent") == received
        assert {row["snat_address"] for row in of_host} == {f"10.{cluster.prefix}.2.1" if host == "one" else "::"}
