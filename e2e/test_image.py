"""The container images without a container engine: their root file systems made from deploy/Dockerfile, and the containers that the chart asks for run
from them, with the mounts, users and capabilities that it gives and no others."""

import contextlib
import json
import os
import re
import subprocess

import pytest

import containers
from debian_root import Root
from lab import Lab, eventually
from packages import store_package, weir_package
from test_chart import container, find, render
from weir import ROOT

NEEDS_KUBERNETES = True  # for helm
DOCKERFILE = os.path.join(ROOT, "deploy", "Dockerfile")
TOKEN = "a-token-for-the-tests-0123456789"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    weir, store = weir_package(), store_package()
    with Root([weir, store]) as root:
        # The mirror is not asked: what the packages depend on stands in the root already.
        for sources in [root.file("/etc/apt/sources.list"), *root.file("/etc/apt/sources.list.d").glob("*")]:
            sources.unlink(missing_ok=True)
        for package in (weir, store):
            (folder / os.path.basename(package)).touch()
            subprocess.run(["mount", "--bind", package, folder / os.path.basename(package)], check=True)
        try:
            yield root, containers.build(root, DOCKERFILE, "server", {"/src/build/package": str(folder)})
        finally:
            for package in (weir, store):
                subprocess.run(["umount", "-l", folder / os.path.basename(package)], check=True)


@pytest.fixture(scope="module")
def cluster(image, tmp_path_factory):
    """A node with a pod beside it: the server and the agent of the chart, from the image."""
    root, started = image
    objects = render('token.existingSecret="t"', 'agent.server="http://127.0.0.1:7600"')
    volumes = tmp_path_factory.mktemp("volumes")
    token = containers.folder(volumes, "token", 7600, token=TOKEN)
    with Lab(["node", "pod"]) as lab, contextlib.ExitStack() as undo:
        netns = lab.namespace("node")
        server = containers.Container(root, started, find(objects, "StatefulSet")["spec"]["template"], netns,
                                      {"token": token, "data": containers.folder(volumes, "store", 7600), "tmp": containers.folder(volumes, "tmp", 7600)})
        undo.callback(server.stop)
        server.start()
        agent = containers.Container(root, started, find(objects, "DaemonSet")["spec"]["template"], netns,
                                     {"token": token, "data": containers.folder(volumes, "agent"), "cgroup": "/sys/fs/cgroup", "netns": "/run/netns"},
                                     env={"NODE_NAME": "n1"})
        undo.callback(agent.stop)
        agent.start()
        yield lab, server, agent, token


def ask(lab, root, token, *words):
    command = ["nsenter", f"--net=/run/netns/{lab.namespace('node')}", "unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$0/mnt" && shift && exec chroot "$0" "$@"',
               str(root.path), str(token), "weir", *words, "--token-file", "/mnt/token", "-o", "json"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return json.loads(said.stdout) if said.returncode == 0 else None


def test_the_image_starts_with_weir_up(image):
    root, started = image
    assert started == {"ENTRYPOINT": ["weir"], "CMD": ["up"]}
    assert containers.stages(DOCKERFILE)["agent"][1][-1] == ("CMD", '["agent"]')
    assert root.run("weir", "version").stdout.startswith("weir ")
    # Neither compilers nor lists of packages come along.
    assert not list(root.file("/var/lib/apt/lists").glob("*_Packages"))
    assert "not found" not in root.run("ldd", "/usr/bin/weir").stdout


def test_the_charts_containers_observe_a_node_and_its_pods(image, cluster):
    root, _ = image
    lab, server, agent, token = cluster

    def status():
        assert server.child.poll() is None, server.said()
        assert agent.child.poll() is None, agent.said()
        return ask(lab, root, token, "status")

    eventually(lambda: (now := status()) and now["agents"] and len(now["agents"][0]["probes"]) > 10, timeout=60)
    (seen,) = status()["agents"]
    assert seen["node"] == "n1" and seen["mode"] == "ebpf"
    lacking = [probe for probe in seen["probes"] if re.search(r"permi|denied|not allowed|CAP_|EPERM", json.dumps(probe), re.I) or probe["state"] == "error"]
    assert lacking == []

    serve = lab.start("node", "/usr/bin/python3", "-c",
                      "import socket; s = socket.create_server(('0.0.0.0', 7001)); print('ready', flush=True)\n"
                      "c = s.accept()[0]\nn = 0\nwhile b := c.recv(1 << 16): n += len(b)\nc.sendall(b'%d' % n); c.close()")
    assert serve.stdout.readline() == "ready\n"
    said = lab.run("pod", "/usr/bin/python3", "-c",
                   f"import socket; c = socket.create_connection(('{lab.address('node')}', 7001)); c.sendall(b'x' * 123456); c.shutdown(1); print(c.recv(99))")
    assert "123456" in said
    serve.wait(10)

    def rows():
        found = ask(lab, root, token, "flows", "--since", "5m", "--filter", "server_port = 7001") or []
        return found if sum(row["bytes_to_server"] for row in found) >= 123456 else None

    (row,) = eventually(rows, timeout=60)
    assert row["bytes_to_server"] == 123456 and row["bytes_to_client"] == 6
    # Processes outside of the agent's container have names: it sees those of its node.
    assert row["client_process"].startswith("python3") and row["server_process"].startswith("python3")


def test_containers_have_the_rights_of_the_chart_and_no_others(cluster):
    _, server, agent, _ = cluster

    def bounds(pid):
        text = open(f"/proc/{pid}/status").read()
        return int(re.search(r"^CapBnd:\s*(\S+)", text, re.M).group(1), 16), re.search(r"^Uid:\s*(\d+)", text, re.M).group(1)

    numbers = {"BPF": 39, "PERFMON": 38, "NET_ADMIN": 12, "SYS_PTRACE": 19, "DAC_READ_SEARCH": 2, "SYS_ADMIN": 21, "SYSLOG": 34}
    granted = container(render(), "DaemonSet")["securityContext"]["capabilities"]["add"]
    allowed = sum(1 << numbers[name] for name in granted)
    bounding, user = bounds(agent.pid())
    assert bounding & ~allowed == 0 and user == "0"
    assert bounds(server.pid()) == (0, "7600")


def test_an_agent_that_ends_takes_nothing_with_it(image, cluster):
    root, _ = image
    lab, server, agent, token = cluster
    agent.stop()
    assert agent.child.returncode == 0, agent.said()
    assert ask(lab, root, token, "flows", "--since", "1h", "--filter", "server_port = 7001")
    server.stop()
    assert server.child.returncode == 0 and "stopping on SIGTERM" in server.said()
