"""Prometheus' rules of the chart: promtool's own checks and tests, and that they speak of metrics and runbooks that exist."""

import glob
import os
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from weir import BINARY, ROOT, Weir

RULES = sorted(glob.glob(os.path.join(ROOT, "deploy", "helm", "weir", "files", "rules", "*.yaml")))
# What an agent serves under the names of the seed's agent.
NODE_METRICS = {f"{way}_{what}" for way in ("ingress", "egress") for what in ("bytes", "packets", "flow")} | {
    f"{name}_allowance_exceeded" for name in ("bw_in", "bw_out", "pps", "conntrack", "linklocal")} | {"conntrack_allowance_available"}


def promtool(*arguments):
    if not shutil.which("promtool"):
        pytest.skip("RULE TESTS SKIPPED: no promtool; ./dev setup installs it")
    said = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


def rules():
    for path in RULES:
        for group in yaml.safe_load(open(path))["groups"]:
            yield from group["rules"]


def test_rules_are_valid():
    promtool("check", "rules", *RULES)


@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(ROOT, "e2e", "rules", "*.test.yaml"))), ids=os.path.basename)
def test_rules_say_what_the_series_mean(path):
    promtool("test", "rules", path)


def test_rules_speak_of_metrics_that_exist():
    own = set(re.findall(r"^\| `(weir_\w+)`", open(os.path.join(ROOT, "docs", "metrics.md")).read(), re.M))
    used = {name for rule in rules() for name in re.findall(r"\b([a-z]\w*_\w+)\b", re.sub(r"\{[^}]*\}|\[[^]]*\]", "", rule["expr"]))}
    assert used and used <= own | NODE_METRICS, used - own - NODE_METRICS


def test_every_alert_has_a_runbook_that_names_it():
    for rule in rules():
        if "alert" in rule:
            text = open(os.path.join(ROOT, rule["annotations"]["runbook"])).read()
            assert f"`{rule['alert']}`" in text, rule["alert"]


def test_the_commands_of_runbooks_are_commands(tmp_path):
    """Every column, flag and filter in them exists."""
    commands = {(path, command) for path in glob.glob(os.path.join(ROOT, "docs", "runbooks", "*.md"))
                for command in re.findall(r"`weir ((?:flows|nodes|map|status|top)[^`]*)`", open(path).read())}
    assert len(commands) > 8
    with Weir() as weir:
        for path, command in sorted(commands):
            words = [word.replace("NODE", "n1") for word in shlex.split(command)]
            said = subprocess.run([BINARY, *words, "--server", weir.url], capture_output=True, text=True)
            assert said.returncode == 0 or "no node" in said.stderr, f"{path}: weir {command}: {said.stderr}"
