"""What the client of test_tls_timing.py does, by its own clock: python3 tls_client.py ADDRESS PORT VERSION ROUNDS CHUNKS [PAUSE].
Prints of each of its streams, kept alive, with PAUSE seconds between them and each of another length, as JSON and in seconds of CLOCK_REALTIME: before it sent the
request, after it did, when the kernel received what the first chunk came with, when the first byte was read, the last one, and
the first chunk, and when the kernel received the first byte. The kernel's time is not late when the machine is busy."""

import json
import socket
import ssl
import struct
import sys
import time

SO_TIMESTAMPNS = 35  # of asm-generic/socket.h; Python has no name for it


class Connection:
    def __init__(self, address, port, version):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
        self.sock = socket.create_connection((address, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.received = 0.0
        self.read_until_done(self.tls.do_handshake)

    def flush(self):
        if self.outgoing.pending:
            self.sock.sendall(self.outgoing.read())

    def read_until_done(self, call, *arguments):
        while True:
            try:
                result = call(*arguments)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
            data, ancillary, _, _ = self.sock.recvmsg(65536, 64)
            for level, kind, value in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    seconds, nanoseconds = struct.unpack("qq", value)
                    self.received = seconds + nanoseconds / 1e9
            self.incoming.write(data) if data else self.incoming.write_eof()

    def stream(self, chunks, query):
        self.tls.write(f"GET /stream/{chunks}{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        before = time.time()
        self.flush()
        after = time.time()
        seen, first_chunk, first_byte, chunk_read, received = b"", None, None, None, None
        while not seen.endswith(b"0\r\n\r\n"):
            seen += self.read_until_done(self.tls.read, 65536)
            first_byte, received = first_byte or time.time(), received or self.received
            if first_chunk is None and b"token00" in seen:
                first_chunk, chunk_read = self.received, time.time()
        return [before, after, first_chunk, first_byte, time.time(), chunk_read, received]


def main():
    address, port, version, rounds, chunks = sys.argv[1:6]
    pause = float(sys.argv[6]) if len(sys.argv) > 6 else 0
    connection = Connection(address, port, version)
    streams = []
    for number in range(int(rounds)):
        # The first at once after the handshake: in TLS 1.3 the request is on its way with the client's Finished.
        streams.append(connection.stream(chunks, f"?vary={number}" if pause else ""))
        time.sleep(pause)
    print(json.dumps(streams))


if __name__ == "__main__":
    main()
