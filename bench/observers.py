"""Who observes while a benchmark runs: nobody, Weir in its variants, and what else a distribution offers for the purpose.
An observer starts, says when it observes, can be asked for its CPU time and memory, and stops."""

import glob
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import zstandard

import forge
from weir import BINARY


def sequence_of(message):
    """Batch.sequence without decoding the rest: the sink runs on the CPUs that are being measured."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        if key & 7 == 0:
            value, at = varint(message, at)
            if key >> 3 == SEQUENCE_FIELD:
                return value
        elif key & 7 == 2:
            length, at = varint(message, at)
            at += length
        else:
            at += 8 if key & 7 == 1 else 4
    return 0


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


SEQUENCE_FIELD = forge.schema().Batch.DESCRIPTOR.fields_by_name["sequence"].number


class Sink:
    """A server that acknowledges every batch at once and keeps the last one: the agent's cost alone."""

    def __init__(self):
        sink = self
        self.body, self.received = None, 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sequence = sequence_of(zstandard.decompress(body))
                sink.body, sink.received = body, sink.received + 1
                answer = json.dumps({"watermark": sequence, "duplicate": False}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def counter(self, name):
        last = forge.schema().Batch.FromString(zstandard.decompress(self.body))
        return next((counter.value for counter in last.counters if counter.name == name), None)

    def close(self):
        self.server.shutdown()


class DoesNotRun(Exception):
    """This observer cannot work here; the text says why."""


class Observer:
    """One process and its children."""

    def __init__(self, command, **options):
        self.child = subprocess.Popen(command, start_new_session=True, **options)

    def _processes(self):
        group = self.child.pid
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == group:  # the session it leads
                yield os.path.dirname(path)

    def cpu_seconds(self):
        """User and system time of all threads, from the scheduler's own nanoseconds: ticks of 10 ms are too coarse."""
        total = 0
        for process in self._processes():
            for path in glob.glob(f"{process}/task/*/schedstat"):
                try:
                    with open(path, encoding="utf-8") as file:
                        total += int(file.read().split()[0])
                except (FileNotFoundError, ProcessLookupError):
                    continue
        return total / 1e9

    def rss_mib(self):
        total = 0
        for process in self._processes():
            try:
                with open(f"{process}/status", encoding="utf-8") as file:
                    total += next((int(line.split()[1]) for line in file if line.startswith("VmRSS")), 0)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return total / 1024

    def stop(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGTERM)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()


class WeirAgent(Observer):
    """Observes once its second batch has arrived."""

    def __init__(self, sink, *arguments):
        self.folder = tempfile.mkdtemp(prefix="weir-bench-")
        before = sink.received
        super().__init__([BINARY, "agent", "--server", sink.url, "--data-dir", self.folder, "--log-level", "error", *arguments])
        deadline = time.monotonic() + 20
        while sink.received < before + 2:
            if time.monotonic() > deadline or self.child.poll() is not None:
                self.stop()
                raise DoesNotRun("the agent did not report")
            time.sleep(0.05)

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Tool(Observer):
    """A tool of the distribution, writing to a file; `needs` seconds until it observes."""

    def __init__(self, command, needs):
        self.log = tempfile.TemporaryFile()
        super().__init__(command, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        time.sleep(needs)
        if self.child.poll() is not None:
            self.log.seek(0)
            said = self.log.read().decode(errors="replace").strip().splitlines()
            raise DoesNotRun(said[-1][:160] if said else f"ended with {self.child.returncode}")


def tools(lab):
    """name -> starter of each alternative that is installed. What sees packets is put where it sees all of them."""
    inside = ["ip", "netns", "exec", lab.router]
    candidates = {
        "bpfcc tcptop": (["tcptop-bpfcc", "-C", "1"], 6),
        "bpfcc tcplife": (["tcplife-bpfcc"], 6),
        "bpfcc tcpretrans": (["tcpretrans-bpfcc"], 6),
        "bpfcc tcprtt": (["tcprtt-bpfcc", "-i", "1"], 6),
        "libbpf-tools tcptop": (["tcptop", "-C", "1"], 2),
        "libbpf-tools tcplife": (["tcplife"], 2),
        "libbpf-tools tcprtt": (["tcprtt", "-i", "1"], 2),
        "softflowd": ([*inside, "softflowd", "-d", "-i", "r1", "-n", "127.0.0.1:9995"], 2),
        "pmacctd": ([*inside, "pmacctd", "-i", "r1", "-c", "src_host,dst_host,src_port,dst_port,proto", "-P", "memory", "-p",
                     f"/tmp/weir-bench-{os.getpid()}.pipe"], 2),
    }
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    for name, (command, needs) in candidates.items():
        program = command[len(inside)] if command[: len(inside)] == inside else command[0]
        found = shutil.which(program, path=path)
        if found:
            yield name, lambda command=[found if part == program else part for part in command], needs=needs: Tool(command, needs)
