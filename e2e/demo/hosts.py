#!/usr/bin/env python3
"""Plain hosts: network namespaces on this machine with real traffic, observed by a real Weir: a web front end calls an
inference service, which loads weights from an object store and logs to a collector; one client calls a service that is down.
Stops, and removes everything, on Ctrl-C.

    hosts.py [--seconds N] [--listen ADDRESS:PORT] [weir up arguments...]
"""

import argparse
import contextlib
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from lab import Lab, have_root  # noqa: E402
from weir import Weir  # noqa: E402

HOSTS = ["web", "inference", "objectstore", "collector", "batch"]


def traffic(lab):
    for host, port in (("inference", 8000), ("objectstore", 9000), ("collector", 4317)):
        lab.serve(host, port)
    store, model, logs = (lab.address(host) for host in ("objectstore", "inference", "collector"))
    endless = "1000000000"
    # Prompts go up small, generated images come back large, after some thinking.
    lab.traffic("web", "get", model, "8000", "--keep-alive", "--count", endless, "--parallel", "4", "--up", "800", "--down", "150000", "--delay", "60000")
    # Weights arrive in bulk; one segment in 200 is lost on the way.
    lab.nft("router", "table inet demo {\n chain forward {\n  type filter hook forward priority 0;\n"
            "  tcp sport 9000 numgen random mod 1000 < 5 drop\n }\n}\n")
    lab.traffic("inference", "get", store, "9000", "--count", endless, "--down", "4000000", "--delay", "200000")
    lab.traffic("inference", "get", logs, "4317", "--keep-alive", "--count", endless, "--up", "2000", "--delay", "500000")


def call_what_is_down(lab, until):
    """The batch job's database is not there: attempts that fail are edges too."""
    while time.monotonic() < until:
        lab.client("batch", "connect", lab.address("collector"), "5432")
        lab.client("batch", "get", lab.address("inference"), "8000", "--up", "300", "--down", "90000")
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600, help="stop by itself after this long")
    parser.add_argument("--listen", default="127.0.0.1:7600", help="port 0 = any free one (default: %(default)s)")
    parser.add_argument("--tag", default="demo", help="the namespaces are called TAG-web and so on (default: %(default)s)")
    options, rest = parser.parse_known_args()
    if not have_root():
        sys.exit("demo: needs root for network namespaces and eBPF")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="weir-demo-") as folder:
        with Lab(HOSTS, prefix=81, tag=options.tag) as lab, Weir(*rest, data_dir=folder, listen=options.listen) as weir:
            traffic(lab)
            print(f"Open {weir.url}/  (Ctrl-C stops the demo and removes its namespaces)", flush=True)
            call_what_is_down(lab, time.monotonic() + options.seconds)


if __name__ == "__main__":
    main()
