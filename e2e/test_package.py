"""The Debian packages: installed, upgraded, removed and purged in a Debian of their own, and their units under a real systemd."""

import json
import os
import re
import shutil
import subprocess

import pytest

from debian_root import Booted, Root
from lab import eventually
from packages import BUILD, repack, store_package, weir_package
from weir import ROOT

UNITS = ("weir", "weir-agent", "weir-server")


@pytest.fixture(scope="module")
def first():
    return weir_package()


@pytest.fixture(scope="module")
def second(first, tmp_path_factory):
    return repack(first, tmp_path_factory.mktemp("second"), "2")


@pytest.fixture(scope="module")
def store():
    return store_package()


@pytest.fixture(scope="module")
def archive_needs(first, store):
    return [first, store]


def test_manual_pages_are_well_formed_and_tell_every_flag():
    folder = os.path.join(BUILD, "installed")
    pages = sorted(name for name in os.listdir(folder) if name.endswith(".1"))
    commands = re.findall(r"^## weir (\S+)", open(os.path.join(ROOT, "docs", "flags.md")).read(), re.M)
    assert pages == sorted(["weir.1", *(f"weir-{command}.1" for command in commands)])
    if shutil.which("mandoc"):
        said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], cwd=folder, capture_output=True, text=True)
        # Pages without a date are the same for every build of a version.
        assert [line for line in said.stdout.splitlines() if "missing date" not in line] == []
    flags = re.findall(r"^\| `--([a-z0-9-]+)", open(os.path.join(ROOT, "docs", "flags.md")).read().split("## weir agent")[1].split("\n## ")[0], re.M)
    text = open(os.path.join(folder, "weir-agent.1")).read().replace("\\-", "-")
    assert flags and [flag for flag in flags if f"\\fB--{flag}\\fR" not in text] == []


def test_another_prefix_has_units_and_settings_of_its_own(tmp_path):
    subprocess.run(["cmake", "--install", BUILD, "--component", "weir", "--prefix", "/opt/weir"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(tmp_path)})
    unit = (tmp_path / "opt/weir/lib/systemd/system/weir-agent.service").read_text()
    assert "ExecStart=/opt/weir/bin/weir agent --config /opt/weir/etc/weir/agent.toml\n" in unit
    assert not re.search(r"@\w+@", unit)
    assert (tmp_path / "opt/weir/etc/weir/agent.toml").exists()
    # The default prefix again, for whoever installs from this build next.
    subprocess.run(["cmake", "--install", BUILD, "--component", "weir", "--prefix", "/usr"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(tmp_path)})


def test_units_are_as_closed_as_the_documents_say(first, tmp_path):
    subprocess.run(["dpkg-deb", "-x", first, tmp_path], check=True)
    recorded = dict(re.findall(r"^\| `(weir[a-z-]*)\.service` \| ([0-9.]+) \|", open(os.path.join(ROOT, "docs", "install.md")).read(), re.M))
    assert sorted(recorded) == sorted(UNITS)
    for unit in UNITS:
        said = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", tmp_path / f"usr/lib/systemd/system/{unit}.service"],
                              capture_output=True, text=True, env={**os.environ, "SYSTEMD_COLORS": "0"})
        score = re.search(r"exposure level for \S+: ([0-9.]+)", said.stdout)
        assert score, said.stdout + said.stderr
        # Newer versions of systemd ask for more.
        assert float(score.group(1)) <= float(recorded[unit]) + 0.3, said.stdout


def test_install_upgrade_remove_and_purge(first, second, store, archive_needs):
    with Root(archive_needs) as root:
        root.add(first, second, store)
        root.run("dpkg", "--install", f"/packages/{os.path.basename(first)}", f"/packages/{os.path.basename(store)}")
        assert root.run("weir", "version").stdout.startswith("weir ")
        # Loading the store is what the second package is for.
        assert root.run("ldd", "/usr/lib/weir/libchdb.so").stdout.count("not found") == 0
        words = "COMP_WORDS=(weir serve) COMP_CWORD=1; . /usr/share/bash-completion/completions/weir; _weir; echo ${COMPREPLY[@]}"
        assert root.run("bash", "-c", words).stdout.split() == ["server"]
        owner = root.run("stat", "-c", "%U:%G %a", "/var/lib/weir").stdout.strip()
        assert owner == "weir:weir 750"
        assert root.run("getent", "passwd", "weir").stdout.strip().endswith(":/var/lib/weir:/usr/sbin/nologin")

        settings = root.file("/etc/weir/server.toml")
        settings.write_text(settings.read_text() + 'disk-budget = "1Gi"\n')
        for part in ("store", "agent"):
            root.run("install", "-o", "weir", "-d", f"/var/lib/weir/{part}")
            root.file(f"/var/lib/weir/{part}/kept").write_text("weeks of it")
        root.run("dpkg", "--install", f"/packages/{os.path.basename(second)}")
        assert root.run("dpkg-query", "-W", "-f", "${Version}", "weir").stdout.endswith("-2")
        assert settings.read_text().endswith('disk-budget = "1Gi"\n')

        root.run("dpkg", "--remove", "weir")
        assert not root.file("/usr/bin/weir").exists()
        assert not root.file("/usr/lib/systemd/system/weir.service").exists()
        assert settings.exists() and root.file("/var/lib/weir/store/kept").exists() and root.file("/var/lib/weir/agent/kept").exists()

        said = root.run("dpkg", "--purge", "weir").stdout
        assert not settings.exists() and not root.file("/etc/weir").exists()
        assert not root.file("/var/lib/weir/agent").exists()
        # Nobody can make the flows of last month again.
        assert root.file("/var/lib/weir/store/kept").exists() and "stay in /var/lib/weir/store" in said
        assert root.run("dpkg", "--audit").stdout == ""


@pytest.fixture(scope="module")
def machine(first, store, archive_needs, second):
    with Root(archive_needs) as root:
        root.add(first, second, store)
        root.run("dpkg", "--install", f"/packages/{os.path.basename(first)}", f"/packages/{os.path.basename(store)}")
        # Nothing less than eBPF: a unit that withholds too much must not start.
        with root.file("/etc/weir/agent.toml").open("a") as settings:
            settings.write('mode = "ebpf"\n')
        with root.file("/etc/weir/weir.toml").open("a") as settings:
            settings.write('mode = "ebpf"\n')
        with Booted(root) as booted:
            yield booted


def ready(machine):
    return machine.run("/usr/bin/weir", "status", check=False).returncode == 0


def probes(machine):
    status = json.loads(machine.run("weir", "status", "-o", "json").stdout)
    return {probe["name"]: probe for agent in status["agents"] for probe in agent["probes"]}


def test_nothing_starts_by_itself(machine):
    for unit in UNITS:
        assert not machine.is_active(unit)
        assert machine.run("systemctl", "is-enabled", unit, check=False).stdout.strip() == "disabled"


def test_agent_and_server_work_in_their_hardened_units(machine):
    machine.run("systemctl", "start", "weir-server", "weir-agent")
    eventually(lambda: ready(machine), timeout=40)
    eventually(lambda: len(probes(machine)) > 10, timeout=40)
    # What is off for want of a device, or of the container's own control groups, is not of the unit; want of a right would be an error or a denial.
    lacking = {name: probe for name, probe in probes(machine).items()
               if re.search(r"permi|denied|not allowed|CAP_|EPERM", probe.get("reason", ""), re.I) or probe["state"] == "error"}
    assert lacking == {}
    script = ("import socket, threading; s = socket.create_server(('127.0.0.1', 7001)); "
              "threading.Thread(target=lambda: s.accept()[0].recv(1 << 20), daemon=True).start(); "
              "c = socket.create_connection(('127.0.0.1', 7001)); c.sendall(b'x' * 5000); c.close()")
    # The Python of the host, whose libraries the container lacks, in the network of the container.
    subprocess.run(["nsenter", "-t", machine.leader, "-n", "/usr/bin/python3", "-c", script], check=True)

    def seen():
        rows = json.loads(machine.run("weir", "flows", "--since", "5m", "--filter", "server_port = 7001", "-o", "json").stdout)
        return sum(row["bytes_to_server"] for row in rows)

    eventually(lambda: seen() == 5000, timeout=40)
    user = machine.run("systemctl", "show", "-P", "MainPID", "weir-server").stdout.strip()
    status = machine.run("cat", f"/proc/{user}/status").stdout
    assert re.search(r"^CapBnd:\s+0+$", status, re.M) and not re.search(r"^Uid:\s+0", status, re.M)


def test_an_upgrade_starts_running_units_again_and_no_others(machine, second):
    before = machine.run("systemctl", "show", "-P", "MainPID", "weir-server").stdout
    machine.run("dpkg", "--install", f"/packages/{os.path.basename(second)}", timeout=120)
    eventually(lambda: ready(machine), timeout=40)
    assert machine.run("systemctl", "show", "-P", "MainPID", "weir-server").stdout != before
    assert machine.is_active("weir-agent") and not machine.is_active("weir")
    # What was stored before is there.
    rows = json.loads(machine.run("weir", "flows", "--since", "1h", "--filter", "server_port = 7001", "-o", "json").stdout)
    assert sum(row["bytes_to_server"] for row in rows) == 5000


def test_weir_up_takes_the_place_of_both(machine):
    machine.run("systemctl", "start", "weir")
    eventually(lambda: ready(machine), timeout=40)
    assert machine.is_active("weir")
    assert not machine.is_active("weir-agent") and not machine.is_active("weir-server")
    rows = json.loads(machine.run("weir", "flows", "--since", "1h", "--filter", "server_port = 7001", "-o", "json").stdout)
    assert sum(row["bytes_to_server"] for row in rows) == 5000


def test_removal_stops_what_runs(machine):
    machine.run("dpkg", "--remove", "weir", timeout=120)
    assert machine.run("systemctl", "is-active", "weir", check=False).stdout.strip() != "active"
    assert "weir" not in machine.run("sh", "-c", "cat /proc/[0-9]*/comm").stdout.split()
