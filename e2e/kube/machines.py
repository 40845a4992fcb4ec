"""Nodes and pods as network namespaces, control groups and processes. Nothing of the host's own network is changed.

Each node is a namespace with a bridge for its pods; a namespace called "wire" connects the nodes, and hosts outside of the
cluster. A pod has its address alone (/32) and reaches even its neighbours through its node, as most CNI plug-ins have it,
so that what a node translates it also translates back. Control groups are named as kubelet and containerd name them."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

from kube.kubelets import PodRuntime

TRAFFIC = pathlib.Path(__file__).parents[1] / "traffic.py"
PYTHON = "/usr/bin/python3"
# Enters the control group first, so that every socket the command opens belongs to it. nsenter leaves mounts alone.
LAUNCH = 'echo $$ >"$1/cgroup.procs" && space=$2 && shift 2 && exec nsenter --net="$space" "$@"'
# A node never tells pods of a shorter way to its other pods, which would lead past what it translates.
FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0")


def run(*command, text=None, check=True):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or text}")
    return done.stdout


def ip(space, *lines):
    """Several commands of ip(8) in a namespace by one process."""
    run("ip", *(["-n", space] if space else []), "-batch", "-", text="\n".join(lines) + "\n")


def group_root():
    for place in (pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified")):
        if (place / "cgroup.controllers").exists() and (place / "cgroup.procs").exists():
            return place
    raise RuntimeError("no control group v2 hierarchy here")


class Machines(PodRuntime):
    _serial = 0

    def __init__(self, cluster, systemd=True):
        """`systemd`: control groups named by that driver; else by cgroupfs."""
        Machines._serial += 1
        self.cluster, self.systemd = cluster, systemd
        self.tag = f"k{os.getpid() % 100000}x{Machines._serial}"
        self.groups = group_root() / f"weir-{self.tag}"
        self.logs = cluster.plane.folder / "logs"
        self._lock = threading.Lock()
        self._nodes, self._spaces, self._groups = set(), set(), {}
        self._own, self._links, self._pod_links = [], 0, {}

    def __enter__(self):
        try:
            self.groups.mkdir()
            self.logs.mkdir(exist_ok=True)
            prefix = self.cluster.prefix
            self._add_space(self.wire)
            run("ip", "netns", "exec", self.wire, "sysctl", "-qw", *FORWARDING)
            ip(self.wire, "link set lo up", f"link add nodes address {self._bridge_mac(0)} type bridge", "link set nodes up", f"addr add 10.{prefix}.0.1/24 dev nodes",
               f"addr add fd00:{prefix}::1/64 dev nodes nodad")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in reversed(self._own):  # clients before their servers
            self._kill([child], 0)
        for path in sorted(self.groups.rglob("cgroup.procs"), key=lambda each: -len(each.parts)):
            for line in path.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), signal.SIGKILL)
        for space in list(self._spaces):
            run("ip", "netns", "del", space, check=False)
        self._remove_group(self.groups)

    # --- names --------------------------------------------------------------------------------------------------

    @property
    def wire(self):
        return f"{self.tag}-wire"

    def node_space(self, name):
        """The network namespace of a node."""
        self._ensure_node(self.cluster.nodes[name])
        return f"{self.tag}-{name}"

    def node_group(self, name):
        """The control group of everything that runs on a node, for `weir agent --within`."""
        self._ensure_node(self.cluster.nodes[name])
        return self.groups / name

    def pod_space(self, pod):
        if pod["spec"].get("hostNetwork"):
            return self.node_space(pod["spec"]["nodeName"])
        return f"{self.tag}-p{pod['metadata']['uid'].replace('-', '')[:20]}"

    def container_group(self, pod, container_id):
        uid, base = pod["metadata"]["uid"], self.node_group(pod["spec"]["nodeName"])
        if not self.systemd:
            return base / "kubepods" / "besteffort" / f"pod{uid}" / container_id
        quality = base / "kubepods.slice" / "kubepods-besteffort.slice"
        return quality / f"kubepods-besteffort-pod{uid.replace('-', '_')}.slice" / f"cri-containerd-{container_id}.scope"

    def netns_inode(self, pod):
        return os.stat(f"/run/netns/{self.pod_space(pod)}").st_ino

    # --- networks -----------------------------------------------------------------------------------------------

    def _add_space(self, name):
        run("ip", "netns", "add", name)
        self._spaces.add(name)

    def _remove_space(self, name):
        run("ip", "netns", "del", name, check=False)
        self._spaces.discard(name)

    def _next_link(self):
        with self._lock:
            self._links += 1
            return f"{self.tag}v{self._links}"[-15:]

    def _ensure_node(self, node):
        with self._lock:
            if node.name in self._nodes:
                return
            space, number, prefix = f"{self.tag}-{node.name}", node.number, self.cluster.prefix
            (self.groups / node.name).mkdir()
            self._add_space(space)
            run("ip", "netns", "exec", space, "sysctl", "-qw", *FORWARDING)
            ip(self.wire, f"link add n{number} type veth peer name eth0 netns {space}", f"link set n{number} master nodes up",
               f"route add {node.pod_cidr} via {node.address}", f"route add {node.pod_cidr6} via {node.address6}")
            ip(space, "link set lo up", f"addr add {node.address}/24 dev eth0", f"addr add {node.address6}/64 dev eth0 nodad", "link set eth0 up",
               f"route add default via 10.{prefix}.0.1", f"route add default via fd00:{prefix}::1",
               f"link add pods0 address {self._bridge_mac(number)} type bridge", "link set pods0 up",
               f"addr add {self._gateway(node)}/24 dev pods0", f"addr add fd00:{prefix}:{number:x}::1/64 dev pods0 nodad")
            for other in self._nodes:
                there = self.cluster.nodes[other]
                ip(space, f"route add {there.pod_cidr} via {there.address}", f"route add {there.pod_cidr6} via {there.address6}")
                ip(f"{self.tag}-{other}", f"route add {node.pod_cidr} via {node.address}", f"route add {node.pod_cidr6} via {node.address6}")
            self._nodes.add(node.name)

    def _bridge_mac(self, number):
        """A bridge without an address of its own takes the lowest of its ports', another one whenever a pod comes or goes.
        Its neighbours notice that after up to a minute."""
        return f"02:77:00:{self.cluster.prefix:02x}:{number:02x}:01"

    def _gateway(self, node):
        return f"10.{self.cluster.prefix}.{node.number}.1"

    def outside(self, name, address):
        """A host that is not of the cluster, at an address of the test's choice; returns its namespace, for inside()."""
        space, link = f"{self.tag}-{name}", self._next_link()
        self._add_space(space)
        ip(self.wire, f"link add {link} type veth peer name eth0 netns {space}", f"link set {link} up", f"addr add 169.254.0.1/32 dev {link}",
           f"route add {address}/32 dev {link}")
        ip(space, "link set lo up", f"addr add {address}/32 dev eth0", "link set eth0 up", "route add 169.254.0.1 dev eth0", "route add default via 169.254.0.1")
        return space

    def start_sandbox(self, pod, node, addresses):
        self._ensure_node(node)
        if pod["spec"].get("hostNetwork"):
            return
        space, link = self.pod_space(pod), self._next_link()
        self._add_space(space)
        self._pod_links[space] = link
        ip(f"{self.tag}-{node.name}", f"link add {link} type veth peer name eth0 netns {space}", f"link set {link} master pods0 up",
           # A neighbour of the same address that has gone is forgotten at once, as a CNI plug-in's announcement would have it.
           *(f"neigh flush dev pods0 to {address}" for address in addresses))
        steps = ["link set lo up", "link set eth0 up"]
        for address in addresses:
            six = ":" in address
            gateway = f"fd00:{self.cluster.prefix}:{node.number:x}::1" if six else self._gateway(node)
            size, last = (128, " nodad") if six else (32, "")
            steps += [f"addr add {address}/{size} dev eth0{last}", f"route add {gateway} dev eth0", f"route add default via {gateway} dev eth0"]
        ip(space, *steps)

    # --- processes ----------------------------------------------------------------------------------------------

    def start_container(self, pod, container, container_id):
        command = [*container.get("command", []), *container.get("args", [])]
        group = self.container_group(pod, container_id)
        group.mkdir(parents=True)
        self._groups[pod["metadata"]["uid"], container["name"]] = group
        if not command:
            return None
        name = pod["metadata"]
        env = {"POD_NAME": name["name"], "POD_NAMESPACE": name["namespace"], "POD_UID": name["uid"], "NODE_NAME": pod["spec"]["nodeName"],
               **{each["name"]: each.get("value", "") for each in container.get("env", [])}}
        return self._launch(group, self.pod_space(pod), command, self.log(pod, container["name"]), env)

    def _launch(self, group, space, command, log, env=None):
        with open(log, "ab") as output:
            return subprocess.Popen(["/bin/sh", "-c", LAUNCH, "sh", str(group), f"/run/netns/{space}", *map(str, command)],
                                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **(env or {})}, start_new_session=True)

    def log(self, pod, container="app"):
        """What a container printed so far."""
        return self.logs / f"{pod['metadata']['namespace']}_{pod['metadata']['name']}_{container}.log"

    def is_listening(self, pod, ports, child):
        found = set()
        for table in ("tcp", "tcp6"):
            with contextlib.suppress(OSError):
                for line in pathlib.Path(f"/proc/{child.pid}/net/{table}").read_text().splitlines()[1:]:
                    fields = line.split()
                    if fields[3] == "0A":
                        found.add(int(fields[1].rsplit(":", 1)[1], 16))
        return set(ports) <= found

    def stop(self, pod, children, grace):
        self._kill(children, grace)
        if not pod["spec"].get("hostNetwork"):
            space = self.pod_space(pod)
            # The kernel takes a namespace down some time after its deletion. Until then it would go on answering for its address.
            if link := self._pod_links.pop(space, None):
                run("ip", "-n", f"{self.tag}-{pod['spec']['nodeName']}", "link", "del", link, check=False)
            self._remove_space(space)
        for key in [each for each in self._groups if each[0] == pod["metadata"]["uid"]]:
            group = self._groups.pop(key)
            self._remove_group(group)
            with contextlib.suppress(OSError):
                group.parent.rmdir()

    @staticmethod
    def _kill(children, grace):
        """Whole process groups: a container may have started others."""
        def signal_all(number):
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, number)
        signal_all(signal.SIGTERM)
        deadline = time.monotonic() + grace
        for child in children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
        signal_all(signal.SIGKILL)
        for child in children:
            child.wait()

    def _remove_group(self, group):
        """A control group is empty some milliseconds after its last process was waited for."""
        for _ in range(200):
            for path in sorted((each for each in group.rglob("*") if each.is_dir()), key=lambda each: -len(each.parts)):
                with contextlib.suppress(OSError):
                    path.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()
            if not group.exists():
                return
            time.sleep(0.01)

    # --- what tests run -----------------------------------------------------------------------------------------

    def exec(self, pod, *command, container=None, check=True, timeout=60):
        """As `kubectl exec`: in a running container's network and control group, to its end; returns what it printed."""
        name = container or pod["spec"]["containers"][0]["name"]
        group = self._groups[pod["metadata"]["uid"], name]
        return self._complete(group, self.pod_space(pod), command, check, timeout)

    def start(self, pod, *command, container=None):
        """The same, going on in the background until Machines ends; what it prints goes to the container's log."""
        name = container or pod["spec"]["containers"][0]["name"]
        child = self._launch(self._groups[pod["metadata"]["uid"], name], self.pod_space(pod), command, self.log(pod, name))
        self._own.append(child)
        return child

    def on_node(self, node, *command, unit="node-agent.service"):
        """A process of the node itself, in its network and in a systemd unit's control group; in the background."""
        group = self.node_group(node) / "system.slice" / unit
        group.mkdir(parents=True, exist_ok=True)
        child = self._launch(group, self.node_space(node), command, self.logs / f"{node}_{unit}.log")
        self._own.append(child)
        return child

    def outside_process(self, space, *command):
        """A process on a host from outside(), in the background."""
        group = self.groups / "outside"
        group.mkdir(exist_ok=True)
        child = self._launch(group, space, command, self.logs / f"{space}.log")
        self._own.append(child)
        return child

    def _complete(self, group, space, command, check, timeout):
        done = subprocess.run(["/bin/sh", "-c", LAUNCH, "sh", str(group), f"/run/netns/{space}", *map(str, command)], capture_output=True, text=True,
                              timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @staticmethod
    def serve(port, *options):
        """The command of a traffic server, for a container; see traffic.py."""
        return [PYTHON, str(TRAFFIC), "serve", str(port), *map(str, options)]

    @staticmethod
    def client(address, port, *options):
        """The command of a traffic client; it prints what it sent and received."""
        return [PYTHON, str(TRAFFIC), "get", str(address), str(port), *map(str, options)]

    def nft(self, space, ruleset):
        run("ip", "netns", "exec", space, "nft", "-f", "-", text=ruleset)

    @staticmethod
    def tools_missing():
        return [each for each in ("ip", "nft", "nsenter", "openssl") if shutil.which(each) is None]
