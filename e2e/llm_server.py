"""A small inference server: streams chunks and keeps histograms of its own, called as vLLM's: python3 llm_server.py UNREAD_MS THINK_MS.

Prints the port it listens at. Every request lies unread for UNREAD_MS, then its clock starts; THINK_MS later
the first token goes out, and 4 more 10 ms apart each.

/generate       the stream
/mode/NAME      what /metrics does from now on: good, lies (its buckets fall), hangs (no answer)
/metrics        its own numbers
"""

import http.server
import sys
import threading
import time

UNREAD, THINK = float(sys.argv[1]) / 1000, float(sys.argv[2]) / 1000
GAP, TOKENS = 0.01, 5
NAMES = {"first": "vllm:time_to_first_token_seconds", "gap": "vllm:inter_token_latency_seconds",
         "whole": "vllm:e2e_request_latency_seconds"}
BOUNDS = {"first": (0.02, 0.04, 0.06, 0.08, 0.1, 0.5), "gap": (0.005, 0.01, 0.015, 0.02, 0.05), "whole": (0.05, 0.1, 0.2, 1.0)}

lock = threading.Lock()
told = {kind: [] for kind in NAMES}
mode = "good"
ended = threading.Event()


def metrics():
    lines = ["# a lie" if mode == "lies" else "# all of it", "vllm:num_requests_waiting 0"]
    with lock:
        for kind, name in NAMES.items():
            for bound in BOUNDS[kind]:
                below = sum(value <= bound for value in told[kind])
                lines.append(f'{name}_bucket{{le="{bound}"}} {len(told[kind]) + 3 - below if mode == "lies" else below}')
            lines.append(f'{name}_bucket{{le="+Inf"}} {len(told[kind])}')
            lines.append(f"{name}_sum {sum(told[kind])}\n{name}_count {len(told[kind])}")
    return ("\n".join(lines) + "\n").encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self):
        # The request has arrived, and nobody reads it: what a blocked event loop looks like from outside.
        time.sleep(UNREAD)
        super().handle_one_request()

    def do_GET(self):
        global mode
        if self.path.startswith("/mode/"):
            mode = self.path.rsplit("/", 1)[1]
            return self.whole(b"ok")
        if self.path == "/metrics":
            if mode == "hangs":
                ended.wait(60)
            return self.whole(metrics())
        began = last = time.monotonic()
        time.sleep(THINK)
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for token in range(TOKENS):
            if token:
                time.sleep(GAP)
            self.wfile.write(b"5\r\ntoken\r\n")
            self.wfile.flush()
            now = time.monotonic()
            with lock:
                told["gap" if token else "first"].append(now - last)
            last = now
        self.wfile.write(b"0\r\n\r\n")
        with lock:
            told["whole"].append(time.monotonic() - began)

    def whole(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
