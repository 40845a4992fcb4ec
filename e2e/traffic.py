#!/usr/bin/env python3
"""Traffic of known size. The server answers requests of the form (bytes up, bytes down, delay µs); clients say exactly
what they sent and received, so tests compare byte for byte.

    traffic.py serve PORT [--bind ADDR] [--backlog N] [--slow MS] [--silent] [--drip MS] [--abort]
                          [--log FILE]    per request a line "PEER PORT RECEIVED SENT", as an access log has them
    traffic.py get ADDR PORT --count N --up BYTES --down BYTES [--keep-alive] [--delay US] [--parallel N] [--hold S]
                          [--drip MS] [--receive-buffer BYTES] [--send-buffer BYTES] [--patience S]
    traffic.py connect ADDR PORT [--timeout S] [--time]     one attempt; prints the errno name or "open"
"""

import argparse
import contextlib
import errno
import socket
import struct
import sys
import threading
import time

HEADER = struct.Struct("!QQI")
CHUNK = b"\0" * 65536


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def receive_exactly(connection, amount, drip_ms=0):
    while amount > 0:
        if drip_ms:
            time.sleep(drip_ms / 1000)
        got = len(connection.recv(min(amount, 4096 if drip_ms else 1 << 16)))
        if got == 0:
            return False
        amount -= got
    return True


def send_exactly(connection, amount):
    while amount > 0:
        part = CHUNK[: min(amount, len(CHUNK))]
        connection.sendall(part)
        amount -= len(part)


def reset_on_close(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(connection, options):
    with connection:
        while True:
            header = b""
            while len(header) < HEADER.size:
                part = connection.recv(HEADER.size - len(header))
                if not part:
                    return
                header += part
            up, down, delay_us = HEADER.unpack(header)
            if options.slow:
                time.sleep(options.slow / 1000)
            if not receive_exactly(connection, up, options.drip):
                return
            if delay_us:
                time.sleep(delay_us / 1e6)
            send_exactly(connection, down)
            if options.log:
                peer = connection.getpeername()
                with open(options.log, "a") as log:
                    log.write(f"{peer[0]} {peer[1]} {HEADER.size + up} {down}\n")
            if options.abort:
                time.sleep(0.1)  # the answer arrives before the reset
                reset_on_close(connection)
                return


def answer_quietly(connection, options):
    try:
        answer(connection, options)
    except OSError:
        pass


def serve(options):
    listener = socket.socket(family_of(options.bind), socket.SOCK_STREAM)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.receive_buffer:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer)
    if options.congestion:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, options.congestion.encode())
    listener.bind((options.bind, options.port))
    listener.listen(options.backlog)
    print("ready", flush=True)
    if options.silent:
        threading.Event().wait()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer_quietly, args=(connection, options), daemon=True).start()


def request(connection, options):
    connection.sendall(HEADER.pack(options.up, options.down, options.delay))
    send_exactly(connection, options.up)
    if not receive_exactly(connection, options.down, options.drip):
        raise OSError("server closed early")


def open_connection(options):
    connection = socket.socket(family_of(options.address), socket.SOCK_STREAM)
    connection.settimeout(options.patience)
    for option, size in ((socket.SO_RCVBUF, options.receive_buffer), (socket.SO_SNDBUF, options.send_buffer)):
        if size:
            connection.setsockopt(socket.SOL_SOCKET, option, size)
    if options.congestion:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, options.congestion.encode())
    connection.connect((options.address, options.port))
    return connection


def worker(options, count):
    if options.keep_alive:
        with open_connection(options) as connection:
            for _ in range(count):
                request(connection, options)
            if options.hold:
                print("holding", flush=True)
                time.sleep(options.hold)
        return
    for _ in range(count):
        with open_connection(options) as connection:
            request(connection, options)
            if options.abort:
                reset_on_close(connection)
            elif options.await_end:
                with contextlib.suppress(ConnectionResetError):
                    connection.recv(1)


def get(options):
    share = options.count // options.parallel
    threads = [threading.Thread(target=worker, args=(options, share)) for _ in range(options.parallel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = share * options.parallel
    print(f"sent={done * (HEADER.size + options.up)} received={done * options.down}", flush=True)


def attempt(options):
    started = time.monotonic()
    with socket.socket(family_of(options.address), socket.SOCK_STREAM) as connection:
        connection.settimeout(options.timeout)
        outcome = "open"
        try:
            connection.connect((options.address, options.port))
        except TimeoutError as error:
            outcome = errno.errorcode.get(error.errno or 0, "gave-up")
        except OSError as error:
            outcome = errno.errorcode.get(error.errno or 0, str(error))
    print(outcome, *([f"{time.monotonic() - started:.6f}"] if options.time else []), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve")
    server.add_argument("port", type=int)
    server.add_argument("--bind", default="::")
    server.add_argument("--backlog", type=int, default=4096)
    server.add_argument("--slow", type=float, default=0, help="milliseconds before reading a request's body")
    server.add_argument("--silent", action="store_true", help="listen but never accept")
    server.add_argument("--drip", type=float, default=0, help="milliseconds between reads of 4 KiB of a request's body")
    server.add_argument("--receive-buffer", type=int, default=0)
    server.add_argument("--congestion", default="")
    server.add_argument("--log", default="", help="file to append a line per request to")
    server.add_argument("--abort", action="store_true", help="end connections by a reset after the first answer")
    server.set_defaults(run=serve)
    client = commands.add_parser("get")
    client.add_argument("address")
    client.add_argument("port", type=int)
    client.add_argument("--count", type=int, default=1)
    client.add_argument("--up", type=int, default=0)
    client.add_argument("--down", type=int, default=0)
    client.add_argument("--delay", type=int, default=0)
    client.add_argument("--parallel", type=int, default=1)
    client.add_argument("--patience", type=float, default=120, help="seconds to wait for anything")
    client.add_argument("--keep-alive", action="store_true")
    client.add_argument("--hold", type=float, default=0, help="seconds to keep the connection open at the end")
    client.add_argument("--drip", type=float, default=0, help="milliseconds between reads of 4 KiB of an answer")
    client.add_argument("--receive-buffer", type=int, default=0)
    client.add_argument("--send-buffer", type=int, default=0)
    client.add_argument("--congestion", default="")
    client.add_argument("--abort", action="store_true", help="end connections by a reset")
    client.add_argument("--await-end", action="store_true", help="let the server end the connection")
    client.set_defaults(run=get)
    single = commands.add_parser("connect")
    single.add_argument("address")
    single.add_argument("port", type=int)
    single.add_argument("--timeout", type=float, default=None)
    single.add_argument("--time", action="store_true", help="print how many seconds it took, too")
    single.set_defaults(run=attempt)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    sys.exit(main())
