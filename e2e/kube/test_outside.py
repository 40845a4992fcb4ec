"""What pods reach outside of their cluster, what that costs, and for whom helpers fetch."""

import json

import pytest

from kube.cluster import wait_for
from kube.machines import PYTHON
from kube.named import Named
from lab import eventually

DOWN = 20_000
SLEEP = ["sleep", "1000"]
STORE, OTHER, PARTNER, DNS = "198.51.100.10", "198.51.100.11", "203.0.113.7", "198.51.100.53"
MODELS = "models.s3.eu-central-1.amazonaws.com"

# Answers questions for addresses: a name of an alias first, where it has one. Names and what they lead to as JSON.
SERVER = r"""
import json, socket, struct, sys
known = json.loads(sys.argv[1])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 53))
def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
while True:
    message, peer = server.recvfrom(4096)
    at, labels = 12, []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    name = ".".join(labels)
    records, count = b"", 0
    for alias, address in known.get(name, []):
        if alias:
            records += b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, len(wire(alias))) + wire(alias)
            count += 1
        records += (wire(alias) if alias else b"\xc0\x0c") + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
        count += 1
    server.sendto(message[:2] + struct.pack(">HHHHH", 0x8180, 1, count, 0, 0) + message[12:at + 5] + records, peer)
"""

ASK = r"""
import socket, struct, sys
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(5)
asker.connect((sys.argv[1], 53))
labels = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[2].split("."))
asker.send(struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">B2H", 0, 1, 1))
asker.recv(4096)
"""


@pytest.fixture(scope="module")
def pods(cluster, kubelets):
    for name in ("ml", "mount-s3"):
        cluster.namespace(name)
    cluster.attachments()
    for name, node in (("a", "n1"), ("b", "n1"), ("c", "n2")):
        cluster.pod("ml", name, node=node, command=SLEEP)
    return {name: cluster.wait_ready("ml", name, 1)[0] for name in "abc"}


@pytest.fixture(scope="module")
def outside(machines, pods):
    machines.node_space("n1")
    for name, address, port in (("store", STORE, 443), ("other", OTHER, 443), ("partner", PARTNER, 443)):
        space = machines.outside(name, address)
        machines.outside_process(space, *machines.serve(port))
    answers = {MODELS: [["", STORE]], "cdn.example.org": [["d111.cloudfront.net", OTHER]], "bank.example.org": [["", pods["c"]["status"]["podIP"]]]}
    machines.outside_process(machines.outside("dns", DNS), PYTHON, "-c", SERVER, json.dumps(answers))
    return machines


@pytest.fixture(scope="module")
def named(cluster, machines, kubelets, outside, tmp_path_factory):
    published = tmp_path_factory.mktemp("published") / "ip-ranges.json"
    published.write_text(json.dumps({"syncToken": "1764500000", "createDate": "2026-11-30-10-00-00", "prefixes": [
        {"ip_prefix": "198.51.100.0/25", "region": "eu-central-1", "service": "AMAZON", "network_border_group": "eu-central-1"},
        {"ip_prefix": "198.51.100.10/32", "region": "eu-central-1", "service": "S3", "network_border_group": "eu-central-1"}], "ipv6_prefixes": []}))
    options = ("--prefix-file", str(published), "--cidr-label", "203.0.113.0/24=partner", "--price-table", "aws")
    with Named(cluster, machines, kubelets, *options, agent_options=("--dns", "on")) as running:
        yield running


def fetch(machines, pod, address, count=1, port=443):
    machines.exec(pod, *machines.client(address, port, "--count", count, "--down", DOWN))


def ask(machines, pod, name):
    machines.exec(pod, PYTHON, "-c", ASK, DNS, name)


def ends(named, pod):
    rows = named.flows(f"client_pod = {pod} and server_port = 443",
                       "server_kind,server_external_name,server_external_service,server_cloud_service,server_name_source,server_region,locality")
    return {tuple(row[f"server_{name}"] for name in ("external_name", "external_service", "cloud_service", "name_source", "kind")): row for row in rows}


def test_an_address_has_the_name_its_pod_asked_for_and_no_other_pods(named, machines, pods):
    ask(machines, pods["a"], MODELS)
    ask(machines, pods["a"], "cdn.example.org")
    fetch(machines, pods["a"], STORE, 2)
    fetch(machines, pods["a"], OTHER, 3)
    fetch(machines, pods["b"], STORE, 4)

    def told():
        asked = ends(named, "a")
        assert {key: row["bytes_to_client"] for key, row in asked.items()} == {
            (MODELS, "Amazon S3", "object_store", "dns", "cloud_service"): 2 * DOWN,
            ("cdn.example.org", "Amazon CloudFront", "cdn", "dns", "cloud_service"): 3 * DOWN}
        (row,) = ends(named, "b").items()
        assert row[0] == ("Amazon S3", "Amazon S3", "object_store", "prefix", "cloud_service") and row[1]["bytes_to_client"] == 4 * DOWN
        assert row[1]["server_region"] == "eu-central-1"
        return True
    eventually(told)


def test_a_range_has_the_name_its_user_gave_it(named, machines, pods):
    fetch(machines, pods["c"], PARTNER)
    (key,) = eventually(lambda: ends(named, "c"))
    assert key == ("partner", "", "", "label", "external")


def test_an_answer_that_claims_a_pods_address_changes_nothing(cluster, named, machines, pods):
    machines.start(pods["c"], *machines.serve(8443))
    wait_for("the listener", lambda: machines.exec(pods["a"], PYTHON, machines.serve(0)[1], "connect", pods["c"]["status"]["podIP"], "8443",
                                                   "--timeout", "2") == "open\n")
    ask(machines, pods["a"], "bank.example.org")
    fetch(machines, pods["a"], pods["c"]["status"]["podIP"], port=8443)
    rows = eventually(lambda: named.flows("server_port = 8443"))
    assert {(row["server_pod"], row["server_external_name"], row["server_name_source"]) for row in rows} == {("c", "", "cluster")}


def test_traffic_between_zones_has_its_price(named):
    (row,) = named.flows("server_port = 8443", "locality")
    assert row["locality"] == "inter_zone"
    moved = row["bytes_to_client"] + row["bytes_to_server"]
    assert abs(row["cost_usd"] - moved / 2**30 * 0.02) < 1e-9


def test_what_mountpoint_pods_fetch_stands_beside_whom_they_serve(cluster, named, machines, pods):
    cluster.pod("mount-s3", "mp-1", node="n1", command=SLEEP)
    (mountpoint,) = cluster.wait_ready("mount-s3", "mp-1", 1)
    cluster.attachment("s3pa-1", "n1", "mp-1", pods["a"]["metadata"]["uid"], pods["b"]["metadata"]["uid"])

    def told():
        fetch(machines, mountpoint, STORE)
        rows = named.flows("client_pod = mp-1 and client_shared > 0", "client_pod,client_namespace,client_on_behalf_of,client_shared")
        assert [(row["client_namespace"], row["client_on_behalf_of"], row["client_shared"]) for row in rows] == [("mount-s3", "ml/a, ml/b", 2)]
        return True
    eventually(told)


def test_what_a_container_runtime_pulls_is_for_the_pod_that_waits_for_it(cluster, named, machines, pods, tmp_path):
    runtime = tmp_path / "containerd"
    runtime.symlink_to(PYTHON)
    pull = [runtime, *machines.client(STORE, 443, "--down", DOWN)[1:]]
    machines.on_node("n1", *pull, unit="containerd.service").wait()
    rows = eventually(lambda: named.flows("client_process = containerd"))
    assert {(row["client_on_behalf_of"], row["client_shared"]) for row in rows} == {("", 0)}
    cluster.pod("ml", "slow", node="n1", command=SLEEP, init=[cluster.container("first", ["sleep", "20"])])

    def told():
        machines.on_node("n1", *pull, unit="containerd.service").wait()
        found = named.flows("client_process = containerd and client_shared > 0")
        assert {(row["client_on_behalf_of"], row["client_shared"], row["client_node"], row["client_pod"]) for row in found} == {("ml/slow", 1, "n1", "")}
        return True
    eventually(told)
