"""Runs the real program and asks it, by HTTP and by its own CLI."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

from lab import eventually

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.environ.get("WEIR_BINARY", os.path.join(ROOT, "build", "weir"))


class HttpError(Exception):
    def __init__(self, status, body):
        super().__init__(f"HTTP {status}: {body[:300]}")
        self.status = status
        self.body = body

    def error(self):
        return json.loads(self.body)["error"]


class Process:
    """One weir daemon. Its stderr is kept in .log; its first line on stdout gives .url."""

    def __init__(self, *arguments, env=None, wrapper=(), program=BINARY, expect_ready=True, cwd=None):
        self.arguments = [*wrapper, program, *arguments]
        self.child = subprocess.Popen(self.arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
                                      env={**os.environ, **(env or {})})
        self.log = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.url = None
        if expect_ready:
            line = self.child.stdout.readline()
            found = re.search(r"(https?://\S+?)/?\s*$", line)
            if not found:
                self.child.wait(20)
                self._reader.join(5)
                raise RuntimeError(f"{' '.join(self.arguments)} did not start: {''.join(self.log)[-2000:]}")
            self.url = found.group(1)

    def _read_log(self):
        for line in self.child.stderr:
            self.log.append(line)

    @property
    def pid(self):
        return self.child.pid

    def _daemon(self):
        """Its pid; a wrapper that waits for it, as unshare -f does, keeps signals to itself."""
        with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children", encoding="ascii") as children:
            return int((children.read().split() or [self.child.pid])[0])

    def stop(self, timeout=20):
        if self.child.poll() is None:
            os.kill(self._daemon(), signal.SIGTERM)
        self.child.wait(timeout)
        return self.child.returncode

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(10)

    def wait(self, timeout=20):
        """For a daemon that is expected to refuse to start: exit code and everything it said."""
        out, _ = self.child.communicate(timeout=timeout) if not self._reader.is_alive() else ("", "")
        code = self.child.wait(timeout)
        self._reader.join(5)
        return code, out + "".join(self.log)


class Weir:
    """`weir up` with a throw-away data directory."""

    def __init__(self, *arguments, data_dir=None, listen="127.0.0.1:0", **options):
        self._own_dir = data_dir is None
        self.data_dir = data_dir or tempfile.mkdtemp(prefix="weir-e2e-")
        self.process = None
        self._listen, self._arguments, self._options = listen, arguments, options
        self.start()

    def start(self):
        self.process = Process("up", "--listen", self._listen, "--data-dir", self.data_dir, *self._arguments, **self._options)
        self.url = self.process.url

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill() if self.process.child.poll() is not None else self.process.stop()
        if self._own_dir:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def get(self, path, **parameters):
        return get(self.url, path, **parameters)

    def need_probe(self, name):
        """Skips the test, loudly, where this kernel cannot run the probe."""
        import pytest  # benches use this file without it

        (agent,) = eventually(lambda: self.get("/api/v1/status")["agents"])
        probe = next(probe for probe in agent["probes"] if probe["name"] == name)
        if probe["state"] == "failed":
            pytest.skip(f"SKIPPED: this kernel has not the hooks: {probe['reason']}")

    def flows(self, filter="", **parameters):
        return self.get("/api/v1/flows", filter=filter, **{"since": "1h", "limit": 10000, **parameters})["rows"]

    def totals(self, filter="", **parameters):
        return self.get("/api/v1/flows", filter=filter, **{"since": "1h", "limit": 1, **parameters})["totals"]

    def nodes(self, **parameters):
        return self.get("/api/v1/nodes", **{"since": "1h", **parameters})["nodes"]

    def cli(self, command, *arguments, check=True):
        result = subprocess.run([BINARY, command, "--server", self.url, *arguments], capture_output=True, text=True, timeout=60,
                                check=False)
        if check:
            assert result.returncode == 0, result.stderr
        return result


def get(url, path, **parameters):
    query = urllib.parse.urlencode(parameters)
    try:
        with urllib.request.urlopen(f"{url}{path}{'?' + query if query else ''}", timeout=60) as answer:
            body = answer.read().decode()
            return json.loads(body) if answer.headers["Content-Type"].startswith("application/json") else body
    except urllib.error.HTTPError as error:
        raise HttpError(error.code, error.read().decode()) from None


def total(rows, column):
    return sum(row[column] or 0 for row in rows)
