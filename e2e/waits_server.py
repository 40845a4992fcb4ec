"""An event loop that serves HTTP/1.1 and keeps its own account of what it did: python3 waits_server.py ADDRESS PORT.

/quick          answers at once
/block/MS       answers its header, then stands still for MS milliseconds, and nobody else is served meanwhile
/burn/MS        computes for MS milliseconds of processor time, then answers
/token/on       header, 2 ms later one chunk, over a socket with TCP_NODELAY; /token/off without
/feed/N/BYTES   N chunks of BYTES as fast as the network takes them, from a small send buffer
/log            the account: a list of {path, read, done, ...}, seconds of CLOCK_MONOTONIC, which all processes share
POST            answers with the number of bytes it read
"""

import asyncio
import json
import socket
import sys
import time

SEND_BUFFER_BYTES = 16 << 10
HEADER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

account = []


def chunk(body):
    return b"%x\r\n%s\r\n" % (len(body), body)


def whole(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def burn(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def token(writer, record, nodelay):
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, nodelay)
    writer.write(HEADER)
    record["header"] = time.monotonic()
    await asyncio.sleep(0.002)
    record["chunk"] = time.monotonic()
    writer.write(chunk(b"token"))
    writer.write(LAST_CHUNK)


async def feed(writer, record, chunks, size):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    writer.transport.set_write_buffer_limits(high=0)
    writer.write(HEADER)
    body = b"f" * size
    record["begun"], record["accepted"] = [], []
    for _ in range(chunks):
        record["begun"].append(time.monotonic())
        writer.write(chunk(body))
        await writer.drain()
        record["accepted"].append(time.monotonic())
    writer.write(LAST_CHUNK)


async def answer(writer, method, path, body):
    record = {"path": path, "read": time.monotonic()}
    part = path.split("/")
    if method == "POST":
        writer.write(whole(b"%d\n" % len(body)))
    elif part[1] == "block":
        writer.write(HEADER)
        time.sleep(int(part[2]) / 1000)
        record["awake"] = time.monotonic()
        writer.write(chunk(b"late"))
        writer.write(LAST_CHUNK)
    elif part[1] == "token":
        await token(writer, record, part[2] == "on")
    elif part[1] == "feed":
        await feed(writer, record, int(part[2]), int(part[3]))
    elif part[1] == "log":
        writer.write(whole(json.dumps(account).encode()))
    else:
        if part[1] == "burn":
            burn(int(part[2]) / 1000)
            record["ready"] = time.monotonic()
        writer.write(whole(b"hello\n"))
    record["done"] = time.monotonic()
    account.append(record)


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            method, path, _ = line.decode().split()
            length = 0
            while (field := await reader.readline()) not in (b"\r\n", b""):
                name, _, value = field.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            await answer(writer, method, path, await reader.readexactly(length))
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]))
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
