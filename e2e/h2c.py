"""HTTP/2 in plaintext with prior knowledge, by the h2 library: h2c.py serve ADDRESS PORT | h2c.py ask ADDRESS PORT.

The server, per stream: /stream/N header at once, first chunk after 30 ms, then N - 1 more, 10 ms apart; /slow after 20 ms;
/status/S; /reset resets the stream after 10 ms; /silent never answers; POST answers with the number of bytes it read.

The client asks on one connection, with several streams open at a time, and prints what its own clock saw as JSON:
for each path of a stream the times in seconds to header, first chunk, each further chunk and end.
"""

import json
import socket
import sys
import threading
import time

import h2.config
import h2.connection
import h2.events

STREAMS = 20


class Server:
    def __init__(self, sock):
        self.sock = sock
        self.lock = threading.Lock()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.received = {}
        self.asked = {}

    def do(self, action, *arguments, **options):
        """One action of the protocol is one write."""
        with self.lock:
            getattr(self.h2, action)(*arguments, **options)
            self.sock.sendall(self.h2.data_to_send())

    def answer(self, stream, status, body, after=0.0):
        time.sleep(after)
        self.do("send_headers", stream, [(":status", str(status)), ("content-length", str(len(body)))])
        self.do("send_data", stream, body, end_stream=True)

    def stream(self, stream, chunks):
        self.do("send_headers", stream, [(":status", "200"), ("content-type", "text/event-stream")])
        for number in range(chunks):
            time.sleep(0.03 if number == 0 else 0.01)
            self.do("send_data", stream, b"data: token%02d\n" % number)
        self.do("end_stream", stream)

    def reset(self, stream):
        time.sleep(0.01)
        self.do("reset_stream", stream, 2)

    def on_request(self, stream):
        headers = self.asked[stream]
        part = headers[":path"].partition("?")[0].split("/")
        if headers[":method"] == "POST":
            work, arguments = self.answer, (stream, 200, f"{self.received[stream]}\n".encode(), 0.025)
        elif part[1] == "stream":
            work, arguments = self.stream, (stream, int(part[2]))
        elif part[1] == "reset":
            work, arguments = self.reset, (stream,)
        elif part[1] == "silent":
            return
        else:
            status = int(part[2]) if part[1] == "status" else 200
            work, arguments = self.answer, (stream, status, b"hello\n", 0.02 if part[1] == "slow" else 0)
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def run(self):
        with self.sock:
            self.follow()

    def follow(self):
        with self.lock:
            self.h2.initiate_connection()
            self.sock.sendall(self.h2.data_to_send())
        while data := self.sock.recv(65536):
            with self.lock:
                events = self.h2.receive_data(data)
                for event in events:
                    if isinstance(event, h2.events.RequestReceived):
                        self.asked[event.stream_id] = dict(event.headers)
                        self.received[event.stream_id] = 0
                    elif isinstance(event, h2.events.DataReceived):
                        self.received[event.stream_id] += len(event.data)
                        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.sock.sendall(self.h2.data_to_send())
            for event in events:
                if isinstance(event, h2.events.StreamEnded):
                    self.on_request(event.stream_id)


def serve(address, port):
    with socket.create_server((address, port)) as listener:
        print("ready", flush=True)
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Server(sock).run, daemon=True).start()


class Client:
    def __init__(self, address, port):
        self.authority = f"{address}:{port}"
        self.sock = socket.create_connection((address, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()
        self.seen = {}

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def ask(self, path, method="GET", body=b""):
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", method), (":path", path), (":scheme", "http"), (":authority", self.authority), ("x-secret", "s" * 700)]
        self.seen[stream] = {"path": path, "start": time.monotonic(), "header": None, "chunks": [], "end": None}
        self.h2.send_headers(stream, headers, end_stream=not body)
        self.flush()
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if room == 0:
                self.receive()
                continue
            self.h2.send_data(stream, body[:room], end_stream=room == len(body))
            body = body[room:]
            self.flush()
        return stream

    def receive(self):
        events = self.h2.receive_data(self.sock.recv(65536))
        now = time.monotonic()
        for event in events:
            seen = self.seen.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ResponseReceived):
                seen["header"] = now - seen["start"]
            elif isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.data:
                    seen["chunks"].append(now - seen["start"])
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                seen["end"] = now - seen["start"]
        self.flush()

    def wait(self, *streams):
        while any(self.seen[stream]["end"] is None for stream in streams):
            self.receive()


def ask(address, port):
    client = Client(address, port)
    for _ in range(STREAMS):
        client.wait(*[client.ask("/stream/4"), client.ask("/slow?key=secret"), client.ask("/stream/3")])
    client.wait(client.ask("/status/404"), client.ask("/status/500"), client.ask("/orders/17"), client.ask("/reset"))
    client.wait(client.ask("/upload", "POST", b"x" * 300_000))
    given_up = client.ask("/silent")
    client.wait(client.ask("/slow"))
    client.h2.reset_stream(given_up)
    client.flush()
    client.ask("/silent")
    client.wait(client.ask("/slow"))
    client.sock.close()
    print(json.dumps(list(client.seen.values())))


if __name__ == "__main__":
    (serve if sys.argv[1] == "serve" else ask)(sys.argv[2], int(sys.argv[3]))
