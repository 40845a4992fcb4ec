"""Stands for kube-proxy on every node: services' addresses become those of their ready endpoints, by the kernel's own NAT."""

import http.client
import threading

from kube.api import ApiError
from kube.cluster import wait_for

TOPOLOGY = "service.kubernetes.io/topology-mode"  # annotation: Auto keeps traffic in its zone where there is an endpoint


class ServiceProxy:
    """Writes the rules again whenever a service or an endpoint slice has changed; `version` grows by one each time."""

    def __init__(self, cluster, machines):
        self.cluster, self.machines, self.version, self.errors = cluster, machines, 0, []
        self._stopping, self._changed = threading.Event(), threading.Event()
        kinds = ("/api/v1/services", f"/apis/discovery.k8s.io/{cluster.slices}/endpointslices")
        self._threads = [threading.Thread(target=self._watch, args=(path,), daemon=True) for path in kinds]
        self._threads.append(threading.Thread(target=self._write, daemon=True))
        self._rules = {}  # node -> what was written last

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._changed.set()
        for thread in self._threads:
            thread.join(10)

    def wait_backends(self, service, count, seconds=20):
        """Until a service of that cluster address or node port leads to so many endpoints, on all nodes."""
        wanted = f" # {service} leads to {count}\n"
        wait_for(f"{count} backends of {service}", lambda: self._rules and all(wanted in rules for rules in self._rules.values()), seconds)

    def _watch(self, path):
        while not self._stopping.is_set():
            try:
                version = self.cluster.api.get(path + "?limit=1")["metadata"]["resourceVersion"]
                self._changed.set()
                while not self._stopping.is_set():
                    for event in self.cluster.api.watch(path, version, seconds=2, stopping=self._stopping):
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            self._changed.set()
            except (ApiError, OSError, http.client.HTTPException, ValueError):
                self._stopping.wait(0.1)

    def _write(self):
        while self._changed.wait() and not self._stopping.is_set():
            self._changed.clear()
            try:
                services = self.cluster.api.get("/api/v1/services")["items"]
                slices = self.cluster.api.get(f"/apis/discovery.k8s.io/{self.cluster.slices}/endpointslices")["items"]
                for node in list(self.cluster.nodes.values()):
                    rules = self._ruleset(node, services, slices)
                    if self._rules.get(node.name) != rules:
                        self.machines.nft(self.machines.node_space(node.name), rules)
                        self._rules[node.name] = rules
                        self.version += 1
            except (ApiError, OSError, http.client.HTTPException, ValueError):  # the API server is away
                self._stopping.wait(0.1)
                self._changed.set()
            except RuntimeError as error:  # of nft: a defect of this file
                self.errors.append(error)

    def _backends(self, service, port, slices, node):
        """(address, port) of those that are ready, near ones only where the service asks for that."""
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        found = []
        for each in slices:
            labels = each["metadata"].get("labels", {})
            if each["addressType"] != "IPv4" or each["metadata"]["namespace"] != namespace or labels.get("kubernetes.io/service-name") != name:
                continue
            numbers = [p["port"] for p in each.get("ports") or [] if p.get("name", "") == port.get("name", "")]
            for endpoint in each.get("endpoints") or []:
                host = endpoint.get("nodeName") or endpoint.get("topology", {}).get("kubernetes.io/hostname")
                if numbers and endpoint.get("conditions", {}).get("ready") is not False:
                    found += [(address, numbers[0], host) for address in endpoint["addresses"]]
        near = [each for each in found if each[2] in self.cluster.nodes and self.cluster.nodes[each[2]].zone == node.zone]
        if near and service["metadata"].get("annotations", {}).get(TOPOLOGY) == "Auto":
            found = near
        return sorted((address, number) for address, number, _ in found)

    def _ruleset(self, node, services, slices):
        translations, refusals, hairpins = [], [], set()
        for service in sorted(services, key=lambda each: each["metadata"]["uid"]):
            spec = service["spec"]
            for port in spec.get("ports", []):
                places = [(spec["clusterIP"], port["port"])] if spec.get("clusterIP") not in (None, "", "None") else []
                if port.get("nodePort"):
                    places.append((node.address, port["nodePort"]))
                backends = self._backends(service, port, slices, node)
                hairpins |= {address for address, _ in backends}
                targets = ", ".join(f"{i} : {address} . {number}" for i, (address, number) in enumerate(backends))
                for address, number in places:
                    match = f"ip daddr {address} {port.get('protocol', 'TCP').lower()} dport {number}"
                    note = f" # {address}:{number} leads to {len(backends)}\n"
                    if backends:
                        translations.append(f"{match} dnat to numgen random mod {len(backends)} map {{ {targets} }}{note}")
                    else:
                        refusals.append(f"{match} reject{note}")
        own = "".join(f"ip saddr {address} ip daddr {address} masquerade\n" for address in sorted(hairpins))
        inside = f"10.{self.cluster.prefix}.0.0/16"
        return (
            "table ip services\ndelete table ip services\ntable ip services {\n"
            f"chain arriving {{ type nat hook prerouting priority -100;\n{''.join(translations)}}}\n"
            f"chain own {{ type nat hook output priority -100;\n{''.join(translations)}}}\n"
            f"chain leaving {{ type nat hook postrouting priority 100;\n{own}ct status dnat ip saddr != {inside} masquerade\n}}\n"
            f"chain refused {{ type filter hook forward priority 0;\n{''.join(refusals)}}}\n"
            f"chain refused_own {{ type filter hook output priority 0;\n{''.join(refusals)}}}\n}}\n")
