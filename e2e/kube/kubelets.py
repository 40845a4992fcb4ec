"""Stands for the kubelets of all nodes: starts the pods that are bound to a node, tells the API server of them, ends them."""

import hashlib
import http.client
import queue
import threading
import time

from kube.api import ApiError
from kube.cluster import now

ADDRESS = "test.weir/address"  # annotation: the pod's address, or one per family with a comma between


class PodRuntime:
    """What makes pods real. Without one, pods are only said to run. Called from several threads, for one pod by one at a time."""

    def start_sandbox(self, pod, node, addresses):
        """Gives the pod a network with these addresses."""

    def start_container(self, pod, container, container_id):
        """Returns a subprocess.Popen, or None when the container has nothing to run."""

    def is_listening(self, pod, ports, child):
        """Whether the pod's process accepts connections on all of its declared ports."""
        return True

    def stop(self, pod, children, grace):
        """Ends its processes, after `grace` seconds by force, and removes its network."""


class _Container:
    def __init__(self, spec, init):
        self.spec, self.init = spec, init
        self.restarts, self.id, self.child = -1, "", None
        self.started = self.finished = None
        self.code = 0

    @property
    def running(self):
        return self.started is not None and self.finished is None


class _Pod:
    def __init__(self, pod, node, addresses):
        self.object, self.node, self.addresses, self.start = pod, node, addresses, now()
        self.stopping = False
        spec = pod["spec"]
        self.init = [_Container(each, True) for each in spec.get("initContainers", [])]
        self.main = [_Container(each, False) for each in spec["containers"]]
        self.ready = False
        self.conditions = {}  # by type: status, and since when

    def children(self):
        return [each.child for each in self.init + self.main if each.child is not None]


class Kubelets:
    """One thread watches all pods, a few start and end them. `history` is the truth that tests compare with: a dict per
    start and end of a pod with time, event, uid, namespace, name, node, addresses and the ids of its containers."""

    def __init__(self, cluster, runtime=None, workers=6, patience=15):
        """`patience`: how many seconds a pod has until it listens."""
        self.cluster, self.runtime, self.patience = cluster, runtime, patience
        self.history, self.errors = [], []
        self._pods, self._stopping = {}, threading.Event()
        self._queues = [queue.Queue() for _ in range(workers)]
        self._threads = [threading.Thread(target=self._watch, daemon=True)]
        self._threads += [threading.Thread(target=self._work, args=(each,), daemon=True) for each in self._queues]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        """Pods' processes end; the API server is not told any more."""
        self._stopping.set()
        for each in self._queues:
            each.put(None)
        for thread in self._threads:
            thread.join(20)
        for known in list(self._pods.values()):
            self._end(known, 0)

    # --- what the API server says -------------------------------------------------------------------------------

    def _watch(self):
        while not self._stopping.is_set():
            try:
                seen = self.cluster.api.get("/api/v1/pods")
                for pod in seen["items"]:
                    self._dispatch("see", pod)
                self._follow(seen["metadata"]["resourceVersion"])
            except (ApiError, OSError, http.client.HTTPException, ValueError):
                self._stopping.wait(0.1)  # the API server is away, or has forgotten where we were

    def _follow(self, version):
        while not self._stopping.is_set():
            for event in self.cluster.api.watch("/api/v1/pods", version, seconds=2, stopping=self._stopping):
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                    self._dispatch("see" if event["type"] != "DELETED" else "gone", event["object"])

    def _dispatch(self, what, pod, *more):
        uid = pod["metadata"]["uid"]
        self._queues[int(hashlib.md5(uid.encode()).hexdigest(), 16) % len(self._queues)].put((what, pod, *more))

    def _work(self, tasks):
        while (task := tasks.get()) is not None and not self._stopping.is_set():
            try:
                getattr(self, "_" + task[0])(*task[1:])
            except ApiError as error:
                if error.code not in (404, 409):  # somebody else was faster
                    self.errors.append(error)
            except (OSError, http.client.HTTPException, RuntimeError) as error:
                if not isinstance(error, (ConnectionError, http.client.HTTPException)):  # the API server is away for a while
                    self.errors.append(error)
                if not self._stopping.wait(0.1):
                    tasks.put(task)

    def _see(self, pod):
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        if spec.get("nodeName") not in self.cluster.nodes:
            return
        known = self._pods.get(uid)
        if "deletionTimestamp" in pod["metadata"]:
            if known is None or not known.stopping:
                self._terminate(pod, known)
        elif known is None and pod["status"].get("phase") == "Pending":
            self._start(pod)

    def _gone(self, pod):
        if known := self._pods.get(pod["metadata"]["uid"]):  # deleted by force
            self._end(known, 0)

    # --- life of a pod ------------------------------------------------------------------------------------------

    def _start(self, pod):
        node = self.cluster.nodes[pod["spec"]["nodeName"]]
        known = _Pod(pod, node, self._choose_addresses(pod, node))
        self._pods[pod["metadata"]["uid"]] = known
        if self.runtime:
            self.runtime.start_sandbox(pod, node, known.addresses)
        for container in known.init:
            if not self._run_init(known, container):
                return
        for container in known.main:
            self._start_container(known, container)
        self._record("started", known)
        self._await_ready(known)
        self._tell(known)

    def _choose_addresses(self, pod, node):
        wanted = pod["metadata"].get("annotations", {}).get(ADDRESS)
        if wanted:
            return wanted.split(",")
        both = (node.address, node.address6) if pod["spec"].get("hostNetwork") else node.next_addresses()
        return list(both) if self.cluster.dual_stack else [both[0]]

    def _run_init(self, known, container):
        self._start_container(known, container)
        self._tell(known)
        if container.child is not None:
            container.code = container.child.wait()
        container.finished = now()
        if container.code != 0:
            self._tell(known)
        return container.code == 0

    def _start_container(self, known, container):
        container.restarts += 1
        seed = f"{known.object['metadata']['uid']}/{container.spec['name']}/{container.restarts}"
        container.id = hashlib.sha256(seed.encode()).hexdigest()
        container.started, container.finished = now(), None
        if self.runtime:
            container.child = self.runtime.start_container(known.object, container.spec, container.id)
        if container.child is not None and not container.init:
            threading.Thread(target=self._await_exit, args=(known, container, container.child), daemon=True).start()

    def _await_exit(self, known, container, child):
        child.wait()
        self._dispatch("exited", known.object, container, child)

    def _exited(self, pod, container, child):
        known = self._pods.get(pod["metadata"]["uid"])
        if known is None or known.stopping or container.child is not child:
            return
        container.code, container.finished = child.returncode, now()
        policy = pod["spec"].get("restartPolicy", "Always")
        if policy == "Always" or (policy == "OnFailure" and container.code != 0):
            known.ready = False
            self._tell(known)
            self._start_container(known, container)
            self._await_ready(known)
        self._tell(known)

    def _await_ready(self, known):
        """Until every process listens on the ports it declares, as long as there is patience."""
        deadline = time.monotonic() + self.patience
        for container in known.main:
            ports = [each["containerPort"] for each in container.spec.get("ports", []) if each.get("protocol", "TCP") == "TCP"]
            while ports and container.child is not None and not self.runtime.is_listening(known.object, ports, container.child):
                if container.child.poll() is not None or time.monotonic() > deadline or self._stopping.is_set():
                    return
                time.sleep(0.01)
        known.ready = True

    def _terminate(self, pod, known):
        if known is not None:
            known.stopping = True
            self._end(known, pod["metadata"].get("deletionGracePeriodSeconds", 30))
        name = pod["metadata"]
        self.cluster.api.request("DELETE", self.cluster.path("pod", name["namespace"], name["name"]), {
            "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {"uid": name["uid"]}})

    def _end(self, known, grace):
        self._pods.pop(known.object["metadata"]["uid"], None)
        known.stopping = True
        if self.runtime:
            self.runtime.stop(known.object, known.children(), grace)
        self._record("ended", known)

    def _record(self, event, known):
        name = known.object["metadata"]
        self.history.append({"time": time.time(), "event": event, "uid": name["uid"], "namespace": name["namespace"], "name": name["name"],
                             "node": known.node.name, "addresses": known.addresses, "containers": [each.id for each in known.main]})

    # --- what it tells ------------------------------------------------------------------------------------------

    def _tell(self, known):
        name = known.object["metadata"]
        self.cluster.api.patch(self.cluster.path("pod", name["namespace"], name["name"], "status"), {"status": self._status(known)})

    def _status(self, known):
        initialized = all(each.finished and each.code == 0 for each in known.init)
        over = all(each.finished for each in known.main) and known.object["spec"].get("restartPolicy", "Always") != "Always"
        phase = "Pending" if not initialized else "Running"
        if over:
            phase = "Succeeded" if all(each.code == 0 for each in known.main) else "Failed"
        ready = known.ready and phase == "Running" and all(each.running for each in known.main)
        flags = {"Initialized": initialized, "Ready": ready, "ContainersReady": ready, "PodScheduled": True}
        for key, value in flags.items():
            if known.conditions.get(key, ("", ""))[0] != str(value):
                known.conditions[key] = (str(value), now())
        return {
            "phase": phase, "hostIP": known.node.address, "podIP": known.addresses[0], "podIPs": [{"ip": each} for each in known.addresses],
            "startTime": known.start,
            "conditions": [{"type": key, "status": status, "lastTransitionTime": since} for key, (status, since) in known.conditions.items()],
            "initContainerStatuses": [self._container_status(each, False) for each in known.init],
            "containerStatuses": [self._container_status(each, ready) for each in known.main]}

    @staticmethod
    def _container_status(container, ready):
        state = {"waiting": {"reason": "PodInitializing"}}
        if container.finished:
            reason = "Completed" if container.code == 0 else "Error"
            state = {"terminated": {"exitCode": container.code & 255, "reason": reason, "startedAt": container.started,
                                    "finishedAt": container.finished, "containerID": f"containerd://{container.id}"}}
        elif container.started:
            state = {"running": {"startedAt": container.started}}
        return {"name": container.spec["name"], "image": container.spec["image"], "imageID": "sha256:" + "0" * 64, "ready": ready,
                "started": container.running, "restartCount": max(container.restarts, 0), "state": state,
                "containerID": f"containerd://{container.id}" if container.id else ""}
