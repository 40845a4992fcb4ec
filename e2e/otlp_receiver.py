"""A receiver of OTLP/HTTP on loopback that keeps what it is sent, and OpenTelemetry's own decoder for it."""

import base64
import gzip
import http.server
import json
import os
import subprocess
import threading

from weir import ROOT

DECODER = os.path.join(ROOT, "e2e", "otlp")


class OtlpReceiver:
    def __init__(self):
        self.requests, self.answers = [], []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                receiver.requests.append((self.path, dict(self.headers), body, status))
                self.send_response(status)
                for name, value in {"Content-Length": "0", "Content-Type": "application/x-protobuf", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def decoded(self, kind):
        """All requests that were taken, as OpenTelemetry's generated code reads them."""
        if not os.path.isdir(os.path.join(DECODER, "node_modules")):
            import pytest  # benches use this file without it

            pytest.skip("SKIPPED: no e2e/otlp/node_modules; ./dev setup installs it")
        lines = [f"{kind} {base64.b64encode(gzip.decompress(body)).decode()}\n"
                 for path, _, body, status in list(self.requests) if path == f"/v1/{kind}" and status == 200]
        said = subprocess.run(["node", os.path.join(DECODER, "decode.mjs")], input="".join(lines), capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        return [json.loads(line) for line in said.stdout.splitlines()]

    def metrics(self):
        """{(name, attributes): (kind, point)} of the latest points."""
        found = {}
        for request in self.decoded("metrics"):
            for part in request["resourceMetrics"]:
                for scope in part["scopeMetrics"]:
                    for metric in scope["metrics"]:
                        (kind,) = {"gauge", "sum", "histogram"} & set(metric)
                        for point in metric[kind]["dataPoints"]:
                            found[metric["name"], frozenset(attributes(point).items())] = metric, kind, point
        return found

    def flows(self):
        records = []
        for request in self.decoded("logs"):
            for part in request["resourceLogs"]:
                for scope in part["scopeLogs"]:
                    records += scope["logRecords"]
        return records


def attributes(holder):
    values = {}
    for item in holder.get("attributes", []):
        value = item["value"]
        values[item["key"]] = int(value["intValue"]) if "intValue" in value else value["stringValue"]
    return values
