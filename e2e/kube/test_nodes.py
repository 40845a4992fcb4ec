"""Several nodes on one machine: each has an agent of its own that sees its pods and no others."""

import contextlib
import shutil
import socket
import tempfile
import threading

import pytest

from lab import eventually
from weir import Process, get, total

UP, DOWN, COUNT = 300, 20_000, 40


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
                   "--metrics-listen", "off", "--data-dir", f"{server.folder}/{node}", expect_ready=False)


def rows(server, port):
    return get(server.url, "/api/v1/flows", since="10m", filter=f"server_port = {port}", limit=1000)["rows"]


def test_each_agent_sees_its_own_pods_and_the_server_joins_them(cluster, machines, kubelets, server):
    cluster.namespace("pair")
    cluster.pod("pair", "server", node="n2", command=machines.serve(8080), ports=[8080])
    cluster.pod("pair", "client", node="n1", command=["sleep", "1000"])
    (serving,), (client,) = cluster.wait_ready("pair", "server", 1), cluster.wait_ready("pair", "client", 1)
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


def test_what_would_see_more_than_the_group_is_refused(machines, tmp_path):
    group = str(machines.groups)
    code, said = Process("agent", "--within", group, "--mode", "sock_diag", "--data-dir", str(tmp_path), expect_ready=False).wait()
    assert code == 1 and "--within" in said


class Gate:
    """Stands before the API server. Who connects waits until it is opened."""

    def __init__(self, port):
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"

    def open(self):
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.port))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def samples(row):
    return row["client_rtt_count"] + row["server_rtt_count"]


@pytest.mark.parametrize("server_node", ["n2", "n3"])
def test_a_flow_is_one_before_and_after_its_names_are_known(cluster, machines, kubelets, tmp_path, server_node):
    """The server's end is told by an agent (n2) or known by its address alone (n3)."""
    name = f"late-{server_node}"
    cluster.namespace(name)
    cluster.pod(name, "server", node=server_node, command=machines.serve(8080), ports=[8080])
    cluster.pod(name, "client", node="n1", command=["sleep", "1000"])
    (serving,), (client,) = cluster.wait_ready(name, "server", 1), cluster.wait_ready(name, "client", 1)
    gate, file = Gate(cluster.plane.api_port), cluster.plane.authority.file
    config = cluster.plane.kubeconfig(name, server=gate.url, client_certificate=file("admin.crt"), client_key=file("admin.key"))
    server = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "server"), "--kubeconfig", config)
    server.folder = tmp_path
    agents = [agent(server, machines, "n1"), agent(server, machines, "n2")]

    def ask():
        machines.exec(client, *machines.client(serving["status"]["podIP"], 8080, "--count", COUNT, "--up", UP, "--down", DOWN))

    def flows(opened):
        found = rows(server, 8080)
        assert total(found, "connections_opened") == opened and total(found, "connections_closed") == opened
        return found
    try:
        eventually(lambda: len(get(server.url, "/api/v1/status")["agents"]) == 2)
        ask()
        (before,) = eventually(lambda: flows(COUNT))
        assert before["client_pod"] == before["server_pod"] == "" and samples(before) > 0
        gate.open()

        def named():
            (row,) = flows(COUNT)
            return (row["client_pod"], row["server_pod"], row["server_namespace"]) == ("client", "server", name) and row
        assert samples(eventually(named)) == samples(before)
        ask()
        (after,) = eventually(lambda: flows(2 * COUNT))
        assert (after["client_pod"], after["server_pod"]) == ("client", "server")
        assert after["bytes_to_client"] == 2 * COUNT * DOWN and after["rtt_p50_us"] > 0
        # The distribution is whole: samples of the time without names are in it.
        assert samples(after) > samples(before)
        assert get(server.url, "/api/v1/flows", since="10m", filter="client_pod = client", limit=1)["totals"]["connections_opened"] == 2 * COUNT
    finally:
        gate.listener.close()
        assert [each.stop() for each in [*agents, server]] == [0, 0, 0]
