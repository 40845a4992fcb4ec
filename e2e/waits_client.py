"""What the clients of waits_server.py do, by their own clock: python3 waits_client.py WHAT ADDRESS PORT [ARGUMENT ...].
Prints one JSON value; times are seconds of CLOCK_MONOTONIC, which all processes share."""

import http.client
import json
import socket
import sys
import time


def connect(address, port):
    connection = http.client.HTTPConnection(address, int(port))
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def get(connection, path):
    connection.request("GET", path)
    return connection.getresponse()


def block(address, port, rounds, block_ms):
    """A second client asks while the first one's request blocks the loop: [asked, answered] of the second."""
    first, second = connect(address, port), connect(address, port)
    times = []
    for _ in range(int(rounds)):
        standing_still = get(first, f"/block/{block_ms}")  # its header is here: the loop blocks
        asked = time.monotonic()
        get(second, "/quick").read()
        times.append([asked, time.monotonic()])
        standing_still.read()
    return times


def newcomer(address, port, rounds, block_ms):
    """The same with a connection of its own for each question: [connected, answered]."""
    first = connect(address, port)
    times = []
    for _ in range(int(rounds)):
        standing_still = get(first, f"/block/{block_ms}/newcomer")
        second = connect(address, port)
        connected = time.monotonic()
        get(second, "/newcomer").read()
        times.append([connected, time.monotonic()])
        second.close()
        standing_still.read()
    return times


def burn(address, port, rounds, burn_ms, name):
    """[asked, answered] of requests one after the other."""
    connection = connect(address, port)
    times = []
    for _ in range(int(rounds)):
        asked = time.monotonic()
        get(connection, f"/burn/{burn_ms}/{name}").read()
        times.append([asked, time.monotonic()])
    return times


def upload(address, port, rounds, nodelay):
    """Header and body by two sends, which Nagle's algorithm keeps apart: [begun, answered]."""
    with socket.create_connection((address, int(port))) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, nodelay == "on")
        times = []
        for _ in range(int(rounds)):
            begun = time.monotonic()
            sock.sendall(f"POST /upload/{nodelay} HTTP/1.1\r\nContent-Length: 4\r\n\r\n".encode())
            sock.sendall(b"body")
            sock.recv(1000)
            times.append([begun, time.monotonic()])
        return times


def token(address, port, rounds, nodelay):
    """[header, first chunk] of answers."""
    connection = connect(address, port)
    times = []
    for _ in range(int(rounds)):
        answer = get(connection, f"/token/{nodelay}")
        header = time.monotonic()
        answer.read(1)
        times.append([header, time.monotonic()])
        answer.read()
    return times


def feed(address, port, chunks, size, name):
    """[asked, all here]."""
    connection = connect(address, port)
    asked = time.monotonic()
    get(connection, f"/feed/{chunks}/{size}/{name}").read()
    return [[asked, time.monotonic()]]


def download(address, port):
    """As much as it gets until it is killed; says when it has begun."""
    answer = get(connect(address, port), "/feed/1000000/65536")
    answer.read(1)
    print("begun", flush=True)
    while answer.read(65536):
        pass


def log(address, port):
    return json.loads(get(connect(address, port), "/log").read())


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
