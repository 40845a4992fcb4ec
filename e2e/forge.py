"""Forges agent batches, honest and hostile, straight from the wire schema."""

import functools
import importlib.util
import ipaddress
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import zstandard

from weir import ROOT, HttpError


@functools.cache
def schema():
    folder = tempfile.mkdtemp(prefix="weir-schema-")
    proto = os.path.join(ROOT, "proto")
    subprocess.run(["protoc", f"-I{proto}", f"--python_out={folder}", os.path.join(proto, "weir/v1/batch.proto")], check=True)
    sys.path.insert(0, folder)
    # The package is called weir like our own test module: load it from its path.
    spec = importlib.util.spec_from_file_location("weir_v1_batch_pb2", os.path.join(folder, "weir/v1/batch_pb2.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def now_ms():
    return int(time.time() * 1000)


def batch(agent="a" * 32, node="forged", sequence=None, start_ms=None, flows=1, server_port=9000, **fields):
    message = schema().Batch(format=1, agent_id=agent, node=node, sequence=sequence or int(time.time() * 1e6),
                             start_ms=start_ms or now_ms() - 1000, mode="ebpf", agent_version="test")
    message.end_ms = message.start_ms + 1000
    message.strings.extend(["", "forger"])
    for i in range(flows):
        flow = message.flows.add(protocol=6, server_port=server_port, netns=1, process=1, bytes_sent=1000, segments_sent=3,
                                 opened=1, closed=1)
        flow.client_address = ipaddress.ip_address(f"203.0.113.{1 + i % 200}").packed
        flow.server_address = ipaddress.ip_address("198.51.100.7").packed
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def encode(message):
    return zstandard.compress(message.SerializeToString())


def post(url, body, sent_at=None, token=None):
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "zstd", "X-Weir-Sent-At": str(sent_at or now_ms())}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{url}/api/v1/ingest", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        raise HttpError(error.code, error.read().decode()) from None
