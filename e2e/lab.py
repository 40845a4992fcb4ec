"""A small network on one machine: hosts in network namespaces behind a router namespace, made and removed by the
tests. Nothing of the host's own network is changed.

    with Lab(["client", "server"]) as lab:
        lab.run("client", "ping", "-c1", lab.address("server"))
"""

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import time


TRAFFIC = ("/usr/bin/python3", os.path.join(os.path.dirname(__file__), "traffic.py"))


def have_root() -> bool:
    return os.geteuid() == 0


class Lab:
    _serial = 0

    def __init__(self, hosts, prefix=77, tag=None, offloads=True):
        """Without offloads a dropped packet is a dropped segment."""
        Lab._serial += 1
        self.hosts = list(hosts)
        self.prefix = prefix
        self.offloads = offloads
        self.tag = tag or f"weir{os.getpid() % 100000}x{Lab._serial}"
        self.router = f"{self.tag}-router"
        self._children = []

    # --- names and addresses ------------------------------------------------------------------------------------

    def namespace(self, host):
        return self.router if host == "router" else f"{self.tag}-{host}"

    def _index(self, host):
        return self.hosts.index(host) + 1

    def address(self, host, v6=False):
        number = self._index(host)
        return f"fd{self.prefix}:{number}::2" if v6 else f"10.{self.prefix}.{number}.2"

    def subnet(self):
        return f"10.{self.prefix}.0.0/16"

    def netns_inode(self, host):
        return os.stat(f"/run/netns/{self.namespace(host)}").st_ino

    # --- life ---------------------------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _build(self):
        _run("ip", "netns", "add", self.router)
        self.run("router", "ip", "link", "set", "lo", "up")
        self.run("router", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for host in self.hosts:
            number = self._index(host)
            namespace, port = self.namespace(host), f"r{number}"
            _run("ip", "netns", "add", namespace)
            _run("ip", "-n", self.router, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            for where, device, last in ((self.router, port, 1), (namespace, "eth0", 2)):
                if not self.offloads:
                    _run("ip", "netns", "exec", where, "ethtool", "-K", device, "gso", "off", "tso", "off", "gro", "off")
                _run("ip", "-n", where, "addr", "add", f"10.{self.prefix}.{number}.{last}/24", "dev", device)
                _run("ip", "-n", where, "-6", "addr", "add", f"fd{self.prefix}:{number}::{last}/64", "dev", device, "nodad")
                _run("ip", "-n", where, "link", "set", device, "up")
            _run("ip", "-n", namespace, "link", "set", "lo", "up")
            _run("ip", "-n", namespace, "route", "add", "default", "via", f"10.{self.prefix}.{number}.1")
            _run("ip", "-n", namespace, "-6", "route", "add", "default", "via", f"fd{self.prefix}:{number}::1")

    def __exit__(self, *_):
        # The last first: clients before their servers, so that none of them complains.
        for child in reversed(self._children):
            if child.poll() is None:
                child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(5)
        for host in ["router", *self.hosts]:
            subprocess.run(["ip", "netns", "del", self.namespace(host)], stderr=subprocess.DEVNULL, check=False)

    # --- commands -----------------------------------------------------------------------------------------------

    def run(self, host, *command, check=True, timeout=60, text_input=None):
        result = subprocess.run(["ip", "netns", "exec", self.namespace(host), *command], capture_output=True, text=True,
                                timeout=timeout, input=text_input, check=False)
        if check and result.returncode != 0:
            raise RuntimeError(f"{host}: {' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
        return result.stdout

    def start(self, host, *command, **options):
        """A background process; killed when the lab ends."""
        child = subprocess.Popen(["ip", "netns", "exec", self.namespace(host), *command], stdout=subprocess.PIPE,
                                 stdin=subprocess.PIPE, stderr=sys.stderr, text=True, **options)
        self._children.append(child)
        return child

    def traffic(self, host, *arguments, one_cpu=False, **options):
        """`one_cpu`: a burst that moves to another CPU overtakes itself on the way, which is late and not lost."""
        return self.start(host, *(("taskset", "-c", "0") if one_cpu else ()), *TRAFFIC, *arguments, **options)

    def serve(self, host, port, *arguments, one_cpu=False):
        """A traffic server that is ready to accept when this returns."""
        child = self.traffic(host, "serve", str(port), *arguments, one_cpu=one_cpu)
        line = child.stdout.readline()
        if line.strip() != "ready":
            raise RuntimeError(f"traffic server on {host}:{port} did not start: {line!r}")
        return child

    def client(self, host, *arguments, timeout=60, one_cpu=False):
        """Runs a traffic client to its end and returns what it printed."""
        child = self.traffic(host, *arguments, one_cpu=one_cpu)
        out, _ = child.communicate(timeout=timeout)
        if child.returncode != 0:
            raise RuntimeError(f"traffic client failed: {arguments}: {out}")
        return out

    @contextlib.contextmanager
    def inside(self, host):
        """The calling thread in a host's network: its connections and the processes it starts. Mounts stay as they are, which
        `ip netns exec` changes."""
        with open("/proc/thread-self/ns/net", "rb") as here, open(f"/run/netns/{self.namespace(host)}", "rb") as there:
            enter(there)
            try:
                yield
            finally:
                enter(here)

    # --- limits -------------------------------------------------------------------------------------------------

    def shape(self, host, device, *arguments):
        """A token bucket: a limit as a cloud or a CNI plugin sets it."""
        self.run(host, "tc", "qdisc", "add", "dev", device, "root", "handle", "1:", "tbf", *arguments)

    def qdisc(self, host, device, kind):
        """tc's own counters."""
        found = json.loads(self.run(host, "tc", "-s", "-j", "qdisc", "show", "dev", device))
        return next(qdisc for qdisc in found if qdisc["kind"] == kind)

    def drained_qdisc(self, host, device, kind):
        """tc's own counters once nothing waits in the queue: taking a packet out of it counts too."""

        def drained():
            qdisc = self.qdisc(host, device, kind)
            return qdisc["backlog"] == 0 and qdisc

        return eventually(drained)

    def link(self, host, device):
        """ip's own counters."""
        return json.loads(self.run(host, "ip", "-s", "-j", "link", "show", "dev", device))[0]["stats64"]

    def flood(self, host, to, seconds=1):
        """As much TCP as fits, over four connections; returns when the sender has nothing left to send, not even again."""
        self.start(to, "iperf3", "-s", "-1", "--forceflush")
        eventually(lambda: subprocess.run(["ip", "netns", "exec", self.namespace(host), "iperf3", "-c", self.address(to), "-t",
                                           str(seconds), "-P", "4"], capture_output=True, check=False).returncode == 0)
        # iperf3 ends before its connections do: what was lost last is sent again by the kernel, which counts.
        eventually(lambda: not self.run(host, "ss", "-Htn", "state", "connected", "exclude", "time-wait", "dst", self.address(to)))

    def nft(self, host, ruleset):
        self.run(host, "nft", "-f", "-", text_input=ruleset)


def enter(namespace):
    """The calling thread into a network namespace, given as an open file."""
    clone_newnet = 0x40000000
    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), clone_newnet) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*command):
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip()}")


def eventually(check, timeout=30.0, step=0.1):
    """Calls check() until it returns something true; its last failure or value is what fails. An answer that lacks a row, a
    column or a key as yet is a failure like that of an assertion."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = check()
            if value or time.monotonic() > deadline:
                assert value, f"still {value!r} after {timeout} s"
                return value
        except (AssertionError, ValueError, LookupError, StopIteration):
            if time.monotonic() > deadline:
                raise
        time.sleep(step)
