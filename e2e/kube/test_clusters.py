"""Several clusters in one server, whose pods have the same addresses and whose nodes have the same names."""

import pytest

from kube.cluster import Cluster
from kube.kubelets import ADDRESS, Kubelets
from kube.machines import Machines
from lab import eventually
from weir import Process, get

DOWN = 20_000
FAR = 222  # last byte of the address that pods of both clusters have on n2, which no agent observes


@pytest.fixture(scope="module")
def west(cluster):
    """A second cluster, in networks of its own."""
    with Cluster(prefix=cluster.prefix, controllers=False) as running:
        for name in ("n1", "n2"):
            running.node(name, zone="us-west-2a", region="us-west-2")
        with Machines(running) as machines, Kubelets(running, machines) as kubelets:
            running.machines = machines
            yield running
            assert kubelets.errors == []


def test_each_cluster_names_its_own(cluster, machines, kubelets, west, tmp_path):
    clusters = {"east": (cluster, machines, 2), "west": (west, west.machines, 3)}
    pods, configs = {}, []
    for name, (each, network, _) in clusters.items():
        each.namespace("both")
        back = f"10.{each.prefix}.2.{FAR}"
        each.pod("both", f"back-{name}", node="n2", annotations={ADDRESS: back}, command=network.serve(8080), ports=[8080])
        each.pod("both", f"near-{name}", node="n1", annotations={ADDRESS: f"10.{each.prefix}.1.{FAR}"}, command=network.serve(8081), ports=[8081])
        each.pod("both", f"front-{name}", node="n1", annotations={ADDRESS: f"10.{each.prefix}.1.{FAR - 1}"}, command=["sleep", "1000"])
        for role in ("back", "near", "front"):
            (pods[role, name],) = each.wait_ready("both", f"{role}-{name}", 1)
        file = each.plane.authority.file
        configs.append(each.plane.kubeconfig("both", client_certificate=file("admin.crt"), client_key=file("admin.key")))
    assert pods["back", "east"]["status"]["podIP"] == pods["back", "west"]["status"]["podIP"]
    server = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "server"), "--kubeconfig", ",".join(configs),
                     "--cluster", "east,west")
    agents = [Process("agent", "--server", server.url, "--node", f"{name}-n1", "--within", str(network.node_group("n1")), "--node-signals", "off",
                      "--metrics-listen", "off", "--data-dir", str(tmp_path / name), expect_ready=False)
              for name, (_, network, _) in clusters.items()]
    try:
        def status():
            return get(server.url, "/api/v1/status")
        eventually(lambda: len(status()["agents"]) == 2)
        kubernetes = status()["kubernetes"]
        followed = [kubernetes, *kubernetes["others"]]
        assert [each["cluster"] for each in followed] == ["east", "west"]
        eventually(lambda: all(watch["state"] in ("watching", "absent") for each in [status()["kubernetes"], *status()["kubernetes"]["others"]]
                               for watch in each["watches"]), 60)
        for name, (_, network, count) in clusters.items():
            for role, port in (("back", 8080), ("near", 8081)):
                network.exec(pods["front", name], *network.client(pods[role, name]["status"]["podIP"], port, "--count", count, "--down", DOWN))
        keys = ("client_cluster", "client_pod", "client_region", "server_cluster", "server_pod", "server_port")
        truth = {(name, f"front-{name}", region, name, f"{role}-{name}", port): count * DOWN
                 for name, region, count in (("east", "eu-central-1", 2), ("west", "us-west-2", 3)) for role, port in (("back", 8080), ("near", 8081))}

        def told():
            found = get(server.url, "/api/v1/flows", since="10m", filter="client_namespace = both or server_namespace = both", group_by=",".join(keys),
                        limit=100)["rows"]
            assert {tuple(row[key] for key in keys): row["bytes_to_client"] for row in found} == truth
            return True
        eventually(told)
    finally:
        assert [each.stop() for each in [*agents, server]] == [0, 0, 0]


def test_two_clusters_of_one_name_are_refused(cluster, tmp_path):
    config = cluster.plane.admin_kubeconfig
    code, said = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), "--kubeconfig", f"{config},{config}",
                         expect_ready=False).wait()
    assert code == 1 and "--cluster" in said
