"""`weir server` beside a real API server: what it follows, what it asks for, and what it says when that goes wrong."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.parse

import pytest

from kube import assets
from kube.cluster import Cluster, wait_for
from kube.kubelets import Kubelets
from lab import eventually
from weir import BINARY, Process, get

NEEDS_KUBERNETES = True
FOLLOWED = {"pods", "services", "nodes", "namespaces", "endpointslices", "replicasets", "jobs"}
GRANTED = {"pods", "services", "nodes", "namespaces", "discovery.k8s.io/endpointslices", "apps/replicasets", "batch/jobs",
           "s3.csi.aws.com/mountpoints3podattachments"}
MANY = 10_000
DISCOVERY = {"/apis/discovery.k8s.io", "/apis/s3.csi.aws.com"}


@pytest.fixture(scope="module")
def cluster():
    assets.need()
    with Cluster(prefix=123) as running:
        running.node("n1", zone="eu-1a")
        running.node("n2", zone="eu-1b")
        running.namespace("shop")
        running.account = running.reader()
        yield running


@pytest.fixture(scope="module")
def kubelets(cluster):
    with Kubelets(cluster) as running:
        yield running


class Server:
    """`weir server` that follows a cluster."""

    def __init__(self, *arguments, env=None, wrapper=()):
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.process = Process("server", "--listen", "127.0.0.1:0", "--data-dir", self.folder, *arguments, env=env, wrapper=wrapper)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self):
        return get(self.process.url, "/api/v1/status")

    def watches(self):
        return {each["resource"]: each for each in self.status()["kubernetes"]["watches"]}

    def watch(self, resource):
        return self.watches()[resource]

    def wait_state(self, state, resources=FOLLOWED, seconds=60):
        def reached():
            watches = self.watches()
            return all(watches[each]["state"] == state for each in resources) and watches
        return wait_for(f"{resources} {state}", reached, seconds)

    def wait_objects(self, cluster, resource="pods", kind="pod", seconds=30):
        """Until it knows as many as the API server lists."""
        path = urllib.parse.urlsplit(cluster.path(kind, "NS")).path.replace("/namespaces/NS", "")
        wait_for(f"all {resource}", lambda: self.watch(resource)["objects"] == len(cluster.api.get(path)["items"]), seconds)


@pytest.fixture()
def server(cluster):
    config = cluster.plane.kubeconfig("reader", tokenFile=cluster.account / "token")
    with Server("--kubeconfig", config) as running:
        running.wait_state("watching")
        yield running


def test_it_follows_every_kind_and_counts_what_the_api_lists(cluster, kubelets, server):
    cluster.deployment("shop", "web", 3)
    cluster.service("shop", "web")
    cluster.job("shop", "once")
    cluster.wait_ready("shop", "web")
    for resource, kind in (("pods", "pod"), ("services", "service"), ("nodes", "node"), ("namespaces", "namespace"), ("replicasets", "replicaset"),
                           ("jobs", "job"), ("endpointslices", "endpointslice")):
        server.wait_objects(cluster, resource, kind)
    status = server.status()["kubernetes"]
    assert status["followed"] and status["server"] == cluster.plane.url and status["cluster"] == "test"
    assert server.watch("mountpoints3podattachments")["state"] == "absent"
    assert server.status()["problems"] == []
    metrics = get(server.process.url, "/metrics")
    assert "weir_kube_watching 7" in metrics
    shown = subprocess.run([BINARY, "status", "--server", server.process.url], capture_output=True, text=True, check=True).stdout
    assert "kubernetes: test " in shown and "endpointslices" in shown
    cluster.scale("shop", "web", 0)
    wait_for("the end of the pods", lambda: not cluster.ready_pods("shop", "web"))
    server.wait_objects(cluster)


def test_it_asks_for_nothing_that_its_role_does_not_grant(cluster, kubelets, server):
    asked = cluster.audited()
    assert {verb for verb, _, _ in asked} <= {"get", "list", "watch"}
    assert {what for _, what, _ in asked} <= GRANTED | DISCOVERY
    assert {what for _, what, _ in asked} >= GRANTED - {"s3.csi.aws.com/mountpoints3podattachments"} | DISCOVERY
    role = cluster.get("clusterrole", "", "weir-reader")
    rules = {"/".join(filter(None, (group, resource))) for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]}
    assert rules == GRANTED
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_an_api_that_is_installed_later_is_found(cluster):
    cluster.attachments()
    try:
        config = cluster.plane.kubeconfig("reader", tokenFile=cluster.account / "token")
        with Server("--kubeconfig", config) as server:
            server.wait_state("watching", FOLLOWED | {"mountpoints3podattachments"})
            cluster.attachment("a", "n1", "mp-1", "uid-1")
            wait_for("the attachment", lambda: server.watch("mountpoints3podattachments")["objects"] == 1)
    finally:
        cluster.delete("customresourcedefinition", "", "mountpoints3podattachments.s3.csi.aws.com")


def test_a_restart_of_the_api_server_loses_nothing(cluster, kubelets, server):
    before = server.watches()
    cluster.plane.stop_part("kube-apiserver")
    retrying = server.wait_state("retrying")
    assert "cannot be reached for pods" in retrying["pods"]["problem"]
    assert any("cannot be reached" in each for each in server.status()["problems"])
    cluster.plane.start_part("kube-apiserver")
    cluster.pod("shop", "after-restart", node="n1")
    server.wait_state("watching")
    server.wait_objects(cluster)
    assert server.watch("pods")["lists"] == before["pods"]["lists"]  # the watch went on where it was
    assert server.status()["problems"] == []
    cluster.delete("pod", "shop", "after-restart", 0)


def test_a_version_that_is_too_old_makes_a_new_list(cluster, kubelets, server):
    before = server.watch("pods")
    cluster.plane.stop_part("kube-apiserver")
    server.wait_state("retrying")
    cluster.plane.restart(flags=["--watch-cache=false"])
    try:
        # Objects change and are forgotten while nobody watches: what weir knew is older than all history.
        cluster.pod("shop", "during", node="n1")
        server.wait_state("watching")
        cluster.plane.stop_part("kube-apiserver")
        server.wait_state("retrying")
        cluster.plane.start_part("kube-apiserver")
        cluster.delete("pod", "shop", "during", 0)
        cluster.compact()
        server.wait_state("watching")
        server.wait_objects(cluster)
        wait_for("a new list", lambda: server.watch("pods")["lists"] > before["lists"] or server.watch("pods")["events"] > before["events"])
    finally:
        cluster.plane.restart(flags=[])
    server.wait_state("watching")


def test_a_forbidden_kind_is_said_and_followed_once_it_is_granted(cluster, kubelets):
    role = cluster.get("clusterrole", "", "weir-reader")
    less = [{**rule, "resources": [each for each in rule["resources"] if each != "services"]} for rule in role["rules"]]
    cluster.api.patch(cluster.path("clusterrole", "", "weir-reader"), {"rules": less}, "merge")
    config = cluster.plane.kubeconfig("reader", tokenFile=cluster.account / "token")
    with Server("--kubeconfig", config) as server:
        server.wait_state("watching", FOLLOWED - {"services"})
        denied = server.wait_state("denied", {"services"})["services"]
        assert "services is forbidden" in denied["problem"]
        assert "deploy/kubernetes/rbac.yaml" in denied["problem"]
        assert any("addresses of services have no names" in each for each in server.status()["problems"])
        cluster.api.patch(cluster.path("clusterrole", "", "weir-reader"), {"rules": role["rules"]}, "merge")
        server.wait_state("watching")


def test_a_token_that_is_replaced_is_read_again(cluster, kubelets, server):
    folder = cluster.account
    (folder / "token").write_text("no token at all")
    cluster.plane.restart()
    denied = server.wait_state("denied")
    assert "Unauthorized" in denied["pods"]["problem"] and "does not let Weir read pods" in denied["pods"]["problem"]
    cluster.rotate_token(folder)
    server.wait_state("watching")
    os.unlink(folder / "token")
    cluster.plane.restart()
    wait_for("a word about the file", lambda: "token" in server.watch("pods")["problem"])
    cluster.rotate_token(folder)
    server.wait_state("watching")


def test_a_pod_finds_its_own_cluster(cluster, kubelets):
    """In a mount namespace where the service account's folder is, as kubelet lays it."""
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = f'mount -t tmpfs none /var/run/secrets && mkdir -p {place} && mount --bind {cluster.account} {place} && exec "$@"'
    made = not os.path.isdir("/var/run/secrets")
    os.makedirs("/var/run/secrets", exist_ok=True)
    try:
        env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(cluster.plane.api_port)}
        with Server("--cluster", "prod", env=env, wrapper=("unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh")) as server:
            server.wait_state("watching")
            status = server.status()["kubernetes"]
            assert status["credentials"] == "the pod's service account" and status["cluster"] == "prod"
    finally:
        if made:
            with contextlib.suppress(OSError):
                os.rmdir("/var/run/secrets")


def test_client_certificates_are_shown(cluster, kubelets):
    with Server("--kubeconfig", cluster.plane.admin_kubeconfig) as server:
        server.wait_state("watching")
        server.wait_objects(cluster)


class CuttingProxy:
    """Bytes pass both ways until cut(), which ends all connections wherever they are."""

    def __init__(self, port):
        self.port, self.cuts, self._pairs = port, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.port))
                self._pairs.append((near, far))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1000):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def cut(self):
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self.cuts += 1


def test_connections_that_are_cut_anywhere_lose_nothing(cluster, kubelets):
    proxy = CuttingProxy(cluster.plane.api_port)
    config = cluster.plane.kubeconfig("cut", server=proxy.url, tokenFile=cluster.account / "token")
    with Server("--kubeconfig", config) as server:
        server.wait_state("watching")
        for i in range(6):
            cluster.pod("shop", f"cut-{i}", node="n1")
            proxy.cut()
            cluster.delete("pod", "shop", f"cut-{i}", 0)
            cluster.pod("shop", f"kept-{i}", node="n1")
        server.wait_objects(cluster)
        server.wait_state("watching")
        for i in range(6):
            cluster.delete("pod", "shop", f"kept-{i}", 0)
        server.wait_objects(cluster)
    proxy.listener.close()


def test_an_api_server_that_stops_answering_is_waited_for_and_stops_nobody(cluster, kubelets):
    config = cluster.plane.kubeconfig("reader", tokenFile=cluster.account / "token")
    with Server("--kubeconfig", config) as server:
        server.wait_state("watching")
        part = cluster.plane.parts["kube-apiserver"]
        part.freeze()
        try:
            with Server("--kubeconfig", config) as late:
                wait_for("its first question", lambda: late.watch("pods")["state"] in ("starting", "listing"))
                assert late.status()["kubernetes"]["followed"]
        finally:  # `late` has stopped although nothing answered it
            part.thaw()
        cluster.pod("shop", "thawed", node="n1")
        server.wait_objects(cluster)
        cluster.delete("pod", "shop", "thawed", 0)


@pytest.mark.parametrize("arguments, words", [
    (("--kubernetes", "on"), "--kubeconfig"),
    (("--kubeconfig", "/nonexistent"), "/nonexistent"),
])
def test_what_is_demanded_and_not_there_is_refused_at_the_start(arguments, words, tmp_path):
    env = {"HOME": str(tmp_path), "KUBECONFIG": "", "KUBERNETES_SERVICE_HOST": ""}
    code, said = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), *arguments, env=env, expect_ready=False).wait()
    assert code == 1 and words in said


def test_exec_plugins_are_refused_with_a_remedy(tmp_path):
    config = tmp_path / "config"
    config.write_text("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://x'}}]\n"
                      "users: [{name: u, user: {exec: {command: aws, args: [eks, get-token]}}}]\n")
    code, said = Process("server", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--kubeconfig", str(config), expect_ready=False).wait()
    assert code == 1 and "exec" in said and "service account" in said


def test_without_kubernetes_nothing_is_followed_and_nothing_is_wrong(tmp_path):
    with Server("--kubernetes", "auto", env={"KUBERNETES_SERVICE_HOST": ""}) as server:
        status = eventually(server.status)
        assert not status["kubernetes"]["followed"] and "not a pod" in status["kubernetes"]["off_reason"]
        assert status["problems"] == []


def test_ten_thousand_pods_fit():
    """Memory: at most 200 MB more. Times are in bench/."""
    assets.need("etcd", "kube-apiserver")
    with Cluster(prefix=124, controllers=False) as cluster:
        cluster.account = cluster.reader()
        cluster.namespace("big")
        config = cluster.plane.kubeconfig("reader", tokenFile=cluster.account / "token")
        with Server("--kubeconfig", config) as server:
            server.wait_state("watching")
            before = resident(server.process.pid)
            cluster.many_pods("big", MANY, running=10)
            wait_for("all pods", lambda: server.watch("pods")["objects"] == MANY, 60)
            assert resident(server.process.pid) - before < 200e6
            assert server.watch("pods")["refused"] == 0
        with Server("--kubeconfig", config) as server:
            wait_for("all pods", lambda: server.watch("pods")["objects"] == MANY, 60)
            pages = [each for each in cluster.audited() if each[0] == "list" and each[1] == "pods"]
            assert len(pages) >= 1 + MANY // 500  # an empty list of the first server, the pages of the second


def resident(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


