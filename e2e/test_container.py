"""An agent in namespaces of its own, as in a container that was started without the machine's: what it can still know it knows,
and of the rest each probe says that it is missing."""

import os
import socket
import subprocess
import time

import pytest

from lab import Lab, eventually
from weir import Weir, total

OWN_PROCESSES = ["unshare", "-p", "-f", "--mount-proc", "--kill-child"]
PORT = 7840
LATE = 7841
SINK = """
import socket, sys, threading
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
def read(connection):
    while connection.recv(65536): pass
while True: threading.Thread(target=read, args=(listener.accept()[0],), daemon=True).start()
"""
SEND = """
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2]))).sendall(b"x" * int(sys.argv[3]))
"""


def tree():
    for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if os.path.exists(f"{path}/cgroup.controllers"):
            return path
    pytest.skip("SKIPPED: no version 2 control groups")


def probes(weir):
    (agent,) = eventually(lambda: weir.get("/api/v1/status")["agents"])
    return {probe["name"]: probe for probe in agent["probes"]}


def sink(lab, port):
    child = lab.start("server", "/usr/bin/python3", "-c", SINK, str(port))
    assert child.stdout.readline().strip() == "ready"


@pytest.fixture(scope="module")
def network():
    with Lab(["client", "server"], prefix=84) as lab:
        yield lab


def test_without_the_machines_processes_older_sockets_are_complete_or_missed_aloud(network):
    sink(network, PORT)
    with network.inside("client"):
        old = socket.create_connection((network.address("server"), PORT))
    with old, Weir(wrapper=OWN_PROCESSES) as weir:
        told = probes(weir)
        old.sendall(b"x" * 50_000)
        if told["existing_sockets"]["state"] != "on":
            assert "process namespace" in told["existing_sockets"]["reason"]
            assert "--pid host" in told["existing_sockets"]["hint"]
            return
        rows = eventually(lambda: [row for row in weir.flows(f"server_port = {PORT}") if row["bytes_to_server"] >= 50_000])
        assert total(rows, "bytes_to_server") == 50_000
        assert all(row["server_process"] and row["client_process"] for row in rows)
        for name in ("nat", "node_namespaces"):
            assert told[name]["state"] in ("fallback", "off"), told[name]


def test_the_own_network_is_not_called_the_machines(network):
    with Weir(wrapper=["ip", "netns", "exec", network.namespace("client")]) as weir:
        with network.inside("client"):
            told = probes(weir)
        for name in ("node_interfaces", "node_tcp"):
            assert told[name]["state"] == "fallback", told[name]
            assert "--network host" in told[name]["hint"]


def test_in_a_control_group_namespace_containers_keep_their_names(network):
    root = tree()
    tag = f"{root}/weir-container-{os.getpid()}"
    container = "cd34" * 16
    folders = [tag, f"{tag}/docker-{container}.scope", f"{tag}/agent"]
    for folder in folders:
        os.mkdir(folder)
    try:
        sink(network, LATE)
        enter = f'echo $$ > {tag}/agent/cgroup.procs; exec unshare -C -m sh -c \'umount -l /sys/fs/cgroup; ' \
                f'mount -t cgroup2 none /sys/fs/cgroup; exec "$@"\' x "$@"'
        with Weir(wrapper=["sh", "-c", enter, "x"]) as weir:
            told = probes(weir)
            moved = f'echo $$ > {folders[1]}/cgroup.procs; exec "$@"'
            subprocess.run(["sh", "-c", moved, "x", "ip", "netns", "exec", network.namespace("client"), "/usr/bin/python3", "-c", SEND,
                            network.address("server"), str(LATE), "10000"], check=True)
            rows = eventually(lambda: weir.flows(f"server_port = {LATE}"))
            assert total(rows, "bytes_to_server") > 0
            named = all(row["client_container"] == container for row in rows)
            assert named or told["control_groups"]["state"] != "on", told["control_groups"]
    finally:
        for folder in reversed(folders):
            for _ in range(50):
                try:
                    os.rmdir(folder)
                    break
                except OSError:
                    time.sleep(0.1)
