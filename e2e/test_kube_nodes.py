"""Several nodes on one machine: each has an agent of its own that sees its pods and no others."""

import shutil
import tempfile

import pytest

from kube import assets
from kube.cluster import Cluster
from kube.kubelets import Kubelets
from kube.machines import Machines
from lab import eventually
from weir import Process, get, total

UP, DOWN, COUNT = 300, 20_000, 40


@pytest.fixture(scope="module")
def cluster():
    assets.need()
    with Cluster(prefix=127) as running:
        running.node("n1")
        running.node("n2")
        running.namespace("shop")
        yield running


@pytest.fixture(scope="module")
def machines(cluster):
    with Machines(cluster) as running, Kubelets(cluster, running) as kubelets:
        yield running
        assert kubelets.errors == []


@pytest.fixture()
def server():
    folder = tempfile.mkdtemp(prefix="weir-e2e-")
    process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", f"{folder}/server")
    process.folder = folder
    yield process
    process.stop()
    shutil.rmtree(folder, ignore_errors=True)


def agent(server, machines, node):
    return Process("agent", "--server", server.url, "--node", node, "--within", str(machines.node_group(node)), "--node-signals", "off",
                   "--data-dir", f"{server.folder}/{node}", expect_ready=False)


def rows(server, port):
    return get(server.url, "/api/v1/flows", since="10m", filter=f"server_port = {port}", limit=1000)["rows"]


def test_each_agent_sees_its_own_pods_and_the_server_joins_them(cluster, machines, server):
    cluster.pod("shop", "server", node="n2", command=machines.serve(8080), ports=[8080])
    cluster.pod("shop", "client", node="n1", command=["sleep", "1000"])
    (serving,), (client,) = cluster.wait_ready("shop", "server", 1), cluster.wait_ready("shop", "client", 1)
    first = agent(server, machines, "n1")
    try:
        eventually(lambda: len(get(server.url, "/api/v1/status")["agents"]) == 1)
        machines.exec(client, *machines.client(serving["status"]["podIP"], 8080, "--count", COUNT, "--up", UP, "--down", DOWN))
        # The agent of n1 alone: what the server's end would tell stays unknown.
        (row,) = eventually(lambda: [each for each in rows(server, 8080) if each["connections_opened"] == COUNT])
        assert row["reported_by"] == "client" and row["server_process"] == ""
        second = agent(server, machines, "n2")
        try:
            eventually(lambda: len(get(server.url, "/api/v1/status")["agents"]) == 2)
            machines.exec(client, *machines.client(serving["status"]["podIP"], 8080, "--count", COUNT, "--up", UP, "--down", DOWN))

            def joined():
                found = [each for each in rows(server, 8080) if each["reported_by"] == "both"]
                return total(found, "connections_opened") == COUNT and found
            found = eventually(joined)
            assert {(each["client_node"], each["server_node"]) for each in found} == {("n1", "n2")}
            assert total(found, "bytes_to_client") == COUNT * DOWN
            agents = {each["node"]: each for each in get(server.url, "/api/v1/status")["agents"]}
            assert all(each["mode"] == "ebpf" for each in agents.values())
        finally:
            assert second.stop() == 0
    finally:
        assert first.stop() == 0


def test_a_group_that_does_not_exist_is_refused(tmp_path):
    code, said = Process("agent", "--within", "no/such/group", "--data-dir", str(tmp_path), expect_ready=False).wait()
    assert code == 1 and "no/such/group" in said


@pytest.mark.parametrize("other", [("--mode", "sock_diag"), ("--requests", "on")])
def test_what_would_see_more_than_the_group_is_refused(machines, tmp_path, other):
    group = str(machines.groups)
    code, said = Process("agent", "--within", group, *other, "--data-dir", str(tmp_path), expect_ready=False).wait()
    assert code == 1 and "--within" in said
