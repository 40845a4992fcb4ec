"""The small cluster of the demo: three nodes in three zones, an agent on each that sees its own node only, and a server.

Nodes and pods are network namespaces and control groups of this machine; who they are says a Kubernetes API server, a real one
where its programs are there, else the small one of stand_in.py with the same objects."""

import contextlib
import json
import pathlib
import re
import shutil
import socket
import tempfile
import threading
import time

from kube import assets
from kube.cluster import Cluster, wait_for
from kube.kubelets import Kubelets
from kube.machines import PYTHON, Machines, run
from kube.service_proxy import ServiceProxy
from lab import enter
from weir import BINARY, Process, get

from demo.stand_in import StandIn

APPS = pathlib.Path(__file__).with_name("apps.py")
STORE = "198.51.100.10"
STORE_PORT = 9000
REGION = "eu-central-1"
NODES = {"cpu-1": "a", "cpu-2": "b", "gpu-1": "c"}  # the zone's letter
BASELINE_MBITS = 200  # of gpu-1, on its label; the others have more than they need
BURST = "2mb"


class World:
    def __init__(self, listen="127.0.0.1:0", prefix=141, stand_in=False, model_bytes=556_000_000, tell=print):
        self.listen, self.prefix, self.model_bytes, self.tell = listen, prefix, model_bytes, tell
        self.real = not stand_in and assets.folder() is not None
        self.agents, self.services = {}, {}
        self._stack = contextlib.ExitStack()

    # --- life ---------------------------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _build(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-demo-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.warm = self.folder / "weights-on-the-node"
        self.mood = self.folder / "mood-of-dns"
        self.cluster = self._stack.enter_context(Cluster(prefix=self.prefix, plane=None if self.real else StandIn()))
        for name, zone in NODES.items():
            bandwidth = BASELINE_MBITS if name.startswith("gpu") else 5_000
            labels = {"karpenter.k8s.aws/instance-network-bandwidth": str(bandwidth), "weir.demo/role": name.split("-")[0]}
            self.cluster.node(name, zone=REGION + zone, region=REGION, instance_type="", labels=labels)
        for name in ("shop", "models"):
            self.cluster.namespace(name)
        self.machines = self._stack.enter_context(Machines(self.cluster))
        for name in NODES:
            self.machines.node_space(name)
        self.kubelets = self._stack.enter_context(Kubelets(self.cluster, self.machines, workers=12, patience=120))
        self.proxy = self._stack.enter_context(ServiceProxy(self.cluster, self.machines))
        self._start_weir()
        self._start_store()

    def _start_weir(self):
        prefixes = self.folder / "ip-ranges.json"
        prefixes.write_text(json.dumps({"syncToken": "1764500000", "createDate": "2026-11-30-10-00-00", "ipv6_prefixes": [], "prefixes": [
            {"ip_prefix": f"{STORE}/32", "region": REGION, "service": "S3", "network_border_group": REGION}]}))
        file = self.cluster.plane.authority.file
        config = self.cluster.plane.kubeconfig("weir", client_certificate=file("admin.crt"), client_key=file("admin.key"))
        self.server = Process("server", "--listen", self.listen, "--data-dir", str(self.folder / "server"), "--kubeconfig", config,
                              "--cluster", "demo", "--prefix-file", str(prefixes))
        self._stack.callback(self.server.stop)
        self.url = self.server.url
        for node in NODES:
            self._start_agent(node)
        wait_for("the agents", lambda: len(self.get("/api/v1/status")["agents"]) == len(NODES))

    def _start_agent(self, node):
        """In the network of its node, from where a relay leads to the server."""
        space = self.machines.node_space(node)
        relay = Relay(space, self.url)
        self._stack.callback(relay.stop)
        wrapper = ("nsenter", f"--net=/run/netns/{space}")
        self.agents[node] = Process("agent", "--server", relay.url, "--node", node, "--within", str(self.machines.node_group(node)), "--requests",
                                    "on", "--dns", "on", "--data-dir", str(self.folder / node), wrapper=wrapper, expect_ready=False)
        self._stack.callback(self.agents[node].stop)

    def _start_store(self):
        space = self.machines.outside("store", STORE)
        # Each dropped packet is one segment then, as on a wire.
        run("ip", "netns", "exec", space, "ethtool", "-K", "eth0", "gso", "off", "tso", "off")
        self.store_space = space
        self.machines.outside_process(space, *self.app("store", STORE_PORT, "--bytes", self.model_bytes))
        wait_for("the object store", lambda: self._accepts(space, STORE, STORE_PORT))

    @staticmethod
    def _accepts(space, address, port):
        with entered(space), contextlib.suppress(OSError):
            socket.create_connection((address, port), 1).close()
            return True
        return False

    # --- what runs ----------------------------------------------------------------------------------------------

    @staticmethod
    def app(name, *arguments):
        return [PYTHON, str(APPS), name, *map(str, arguments)]

    def deploy(self, namespace, name, command, replicas=1, port=0, role="", service=0, container_port=None):
        """A Deployment, and a Service of it where one is asked for; returns the service's address."""
        ports = [container_port or port] if port else []
        spec = {"nodeSelector": {"weir.demo/role": role}} if role else {}
        self.cluster.deployment(namespace, name, replicas, command=command, ports=ports, spec=spec)
        if not service:
            return ""
        made = self.cluster.service(namespace, name, port=service, target=port)
        self.services[name] = f"{made['spec']['clusterIP']}:{service}"
        return made["spec"]["clusterIP"]

    def ready(self, namespace, app, count=1, seconds=60):
        return self.cluster.wait_ready(namespace, app, count, seconds)

    def backends(self, name, count):
        self.proxy.wait_backends(self.services[name], count)

    def inference(self, *more, cache):
        return self.app("inference", 8000, "--store", f"{STORE}:{STORE_PORT}", "--bytes", self.model_bytes, "--warm", self.warm, "--cache",
                        cache, *more)

    def serve_everything(self, *inference_options, replicas=1, role="gpu"):
        """Three UI pods ask an inference service, whose pods ask a cache for every token. Their nodes have the weights already."""
        self.warm.touch()
        cache = self.deploy("models", "kv-cache", self.app("cache", 7000), port=7000, role="cpu", service=7000)
        self.ready("models", "kv-cache")
        self.backends("kv-cache", 1)
        service = self.deploy("models", "inference", self.inference(*inference_options, cache=f"{cache}:7000"), replicas, 8000, role, service=80)
        self.ready("models", "inference", replicas)
        self.backends("inference", replicas)
        self.deploy("shop", "ui", self.app("ui", service, 80), replicas=3, role="cpu")
        self.ready("shop", "ui", 3)

    # --- limits -------------------------------------------------------------------------------------------------

    def limit(self, node, mbits=BASELINE_MBITS, burst=BURST, queue="400kb", device="pods0"):
        """What may come to the pods of a node. Where that is too much, packets are dropped: whoever sent them sends them again."""
        run("ip", "netns", "exec", self.machines.node_space(node), "tc", "qdisc", "replace", "dev", device, "root", "handle", "1:", "tbf",
            "rate", f"{mbits}mbit", "burst", burst, "limit", queue)

    def limit_counters(self, node, device="pods0"):
        """tc's own: (times over the limit, packets dropped)."""
        text = run("ip", "netns", "exec", self.machines.node_space(node), "tc", "-s", "-j", "qdisc", "show", "dev", device)
        shaper = next(each for each in json.loads(text) if each["kind"] == "tbf")
        return shaper["overlimits"], shaper["drops"]

    @staticmethod
    def sent_again(space):
        """Segments that the kernel of a host sent again."""
        text = run("ip", "netns", "exec", space, "cat", "/proc/net/snmp")
        names, values = (line.split()[1:] for line in text.splitlines() if line.startswith("Tcp:"))
        return int(dict(zip(names, values))["RetransSegs"])

    # --- what it said, and what Weir says -----------------------------------------------------------------------

    def said(self, pod, event):
        """What a pod's program printed so far, of one kind."""
        found = []
        for line in self.machines.log(pod).read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                one = json.loads(line)
                if one.get("event") == event:
                    found.append(one)
        return found

    def get(self, path, **parameters):
        return get(self.url, path, **parameters)

    def findings(self, **parameters):
        return self.get("/api/v1/findings", **{"since": "1h", **parameters})["findings"]

    def weir(self, *arguments):
        """What the command line says, as a person would see it."""
        text = run(BINARY, arguments[0], "--server", self.url, *arguments[1:])
        return re.sub(r"\n+$", "", text)


class Relay:
    """Connections to a port on a node's loopback go on to the server: the two networks need no link for it. `url` is for the node."""

    def __init__(self, space, url):
        host, port = re.match(r"https?://\[?([^\]/]+?)\]?:(\d+)", url).groups()
        self._target = (host, int(port))
        with entered(space):
            self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    @staticmethod
    def _copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def entered(space):
    """The calling thread in a network namespace: sockets it makes belong there."""
    with open("/proc/thread-self/ns/net", "rb") as here, open(f"/run/netns/{space}", "rb") as there:
        enter(there)
        try:
            yield
        finally:
            enter(here)


def pause(seconds):
    """The demo's own pace: traffic goes on meanwhile."""
    time.sleep(seconds)
