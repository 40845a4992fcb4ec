"""Tries Weir on the kernel it runs on, emulated or not: the kernel tests, then the program itself with real traffic.

    guest.py RESULTS    needs root; one JSON object per line goes to RESULTS, everything else to the standard output

`build/kernels/plan.json`, written by run.py, names the test programs. Kinds of lines: kernel, test, probe, flow, end.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import traceback
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
FOLDER = os.path.join(CHECKOUT, "build", "kernels")
os.environ.setdefault("WEIR_LIBCHDB", os.path.join(CHECKOUT, "build", "deps", "libchdb.so"))
os.environ["WEIR_BINARY"] = os.path.join(FOLDER, "programs", "weir")
sys.path.insert(0, os.path.dirname(HERE))

from lab import Lab, eventually  # noqa: E402
from weir import Weir, total  # noqa: E402

HEADER = 20  # bytes of a traffic.py request header
PORT = 7001
SLOW_S = 120  # an emulated machine needs its time


class Results:
    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8", buffering=1)

    def write(self, kind, **values):
        self._file.write(json.dumps({"kind": kind, **values}) + "\n")


def run_tests(results, program, arguments, limit_s):
    """One test program; a test whose result is not known is a failed one."""
    name = os.path.basename(program)
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.xml")
        try:
            code = subprocess.run([program, *arguments, f"--gtest_output=xml:{report}"], timeout=limit_s, check=False,
                                  stdin=subprocess.DEVNULL).returncode
            why = f"ended with {code} before it reported"
        except subprocess.TimeoutExpired:
            why = f"not finished after {limit_s} s"
        if not os.path.exists(report):
            results.write("test", program=name, name="*", result="failed", reason=why)
            return
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            failures, skips = case.findall("failure"), case.findall("skipped")
            result = "failed" if failures else "skipped" if skips else "passed"
            if case.get("status") == "notrun":
                continue
            reason = "\n".join(one.get("message", "") for one in failures or skips)
            results.write("test", program=name, name=f"{case.get('classname')}.{case.get('name')}", result=result,
                          seconds=float(case.get("time")), reason=reason)


def probes_of(weir):
    agents = weir.get("/api/v1/status").get("agents")
    assert agents, "the agent has not reported yet"
    return agents[0]["probes"]


def observe(results):
    """`weir up` with everything asked for, and three requests of known size between two namespaces."""
    with Lab(["client", "server"]) as lab, Weir("--udp", "on", "--dns", "on", "--requests", "on") as weir:
        lab.serve("server", PORT)
        lab.client("client", "get", lab.address("server"), str(PORT), "--count", "3", "--up", "1000", "--down", "5000",
                   timeout=SLOW_S)

        def complete():
            rows = weir.flows(f"server_address = {lab.address('server')} and server_port = {PORT}")
            assert total(rows, "connections_closed") == 3, rows
            return rows

        rows = eventually(complete, timeout=SLOW_S)
        # Not one row: on a slow machine an interval may end between the SYN and the rest.
        exact = (total(rows, "connections_opened") == 3 and total(rows, "bytes_to_server") == 3 * (HEADER + 1000)
                 and total(rows, "bytes_to_client") == 3 * 5000 and any(row["reported_by"] == "both" for row in rows))
        results.write("flow", exact=exact, rows=rows)
        for probe in probes_of(weir):
            results.write("probe", **probe)
        sys.stdout.write("".join(weir.process.log))


def main():
    with open(os.path.join(FOLDER, "plan.json"), encoding="utf-8") as file:
        plan = json.load(file)
    results = Results(sys.argv[1])
    # Debian names a kernel 6.1.0-56-amd64 and says in its version which one it is.
    debian = re.search(r"Debian (\d+\.\d+\.\d+)", platform.version())
    version = debian.group(1) if debian else re.match(r"\d+\.\d+\.\d+", platform.release()).group()
    results.write("kernel", release=platform.release(), version=version, debian=debian is not None,
                  emulated=plan["emulated"])
    failure = ""
    if plan["program"]:
        try:
            observe(results)
        except Exception:  # the tests still have something to say
            failure = traceback.format_exc()
            print(failure)
            results.write("flow", exact=False, error=failure)
    for test in plan["tests"]:
        run_tests(results, test["program"], test["arguments"], plan["limit_s"])
    results.write("end")


if __name__ == "__main__":
    main()
