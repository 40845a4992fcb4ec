"""The harness itself: pods are what the API server says they are, and their packets arrive."""

import re
import time

import pytest

from kube.cluster import wait_for
from kube.kubelets import ADDRESS


@pytest.fixture(scope="module", autouse=True)
def lab(cluster):
    cluster.namespace("lab")


def test_a_deployments_pods_answer_at_the_addresses_the_api_gives(cluster, machines, kubelets):
    cluster.deployment("lab", "web", 3, command=machines.serve(8080), ports=[8080])
    (client,) = cluster.pod("lab", "client", node="n1", command=["sleep", "1000"]) and cluster.wait_ready("lab", "client", 1)
    pods = cluster.wait_ready("lab", "web")
    assert len({pod["spec"]["nodeName"] for pod in pods}) > 1
    for pod in pods:
        said = machines.exec(client, *machines.client(pod["status"]["podIP"], 8080, "--up", 100, "--down", 5000))
        assert said == "sent=120 received=5000\n"
        group = machines.exec(pod, "cat", "/proc/self/cgroup")
        container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        assert f"pod{pod['metadata']['uid'].replace('-', '_')}.slice/cri-containerd-{container}.scope" in group


def test_a_roll_out_ends_old_pods_and_their_namespaces(cluster, machines, kubelets):
    cluster.deployment("lab", "rolled", 2, command=machines.serve(8081), ports=[8081])
    before = {pod["metadata"]["uid"]: pod for pod in cluster.wait_ready("lab", "rolled")}
    cluster.roll("lab", "rolled")
    cluster.wait_rolled("lab", "rolled")
    after = {pod["metadata"]["uid"] for pod in cluster.wait_ready("lab", "rolled")}
    assert not after & set(before)
    for uid, pod in before.items():
        wait_for("its end in the history", lambda uid=uid: any(each["uid"] == uid and each["event"] == "ended" for each in kubelets.history))
        with pytest.raises(FileNotFoundError):
            machines.netns_inode(pod)


def test_a_service_leads_to_all_of_its_backends_and_refuses_without(cluster, machines, kubelets, proxy):
    made = cluster.service("lab", "web")
    address = made["spec"]["clusterIP"]
    proxy.wait_backends(f"{address}:80", 3)
    (client,) = cluster.wait_ready("lab", "client", 1)
    said = machines.exec(client, *machines.client(address, 80, "--count", 30, "--down", 100))
    assert said == "sent=600 received=3000\n"
    alone = cluster.service("lab", "nobody")["spec"]["clusterIP"]
    proxy.wait_backends(f"{alone}:80", 0)
    outcome = machines.exec(client, "/usr/bin/python3", machines.client(0, 0)[1], "connect", alone, "80", "--timeout", "5")
    assert outcome == "ECONNREFUSED\n"


def test_a_job_succeeds_when_its_process_ends(cluster, kubelets):
    cluster.job("lab", "brief", command=["sleep", "0.2"])
    wait_for("the job", lambda: cluster.get("job", "lab", "brief")["status"].get("succeeded") == 1)
    (pod,) = cluster.items("pod", "lab", "?labelSelector=job-name%3Dbrief")
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


def test_sidecars_share_an_address_and_have_containers_of_their_own(cluster, machines, kubelets):
    containers = [cluster.container("app", machines.serve(8090), [8090]), cluster.container("side", machines.serve(8091), [8091])]
    init = [cluster.container("first", ["true"])]
    cluster.pod("lab", "pair", node="n2", containers=containers, init=init)
    (pod,) = cluster.wait_ready("lab", "pair", 1)
    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    for container, port in (("app", 8091), ("side", 8090)):
        assert machines.exec(pod, *machines.client("127.0.0.1", port, "--down", 10), container=container) == "sent=20 received=10\n"


def test_a_pod_on_the_nodes_network_has_the_nodes_address(cluster, machines, kubelets):
    cluster.pod("lab", "host", node="n1", host_network=True, command=machines.serve(9100))
    (pod,) = cluster.wait_ready("lab", "host", 1)
    assert pod["status"]["podIP"] == cluster.nodes["n1"].address
    (client,) = cluster.wait_ready("lab", "client", 1)
    wait_for("its listener", lambda: machines.is_listening(pod, [9100], kubelets._pods[pod["metadata"]["uid"]].main[0].child))
    assert machines.exec(client, *machines.client(cluster.nodes["n1"].address, 9100, "--down", 10)) == "sent=20 received=10\n"


def test_an_address_is_reused_at_once(cluster, machines, kubelets):
    address = f"10.{cluster.prefix}.1.200"
    (client,) = cluster.wait_ready("lab", "client", 1)
    for name in ("older", "newer"):
        cluster.pod("lab", name, node="n1", annotations={ADDRESS: address}, command=machines.serve(8080), ports=[8080])
        (pod,) = cluster.wait_ready("lab", name, 1)
        assert pod["status"]["podIP"] == address
        assert machines.exec(client, *machines.client(address, 8080, "--down", 10)) == "sent=20 received=10\n"
        cluster.delete("pod", "lab", name)
        cluster.wait_gone("pod", "lab", name)


def test_hosts_outside_are_reached_from_pods(cluster, machines, kubelets):
    space = machines.outside("far", "198.51.100.99")
    machines.outside_process(space, *machines.serve(443))
    (client,) = cluster.wait_ready("lab", "client", 1)

    def answered():
        return re.match("sent=20", machines.exec(client, *machines.client("198.51.100.99", 443, "--down", 10), check=False))
    wait_for("the outside host's answer", answered)


def test_the_api_server_can_be_stopped_and_started_again(cluster, kubelets):
    cluster.plane.restart()
    started = time.monotonic()
    cluster.pod("lab", "later", node="n1", command=["sleep", "100"])
    cluster.wait_ready("lab", "later", 1)
    assert time.monotonic() - started < 30
