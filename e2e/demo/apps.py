#!/usr/bin/env python3
"""What runs in the pods of the demo: small real servers and clients. Each prints JSON lines of what it did, which is the truth
that the scenarios compare with.

    apps.py store PORT --bytes N          an object store: ranges of one sparse object
    apps.py inference PORT ...            loads weights from a store where its node has none, then streams answers
    apps.py cache PORT                    gives blocks of a key-value cache
    apps.py ui ADDRESS PORT               asks the inference service again and again, reads the streams
    apps.py sink PORT / pour ADDRESS PORT a reader, which may be slow, and who sends to it
    apps.py dns / resolve ADDRESS         a DNS server and who asks it
"""

import argparse
import contextlib
import http.client
import http.server
import json
import os
import socket
import struct
import sys
import tempfile
import threading
import time

BLOCK = 16_384  # bytes of the cache that a token needs


def say(**what):
    print(json.dumps({"at": round(time.time(), 3), **what}), flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Loop:
    """One event loop that somebody holds up: for so many seconds of each second, once a file says so. 0 = there is none."""

    def __init__(self, held, when):
        self.free, self.held, self.when = threading.Lock(), held, when
        if held:
            threading.Thread(target=self._hold, daemon=True).start()

    def _hold(self):
        told = False
        while True:
            if os.path.exists(self.when):
                if not told:
                    say(event="blocked")
                    told = True
                with self.free:
                    time.sleep(self.held)
            time.sleep(1 - self.held)

    def turn(self):
        """Until the loop gets to it."""
        if self.held:
            with self.free:
                pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def begin(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


def serve(port, handler):
    Server(("", port), handler).serve_forever()


# --- the object store -----------------------------------------------------------------------------------------------


def store(options):
    weights = tempfile.TemporaryFile()
    weights.truncate(options.bytes)  # sparse: its size costs nothing

    class Store(Handler):
        def do_GET(self):
            first, last = (int(each) for each in self.headers["Range"].removeprefix("bytes=").split("-"))
            self.begin(206, Content_Length=last - first + 1, Content_Range=f"bytes {first}-{last}/{options.bytes}")
            while first <= last:
                first += os.sendfile(self.connection.fileno(), weights.fileno(), first, min(last - first + 1, 1 << 18))

    serve(options.port, Store)


# --- inference ------------------------------------------------------------------------------------------------------


class Loader:
    """Fetches weights in shards, each by parallel range requests, with a pause after each in which they go to the accelerator."""

    def __init__(self, options):
        self.options = options
        host, port = options.store.rsplit(":", 1)
        self.address = (host, int(port))

    def fetch(self, connection, first, last):
        connection.request("GET", "/weights", headers={"Range": f"bytes={first}-{last}"})
        answer = connection.getresponse()
        buffer, got = bytearray(1 << 18), 0
        while count := answer.readinto(buffer):
            got += count
        return got

    def work(self, parts, got):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        with contextlib.closing(connection):
            for barrier, ranges in parts:
                for first, last in ranges:
                    got.append(self.fetch(connection, first, last))
                barrier.wait()

    def load(self):
        options, started = self.options, time.time()
        shard = options.bytes // options.shards
        step = min(options.range, shard // options.parallel)
        parts = [[] for _ in range(options.parallel)]
        for number in range(options.shards):
            barrier = threading.Barrier(options.parallel, action=lambda: time.sleep(options.pause))
            end = options.bytes if number == options.shards - 1 else (number + 1) * shard
            ranges = [(at, min(at + step, end) - 1) for at in range(number * shard, end, step)]
            for worker, part in enumerate(parts):
                part.append((barrier, ranges[worker::options.parallel]))
        got = []
        threads = [threading.Thread(target=self.work, args=(part, got)) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        say(event="loaded", bytes=sum(got), started=started, ended=time.time() - options.pause, connections=options.parallel)


class Cache:
    """Blocks of the key-value cache, over connections that are kept."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.address, self.local = (host, int(port)), threading.local()

    def block(self):
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(*self.address, timeout=30)
        self.local.connection.request("GET", "/block")
        self.local.connection.getresponse().read()


def inference(options):
    if not os.path.exists(options.warm):
        say(event="loading")
        Loader(options).load()
    cache = Cache(options.cache)

    loop = Loop(options.block, options.blocked)

    class Inference(Handler):
        def handle_one_request(self):
            loop.turn()  # before anything is read
            super().handle_one_request()

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.begin(200, Content_Type="text/event-stream", Transfer_Encoding="chunked")
            last = 0.0
            for number in range(options.tokens):
                time.sleep(options.pace)
                cache.block()
                text = f"data: token {number}\n\n".encode()
                now = time.monotonic()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                if number:
                    say(event="gap", ms=round(1000 * (now - last), 3))
                last = now
            self.wfile.write(b"0\r\n\r\n")

    serve(options.port, Inference)


def cache(options):
    body = bytes(BLOCK)

    class Blocks(Handler):
        def do_GET(self):
            self.begin(200, Content_Length=len(body))
            self.wfile.write(body)

    serve(options.port, Blocks)


def ui(options):
    prompt = json.dumps({"prompt": "why is the sky blue"}).encode()
    while True:
        try:
            connection = http.client.HTTPConnection(options.address, options.port, timeout=60)
            connection.request("POST", "/v1/completions", prompt, {"Content-Type": "application/json"})
            started = time.monotonic()
            answer = connection.getresponse()
            first = answer.readline()
            if not first:
                raise ConnectionError("the stream ended at once")
            say(event="first", ms=round(1000 * (time.monotonic() - started), 3))
            while answer.readline():
                pass
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            say(event="failed", error=type(error).__name__)
        time.sleep(options.think)


# --- a reader that may be slow, and a sender ------------------------------------------------------------------------


def sink(options):
    listener = socket.create_server(("", options.port))

    def read(connection):
        with connection:
            while connection.recv(16_384):
                if options.sleep:
                    time.sleep(options.sleep)

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=read, args=(connection,), daemon=True).start()


def pour(options):
    for _ in range(options.connections - 1):
        threading.Thread(target=pour_one, args=(options,), daemon=True).start()
    pour_one(options)


def pour_one(options):
    body = bytes(65_536)
    while True:
        with contextlib.suppress(OSError), socket.create_connection((options.address, options.port), timeout=5) as connection:
            connection.settimeout(None)
            while True:
                connection.sendall(body)
                if options.sleep:
                    time.sleep(options.sleep)
        time.sleep(1)


def knock(options):
    """Connects again and again, and says what came of it."""
    say(event="begun")
    while True:
        outcome = "open"
        try:
            socket.create_connection((options.address, options.port), timeout=options.timeout).close()
        except OSError as error:
            outcome = type(error).__name__
        say(event="knock", outcome=outcome)
        time.sleep(options.sleep)


# --- DNS ------------------------------------------------------------------------------------------------------------


def dns(options):
    """Answers every question for an address with the same one; fails as told by a file's words: servfail, silent."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 53))
    while True:
        message, peer = server.recvfrom(4096)
        mood = ""
        with contextlib.suppress(OSError), open(options.mood) as file:
            mood = file.read().strip()
        if mood == "silent":
            continue
        end = message.index(b"\0", 12) + 5
        if mood == "servfail":
            server.sendto(message[:2] + struct.pack(">HHHHH", 0x8182, 1, 0, 0, 0) + message[12:end], peer)
            continue
        answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(options.answer)
        server.sendto(message[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + message[12:end] + answer, peer)


def resolve(options):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in options.name.split("."))
    number = 0
    while True:
        number = (number + 1) % 65_536
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(2)
            asker.connect((options.address, 53))
            asker.send(struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">B2H", 0, 1, 1))
            asker.recv(4096)
        time.sleep(options.sleep)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(run, *where, **defaults):
        made = commands.add_parser(run.__name__)
        for name in where:
            made.add_argument(name, type=int if name == "port" else str)
        for name, value in defaults.items():
            made.add_argument(f"--{name}", type=type(value), default=value)
        made.set_defaults(run=run)

    command(store, "port", bytes=0)
    command(inference, "port", store="", bytes=0, shards=6, parallel=8, range=4 << 20, pause=0.75, warm="", cache="", tokens=20, pace=0.03,
            block=0.0, blocked="")
    command(cache, "port")
    command(ui, "address", "port", think=0.2)
    command(sink, "port", sleep=0.0)
    command(pour, "address", "port", sleep=0.0, connections=1)
    command(knock, "address", "port", sleep=0.5, timeout=3.0)
    command(dns, answer="10.96.0.1", mood="")
    command(resolve, "address", name="inference.shop.svc.cluster.local", sleep=0.2)
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    sys.exit(options.run(options))
