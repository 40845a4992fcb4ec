"""What Weir was told during a scenario, written down as a recipe of src/diagnose/ (docs/detectors/README.md): each row of each second
with the numbers that detectors read, each reading of a node. Times of requests become their mean and spread."""

import datetime
import json
import math
import urllib.request

COUNTS = {"late_segments": "late", "retransmits": "again", "spurious_retransmits": "spurious", "reordered": "reordered", "timeouts": "rto",
          "zero_windows": "zero", "unread_max": "unread"}
FLOW = {"connections_open": "conns", "connections_opened": "opened", "connections_closed": "closed", "failed_refused": "refused",
        "failed_timed_out": "timed_out", "failed_unreachable": "unreachable", "failed_abandoned": "abandoned", "failed_no_port": "no_port",
        "failed_other": "failed_other", "closed_reset_by_server": "reset", "retransmits_syn": "syn_again", "accept_overflows": "overflows",
        "failed_after_max_us": "failed_after", "connect_max_us": "connect_max"}
REQUESTS = {"requests": "n", "requests_unanswered": "unanswered", "requests_repeated": "repeated"}
TIMES = {"request_latency": "latency", "first_chunk": "first", "chunk_gap": "gap", "receive_wait": "wait", "accept_wait": "accept",
         "client_idle": "idle"}
SIGNALS = {"drop.rule": "rules", "tcp.zero_window_drops": "sockets", "qdisc.overlimits": "overlimits", "qdisc.drops": "queue_drops"}
SIDES = {(True, True): "both", (True, False): "client", (False, True): "server"}


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def quoted(text):
    return f'"{text}"' if " " in text else text


class Recorder:
    """Of the last three minutes, asked for when a scenario is over."""

    def __init__(self, world):
        self.world, self.ends, self.lines = world, {}, []
        self.rows = list(self._rows())
        self.start = math.floor(min(seconds(row["start"]) for row in self.rows))
        self.until = math.ceil(max(seconds(row["end"]) for row in self.rows))

    def _rows(self):
        with urllib.request.urlopen(f"{self.world.url}/api/v1/live?replay=180s", timeout=30) as stream:
            event, data, came = "", [], False
            for line in stream:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    event = value
                elif field == "data":
                    data.append(value)
                elif not field:  # an empty line ends an event
                    if event == "rows":
                        came = True
                        yield from json.loads("\n".join(data))["rows"]
                    if event == "heartbeat" and came:
                        return
                    data = []

    def write(self, path, about, expectations):
        for row in self.rows:
            self._row(row)
        self.lines.sort(key=lambda line: int(line.split("..")[0]))
        self._nodes()
        text = [f"# {about}", "# Recorded by ./dev demo: what the agents of three nodes told, second by second.", *self._declared(),
                *self.ends.values(), *self.lines, f"run {self.until - self.start + 1}", *expectations]
        path.write_text("\n".join(each if isinstance(each, str) else each[1] for each in text) + "\n")

    # --- who ----------------------------------------------------------------------------------------------------

    def _end(self, row, side):
        def of(name):
            return row[f"{side}_{name}"]
        key = tuple(of(name) for name in ("namespace", "pod", "node", "external_name", "process"))
        if not any(key):
            key = (of("address"),)
        if key not in self.ends:
            number = len(self.ends) + 1
            if of("pod"):
                who = f"pod={of('namespace')}/{of('pod')} workload={of('workload')} node={of('node')}"
            elif of("external_name") or of("cloud_service"):
                who = f"external={quoted(of('external_name') or of('address'))} class={of('cloud_service')} source={of('name_source') or 'dns'}"
            else:
                who = f"process={quoted(of('process') or 'unknown')} node={of('node')}"
            self.ends[key] = (number, f"end {number} {who}")
        return self.ends[key][0]

    def _declared(self):
        lines = []
        for node in self.world.cluster.items("node"):
            labels = node["metadata"]["labels"]
            lines.append(f"node {node['metadata']['name']} zone={labels.get('topology.kubernetes.io/zone', '')} "
                         f"baseline={labels.get('karpenter.k8s.aws/instance-network-bandwidth', 0)}M")
        for namespace in ("shop", "models"):
            for pod in self.world.cluster.items("pod", namespace):
                lines.append(self._pod(namespace, pod))
        return [line for line in lines if line] + self._endpoints()

    def _pod(self, namespace, pod):
        def at(text):
            return f"{seconds(text) - self.start:.0f}" if text else ""
        conditions = {each["type"]: each.get("lastTransitionTime") for each in pod["status"].get("conditions", []) if each["status"] == "True"}
        times = {"created": at(pod["metadata"]["creationTimestamp"]), "scheduled": at(conditions.get("PodScheduled")),
                 "started": at(pod["status"].get("startTime")), "ready": at(conditions.get("Ready"))}
        return f"pod {namespace}/{pod['metadata']['name']} node={pod['spec'].get('nodeName', '')} " + " ".join(
            f"{name}={value}" for name, value in times.items() if value)

    def _endpoints(self):
        zones = {node["metadata"]["name"]: node["metadata"]["labels"].get("topology.kubernetes.io/zone", "") for node in self.world.cluster.items("node")}
        lines = []
        for name in self.world.services:
            pods = [pod for space in ("models", "shop") for pod in self.world.cluster.items("pod", space, f"?labelSelector=app%3D{name}")]
            names = ",".join(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}@{zones.get(pod['spec'].get('nodeName'), '')}" for pod in pods)
            if names:
                lines.append(f"endpoints service={name} pods={names}")
        return lines

    # --- what ---------------------------------------------------------------------------------------------------

    def _row(self, row):
        at = math.floor((seconds(row["start"]) + seconds(row["end"])) / 2) - self.start
        ends = f"{self._end(row, 'client')}->{self._end(row, 'server')}:{row['server_port']}"
        by = SIDES.get((row["client_reports"] > 0, row["server_reports"] > 0), "client")
        asked = any(row[name] for name in ("requests", "requests_failed", "requests_unanswered", "requests_repeated", "requests_unusable"))
        values = self._request(row) if asked else self._flow(row)
        if values:
            words = " ".join(f"{name}={value}" for name, value in values.items())
            self.lines.append(f"{at}..{at} {'requests' if asked else 'flow'} {ends} by={by} {words}")

    @staticmethod
    def _flow(row):
        values = {}
        for short, way in (("rx", "to_client"), ("tx", "to_server")):
            values[short] = row[f"bytes_{way}"]
            for column, name in COUNTS.items():
                values[f"{name}_{short}"] = row[f"{column}_{way}"]
            busy = min(1.0, row[f"busy_us_{way}"] / 1e6)
            values[f"busy_{short}"] = round(busy, 3)
            for column, name in (("window_limited_us", "window"), ("buffer_limited_us", "buffer")):
                values[f"{name}_{short}"] = round(min(1.0, row[f"{column}_{way}"] / 1e6 / busy), 3) if busy else 0
        for side in ("client", "server"):
            if count := row[f"{side}_rtt_count"]:
                values[f"rtt_{side}"] = round(row[f"{side}_rtt_sum_us"] / count)
                values[f"rtt_{side}_min"] = row[f"{side}_rtt_min_us"] or 0
        values.update({name: row[column] for column, name in FLOW.items()})
        if row["application"]:
            values["row"] = row["application"]
        return {name: value for name, value in values.items() if value}

    @staticmethod
    def _request(row):
        values = {name: row[column] for column, name in REQUESTS.items()}
        values.update(app="dns" if row["application"] == "dns" else "http", result=quoted(row["result"] or "ok"))
        for column, name in TIMES.items():
            count = row[f"{column}_count"]
            if not count:
                continue
            mean = row[f"{column}_sum_us"] / count
            spread = Recorder._spread(count, mean, row[f"{column}_max_us"] or mean)
            values[name] = f"{mean / math.exp(spread**2 / 2):.0f}~{spread:.2f}"
            if name == "gap":
                values["gaps"] = count
        return {name: value for name, value in values.items() if value}

    @staticmethod
    def _spread(count, mean, most):
        """Standard deviation of the logarithm by which so many times have such a longest one."""
        return min(1.0, math.log(most / mean) / math.sqrt(2 * math.log(count))) if count > 1 and most > mean > 0 else 0.0

    # --- nodes --------------------------------------------------------------------------------------------------

    def _series(self, node, signal, subject="*"):
        answer = self.world.get("/api/v1/nodes/series", node=node, signal=signal, subject=subject, since=self.start, until=self.until, step="1s")
        return {math.floor(seconds(at)) - self.start: value for at, value in zip(answer["times"], answer["values"]) if value}

    def _nodes(self):
        for node in self.world.get("/api/v1/nodes", since=self.start, until=self.until)["nodes"]:
            name, seen = node["node"], {}
            uplink = next((each["name"] for each in node["interfaces"] if each["own"] and each["hardware"]), "*")
            for signal, word in (("interface.rx_bytes", "rx"), ("interface.tx_bytes", "tx")):
                for at, value in self._series(name, signal, uplink).items():
                    seen.setdefault(at, {})[word] = value
            for limit in {each["signal"]: each for each in node["limits"]}.values():
                word = SIGNALS.get(limit["signal"])
                for at, value in self._series(name, limit["signal"]).items() if word else ():
                    seen.setdefault(at, {}).update({word: value, **({"qdisc": quoted(limit["subject"])} if word == "overlimits" else {}),
                                                    **({"rule": quoted(limit["subject"])} if word == "rules" else {})})
            for at, values in sorted(seen.items()):
                self.lines.append(f"{at}..{at} node {name} " + " ".join(f"{word}={value}" for word, value in values.items()))
