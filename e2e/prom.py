"""Runs a real Prometheus or VictoriaMetrics on loopback and asks it."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

from lab import eventually


def free_port():
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


def job(targets, name="weir", interval="2s", **options):
    return {"job_name": name, "scrape_interval": interval, "scrape_timeout": interval, "honor_labels": True,
            "static_configs": [{"targets": list(targets)}], **options}


class Scraper:
    """Something that scrapes and answers PromQL."""

    program = None

    def __init__(self, *jobs, rules=(), port=None):
        if shutil.which(self.program) is None:
            import pytest  # benches use this file without it

            pytest.skip(f"SKIPPED: no {self.program}; ./dev setup installs it")
        self.folder = tempfile.mkdtemp(prefix="weir-prom-")
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": list(jobs)}
        if rules:
            config["rule_files"] = list(rules)
        self.config = os.path.join(self.folder, "config.yaml")
        with open(self.config, "w") as file:
            yaml.safe_dump(config, file)
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.child = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log)

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        try:
            eventually(self._answers, timeout=60)
        except AssertionError:
            self.log.seek(0)
            raise RuntimeError(f"{self.program} did not start: {self.log.read()[-2000:]}") from None
        return self

    def __exit__(self, *_):
        self.child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(10)
        self.child.kill()
        self.child.wait(10)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self):
        with contextlib.suppress(OSError):
            return self.get("/api/v1/query", query="1")

    def get(self, path, **parameters):
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters.get('query', path)}: {error.read().decode()[:500]}") from None

    def query(self, expression, at=None):
        """[(labels, value)] at a moment."""
        answer = self.get("/api/v1/query", query=expression, **({"time": at} if at else {}))
        if answer["resultType"] == "scalar":
            return [({}, float(answer["result"][1]))]
        return [(item["metric"], float(item["value"][1])) for item in answer["result"]]

    def value(self, expression, at=None):
        """Of the one series there is."""
        found = self.query(expression, at)
        assert len(found) == 1, f"{expression}: {found}"
        return found[0][1]

    def until(self, expression, timeout=30):
        """Waits until it answers something other than 0 and returns that."""
        return eventually(lambda: [item for item in self.query(expression) if item[1] != 0], timeout=timeout)

    def wait_scraped(self, times=2, job="weir", timeout=60):
        eventually(lambda: any(value >= times for _, value in self.query(f'count_over_time(up{{job="{job}"}}[1m])')), timeout=timeout)


class Prometheus(Scraper):
    program = "prometheus"

    def command(self):
        return [self.program, f"--config.file={self.config}", f"--storage.tsdb.path={self.folder}/data", "--log.level=warn",
                f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver"]

    def alerts(self):
        """Names of those that fire."""
        return {alert["labels"]["alertname"] for alert in self.get("/api/v1/alerts")["alerts"] if alert["state"] == "firing"}


class VictoriaMetrics(Scraper):
    program = "victoria-metrics"

    def command(self):
        return [self.program, f"-promscrape.config={self.config}", f"-storageDataPath={self.folder}/data", "-retentionPeriod=1d",
                f"-httpListenAddr=127.0.0.1:{self.port}", "-search.latencyOffset=0s", "-memory.allowedBytes=64MB", "-loggerLevel=ERROR",
                "-promscrape.config.strictParse=false"]


def now():
    return time.time()
