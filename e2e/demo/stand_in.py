"""A small Kubernetes API server for machines where the real one's programs are not there: lists, watches, creates, patches and
deletes over TLS, and what controllers and the scheduler would do with Deployments and Services. Kept in memory; it checks nothing."""

import copy
import hashlib
import http.server
import itertools
import json
import pathlib
import re
import shutil
import ssl
import tempfile
import threading
import time
import urllib.parse
import uuid

from kube.control_plane import ControlPlane
from kube.pki import Authority

PATH = re.compile(r"^/(?:api/v1|apis/(?P<group>[^/]+)/(?P<version>[^/]+))(?:/namespaces/(?P<ns>[^/]+)(?=/))?/(?P<plural>[^/]+)"
                  r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?$")
GROUP = re.compile(r"^/apis/([^/]+)$")
GROUPS = ("apps", "batch", "discovery.k8s.io")
KINDS = {"pods": "Pod", "services": "Service", "nodes": "Node", "namespaces": "Namespace", "serviceaccounts": "ServiceAccount",
         "replicasets": "ReplicaSet", "deployments": "Deployment", "jobs": "Job", "endpointslices": "EndpointSlice"}
MERGED_BY_NAME = ("containers", "initContainers")


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def merge(into, change):
    """As a strategic merge, of which only lists of containers matter here."""
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        elif key in MERGED_BY_NAME and isinstance(into.get(key), list):
            for item in value:
                known = next((each for each in into[key] if each["name"] == item["name"]), None)
                merge(known, item) if known else into[key].append(item)
        else:
            into[key] = value
    return into


class Objects:
    """What there is, and what changed in the order it did."""

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        self.objects, self.events, self.version = {}, [], 0

    def put(self, plural, item, event):
        with self.changed:
            self.version += 1
            metadata = item["metadata"]
            metadata["resourceVersion"] = str(self.version)
            key = (plural, metadata.get("namespace", ""), metadata["name"])
            if event == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = item
            self.events.append((self.version, plural, event, copy.deepcopy(item)))
            self.changed.notify_all()
            return copy.deepcopy(item)

    def all(self, plural, namespace=""):
        with self.changed:
            return [copy.deepcopy(item) for (kind, ns, _), item in self.objects.items() if kind == plural and namespace in ("", ns)]

    def find(self, plural, namespace, name):
        with self.changed:
            found = self.objects.get((plural, namespace, name))
            return copy.deepcopy(found)

    def create(self, plural, namespace, item):
        metadata = item["metadata"]
        metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now(), generation=1, **({"namespace": namespace} if namespace else {}))
        item.setdefault("status", {"phase": "Pending"} if plural == "pods" else {})
        return self.put(plural, item, "ADDED")


class Controllers(threading.Thread):
    """Pods for Deployments, nodes for pods, addresses for services, slices of their backends."""

    def __init__(self, objects):
        super().__init__(daemon=True)
        self.objects, self.stopping, self.addresses = objects, False, (f"10.96.{at // 250}.{at % 250 + 2}" for at in itertools.count(256))

    def run(self):
        seen = -1
        while not self.stopping:
            with self.objects.changed:
                self.objects.changed.wait_for(lambda: self.stopping or self.objects.version != seen, 1)
                seen = self.objects.version
                for step in (self._namespaces, self._deployments, self._replicasets, self._schedule, self._slices):
                    step()

    def _namespaces(self):
        for each in self.objects.all("namespaces"):
            name = each["metadata"]["name"]
            if not self.objects.find("serviceaccounts", name, "default"):
                self.objects.create("serviceaccounts", name, {"metadata": {"name": "default"}})

    @staticmethod
    def _owner(kind, owner):
        return [{"apiVersion": "apps/v1", "kind": kind, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": True,
                 "blockOwnerDeletion": True}]

    def _deployments(self):
        for each in self.objects.all("deployments"):
            template, namespace = each["spec"]["template"], each["metadata"]["namespace"]
            digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
            name = f"{each['metadata']['name']}-{digest}"
            found = self.objects.find("replicasets", namespace, name)
            if found is None:
                labels = {**template["metadata"]["labels"], "pod-template-hash": digest}
                self.objects.create("replicasets", namespace, {
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {**copy.deepcopy(each["spec"]), "hash": digest},
                    "metadata": {"name": name, "labels": labels, "ownerReferences": self._owner("Deployment", each)}})
            elif found["spec"]["replicas"] != each["spec"]["replicas"]:
                found["spec"]["replicas"] = each["spec"]["replicas"]
                self.objects.put("replicasets", found, "MODIFIED")

    def _replicasets(self):
        for each in self.objects.all("replicasets"):
            namespace, uid = each["metadata"]["namespace"], each["metadata"]["uid"]
            own = [pod for pod in self.objects.all("pods", namespace) if pod["metadata"].get("ownerReferences", [{}])[0].get("uid") == uid]
            alive = [pod for pod in own if "deletionTimestamp" not in pod["metadata"]]
            for _ in range(each["spec"]["replicas"] - len(alive)):
                body = copy.deepcopy(each["spec"]["template"])
                labels = {**body["metadata"]["labels"], "pod-template-hash": each["spec"]["hash"]}
                self.objects.create("pods", namespace, {
                    "apiVersion": "v1", "kind": "Pod", "spec": body["spec"],
                    "metadata": {"name": f"{each['metadata']['name']}-{uuid.uuid4().hex[:5]}", "labels": labels,
                                 "annotations": body["metadata"].get("annotations") or {}, "ownerReferences": self._owner("ReplicaSet", each)}})
            for pod in alive[each["spec"]["replicas"]:]:
                self.end(pod)

    def end(self, pod, grace=None):
        """A kubelet ends it, and deletes it for good."""
        seconds = pod["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace
        pod["metadata"].update(deletionTimestamp=now(), deletionGracePeriodSeconds=seconds)
        return self.objects.put("pods", pod, "MODIFIED")

    def _schedule(self):
        nodes = sorted(self.objects.all("nodes"), key=lambda each: each["metadata"]["name"])
        pods = self.objects.all("pods")
        for pod in pods:
            if pod["spec"].get("nodeName"):
                continue
            wanted = pod["spec"].get("nodeSelector") or {}
            fit = [node["metadata"]["name"] for node in nodes if wanted.items() <= node["metadata"].get("labels", {}).items()]
            if not fit:
                continue
            pod["spec"]["nodeName"] = min(fit, key=lambda name: sum(each["spec"].get("nodeName") == name for each in pods))
            pod["status"].setdefault("conditions", []).append({"type": "PodScheduled", "status": "True", "lastTransitionTime": now()})
            self.objects.put("pods", pod, "MODIFIED")

    def _slices(self):
        for service in self.objects.all("services"):
            name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
            if not service["spec"].get("clusterIP"):
                service["spec"]["clusterIP"] = next(self.addresses)
                self.objects.put("services", service, "MODIFIED")
            endpoints = [self._endpoint(pod) for pod in self.objects.all("pods", namespace)
                         if service["spec"]["selector"].items() <= pod["metadata"].get("labels", {}).items() and pod["status"].get("podIP")]
            ports = [{"name": each.get("name", ""), "port": each["targetPort"], "protocol": each.get("protocol", "TCP")}
                     for each in service["spec"]["ports"]]
            body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
                    "metadata": {"name": f"{name}-slice", "labels": {"kubernetes.io/service-name": name}}}
            found = self.objects.find("endpointslices", namespace, f"{name}-slice")
            if found is None:
                self.objects.create("endpointslices", namespace, body)
            elif found["endpoints"] != endpoints:
                self.objects.put("endpointslices", {**found, "endpoints": endpoints}, "MODIFIED")

    def _endpoint(self, pod):
        conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
        node = self.objects.find("nodes", "", pod["spec"]["nodeName"]) or {"metadata": {}}
        return {"addresses": [pod["status"]["podIP"]], "nodeName": pod["spec"]["nodeName"],
                "zone": node["metadata"].get("labels", {}).get("topology.kubernetes.io/zone", ""),
                "conditions": {"ready": conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]},
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"], "uid": pod["metadata"]["uid"]}}


def handler_for(objects, controllers):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, code, body):
            data = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def refuse(self, code, reason):
            self.answer(code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": self.path, "code": code})

        def asked(self):
            path, _, query = self.path.partition("?")
            match = PATH.match(path)
            self.query = dict(urllib.parse.parse_qsl(query))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.body = json.loads(body) if body else {}
            if not match or match["plural"] not in KINDS:
                return None
            return match["plural"], match["ns"] or "", match["name"], match["sub"]

        def do_GET(self):
            if group := GROUP.match(self.path):
                version = {"groupVersion": f"{group[1]}/v1", "version": "v1"}
                found = {"kind": "APIGroup", "apiVersion": "v1", "name": group[1], "versions": [version], "preferredVersion": version}
                return self.answer(200, found) if group[1] in GROUPS else self.refuse(404, "NotFound")
            asked = self.asked()
            if not asked:
                return self.refuse(404, "NotFound")
            plural, namespace, name, _ = asked
            if name:
                found = objects.find(plural, namespace, name)
                return self.answer(200, found) if found else self.refuse(404, "NotFound")
            if self.query.get("watch"):
                return self.watch(plural, namespace)
            with objects.changed:
                items, version = objects.all(plural, namespace), str(objects.version)
            key, _, value = self.query.get("labelSelector", "").partition("=")
            items = [each for each in items if not key or each["metadata"].get("labels", {}).get(key) == value]
            return self.answer(200, {"kind": f"{KINDS[plural]}List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items})

        def watch(self, plural, namespace):
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            seen, deadline = int(self.query.get("resourceVersion") or 0), time.monotonic() + float(self.query.get("timeoutSeconds") or 60)
            while (left := deadline - time.monotonic()) > 0 and not controllers.stopping:
                with objects.changed:
                    objects.changed.wait_for(lambda: controllers.stopping or objects.version > seen, min(left, 1))
                    fresh = [each for each in objects.events[-1000:] if each[0] > seen]
                    seen = objects.version
                for _, kind, event, item in fresh:
                    if kind == plural and namespace in ("", item["metadata"].get("namespace", "")):
                        self.wfile.write(json.dumps({"type": event, "object": item}).encode() + b"\n")
            mark = {"kind": KINDS[plural], "apiVersion": "v1", "metadata": {"resourceVersion": str(seen)}}
            self.wfile.write(json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n")

        def do_POST(self):
            asked = self.asked()
            if not asked:
                return self.refuse(404, "NotFound")
            plural, namespace, _, _ = asked
            if plural == "services" and not self.body["spec"].get("clusterIP"):
                self.body["spec"]["clusterIP"] = next(controllers.addresses)
            return self.answer(201, objects.create(plural, namespace, self.body))

        def do_PATCH(self):
            asked = self.asked()
            if not asked:
                return self.refuse(404, "NotFound")
            plural, namespace, name, _ = asked
            with objects.changed:
                found = objects.find(plural, namespace, name)
                if found is None:
                    return self.refuse(404, "NotFound")
                changed = objects.put(plural, merge(found, self.body), "MODIFIED")
            return self.answer(200, changed)

        def do_DELETE(self):
            asked = self.asked()
            if not asked:
                return self.refuse(404, "NotFound")
            plural, namespace, name, _ = asked
            with objects.changed:
                found = objects.find(plural, namespace, name)
                if found is None:
                    return self.refuse(404, "NotFound")
                grace = self.body.get("gracePeriodSeconds")
                if plural == "pods" and grace != 0 and found["spec"].get("nodeName"):
                    return self.answer(200, controllers.end(found, grace))
                return self.answer(200, objects.put(plural, found, "DELETED"))

    return Handler


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that have gone are nobody's trouble."""


class StandIn:
    """In the place of ControlPlane."""

    controllers, minor = True, 30

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-kube-"))
        self.authority = Authority(self.folder / "pki")
        self.objects = Objects()
        self.workers = Controllers(self.objects)

    def start(self):
        self.authority.create()
        self.server = Server(("127.0.0.1", 0), handler_for(self.objects, self.workers))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority.file("server.crt"), self.authority.file("server.key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        self.objects.create("namespaces", "", {"metadata": {"name": "default"}})
        self.workers.start()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.workers.stopping = True
        with self.objects.changed:
            self.objects.changed.notify_all()
        if hasattr(self, "server"):
            self.server.shutdown()
            self.server.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    kubeconfig = ControlPlane.kubeconfig
