"""A cluster to test against: a control plane, its nodes, and the objects a test makes in it."""

import concurrent.futures
import contextlib
import http.client
import ipaddress
import json
import os
import pathlib
import time
import urllib.parse

from kube.api import Api, ApiError
from kube.control_plane import ControlPlane

COLLECTIONS = {  # kind -> path of its collection; {ns} the namespace
    "pod": "/api/v1/namespaces/{ns}/pods",
    "service": "/api/v1/namespaces/{ns}/services",
    "node": "/api/v1/nodes",
    "namespace": "/api/v1/namespaces",
    "serviceaccount": "/api/v1/namespaces/{ns}/serviceaccounts",
    "replicaset": "/apis/apps/v1/namespaces/{ns}/replicasets",
    "deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "statefulset": "/apis/apps/v1/namespaces/{ns}/statefulsets",
    "daemonset": "/apis/apps/v1/namespaces/{ns}/daemonsets",
    "job": "/apis/batch/v1/namespaces/{ns}/jobs",
    "cronjob": "/apis/batch/{cron}/namespaces/{ns}/cronjobs",
    "endpointslice": "/apis/discovery.k8s.io/{slices}/namespaces/{ns}/endpointslices",
    "clusterrole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "clusterrolebinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "customresourcedefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "attachment": "/apis/s3.csi.aws.com/v1/mountpoints3podattachments",
}
ROLE = pathlib.Path(__file__).parents[2] / "deploy" / "kubernetes" / "rbac.yaml"
READER = "system:serviceaccount:weir:weir"


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def wait_for(what, check, seconds=30, step=0.05):
    """Returns the first true value of check()."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(step)
    return value


class Cluster:
    """`prefix`: nodes are 10.PREFIX.0.N, their pods 10.PREFIX.N.x, so that clusters can stand beside each other.
    `plane`: another one than the real one. `controllers`: whether there is somebody who makes pods of Deployments and slices of services, and schedules."""

    def __init__(self, prefix=120, controllers=True, dual_stack=False, api_flags=(), plane=None):
        self.prefix, self.dual_stack = prefix, dual_stack
        flags = ["--feature-gates=IPv6DualStack=true"] if dual_stack else []
        self.plane = plane or ControlPlane(controllers, [*flags, *api_flags], audited=[READER])
        self.nodes = {}  # name -> Node
        self.slices = self.cron = "v1" if self.plane.minor >= 21 else "v1beta1"

    def __enter__(self):
        try:
            self.plane.start()
            file = self.plane.authority.file
            self.api = Api(self.plane.url, file("ca.crt"), file("admin.crt"), file("admin.key"))
            if self.plane.controllers:
                self._wait_accounts("default")
        except BaseException:
            self.plane.stop()
            raise
        return self

    def __exit__(self, *_):
        self.plane.stop()

    # --- paths --------------------------------------------------------------------------------------------------

    def path(self, kind, ns="", name="", sub=""):
        base = COLLECTIONS[kind].format(ns=ns, slices=self.slices, cron=self.cron)
        return "/".join([base, *[part for part in (name, sub) if part]])

    def get(self, kind, ns="", name=""):
        return self.api.get(self.path(kind, ns, name))

    def items(self, kind, ns="", query=""):
        return self.api.get(self.path(kind, ns) + query)["items"]

    def create(self, kind, ns, body):
        return self.api.create(self.path(kind, ns), body)

    def delete(self, kind, ns, name, grace=None):
        return self.api.delete(self.path(kind, ns, name), grace)

    # --- nodes and namespaces -----------------------------------------------------------------------------------

    def node(self, name, zone="eu-central-1a", region="eu-central-1", instance_type="m5.large", labels=None):
        """Registers a node; its kubelet is in Kubelets, its network in Machines."""
        node = Node(name, len(self.nodes) + 1, self.prefix, zone)
        own = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": zone,
               "topology.kubernetes.io/region": region, "node.kubernetes.io/instance-type": instance_type}
        made = self.create("node", "", {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {**own, **(labels or {})}},
            "spec": {"podCIDR": node.pod_cidr, "podCIDRs": [node.pod_cidr], "providerID": f"aws:///{zone}/i-{node.number:017x}"}})
        size = {"cpu": "64", "memory": "256Gi", "pods": "20000", "ephemeral-storage": "100Gi"}
        addresses = [{"type": "InternalIP", "address": node.address}, {"type": "Hostname", "address": name}]
        self.api.patch(self.path("node", "", name, "status"), {"status": {
            "capacity": size, "allocatable": size, "addresses": addresses,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now(), "lastTransitionTime": now()}]}})
        self.nodes[name] = node
        return made

    def namespace(self, name, labels=None):
        made = self.create("namespace", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})
        if self.plane.controllers:
            self._wait_accounts(name)
        return made

    def _wait_accounts(self, namespace):
        """Pods are refused until the controller manager has made the namespace's default account, and up to 1.23 its token."""
        def made():
            account = self.find("serviceaccount", namespace, "default")
            return account and (self.plane.minor >= 24 or account.get("secrets"))
        wait_for(f"the default account of {namespace}", made)

    def find(self, kind, ns, name):
        """None when there is none."""
        with contextlib.suppress(ApiError):
            return self.get(kind, ns, name)
        return None

    def find_all(self, kind, ns=""):
        """None when the kind is not served."""
        with contextlib.suppress(ApiError):
            return self.items(kind, ns)
        return None

    # --- workloads ----------------------------------------------------------------------------------------------

    @staticmethod
    def container(name="app", command=None, ports=(), image="registry.invalid/app:1", env=None, **more):
        body = {"name": name, "image": image, "ports": [{"containerPort": port} for port in ports], **more}
        if command:
            body["command"] = [str(word) for word in command]
        if env:
            body["env"] = [{"name": key, "value": str(value)} for key, value in env.items()]
        return body

    def template(self, labels, containers=None, init=None, host_network=False, annotations=None, spec=None, **container):
        """`containers`: several, of container(); else one with `command`, `ports`... A pod in the node's network declares no
        ports, because the scheduler takes them for ports of the node."""
        body = {"containers": containers or [self.container(**container)], "terminationGracePeriodSeconds": 5, **(spec or {})}
        if init:
            body["initContainers"] = init
        if host_network:
            body["hostNetwork"] = True
        return {"metadata": {"labels": labels, "annotations": annotations or {}}, "spec": body}

    def workload(self, kind, ns, name, replicas=1, labels=None, **template):
        labels = {"app": name, **(labels or {})}
        spec = {"selector": {"matchLabels": {"app": name}}, "template": self.template(labels, **template)}
        if kind != "DaemonSet":
            spec["replicas"] = replicas
        if kind == "StatefulSet":
            spec.update(serviceName=name, podManagementPolicy="Parallel")
        return self.create(kind.lower(), ns, {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec})

    def deployment(self, ns, name, replicas=1, **more):
        return self.workload("Deployment", ns, name, replicas, **more)

    def statefulset(self, ns, name, replicas=1, **more):
        return self.workload("StatefulSet", ns, name, replicas, **more)

    def daemonset(self, ns, name, **more):
        return self.workload("DaemonSet", ns, name, **more)

    def _job_spec(self, name, template):
        return {"backoffLimit": 0, "template": self.template({"app": name}, **{**template, "spec": {"restartPolicy": "Never", **(template.get("spec") or {})}})}

    def job(self, ns, name, owners=None, **template):
        metadata = {"name": name, **({"ownerReferences": owners} if owners else {})}
        return self.create("job", ns, {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": self._job_spec(name, template)})

    def cronjob(self, ns, name, schedule="0 0 1 1 *", **template):
        return self.create("cronjob", ns, {"apiVersion": f"batch/{self.cron}", "kind": "CronJob", "metadata": {"name": name},
                                           "spec": {"schedule": schedule, "jobTemplate": {"spec": self._job_spec(name, template)}}})

    def run_cronjob(self, ns, name, suffix="1", **template):
        """The Job its controller would make, without the wait for the minute."""
        cron = self.get("cronjob", ns, name)
        owner = {"apiVersion": f"batch/{self.cron}", "kind": "CronJob", "name": name, "uid": cron["metadata"]["uid"], "controller": True,
                 "blockOwnerDeletion": True}
        return self.job(ns, f"{name}-{suffix}", owners=[owner], **template)

    def pod(self, ns, name, node=None, labels=None, owners=None, **template):
        body = self.template(labels or {"app": name}, **template)
        if node:
            body["spec"]["nodeName"] = node
        metadata = {"name": name, **body["metadata"], **({"ownerReferences": owners} if owners else {})}
        return self.create("pod", ns, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body["spec"]})

    def many_pods(self, ns, count, node="n1", threads=4, running=1):
        """Pods that nobody runs, every `running`th of them with a status: as fast as the API server takes them."""
        numbers = iter(range(count))

        def make(number):
            name = f"many-{number}"
            body = self.template({"app": f"app-{number % 500}", "tier": "many"}, ports=[8080])
            body["spec"].update(nodeName=node, serviceAccountName="default")
            self.create("pod", ns, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **body["metadata"]}, "spec": body["spec"]})
            if number % running:
                return
            self.api.patch(self.path("pod", ns, name, "status"), {"status": {
                "phase": "Running", "podIP": f"10.{200 + number // 65000}.{number // 250 % 250}.{number % 250 + 1}", "startTime": now(),
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now()}],
                "containerStatuses": [{"name": "app", "image": "registry.invalid/app:1", "imageID": "", "ready": True, "restartCount": 0,
                                       "containerID": f"containerd://{number:064x}", "state": {"running": {"startedAt": now()}}}]}})

        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(make, numbers))

    def attachments(self):
        """Serves Mountpoint for S3's record of whom its pods serve, as its CSI driver (v2) defines it."""
        self.create("customresourcedefinition", "", {
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "mountpoints3podattachments.s3.csi.aws.com"},
            "spec": {"group": "s3.csi.aws.com", "scope": "Cluster",
                     "names": {"kind": "MountpointS3PodAttachment", "listKind": "MountpointS3PodAttachmentList", "plural": "mountpoints3podattachments",
                               "singular": "mountpoints3podattachment"},
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                         "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}})
        wait_for("the attachments' API", lambda: self.find_all("attachment") is not None)

    def attachment(self, name, node, mountpoint_pod, *workload_uids, volume="s3-pv"):
        return self.create("attachment", "", {
            "apiVersion": "s3.csi.aws.com/v1", "kind": "MountpointS3PodAttachment", "metadata": {"name": name},
            "spec": {"nodeName": node, "persistentVolumeName": volume, "volumeID": "bucket", "authenticationSource": "driver",
                     "mountpointS3PodAttachments": {mountpoint_pod: [{"workloadPodUID": uid, "attachmentTime": now()} for uid in workload_uids]}}})

    def service(self, ns, name, port=80, target=8080, selector=None, annotations=None, **spec):
        """spec: clusterIP="None" for a headless one, type="NodePort"..."""
        return self.create("service", ns, {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"selector": selector or {"app": name}, "ports": [{"name": "main", "port": port, "targetPort": target}], **spec}})

    def scale(self, ns, name, replicas, kind="deployment"):
        self.api.patch(self.path(kind, ns, name, "scale"), {"spec": {"replicas": replicas}}, "merge")

    def roll(self, ns, name, kind="deployment", **container):
        """A rolling update: the container named "app" gets another image, command or ports."""
        change = self.container(**{"image": f"registry.invalid/app:{time.time_ns()}", **container})
        self.api.patch(self.path(kind, ns, name), {"spec": {"template": {"spec": {"containers": [change]}}}})

    # --- state --------------------------------------------------------------------------------------------------

    def ready_pods(self, ns, app=None):
        query = f"?labelSelector=app%3D{app}" if app else ""
        return [pod for pod in self.items("pod", ns, query) if "deletionTimestamp" not in pod["metadata"] and is_ready(pod)]

    def wait_ready(self, ns, app=None, count=None, seconds=60):
        """Pods that are ready: `count` of them, else as many as the Deployment asks for."""
        if count is None:
            count = self.get("deployment", ns, app)["spec"]["replicas"]
        return wait_for(f"{count} ready pods of {app or ns}", lambda: (lambda pods: len(pods) == count and pods)(self.ready_pods(ns, app)), seconds)

    def wait_rolled(self, ns, name, seconds=60):
        def rolled():
            found = self.get("deployment", ns, name)
            status, want = found["status"], found["spec"]["replicas"]
            counts = {status.get(key, 0) for key in ("updatedReplicas", "availableReplicas", "replicas")}
            return status.get("observedGeneration") == found["metadata"]["generation"] and counts == {want}
        wait_for(f"the roll-out of {name}", rolled, seconds)

    def wait_gone(self, kind, ns, name, seconds=30):
        wait_for(f"the end of {kind} {name}", lambda: self.find(kind, ns, name) is None, seconds)

    # --- accounts -----------------------------------------------------------------------------------------------

    def apply(self, text):
        """Creates the objects of a YAML file, as `kubectl create -f` would."""
        for document in text.split("\n---"):
            lines = [line for line in document.splitlines() if line.strip() and not line.startswith("#")]
            if not lines:
                continue
            kind = next(line.split(":")[1].strip() for line in lines if line.startswith("kind:"))
            namespace = next((line.split(":")[1].strip() for line in lines if line.startswith("  namespace:")), "")
            self.api.request("POST", self.path(kind.lower(), namespace), "\n".join(lines).encode(), "application/yaml")

    def reader(self):
        """Makes the account Weir runs as, with the rights it ships, and a folder as a pod has it; returns that folder."""
        self.apply(ROLE.read_text())
        folder = self.plane.folder / "serviceaccount"
        folder.mkdir()
        (folder / "ca.crt").write_bytes(pathlib.Path(self.plane.authority.file("ca.crt")).read_bytes())
        (folder / "namespace").write_text("weir")
        self.rotate_token(folder)
        return folder

    def rotate_token(self, folder, seconds=3600):
        """As a kubelet does: a new file in the place of the old one."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds}}
        token = self.api.create(self.path("serviceaccount", "weir", "weir", "token"), body)["status"]["token"]
        (folder / "token.new").write_text(token)
        os.replace(folder / "token.new", folder / "token")
        return token

    def reader_kubeconfig(self):
        return self.plane.kubeconfig("reader", tokenFile=self.reader() / "token")

    def audited(self):
        """What the reader asked for so far: (verb, "group/resource", code) of each request."""
        found = []
        for line in self.plane.audit_log.read_text().splitlines():
            event = json.loads(line)
            what = event.get("objectRef", {})
            resource = "/".join(filter(None, (what.get("apiGroup"), what.get("resource")))) or event["requestURI"].split("?")[0]
            found.append((event["verb"], resource, event.get("responseStatus", {}).get("code")))
        return found

    # --- history ------------------------------------------------------------------------------------------------

    def compact(self):
        """Makes etcd forget what was: older resource versions are too old from now on. It speaks JSON beside gRPC."""
        def ask(path, body):
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.plane.etcd_url).netloc, timeout=10)
            connection.request("POST", path, json.dumps(body))
            return json.loads(connection.getresponse().read())
        revision = ask("/v3/kv/range", {"key": "AA==", "limit": "1"})["header"]["revision"]
        ask("/v3/kv/compaction", {"revision": revision, "physical": True})
        return int(revision)


class Node:
    """Where a node and its pods are in the network."""

    def __init__(self, name, number, prefix, zone):
        self.name, self.number, self.zone = name, number, zone
        self.address, self.address6 = f"10.{prefix}.0.{number + 1}", f"fd00:{prefix}::{number + 1:x}"
        self.pod_cidr, self.pod_cidr6 = f"10.{prefix}.{number}.0/24", f"fd00:{prefix}:{number:x}::/64"
        if number > 250:
            raise ValueError("more nodes than there are networks for")
        self._fresh = iter(range(2, 1 << 16))
        self._base, self._base6 = ipaddress.ip_network(self.pod_cidr), ipaddress.ip_network(self.pod_cidr6)

    def next_addresses(self):
        """One of each family. Past 253 they lie outside the node's network, which matters to nobody without Machines."""
        step = next(self._fresh)
        return str(self._base.network_address + step), str(self._base6.network_address + step)


def is_ready(pod):
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
