"""Weir beside a cluster of the harness: a server that follows its API, an agent per node, and the truth to compare with."""

import collections
import re
import shutil
import tempfile

from kube.cluster import wait_for
from kube.machines import PYTHON, TRAFFIC
from lab import eventually
from weir import Process, get

LINE = re.compile(r"^(\S+) (\d+) (\d+) (\d+)$")


class Named:
    """`cluster`, `machines` and `kubelets` run and outlive it."""

    def __init__(self, cluster, machines, kubelets, *server_options, agent_options=()):
        self.cluster, self.machines, self.kubelets = cluster, machines, kubelets
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.server_options, self.agent_options = server_options, agent_options
        self.server, self.agents = None, {}

    def __enter__(self):
        self.start_server()
        for node in self.cluster.nodes:
            self.start_agent(node)
        eventually(lambda: len(self.status()["agents"]) == len(self.cluster.nodes))
        eventually(lambda: all(each["state"] in ("watching", "absent") for each in self.status()["kubernetes"]["watches"]), 60)
        return self

    def __exit__(self, *_):
        codes = [agent.stop() for agent in self.agents.values()]
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert codes == [0] * len(codes)

    def start_server(self, listen="127.0.0.1:0"):
        self.server = Process("server", "--listen", listen, "--data-dir", f"{self.folder}/server", "--kubeconfig", self.kubeconfig(),
                              "--cluster", "test", *self.server_options)
        self.url = self.server.url

    def kubeconfig(self):
        file = self.cluster.plane.authority.file
        return self.cluster.plane.kubeconfig("named", client_certificate=file("admin.crt"), client_key=file("admin.key"))

    def start_agent(self, node, *options, node_signals="off", metrics="off"):
        self.agents[node] = Process("agent", "--server", self.url, "--node", node, "--within", str(self.machines.node_group(node)), "--node-signals",
                                    node_signals, "--metrics-listen", metrics, "--data-dir", f"{self.folder}/{node}", *self.agent_options, *options,
                                    expect_ready=False)
        # Before that a signal just ends it.
        wait_for(f"the agent of {node}", lambda: any("observes this node" in line for line in self.agents[node].log))

    # --- what Weir says -----------------------------------------------------------------------------------------

    def status(self):
        return get(self.url, "/api/v1/status")

    def flows(self, filter, group_by=None, **parameters):
        more = {"group_by": group_by} if group_by else {}
        return get(self.url, "/api/v1/flows", since="1h", limit=10_000, filter=filter, **more, **parameters)["rows"]

    def edges(self, filter):
        """(client pod, server pod) -> (bytes to the server, bytes to the client)"""
        return {(row["client_pod"], row["server_pod"]): (row["bytes_to_server"], row["bytes_to_client"])
                for row in self.flows(filter, "client_pod,server_pod")}

    # --- what is true -------------------------------------------------------------------------------------------

    def logging_server(self, port, *options):
        """The command of a traffic server that keeps an access log; for truth()."""
        more = " ".join(map(str, options))
        return ["/bin/sh", "-c", f"exec {PYTHON} {TRAFFIC} serve {port} {more} --log {self.folder}/access-$POD_NAMESPACE-$POD_NAME"]

    def truth(self, namespace, *prefixes):
        """As edges(), by the access logs of pods whose names begin so; clients by the addresses they had."""
        holders = collections.defaultdict(set)
        for event in self.kubelets.history:
            for address in event["addresses"]:
                holders[address].add(event["name"])
        sums = collections.defaultdict(lambda: (0, 0))
        for event in self.kubelets.history:
            name = event["name"]
            if event["event"] != "started" or event["namespace"] != namespace or not name.startswith(prefixes):
                continue
            for peer, up, down in self.access_log(namespace, name):
                (client,) = holders[peer]
                up_before, down_before = sums[client, name]
                sums[client, name] = (up_before + up, down_before + down)
        return dict(sums)

    def access_log(self, namespace, name):
        try:
            with open(f"{self.folder}/access-{namespace}-{name}", encoding="ascii") as log:
                lines = [LINE.match(line) for line in log]
        except FileNotFoundError:
            return
        for found in filter(None, lines):
            yield found[1].removeprefix("::ffff:"), int(found[3]), int(found[4])

    def wait_equal(self, filter, truth, seconds=40):
        """Until Weir's edges are the true ones; else shows both."""
        def same():
            want, got = truth(), self.edges(filter)
            assert got == want
            return True
        eventually(same, seconds)
